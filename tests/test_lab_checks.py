"""Checks are data: who passes which, why, and for how many points."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mindl_lab import work
from mindl_lab.calls import Call
from mindl_lab.checks import (
    PUBLIC_SEED,
    Check,
    Checks,
    Draw,
    Missed,
    Steps,
    Tier,
    Verdict,
    at_most,
    between,
    close,
    documented,
    own_work,
    without_loops,
)
from mindl_lab.judging import verdicts
from mindl_lab.sandbox import Guarded, Limits, Plain, Sandbox

CHECKS = Checks("unit00", module="images")


@CHECKS.add("1.1", points=2, title="Doubling")
def _(draw: Draw) -> Steps:
    u = draw.image(*draw.size())
    (double,) = yield [Call("twice", u, returns=u.shape)]
    close(double, 2 * u, 1e-12, "every value is doubled")


@CHECKS.add("1.2", points=1, title="Doubling, unseen", tier=Tier.HIDDEN)
def _(draw: Draw) -> Steps:
    u = draw.image(*draw.size())
    (double,) = yield [Call("twice", u, returns=u.shape)]
    close(double, 2 * u, 1e-12, "every value is doubled")


@CHECKS.add("1.3", points=1, title="Doubling, in good style", tier=Tier.QUALITY)
def _(source: work.Source) -> None:
    documented(source, "twice")
    without_loops(source, "twice")
    own_work(source, "numpy")


@CHECKS.add("2.1", points=1, title="Extrema")
def _(draw: Draw) -> Steps:
    u = draw.image(4, 6)
    ((low, high),) = yield [Call("extrema", u, returns=[(), ()])]
    close(low, u.min(), 0, "the smallest value")
    between(float(high), u.max(), u.max(), "the largest value")


@CHECKS.add("2.2", points=1, title="Empty images are refused")
def _(draw: Draw) -> Steps:
    yield [Call("extrema", np.zeros((0, 3)), refuses="ValueError")]


REFERENCE = '''
import numpy as np

def twice(u):
    """Return the image with every value doubled."""
    return 2 * u

def extrema(u):
    if u.size == 0:
        raise ValueError("an empty image has no extrema")
    return u.min(), u.max()
'''

LIMITS = Limits(seconds=5, memory=2 * 2**30)


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    if sys.platform != "linux":
        yield Plain()
        return
    with Guarded() as guarded:
        yield guarded


def judged(box: Sandbox, text: str, seed: str | None = "secret") -> dict[str, Verdict]:
    source = work.parse("images.py", text)
    return {v.check: v for v in verdicts(CHECKS, source, box, seed=seed, limits=LIMITS, seconds=0.5)}


def failed(found: dict[str, Verdict]) -> list[str]:
    return [name for name, verdict in found.items() if not verdict.passed]


def test_the_reference_has_all_points(box: Sandbox) -> None:
    found = judged(box, REFERENCE)
    assert list(found) == ["1.1", "1.2", "1.3", "2.1", "2.2"]
    assert sum(v.points for v in found.values()) == sum(v.of for v in found.values()) == 6
    assert failed(found) == []


def test_hidden_checks_stay_away_without_their_seed(box: Sandbox) -> None:
    assert list(judged(box, REFERENCE, seed=None)) == ["1.1", "1.3", "2.1", "2.2"]


@pytest.mark.parametrize(
    ("old", "new", "missed"),
    [
        ("return 2 * u", "return u + u.round(3)", ["1.1", "1.2", "1.3"]),
        ("return 2 * u", "return np.array([2 * row for row in u])", ["1.3"]),
        ('"""Return the image with every value doubled."""', "", ["1.3"]),
        ("import numpy as np", "import numpy as np, mindl", ["1.3"]),
        ("u.min(), u.max()", "u.max(), u.min()", ["2.1"]),
        ("u.min(), u.max()", "u.min()", ["2.1"]),
        ("raise ValueError", "raise RuntimeError", ["2.2"]),
        ("raise ValueError", "return 0, 0; print", ["2.2"]),
        ("def extrema", "def extremes", ["2.1", "2.2"]),
        ("return 2 * u", "raise NotImplementedError", ["1.1", "1.2", "1.3"]),
        ("return 2 * u", "while True: pass", ["1.1", "1.2", "1.3"]),
        ("return u.min(), u.max()", "__import__('os')._exit(0)", ["2.1", "2.2"]),
        ("return 2 * u", "return type('E', (), {'__eq__': lambda *_: True})()", ["1.1", "1.2", "1.3"]),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="time limits of single calls are POSIX signals")
def test_wrong_work_fails_where_it_is_wrong_and_nowhere_else(
    box: Sandbox, old: str, new: str, missed: list[str]
) -> None:
    assert REFERENCE.count(old) == 1
    assert failed(judged(box, REFERENCE.replace(old, new))) == missed


def test_who_learns_the_public_inputs_by_heart_fails_the_hidden_check(box: Sandbox) -> None:
    u = Draw(PUBLIC_SEED, "unit00", "1.1")
    seen = u.image(*u.size())
    learnt = f"if np.round(u[0, 0], 6) != {seen[0, 0]:.6f}: return u\n    return 2 * u"
    found = judged(box, REFERENCE.replace("return 2 * u", learnt))
    assert failed(found) == ["1.2"]


def test_feedback_has_expected_actual_and_gap(box: Sandbox) -> None:
    found = judged(box, REFERENCE.replace("return 2 * u", "v = 2 * u\n    v[1, 2] = 7\n    return v"))["1.1"]
    assert found.message == "every value is doubled"
    assert found.actual == "7 at [1, 2]"
    assert found.expected.endswith(" at [1, 2]")
    assert found.gap == pytest.approx(7 - float(found.expected.split()[0]), abs=1e-5)
    assert found.allowed == 1e-12


def test_inputs_depend_on_seed_unit_and_check_alone() -> None:
    first = Draw("s", "unit01", "1.1").image(3, 4)
    np.testing.assert_array_equal(first, Draw("s", "unit01", "1.1").image(3, 4))
    for other in (("t", "unit01", "1.1"), ("s", "unit02", "1.1"), ("s", "unit01", "1.2")):
        assert not np.array_equal(first, Draw(*other).image(3, 4))


def test_draws_are_what_they_say() -> None:
    draw = Draw("s", "unit01", "1.1")
    for _ in range(20):
        height, width = draw.size()
        assert height != width
        smooth, grey, known = (
            draw.smooth_image(height, width),
            draw.grey_levels(height, width),
            draw.mask(3, 5, 0.01),
        )
        assert (smooth.min(), smooth.max()) == pytest.approx((0, 1)) or np.all(smooth == 0.5)
        assert (grey.dtype, grey.min(), grey.max()) == (np.uint8, 0, 255)
        assert known.dtype == bool
        assert known.any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1.1])
def test_comparisons_do_not_let_anything_slip(value: float) -> None:
    with pytest.raises(Missed):
        close(np.array([1.0, value]), np.array([1.0, 1.0]), 0.05, "")
    with pytest.raises(Missed):
        at_most(abs(value), 0.05, "")
    with pytest.raises(Missed):
        between(value, 0, 1, "")


def test_infinity_is_close_to_infinity() -> None:
    close(np.inf, np.inf, 0.0, "the PSNR of an image with itself")
    close(np.zeros((0, 3)), np.zeros((0, 3)), 0.0, "nothing")


def test_two_checks_do_not_share_a_name() -> None:
    with pytest.raises(ValueError, match=r"two checks are named 1\.1"):
        CHECKS.add("1.1", points=1, title="again")


def test_a_check_yields_once(box: Sandbox) -> None:
    twice = Checks("unit00", module="images")

    @twice.add("1.1", points=1, title="yields twice")
    def _(draw: Draw) -> Steps:
        yield []
        yield []

    source = work.parse("images.py", REFERENCE)
    twice.all.append(Check("1.2", 1, Tier.PUBLIC, "one call", CHECKS.all[0].steps))
    with pytest.raises(RuntimeError, match=r"check 1\.1 asks for calls twice"):
        verdicts(twice, source, box, limits=LIMITS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"def f(:\n", r"images\.py is no Python: line 1: "),
        (b"u = '\xe4'\n", r"images\.py is not UTF-8 \(byte 5\): save it"),
        (b"u = 1\x00\n", "is no Python"),
        (b"(" * 3000, "is no Python"),
        (b"-" * 100_000 + b"1", "is no Python"),
        (b"#" * (2**20 + 1), r"has 1\.0 MB; a module of this course has at most 1 MB"),
    ],
)
def test_files_that_cannot_be_graded_say_why(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "images.py").write_bytes(content)
    with pytest.raises(work.UnreadableError, match=said):
        work.read(tmp_path / "images.py")


def test_missing_files_folders_and_links(tmp_path: Path) -> None:
    with pytest.raises(work.UnreadableError, match=r"images\.py is missing: hand in a file of exactly this name"):
        work.read(tmp_path / "images.py")
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "link.py").symlink_to("/etc/passwd")
    for name in ("folder.py", "link.py"):
        with pytest.raises(work.UnreadableError, match="is no file"):
            work.read(tmp_path / name)


def test_a_byte_order_mark_is_no_trouble(tmp_path: Path, box: Sandbox) -> None:
    (tmp_path / "images.py").write_bytes(b"\xef\xbb\xbf" + REFERENCE.replace("\n", "\r\n").encode())
    assert failed(judged(box, work.read(tmp_path / "images.py").text)) == []
