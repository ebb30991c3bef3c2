"""What is in a set of images: which can be used, how large they are, and which are the same."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from mindl.core.arguments import kind, told, whole
from mindl.core.arguments import path as checked_path
from mindl.core.arrays import Image
from mindl.core.errors import ImageFileError, InputError, StoreError
from mindl.core.files import write_whole
from mindl.core.records import read_json
from mindl.data.likeness import Look, alike_pairs, look
from mindl.data.places import Given, Place, Stamp, find
from mindl.images.io import PathLike, decode_picture, opaque

FORMAT = 1
"""Of the file that ``Inspection.write`` makes; another one where hashes or thumbnails are made otherwise."""

Watch = Callable[[int, int], None]
"""Is told how many images are done, of how many."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is known about one image.

    Attributes:
        place: where it is.
        bytes: how many the file has.
        stamp: of the file when it was read; see ``Place``.
        sha256: of the file's bytes; empty if it could not be read.
        pixels: SHA-256 of size and values, the same in whatever format they are kept; empty if it is broken.
        width, height, channels: of the upright image; 0 if it is broken.
        dtype: the file's number type: ``uint8``, ``uint16`` or ``float32``.
        jpeg: whether it is a JPEG, whatever its name says.
        look: what finds images that are alike; None if it is broken or too flat.
        trouble: why it cannot be used, or None.
    """

    place: Place
    bytes: int = 0
    stamp: Stamp | None = None
    sha256: str = ""
    pixels: str = ""
    width: int = 0
    height: int = 0
    channels: int = 0
    dtype: str = ""
    jpeg: bool = False
    look: Look | None = None
    trouble: str | None = None

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.place.name

    @property
    def suffix(self) -> str:
        """The ending of its name, in small letters."""
        return self.place.suffix

    @property
    def hash(self) -> int | None:
        """64 bits that are nearly the same for images that are alike; None if it is broken or too flat."""
        return None if self.look is None else self.look.hash


@dataclass(frozen=True)
class Inspection:
    """What ``inspect`` has found.

    Attributes:
        findings: one for each image, in the order of ``find``.
        troubles: what could not be reached, and why; see ``Places``.
        crop: the side that images need at least; None if it was not asked for.
    """

    findings: tuple[Finding, ...]
    troubles: dict[str, str] = field(default_factory=dict)
    crop: int | None = None

    @cached_property
    def usable(self) -> tuple[Finding, ...]:
        """The images that can be read."""
        return tuple(each for each in self.findings if each.trouble is None)

    @property
    def broken(self) -> tuple[Finding, ...]:
        """Those that cannot."""
        return tuple(each for each in self.findings if each.trouble is not None)

    @cached_property
    def duplicates(self) -> tuple[tuple[Finding, ...], ...]:
        """Groups of images with equal bytes or equal pixels."""
        return tuple(group for group in _equal(self.usable) if len(group) > 1)

    @cached_property
    def near_duplicates(self) -> tuple[tuple[Finding, ...], ...]:
        """Groups of images that are alike and not equal; of equal ones the first stands for all."""
        first = [group[0] for group in _equal(self.usable)]
        return tuple(group for group in _joined(first, alike(first)) if len(group) > 1)

    @cached_property
    def groups(self) -> tuple[tuple[Finding, ...], ...]:
        """All usable images, those that are equal or alike together."""
        equal = _equal(self.usable)
        together = {id(group[0]): group for group in equal}
        first = [group[0] for group in equal]
        return tuple(
            tuple(x for each in group for x in together[id(each)]) for group in _joined(first, alike(first))
        )

    @property
    def small(self) -> tuple[Finding, ...]:
        """Images that are smaller than the crop in a direction; none if no crop was given."""
        crop = self.crop or 0
        return tuple(each for each in self.usable if min(each.width, each.height) < crop)

    @property
    def channels(self) -> dict[int, int]:
        """How many images have 1 channel (grey), how many 3 (colour)."""
        return dict(sorted(Counter(each.channels for each in self.usable).items()))

    @property
    def jpegs(self) -> tuple[Finding, ...]:
        """Images whose artefacts of compression a network learns to be clean, and which bound its PSNR."""
        return tuple(each for each in self.usable if each.jpeg)

    def write(self, path: PathLike) -> Path:
        """Write it as JSON, one image a line; files below the report's folder are named relative to it.

        Raises:
            OutputError: the system could not write.
        """
        home = checked_path(path, "Inspection.write(path)").absolute().parent
        head = {"mindl inspection": FORMAT, "crop": self.crop, "troubles": self.troubles}
        rows = ",\n".join(json.dumps(_row(each, home)) for each in self.findings)
        return write_whole(path, f'{json.dumps(head)[:-1]}, "findings": [\n{rows}\n]}}\n'.encode())

    @staticmethod
    def read(path: PathLike) -> Inspection:
        """What ``write`` has written.

        Raises:
            StoreError: it is missing, damaged, no inspection, or of another version.
        """
        record = read_json(Path(path))
        if "mindl inspection" not in record:
            raise StoreError(f"{path} is no inspection.")
        if record["mindl inspection"] != FORMAT:
            raise StoreError(f"{path} was written by another version of mindl: delete it and inspect again.")
        home = Path(path).absolute().parent
        try:
            findings = tuple(_finding(row, home) for row in record["findings"])
            troubles = {str(name): str(why) for name, why in record["troubles"].items()}
            return Inspection(findings, troubles, None if record["crop"] is None else int(record["crop"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StoreError(f"{path} is damaged ({error!r}): delete it and inspect again.") from error


def inspect(
    given: Given, *, crop: int | None = None, known: Inspection | None = None, watch: Watch | None = None
) -> Inspection:
    """Read every image once and say what is there. Broken images are listed and stop nothing.

    Args:
        given: what ``find`` takes.
        crop: the side that images need at least.
        known: an earlier inspection: usable images whose bytes and time are as they were are not read again.
        watch: is told how many images are done, of how many.

    Raises:
        InputError: there is no image (see ``find``), or the crop is none.

    >>> from mindl.images.photographs import COFFEE
    >>> found = inspect([COFFEE], crop=512)
    >>> found.channels, len(found.broken), [each.height for each in found.small]
    ({3: 1}, 0, [400])
    """
    if crop is not None:
        whole(crop, 1, "inspect(crop)")
    kind(known, Inspection | None, "inspect(known)", "an earlier Inspection: Inspection.read(path)")
    if watch is not None and not callable(watch):
        raise InputError(f"inspect(watch) is called with two numbers; got {told(watch)}.")
    found = find(given)
    before = {} if known is None else {_key(each.place): each for each in known.usable}
    findings = []
    for place in found.places:
        findings.append(_again(place, before.get(_key(place))) or examine(place))
        if watch is not None:
            watch(len(findings), len(found.places))
    return Inspection(tuple(findings), dict(found.troubles), crop)


def examine(place: Place) -> Finding:
    """Read one image, and say what it is or why it cannot be used."""
    stamp = place.stamp  # before it is read: what changes meanwhile is read again next time
    try:
        content = place.content()
    except ImageFileError as error:
        return Finding(place=place, stamp=stamp, trouble=str(error))
    digest = hashlib.sha256(content).hexdigest()
    jpeg = content.startswith(b"\xff\xd8\xff")
    known: dict[str, Any] = {"place": place, "bytes": len(content), "stamp": stamp, "sha256": digest, "jpeg": jpeg}
    try:
        picture = decode_picture(content, place.name)
        pixels = opaque(picture, place.name)
    except ImageFileError as error:
        return Finding(**known, trouble=str(error))
    except MemoryError:
        return Finding(**known, trouble=f"{place.name} is too large for the memory.")
    return Finding(
        **known,
        pixels=_hash_of(pixels),
        width=pixels.shape[3],
        height=pixels.shape[2],
        channels=pixels.shape[1],
        dtype=str(picture.dtype),
        look=look(pixels),
    )


def alike(findings: Sequence[Finding]) -> list[tuple[int, int]]:
    """All pairs i < j of findings that are alike; see ``mindl.data.likeness``."""
    pairs: list[list[int]] = alike_pairs([each.look for each in findings]).tolist()
    return [(first, second) for first, second in pairs]


def _equal(findings: Sequence[Finding]) -> list[tuple[Finding, ...]]:
    """Groups of equal pixels; equal bytes make equal pixels."""
    groups: dict[str, list[Finding]] = {}
    for each in findings:
        groups.setdefault(each.pixels, []).append(each)
    return [tuple(group) for group in groups.values()]


def _joined(findings: Sequence[Finding], pairs: Iterable[tuple[int, int]]) -> list[tuple[Finding, ...]]:
    """Groups that hang together by pairs, in the order of their first members."""
    parents = list(range(len(findings)))

    def root(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    for first, second in pairs:
        one, other = sorted((root(first), root(second)))
        parents[other] = one
    groups: dict[int, list[Finding]] = {}
    for index, each in enumerate(findings):
        groups.setdefault(root(index), []).append(each)
    return [tuple(group) for group in groups.values()]


def _hash_of(pixels: Image) -> str:
    whole = hashlib.sha256(repr(tuple(pixels.shape)).encode())
    whole.update(pixels.numpy().ravel().data)
    return whole.hexdigest()


def _key(place: Place) -> tuple[str, str | None, int, int | None]:
    return os.path.abspath(place.path), place.member, place.offset, place.size  # noqa: PTH100 - links are kept


def _again(place: Place, known: Finding | None) -> Finding | None:
    """An earlier finding, if the file has not changed since."""
    if known is None or known.stamp is None or known.stamp != place.stamp:
        return None
    return replace(known, place=place)


def _row(finding: Finding, home: Path) -> dict[str, Any]:
    row = {name: value for name, value in vars(finding).items() if name not in ("place", "look")}
    path = finding.place.path.absolute()
    row["path"] = str(path.relative_to(home)) if path.is_relative_to(home) else str(path)
    if finding.place.member is not None:
        row |= {"member": finding.place.member, "offset": finding.place.offset, "size": finding.place.size}
    if finding.look is not None:
        thumbnail = base64.b85encode(finding.look.thumbnail).decode()
        row |= {"hash": f"{finding.look.hash:016x}", "thumbnail": thumbnail}
    return row


def _finding(row: dict[str, Any], home: Path) -> Finding:
    values = dict(row)
    path, member = home / values.pop("path"), values.pop("member", None)
    place = Place(path, member, values.pop("offset", 0), values.pop("size", None))
    stamp = values.pop("stamp")
    code = values.pop("hash", None)
    seen = None if code is None else Look(int(code, 16), base64.b85decode(values.pop("thumbnail")))
    if seen is not None and len(seen.thumbnail) != 256:
        raise ValueError("a thumbnail of another size")
    finding = Finding(
        place=place, stamp=None if stamp is None else (int(stamp[0]), int(stamp[1])), look=seen, **values
    )
    for name, wanted in (("sha256", str), ("pixels", str), ("width", int), ("height", int), ("channels", int)):
        if not isinstance(getattr(finding, name), wanted):
            raise ValueError(f"{name}={getattr(finding, name)!r}")
    return finding
