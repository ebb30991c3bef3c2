"""``mindl lab``: the verbs of students and of tutors. What they do lives in the neighbouring files.

Exit status: 0 all is well, 1 something does not hold or could not be graded, 2 wrong usage.
"""

from __future__ import annotations

import re
import shutil
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from mindl_lab import units
from mindl_lab.checks import Tier
from mindl_lab.course import CourseError, create, opened
from mindl_lab.units import Unit, UnitError

if TYPE_CHECKING:
    from mindl_lab.course import Course
    from mindl_lab.gradebook import Gradebook

lab = typer.Typer(
    name="lab",
    help="The hands-on lab: assignments for students (list, start, check, submit), and grading for tutors.",
    no_args_is_help=True,
)

STUDENTS, TUTORS = "For students", "For tutors"

Number = Annotated[int, typer.Argument(metavar="N", help="The number of the assignment; `mindl lab list`.")]
Folder = Annotated[
    Path | None, typer.Argument(metavar="DIR", help="Your folder; by default this one, or unitNN in it.")
]
CourseFolder = Annotated[Path, typer.Option("--course", metavar="DIR", help="The folder of the course.")]
Students = Annotated[list[str] | None, typer.Argument(metavar="STUDENT...", help="Only these.")]


@contextmanager
def _plain_errors() -> Iterator[None]:
    """What a person can put right is one line, not a traceback."""
    try:
        yield
    except (UnitError, CourseError) as error:
        _fail(str(error), 2)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("sqlalchemy", "pytest", "jupytext"):
            raise
        _fail(f"{error.name} is missing: install the lab with `pip install 'mindl[lab]'`", 2)
    except OSError as error:
        _fail(f"{error.filename or 'the disk'}: {error.strerror or error}", 1)
    except (RuntimeError, ValueError) as error:
        if type(error).__name__ not in ("GuardError", "GradebookError", "CollectError"):
            raise
        _fail(str(error), 1)


def _fail(message: str, status: int) -> NoReturn:
    typer.echo(f"mindl lab: {message}", err=True)
    raise typer.Exit(status)


def _warn(message: str) -> None:
    typer.echo(f"mindl lab: {message}", err=True)


# Students


@lab.command("list", rich_help_panel=STUDENTS)
def list_() -> None:
    """The assignments."""
    with _plain_errors():
        for unit in units.units():
            typer.echo(f"{unit.number:>3}  {unit.title}  ({unit.points:g} points, about {unit.hours:g} hours)")


@lab.command(rich_help_panel=STUDENTS)
def start(
    number: Number,
    folder: Annotated[Path | None, typer.Argument(metavar="DIR", help="By default unitNN, here.")] = None,
) -> None:
    """Lay the folder of an assignment; files that are there stay as they are."""
    with _plain_errors():
        unit = units.unit(number)
        place = folder or Path(unit.name)
        if place.exists() and not place.is_dir():
            _fail(f"{place} is a file; name a folder", 2)
        place.mkdir(parents=True, exist_ok=True)
        for path in sorted(unit.student.iterdir()):
            if (place / path.name).exists():
                typer.echo(f"  {place / path.name} is there already and stays as it is")
            else:
                shutil.copyfile(path, place / path.name)
                typer.echo(f"  {place / path.name}")
        typer.echo(f"Begin with {place / (unit.name + '.ipynb')}; `mindl lab check {number}` says what holds.")


