"""Where images are, which can be used, which are the same, and how they are split."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import shutil
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SHARED
from PIL import Image as pillow
from test_cli import run

from mindl.app import data as verb
from mindl.core.errors import ImageFileError, InputError, LeakageError, StoreError
from mindl.data import Place, Places, check_apart, find, inspect, likeness, split
from mindl.data import inspection as inspecting
from mindl.data.inspection import Inspection
from mindl.data.split import _nearest as nearest_cut
from mindl.images import coffee, dead_leaves, from_numpy, read, write
from mindl.images.io import READABLE, decode

PNG = b"\x89PNG\r\n\x1a\n"


def leaves(path: Path, seed: int, size: int = 40, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write(path, dead_leaves(size, size, seed=seed), **options)  # type: ignore[arg-type]


def names(places: Places, top: Path) -> list[str]:
    return [place.path.relative_to(top).as_posix() for place in places.places]


def tar_of(path: Path, members: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


# Places


def test_a_folder_is_searched_to_the_bottom_in_the_order_of_paths(tmp_path: Path) -> None:
    for name in ("b.png", "a/z.JPG", "a-b/c.tiff", "a/deep/er/y.pgm", "B.webp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    for name in (".hidden.png", ".git/x.png", "a/.cache/y.png", "notes.txt", "a/png", "x.png.part"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.png").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
    found = find(tmp_path)
    assert names(found, tmp_path) == ["B.webp", "a-b/c.tiff", "a/deep/er/y.pgm", "a/z.JPG", "b.png"]
    assert found.troubles == {} and find(str(tmp_path)) == found and find(found) is found
    assert [place.suffix for place in found.places] == [".webp", ".tiff", ".pgm", ".jpg", ".png"]


def test_the_order_of_the_disk_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(12):
        (tmp_path / f"{i % 4}").mkdir(exist_ok=True)
        (tmp_path / f"{i % 4}" / f"{i}.png").write_bytes(b"x")
    for name in ("0/link", "link", "3/zlink"):  # the first in the order of paths gives the images their names
        (tmp_path / name).symlink_to(tmp_path.parent / f"{tmp_path.name}-beside", target_is_directory=True)
    beside = tmp_path.parent / f"{tmp_path.name}-beside"
    beside.mkdir()
    (beside / "o.png").write_bytes(b"x")
    expected = find(tmp_path)
    assert len(expected.places) == 13 and "0/link/o.png" in names(expected, tmp_path)
    real = os.scandir

    class Shuffled:
        def __init__(self, folder: str) -> None:
            with real(folder) as entries:
                self.entries = list(entries)
            random.shuffle(self.entries)

        def __enter__(self):
            return iter(self.entries)

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(os, "scandir", Shuffled)
    for _ in range(5):
        assert find(tmp_path) == expected


def test_links_are_followed_once_and_circles_end(tmp_path: Path) -> None:
    top, outside = tmp_path / "top", tmp_path / "outside"
    for file in (top / "a" / "x.png", outside / "y.png", outside / "in" / "z.png"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    (top / "0").symlink_to(top / "a", target_is_directory=True)  # before ``a`` by name, and still only a link
    (top / "a" / "up").symlink_to(top, target_is_directory=True)
    (top / "a" / "higher").symlink_to(tmp_path, target_is_directory=True)
    (top / "out").symlink_to(outside, target_is_directory=True)
    (outside / "back").symlink_to(top, target_is_directory=True)
    (top / "w.png").symlink_to(outside / "y.png")
    (top / "gone.png").symlink_to(tmp_path / "nothing")
    (top / "itself.png").symlink_to(top / "itself.png")
    found = find(top)
    assert names(found, top) == ["a/x.png", "out/in/z.png", "out/y.png", "w.png"]
    reasons = {Path(name).name: why for name, why in found.troubles.items()}
    assert reasons.keys() == {"up", "higher", "gone.png", "itself.png"}
    assert "circle" in reasons["up"] and "circle" in reasons["higher"]
    assert reasons["gone.png"] == "the link leads nowhere" and "oo many" in reasons["itself.png"]


def test_folders_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shut").mkdir()
    (tmp_path / "a.png").write_bytes(b"x")
    real = os.scandir

    def refuse(folder: str):
        if Path(folder) == shut:
            raise PermissionError(13, "Permission denied", folder)
        return real(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    shut = tmp_path / "shut"
    found = find(tmp_path)
    assert names(found, tmp_path) == ["a.png"]
    assert found.troubles == {str(shut): "the folder cannot be read: Permission denied"}
    (tmp_path / "a.png").unlink()
    with pytest.raises(InputError, match=r"holds no image .*; .*shut was left out: .*Permission denied"):
        find(tmp_path)
    shut = tmp_path
    with pytest.raises(InputError, match=f"The folder {tmp_path} cannot be read: Permission denied"):
        find(tmp_path)


def test_what_is_no_set_of_images(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no folder or file of images .*nothing"):
        find(tmp_path / "nothing")
    with pytest.raises(InputError, match="holds no image") as raised:
        find(tmp_path)
    assert all(suffix in str(raised.value) for suffix in READABLE)
    leaves(tmp_path / "a.png", 0)
    with pytest.raises(InputError, match=r"neither a folder nor a .tar or .txt file: name its folder"):
        find(tmp_path / "a.png")
    with pytest.raises(InputError, match="The list of images is empty"):
        find([])
    with pytest.raises(InputError, match=r"There is no file .*b.png: it is in the list"):
        find([tmp_path / "a.png", tmp_path / "b.png"])
    with pytest.raises(InputError, match="not a regular file"):
        find([tmp_path])
    for wrong in (7, [7], [None]):
        with pytest.raises(InputError, match="sequence of files"):
            find(wrong)  # type: ignore[arg-type]
    for wrong_path in ("a\0b", ["a\0b"]):
        with pytest.raises(InputError, match="cannot be read"):
            find(wrong_path)


def test_a_list_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ä.png", "#1.png", "sub/b.png"):
        leaves(tmp_path / name, 0)
    text = tmp_path / "sub" / "list.txt"
    text.write_bytes("\ufeff# order counts\r\n\r\n b.png \r\n../ä.png\r\n../#1.png\r\n".encode())
    monkeypatch.chdir(tmp_path.parent)  # paths begin at the list's folder, not here
    assert [place.path.name for place in find(text).places] == ["b.png", "ä.png", "#1.png"]
    assert inspect(text).broken == ()
    text.write_text("b.png\n\nc.png\n")
    with pytest.raises(InputError, match=r"There is no file .*c.png: it is in line 3 of .*list.txt"):
        find(text)
    text.write_text("# nothing\n\n")
    with pytest.raises(InputError, match="names no image"):
        find(text)
    text.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="no text in UTF-8"):
        find(text)


def test_files_and_places_are_taken_as_they_are(tmp_path: Path) -> None:
    one, other = leaves(tmp_path / "z.png", 0), leaves(tmp_path / "a.png", 1)
    archive = tar_of(tmp_path / "t.tar", [("m.png", one.read_bytes())])
    member = find(archive).places[0]
    found = find([one, str(other), member])
    assert [place.name for place in found.places] == [str(one), str(other), f"{archive}:m.png"]


def test_members_of_a_tar_are_read_where_they_are(tmp_path: Path) -> None:
    pictures = {name: leaves(tmp_path / "p.png", i).read_bytes() for i, name in enumerate(("b.png", "./a/d.png"))}
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        for name, content in [("b.png", b"replaced"), *pictures.items(), ("d/.h.png", b"x"), ("d/n.md", b"x")]:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, kind in (("l.png", tarfile.SYMTYPE), ("h.png", tarfile.LNKTYPE), ("c.png", tarfile.CHRTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "b.png"
            archive.addfile(member)
    before = sorted(tmp_path.iterdir())
    found = find(path)
    assert [place.name for place in found.places] == [f"{path}:a/d.png", f"{path}:b.png"]
    assert found.troubles == {}
    for place, content in zip(found.places, reversed(pictures.values()), strict=True):
        assert pickle.loads(pickle.dumps(place)).content() == content
    assert found.places[0].stamp == (path.stat().st_size, path.stat().st_mtime_ns)
    (tmp_path / "p.png").write_bytes(pictures["b.png"])
    assert torch.equal(decode(found.places[1].content(), found.places[1].name), read(tmp_path / "p.png"))
    assert sorted(tmp_path.iterdir()) == before
    path.write_bytes(path.read_bytes()[: found.places[0].offset + 10])
    with pytest.raises(ImageFileError, match=r"x.tar:a/d.png is truncated"):
        found.places[0].content()
    path.unlink()
    assert found.places[0].stamp is None
    with pytest.raises(ImageFileError, match=r"x.tar:a/d.png cannot be read: No such file"):
        found.places[0].content()


def test_members_that_lead_elsewhere_are_refused(tmp_path: Path) -> None:
    content = leaves(tmp_path / "p.png", 0).read_bytes()
    evil = ["../evil.png", "/etc/evil.png", "a/../../evil.png", "..\\evil.png", "C:\\evil.png", "../evil"]
    (tmp_path / "in").mkdir()
    path = tar_of(tmp_path / "in" / "x.tar", [(name, content) for name in (*evil, "good..png")])
    found = find(path)
    assert [place.member for place in found.places] == ["good..png"]
    assert {name.removeprefix(f"{path}:") for name in found.troubles} == set(evil)
    assert all("leads out" in why or "absolute" in why for why in found.troubles.values())
    assert not list(tmp_path.rglob("*evil*"))
    tar_of(path, [("../evil.png", content)])
    with pytest.raises(InputError, match="holds no image"):
        find(path)


def test_archives_that_are_damaged_or_compressed(tmp_path: Path) -> None:
    noise = bytes(np.random.default_rng(0).integers(0, 256, 3000, dtype=np.uint8))
    path = tar_of(tmp_path / "x.tar", [("a.png", noise), ("b.png", noise), ("c.png", noise)])
    whole = path.read_bytes()
    second = find(path).places[1].offset
    for damaged in (whole[: second + 100], whole[: second - 100], noise, b""):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="is damaged"):
            find(path)
    path.write_bytes(whole[: second - 500] + b"\xff" * 200 + whole[second - 300 :])  # a header in the middle
    with pytest.raises(InputError, match="is damaged after 1 members"):
        find(path)
    for ending in (".tar.gz", ".tgz", ".TAR.XZ", ".zip"):
        packed = tmp_path / f"x{ending}"
        packed.write_bytes(whole)
        with pytest.raises(InputError, match=r"compressed.*: unpack it first"):
            find(packed)
    with tarfile.open(path, "w:gz") as archive:
        archive.add(packed, "a.png")
    with pytest.raises(InputError, match="compressed by gzip in spite of its name: unpack it first"):
        find(path)


@pytest.mark.parametrize("kind", ["empty", "torn", "text", "cmyk", "frames", "alpha"])
def test_bytes_are_refused_as_files_are(tmp_path: Path, kind: str) -> None:
    path = damaged(tmp_path, kind)
    with pytest.raises(ImageFileError) as by_file:
        read(path)
    with pytest.raises(ImageFileError) as by_bytes:
        decode(path.read_bytes(), "archive.tar:x")
    assert str(by_bytes.value) == str(by_file.value).replace(str(path), "archive.tar:x")


def test_bytes_are_read_as_files_are(tmp_path: Path) -> None:
    for name, bits in (("a.png", 16), ("a.tif", 32), ("a.jpg", 8)):
        path = write(tmp_path / name, coffee()[..., :21, :34], bits=bits)
        assert torch.equal(decode(path.read_bytes(), path), read(path))


def damaged(folder: Path, kind: str) -> Path:
    """A file of a kind that cannot be used."""
    path = folder / f"{kind}.png"
    grey = pillow.fromarray(np.arange(64 * 64, dtype=np.uint16).reshape(64, 64).astype(np.uint8))
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "torn":
        leaves(path, 3)
        path.write_bytes(path.read_bytes()[:-60])
    elif kind == "text":
        path.write_text("no image")
    elif kind == "cmyk":
        path = path.with_suffix(".jpg")
        grey.convert("CMYK").save(path)
    elif kind == "frames":
        path = path.with_suffix(".gif")
        grey.save(path, save_all=True, append_images=[grey.rotate(90)])
    else:
        half = np.zeros((8, 8, 4), dtype=np.uint8)
        half[..., 3] = 128
        pillow.fromarray(half).save(path)
    return path


# Likeness


def test_near_pairs_are_those_of_brute_force() -> None:
    rng = np.random.default_rng(1)
    hashes = rng.integers(0, 2**64, 700, dtype=np.uint64)
    for i in range(350):  # copies with 0 to 17 changed bits
        flips = rng.choice(64, i % 18, replace=False)
        hashes[350 + i] = hashes[i] ^ np.bitwise_or.reduce(np.uint64(1) << flips.astype(np.uint64), initial=0)
    hashes[:4] = hashes[4]
    bits = np.unpackbits(hashes.view(np.uint8).reshape(-1, 8), axis=1).astype(np.int64)
    distance = (bits[:, None] != bits[None]).sum(2)
    for most in (0, 3, 4, 7, 10, 15):
        expected = np.argwhere(np.triu(distance <= most, 1))
        assert np.array_equal(likeness.near_pairs(hashes, most=most), expected), most
    with pytest.raises(InputError, match="most=16"):
        likeness.near_pairs(hashes, most=16)
    assert likeness.near_pairs(hashes[:0]).shape == (0, 2)


def test_near_pairs_do_not_depend_on_how_many_are_compared_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = np.repeat(np.random.default_rng(2).integers(0, 2**63, 40, dtype=np.uint64), 5)
    hashes[::5] ^= np.uint64(0b101)
    expected = likeness.near_pairs(hashes)
    assert len(expected) == 40 * 10
    monkeypatch.setattr(likeness, "CHUNK", 7)
    assert np.array_equal(likeness.near_pairs(hashes), expected)
    assert max(len(first) for first, _ in likeness._candidates(hashes, 2)) <= 10  # all of one hash, at least


def test_a_hundred_thousand_hashes() -> None:
    rng = np.random.default_rng(3)
    hashes = rng.integers(0, 2**63, 100_000, dtype=np.uint64)
    copies = hashes[:500].copy()
    for bit in range(0, 60, 6):  # ten bits of each
        copies ^= np.uint64(1 << bit)
    hashes[-500:] = copies
    pairs = likeness.near_pairs(hashes, most=10)
    assert np.bitwise_count(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]]).max() == 10
    found = {(int(i), int(j)) for i, j in pairs}
    assert {(i, 99_500 + i) for i in range(500)} <= found and len(found) < 800  # about 80 by chance


def changed(values: np.ndarray, how: str) -> np.ndarray:
    picture = pillow.fromarray(values)
    if how == "jpeg":
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=50)
        return np.asarray(pillow.open(buffer))
    if how == "smaller":
        return np.asarray(picture.resize((round(0.7 * picture.width), round(0.7 * picture.height))))
    if how == "gamma":
        return np.rint(255 * (values / 255) ** 0.9).astype(np.uint8)
    noise = np.random.default_rng(0).normal(0, 10, values.shape)
    return np.clip(np.rint(values + noise), 0, 255).astype(np.uint8)


def photographs() -> list[np.ndarray]:
    files = [file for name in ("bsd68", "train400", "set12") for file in sorted((SHARED / name).glob("*.png"))]
    if len(files) < 480:
        pytest.skip("the measuring data are not here")
    return [np.asarray(pillow.open(file).convert("L")) for file in files]


def test_different_photographs_are_not_alike_and_copies_are() -> None:
    """The figures in the docstring of ``likeness``."""
    images = photographs()
    looks = [likeness.look(from_numpy(each)) for each in images]
    assert all(looks) and len(likeness.alike_pairs(looks)) == 0
    hashes = np.array([each.hash for each in looks if each], dtype=np.uint64)
    assert len(likeness.near_pairs(hashes)) == len(likeness.near_pairs(hashes, most=13)) == 0
    assert len(likeness.near_pairs(hashes, most=14)) == 2
    for how in ("jpeg", "smaller", "gamma", "noise"):
        copies = [likeness.look(from_numpy(changed(each, how))) for each in images[::4]]
        pairs = likeness.alike_pairs([*looks[::4], *copies])
        assert pairs.tolist() == [[i, len(copies) + i] for i in range(len(copies))], how


def test_a_copy_in_colour_or_with_few_pixels_is_alike() -> None:
    photo = coffee()
    small = torch.nn.functional.interpolate(photo, (33, 50), mode="area")
    looks = [likeness.look(each) for each in (photo, photo.mean(1, keepdim=True), small, photo.flip(3), 1 - photo)]
    assert likeness.alike_pairs(looks).tolist() == [[0, 1], [0, 2], [1, 2]]
    assert likeness.alike_pairs([None, looks[0], None, looks[1]]).tolist() == [[1, 3]]


def test_equal_hashes_alone_make_nothing_alike() -> None:
    one, other = (likeness.look(dead_leaves(64, 64, seed=seed)) for seed in (0, 1))
    assert one is not None and other is not None
    forged = likeness.Look(one.hash, other.thumbnail)
    assert len(likeness.near_pairs(np.array([one.hash, forged.hash], dtype=np.uint64))) == 1
    assert len(likeness.alike_pairs([one, forged])) == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (7, 3), (16, 16), (31, 97)])
def test_flat_images_are_like_nothing(shape: tuple[int, int]) -> None:
    flat = torch.full((1, 1, *shape), 0.4)
    assert likeness.look(flat) is None
    assert likeness.look(flat + 0.01 * torch.rand(1, 1, *shape)) is None
    assert len(likeness.alike_pairs([likeness.look(flat)] * 3)) == 0
    if shape != (1, 1):
        assert likeness.look(torch.rand(1, 1, *shape)) is not None


def test_means_are_over_equal_intervals() -> None:
    for count in (1, 5, 32, 33, 100):
        means = likeness._means(count)
        assert means.shape == (32, count) and np.allclose(means.sum(1), 1)
        assert np.allclose(means.sum(0), 32 / count)  # every pixel counts the same
    assert np.allclose(likeness._means(64) @ np.arange(64), np.arange(32) * 2 + 0.5)


# Inspection


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A folder with one of everything."""
    top = tmp_path / "photos"
    first = leaves(top / "first.png", 0)
    (top / "again").mkdir()
    shutil.copy(first, top / "again" / "other name.png")
    picture = pillow.open(first)
    picture.save(top / "pixels.bmp")
    picture.save(top / "jpeg.png", "JPEG", quality=50)
    write(top / "deep.png", dead_leaves(52, 48, seed=1), bits=16)
    write(top / "float.tif", dead_leaves(30, 60, seed=2, channels=3), bits=32)
    for kind in ("empty", "torn", "text", "cmyk", "frames", "alpha"):
        damaged(top, kind)
    return top


