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

INK, MUTED = "#1f2328", "#6a737d"


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


def trace_figure(solutions: Sequence[tuple[str, Solution]]) -> Figure:
    """Accuracy against time, both logarithmic: the relative measure of each solver at every check."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy

    kinds = list(dict.fromkeys(solution.certificate.kind for _, solution in solutions))
    most = max(sum(solution.certificate.kind == kind for _, solution in solutions) for kind in kinds)
    figure = Figure(figsize=(5.2 * len(kinds), 3.6 + 0.2 * most), layout="constrained")
    plots = figure.subplots(1, len(kinds), squeeze=False)[0]
    for kind, axes in zip(kinds, plots, strict=True):
        shown = [(name, solution) for name, solution in solutions if solution.certificate.kind == kind]
        for k, (name, solution) in enumerate(shown):
            relative = (solution.trace.bound / solution.trace.scale).amax(dim=1).clamp(min=1e-16)
            milliseconds = (1000 * solution.trace.seconds).clamp(min=1)
            style = ("-", "--", ":")[k // 10 % 3]  # the colours begin anew after ten
            axes.loglog(milliseconds, relative, marker=".", linestyle=style, label=name)
        if (tolerance := solutions[0][1].stop.tolerance) is not None:
            axes.axhline(tolerance, color=MUTED, linewidth=0.8, linestyle=":")
        axes.set_xlabel("milliseconds, checks included")
        axes.set_ylabel(f"{kind}, relative")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16))
    return figure


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
