"""When a network pays: the accuracies that it reaches earlier than every solver alone, and a sentence about them.

A network alone is judged at equal energy, not at an equal bound: without a dual field it proves little, however
good it is. A network that a solver finishes is judged by what is proved, like the solver alone; where nothing can
be proved (kind ``"gradient"``), by the measured energy excess too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mindl.solvers import Solution

CLEARLY = 0.9
"""A network pays where it takes less than this share of a solver's time: medians of three runs vary by as much."""


@dataclass(frozen=True)
class Course:
    """How accurate a method was after how many seconds; smaller is better, NaN is no answer."""

    seconds: tuple[float, ...]
    accuracy: tuple[float, ...]

    @staticmethod
    def proved(solution: Solution) -> Course:
        """The bound relative to its scale at every check; of several images that of the worst.

        The last check counts as the tolerance where the rule was met by the proved distance.
        """
        trace = solution.trace
        relative = torch.where(trace.bound == 0, 0, trace.bound / trace.scale).amax(dim=1).tolist()
        if solution.stop.tolerance is not None and solution.outcome.met:
            relative[-1] = min(relative[-1], solution.stop.tolerance)
        return Course(tuple(trace.seconds.tolist()), tuple(relative))

    def reaches(self, accuracy: float) -> float:
        """The first time at which it is as accurate; infinite if it never is.

        >>> Course((0.1, 0.2, 0.4), (1.0, 1e-2, 1e-3)).reaches(1e-2)
        0.2
        """
        return next((t for t, a in zip(self.seconds, self.accuracy, strict=True) if a <= accuracy), math.inf)


@dataclass(frozen=True)
class Method:
    """A solver, a network, or one after the other: its energy excess over time, and what its checks said.

    ``kind`` is that of the certificate at its checks; courses of different kinds cannot be compared.
    """

    name: str
    excess: Course
    proved: Course
    kind: str


@dataclass(frozen=True)
class Duel:
    """To an accuracy: seconds with the network, and those of the fastest solver without; infinite: never."""

    accuracy: float
    seconds: float
    solver: str
    solver_seconds: float

    @property
    def pays(self) -> bool:
        """Whether the network is clearly faster."""
        return self.seconds < math.inf and self.seconds < CLEARLY * self.solver_seconds

    @property
    def met(self) -> bool:
        """Whether anybody is as accurate."""
        return min(self.seconds, self.solver_seconds) < math.inf

    def record(self) -> dict[str, Any]:
        """For JSON, which knows no infinity and no NaN."""
        return {
            "accuracy": _known(self.accuracy),
            "seconds": _known(self.seconds),
            "solver": self.solver,
            "solver_seconds": _known(self.solver_seconds),
            "pays": self.pays,
        }


@dataclass(frozen=True)
class BreakEven:
    """Where one network pays for one model on one photograph and machine.

    Attributes:
        model: its name.
        size: width and height of the photograph.
        threads: of the processor.
        net: the network's name.
        finished: the name of the network with the solver that goes on.
        alone: at the energy of the network's answer as it is.
        duels: to accuracies from coarse to fine, with the solver that goes on.
        measured: whether these are energy excesses rather than proved bounds.
    """

    model: str
    size: tuple[int, int]
    threads: int
    net: str
    finished: str
    alone: Duel
    duels: tuple[Duel, ...]
    measured: bool = False

    @property
    def paying(self) -> tuple[Duel, ...]:
        """The accuracies to which network and solver are faster than the solver alone."""
        return tuple(duel for duel in self.duels if duel.pays)

    @property
    def pays(self) -> bool:
        """Whether it pays at all."""
        return self.alone.pays or bool(self.paying)

    @property
    def since(self) -> float | None:
        """After how many seconds the network is ahead, and stays so as long as it pays; None where it never is."""
        if self.alone.pays:
            return self.alone.seconds
        return self._begin().seconds if self.paying else None

    @property
    def sentence(self) -> str:
        """All of it in one sentence."""
        return f"{self.where}: {self._verdict()}."

    @property
    def where(self) -> str:
        """Model, size and threads."""
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{self.model} ({self.size[0]} x {self.size[1]}, {threads})"

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "sentence": self.sentence,
            "net": self.net,
            "pays": self.pays,
            "width": self.size[0],
            "height": self.size[1],
            "threads": self.threads,
            "alone": self.alone.record(),
            "finished": [duel.record() for duel in self.duels],
            "accuracy": "energy excess" if self.measured else "proved",
        }

    def _verdict(self) -> str:
        if not self.alone.solver:
            return f"{self.net} was compared with no solver, name one that accepts {self.model}"
        last = next((duel for duel in reversed(self.duels) if duel.met), None)
        if self.alone.pays:
            return self._first_answer(last)
        if not self.paying or last is None:
            tail = "" if last is None else f"; {self._with_and_without(last)}"
            return f"{self.net} never pays on this photograph: {self._too_late()}{tail}"
        finest = self.paying[-1]
        if finest is last:
            return f"{self.finished} pays from {self._level(self._begin())} down: {self._against(last)}"
        levels = " and ".join(self._level(duel) for duel in self.paying)
        return f"{self.finished} pays to {levels} only: {self._against(finest)}; {self._with_and_without(last)}"

    def _first_answer(self, last: Duel | None) -> str:
        mine, other = _times(self.alone.seconds, self.alone.solver_seconds)
        if self.alone.solver_seconds == math.inf:
            how = f"its energy is reached by no solver, it takes {mine}"
        else:
            faster = f" ({_faster(self.alone)} times faster)" if self.alone.seconds > 0 else ""
            how = f"its energy is reached by {self.alone.solver} after {other}, it takes {mine}{faster}"
        if last is None:
            return f"{self.net} pays from the first answer on: {how}"
        if last.pays:
            return f"{self.net} pays from the first answer on: {how}; {self._against(last)}"
        until = f"down to {self._level(self.paying[-1])} only" if self.paying else "as it is only"
        return f"{self.net} pays {until}: {how}; {self._with_and_without(last)}"

    def _too_late(self) -> str:
        if not math.isfinite(self.alone.accuracy):
            return "its answer has no finite energy"
        mine, other = _times(self.alone.seconds, self.alone.solver_seconds)
        share = f"{_two_digits(100 * max(self.alone.accuracy, 0.0))} %"
        return f"{self.alone.solver} reaches the network's {share} in {other}, the network takes {mine}"

    def _begin(self) -> Duel:
        """The coarsest accuracy from which on it pays throughout."""
        begin = self.paying[-1]
        for duel in reversed(self.duels):
            if duel.pays:
                begin = duel
            elif duel.met:
                break
        return begin

    def _against(self, duel: Duel) -> str:
        mine, other = _times(duel.seconds, duel.solver_seconds)
        rest = f"against {other}" if duel.solver_seconds < math.inf else "where no solver alone gets there"
        return f"to {self._level(duel)} {mine} {rest}"

    def _with_and_without(self, duel: Duel) -> str:
        mine, other = _times(duel.seconds, duel.solver_seconds)
        if duel.seconds == math.inf:
            return f"to {self._level(duel)} it takes {other} without the network, and never gets there with it"
        return f"to {self._level(duel)} it takes {mine} with the network and {other} without"

    def _level(self, duel: Duel) -> str:
        if self.measured:
            return f"an energy excess of {_two_digits(100 * duel.accuracy)} %"
        return short_power(duel.accuracy)


