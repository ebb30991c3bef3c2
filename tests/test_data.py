"""Sources of images: the same pixels from a folder, a tar file and a cache."""

from __future__ import annotations

import os
import pickle
import tarfile
from pathlib import Path

import pytest
import torch
from conftest import random_image

import mindl as md
from mindl.core.errors import InputError, MindlWarning, OutputError
from mindl.core.randomness import generator_for
from mindl.data import DeadLeaves, Images, Mapped, Memory, Phantoms, Photographs, Placement, Together
from mindl.learning import Denoising, Stream


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "photos"
    (place / "b").mkdir(parents=True)
    for number, name in enumerate(("c.png", "b/a.tif", "a.png")):
        md.images.io.write(place / name, random_image(1, 3, 20 + number, 24, seed=number), bits=16)
    return place


def packed(folder: Path) -> Path:
    target = folder.parent / "photos.tar"
    with tarfile.open(target, "w") as file:
        for path in sorted(folder.rglob("*"), reverse=True):
            if path.is_file():
                file.add(path, arcname=str(path.relative_to(folder)))
    return target


def test_a_folder_a_tar_file_and_a_list_hold_the_same(folder: Path) -> None:
    lines = folder.parent / "all.txt"
    lines.write_text("# mine\nphotos/a.png\n\nphotos/b/a.tif\nphotos/c.png\n")
    sources = [Photographs(given, channels=3) for given in (folder, packed(folder), lines)]
    assert [Path(sources[0].name(i)).name for i in range(3)] == ["a.png", "a.tif", "c.png"]
    for source in sources:
        assert len(source) == 3 and source.fingerprint() == sources[0].fingerprint()
        assert [source.digest(i) for i in range(3)] == [sources[0].digest(i) for i in range(3)]
        assert all(torch.equal(source.image(i), sources[0].image(i)) for i in range(3))
    assert sources[1].about == "3 photographs of photos.tar"


@pytest.mark.parametrize("kind", ["tar", "mapped"])
def test_what_travels_to_a_worker_reads_the_same(folder: Path, kind: str) -> None:
    """Places are indexed once; the bytes are read where they are needed, and nothing decoded travels."""
    if kind == "tar":
        source = Photographs(packed(folder))
    else:
        source = Photographs(folder, cache=Mapped(folder.parent / "decoded"))
    stream = Stream(source, Denoising(), batch=3, crop=8, crops_per_image=4, seed=2)
    plain = Stream(Photographs(folder), Denoising(), batch=3, crop=8, crops_per_image=4, seed=2)
    for k in range(2):
        wanted, here = plain.batch(k).problems, stream.batch(k).problems
        luggage = pickle.dumps(stream)
        there = pickle.loads(luggage).batch(k).problems
        assert len(luggage) < 4000
        assert all(torch.equal(here[name], wanted[name]) for name in wanted)
        assert all(torch.equal(there[name], wanted[name]) for name in wanted)


