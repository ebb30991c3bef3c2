"""A lecturer's course: one folder with settings, roster, secret seed, submissions and gradebook.

::

    course.toml      title, pattern of submissions, share of the points that passes, gradebook
    roster.csv       student, name, email
    secret.seed      hidden checks draw from it; readable by the lecturer only
    submissions/     what was collected, every version of it
    unknown/         what nobody on the roster sent
    feedback/        one page for each student and unit
    gradebook.db
"""

from __future__ import annotations

import csv
import os
import secrets
import tomllib
from dataclasses import dataclass
from pathlib import Path

from mindl_lab.collecting import Student

_SETTINGS = """\
title = "Model-driven deep learning"

# How submissions are named: moodle, canvas, lab, folder, or a pattern such as "week1/{student}/{file}".
pattern = "lab"

# The share of a unit's points that passes it.
pass = 0.5

# Any database that SQLAlchemy knows; this one is a file beside this one.
gradebook = "sqlite:///gradebook.db"
"""


class CourseError(ValueError):
    """A course folder that cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Course:
    """The settings of a course folder."""

    folder: Path
    title: str
    pattern: str
    share: float
    gradebook: str
    seed: str

    @property
    def roster(self) -> list[Student]:
        """The students of ``roster.csv``. Raises CourseError."""
        path = self.folder / "roster.csv"
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise CourseError(f"{path} cannot be read ({error}); it is a table in CSV, in UTF-8") from None
        found: dict[str, Student] = {}
        for line, row in enumerate(rows, 2):
            who, name = (row.get("student") or "").strip(), (row.get("name") or "").strip()
            if not who or who in (".", "..") or set(who) & set('/\\:*?"<>|') or who.startswith("."):
                raise CourseError(
                    f"{path}, line {line}: the column `student` needs an identity that can be a file's name"
                )
            if who in found:
                raise CourseError(f"{path}, line {line}: {who} is on the roster twice")
            found[who] = Student(who, name or who, (row.get("email") or "").strip())
        if not found:
            raise CourseError(f"{path} has no students: add lines of student,name,email")
        return list(found.values())

    def submissions(self, unit: str, student: str) -> Path:
        """Where a student's submissions of a unit lie."""
        return self.folder / "submissions" / unit / student


def create(folder: Path) -> Course:
    """A new course folder; nothing that is there is overwritten."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = {"course.toml": _SETTINGS, "roster.csv": "student,name,email\n"}
    for name, text in fresh.items():
        if not (folder / name).exists():
            (folder / name).write_text(text, encoding="utf-8")
    seed = folder / "secret.seed"
    if not seed.exists():
        handle = os.open(seed, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(secrets.token_hex(16) + "\n")
    return opened(folder)


def opened(folder: Path) -> Course:
    """The course in ``folder``. Raises CourseError."""
    path = folder / "course.toml"
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
        seed = (folder / "secret.seed").read_text(encoding="utf-8").strip()
    except FileNotFoundError as error:
        missing = Path(error.filename).name
        raise CourseError(
            f"{folder} has no {missing}, so it is no course; `mindl lab course {folder}` makes one"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CourseError(f"{path} cannot be read: {error}") from None
    if len(seed) < 8:
        raise CourseError(f"{folder / 'secret.seed'} is too short to be a secret; remove it, and make a new one")
    try:
        share = float(said.get("pass", 0.5))
        url = str(said.get("gradebook", "sqlite:///gradebook.db"))
        pattern, title = str(said.get("pattern", "lab")), str(said.get("title", "Course"))
    except (TypeError, ValueError):
        raise CourseError(f"{path}: `pass` is a share of the points such as 0.5") from None
    if not 0 <= share <= 1:
        raise CourseError(f"{path}: `pass` is a share of the points between 0 and 1, not {share:g}")
    beside = "sqlite:///"
    if url.startswith(beside) and url != beside:
        url = f"{beside}{(folder / url.removeprefix(beside)).resolve()}"
    return Course(folder, title, pattern, share, url, seed)
