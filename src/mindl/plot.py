"""Figures. Matplotlib is imported when the first one is drawn."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from mindl.core.arrays import GREY_LEVELS, Image
from mindl.core.errors import InputError
from mindl.core.files import write_whole
from mindl.images.io import Array, PathLike, as_tensor, to_numpy
from mindl.solvers.evolve import Evolution
from mindl.solvers.solution import Solution

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, NET = "#1f2328", "#6a737d", "#c8321e"

OTHERS = ("#1f6fb4", "#2a9d6f", "#8a5fbf", "#b8860b", "#17a2b8", "#7a6a58", "#d6619a", "#555f9a")
"""Colours of the solvers; red is for networks."""

SHORTEST = 1e-6
"""Seconds: a logarithm needs some."""


@dataclass(frozen=True, eq=False)
class Panel:
    """One picture of a figure: an image, or a map in grey levels with a colour bar."""

    image: Image
    title: str
    caption: str = ""
    is_map: bool = False


def show(*pictures: Image | Array | PathLike | Solution | Evolution, titles: Sequence[str] = ()) -> Figure:
    """Draw images side by side, on the screen where there is one; returns the figure.

    Args:
        pictures: tensors (a batch is laid out image by image), arrays, paths, or solutions.
        titles: one each.

    Raises:
        InputError: nothing to show.

    >>> import mindl as md
    >>> figure = md.show(md.images.disc(16, 16, 5), titles=["a disc"])
    >>> len(figure.axes)
    1
    """
    from matplotlib import pyplot  # noqa: PLC0415 - heavy, and sets up a window system

    panels: list[Panel] = []
    for index, picture in enumerate(pictures):
        image = picture.image if isinstance(picture, Solution | Evolution) else as_tensor(picture)
        title = titles[index] if index < len(titles) else ""
        panels += [Panel(image[b : b + 1], title) for b in range(image.shape[0])]
    if not panels:
        raise InputError("show() needs at least one picture.")
    figure = pyplot.figure(figsize=_size(panels, len(panels)), layout="constrained")
    _fill(figure, panels, columns=min(len(panels), 4))
    if pyplot.isinteractive() or "agg" not in pyplot.get_backend().lower():
        pyplot.show()
    else:
        pyplot.close(figure)
    return figure


def gallery_figure(panels: Sequence[Panel], columns: int, title: str = "") -> Figure:
    """Panels in rows of ``columns``, without any window."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy

    figure = Figure(figsize=_size(panels, columns), layout="constrained")
    _fill(figure, panels, columns)
    if title:
        figure.suptitle(title, color=INK, fontsize=13)
    return figure


@dataclass(frozen=True)
class Line:
    """Energy excess of a method after so many seconds; of a single point only this is drawn."""

    name: str
    seconds: Sequence[float]
    excess: Sequence[float]
    net: bool = False


@dataclass(frozen=True)
class Race:
    """One panel: the methods of a model.

    Attributes:
        title: what is solved.
        lines: networks begin with a point, their own answer.
        equal: for each network its excess, its seconds, and those after which a solver has the same excess.
        mark: after how many seconds a network is ahead.
    """

    title: str
    lines: Sequence[Line]
    equal: Sequence[tuple[float, float, float]] = ()
    mark: float | None = None


