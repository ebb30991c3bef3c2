"""Tables of numbers as colours: a row for each part of a network, a column for each look."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mindl.diagnosis.course import Numbers
from mindl.plot import MUTED
from mindl.report.drawing import ORANGE, WIDTH, Chart
from mindl.report.svg import style, svg
from mindl.report.words import short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_ROWS, MOST_COLUMNS = 48, 120
ROW = 0.128
"""Height of a row in inches."""

DECADES = 7
"""Smaller values than so many powers of ten below the largest get the colour of the smallest."""

LETTERS = 26
"""At most so many of a name are shown."""


def heat(
    name: str,
    title: str,
    table: tuple[list[str], list[int], Numbers],
    *,
    unit: str,
    reading: str,
    log: bool = False,
    shade: tuple[int, int] | None = None,
) -> Chart | None:
    """A table (rows, steps, values) as colours; None where it holds no number.

    Args:
        name: distinct on the page.
        title: what is shown.
        table: its rows' names, the steps of its columns, and the values; NaN where there is none.
        unit: of the values.
        reading: how to read it.
        log: whether colours stand for powers of ten; values that are not above 0 are grey then.
        shade: (first, last) step of columns that stand out.
    """
    rows, steps, values = table
    if not rows or not steps:
        return None
    columns = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), MOST_COLUMNS)).astype(int))
    values, steps, rows = values[:MOST_ROWS][:, columns], [steps[i] for i in columns], rows[:MOST_ROWS]
    shown = np.log10(np.where(values > 0, values, np.nan)) if log else values
    if not np.isfinite(shown).any():
        return None
    high = float(np.nanmax(shown)) if log else max(float(np.nanmax(shown)), 1e-3)
    low = max(float(np.nanmin(shown)), high - DECADES) if log else 0.0
    high = max(high, low + 0.3) if log else high
    with style():
        figure, place = _places(rows)
        axes = figure.add_axes(place)
        colours: Any = {"cmap": "viridis", "vmin": low, "vmax": high, "interpolation": "none", "aspect": "auto"}
        axes.set_facecolor("#c4cad0")
        axes.imshow(np.clip(shown, low, high), **colours)
        axes.grid(visible=False)
        axes.set_yticks(range(len(rows)), _labels(rows), fontsize=7 if len(rows) <= 12 else 6.2)
        ticks = np.unique(np.linspace(0, len(steps) - 1, min(6, len(steps))).round().astype(int))
        axes.set_xticks(ticks, [f"{steps[i]:,}" for i in ticks])
        axes.spines[:].set_visible(False)
        axes.set_xlabel("step of the look", fontsize=8, color=MUTED, loc="right", labelpad=2)
        if shade is not None:
            _mark(axes, steps, shade, len(rows))
        _colour_bar(figure, place, (low, high), unit, log=log)
        middle = short(float(np.nanmedian(values)))
        words = f"{title}. {len(rows)} rows at {len(steps)} looks; {middle} in the median."
        drawn = svg(figure, name, words)
    return Chart(title, reading, drawn)


def gathered(
    looks: Sequence[tuple[int, Any]], number: Callable[[Any], Any]
) -> tuple[list[str], list[int], Numbers]:
    """(rows, steps, values) of looks that hold a record for each part of a network.

    >>> rows, steps, values = gathered([(1, {"a": {"x": 2}}), (5, {"a": {"x": 3}, "b": {}})], lambda e: e.get("x"))
    >>> rows, steps, values.tolist()
    (['a', 'b'], [1, 5], [[2.0, 3.0], [nan, nan]])
    """
    tables = [(step, table) for step, table in looks if isinstance(table, dict)]
    rows = list(
        dict.fromkeys(name for _, table in tables for name, entry in table.items() if isinstance(entry, dict))
    )
    values = np.full((len(rows), len(tables)), np.nan)
    for j, (_, table) in enumerate(tables):
        for i, row in enumerate(rows):
            found = number(table[row]) if isinstance(table.get(row), dict) else None
            if isinstance(found, int | float) and abs(found) < float("inf"):
                values[i, j] = found
    return rows, [step for step, _ in tables], values


def _places(rows: Sequence[str]) -> tuple[Figure, tuple[float, float, float, float]]:
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy

    body = max(ROW * len(rows), 0.6)
    height = body + 0.58
    figure = Figure(figsize=(WIDTH, height), facecolor="none")
    letters = max(map(len, _labels(rows)))
    left = min(0.03 + 0.0115 * letters, 0.36)
    return figure, (left, 0.38 / height, 0.86 - left, body / height)


def _colour_bar(
    figure: Figure, place: tuple[float, float, float, float], ends: tuple[float, float], unit: str, *, log: bool
) -> None:
    low, high = ends
    bar = figure.add_axes((0.885, place[1], 0.022, place[3]))
    shades = np.linspace(low, high, 64)[:, None]
    bar.imshow(
        shades, cmap="viridis", aspect="auto", origin="lower", extent=(0, 1, low, high), interpolation="none"
    )
    bar.yaxis.tick_right()
    bar.set_xticks([])
    bar.grid(visible=False)
    bar.spines[:].set_visible(False)
    if log:
        whole = np.arange(np.ceil(low), np.floor(high) + 1)
        ticks = whole[:: max(1, -(-len(whole) // 6))] if len(whole) > 1 else np.array([low, high])
        bar.set_yticks(ticks, [short(10.0**tick, 1 if len(whole) > 1 else 2) for tick in ticks])
    else:
        ticks = np.linspace(low, high, 3)
        bar.set_yticks(ticks, [short(tick, 2) for tick in ticks])
    bar.tick_params(labelsize=7, pad=1)
    bar.annotate(unit, (0.5, 1), (0, 6), xycoords="axes fraction", textcoords="offset points", ha="center",
        fontsize=7, color=MUTED)  # fmt: skip


def _mark(axes: Any, steps: Sequence[int], shade: tuple[int, int], rows: int) -> None:
    there = [i for i, step in enumerate(steps) if shade[0] <= step <= shade[1]]
    if there:
        first, last = there[0] - 0.5, there[-1] + 0.5
        axes.plot(
            [first, last, last, first, first],
            [-0.5, -0.5, rows - 0.5, rows - 0.5, -0.5],
            color=ORANGE,
            clip_on=False,
        )


def _labels(rows: Sequence[str]) -> list[str]:
    """Names without what all of them begin with, in letters that every font has."""
    paths = [row.split(".") for row in rows]
    shared = 0
    while len(rows) > 1 and len({tuple(path[: shared + 1]) for path in paths}) == 1 and shared < len(paths[0]):
        shared += 1
    while shared and any(path[shared:][:1] and path[shared][0].isdigit() for path in paths):
        shared -= 1  # a number alone says nothing
    bare = [".".join(path[shared:]) or row for path, row in zip(paths, rows, strict=True)]
    plain = [re.sub(r"[^ -~]", "?", name) for name in bare]
    return [name if len(name) <= LETTERS else f"{name[:8]}..{name[-(LETTERS - 10) :]}" for name in plain]
