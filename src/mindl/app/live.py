"""A run on the terminal while it goes on: curves in a line each, and what is wrong so far."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mindl.core.errors import MindlError
from mindl.core.records import Row
from mindl.diagnosis import Course, Diagnosis, diagnose

BARS = "▁▂▃▄▅▆▇█"
PLAIN = "_.-~=+*#"
"""For terminals whose code has no blocks."""

COLUMNS = 30
"""Characters of a curve."""


@dataclass(frozen=True)
class Line:
    """A curve of the view.

    Attributes:
        title: in the first column.
        name: in the record.
        form: of its newest value.
        logarithmic: whether it is drawn by its logarithm.
        scale: a factor.
    """

    title: str
    name: str
    form: str
    logarithmic: bool = False
    scale: float = 1.0


LINES = (
    Line("loss", "loss", "{:.4f}", logarithmic=True),
    Line("unseen loss", "unseen.loss", "{:.4f}", logarithmic=True),
    Line("energy excess", "excess", "{:.2f} %", logarithmic=True, scale=100),
    Line("PSNR", "psnr", "{:.2f} dB"),
    Line("gradient", "gradient", "{:.2g}", logarithmic=True),
    Line("step on the parabola", "look.alpha", "{:+.2f} (0 = at the bottom)"),
)


class Live:
    """What is shown of a run that goes on; asked again and again with more of its record."""

    def __init__(self) -> None:
        self._diagnosis: Diagnosis | None = None
        self._judged = 0

    def view(self, rows: Sequence[Row], config: Mapping[str, Any] | None = None) -> RenderableType:
        """The curves so far, and the diagnosis, which is made anew after each examination or look."""
        course = Course(list(rows), dict(config or {}))
        fresh = sum(1 for row in rows if "look" in row or "excess" in row)
        if fresh > self._judged and course.steps >= LEAST:
            self._judged = fresh
            try:
                self._diagnosis = diagnose(course)
            except MindlError:  # a view stops no training
                self._diagnosis = None
        return Group(curves(course), *self._told())

    def _told(self) -> list[Text]:
        if self._diagnosis is None or not self._diagnosis.symptoms:
            return []
        return [
            Text(f"! {symptom.name}: {symptom.title} {symptom.causes[0].name.capitalize()}?", style="yellow")
            for symptom in self._diagnosis.symptoms[:3]
        ]


LEAST = 50
"""Steps before which a run that goes on is not judged."""


def curves(course: Course) -> Table:
    """A line for each curve that the record holds: its title, its course, its newest value."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    for line in LINES:
        curve = course.curve(line.name).finite
        if len(curve) >= 2:
            drawn = sparkline(curve.values, logarithmic=line.logarithmic)
            table.add_row(line.title, drawn, line.form.format(line.scale * curve.values[-1]))
    return table


def sparkline(
    values: Sequence[float] | npt.NDArray[np.float64], *, logarithmic: bool = False, columns: int = COLUMNS
) -> str:
    """A curve as characters, each the median of a part of it; from the least to the largest of these.

    >>> sparkline([1, 2, 3, 4, 5, 6, 7, 8], columns=8) in ("▁▂▃▄▅▆▇█", "_.-~=+*#")
    True
    """
    bars = BARS if _knows_blocks() else PLAIN
    found = np.asarray(values, dtype=float)
    found = found[np.isfinite(found)]
    if not len(found):
        return ""
    parts = np.array_split(found, min(columns, len(found)))
    heights = np.array([float(np.median(part)) for part in parts])
    if logarithmic and heights.min() > 0:
        heights = np.log(heights)
    low, high = float(heights.min()), float(heights.max())
    if not high > low:
        return bars[0] * len(heights)
    places = (heights - low) / (high - low) * (len(bars) - 1)
    return "".join(bars[math.floor(place + 0.5)] for place in places)


def _knows_blocks() -> bool:
    try:
        BARS.encode(getattr(sys.stderr, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
