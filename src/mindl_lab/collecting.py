"""Submissions from a folder or an archive of a learning platform, sorted by student.

A *pattern* says how names are made: ``{student}`` is the identity in the roster, ``{name}`` the full name,
``{file}`` the file (with any folders before it), ``{number}`` digits, ``{any}`` anything. A file that is an
archive is opened, one level deep. Nothing is written under a name that came from outside, and nothing is taken
that is larger than a module may be: an archive that unpacks to terabytes costs its owner a message.
"""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from mindl_lab.work import LARGEST

PATTERNS: dict[str, list[str]] = {
    "lab": ["{any}-{student}.zip"],
    "folder": ["{student}/{file}"],
    "moodle": [
        "{name}_{number}_assignsubmission_file/{file}",
        "{name}_{number}_assignsubmission_file_/{file}",
        "{name}_{number}_assignsubmission_file_{file}",
    ],
    "canvas": ["{student}_LATE_{number}_{number}_{file}", "{student}_{number}_{number}_{file}"],
}
"""How platforms name what they hand out."""

ENTRIES, FILES, ARCHIVE = 20_000, 30, 50 * 2**20
"""Entries of an archive, files kept of one submission, and bytes of an archive within an archive, at most."""

_PARTS = {
    "student": r"(?P<student>[^/]+?)",
    "name": r"(?P<name>[^/]+?)",
    "file": r"(?P<file>.+)",
    "number": r"\d+",
    "any": r"[^/]*?",
}


class CollectError(ValueError):
    """A source or pattern that cannot be used at all."""


@dataclass(frozen=True)
class Student:
    """A line of the roster."""

    student: str
    name: str
    email: str = ""


@dataclass
class Submission:
    """What one student handed in at one time."""

    who: str
    received: datetime
    files: dict[str, bytes] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """A fingerprint of names and contents."""
        state = hashlib.sha256()
        for name, content in sorted(self.files.items()):
            state.update(f"{name}\0{len(content)}\0".encode() + content)
        return state.hexdigest()[:16]


@dataclass
class Collected:
    """What a source held: submissions by student in the order of time, and what nobody on the roster sent."""

    students: dict[str, list[Submission]]
    unknown: list[Submission]
    unmatched: list[str]


def patterns(given: str) -> list[re.Pattern[str]]:
    """A pattern or the name of a platform, compiled. Raises CollectError."""
    found = []
    for pattern in PATTERNS.get(given, [given]):
        pieces = re.split(r"\{(\w+)\}", pattern)
        if wrong := set(pieces[1::2]) - set(_PARTS):
            raise CollectError(f"{{{wrong.pop()}}} is no part of a pattern; parts are {', '.join(_PARTS)}")
        if not {"student", "name"} & set(pieces[1::2]):
            names = ", ".join(PATTERNS)
            raise CollectError(
                f"the pattern {given!r} has neither {{student}} nor {{name}}; it is one of {names}, "
                "or like 'week1/{student}/{file}'"
            )
        found.append(
            re.compile("".join(_PARTS[p] if i % 2 else re.escape(p) for i, p in enumerate(pieces)), re.IGNORECASE)
        )
    return found


def collect(source: Path, pattern: str, roster: Sequence[Student], wanted: Iterable[str]) -> Collected:
    """Everything in ``source`` that fits the pattern; of files with ``wanted`` names copies such as
    ``images (1).py`` are taken for them.

    Raises CollectError where the source is neither folder nor readable archive, or the pattern is wrong.
    """
    compiled = patterns(pattern)
    known = {_plain(s.student): s.student for s in roster} | {_plain(s.name): s.student for s in roster}
    found: dict[tuple[str, str], Submission] = {}
    unmatched: list[str] = []
    for path, received, read in _entries(source):
        fits = next((fit for regex in compiled if (fit := regex.fullmatch(path))), None)
        if fits is None:
            unmatched.append(path)
            continue
        parts = fits.groupdict()
        who = (parts.get("student") or parts.get("name") or "").strip()
        file = parts.get("file") or PurePosixPath(path).name
        key = (who, path if file.lower().endswith(".zip") else path[: len(path) - len(file)])
        submission = found.setdefault(key, Submission(who, received))
        submission.received = max(submission.received, received)
        _take(submission, file, read, set(wanted))
    result = Collected({}, [], unmatched)
    for submission in sorted(found.values(), key=lambda s: s.received):
        student = known.get(_plain(submission.who))
        if student is None:
            result.unknown.append(submission)
        else:
            result.students.setdefault(student, []).append(submission)
    return result


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


Read = Callable[[], bytes]


def _entries(source: Path) -> Iterator[tuple[str, datetime, Read]]:
    """Path, time and reader of each file of a folder or archive."""
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            if path.is_file() and not path.is_symlink():
                time = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                yield path.relative_to(source).as_posix(), time, _reader(path)
        return
    try:
        archive = zipfile.ZipFile(source)
    except (OSError, zipfile.BadZipFile):
        raise CollectError(f"{source} is neither a folder nor an archive in the zip format") from None
    with archive:
        for info in _listed(archive, str(source)):
            yield info.filename, _time(info), _member(archive, info)