@lab.command(rich_help_panel=STUDENTS)
def check(
    number: Number,
    folder: Folder = None,
    task: Annotated[int | None, typer.Option("--task", metavar="K", help="Show only this task.")] = None,
) -> None:
    """Say what holds and what does not: all checks but those that run on submission."""
    with _plain_errors():
        from mindl_lab.feedback import lines
        from mindl_lab.grading import graded
        from mindl_lab.sandbox import Plain

        import_module("pytest")  # for the last task; better said now than after the others
        unit = units.unit(number)
        if task is not None and task not in unit.tasks:
            _fail(f"assignment {number} has no task {task}; it has {', '.join(map(str, unit.tasks))}", 2)
        report = graded(unit, _work(unit, folder), Plain(), seed=None)
        for problem in report.problems:
            _warn(problem)
        for key, title in unit.tasks.items():
            found = [v for v in report.verdicts if v.task == key]
            if task in (None, key):
                earned, of = sum(v.points for v in found), sum(v.of for v in found)
                typer.echo(f"{key}. {title}  {earned:g}/{of:g}")
                typer.echo("\n".join(lines(found)))
        passed = sum(v.passed for v in report.verdicts)
        later = [c for c in unit.all_checks() if c.tier is Tier.HIDDEN]
        more = f"; {len(later)} more run on submission" if later else ""
        typer.echo(f"Public {passed}/{len(report.verdicts)}{more}.", nl=False)
        typer.echo(f" {report.points:g} of {unit.points:g} points so far.")
    raise typer.Exit(0 if passed == len(report.verdicts) else 1)


@lab.command(rich_help_panel=STUDENTS)
def submit(
    number: Number,
    folder: Folder = None,
    student: Annotated[
        str | None, typer.Option("--student", metavar="ID", help="Who you are on the course's list.")
    ] = None,
) -> None:
    """Pack what you hand in: unitNN-ID.zip."""
    with _plain_errors():
        from mindl_lab.work import UnreadableError, read

        unit = units.unit(number)
        place = _work(unit, folder)
        if not student:
            _fail("say who you are: --student ID, as on the course's list", 2)
        if not re.fullmatch(r"[\w.@+-]+", student) or student.startswith("."):
            _fail(f"{student!r} is no identity: use letters, digits, and . @ + - _", 2)
        missing = []
        for name in unit.files:
            try:
                read(place / name)
            except UnreadableError as error:
                missing.append(str(error))
        if missing:
            _fail(f"nothing was packed: {'; '.join(missing)}", 1)
        path = Path(f"{unit.name}-{student}.zip")
        again = path.exists()
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in (*unit.files, f"{unit.name}.ipynb"):
                if (place / name).is_file():
                    archive.write(place / name, name)
        typer.echo(f"{path}: {', '.join(unit.files)}{' (packed again)' if again else ''}. Hand in this file.")


def _work(unit: Unit, folder: Path | None) -> Path:
    """Where a student's files lie."""
    if folder is not None:
        if not folder.is_dir():
            _fail(f"there is no folder {folder}; `mindl lab start {unit.number}` lays one", 2)
        return folder
    here = Path()
    if (here / unit.file).is_file():
        return here
    if (here / unit.name).is_dir():
        return here / unit.name
    _fail(
        f"neither {unit.file} nor a folder {unit.name} is here: name the folder, or lay it with "
        f"`mindl lab start {unit.number}`",
        2,
    )


# Tutors


@lab.command(rich_help_panel=TUTORS)
def course(folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of the course.")]) -> None:
    """Lay the folder of a course: settings, roster, secret seed. What is there stays as it is."""
    with _plain_errors():
        made = create(folder)
        typer.echo(f"{made.folder}: fill roster.csv (student,name,email), and look at course.toml.")
        typer.echo("secret.seed is what hidden checks draw from. Keep a copy of it, and keep it to yourself.")


@lab.command(rich_help_panel=TUTORS)
def collect(
    number: Number,
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="A folder, or an archive of your platform.")],
    pattern: Annotated[
        str | None,
        typer.Option(
            "--pattern", help="moodle, canvas, lab, folder, or like 'week1/{student}/{file}'; else the course's."
        ),
    ] = None,
    folder: CourseFolder = Path(),
) -> None:
    """Take submissions into the course. Of several of one student the last counts."""
    with _plain_errors():
        from mindl_lab import tutor

        unit, settings = units.unit(number), opened(folder)
        found = tutor.collect(settings, unit, source, pattern)
        roster = settings.roster
        for student in roster:
            for submission in found.students.get(student.student, []):
                for problem in submission.problems:
                    typer.echo(f"  {student.student}: {problem}")
            if len(found.students.get(student.student, [])) > 1:
                typer.echo(
                    f"  {student.student}: {len(found.students[student.student])} submissions, the last counts"
                )
        for submission in found.unknown:
            typer.echo(f"  {submission.who} is not on the roster: laid aside in unknown/")
        if found.unmatched:
            few = ", ".join(found.unmatched[:3])
            typer.echo(f"  {len(found.unmatched)} files do not fit the pattern and were left: {few}, ...")
        none = [student.student for student in roster if student.student not in found.students]
        typer.echo(f"{len(found.students)} of {len(roster)} students handed in.")
        if none and found.students:
            typer.echo(f"Nothing from: {', '.join(none[:20])}{', ...' if len(none) > 20 else ''}")
    raise typer.Exit(0 if found.students else 1)


