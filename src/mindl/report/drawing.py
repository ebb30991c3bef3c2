"""Charts as SVG that stands within a page: small, without scripts, and the same bytes for the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mindl.diagnosis.course import Curve, Numbers
from mindl.plot import INK, MUTED
from mindl.report.markup import Html, tag
from mindl.report.svg import style, svg
from mindl.report.thinning import POINTS, thinned
from mindl.report.words import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PURPLE, SKY, GREY = "#0072b2", "#d55e00", "#009e73", "#a6558a", "#56b4e9", "#7d8790"
"""Told apart by colour-blind people, too (Okabe and Ito; purple is darkened for thin lines)."""

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, "#8c6d1f", "#1c2128", "#e69f00")

WIDTH, HEIGHT = 4.7, 2.2
"""In inches."""

BELOW, ABOVE = 0.42, 0.24
"""Room for ticks and names of axes, in inches."""
FEW = 60
"""Lines of at most so many points show each of them."""

LARGEST = 1e30
"""What is beyond is drawn here: the arithmetic of axes overflows far below that of floats."""

DECADES = 1.3
"""Lines that span more of them get a logarithmic axis."""


@dataclass(frozen=True, eq=False)
class Line:
    """A curve of a chart.

    Attributes:
        curve: what is drawn.
        label: its name; none: it is not named.
        colour: of the line.
        style: ``line``, ``faint``, ``dashed``, ``dotted``.
    """

    curve: Curve
    label: str = ""
    colour: str = BLUE
    style: str = "line"


@dataclass(frozen=True, eq=False)
class Band:
    """What lies between two curves on the same steps."""

    low: Curve
    high: Curve
    label: str = ""
    colour: str = BLUE
    style: str = "band"


@dataclass(frozen=True)
class Chart:
    """A chart as it stands in a page.

    Attributes:
        title: what it shows.
        reading: a sentence on how to read it.
        svg: the drawing.
        keys: (label, colour, style) of what is drawn.
    """

    title: str
    reading: str
    svg: Html
    keys: tuple[tuple[str, str, str], ...] = ()

    @property
    def html(self) -> Html:
        """A figure with its caption."""
        keys = [
            tag("li", tag("i", class_=style, style=_swatch(colour, style)), label)
            for label, colour, style in self.keys
        ]
        legend = tag("ul", *keys, class_="keys") if keys else ""
        title = tag("h3", self.title) if self.title else ""
        reading = tag("p", self.reading, class_="reading") if self.reading else ""
        plate = tag("div", self.svg, class_="plate")
        return tag("figure", title, legend, plate, tag("figcaption", reading) if reading else "", class_="chart")


def charts(found: Sequence[Chart | None]) -> Html:
    """Those that are there, in a grid."""
    shown = [chart.html for chart in found if chart is not None]
    return tag("div", *shown, class_="grid") if shown else Html("")


def lines(
    name: str,
    title: str,
    pieces: Sequence[Line | Band],
    *,
    unit: str,
    reading: str = "",
    scale: str = "auto",
    levels: Sequence[tuple[float, str]] = (),
    shade: tuple[float, float] | None = None,
    across: str = "step",
    whole: tuple[float, float] | None = None,
    least: tuple[float, float] | None = None,
) -> Chart | None:
    """Curves over the steps; None where there is nothing to draw, or a single point.

    Args:
        name: distinct on the page.
        title: what is shown.
        pieces: curves and bands, the lowest first.
        unit: of the vertical axis.
        reading: how to read it.
        scale: ``auto`` is logarithmic where all values are above 0 and span more than about a decade;
            ``linear``; ``log`` where that is possible at all; ``signed``: logarithmic on both sides of 0.
        levels: (height, words) of reference lines.
        shade: (first, last) of a part that stands out.
        across: name of the horizontal axis.
        whole: (first, last) of the horizontal axis; by default what the curves have.
        least: (lowest, highest) that the vertical axis shows in any case.
    """
    pieces = [piece for piece in pieces if _drawable(piece)]
    if max((len(curve.finite) for piece in pieces for curve in _curves(piece)), default=0) < 2:
        return None  # a single point is told in numbers
    values = np.concatenate([curve.finite.values for piece in pieces for curve in _curves(piece)])
    scale = _scale(scale, values)
    with style():
        figure, axes = _axes()
        for piece in pieces:
            _draw(axes, piece, positive=scale == "log")
        _frame(axes, pieces, scale, unit, across, whole)
        if least is not None:
            low, high = axes.get_ylim()
            axes.set_ylim(min(low, least[0]), max(high, least[1]))
        for height, words in levels:
            _level(axes, height, words)
        if shade is not None:
            axes.axvspan(*_visible(axes, shade), color=ORANGE, alpha=0.16, linewidth=0, zorder=0)
        drawn = svg(figure, name, f"{title}. {_summary(pieces, across)}")
    keys = tuple((piece.label, piece.colour, piece.style) for piece in pieces if piece.label)
    lost = sum(len(piece.curve) - len(piece.curve.finite) for piece in pieces if isinstance(piece, Line))
    more = f" {lost:,} value{'s were' if lost > 1 else ' was'} no number." if lost and across == "step" else ""
    return Chart(title, reading + more, drawn, keys)


def bars(
    name: str, title: str, edges: Numbers, counts: Sequence[tuple[str, Numbers]], unit: str, reading: str
) -> Chart:
    """Histograms over each other, each in per cent of its sum."""
    colours = (GREY, BLUE)[-len(counts) :]
    with style():
        figure, axes = _axes()
        for (_, values), colour in zip(counts, colours, strict=True):
            share = 100 * values / max(float(values.sum()), 1)
            axes.stairs(share, edges, color=colour, linewidth=1.4)
            axes.stairs(share, edges, color=colour, alpha=0.15, fill=True)
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(bottom=0)
        _words(axes, "% of the pixels", unit)
        most = counts[-1][1] / max(float(counts[-1][1].sum()), 1)
        drawn = svg(figure, name, f"{title}. The tallest bin has {100 * float(most.max()):.0f} % of the pixels.")
    keys = tuple((label, colour, "line") for (label, _), colour in zip(counts, colours, strict=True))
    return Chart(title, reading, drawn, keys)


def stacked(
    name: str, title: str, steps: Numbers, parts: Sequence[tuple[str, Numbers, str]], unit: str, reading: str
) -> Chart:
    """Parts (label, values, colour) of a sum over the steps, one on the other."""
    with style():
        figure, axes = _axes()
        low = np.zeros_like(steps)
        for _, values, colour in parts:
            high = low + values
            axes.fill_between(
                steps, low, high, color=colour, alpha=0.75, linewidth=0, step="mid" if len(steps) > 1 else None
            )
            low = high
        if len(steps) == 1:
            axes.bar(steps, low, width=0.5, color=parts[0][2])
        axes.set_ylim(0, 1.08 * float(low.max()) or 1)
        axes.set_xlim(*_ends(float(steps[0]), float(steps[-1])))
        _words(axes, unit, "step")
        drawn = svg(figure, name, f"{title}. {short(float(np.mean(low)))} {unit} in the mean.")
    return Chart(title, reading, drawn, tuple((label, colour, "line") for label, _, colour in parts))


def _axes(height: float = HEIGHT) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy

    figure = Figure(figsize=(WIDTH, height), facecolor="none")
    axes = figure.add_axes((0.105, BELOW / height, 0.845, 1 - (BELOW + ABOVE) / height))
    axes.set_facecolor("none")
    return figure, axes


def _draw(axes: Axes, piece: Line | Band, *, positive: bool) -> None:
    if isinstance(piece, Band):
        low, high = (np.clip(curve.values, -LARGEST, LARGEST) for curve in (piece.low, piece.high))
        good = np.isfinite(low) & np.isfinite(high) & ((low > 0) | (not positive))
        kept = np.flatnonzero(good)[:: max(1, int(good.sum()) // POINTS)]
        axes.fill_between(
            piece.low.steps[kept], low[kept], high[kept], color=piece.colour, alpha=0.2, linewidth=0, zorder=1.5
        )
        return
    curve = thinned(piece.curve)
    values = np.clip(curve.values, -LARGEST, LARGEST)
    values = np.where(values > 0, values, np.nan) if positive else values  # a gap, not a bridge
    strokes = {"line": "-", "faint": "-", "dashed": (0, (4, 2)), "dotted": (0, (1, 1.6))}
    axes.plot(
        curve.steps,
        values,
        color=piece.colour,
        linestyle=strokes[piece.style],
        linewidth=0.8 if piece.style == "faint" else 1.5,
        alpha=0.45 if piece.style == "faint" else 1,
        marker="o" if len(values) <= FEW and piece.style != "faint" else None,
        markersize=2.4,
        zorder=2 if piece.style == "faint" else 3,
    )


def _frame(
    axes: Axes,
    pieces: Sequence[Line | Band],
    scale: str,
    unit: str,
    across: str,
    whole: tuple[float, float] | None,
) -> None:
    """Limits, ticks and names of both axes."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator  # noqa: PLC0415 - heavy

    if scale == "log":
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        near = np.log10(high / low) < 2.2
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if near else (1,), numticks=6))
        axes.yaxis.set_minor_locator(NullLocator())
    elif scale == "signed":
        axes.set_yscale("symlog", linthresh=2)
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value, 4)))
    steps = np.concatenate([curve.finite.steps for piece in pieces for curve in _curves(piece)])
    axes.set_xlim(*_ends(*(whole or (float(steps.min()), float(steps.max())))))
    _words(axes, unit, across)


