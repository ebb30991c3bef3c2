"""When the certificate of a running solver is computed: often it can be foreseen that it does not suffice yet."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from mindl.core.arrays import PerImage, PerImageFlag
from mindl.models.certificate import Certificate
from mindl.solvers.stop import Stop

GRAIN = 10
"""Steps between two checks where nothing else is said and nothing foreseen."""

FARTHEST = 10
"""So many checks are left out at most, one after the other: somebody may look on."""

DOUBT = 1.5
"""A check is left out if the measure is larger than asked by this factor, as the solver's own residual tells."""


@dataclass
class Course:
    """Of an image: its last check, as steps, ``Stop.excess`` and the solver's residual; when the next is due."""

    steps: int = 0
    excess: float = math.inf
    residual: float = math.nan
    due: int = 0


class Checks:
    """The checks of each image of a batch. It is not judged at those of its mates: alone it would not have been.

    With ``stop.every`` they come after so many steps. Otherwise after every 10 steps, or after every step of a
    heavy solver, but for those that are sure to fail: because the measure is proportional to a residual that
    the solver knows (``Solver.residual``), or else by how it has fallen (``foreseen``).
    """

    def __init__(self, stop: Stop, heavy: bool, batch: int) -> None:
        self.stop, self.heavy = stop, heavy
        self.grain = 1 if heavy else stop.every or GRAIN
        self.free = stop.every is None and stop.tolerance is not None
        self.courses = [Course() for _ in range(batch)]

    def due(self, count: int) -> PerImageFlag:
        """Whose check it is after so many steps: everybody's at the end."""
        return torch.tensor([count in (course.due, self.stop.steps) for course in self.courses])

    def looked(self, count: int, certificate: Certificate, residual: PerImage | None) -> None:
        """Settle the next check of those whose check this was."""
        excess = self.stop.excess(certificate).tolist()
        for b, course in enumerate(self.courses):
            if course.due > count:
                continue
            before, now = (course.steps, course.excess), (count, excess[b])
            if self.free and not self.heavy and residual is None:
                course.due = foreseen(before, now)
            else:
                course.due = count + self.grain
            course.steps, course.excess = now
            course.residual = math.nan if residual is None else float(residual[b])

    def next(self, count: int, done: PerImageFlag) -> int:
        """The next check of any image that is not done."""
        waiting = [course.due for course, over in zip(self.courses, done.tolist(), strict=True) if not over]
        return min([*waiting, self.stop.steps])

    def postponed(self, count: int, done: PerImageFlag, residual: PerImage | None, stuck: PerImageFlag) -> bool:
        """Leave out the checks after ``count`` steps that are sure to fail; whether nobody's is left."""
        if not self.free or residual is None or count >= self.stop.steps:
            return False
        left = True
        stopped = (done | stuck).expand(len(self.courses)).tolist()
        over = done.tolist()
        for b, course in enumerate(self.courses):
            if over[b] or course.due > count:
                continue
            now = course.excess * float(residual[b]) / course.residual if course.residual > 0 else math.nan
            if DOUBT < now < math.inf and not stopped[b] and count < course.steps + FARTHEST * self.grain:
                course.due = count + self.grain
            else:
                left = False
        return left


def foreseen(before: tuple[int, float], now: tuple[int, float]) -> int:
    """After how many steps to look again, from the steps done and the ``Stop.excess`` at two checks.

    Halfway between what a power law and a geometric one promise, in whole tens; at most twice the steps that are
    done, and at most 100 more.

    >>> foreseen((20, 900.0), (40, 100.0)), foreseen((40, 100.0), (80, 2.0))
    (80, 90)
    """
    (first, high), (count, low) = before, now
    if first < 1 or not 1 < low < high < math.inf:
        return count + GRAIN
    fall = math.log(high / low)
    geometric = (count - first) * math.log(low) / fall
    power = count * math.expm1(min(math.log(low) * math.log(count / first) / fall, 1.0))
    more = min((geometric + power) / 2, count, FARTHEST * GRAIN)
    return count + GRAIN * max(1, int(more / GRAIN))