def of(findings: object) -> list[str]:
    return [each.place.path.name for each in findings]  # type: ignore[attr-defined]


def test_everything_is_told(mixed: Path) -> None:
    told: list[tuple[int, int]] = []
    found = inspect(mixed, crop=40, watch=lambda done, total: told.append((done, total)))
    assert told == [(i, 12) for i in range(1, 13)]
    assert of(found.broken) == ["alpha.png", "cmyk.jpg", "empty.png", "frames.gif", "text.png", "torn.png"]
    for each, word in zip(
        found.broken, ("transparent", "CMYK", "is empty", "2 frames", "not an image", "truncated"), strict=True
    ):
        assert each.trouble is not None and word in each.trouble and each.name in each.trouble
        assert each.hash is None and each.width == 0
    assert [of(group) for group in found.duplicates] == [["other name.png", "first.png", "pixels.bmp"]]
    assert [of(group) for group in found.near_duplicates] == [["other name.png", "jpeg.png"]]
    assert sorted(map(len, found.groups)) == [1, 1, 4]
    assert of(found.small) == ["float.tif"] and of(found.jpegs) == ["jpeg.png"]
    assert found.channels == {1: 5, 3: 1}
    by_name = {each.place.path.name: each for each in found.usable}
    deep, floats = by_name["deep.png"], by_name["float.tif"]
    assert (deep.width, deep.height, deep.channels, deep.dtype) == (48, 52, 1, "uint16")
    assert (floats.width, floats.height, floats.channels, floats.dtype) == (60, 30, 3, "float32")
    assert deep.bytes == (mixed / "deep.png").stat().st_size and deep.suffix == ".png"
    assert by_name["first.png"].sha256 == by_name["other name.png"].sha256 != by_name["pixels.bmp"].sha256
    assert inspect(mixed).small == ()
    with pytest.raises(InputError, match=r"inspect\(crop\) must be a whole number, at least 1; got 0"):
        inspect(mixed, crop=0)