def test_decoded_once_and_mapped_ever_after(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = folder.parent / "decoded"
    first = Photographs(folder, channels=3, cache=Mapped(decoded))
    images = [first.image(i).clone() for i in range(3)]
    files = sorted(decoded.iterdir())
    assert len(files) == 3
    monkeypatch.setattr("mindl.data.photographs.decode", None)  # who decodes again fails
    again = Photographs(folder, channels=3, cache=Mapped(decoded))
    assert all(torch.equal(again.image(i), images[i]) for i in range(3))
    again.image(0).zero_()  # stays in memory
    assert torch.equal(Photographs(folder, channels=3, cache=Mapped(decoded)).image(0), images[0])
    monkeypatch.undo()
    for file in files:
        file.write_bytes(file.read_bytes()[:100])  # torn: decoded again
    for _ in range(2):
        assert all(torch.equal(again.image(i), images[i]) for i in range(3))
    assert torch.equal(
        Photographs(folder, channels=1, cache=Mapped(decoded)).image(0), Photographs(folder).image(0)
    )


def test_a_full_disk_costs_time_and_nothing_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    source = Photographs(folder, cache=Mapped(folder.parent / "decoded"))
    monkeypatch.setattr(os, "fsync", full)
    with pytest.warns(MindlWarning, match=r"No space left.*decoded every time"):
        image = source.image(1)
    assert torch.equal(image, Photographs(folder).image(1)) and not list((folder.parent / "decoded").iterdir())


def test_a_file_that_changed_is_decoded_again(folder: Path) -> None:
    for cache in (Memory(), Mapped(folder.parent / "decoded")):
        before = Photographs(folder, channels=3, cache=cache).image(0).clone()
        new = 1 - before[None]
        md.images.io.write(folder / "a.png", new, bits=16)
        os.utime(folder / "a.png", ns=(1, 1))
        assert torch.allclose(Photographs(folder, channels=3, cache=cache).image(0), new[0], atol=1e-4)
        md.images.io.write(folder / "a.png", before[None], bits=16)


def test_memory_is_bounded_and_the_oldest_goes_first() -> None:
    bytes_of_one = 4 * 100 * 100
    cache = Memory(gigabytes=3.5 * bytes_of_one / 2**30)
    made: list[str] = []

    def ask(key: str) -> None:
        def decode() -> torch.Tensor:
            made.append(key)
            return torch.zeros(1, 100, 100)

        cache.get(key, decode)

    for key in "abcabcda":  # d drives out a, the oldest
        ask(key)
    assert "".join(made) == "abcda"
    for key in "cdbc":  # b was driven out by a, and drives out a, which nobody asked for since
        ask(key)
    assert "".join(made) == "abcdab"
    nothing = Memory(gigabytes=0)
    assert nothing.get("a", lambda: torch.ones(1)) is not nothing.get("a", lambda: torch.ones(1))
    for wrong in (-1, float("nan")):
        with pytest.raises(InputError, match="at least 0"):
            Memory(gigabytes=wrong)
    with pytest.raises(OutputError, match="Cannot make the folder"):
        Mapped("/proc/none/here")
    with pytest.raises(InputError, match=r"Memory\(\) or Mapped"):
        Photographs(["a.png"], cache="here")


def test_places_that_are_left_out_are_said(folder: Path) -> None:
    (folder / "loop").symlink_to(folder)
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    with pytest.warns(MindlWarning, match=r"Left out: .*mindl data check"):
        source = Photographs(folder)
    assert len(source) == 3


def test_phantoms_are_piecewise_what_they_say() -> None:
    source = Phantoms(6, size=40, channels=3, seed=2)
    assert source.about == "6 phantom pictures of 40 x 40, seeds from 2 on"
    for index in range(6):
        picture = source.image(index)
        assert picture.shape == (3, 40, 40) and 0 <= float(picture.min()) <= float(picture.max()) <= 1
        assert torch.equal(picture, Phantoms(1, size=40, channels=3, seed=2 + index).image(0))
    assert len({source.digest(i) for i in range(6)}) == 6
    tiny = [Phantoms(1, size=1, seed=i).image(0) for i in range(5)]
    assert all(picture.shape == (1, 1, 1) for picture in tiny)
    for wrong in ({"count": 0}, {"size": 0}, {"channels": 2}):
        with pytest.raises(InputError):
            Phantoms(**wrong)


def test_a_placement_is_one_of_eight_and_is_the_same_for_all() -> None:
    image = torch.arange(35.0).reshape(1, 5, 7)
    seen = set()
    for i in range(300):
        placement = Placement.drawn(5, 7, 3, generator_for(i))
        part = placement(image)
        seen.add((placement.top, placement.left, placement.turns, placement.mirrored))
        window = image[:, placement.top : placement.top + 3, placement.left : placement.left + 3]
        turned = torch.rot90(window, placement.turns, (1, 2))
        assert torch.equal(part, turned.flip(2) if placement.mirrored else turned)
        sample = placement.of_sample({"clean": image, "mask": image > 7, "noise": torch.tensor(0.1)})
        assert torch.equal(sample["mask"], sample["clean"] > 7) and sample["noise"].ndim == 0
    assert len(seen) > 95  # of 3 * 5 * 8
    assert {(turns, mirrored) for *_, turns, mirrored in seen} == {(t, m) for t in range(4) for m in (False, True)}
    assert Placement.central(5, 7, 3)(image)[0, 1, 1] == image[0, 2, 3]


def test_digests_say_what_is_the_same() -> None:
    leaves = DeadLeaves(3, size=16)
    again = Together(DeadLeaves(1, size=16, seed=1), Images(leaves.image(2)[None]))
    assert again.digest(0) == leaves.digest(1)
    assert Images(torch.zeros(2, 1, 4, 8)).digest(0) != Images(torch.zeros(1, 1, 8, 4)).digest(0)
    assert Images(torch.zeros(2, 1, 4, 8)).digest(0) == Images(torch.zeros(1, 1, 4, 8)).digest(0)