def _grade(number: int, folder: Path, students: list[str] | None, workers: int, *, again: bool) -> None:
    with _plain_errors():
        from mindl_lab import tutor

        unit, settings = units.unit(number), opened(folder)
        chosen = _known(settings, students)
        done = failed = 0
        there = tutor.newest(settings, unit, chosen)
        if not there:
            _fail(f"nobody has handed in unit {number} yet; `mindl lab collect {number} SOURCE` comes first", 1)
        with _book(settings) as book:
            for turn in tutor.grade(
                settings, unit, book, students=chosen, again=again, workers=workers, warn=_warn
            ):
                done += 1
                said = "is graded already"
                if turn.report is not None:
                    failed += bool(turn.report.problems)
                    said = f"{turn.report.points:g} of {unit.points:g}"
                    said += "".join(f"; {problem}" for problem in turn.report.problems[:1])
                typer.echo(f"  {done:>4}/{len(there)}  {turn.student}: {said}")
        typer.echo(f"{done} graded; {failed} with files that could not be read.")


Workers = Annotated[int, typer.Option("--workers", min=1, max=64, help="How many at a time.")]


@lab.command(rich_help_panel=TUTORS)
def grade(number: Number, students: Students = None, workers: Workers = 2, folder: CourseFolder = Path()) -> None:
    """Grade what is not graded yet. Interrupted, it goes on from there."""
    _grade(number, folder, students, workers, again=False)


@lab.command(rich_help_panel=TUTORS)
def regrade(
    number: Number, students: Students = None, workers: Workers = 2, folder: CourseFolder = Path()
) -> None:
    """Grade again; manual points stay."""
    _grade(number, folder, students, workers, again=True)


@lab.command(rich_help_panel=TUTORS, context_settings={"ignore_unknown_options": True})
def points(
    number: Number,
    student: Annotated[str, typer.Argument(metavar="STUDENT")],
    value: Annotated[float, typer.Argument(metavar="POINTS", help="May be negative.")],
    why: Annotated[str, typer.Option("--why", help="The reason; the student reads it.")],
    folder: CourseFolder = Path(),
) -> None:
    """Give points by hand, or take them, with a reason."""
    with _plain_errors():
        unit, settings = units.unit(number), opened(folder)
        (who,) = _known(settings, [student])
        if not abs(value) <= unit.points:
            _fail(f"{value:g} points are more than the unit has ({unit.points:g})", 2)
        with _book(settings) as book:
            book.enrol(settings.roster)
            book.give(unit.name, who, value, why)
            total = book.grades(unit.name)[who].points
        typer.echo(f"{who}: {value:+g} ({why}); {total:g} of {unit.points:g} points now.")


