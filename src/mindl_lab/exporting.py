"""Grades as other systems read them: CSV for learning platforms, ``results.json`` for autograding services."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from mindl_lab.checks import Tier
from mindl_lab.collecting import Student
from mindl_lab.gradebook import Grade
from mindl_lab.units import Unit

FORMATS = ("csv", "moodle", "canvas")

Grades = Mapping[str, Mapping[str, Grade]]
"""By unit's name, then by student."""


def table(style: str, units: Sequence[Unit], students: Sequence[Student], grades: Grades) -> str:
    """The points of all students as a table in CSV. An empty cell: nothing was handed in.

    ``csv`` has everything, ``moodle`` and ``canvas`` the columns by which these platforms import grades.
    """
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow

    def points(student: Student) -> list[str]:
        there = [grades[u.name].get(student.student) for u in units]
        return [f"{grade.points:g}" if grade is not None else "" for grade in there]

    titles = [f"Assignment {u.number}: {u.title}" for u in units]
    if style == "csv":
        write(["student", "name", "email", *(u.name for u in units), "total", "of"])
        of = f"{sum(u.points for u in units):g}"
        for student in students:
            earned = points(student)
            total = f"{sum(float(p) for p in earned if p):g}"
            write([*map(_safe, (student.student, student.name, student.email)), *earned, total, of])
    elif style == "moodle":
        write(["ID number", "Full name", "Email address", *titles])
        for student in students:
            write([*map(_safe, (student.student, student.name, student.email)), *points(student)])
    elif style == "canvas":
        write(["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *titles])
        write(["    Points Possible", "", "", "", "", *(f"{u.points:g}" for u in units)])
        for student in students:
            who = _safe(student.student)
            write([_safe(student.name), "", who, who, "", *points(student)])
    else:
        raise ValueError(f"{style} is no format; there are {', '.join(FORMATS)}")
    return out.getvalue()


def _safe(text: str) -> str:
    """A cell that a spreadsheet takes for a formula is text with a mark before it."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def results(grade: Grade) -> str:
    """One student's grade as ``results.json``: one test for each check, as autograding services show them."""
    tests: list[dict[str, Any]] = []
    for v in grade.report.verdicts:
        lines = [v.message] if v.message else []
        lines += [f"expected: {v.expected}"] if v.expected else []
        lines += [f"got: {v.actual}"] if v.actual else []
        lines += [f"gap: {v.gap:.3g}, allowed: {v.allowed:.3g}"] if v.gap is not None and v.allowed else []
        tests.append(
            {
                "number": v.check,
                "name": v.title,
                "score": v.points,
                "max_score": v.of,
                "status": "passed" if v.passed else "failed",
                "output": "\n".join(lines),
                "visibility": "after_published" if v.tier is Tier.HIDDEN else "visible",
            }
        )
    for given in grade.manual:
        tests.append({"name": "by hand", "score": given.points, "output": given.why, "visibility": "visible"})
    text = "\n".join(grade.report.problems)
    return json.dumps({"score": grade.points, "output": text, "tests": tests}, indent=1, ensure_ascii=False) + "\n"
