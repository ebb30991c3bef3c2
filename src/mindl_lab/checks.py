"""Checks as data: what each is worth, which property it tests, and what it says when the property does not hold.

A unit's ``checks.py`` makes one `Checks` and adds generator functions to it. Each draws its inputs, yields once
the list of `Call` that it needs, receives their arrays, and compares; a comparison that fails raises `Missed` with
what was expected, what came back, and the gap between them::

    checks = Checks("unit01", module="images")

    @checks.add("1.1", points=1, title="Grey levels become values of [0, 1]")
    def _(draw):
        grey = draw.grey_levels(5, 7)
        (u,) = yield [Call("to_unit", grey, returns=(5, 7))]
        close(u, grey / 255, 1e-12, "255 grey levels are 1")

Inputs come from a seed, the unit and the check's own name and from nothing else, so checks can be added without
changing the inputs of the others. A *public* check draws from the seed that everybody knows, a *hidden* one from
the lecturer's; a *quality* check reads the source and calls nothing.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np

from mindl_lab.calls import Call, Result
from mindl_lab.work import Source

PUBLIC_SEED = "public"

Values = list[Any]
Steps = Generator[list[Call], Values, None]


class Tier(Enum):
    """Who sees a check's inputs: everybody, only the lecturer, or nobody since there are none."""

    PUBLIC = "public"
    HIDDEN = "hidden"
    QUALITY = "quality"


class Missed(Exception):
    """A property does not hold. ``expected``, ``actual`` and ``gap`` are for the student to read."""

    def __init__(
        self,
        message: str,
        expected: str = "",
        actual: str = "",
        gap: float | None = None,
        allowed: float | None = None,
    ) -> None:
        super().__init__(message)
        self.expected, self.actual, self.gap, self.allowed = expected, actual, gap, allowed


@dataclass(frozen=True)
class Verdict:
    """What one check says about one submission. ``points`` of ``of``."""

    check: str
    task: int
    title: str
    tier: Tier
    points: float
    of: float
    message: str = ""
    expected: str = ""
    actual: str = ""
    gap: float | None = None
    allowed: float | None = None

    @property
    def passed(self) -> bool:
        """Whether it has all its points."""
        return self.points == self.of


@dataclass(frozen=True)
class Check:
    """One check: its name begins with the number of its task, ``"2.3"`` is the third of task 2."""

    name: str
    points: float
    tier: Tier
    title: str
    steps: Callable[..., Any]

    @property
    def task(self) -> int:
        """The task it belongs to."""
        return int(self.name.split(".")[0])

    def passed(self) -> Verdict:
        """All points."""
        return Verdict(self.name, self.task, self.title, self.tier, self.points, self.points)

    def failed(self, why: str | Missed) -> Verdict:
        """No points, and why."""
        head = (self.name, self.task, self.title, self.tier, 0.0, self.points)
        if isinstance(why, Missed):
            return Verdict(*head, str(why), why.expected, why.actual, why.gap, why.allowed)
        return Verdict(*head, why)


class Draw:
    """Random inputs of one check: a function of seed, unit and check alone."""

    def __init__(self, seed: str, unit: str, check: str) -> None:
        digest = hashlib.sha256(f"{seed}|{unit}|{check}".encode()).digest()
        self.generator = np.random.default_rng(int.from_bytes(digest[:16], "big"))

    def image(self, height: int, width: int) -> np.ndarray:
        """Independent values of [0, 1]."""
        return self.generator.random((height, width))

    def smooth_image(self, height: int, width: int) -> np.ndarray:
        """A sum of five low cosine waves with values of [0, 1]."""
        y, x = np.mgrid[:height, :width]
        waves = np.zeros((height, width))
        for _ in range(5):
            k, m = self.generator.integers(0, 4, 2)
            waves += (
                self.generator.normal()
                * np.cos(np.pi * k * (y + 0.5) / height)
                * np.cos(np.pi * m * (x + 0.5) / width)
            )
        spread = float(np.ptp(waves))
        return (waves - waves.min()) / spread if spread else np.full((height, width), 0.5)

    def grey_levels(self, height: int, width: int) -> np.ndarray:
        """Whole numbers from 0 to 255, both of them among the values."""
        grey = self.generator.integers(0, 256, (height, width)).astype(np.uint8)
        grey.flat[0], grey.flat[-1] = 0, 255
        return grey

    def mask(self, height: int, width: int, share: float) -> np.ndarray:
        """True where a pixel is known: a random share, and at least one."""
        known = self.generator.random((height, width)) < share
        known.flat[self.generator.integers(known.size)] = True
        return known

    def size(self, smallest: int = 5, largest: int = 12) -> tuple[int, int]:
        """Height and width, never the same, so that a mix-up of the axes shows."""
        height, width = self.generator.choice(np.arange(smallest, largest + 1), 2, replace=False)
        return int(height), int(width)

    def number(self, low: float, high: float) -> float:
        """A number between the two, with three digits, so that it reads well in feedback."""
        return float(np.round(self.generator.uniform(low, high), 3))

    def seed(self) -> int:
        """A seed to hand on to the student's function."""
        return int(self.generator.integers(1, 10**6))