def _reader(path: Path) -> Read:
    def read() -> bytes:
        if path.stat().st_size > ARCHIVE:
            raise _Refused(f"has {path.stat().st_size / 2**20:.0f} MB, which is too much")
        return path.read_bytes()

    return read


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int = ARCHIVE) -> Read:
    def read() -> bytes:
        """No more than the limit is ever unpacked, whatever the archive says of its sizes."""
        try:
            with archive.open(info) as file:
                content = file.read(limit + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError):
            raise _Refused("is damaged") from None
        except (RuntimeError, NotImplementedError):
            raise _Refused("is encrypted, or packed in a way that cannot be read") from None
        if len(content) > limit:
            raise _Refused(f"unpacks to more than {limit // 2**20} MB")
        return content

    return read


def _listed(archive: zipfile.ZipFile, name: str) -> list[zipfile.ZipInfo]:
    infos = [info for info in archive.infolist() if not info.is_dir()]
    if len(infos) > ENTRIES:
        raise CollectError(f"{name} has {len(infos)} entries; at most {ENTRIES} are read")
    return infos


def _time(info: zipfile.ZipInfo) -> datetime:
    try:
        return datetime(*info.date_time, tzinfo=UTC)
    except ValueError:
        return datetime(1980, 1, 1, tzinfo=UTC)


class _Refused(Exception):
    """A file that is not taken."""


def _take(submission: Submission, file: str, read: Read, wanted: set[str]) -> None:
    try:
        if file.lower().endswith(".zip"):
            _take_archive(submission, file, read(), wanted)
        else:
            _keep(submission, file, read, wanted)
    except _Refused as why:
        submission.problems.append(f"{PurePosixPath(file).name} {why}")


def _take_archive(submission: Submission, file: str, content: bytes, wanted: set[str]) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = _listed(archive, file)
            for info in infos:
                try:
                    _keep(submission, info.filename, _member(archive, info, LARGEST), wanted)
                except _Refused as why:
                    submission.problems.append(f"{info.filename[:80]} {why}")
            if infos:
                submission.received = max(_time(info) for info in infos)
    except zipfile.BadZipFile:
        raise _Refused("is damaged: it is no archive in the zip format") from None
    except CollectError:
        raise _Refused(f"has more than {ENTRIES} entries") from None


def _keep(submission: Submission, path: str, read: Read, wanted: set[str]) -> None:
    parts = PurePosixPath(path.replace("\\", "/"))
    name = parts.name
    if ".." in parts.parts or parts.is_absolute() or re.match(r"[A-Za-z]:", path):
        raise _Refused("leads outside of the archive and was left out")
    if "__MACOSX" in parts.parts or name.startswith(".") or parts.suffix not in (".py", ".ipynb", ".txt", ".md"):
        return
    name = _meant(re.sub(r"[^\w .()+-]", "_", name)[:100], wanted)
    if len(submission.files) >= FILES:
        raise _Refused(f"was left out: a submission has at most {FILES} files")
    if name in submission.files:
        raise _Refused("is there twice; the first one counts")
    content = read()
    if len(content) > LARGEST:
        raise _Refused(f"has {len(content) / 2**20:.1f} MB; at most {LARGEST // 2**20} MB are taken")
    submission.files[name] = content


def _meant(name: str, wanted: set[str]) -> str:
    """``images (1).py`` and ``images-2.py`` are what browsers and platforms make of ``images.py``."""
    plain = re.sub(r"(?: ?\(\d+\)|-\d+)(?=\.\w+$)", "", name)
    return plain if plain in wanted else name


# On the disk: submissions/unit01/STUDENT/2026-11-24T10-00-00-DIGEST/


def keep(submission: Submission, place: Path) -> Path:
    """Write a submission below ``place``, under its time and digest; what is there already is left alone."""
    folder = place / f"{submission.received:%Y-%m-%dT%H-%M-%S}-{submission.digest}"
    if folder.is_dir():
        return folder
    fresh = folder.with_name(f".{folder.name}")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for name, content in submission.files.items():
        (fresh / name).write_bytes(content)
    if submission.problems:
        (fresh / "problems.log").write_text("\n".join(submission.problems) + "\n", encoding="utf-8")
    fresh.rename(folder)
    return folder


def latest(place: Path) -> Path | None:
    """The newest submission below ``place``: the one that counts."""
    there = sorted(path for path in place.glob("[0-9]*") if path.is_dir()) if place.is_dir() else []
    return there[-1] if there else None


def problems(folder: Path) -> list[str]:
    """What went wrong when a submission was collected."""
    path = folder / "problems.log"
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
