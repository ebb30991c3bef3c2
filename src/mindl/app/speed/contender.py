"""Who is measured, what is measured of it, and the goals that this is held against."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median, quantiles

from mindl.core.arrays import Image

OWN = "mindl"
PLAIN = "mindl, plain torch"
ITERATIONS, TOLERANCE = "{:g} it.", "{:g}"


@dataclass(frozen=True, eq=False)
class Answer:
    """An image, how many steps it took if known, and what share of the wall time its last proof cost."""

    image: Image
    steps: int | None = None
    proof: float = 0.0


Solve = Callable[[float], Answer]
"""From an effort (iterations, or a tolerance) to an answer."""


@dataclass(frozen=True, eq=False)
class Contender:
    """A way to an answer.

    Args:
        name: as in the tables.
        prepare: the set-up (matrices, hierarchies); its time is a column of its own, and counts.
        efforts: what ``Solve`` is called with, from cheap to dear, until the goal's accuracy is reached.
        effort: how one is said; ``ITERATIONS`` may be tried between two of them too, "" means there is no choice.
        note: what else a reader should know.
    """

    name: str
    prepare: Callable[[], Solve]
    efforts: tuple[float, ...] = (1,)
    effort: str = ""
    note: str = ""


@dataclass(frozen=True)
class Trial:
    """An effort, its wall time with set-up, and the accuracy that it reached."""

    effort: float
    seconds: float
    accuracy: float


@dataclass(frozen=True)
class Measurement:
    """What was measured of a contender; times in seconds, one entry a run.

    Attributes:
        setup, solve: of the runs that count; without ``proof``.
        proof: the library's own last proof, median; 0 for others, who prove nothing.
        compile: first call minus second.
        judging: what it took to judge the answer by the reference; counts for nobody.
        effort: the cheapest that reached the accuracy, or the dearest that was tried; ``said`` for a person.
        reached: whether it reached the accuracy that was asked for.
        psnr: to the photograph, in dB.
        trials: the way to the effort.
    """

    contender: str
    effort: float
    said: str
    accuracy: float
    reached: bool
    setup: tuple[float, ...]
    solve: tuple[float, ...]
    proof: float = 0.0
    compile: float = 0.0
    judging: float = 0.0
    psnr: float | None = None
    steps: int | None = None
    note: str = ""
    trials: tuple[Trial, ...] = field(default=(), repr=False)

    @property
    def bare(self) -> float:
        """Median set-up and median solve, without a last proof."""
        return median(self.setup) + median(self.solve)

    @property
    def total(self) -> float:
        """The whole wall time of a call, the last proof included."""
        return self.bare + self.proof


def quartiles(values: tuple[float, ...]) -> tuple[float, float]:
    """The lower and the upper one; of a single value, that value.

    >>> quartiles((1.0, 2.0, 3.0, 4.0, 5.0))
    (2.0, 4.0)
    """
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = quantiles(values, n=4, method="inclusive")
    return low, high


@dataclass(frozen=True)
class Verdict:
    """A goal, what was asked, what was measured, and whether that is enough; None: it could not be judged."""

    goal: str
    asked: str
    measured: str
    met: bool | None


Measured = Mapping[str, Measurement]


class Goal(ABC):
    """What the measurements of a work are held against."""

    @abstractmethod
    def judge(self, measured: Measured) -> Verdict:
        """The verdict; who was not measured cannot be judged."""


@dataclass(frozen=True)
class Faster(Goal):
    """Wall time of another over that of the fastest of ``mine`` that is accurate enough, for the same answer.

    mindl's last proof is left out where it is judged, since nobody else gives one, and the ratio with it is told
    too. Of one that was not accurate enough the ratio is a lower bound.
    """

    against: str
    asked: float
    mine: tuple[str, ...] = (OWN,)

    def judge(self, measured: Measured) -> Verdict:
        """The ratio; in brackets with the last proof."""
        goal, asked = f"faster than {self.against}", f"{self.asked:g} x"
        other, own = measured.get(self.against), fastest(measured, self.mine)
        if other is None or own is None:
            return Verdict(goal, asked, "not measured" if other is None else "accuracy not reached", None)
        ratio, bare = other.total / own.total, other.bare / own.bare
        told = f"{'' if other.reached else '> '}{times(bare)}"
        if not math.isclose(ratio, bare, rel_tol=0.02):
            told += f" ({times(ratio)} with the proof)"
        return Verdict(goal, asked, told, bare >= self.asked)


@dataclass(frozen=True)
class Sharper(Goal):
    """More PSNR than another."""

    against: str
    mine: str = OWN

    def judge(self, measured: Measured) -> Verdict:
        """Both PSNRs."""
        other, own = measured.get(self.against), measured.get(self.mine)
        if other is None or own is None or other.psnr is None or own.psnr is None:
            return Verdict(f"PSNR better than {self.against}", "> 0 dB", "not measured", None)
        gain = own.psnr - other.psnr
        return Verdict(f"PSNR better than {self.against}", "> 0 dB", f"{gain:+.2f} dB", gain > 0)


@dataclass(frozen=True)
class FewSteps(Goal):
    """A number of steps that is not exceeded."""

    asked: int
    mine: str = OWN

    def judge(self, measured: Measured) -> Verdict:
        """The steps of the last run."""
        goal, asked, own = f"steps of {self.mine}", f"at most {self.asked}", measured.get(self.mine)
        if own is None or own.steps is None:
            return Verdict(goal, asked, "not measured", None)
        return Verdict(goal, asked, f"{own.steps}", own.steps <= self.asked and own.reached)


def fastest(measured: Measured, names: tuple[str, ...]) -> Measurement | None:
    """Who of ``names`` was accurate enough in the least time."""
    able = [measured[name] for name in names if name in measured and measured[name].reached]
    return min(able, key=lambda each: each.total, default=None)


def times(ratio: float) -> str:
    """A ratio for the eye.

    >>> times(0.534), times(7.25), times(123.4)
    ('0.53 x', '7.2 x', '123 x')
    """
    return f"{ratio:.0f} x" if ratio >= 99.5 else f"{ratio:.2g} x"
