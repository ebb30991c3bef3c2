r"""The weights of anisotropic diffusion on 3 x 3 pixels, and the structure tensors behind them.

In the cells of 2 x 2 pixels, those across the border too: the gradient of the smoothed image, the structure tensor
of all channels, if asked its average over a Gaussian, the diffusion tensor with other eigenvalues, and the four
directional weights. The formulas are those of ``calculus.tensors``, ``models.anisotropic`` and
``calculus.DeltaStencil``. Weights are laid out as ``inflow`` says.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from mindl.kernels.compiled import Array, bands, part, run, sweep
from mindl.kernels.diffusivity import diffuse
from mindl.kernels.inflow import Number, clear_above, fill, room_for_weights
from mindl.kernels.smoothing import convolved, smoothed_row

EDGE_ENHANCING, ISOTROPIC, COHERENCE_ENHANCING = range(3)
"""How the eigenvalues of D follow from those of the structure tensor, as ``along``."""

XX, XY, YY, FIRST, SECOND, RADIUS, RISING, UPPER = range(8)
"""What the rows of a band's scratch hold, each for a row of cells."""


@part
def _structure(u: Array, i: int, taps: Array, line: Array, smooth: Array, rows: Array) -> None:
    """The structure tensor in row i of the cells, between the rows i - 1 and i of the image.

    ``smooth`` holds the smoothed rows by the parity of their number, (channel, 2, width + 2); row i - 1 is there.
    """
    half = rows.dtype.type(0.5)
    xx, xy, yy = rows[XX], rows[XY], rows[YY]
    if u.shape[0] > 1:
        for k in range(3):
            fill(rows[k], half - half)
    for c in range(u.shape[0]):
        row, above = smooth[c, i % 2], smooth[c, (i + 1) % 2]
        smoothed_row(u[c], max(min(i, u.shape[1] - 1), 0), taps, line, row)
        if i < 0:
            continue
        for j in range(xx.size):
            x = ((row[j + 1] - row[j]) + (above[j + 1] - above[j])) * half
            y = ((row[j + 1] - above[j + 1]) + (row[j] - above[j])) * half
            if u.shape[0] == 1:
                xx[j], xy[j], yy[j] = x * x, x * y, y * y
            else:
                xx[j] += x * x
                xy[j] += x * y
                yy[j] += y * y


@part
def _mirrored(i: int, n: int) -> tuple[int, bool]:
    """The cell in [0, n] that a position shows, mirrored at the outermost cells, and whether it is reversed."""
    around = i % (2 * n)
    return (around, False) if around <= n else (2 * n - around, True)


@part
def _integrated(entry: Array, i: int, odd: bool, taps: Array, line: Array, out: Array) -> None:
    """Row i of an entry, smoothed down and across; ``odd``: reversed it has the other sign."""
    rows, columns, radius = entry.shape[0] - 1, entry.shape[1] - 1, taps.size - 1
    middle, row = line[radius : radius + columns + 1], entry[i]
    for j in range(columns + 1):
        middle[j] = taps[0] * row[j]
    for k in range(1, taps.size):
        up, turned = _mirrored(i - k, rows)
        down, reversed = _mirrored(i + k, rows)
        one, other = -taps[k] if turned and odd else taps[k], -taps[k] if reversed and odd else taps[k]
        above, below = entry[up], entry[down]
        for j in range(columns + 1):
            middle[j] += one * above[j] + other * below[j]
    for k in range(2 * radius):
        place = k if k < radius else k + columns + 1
        j, turned = _mirrored(place - radius, columns)
        line[place] = -middle[j] if turned and odd else middle[j]
    convolved(line, taps, out)


