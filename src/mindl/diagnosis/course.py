"""The record of a run as curves."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mindl.core.records import Row
from mindl.diagnosis.shape import as_number, is_number

Numbers = npt.NDArray[np.float64]

SHORT = 50
"""Values in a short window."""

PLACES = 1000
"""Running medians are computed at so many places at most."""


@dataclass(frozen=True, eq=False)
class Curve:
    """One number over the steps where it was written down; NaN where it was no number.

    Attributes:
        steps: from 1.
        values: one for each.
    """

    steps: Numbers
    values: Numbers

    def __len__(self) -> int:
        return len(self.values)

    def __bool__(self) -> bool:
        return len(self.values) > 0

    @property
    def finite(self) -> Curve:
        """Where it is a number."""
        good = np.isfinite(self.values)
        return Curve(self.steps[good], self.values[good])

    def between(self, first: float, last: float) -> Curve:
        """On the steps from ``first`` to ``last``."""
        there = (self.steps >= first) & (self.steps <= last)
        return Curve(self.steps[there], self.values[there])

    def smooth(self, width: int) -> Curve:
        """Running medians over about ``width`` values; the ends have shorter ones."""
        half, count = width // 2, len(self.values)
        # Of long courses at some places only, with straight lines between them.
        places = np.unique(np.linspace(0, max(count - 1, 0), min(count, PLACES)).astype(int))
        # Short windows are sorted faster by Python than by NumPy.
        values = self.values.tolist() if width <= SHORT else self.values
        middle = statistics.median if width <= SHORT else np.median
        medians = [float(middle(values[max(0, i - half) : i + half + 1])) for i in places.tolist()]
        return Curve(self.steps, np.interp(np.arange(count), places, medians) if count else self.values)


@dataclass(frozen=True, eq=False)
class Course:
    """A training run as it was written down.

    Attributes:
        rows: one for each step, in order; ``rows[i]["step"]`` is there.
        config: what the run was founded with; empty where that is not known.
        notes: what was wrong with the record, in sentences.
        folder: where it is, if anywhere.
    """

    rows: list[Row]
    config: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    folder: Path | None = None
    _curves: dict[str, Curve] = field(default_factory=dict, init=False, repr=False)

    @property
    def steps(self) -> int:
        """The last step."""
        return int(self.rows[-1]["step"]) if self.rows else 0

    @property
    def in_units(self) -> bool:
        """Whether a loss of 1 is that of doing nothing: in records of mindl."""
        return bool(self.training) or any("look" in row or "excess" in row for row in self.rows)

    @property
    def training(self) -> dict[str, Any]:
        """The settings of the training, as far as they are known."""
        found = self.config.get("training")
        return found if isinstance(found, dict) else {}

    @property
    def net(self) -> dict[str, Any]:
        """What is known of the network: ``kind``, ``shapes``, ``frozen``."""
        found = self.config.get("net")
        return found if isinstance(found, dict) else {}

    @property
    def shapes(self) -> dict[str, list[int]]:
        """The shapes of the network's tensors by name, as far as they are known."""
        found = self.net.get("shapes")
        named = found.items() if isinstance(found, dict) else ()
        return {name: shape for name, shape in named if isinstance(shape, list) and all(map(is_number, shape))}

    @property
    def frozen(self) -> set[str]:
        """Names of tensors that are not to learn, as far as they are known."""
        found = self.net.get("frozen")
        return {name for name in found if isinstance(name, str)} if isinstance(found, list) else set()

    @property
    def planned(self) -> int:
        """How many steps there were to be; those that were done where that is not known."""
        planned = self.training.get("steps")
        return planned if isinstance(planned, int) and planned > 0 else self.steps

    @property
    def finished(self) -> bool:
        """Whether all steps were done, as far as is known."""
        return self.steps >= self.planned

    def curve(self, name: str) -> Curve:
        """A number by its dotted name, ``"look.seen.loss"``; empty where it was never written down."""
        if name not in self._curves:
            path = name.split(".")
            there = [(row["step"], _within(row, path, ...)) for row in self.rows]
            found = [(step, _number(value)) for step, value in there if value is not ...]
            steps, values = zip(*found, strict=True) if found else ((), ())
            self._curves[name] = Curve(np.asarray(steps, dtype=np.float64), np.asarray(values, dtype=np.float64))
        return self._curves[name]

    def looks(self, name: str) -> list[tuple[int, Any]]:
        """(step, value) of whatever was written down under a dotted name: a number, a list, a table."""
        path = name.split(".")
        found = [(int(row["step"]), _within(row, path)) for row in self.rows]
        return [(step, value) for step, value in found if value is not None]

    def has(self, name: str) -> bool:
        """Whether anything was written down under a dotted name."""
        return bool(self.looks(name))


def _within(row: Any, path: Sequence[str], missing: Any = None) -> Any:
    for name in path:
        if not isinstance(row, dict) or name not in row:
            return missing
        row = row[name]
    return row


def _number(value: object) -> float:
    """NaN for null, which stands for NaN and infinity."""
    found = as_number(value)
    return math.nan if found is None else found
