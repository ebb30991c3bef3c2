"""Two figures: accuracy against time for every contest, and time a pixel against size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mindl.app.speed.chapters import Contest, Sizes
from mindl.app.speed.contender import Measurement
from mindl.plot import INK, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

COLOURS = ("#d1495b", "#2e6f95", "#66a182", "#edae49", "#8a8d91", "#7b4b94", "#b56b45")
MARKS = "sv^DPXd"
LOWEST = 1e-2
"""What is better than this share of the accuracy asked for is drawn there: a factorisation knows no other."""


def accuracy_figure(contests: Sequence[Contest]) -> Figure:
    """A panel for each contest: what accuracy is reached in what time; down and to the left is better."""
    from matplotlib.figure import Figure

    columns = min(len(contests), 2)
    rows = -(-len(contests) // columns)
    figure = Figure(figsize=(6.0 * columns, 4.1 * rows), layout="constrained")
    plots = figure.subplots(rows, columns, squeeze=False)
    for axes in plots.flat[len(contests) :]:
        axes.remove()
    for contest, axes in zip(contests, plots.flat, strict=False):
        _contest(axes, contest)
    return figure


def _contest(axes: Axes, contest: Contest) -> None:
    """The library's own lines are thicker, its first one black."""
    own = [each for each in contest.measurements if each.contender in contest.mine]
    others = [each for each in contest.measurements if each.contender not in contest.mine]
    for k, each in enumerate((*own, *others)):
        colour, mark = (INK, "o") if k == 0 else (COLOURS[(k - 1) % len(COLOURS)], MARKS[(k - 1) % len(MARKS)])
        _curve(axes, each, colour, mark, contest.target * LOWEST, width=1.8 if k < len(own) else 1.1)
    axes.axhline(contest.target, color=MUTED, linewidth=0.8, linestyle=":")
    axes.set_xscale("log")
    axes.set_yscale("log")
    _number(axes.xaxis)
    if contest.target > 1e-3:
        _number(axes.yaxis)
    axes.set_xlabel("seconds", fontsize=9)
    axes.set_ylabel(contest.measure, fontsize=9)
    _finish(axes, contest.title)


def _curve(axes: Axes, each: Measurement, colour: str, mark: str, lowest: float, *, width: float) -> None:
    """The trials that no other one beats in time and accuracy; filled, the effort that was timed in rounds."""
    if not math.isfinite(each.accuracy):
        return  # an answer to another model, infinitely far from this one
    end = (each.total, max(each.accuracy, lowest))
    cheaper = [trial for trial in each.trials if trial.accuracy > each.accuracy]
    points = [(trial.seconds, max(trial.accuracy, lowest)) for trial in cheaper]
    front = [a for a in points if not any(b[0] < a[0] and b[1] <= a[1] for b in (*points, end))]
    x, y = zip(*sorted([*front, end], key=lambda point: -point[1]), strict=True)
    (line,) = axes.plot(x, y, marker=mark, markersize=3.5, markerfacecolor="white", color=colour)
    line.set(label=each.contender, linewidth=width)
    axes.plot(*end, marker=mark, markersize=6, color=colour)


def size_figure(sizes: Sizes) -> Figure:
    """A panel for each model: nanoseconds a pixel against the side of the image."""
    from matplotlib.figure import Figure

    models = list(dict.fromkeys(point.model for point in sizes.points))
    figure = Figure(figsize=(6.0 * len(models), 4.1), layout="constrained")
    plots = figure.subplots(1, len(models), squeeze=False)[0]
    for model, axes in zip(models, plots, strict=True):
        shown = [point for point in sizes.points if point.model == model]
        for k, name in enumerate(dict.fromkeys(point.contender for point in shown)):
            points = [point for point in shown if point.contender == name]
            colour, width = (INK, 1.8) if k == 0 else (COLOURS[k - 1], 1.1)
            x, y = [point.side for point in points], [1e9 * point.per_pixel for point in points]
            axes.plot(x, y, color=colour, linewidth=width, marker="o", markersize=4, label=name, zorder=9 - k)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        _number(axes.yaxis)
        sides = sorted({point.side for point in shown})
        axes.set_xticks(sides, [f"{side}²" for side in sides])
        axes.set_xlabel("pixels", fontsize=9)
        axes.set_ylabel("nanoseconds a pixel", fontsize=9)
        _finish(axes, model)
    return figure


def _number(axis: Axis) -> None:
    """Ticks 1, 2, 5, 10 where the axis is short, else 1, 10, 100; written as usual numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, position: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _finish(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=10, color=INK, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.grid(color=MUTED, alpha=0.15, linewidth=0.6)
    axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
