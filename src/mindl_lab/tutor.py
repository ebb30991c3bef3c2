"""What a tutor's verbs do: grade everybody's newest submission, several at a time, and resume."""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mindl_lab import collecting
from mindl_lab.collecting import Collected
from mindl_lab.course import Course
from mindl_lab.gradebook import Gradebook
from mindl_lab.grading import LIMITS, Report, graded
from mindl_lab.sandbox import Guarded, GuardError, Limits, Sandbox
from mindl_lab.units import Unit

WARM = ("torch", "mindl.images", "mindl.calculus", "mindl.models", "mindl.solvers")
"""What units import from mindl; a second saved for each process."""


@dataclass(frozen=True)
class Done:
    """One student's turn: ``report`` is None where the grade was up to date already."""

    student: str
    folder: Path
    report: Report | None


def collect(course: Course, unit: Unit, source: Path, pattern: str | None) -> Collected:
    """Take submissions from a folder or archive into the course. Raises CollectError."""
    found = collecting.collect(source, pattern or course.pattern, course.roster, unit.files)
    for student, submissions in found.students.items():
        for submission in submissions:
            collecting.keep(submission, course.submissions(unit.name, student))
    for submission in found.unknown:
        safe = "".join(c if c.isalnum() or c in " -_@+" else "_" for c in submission.who)[:80] or "nobody"
        collecting.keep(submission, course.folder / "unknown" / unit.name / safe)
    return found


def newest(course: Course, unit: Unit, students: Sequence[str] = ()) -> dict[str, Path]:
    """The submission that counts, for each student who handed in."""
    asked = list(students) or [student.student for student in course.roster]
    places = {student: collecting.latest(course.submissions(unit.name, student)) for student in asked}
    return {student: place for student, place in places.items() if place is not None}


def fingerprint(course: Course, unit: Unit, folder: Path) -> str:
    """Of what a grade is made: submission, unit and seed."""
    state = hashlib.sha256(f"{folder.name}\0{course.seed}\0".encode())
    for name in ("unit.json", "checks.py"):
        state.update((unit.folder / name).read_bytes())
    return state.hexdigest()


def grade(
    course: Course,
    unit: Unit,
    book: Gradebook,
    *,
    students: Sequence[str] = (),
    again: bool = False,
    workers: int = 2,
    limits: Limits = LIMITS,
    warn: Callable[[str], None] = lambda _: None,
) -> Iterator[Done]:
    """Grade the newest submission of each student, and yield each as soon as it stands in the gradebook.

    What is graded already is passed over, unless ``again``. ``warn`` is told what the sandbox cannot wall off.
    Raises GuardError where the sandbox fails; what was graded before stays.
    """
    book.enrol(course.roster)
    todo = newest(course, unit, students)
    fresh = {}
    for student, folder in todo.items():
        mark = fingerprint(course, unit, folder)
        if again or book.fingerprint(unit.name, student) != mark:
            fresh[student] = (folder, mark)
        else:
            yield Done(student, folder, None)
    if not fresh:
        return
    checks = unit.checks.all  # loaded here, before any thread asks for them
    assert checks
    stop = threading.Event()
    with _boxes(min(workers, len(fresh)), course, warn) as boxes:

        def one(folder: Path) -> Report | None:
            if stop.is_set():
                return None
            box = boxes.get()
            try:
                report = graded(unit, folder, box, seed=course.seed, limits=limits)
            finally:
                boxes.put(box)
            noted = collecting.problems(folder)
            return Report(report.verdicts, [*noted, *report.problems])

        with ThreadPoolExecutor(workers) as pool:
            running: dict[Future[Report | None], str] = {
                pool.submit(one, folder): student for student, (folder, _) in fresh.items()
            }
            try:
                while running:
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        student = running.pop(future)
                        report = future.result()
                        assert report is not None
                        folder, mark = fresh[student]
                        book.write(unit.name, student, folder, mark, report)
                        yield Done(student, folder, report)
            finally:
                stop.set()


@contextmanager
def _boxes(count: int, course: Course, warn: Callable[[str], None]) -> Iterator[queue.Queue[Sandbox]]:
    """A sandbox for each worker."""
    found: queue.Queue[Sandbox] = queue.Queue()
    with ExitStack() as open_ones:
        for slot in range(count):
            box = open_ones.enter_context(Guarded(slot, hidden=(course.folder.resolve(),), warm=WARM))
            if slot == 0:
                for gap in box.missing:
                    warn(gap)
            found.put(box)
        yield found


__all__ = ["Done", "GuardError", "collect", "fingerprint", "grade", "newest"]
