"""Where images are: files of a folder, members of a tar file, the lines of a list."""

from __future__ import annotations

import heapq
import os
import re
import stat
import tarfile
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from mindl.core.arguments import told
from mindl.core.errors import ImageFileError, InputError
from mindl.images.io import READABLE, PathLike, content_of

PACKED = (
    ".tar.gz",
    ".tgz",
    ".tar.bz2",
    ".tbz2",
    ".tar.xz",
    ".txz",
    ".tar.zst",
    ".zip",
    ".gz",
    ".bz2",
    ".xz",
    ".7z",
)
"""Endings of files whose members can only be reached by unpacking from the beginning."""

Stamp = tuple[int, int]
"""Bytes and time of the last change in nanoseconds: as long as both are the same, so is the file."""


@dataclass(frozen=True)
class Place:
    """Where the bytes of one image are: a file, or a stretch of a tar file. It can be sent to another process.

    Attributes:
        path: the file, or the tar file.
        member: the name in the tar file, else None.
        offset: where the image begins in the file.
        size: how many bytes it has; None for a file of its own.

    >>> from mindl.images.photographs import COFFEE
    >>> Place(COFFEE).content()[:4]
    b'\\x89PNG'
    """

    path: Path
    member: str | None = None
    offset: int = 0
    size: int | None = None

    @property
    def name(self) -> str:
        """What messages call it: ``a/b.png``, or ``archive.tar:b.png``."""
        return str(self.path) if self.member is None else f"{self.path}:{self.member}"

    @property
    def suffix(self) -> str:
        """The ending of the name, in small letters: ``.png``."""
        return self.path.suffix.lower() if self.member is None else PurePosixPath(self.member).suffix.lower()

    @property
    def stamp(self) -> Stamp | None:
        """Bytes and time of the last change (ns) of the file on the disk; None if there is none."""
        try:
            found = self.path.stat()
        except (OSError, ValueError):
            return None
        return found.st_size, found.st_mtime_ns

    def content(self) -> bytes:
        """All bytes of the image.

        Raises:
            ImageFileError: the file is missing, cannot be read, or ends too early.
        """
        if self.size is None:
            return content_of(self.path)
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                content = file.read(self.size)
        except OSError as error:
            raise ImageFileError(f"{self.name} cannot be read: {error.strerror or error}.") from error
        if len(content) < self.size:
            raise ImageFileError(f"{self.name} is truncated: {self.path} has ended before it.")
        return content


@dataclass(frozen=True)
class Places:
    """What ``find`` has found.

    Attributes:
        places: the images, in the order of their names.
        troubles: what was left out although it was asked for, and why: folders that cannot be read, links that
            lead nowhere or in circles, members of a tar file that are refused.
    """

    places: list[Place]
    troubles: dict[str, str] = field(default_factory=dict)


Identity = tuple[int, int] | str

Given = PathLike | Sequence[PathLike | Place] | Places
"""What names images: a folder, a tar file, a text file, or a sequence of files."""


def find(given: Given) -> Places:
    """Where the images are. Nothing is decoded, and nothing is unpacked.

    Args:
        given: a folder: all image files below it, in the order of their paths as text, whatever the order on the
            disk; hidden files and folders are left out, links are followed, and no folder is visited twice.
            A ``.tar`` file: all its images in the order of names. A ``.txt`` file in UTF-8: one path a line,
            relative to the list's folder; empty lines and lines that begin with ``#`` are left out. Or a sequence
            of files or places, which is taken as it is.

    Raises:
        InputError: it does not exist, cannot be read, is damaged or compressed, or names no image.

    >>> from mindl.images.photographs import COFFEE
    >>> [place.path.name for place in find(COFFEE.parent).places]
    ['coffee.png']
    """
    if isinstance(given, Places):
        return given
    if isinstance(places := getattr(given, "places", None), list):  # a source of them
        return Places(places)
    if given == "":
        raise InputError("An empty path names no images: name a folder, or '.' for the one you are in.")
    if not isinstance(given, (str, os.PathLike)):
        return _of_sequence(given)
    try:
        path = Path(given)
        found = path.stat()
    except FileNotFoundError:
        raise InputError(f"There is no folder or file of images {given}.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{given} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    if stat.S_ISDIR(found.st_mode):
        return _of_folder(path)
    if path.name.lower().endswith(PACKED):
        raise InputError(
            f"{path} is compressed, so that its images cannot be reached one by one: unpack it first."
        )
    if path.suffix.lower() == ".tar":
        return _of_tar(path)
    if path.suffix.lower() == ".txt":
        return _of_list(path)
    raise InputError(
        f"{path} is neither a folder nor a .tar or .txt file: name its folder, or write its name into a .txt file."
    )


def _of_sequence(given: Sequence[PathLike | Place]) -> Places:
    try:
        places = [each if isinstance(each, Place) else Place(Path(each)) for each in given]
    except TypeError:
        raise InputError(
            f"find needs a folder, a .tar or .txt file, or a sequence of files, got {told(given)}."
        ) from None
    if not places:
        raise InputError("The list of images is empty.")
    for place in places:
        if (why := _no_file(place.path)) is not None:
            raise InputError(f"{why}: it is in the list of images.")
    return Places(places)


def _of_list(path: Path) -> Places:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"The list {path} is no text in UTF-8: {error}.") from error
    except OSError as error:
        raise InputError(f"The list {path} cannot be read: {error.strerror or error}.") from error
    places: list[Place] = []
    for number, line in enumerate((line.strip() for line in lines), 1):
        if not line or line.startswith("#"):
            continue
        file = path.parent / line
        if (why := _no_file(file)) is not None:
            raise InputError(f"{why}: it is in line {number} of {path}, whose paths begin at its own folder.")
        places.append(Place(file))
    if not places:
        raise InputError(f"The list {path} names no image; it needs one path a line.")
    return Places(places)