def _words(axes: Axes, unit: str, across: str) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator  # noqa: PLC0415 - heavy

    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    height = HEIGHT - BELOW - ABOVE
    axes.text(-0.115, 1 + 0.1 / height, unit, transform=axes.transAxes, color=MUTED, fontsize=8)
    axes.text(1, -0.36 / height, across, transform=axes.transAxes, color=MUTED, fontsize=8, ha="right")


def _level(axes: Axes, height: float, words: str) -> None:
    low, high = axes.get_ylim()
    if not low < height < high:
        return
    axes.axhline(height, color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
    box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.8}
    axes.annotate(
        words, (1, height), (-2, 2), xycoords=("axes fraction", "data"), textcoords="offset points", ha="right",
        va="bottom", fontsize=7, color=INK, bbox=box, zorder=4,
    )  # fmt: skip


def _scale(wanted: str, values: Numbers) -> str:
    """``linear``, ``log`` or ``signed``."""
    if wanted == "signed":
        return "signed" if float(np.abs(values).max()) > 4 else "linear"
    positive = values[values > 0]
    possible = len(positive) == len(values) or (wanted == "log" and len(positive) > 0)
    if wanted == "linear" or not possible:
        return "linear"
    return "log" if np.log10(float(positive.max())) - np.log10(float(positive.min())) > DECADES else "linear"


