r"""The weights W of isotropic diffusion, :math:`A = \nabla^T W \nabla`, in two discretisations.

Forward: the diffusivity of the forward differences of a pixel, for both of them (or one for each direction).
Central: that of central differences of the smoothed image, averaged between two neighbours.

Weights are laid out as ``inflow`` says, and written down before ``cycles`` takes its steps with them. To do both
row by row was tried: it spares a third of the time of a step at 3840 x 2160, nothing at 512 x 512, and doubles the
time of compiling.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from mindl.kernels.compiled import Array, bands, part, run, sweep
from mindl.kernels.diffusivity import diffuse
from mindl.kernels.inflow import clear_above, fill, room_for_weights
from mindl.kernels.smoothing import smoothed_row


@part
def _add_forward_squares(u: Array, i: int, across: bool, down: bool, squares: Array) -> None:
    """The squared forward differences of row i of one channel, to the sums."""
    row, under = u[i], u[min(i + 1, u.shape[0] - 1)]
    if across:
        for j in range(row.size - 1):
            x = row[j + 1] - row[j]
            squares[j] += x * x
    if down:
        for j in range(row.size):
            y = under[j] - row[j]
            squares[j] += y * y


@part
def _scaled(values: Array, factor: float) -> None:
    for j in range(values.size):
        values[j] *= factor


@part
def _forward_row(u: Array, i: int, weights: Array, kind: int, rule: Array, grid: float, scale: float) -> None:
    """Row i of the weights."""
    zero, groups, kinds = weights.dtype.type(0), weights.shape[0], weights.shape[1]
    for group in range(groups):
        for k in range(kinds):
            row = weights[group, k, i + 1, 1:]
            fill(row, zero)
            for c in range(u.shape[0]):
                if groups == 1 or c == group:
                    _add_forward_squares(u[c], i, k == 0, k == kinds - 1, row)
            _scaled(row, grid)
            diffuse(row, kind, rule)
            _scaled(row, scale)
            weights[group, k, i + 1, 0] = zero


@sweep
def forward_sweep(u: Array, weights: Array, kind: int, rule: Array, grid: float, scale: float, count: int) -> None:
    """scale g(|grad u|^2) of forward differences.

    Args:
        u: (channel, height, width).
        weights: (1 or channel, 1 or 2, height + 1, width + 1); one component: both directions share g.
        kind, rule: the diffusivity, as ``diffuse`` takes it.
        grid: 1 / h^2, by which squared differences are multiplied.
        scale: what g is multiplied with.
        count: bands of rows.
    """
    height = u.shape[1]
    clear_above(weights)
    for band in prange(count):
        for i in range(band * height // count, (band + 1) * height // count):
            _forward_row(u, i, weights, kind, rule, grid, scale)


@part
def _central_row(smooth: Array, i: int, height: int, grid: float, g: Array, first: bool) -> None:
    """The squared central differences of row i, alone or added; ``smooth`` holds the rows by i mod 4."""
    above, row, under = smooth[max(i - 1, 0) % 4], smooth[i % 4], smooth[min(i + 1, height - 1) % 4]
    for j in range(g.size):
        x, y = (row[j + 2] - row[j]) * grid, (under[j + 1] - above[j + 1]) * grid
        g[j] = x * x + y * y if first else g[j] + (x * x + y * y)


@part
def _averaged(g: Array, under: Array, last: bool, across: Array, down: Array, half: float) -> None:
    """Half the sums of two neighbours' diffusivities; 0 where there is no neighbour."""
    n, zero = g.size, across.dtype.type(0)
    for j in range(n - 1):
        across[j + 1] = half * (g[j] + g[j + 1])
    across[0], across[n], down[0] = zero, zero, zero
    if last:
        fill(down, zero)
        return
    for j in range(n):
        down[j + 1] = half * (g[j] + under[j])


@part
def _central_band(
    u: Array, weights: Array, taps: Array, kind: int, rule: Array, grid: float, half: float, top: int, bottom: int,
    smooth: Array, g: Array, line: Array,
) -> None:  # fmt: skip
    """Rows [top, bottom): one is smoothed, that before gets its diffusivity, that before it its weights."""
    channels, height, groups = u.shape[0], u.shape[1], weights.shape[0]
    for r in range(max(top - 1, 0) - 1, bottom + 1):
        if r + 1 < height:
            for c in range(channels):
                smoothed_row(u[c], r + 1, taps, line, smooth[c, (r + 1) % 4])
        if r < top:
            continue
        for group in range(groups):
            row, before = g[group, r % 2], g[group, (r + 1) % 2]
            if r < height:
                for c in range(channels):
                    if groups == 1 or c == group:
                        _central_row(smooth[c], r, height, grid, row, groups > 1 or c == 0)
                diffuse(row, kind, rule)
            if r > top:
                _averaged(before, row, r == height, weights[group, 0, r], weights[group, 1, r], half)


@sweep
def central_sweep(
    u: Array, weights: Array, taps: Array, kind: int, rule: Array, grid: float, half: float, smooth: Array,
    g: Array, lines: Array,
) -> None:  # fmt: skip
    """scale (g + g of the neighbour) / 2 of central differences of the smoothed image.

    Args:
        u: (channel, height, width).
        weights: (1 or channel, 2, height + 1, width + 1).
        taps: the smoothing kernel, as ``smoothed_row`` takes it.
        kind, rule: the diffusivity.
        grid: 1 / 2 h.
        half: scale / 2.
        smooth, g, lines: scratch of each band: (channel, 4, width + 2), (group, 2, width), (width + 2 R).
    """
    clear_above(weights)
    count, height = lines.shape[0], u.shape[1]
    for band in prange(count):
        top, bottom = band * height // count, (band + 1) * height // count
        _central_band(u, weights, taps, kind, rule, grid, half, top, bottom, smooth[band], g[band], lines[band])


def forward(
    u: Array, kind: int, rule: Array, grid: float, scale: float, joint: bool, isotropic: bool, threads: int
) -> Array:
    """The weights of ``forward_sweep``; ``grid`` is h, and ``scale`` comes before 1 / h^2."""
    weights = room_for_weights(u, 1 if joint else u.shape[0], 1 if isotropic else 2)
    run(
        forward_sweep, threads, u, weights, kind, rule, u.dtype.type(1 / grid**2), u.dtype.type(scale / grid**2),
        bands(u.shape[1], threads, 1),
    )  # fmt: skip
    return weights


def central(u: Array, taps: Array, kind: int, rule: Array, grid: float, joint: bool, threads: int) -> Array:
    """The weights of ``central_sweep``; ``grid`` is h, and the scale 1 / h^2."""
    channels, height, width = u.shape
    weights = room_for_weights(u, 1 if joint else channels, 2)
    count = bands(height, threads, 1)
    smooth = np.empty((count, channels, 4, width + 2), u.dtype)
    g = np.empty((count, weights.shape[0], 2, width), u.dtype)
    lines = np.empty((count, width + 2 * taps.size), u.dtype)
    run(
        central_sweep, threads, u, weights, taps, kind, rule, u.dtype.type(0.5 / grid),
        u.dtype.type(0.5 / grid**2), smooth, g, lines,
    )  # fmt: skip
    return weights