@lab.command(rich_help_panel=TUTORS)
def feedback(number: Number, students: Students = None, folder: CourseFolder = Path()) -> None:
    """Write one page for each student."""
    with _plain_errors():
        from mindl_lab.feedback import page

        unit, settings = units.unit(number), opened(folder)
        chosen = set(_known(settings, students))
        place = settings.folder / "feedback" / unit.name
        place.mkdir(parents=True, exist_ok=True)
        written = 0
        with _book(settings) as book:
            grades = book.grades(unit.name)
            for student in book.students():
                if student.student in grades and (not chosen or student.student in chosen):
                    text = page(unit, student, grades[student.student], share=settings.share)
                    (place / f"{student.student}.html").write_text(text, encoding="utf-8")
                    written += 1
        if not written:
            _fail(f"nobody has a grade in unit {number}; `mindl lab grade {number}` comes first", 1)
        typer.echo(f"{written} pages in {place}")


@lab.command(rich_help_panel=TUTORS)
def export(
    numbers: Annotated[
        list[int] | None, typer.Argument(metavar="N...", help="Assignments; by default all.")
    ] = None,
    style: Annotated[
        str, typer.Option("--format", help="csv, moodle, canvas, or results: one results.json per student.")
    ] = "csv",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="OUT", help="File; a folder for results.")
    ] = None,
    folder: CourseFolder = Path(),
) -> None:
    """Write the grades for a learning platform."""
    with _plain_errors():
        from mindl_lab import exporting

        settings = opened(folder)
        chosen = [units.unit(number) for number in numbers] if numbers else units.units()
        if style not in (*exporting.FORMATS, "results"):
            _fail(f"{style} is no format; there are {', '.join(exporting.FORMATS)}, results", 2)
        with _book(settings) as book:
            grades = {unit.name: book.grades(unit.name) for unit in chosen}
            roster = book.students()
        if not any(grades.values()):
            _fail("the gradebook has no grades of these assignments", 1)
        if style == "results":
            place = output or settings.folder / "results"
            count = 0
            for unit in chosen:
                for student, grade in grades[unit.name].items():
                    path = place / unit.name / student / "results.json"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(exporting.results(grade), encoding="utf-8")
                    count += 1
            typer.echo(f"{count} files in {place}")
            return
        text = exporting.table(style, chosen, roster, grades)
        path = output or settings.folder / f"grades-{style}.csv"
        path.write_text(text, encoding="utf-8", newline="")
        typer.echo(f"{path}: {len(roster)} students, {len(chosen)} assignments")


@lab.command(rich_help_panel=TUTORS)
def similar(
    number: Number,
    share: Annotated[float, typer.Option("--share", min=0, max=1, help="Show pairs from this share on.")] = 0.5,
    folder: CourseFolder = Path(),
) -> None:
    """Show which submissions resemble each other beyond the template. A reason to look, never a verdict."""
    with _plain_errors():
        from mindl_lab import tutor
        from mindl_lab.similar import pairs

        unit, settings = units.unit(number), opened(folder)
        texts = {}
        for student, place in tutor.newest(settings, unit).items():
            path = place / unit.file
            if path.is_file():
                texts[student] = path.read_text(encoding="utf-8", errors="replace")
        found = pairs(texts, (unit.student / unit.file).read_text(encoding="utf-8"))
        shown = [pair for pair in found if pair.share >= share]
        for pair in shown:
            (a, b), (c, d) = pair.lines
            typer.echo(f"  {pair.share:>4.0%}  {pair.first} (lines {a}-{b})  {pair.second} (lines {c}-{d})")
        typer.echo(f"{len(shown)} pairs of {len(texts)} texts share {share:.0%} or more of what is their own.")
        if shown:
            typer.echo("Look at both texts before you speak with anybody.")


def _known(settings: Course, students: list[str] | None) -> list[str]:
    known = {student.student for student in settings.roster}
    for student in students or []:
        if student not in known:
            _fail(f"{student} is not on the roster", 2)
    return list(students or [])


def _book(settings: Course) -> Gradebook:
    from mindl_lab.gradebook import Gradebook

    return Gradebook(settings.gradebook)


if __name__ == "__main__":
    sys.exit(lab())