def _no_file(path: Path) -> str | None:
    """Why a path is no file, as the beginning of a sentence."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return f"There is no file {path}"
    except (OSError, ValueError) as error:
        return f"{path} cannot be read ({getattr(error, 'strerror', None) or error})"
    return None if stat.S_ISREG(found.st_mode) else f"{path} is not a regular file"


def _of_folder(top: Path) -> Places:
    files: list[tuple[str, str]] = []
    troubles: dict[str, str] = {}
    # Folders before links to folders, and links in the order of names: an image gets the same name every time.
    folders, links = deque([("", str(top))]), list[tuple[str, str]]()
    seen = {_identity(str(top))}
    while folders or links:
        inside, folder = folders.popleft() if folders else heapq.heappop(links)
        try:
            with os.scandir(folder) as entries:
                inner = list(entries)
        except OSError as error:
            if not inside:
                raise InputError(f"The folder {top} cannot be read: {error.strerror or error}.") from error
            troubles[folder] = f"the folder cannot be read: {error.strerror or error}"
            continue
        for entry in inner:
            if entry.name.startswith("."):
                continue
            try:
                kind = _kind(entry)
            except FileNotFoundError:
                troubles[entry.path] = "the link leads nowhere"
                continue
            except OSError as error:
                troubles[entry.path] = f"it cannot be followed: {error.strerror or error}"
                continue
            if kind == "file":
                files.append((f"{inside}{entry.name}", entry.path))
            elif kind == "folder" and entry.is_symlink():
                heapq.heappush(links, (f"{inside}{entry.name}/", entry.path))
            elif kind == "folder":
                seen.add(_identity(entry.path))
                folders.append((f"{inside}{entry.name}/", entry.path))
        while not folders and links and (why := _known(links[0][1], seen)) is not None:
            _, link = heapq.heappop(links)
            if why:
                troubles[link] = why
    if not files:
        first = next(iter(troubles.items()), None)
        beside = "" if first is None else f"; {first[0]} was left out: {first[1]}"
        raise InputError(f"The folder {top} holds no image ({', '.join(READABLE)}){beside}.")
    files.sort()
    return Places([Place(Path(path)) for _, path in files], dict(sorted(troubles.items())))


def _kind(entry: os.DirEntry[str]) -> str | None:
    """``folder`` or image ``file``, links followed; the disk is only asked about links."""
    if entry.is_dir():
        return "folder"
    readable = entry.name.lower().endswith(READABLE)
    if entry.is_symlink():
        mode = entry.stat().st_mode  # raises where the link leads nowhere; is_dir() does not
        return "file" if readable and stat.S_ISREG(mode) else None
    return "file" if readable and entry.is_file() else None


def _identity(folder: str) -> Identity:
    """What tells folders apart, by whatever path they are reached."""
    try:
        found = os.stat(folder)  # noqa: PTH116 - half the time of Path.stat
    except OSError:
        return folder
    return found.st_dev, found.st_ino


def _known(link: str, seen: set[Identity]) -> str | None:
    """Why a link to a folder is not followed, empty if nothing is lost; None for a new folder, then seen."""
    if Path(link).parent.resolve().is_relative_to(Path(link).resolve()):
        return "the link leads in a circle, to a folder that it is in"
    identity = _identity(link)
    if identity in seen:
        return ""
    seen.add(identity)
    return None


def _of_tar(path: Path) -> Places:
    found: dict[str, Place] = {}
    troubles: dict[str, str] = {}
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
            members = archive.getmembers()
            file.seek(archive.offset)
            if any(file.read(tarfile.BLOCKSIZE)):  # tarfile takes a broken header for the end
                raise InputError(f"{path} is damaged after {len(members)} members: get it again.")
    except tarfile.TarError as error:
        if packed := _compression(path):
            raise InputError(f"{path} is compressed by {packed} in spite of its name: unpack it first.") from error
        raise InputError(f"{path} is damaged or no tar file ({error}): get it again.") from error
    except (OSError, EOFError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    for member in members:
        if not member.isreg():
            continue  # folders; links and devices hold no bytes of their own
        parts = [part for part in re.split(r"[/\\]", member.name) if part != "."]
        if ".." in parts:
            troubles[f"{path}:{member.name}"] = "its name leads out of the archive"
        elif not parts[0] or parts[0].endswith(":"):
            troubles[f"{path}:{member.name}"] = "its name is absolute"
        elif member.name.lower().endswith(READABLE) and not any(part.startswith(".") for part in parts):
            name = str(PurePosixPath(member.name))
            if member.issparse():
                troubles[f"{path}:{name}"] = "it is stored with holes: pack it without --sparse"
            else:
                found[name] = Place(path, name, member.offset_data, member.size)  # the last of a name counts
    if not found:
        raise InputError(f"The archive {path} holds no image ({', '.join(READABLE)}).")
    return Places([found[name] for name in sorted(found)], troubles)


def _compression(path: Path) -> str | None:
    """Which program has compressed a file, by its first bytes."""
    with path.open("rb") as file:
        first = file.read(6)
    known = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"PK": "zip"}
    return next((name for magic, name in known.items() if first.startswith(magic)), None)