def test_constant_images_are_equal_or_different_but_not_alike(tmp_path: Path) -> None:
    for i, value in enumerate((0.2, 0.8, 0.8)):
        write(tmp_path / f"{i}.png", torch.full((1, 1, 20, 20), value))
    write(tmp_path / "3.png", torch.full((1, 1, 10, 40), 0.8))  # the same bytes of pixels
    found = inspect(tmp_path)
    assert [of(group) for group in found.duplicates] == [["1.png", "2.png"]] and found.near_duplicates == ()


def test_sixteen_bits_that_say_what_eight_say_are_the_same_pixels(tmp_path: Path) -> None:
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    write(tmp_path / "8.png", from_numpy(values))
    write(tmp_path / "16.png", from_numpy(values.astype(np.uint16) * 257), bits=16)
    assert len(inspect(tmp_path).duplicates) == 1


def test_a_tar_is_inspected_like_its_folder(mixed: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(mixed, ".")
    by_tar, by_folder = inspect(path, crop=40), inspect(mixed, crop=40)
    for one, other in zip(by_tar.findings, by_folder.findings, strict=True):
        assert one.place.member == other.place.path.relative_to(mixed).as_posix()
        assert (one.sha256, one.pixels, one.look, one.dtype) == (
            other.sha256,
            other.pixels,
            other.look,
            other.dtype,
        )
        if one.trouble is not None and other.trouble is not None:
            assert one.trouble.replace(one.name, "") == other.trouble.replace(other.name, "")
    again = Inspection.read(by_tar.write(tmp_path / "report.json"))
    assert again == by_tar and again.usable[0].place.content() == by_tar.usable[0].place.content()


def test_an_inspection_is_kept(mixed: Path, tmp_path: Path) -> None:
    (mixed / "gone").symlink_to(mixed / "nowhere")
    found = inspect(mixed, crop=40)
    assert Inspection.read(found.write(tmp_path / "report.json")) == found
    assert found.troubles == {str(mixed / "gone"): "the link leads nowhere"}
    inside = found.write(mixed / "report.json")
    moved = mixed.rename(tmp_path / "moved")  # files below the report move with it
    again = Inspection.read(moved / inside.name)
    assert [each.place.path for each in again.findings] == [each.path for each in find(moved).places]


def test_paths_are_kept_from_wherever_they_are_given(
    mixed: Path, monkeypatch: pytest.MonkeyPatch, reads: list[str]
) -> None:
    monkeypatch.chdir(mixed.parent)
    found = inspect("photos")
    (mixed / "reports").mkdir()
    found.write(mixed / "reports" / "r.json")
    monkeypatch.chdir(mixed / "reports")
    again = Inspection.read("r.json")
    assert [each.sha256 for each in inspect(mixed, known=again).findings] == [f.sha256 for f in found.findings]
    assert all(each.place.path.exists() for each in again.findings)
    reads.clear()
    monkeypatch.chdir(mixed.parent)
    assert inspect("photos", known=again) == found and sorted(reads) == sorted(of(found.broken))


def test_reports_that_are_damaged(mixed: Path, tmp_path: Path) -> None:
    path = inspect(mixed).write(tmp_path / "r.json")
    whole = path.read_text()
    record = json.loads(whole)
    row = next(each for each in record["findings"] if "hash" in each)
    for wrong, message in (
        (whole[:-30], "cannot be read"),
        ("[]", "holds no record"),
        ("{}", "is no inspection"),
        (json.dumps(record | {"mindl inspection": 99}), "another version"),
        (json.dumps({k: v for k, v in record.items() if k != "findings"}), "is damaged"),
        (json.dumps(record | {"findings": [row | {"thumbnail": "abc"}]}), "is damaged"),
        (json.dumps(record | {"findings": [row | {"width": "12"}]}), "is damaged"),
        (json.dumps(record | {"findings": [row | {"more": 1}]}), "is damaged"),
        (json.dumps(record | {"findings": [3]}), "is damaged"),
        (json.dumps(record | {"findings": [row | {"stamp": 3}]}), "is damaged"),
        (json.dumps(record | {"troubles": []}), "is damaged"),
    ):
        path.write_text(wrong)
        with pytest.raises(StoreError, match=message):
            Inspection.read(path)
    with pytest.raises(StoreError, match="is missing"):
        Inspection.read(tmp_path / "no.json")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the images that are read."""
    names: list[str] = []
    real = Place.content

    def counted(self: Place) -> bytes:
        names.append(self.path.name)
        return real(self)

    monkeypatch.setattr(Place, "content", counted)
    return names


def test_known_images_are_not_read_again(mixed: Path, tmp_path: Path, reads: list[str]) -> None:
    first = inspect(mixed)
    assert len(reads) == 12
    known = Inspection.read(first.write(tmp_path / "r.json"))
    reads.clear()
    again = inspect(mixed, known=known)
    assert again == first
    assert sorted(reads) == sorted(of(first.broken))  # why it was broken may have passed: a right, a lock

    reads.clear()
    for each in first.broken:
        each.place.path.unlink()
    leaves(mixed / "first.png", 9)
    content, stamp = (mixed / "deep.png").read_bytes(), (mixed / "deep.png").stat()
    (mixed / "deep.png").write_bytes(content)
    os.utime(mixed / "deep.png", ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1))
    leaves(mixed / "new.png", 10)
    third = inspect(mixed, known=again, crop=41)
    assert sorted(reads) == ["deep.png", "first.png", "new.png"]
    assert third == inspect(mixed, crop=41) and third != first

    stamp = (mixed / "new.png").stat()
    leaves(mixed / "new.png", 10, size=44)
    os.utime(mixed / "new.png", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # as a copying program may leave it
    reads.clear()
    inspect(mixed, known=third)
    assert reads == ["new.png"]


def test_members_of_another_archive_are_read_again(tmp_path: Path, reads: list[str]) -> None:
    one, other = (leaves(tmp_path / f"{i}.png", i).read_bytes() for i in range(2))
    path = tar_of(tmp_path / "x.tar", [("a.png", one), ("b.png", other)])
    first = inspect(path)
    reads.clear()
    assert inspect(path, known=first) == first and reads == []
    tar_of(path, [("a.png", other), ("b.png", one)])
    os.utime(path, ns=(0, 0))
    assert [each.sha256 for each in inspect(path, known=first).findings] == [
        each.sha256 for each in reversed(first.findings)
    ]


def test_an_image_too_large_for_the_memory_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = leaves(tmp_path / "a.png", 0)

    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(inspecting, "decode_picture", full)
    assert inspect([path]).broken[0].trouble == f"{path} is too large for the memory."


# Split


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 images; 10 of them are there a second time, 10 more as JPEG too."""
    top = tmp_path_factory.mktemp("many")
    for i in range(60):
        leaves(top / f"{i:02}.png", i)
    for i in range(10):
        shutil.copy(top / f"{i:02}.png", top / f"copy {i}.png")
        pillow.open(top / f"{10 + i}.png").save(top / f"jpeg {10 + i}.jpg", quality=60)
    (top / "torn.png").write_bytes(PNG)
    return top


def hashes(inspection: Inspection, parts: dict[str, list[Place]]) -> dict[str, list[str]]:
    known = {each.place: each.sha256 for each in inspection.findings}
    return {part: [known[place] for place in places] for part, places in parts.items()}


def test_parts_are_apart_and_complete(many: Path) -> None:
    found = inspect(many)
    parts = split(found, {"train": 0.7, "validation": 0.2, "test": 0.1})
    places = [place for part in parts.values() for place in part]
    assert sorted(p.name for p in places) == sorted(each.name for each in found.usable) and len(places) == 80
    for part, share in (("train", 56), ("validation", 16), ("test", 8)):
        assert abs(len(parts[part]) - share) <= 2  # the largest group
    of_group = [{part for part in parts if {x.place for x in group} & set(parts[part])} for group in found.groups]
    assert len(of_group) == 60 and all(len(names) == 1 for names in of_group)
    check_apart(**parts)
    check_apart(**{part: inspect(places) for part, places in parts.items()})


def test_neither_names_nor_order_matter(many: Path, tmp_path: Path) -> None:
    found, shares = inspect(many), {"train": 0.75, "test": 0.25}
    expected = hashes(found, split(found, shares, seed=3))
    files = [place.path for place in find(many).places]
    random.Random(0).shuffle(files)
    shuffled = inspect(files)
    assert hashes(shuffled, split(shuffled, shares, seed=3)) == expected
    for i, file in enumerate(files):
        shutil.copy(file, tmp_path / f"{i}{file.suffix}")
    renamed = inspect(tmp_path)
    assert hashes(renamed, split(renamed, shares, seed=3)) == expected
    assert hashes(found, split(found, shares, seed=4)) != expected


def test_the_split_is_the_one_it_was(many: Path) -> None:
    """By blake2b of seed and hash, computed here by other words."""
    import hashlib

    found = inspect([many / f"{i:02}.png" for i in range(20, 60)])
    draws = sorted(
        (hashlib.blake2b(b"5 " + f.sha256.encode(), digest_size=16).digest(), f.name) for f in found.usable
    )
    parts = split(found, {"a": 0.5, "b": 0.5}, seed=5)
    assert [place.name for place in parts["a"] + parts["b"]] == [name for _, name in draws]
    assert len(parts["a"]) == 20


def test_every_part_gets_a_group_or_none_is_made(many: Path) -> None:
    found = inspect([many / f"{i:02}.png" for i in range(20, 23)])
    for a, b, c in ((0.98, 0.01, 0.01), (0.01, 0.01, 0.98), (0.01, 0.98, 0.01)):
        shares = {"a": a, "b": b, "c": c}
        assert {part: len(places) for part, places in split(found, shares).items()} == {"a": 1, "b": 1, "c": 1}
    with pytest.raises(InputError, match=r"each of 4 parts, and there are 3 \(3 images"):
        split(found, {"a": 0.25, "b": 0.25, "c": 0.25, "d": 0.25})
    same = inspect([many / "00.png", many / "copy 0.png"])
    with pytest.raises(InputError, match=r"there are 1 \(2 images"):
        split(same, {"a": 0.5, "b": 0.5})
    for wrong in ({}, {"a": 0.5}, {"a": 1.5, "b": -0.5}, {"a": float("nan")}, {"a": "1"}):
        with pytest.raises(InputError, match="shares above 0 that are together 1"):
            split(found, wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("target", "cut"), [(0.5, 0), (3.4, 1), (3.5, 1), (3.6, 2), (6, 2), (7, 3), (9, 3), (12, 3)]
)
def test_cuts_are_where_the_share_is_met_most_nearly(target: float, cut: int) -> None:
    assert nearest_cut([0, 3, 4, 9], target) == cut


def test_leakage_is_refused(many: Path) -> None:
    train = inspect([many / f"{i:02}.png" for i in range(40)])
    check_apart(train=train, test=[many / f"{i:02}.png" for i in range(40, 60)])
    with pytest.raises(LeakageError) as raised:
        check_apart(train=train, test=[many / "copy 3.png", many / "50.png", many / "jpeg 12.jpg"])
    lines = str(raised.value).splitlines()
    assert lines[0].startswith("2 pairs of images are shared by two parts") and len(lines) == 3
    assert lines[1] == f"  train: {many / '03.png'} = test: {many / 'copy 3.png'}"
    assert lines[2] == f"  train: {many / '12.png'} is nearly test: {many / 'jpeg 12.jpg'}"
    with pytest.raises(LeakageError) as raised:
        check_apart(train=train, validation=train, test=[many / "50.png"])
    lines = str(raised.value).splitlines()
    assert len(lines) == 22 and lines[-1] == "  and 20 more" and lines[0].startswith("40 pairs")
    three = {name: [many / file] for name, file in (("a", "00.png"), ("b", "copy 0.png"), ("c", "00.png"))}
    with pytest.raises(LeakageError, match="3 pairs"):
        check_apart(**three)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="two parts at least, got train"):
        check_apart(train=train)
    with pytest.raises(InputError, match="no folder or file"):
        check_apart(train=train, test=many / "nothing")