@part
def _eigenvalues(rows: Array, tiny: float, rank_one: bool) -> None:
    """The larger and the smaller eigenvalue, and half their difference; of one gradient the smaller one is 0."""
    half = rows.dtype.type(0.5)
    one, zero = half + half, half - half
    xx, xy, yy, first, second, radius = rows[XX], rows[XY], rows[YY], rows[FIRST], rows[SECOND], rows[RADIUS]
    if rank_one:
        for j in range(xx.size):
            first[j] = xx[j] + yy[j]
            radius[j], second[j] = first[j] * half, zero
        return
    for j in range(xx.size):
        skew, middle = (xx[j] - yy[j]) * half, (xx[j] + yy[j]) * half
        size = max(abs(skew), abs(xy[j]))
        unit = size if size > tiny else one  # squares of small gradients' squares would vanish
        share = one / unit
        a, b = skew * share, xy[j] * share
        r = unit * math.sqrt(a * a + b * b)
        radius[j], first[j], second[j] = r, middle + r, max(middle - r, zero)


@part
def _diffused(rows: Array, along: int, kind: int, rule: Array, least: float, rank_one: bool) -> None:
    """The eigenvalues of D, in the place of those of the structure tensor.

    For coherence: exp(-c^4 / (mu_1 - mu_2)^2) is 1 - g(mu_1 - mu_2) with Weickert's g for m = 2 and C_m = 1.
    """
    first, second, one = rows[FIRST], rows[SECOND], rows.dtype.type(1)
    if along == ISOTROPIC:
        for j in range(first.size):
            first[j] += second[j]
    elif along == COHERENCE_ENHANCING:
        for j in range(first.size):
            first[j] -= second[j]
    for k in range(FIRST, SECOND + 1 if along == EDGE_ENHANCING else FIRST + 1):
        diffuse(rows[k, : 1 if rank_one and k == SECOND else first.size], kind, rule)
    if along == EDGE_ENHANCING and rank_one:
        fill(second, second[0])
    elif along == ISOTROPIC:
        for j in range(first.size):
            second[j] = first[j]
    elif along == COHERENCE_ENHANCING:
        for j in range(first.size):
            second[j] = least + (one - least) * (one - first[j])
            first[j] = least


@part
def _shares(rows: Array, alpha: float, gamma: float, inside: Number) -> None:
    """(a - delta) / 2, (delta + b) / 2, (c - delta) / 2 and (delta - b) / 2 of D = (a, b; b, c).

    In the places of xx, xy, yy, and in RISING. Across the border (``inside`` 0) delta and b are 0.
    """
    half = rows.dtype.type(0.5)
    one, zero = half + half, half - half
    xx, xy, yy, first, second, radius, rising = (
        rows[XX], rows[XY], rows[YY], rows[FIRST], rows[SECOND], rows[RADIUS], rows[RISING],
    )  # fmt: skip
    n = xx.size - 1
    for j in range(n + 1):
        mean, gap = (first[j] + second[j]) * half, (first[j] - second[j]) * half
        turn = gap / (radius[j] if radius[j] > zero else one)
        turn = turn if radius[j] > zero else zero
        skew, b = turn * ((xx[j] - yy[j]) * half), turn * xy[j]
        a, c = mean + skew, mean - skew
        delta = inside * (alpha * (a + c) + gamma * abs(b))
        b = inside * b
        first[j] = c
        xx[j], xy[j], yy[j], rising[j] = (
            (a - delta) * half,
            (delta + b) * half,
            (c - delta) * half,
            (delta - b) * half,
        )
    yy[0], yy[n] = first[0] * half, first[n] * half
    xy[n], rising[n] = zero, zero


@part
def _emit(weights: Array, i: int, rows: Array) -> None:
    """Row i of the weights, from the cells above it (UPPER: their first share) and below it."""
    across, down, falling, rising = weights[0, i + 1], weights[1, i + 1], weights[2, i + 1], weights[3, i + 1]
    a, p, c, q, upper = rows[XX], rows[XY], rows[YY], rows[RISING], rows[UPPER]
    n, zero = a.size - 1, weights.dtype.type(0)
    for j in range(1, n):
        across[j] = upper[j] + a[j]
    across[0], across[n] = zero, zero
    if i == weights.shape[1] - 2:
        for k in range(1, 4):
            fill(weights[k, i + 1], zero)
        return
    for j in range(n):
        down[j + 1] = c[j] + c[j + 1]
    for j in range(1, n + 1):
        falling[j], rising[j] = p[j], q[j]
    down[0], falling[0], rising[0] = zero, zero, zero


