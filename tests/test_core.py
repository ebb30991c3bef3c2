from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from conftest import random_image
from hypothesis import given
from hypothesis import strategies as st

from mindl.core.errors import OutputError, UnknownNameError, look_up
from mindl.core.files import write_whole
from mindl.core.outcome import Outcome
from mindl.core.randomness import draw
from mindl.core.reduce import BLOCK, GROUP, inner, largest, norm, total


@given(st.integers(1, 40), st.integers(1, 40), st.integers(2, 4))
def test_sums_do_not_depend_on_batch_mates(height: int, width: int, batch: int) -> None:
    x = random_image(batch, 2, height, width) - 0.3
    y = random_image(batch, 2, height, width, seed=1)
    for b in range(batch):
        assert total(x)[b] == total(x[b : b + 1])[0]
        assert inner(x, y)[b] == inner(x[b : b + 1], y[b : b + 1])[0]


@pytest.mark.parametrize("n", [1, BLOCK - 1, BLOCK, BLOCK + 1, BLOCK * GROUP + 17, 2 * BLOCK * GROUP])
def test_sums_are_right_at_block_edges(n: int) -> None:
    x = random_image(2, 1, 1, n) - 0.5
    expected = math.fsum(x[1].flatten().tolist())
    assert total(x)[1].item() == pytest.approx(expected, abs=1e-14 * n)
    squares = math.fsum(v * v for v in x[1].flatten().tolist())
    assert inner(x, x)[1].item() == pytest.approx(squares, rel=1e-14)
    assert norm(x)[1].item() == pytest.approx(math.sqrt(squares), rel=1e-14)


def test_sums_do_not_depend_on_threads_strides_or_mates() -> None:
    x, y = random_image(2, 3, 301, 257), random_image(2, 3, 301, 257, seed=1)
    strided = x.transpose(2, 3).contiguous().transpose(2, 3)
    threads = torch.get_num_threads()
    sums, products = total(x), inner(x, y)
    try:
        for count in (1, 2, 3):  # a library sum of one large image is split among threads, that of two is not
            torch.set_num_threads(count)
            for b in range(2):
                one = slice(b, b + 1)
                assert total(x[one])[0] == total(strided)[b] == sums[b]
                assert inner(x[one], y[one])[0] == inner(strided, y)[b] == products[b]
    finally:
        torch.set_num_threads(threads)


def test_sums_count_booleans_and_keep_gradients() -> None:
    assert total(torch.ones(1, 1, 300, 300, dtype=torch.bool)).item() == 90000
    x = random_image(2, 1, 5, 7).requires_grad_()
    total(x * x).sum().backward()
    assert torch.allclose(x.grad, 2 * x.detach())
    assert largest(torch.tensor([[[[1.0, -3.0]]]])).item() == 1


def test_drawing_in_a_batch_equals_drawing_alone() -> None:
    both = draw(5, 3, lambda g: torch.randn(1, 7, 9, generator=g))
    for b in range(3):
        alone = draw(5 + b, 1, lambda g: torch.randn(1, 7, 9, generator=g))
        assert torch.equal(both[b : b + 1], alone)


def test_nearest_names_are_offered() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'rof'"):
        look_up({"rof": 1, "whittaker_tikhonov": 2}, "roff", "model")
    with pytest.raises(UnknownNameError, match="'rof', 'whittaker_tikhonov'"):
        look_up({"rof": 1, "whittaker_tikhonov": 2}, "zzz", "model")


def test_outcomes_are_ordered() -> None:
    assert Outcome.worst((Outcome.CERTIFIED, Outcome.STEP_LIMIT, Outcome.STATIONARY)) is Outcome.STEP_LIMIT
    assert [o for o in Outcome if o.certified] == [Outcome.CERTIFIED]


def test_files_are_written_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    write_whole(target, b"one")
    write_whole(target, b"two")
    assert target.read_bytes() == b"two"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]
    with pytest.raises(OutputError, match="exists already"):
        write_whole(target, b"three", overwrite=False)
    with pytest.raises(OutputError, match=r"folder .* does not exist"):
        write_whole(tmp_path / "none" / "a.bin", b"")
    with pytest.raises(OutputError, match="not a regular file"):
        write_whole(tmp_path, b"")


def test_a_link_is_followed_not_replaced(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    link.symlink_to(real)
    write_whole(link, b"new")
    assert link.is_symlink() and real.read_bytes() == b"new"


def test_a_device_is_refused() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(OutputError, match="not a regular file"):
        write_whole("/dev/full", b"x")


def test_a_file_size_limit_leaves_the_old_file(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OutputError, match="Nothing was left behind"):
            write_whole(target, b"x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]
