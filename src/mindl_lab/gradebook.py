"""The gradebook: students, submissions, verdicts and manual points, in SQLite or any database of SQLAlchemy.

What grading writes about one submission is one transaction: a grader that is killed has either graded a submission
or not begun it, and the next run goes on from there. Manual points are kept apart from verdicts, so no run of the
grader touches them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import sqlalchemy as sql
from sqlalchemy.exc import SQLAlchemyError

from mindl_lab.checks import Tier, Verdict
from mindl_lab.collecting import Student
from mindl_lab.grading import Report

_META = sql.MetaData()

STUDENTS = sql.Table(
    "students",
    _META,
    sql.Column("student", sql.String(100), primary_key=True),
    sql.Column("name", sql.String(200), nullable=False),
    sql.Column("email", sql.String(200), nullable=False),
)
GRADINGS = sql.Table(
    "gradings",
    _META,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("unit", sql.String(50), nullable=False),
    sql.Column("student", sql.String(100), nullable=False),
    sql.Column("folder", sql.String(500), nullable=False),
    sql.Column("fingerprint", sql.String(64), nullable=False),
    sql.Column("graded", sql.String(40), nullable=False),
    sql.Column("problems", sql.Text, nullable=False),
    sql.UniqueConstraint("unit", "student"),
)
VERDICTS = sql.Table(
    "verdicts",
    _META,
    sql.Column("grading", sql.ForeignKey("gradings.id", ondelete="CASCADE"), primary_key=True),
    sql.Column("place", sql.Integer, primary_key=True),
    sql.Column("check", sql.String(20), nullable=False),
    sql.Column("task", sql.Integer, nullable=False),
    sql.Column("title", sql.Text, nullable=False),
    sql.Column("tier", sql.String(20), nullable=False),
    sql.Column("points", sql.Float, nullable=False),
    sql.Column("of", sql.Float, nullable=False),
    sql.Column("message", sql.Text, nullable=False),
    sql.Column("expected", sql.Text, nullable=False),
    sql.Column("actual", sql.Text, nullable=False),
    sql.Column("gap", sql.Float),
    sql.Column("allowed", sql.Float),
)
MANUAL = sql.Table(
    "manual",
    _META,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("unit", sql.String(50), nullable=False),
    sql.Column("student", sql.String(100), nullable=False),
    sql.Column("points", sql.Float, nullable=False),
    sql.Column("why", sql.Text, nullable=False),
    sql.Column("given", sql.String(40), nullable=False),
)


class GradebookError(RuntimeError):
    """A database that cannot be opened or written; what was written before is kept."""


@dataclass(frozen=True)
class Manual:
    """Points that a person gave or took, and why."""

    points: float
    why: str


@dataclass(frozen=True)
class Grade:
    """What stands in the gradebook for one student and unit."""

    student: str
    folder: str
    report: Report
    manual: list[Manual]

    @property
    def points(self) -> float:
        """Verdicts and manual points together."""
        return self.report.points + sum(given.points for given in self.manual)


class Gradebook:
    """An open gradebook; a context manager."""

    def __init__(self, url: str) -> None:
        """``url`` as SQLAlchemy reads it: ``sqlite:///gradebook.db``. Raises GradebookError."""
        try:
            self._engine = sql.create_engine(url)
            if self._engine.dialect.name == "sqlite":
                sql.event.listen(self._engine, "connect", _keep_references)
            with _errors():
                _META.create_all(self._engine)
        except (SQLAlchemyError, ImportError) as error:
            raise GradebookError(f"the gradebook {url} cannot be opened: {error}") from None

    def __enter__(self) -> Gradebook:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.dispose()

    def enrol(self, roster: Sequence[Student]) -> None:
        """Bring the students up to the roster; nobody is removed."""
        with _errors(), self._engine.begin() as rows:
            known = set(rows.scalars(sql.select(STUDENTS.c.student)))
            for student in roster:
                values = {"name": student.name, "email": student.email}
                if student.student in known:
                    rows.execute(STUDENTS.update().where(STUDENTS.c.student == student.student).values(**values))
                else:
                    rows.execute(STUDENTS.insert().values(student=student.student, **values))

    def fingerprint(self, unit: str, student: str) -> str | None:
        """Of what the student's grade was made; None without a grade."""
        with _errors(), self._engine.connect() as rows:
            where = (GRADINGS.c.unit == unit) & (GRADINGS.c.student == student)
            return rows.scalar(sql.select(GRADINGS.c.fingerprint).where(where))

    def write(self, unit: str, student: str, folder: Path, fingerprint: str, report: Report) -> None:
        """Put a report in the place of an earlier one. Manual points stay."""
        with _errors(), self._engine.begin() as rows:
            where = (GRADINGS.c.unit == unit) & (GRADINGS.c.student == student)
            old = rows.scalar(sql.select(GRADINGS.c.id).where(where))
            if old is not None:
                rows.execute(VERDICTS.delete().where(VERDICTS.c.grading == old))
                rows.execute(GRADINGS.delete().where(GRADINGS.c.id == old))
            made = rows.execute(
                GRADINGS.insert().values(
                    unit=unit,
                    student=student,
                    folder=folder.name,
                    fingerprint=fingerprint,
                    graded=_now(),
                    problems="\n".join(report.problems),
                )
            )
            assert made.inserted_primary_key is not None
            grading = made.inserted_primary_key[0]
            if report.verdicts:
                rows.execute(
                    VERDICTS.insert(),
                    [{"grading": grading, "place": i, **_row(v)} for i, v in enumerate(report.verdicts)],
                )

    def give(self, unit: str, student: str, points: float, why: str) -> None:
        """Add manual points; they may be negative."""
        with _errors(), self._engine.begin() as rows:
            rows.execute(MANUAL.insert().values(unit=unit, student=student, points=points, why=why, given=_now()))

    def students(self) -> list[Student]:
        """Everybody, by identity."""
        with _errors(), self._engine.connect() as rows:
            found = rows.execute(sql.select(STUDENTS).order_by(STUDENTS.c.student)).all()
            return [Student(row.student, row.name, row.email) for row in found]

    def grades(self, unit: str) -> dict[str, Grade]:
        """The grades of a unit by student; who handed in nothing and has no manual points is not in it."""
        with _errors(), self._engine.connect() as rows:
            given: dict[str, list[Manual]] = {}
            for row in rows.execute(sql.select(MANUAL).where(MANUAL.c.unit == unit).order_by(MANUAL.c.id)):
                given.setdefault(row.student, []).append(Manual(row.points, row.why))
            of: dict[int, list[Verdict]] = {}
            chosen = sql.select(VERDICTS).join(GRADINGS).where(GRADINGS.c.unit == unit).order_by(VERDICTS.c.place)
            for row in rows.execute(chosen):
                of.setdefault(row.grading, []).append(_verdict(row))
            found = {
                row.student: Grade(
                    row.student,
                    row.folder,
                    Report(of.get(row.id, []), row.problems.splitlines()),
                    given.pop(row.student, []),
                )
                for row in rows.execute(sql.select(GRADINGS).where(GRADINGS.c.unit == unit))
            }
        return found | {student: Grade(student, "", Report([], []), manual) for student, manual in given.items()}


def _keep_references(connection: object, _: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        reason = getattr(error, "orig", None) or error
        raise GradebookError(f"the gradebook cannot be used ({reason}); what it holds is unchanged") from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _row(v: Verdict) -> dict[str, object]:
    text = {"message": v.message, "expected": v.expected, "actual": v.actual, "title": v.title}
    return {
        "check": v.check,
        "task": v.task,
        "tier": v.tier.value,
        "points": v.points,
        "of": v.of,
        "gap": _finite(v.gap),
        "allowed": _finite(v.allowed),
        **{key: value.replace("\0", "") for key, value in text.items()},
    }


def _finite(value: float | None) -> float | None:
    """Infinity and NaN are no numbers in every database."""
    return value if value is not None and abs(value) < 1e300 else None


def _verdict(row: sql.Row[tuple[object, ...]]) -> Verdict:
    m = row._mapping
    return Verdict(
        m["check"],
        m["task"],
        m["title"],
        Tier(m["tier"]),
        m["points"],
        m["of"],
        m["message"],
        m["expected"],
        m["actual"],
        m["gap"],
        m["allowed"],
    )