@dataclass
class Checks:
    """The checks of a unit, in their order."""

    unit: str
    module: str
    all: list[Check] = field(default_factory=list)

    def add(
        self, name: str, *, points: float, title: str, tier: Tier = Tier.PUBLIC
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """A decorator for a generator function of a `Draw`, or, for quality, a function of a `Source`."""
        if any(check.name == name for check in self.all):
            raise ValueError(f"two checks are named {name}")

        def added(steps: Callable[..., Any]) -> Callable[..., Any]:
            self.all.append(Check(name, points, tier, title, steps))
            return steps

        return added

    def __iter__(self) -> Iterator[Check]:
        return iter(self.all)

    def tasks(self) -> list[int]:
        """The numbers of the tasks that have checks."""
        return sorted({check.task for check in self.all})

    def draw(self, check: Check, seed: str) -> Draw:
        """The inputs of a check: hidden ones from ``seed``, the others from the seed that everybody knows."""
        return Draw(seed if check.tier is Tier.HIDDEN else PUBLIC_SEED, self.unit, check.name)


def begin(check: Check, draw: Draw) -> tuple[Steps, list[Call]]:
    """The running check and the calls it asks for."""
    steps: Steps = check.steps(draw)
    return steps, next(steps)


def judge(check: Check, steps: Steps, calls: list[Call], results: list[Result]) -> Verdict:
    """Hand the results to the check and take its verdict.

    A call that raised, or that did not raise what it had to, fails the check before it compares anything.
    """
    values: Values = []
    for call, result in zip(calls, results, strict=True):
        if call.refuses is not None and result.kind == call.refuses:
            values.append(None)
        elif call.refuses is not None:
            got = result.error or f"`{call.function}` returned a value"
            return check.failed(Missed("this input must be refused", f"a {call.refuses}", got))
        elif result.error is not None:
            return check.failed(result.error)
        elif result.changed:
            return check.failed(f"`{call.function}` changed what it was given: work on a copy")
        else:
            several = isinstance(call.returns, list)
            values.append(result.values if several or call.returns is None else result.values[0])
    try:
        steps.send(values)
    except StopIteration:
        return check.passed()
    except Missed as missed:
        return check.failed(missed)
    raise RuntimeError(f"check {check.name} asks for calls twice; a check yields once")


def judge_source(check: Check, source: Source) -> Verdict:
    """The verdict of a quality check."""
    try:
        check.steps(source)
    except Missed as missed:
        return check.failed(missed)
    return check.passed()


# Comparisons


def close(actual: Any, expected: Any, tolerance: float, what: str) -> None:
    """Raise `Missed` unless no value differs from the expected one by more than ``tolerance``."""
    got, wanted = np.asarray(actual, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        gaps = np.where(got == wanted, 0.0, np.abs(got - wanted))
    gap = float(gaps.max()) if gaps.size else 0.0
    if gap <= tolerance:
        return
    if gaps.ndim == 0:
        raise Missed(what, f"{float(wanted):.6g}", f"{float(got):.6g}", gap, tolerance)
    at = tuple(int(i) for i in np.unravel_index(int(np.argmax(gaps)), gaps.shape))
    place = f" at [{', '.join(map(str, at))}]"
    raise Missed(what, f"{wanted[at]:.6g}{place}", f"{got[at]:.6g}{place}", gap, tolerance)


def at_most(gap: float, allowed: float, what: str) -> None:
    """Raise `Missed` unless a measured gap is at most ``allowed`` (a NaN is not)."""
    if not gap <= allowed:
        raise Missed(what, f"at most {allowed:.3g}", f"{gap:.3g}", gap, allowed)


def between(value: float, low: float, high: float, what: str) -> None:
    """Raise `Missed` unless ``low <= value <= high``."""
    if not low <= value <= high:
        raise Missed(what, f"from {low:.4g} to {high:.4g}", f"{value:.6g}", max(low - value, value - high), 0.0)


# Qualities of the source


def documented(source: Source, *functions: str) -> None:
    """Raise `Missed` unless each function has a docstring of at least four words of its own."""
    for name in functions:
        node = source.function(name)
        if node is None or len((ast.get_docstring(node) or "").split()) < 4:
            raise Missed(f"`{name}` needs a docstring that says what it computes")


def without_loops(source: Source, *functions: str) -> None:
    """Raise `Missed` where a function runs over pixels in Python rather than over arrays in NumPy."""
    loops = (ast.For, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    for name in functions:
        node = source.function(name)
        found = [n.lineno for n in ast.walk(node) if isinstance(n, loops)] if node else [0]
        if found:
            raise Missed(
                f"`{name}` can do without a loop: use slices of whole arrays", "no loop", f"line {found[0]}"
            )


def own_work(source: Source, *allowed: str) -> None:
    """Raise `Missed` where the module imports what the unit does not allow."""
    for name in source.imports():
        if name.split(".")[0] not in {"__future__", *allowed} and name not in allowed:
            raise Missed(
                "the functions are to be your own work", f"imports of {', '.join(allowed)}", f"import of {name}"
            )
