"""Files are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from mindl.core.errors import OutputError

try:
    import fcntl
except ImportError:  # not on POSIX: nothing is locked there
    fcntl = None  # type: ignore[assignment]


def write_whole(path: str | os.PathLike[str], content: bytes, *, overwrite: bool = True) -> Path:
    """Write ``content`` under ``path`` in one piece: a temporary neighbour, flushed, then renamed.

    Whoever looks at ``path`` sees the old file or the new one, never a part; a failure (full disk, size
    limit, interruption) leaves the old one and no temporary file.

    Raises:
        OutputError: no such folder, not a regular file, already there (``overwrite=False``), or the
            system could not write.
    """
    target = check_target(path, overwrite=overwrite)
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(_usual_mode(target))
        os.replace(temporary, target)  # noqa: PTH105 - atomic on POSIX and Windows
        _sync_names(target.parent)
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {error.strerror or error}. Nothing was left behind.") from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
    return target


def write_together(folder: Path, contents: Mapping[str, bytes], *, last: str) -> None:
    """Replace several files of a folder: all are written beside their places first, then renamed.

    What can fail for want of room fails before anything is replaced. ``last`` names the file without which the
    others count for nothing: it is taken away before the renaming, and put in place when all others are.

    Raises:
        OutputError: the system could not write; what was there before is untouched, unless a renaming failed.
    """
    staged: dict[str, str] = {}
    try:
        for name, content in contents.items():
            handle, staged[name] = tempfile.mkstemp(prefix=f".{name}.", suffix=".part", dir=folder)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(staged[name]).chmod(_usual_mode(folder / name))
        (folder / last).unlink(missing_ok=True)
        for name in sorted(contents, key=lambda name: name == last):
            os.replace(staged.pop(name), folder / name)  # noqa: PTH105 - atomic on POSIX and Windows
        _sync_names(folder)
    except OSError as error:
        raise OutputError(f"Cannot write into {folder}: {error.strerror or error}.") from error
    finally:
        for path in staged.values():
            Path(path).unlink(missing_ok=True)


def _sync_names(folder: Path) -> None:
    """Let the names in a folder reach the disk: a power cut may undo a renaming otherwise."""
    if fcntl is not None:  # elsewhere folders cannot be opened
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def only_one(path: Path, what: str) -> IO[bytes]:
    """A lock that this process holds until the returned file is closed, or the process ends, however it does.

    Raises:
        OutputError: another process holds it, or the file cannot be made.
    """
    try:
        file = path.open("ab")
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {error.strerror or error}.") from error
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise OutputError(f"Another process is {what}: wait until it has ended.") from error
    return file


def check_target(path: str | os.PathLike[str], *, overwrite: bool = True) -> Path:
    """The file that writing to ``path`` would make, links followed; what can be refused is refused now.

    Raises:
        OutputError: as for ``write_whole``.
    """
    target = Path(path)
    try:
        if target.is_symlink():
            target = target.resolve(strict=False)
        exists = target.exists()
    except (OSError, RuntimeError) as error:  # a loop of links
        raise OutputError(f"Cannot write {path}: {error}.") from error
    if target.is_dir() or (exists and not target.is_file()):
        raise OutputError(f"Cannot write {path}: it is not a regular file.")
    if not target.parent.is_dir():
        what = "is a file, not a folder" if target.parent.exists() else "does not exist; create it first"
        raise OutputError(f"Cannot write {path}: the folder {target.parent} {what}.")
    if exists and not overwrite:
        raise OutputError(f"Cannot write {path}: it exists already, and overwriting was not asked for.")
    return target


def _usual_mode(target: Path) -> int:
    """Permissions of the file that is replaced, or what the process's umask gives a new one."""
    if target.exists():
        return target.stat().st_mode & 0o777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