def _curves(piece: Line | Band) -> tuple[Curve, ...]:
    return (piece.curve,) if isinstance(piece, Line) else (piece.low, piece.high)


def _drawable(piece: Line | Band) -> bool:
    return all(len(curve.finite) > 0 for curve in _curves(piece))


def _ends(first: float, last: float) -> tuple[float, float]:
    return (first, last) if last > first else (first - 1, last + 1)


def _visible(axes: Axes, shade: tuple[float, float]) -> tuple[float, float]:
    """The part that is shaded, wide enough to be seen."""
    first, last = axes.get_xlim()
    least = 0.008 * (last - first)
    middle, half = (shade[0] + shade[1]) / 2, max((shade[1] - shade[0]) / 2, least)
    return max(middle - half, first), min(middle + half, last)


def _summary(pieces: Sequence[Line | Band], across: str) -> str:
    """What the lines do, in words."""
    told = []
    for piece in pieces:
        if isinstance(piece, Line) and piece.label:
            curve = piece.curve.finite
            (first, last), (begin, end) = curve.values[[0, -1]], curve.steps[[0, -1]]
            told.append(f"{piece.label}: {short(first)} at {across} {begin:,.0f}, {short(last)} at {end:,.0f}")
    return "; ".join(told) + "." if told else ""


def _swatch(colour: str, style: str) -> str:
    return f"background:{colour}" if style == "band" else f"border-color:{colour}"