@part
def _copy(source: Array, target: Array) -> None:
    for j in range(source.size):
        target[j] = source[j]


@part
def _band(
    u: Array, cells: Array, weights: Array, taps: Array, wide: Array, along: int, kind: int, rule: Array,
    stencil: Array, top: int, bottom: int, smooth: Array, line: Array, rows: Array, phase: int,
) -> None:  # fmt: skip
    """Rows [top, bottom) of the weights; or, in phase 0, of the structure tensors that are to be averaged."""
    height, rank_one = u.shape[1], u.shape[0] == 1 and wide.size == 1
    for i in range(top - 1, bottom + 1):
        if wide.size == 1 or phase == 0:
            _structure(u, i, taps, line, smooth, rows)
        elif i >= top:
            for k in range(3):
                _integrated(cells[k], i, k == XY, wide, line, rows[k])
        if i < top:
            continue
        if wide.size > 1 and phase == 0:
            for k in range(3):
                _copy(rows[k], cells[k, i])
            continue
        _eigenvalues(rows, stencil[3], rank_one)
        _diffused(rows, along, kind, rule, stencil[2], rank_one)
        _shares(rows, stencil[0], stencil[1], rows.dtype.type(1 if 0 < i < height else 0))
        if i > top:
            _emit(weights, i - 1, rows)
        _copy(rows[XX], rows[UPPER])


@sweep
def delta_sweep(
    u: Array, cells: Array, weights: Array, taps: Array, wide: Array, along: int, kind: int, rule: Array,
    stencil: Array, smooth: Array, lines: Array, rows: Array,
) -> None:  # fmt: skip
    """The four directional weights of every pixel.

    Args:
        u: (channel, height, width).
        cells: room for structure tensors that are averaged, (3, height + 1, width + 1).
        weights: (1, 4, height + 1, width + 1).
        taps, wide: the kernels of the presmoothing and of the integration, as ``smoothed_row`` takes them.
        along: EDGE_ENHANCING, ISOTROPIC or COHERENCE_ENHANCING.
        kind, rule: the diffusivity, as ``diffuse`` takes it.
        stencil: alpha, gamma (1 - 2 alpha), the smallest eigenvalue across lines, and the smallest number whose
            inverse is finite.
        smooth, lines, rows: scratch of each band: (channel, 2, width + 2), (width + 1 + 2 R), (8, width + 1).
    """
    clear_above(weights)
    count, height = lines.shape[0], u.shape[1]
    for phase in range(0 if wide.size > 1 else 1, 2):
        for band in prange(count):
            _band(
                u, cells, weights[0], taps, wide, along, kind, rule, stencil, band * height // count,
                (band + 1) * height // count, smooth[band], lines[band], rows[band], phase,
            )  # fmt: skip


def delta(
    u: Array, taps: Array, wide: Array, along: int, kind: int, rule: Array, stencil: Array, threads: int
) -> Array:
    """The weights of ``delta_sweep``; ``stencil`` without the last entry."""
    channels, height, width = u.shape
    weights, count = room_for_weights(u, 1, 4), bands(height, threads, 1)
    cells = np.empty((3, height + 1, width + 1) if wide.size > 1 else (3, 0, 0), u.dtype)
    smooth = np.empty((count, channels, 2, width + 2), u.dtype)
    lines = np.empty((count, width + 1 + 2 * max(taps.size, wide.size)), u.dtype)
    rows = np.empty((count, 8, width + 1), u.dtype)
    numbers = np.append(stencil, 4 * np.finfo(u.dtype).tiny).astype(u.dtype)
    run(delta_sweep, threads, u, cells, weights, taps, wide, along, kind, rule, numbers, smooth, lines, rows)
    return weights