def race_figure(races: Sequence[Race], finest: float) -> Figure:
    """Energy excess against time, both logarithmic, down to ``finest``: E* is not known any better."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy

    columns = min(len(races), 2)
    rows = -(-len(races) // columns)
    most = max(len(race.lines) for race in races)
    figure = Figure(figsize=(5.6 * columns, rows * (3.9 + 0.2 * most)), layout="constrained")
    plots = figure.subplots(rows, columns, squeeze=False)
    for axes in plots.flat[len(races) :]:
        axes.remove()
    for axes, race in zip(plots.flat, races, strict=False):
        _run(axes, race, finest)
    return figure


def _run(axes: Axes, race: Race, finest: float) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter  # noqa: PLC0415 - heavy

    points = [line.excess[0] for line in race.lines if line.net and line.excess[0] > 0]
    lowest = max(min([finest, *(point / 3 for point in points)]), 1e-9)  # a network's point is seen in any case
    axes.set_xscale("log")
    axes.set_yscale("log")
    solvers = 0
    for line in race.lines:
        # What is below the figure ends at its border, and does not make it wider.
        seen = 1 + next((k for k, e in enumerate(line.excess) if e < lowest), len(line.excess))
        seconds = [max(t, SHORTEST) for t in line.seconds[:seen]]
        excess = [max(e, lowest) for e in line.excess[:seen]]
        style: dict[str, Any] = {"color": NET, "linewidth": 1.8, "drawstyle": "steps-post"}
        if not line.net:
            turn = ("-", "--", ":")[solvers // len(OTHERS) % 3]  # the colours begin anew
            style |= {"color": OTHERS[solvers % len(OTHERS)], "linestyle": turn}
            solvers += 1
        elif len(seconds) == 1:
            style |= {"marker": "o", "markersize": 7, "linestyle": ""}
        axes.plot(seconds, excess, label=line.name, **style)
    axes.set_ylim(lowest, 2)
    axes.margins(x=0.08)
    for excess_of_net, mine, other in race.equal:
        _compare(axes, max(excess_of_net, lowest), mine, other)
    if race.mark is not None:
        axes.axvline(max(race.mark, SHORTEST), color=NET, linewidth=1, linestyle="--", zorder=0)
        axes.annotate(" pays from here", (max(race.mark, SHORTEST), 1.6), color=NET, fontsize=8, va="top")
    axes.set_title(race.title, fontsize=10, color=INK, loc="left")
    axes.set_xlabel("time, one check included")
    axes.set_ylabel("energy excess")
    first, last = axes.get_xlim()
    few = last > 40 * first  # labels at 1, 2 and 5 would run into each other
    axes.xaxis.set_major_locator(LogLocator(subs=(1,) if few else (1, 2, 5), numticks=12))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(lambda t, _: f"{t:g} s" if t >= 1 else f"{1000 * t:g} ms")
    axes.yaxis.set_major_formatter(lambda e, _: f"{100 * e:g} %")
    axes.grid(color=MUTED, alpha=0.15, linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16))


def _compare(axes: Axes, excess: float, mine: float, other: float) -> None:
    """A line from a network to where a solver is as good, and how many times longer one of them takes."""
    if not (0 < mine < np.inf and 0 < other < np.inf):
        return
    axes.plot([mine, other], [excess, excess], color=MUTED, linewidth=0.9, linestyle=(0, (2, 2)), zorder=0)
    ratio, word = (mine / other, "slower") if mine > other else (other / mine, "faster")
    axes.annotate(
        f"network {float(f'{ratio:.1e}'):g} times {word}",
        ((mine * other) ** 0.5, excess),
        xytext=(0, 3),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=8,
        color=MUTED,
    )


def save_figure(figure: Figure, path: str | os.PathLike[str], *, overwrite: bool = True) -> Path:
    """Write a figure as PNG, whole or not at all."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return write_whole(path, buffer.getvalue(), overwrite=overwrite)


def _size(panels: Sequence[Panel], columns: int) -> tuple[float, float]:
    height, width = panels[0].image.shape[2:]
    aspect = min(max(height / width, 0.3), 2.5)
    rows = -(-len(panels) // columns)
    return 3.4 * min(columns, 4), rows * (3.4 * aspect + 0.48)


def _fill(figure: Figure, panels: Sequence[Panel], columns: int) -> None:
    rows = -(-len(panels) // columns)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.remove()
    for axes, panel in zip(grid.flat, panels, strict=False):
        _draw(figure, axes, panel)


def _draw(figure: Figure, axes: Axes, panel: Panel) -> None:
    axes.set_axis_off()
    if panel.is_map:
        drawn: Any = axes.imshow(_map(panel.image), cmap="magma", interpolation="nearest")
        bar = figure.colorbar(drawn, cax=axes.inset_axes((1.02, 0, 0.03, 1)))
        bar.ax.tick_params(labelsize=7, colors=MUTED)
    else:
        pixels = np.clip(to_numpy(panel.image), 0, 1)
        axes.imshow(pixels, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_title(panel.title, fontsize=10, color=INK, loc="left", pad=14 if panel.caption else 4)
    if panel.caption:
        axes.text(0, 1.01, panel.caption, transform=axes.transAxes, fontsize=8, color=MUTED, va="bottom")


def _map(values: Tensor) -> Array:
    """The largest value over the channels, in grey levels."""
    worst: Array = torch.amax(values[0], dim=0).mul(GREY_LEVELS).cpu().numpy()
    return worst
