"""What a work leaves: a contest, sweeps over memory, or times for several sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

from mindl.app.speed.contender import Measurement, Verdict, fastest
from mindl.app.speed.measure import Settings, Tell


@dataclass(frozen=True)
class Stage:
    """What a work is given: how much to measure, and whom to tell."""

    settings: Settings
    tell: Tell

    def verdicts(self, found: list[Verdict]) -> tuple[Verdict, ...]:
        """Goals are for the full sizes: in a quick run nothing is met or missed."""
        return tuple(replace(each, met=None) if self.settings.quick else each for each in found)


@dataclass(frozen=True)
class Contest:
    """Several ways to one answer.

    Attributes:
        name, title: of the work.
        measure: what the accuracy is.
        target: the accuracy that was asked for; less is better.
        told: what a reader should know.
        measurements: one for each contender.
        verdicts: on the goals.
        mine: the library's own contenders, whose fastest the others are held against.
        missing: packages that are not installed.
    """

    name: str
    title: str
    measure: str
    target: float
    told: tuple[str, ...]
    measurements: tuple[Measurement, ...]
    verdicts: tuple[Verdict, ...]
    mine: tuple[str, ...]
    missing: tuple[str, ...] = ()

    def ratio(self, measurement: Measurement) -> float | None:
        """Its whole time over that of the library's fastest."""
        own = fastest({each.contender: each for each in self.measurements}, self.mine)
        return None if own is None else measurement.total / own.total


@dataclass(frozen=True)
class Sweep:
    """One step of a method over a whole image: the time of a step in each run."""

    contender: str
    seconds: tuple[float, ...]

    @property
    def time(self) -> float:
        """The median."""
        return median(self.seconds)


@dataclass(frozen=True)
class Sweeps:
    """Steps that walk through memory: ``bytes`` by the plain count, ``copy`` the bandwidth of a copy."""

    name: str
    title: str
    told: tuple[str, ...]
    sweeps: tuple[Sweep, ...]
    bytes: int
    copy: float
    verdicts: tuple[Verdict, ...]
    missing: tuple[str, ...] = ()

    def share(self, sweep: Sweep) -> float:
        """The bytes of a step in its time, over those of a copy; above 1 where steps share a passage."""
        return self.bytes / sweep.time / self.copy


@dataclass(frozen=True)
class Point:
    """A model solved at one size: wall times, and the last proof's share of them."""

    model: str
    contender: str
    side: int
    seconds: tuple[float, ...]
    proof: float = 0.0
    steps: int | None = None
    memory: float | None = None
    outcome: str = ""

    @property
    def total(self) -> float:
        """The median."""
        return median(self.seconds)

    @property
    def per_pixel(self) -> float:
        """Seconds a pixel."""
        return self.total / self.side**2


@dataclass(frozen=True)
class Sizes:
    """Times for several sizes."""

    name: str
    title: str
    told: tuple[str, ...]
    points: tuple[Point, ...]
    verdicts: tuple[Verdict, ...]
    missing: tuple[str, ...] = ()


Chapter = Contest | Sweeps | Sizes
Work = Callable[[Stage], Chapter]