def break_even(
    model: str,
    size: tuple[int, int],
    threads: int,
    solvers: Sequence[Method],
    alone: Method,
    finished: Method,
    tolerance: float,
) -> BreakEven:
    """Whether and where a network pays: alone at its own energy, with a solver to each power of ten.

    Args:
        model: its name.
        size: width and height of the photograph.
        threads: of the processor.
        solvers: those that begin without the network.
        alone: the network's answer, a course of one point.
        finished: the network followed by a solver.
        tolerance: the finest accuracy.
    """
    measured = finished.kind == "gradient"
    rivals = [s for s in solvers if measured or s.kind == finished.kind]

    def duel(accuracy: float, own: Course, others: Sequence[tuple[str, Course]]) -> Duel:
        times = [(course.reaches(accuracy), name) for name, course in others]
        best, name = min(times, default=(math.inf, ""), key=lambda pair: pair[0])
        return Duel(accuracy, own.reaches(accuracy), name, best)

    energies = [(s.name, s.excess) for s in solvers]
    bounds = [(s.name, s.excess if measured else s.proved) for s in rivals]
    own = finished.excess if measured else finished.proved
    return BreakEven(
        model=model,
        size=size,
        threads=threads,
        net=alone.name,
        finished=finished.name,
        alone=duel(alone.excess.accuracy[0], alone.excess, energies),
        duels=tuple(duel(level, own, bounds) for level in levels(tolerance)),
        measured=measured,
    )


def levels(tolerance: float) -> list[float]:
    """A tenth, a hundredth and so on, and the tolerance in the end.

    >>> levels(3e-3)
    [0.1, 0.01, 0.003]
    """
    powers = [10.0**-k for k in range(1, 17)]
    return [*(p for p in powers if p > 1.001 * tolerance), tolerance]


def unserved(models: Sequence[str]) -> str:
    """The sentence about models without a network.

    >>> unserved(["tgv"]), unserved(["tgv", "huber_rof"])
    ('no network serves tgv.', 'no network serves tgv or huber_rof.')
    """
    *first, last = dict.fromkeys(models)
    return f"no network serves {', '.join(first)}{' or ' if first else ''}{last}."


def short_power(number: float) -> str:
    """Two digits and a short exponent.

    >>> short_power(1e-4), short_power(2.5e-3)
    ('1e-4', '2.5e-3')
    """
    mantissa, exponent = f"{number:.1e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def _times(*seconds: float) -> list[str]:
    """Two digits each, all in one unit: milliseconds where none takes a fifth of a second."""
    finite = [s for s in seconds if s < math.inf]
    if max(finite, default=0.0) < 0.2:
        return [f"{_two_digits(1000 * s)} ms" for s in seconds]
    return [f"{_two_digits(s)} s" for s in seconds]


def _two_digits(number: float) -> str:
    return f"{float(f'{number:.1e}'):.12g}" if math.isfinite(number) else "inf"


def _faster(duel: Duel) -> str:
    return _two_digits(duel.solver_seconds / duel.seconds)


def _known(number: float) -> float | None:
    return number if math.isfinite(number) else None
