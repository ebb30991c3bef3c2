"""A rule: what is looked for, what of the record it needs, and the function that judges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mindl.diagnosis.course import Course
from mindl.diagnosis.limits import Limits
from mindl.diagnosis.symptom import Symptom


@dataclass(frozen=True)
class Rule:
    """Looks for one symptom.

    Attributes:
        name: of the symptom.
        looks_like: what it is, in half a sentence.
        needs: dotted names that the record must have.
        judge: the symptom, or None.
        least: values that each of them must have.
    """

    name: str
    looks_like: str
    needs: tuple[str, ...]
    judge: Callable[[Course, Limits], Symptom | None]
    least: int = 1

    def lacks(self, course: Course) -> str | None:
        """What the record would have to have beside, in words; None where it has all."""
        for need in self.needs:
            count = len(course.looks(need))
            if count == 0:
                return f"needs {need!r} in the record"
            if count < self.least:
                return f"needs {need!r} at {self.least} steps or more, and there are {count}"
        return None