def test_duplicates_within_a_part_are_no_leak(many: Path) -> None:
    one = inspect([many / "00.png", many / "copy 0.png", many / "10.png", many / "jpeg 10.jpg", many / "torn.png"])
    check_apart(train=one, test=[many / "50.png", many / "torn.png"])


# The verb


def test_the_verb_on_good_images(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for i in range(4):
        leaves(tmp_path / "my photos" / f"{i}.png", i, size=40 + i)
    top = tmp_path / "my photos"
    status, out, err = run(capsys, "data", "check", top)
    assert status == 0 and err == ""
    assert out.splitlines() == [
        f"{top}: 4 of 4 images can be used.",
        "  size      40 x 40 to 43 x 43 (width x height)",
        "  colour    4 grey, 0 in colour",
        "  values    4 uint8",
        f"Next: mindl train RECIPE --images '{top}' -o RUN (mindl train lists the recipes)",
    ]
    status, out, err = run(capsys, "data", "check", top, "--crop", 42)
    assert status == 0 and "small     2 smaller than 42 x 42:" in out and "0.png (40 x 40)" in out
    assert "train with a smaller crop" in out.splitlines()[-1]
    assert run(capsys, "data", "check", top, "-q") == (0, "", "")
    (top / "gone").symlink_to(top / "nowhere")
    status, out, _ = run(capsys, "data", "check", top)
    assert status == 1 and "4 of 4 images" in out and "left out  1:" in out


def test_the_verb_names_what_is_wrong(capsys: pytest.CaptureFixture[str], mixed: Path) -> None:
    (mixed / "gone").symlink_to(mixed / "nowhere")
    status, out, _ = run(capsys, "data", "check", mixed, "--crop", 40)
    assert status == 1
    for line in (
        "6 of 12 images can be used.",
        "5 grey, 1 in colour: mixed",
        "1 float32, 1 uint16, 4 uint8",
        "JPEG      1: a network learns",
        "small     1 smaller than 40 x 40:",
        "the same  1 group of 3 images",
        "alike     1 group of 2 images",
        "broken    6 cannot be used:",
        f"    {mixed / 'empty.png'} is empty.",
        "left out  1:",
        f"    {mixed / 'gone'}: the link leads nowhere",
    ):
        assert line in out, line
    assert out.splitlines()[-1].startswith("Next: mend or remove")
    status, out, _ = run(capsys, "data", "check", mixed, "--crop", 40, "--json")
    found = json.loads(out)
    assert status == 1 and found["usable"] == 6 and len(found["broken"]) == 6
    assert found["sizes"] == {"smallest": [40, 40], "largest": [48, 52]} and found["channels"] == {"1": 5, "3": 1}
    assert list(map(len, found["duplicates"])) == [3] and list(map(len, found["near_duplicates"])) == [2]
    assert found["troubles"] == {str(mixed / "gone"): "the link leads nowhere"}


def test_long_lists_are_cut(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for i in range(25):
        (tmp_path / f"{i:02}.png").write_bytes(b"")
    status, out, _ = run(capsys, "data", "check", tmp_path)
    assert status == 1 and out.count("is empty.") == 20 and "    and 5 more" in out
    assert out.splitlines()[-1] == "Next: give other images; none of these can be read."
    status, out, _ = run(capsys, "data", "check", tmp_path, "--json")
    assert json.loads(out)["sizes"] is None


def test_the_verb_goes_on_from_its_report(
    capsys: pytest.CaptureFixture[str], many: Path, tmp_path: Path, reads: list[str]
) -> None:
    report = tmp_path / "report.json"
    status, first, err = run(capsys, "data", "check", many, "-o", report)
    assert status == 1 and f"The inspection is in {report}" in err and len(reads) == 81
    reads.clear()
    status, out, _ = run(capsys, "data", "check", many, "-o", report)
    assert out == first and reads == ["torn.png"] and Inspection.read(report) == inspect(many)


def test_no_other_file_is_replaced(capsys: pytest.CaptureFixture[str], many: Path, tmp_path: Path) -> None:
    other = tmp_path / "notes.json"
    for content in ("{}", "my notes", ""):
        other.write_text(content)
        status, out, err = run(capsys, "data", "check", many, "-o", other)
        assert status == 2 and out == "" and other.read_text() == content
        assert "is no inspection" in err and "Name another file, or delete it." in err
    status, _, err = run(capsys, "data", "check", many, "-o", tmp_path / "no" / "r.json")
    assert status == 2 and "create it first" in err
    for wrong in ((tmp_path / "nothing",), (many, "--crop", 0), ()):
        assert run(capsys, "data", "check", *wrong)[0] == 2


def test_a_bar_on_a_terminal(
    capsys: pytest.CaptureFixture[str], many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, _, err = run(capsys, "data", "check", many)
    assert status == 1 and err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with verb.Bar("[many]", quiet=False) as bar:
        assert bar._bar is not None
        bar.done(3, 80)
        assert bar._bar.tasks[0].completed == 3 and bar._bar.tasks[0].total == 80
    with verb.Bar("many", quiet=True) as bar:
        bar.done(3, 80)
        assert bar._bar is None


@pytest.mark.slow
def test_a_hundred_thousand_images(tmp_path: Path) -> None:
    """Prints how long it takes; time is not asserted."""
    rng = np.random.default_rng(0)
    for i in range(100_000):
        if i % 1000 == 0:
            folder = tmp_path / "top" / f"{i // 1000:02}"
            folder.mkdir(parents=True)
        picture = rng.integers(0, 256, (8, 8), dtype=np.uint8)
        (folder / f"{i}.pgm").write_bytes(b"P5 8 8 255\n" + picture.tobytes())
    shutil.copy(tmp_path / "top/07/7000.pgm", tmp_path / "top/99/again.pgm")
    seconds = [time.perf_counter()]
    places = find(tmp_path / "top")
    seconds.append(time.perf_counter())
    found = inspect(places)
    seconds.append(time.perf_counter())
    assert len(found.usable) == 100_001 and [len(group) for group in found.duplicates] == [2]
    alike = len(found.near_duplicates)
    seconds.append(time.perf_counter())
    report = found.write(tmp_path / "report.json")
    seconds.append(time.perf_counter())
    known = Inspection.read(report)
    seconds.append(time.perf_counter())
    assert inspect(tmp_path / "top", known=known) == found
    seconds.append(time.perf_counter())
    assert len(split(found, {"train": 0.9, "test": 0.1})["train"]) in range(89_990, 90_011)
    seconds.append(time.perf_counter())
    steps = ("find", "inspect", f"{alike} groups alike", "write", "read", "inspect again", "split")
    print(", ".join(f"{step} {b - a:.1f} s" for step, a, b in zip(steps, seconds, seconds[1:], strict=False)))
