r"""Accelerated primal-dual steps for half-squared data and a penalised gradient.

.. math::
    p &\leftarrow \frac{q}{\max(1 + \sigma c / w,\ |q| / w)}, \quad q = p + \sigma \nabla \bar u \\
    v &= f + \frac{u + \tau \operatorname{div} p - f}{1 + \tau}, \quad
    \bar u \leftarrow v + \theta (v - u), \quad u \leftarrow v

c = 0 is total variation, c > 0 Huber's penaliser; without the second term of the maximum it is the quadratic one.

A step looks one row up and down, so that several can follow each other through the image at a distance of a row:
the memory is walked through once for all of them (temporal blocking). Each thread does so in a band of rows, where
the steps recede from the band's ends by a row each; what is missing there, two triangles in rows and steps, is
filled in when all are done. Nothing is computed twice, and every thread writes its own rows only.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from mindl.kernels.compiled import Array, bands, depth, part, row_range, run, sweep


@part
def _dual_row_of_one(
    here: Array, below: Array, px: Array, py: Array, sigma: float, floor: float, slope: float
) -> None:
    """One channel: a single passage."""
    one = floor / floor
    last = here.size - 1
    for j in range(last):
        x = px[j] + sigma * (here[j + 1] - here[j])
        y = py[j] + sigma * (below[j] - here[j])
        factor = one / max(floor, math.sqrt(x * x + y * y) * slope)
        px[j] = x * factor
        py[j] = y * factor
    x = px[last]
    y = py[last] + sigma * (below[last] - here[last])
    factor = one / max(floor, math.sqrt(x * x + y * y) * slope)
    px[last] = x * factor
    py[last] = y * factor


@part
def _shrink(values: Array, factor: Array) -> None:
    for j in range(values.size):
        values[j] *= factor[j]


@part
def _factors(squares: Array, floor: float, slope: float) -> None:
    """1 / max(floor, slope |q|), in the place of |q|^2."""
    one = floor / floor
    for j in range(squares.size):
        squares[j] = one / max(floor, math.sqrt(squares[j]) * slope)


@part
def _add_squares(squares: Array, values: Array, first: bool) -> None:
    if first:
        for j in range(values.size):
            squares[j] = values[j] * values[j]
    else:
        for j in range(values.size):
            squares[j] += values[j] * values[j]


@part
def _dual_row(
    u: Array, p: Array, row: Array, i: int, sigma: float, floor: float, slope: float, isotropic: bool
) -> None:
    """Row i of p; channels share their magnitude, and so do both components where it is isotropic."""
    channels, height = u.shape[0], u.shape[1]
    below = min(i + 1, height - 1)
    if channels == 1 and isotropic:
        _dual_row_of_one(u[0, i], u[0, below], p[0, 0, i], p[0, 1, i], sigma, floor, slope)
        return
    for c in range(channels):
        here, under, px, py = u[c, i], u[c, below], p[c, 0, i], p[c, 1, i]
        for j in range(here.size - 1):
            px[j] += sigma * (here[j + 1] - here[j])
        for j in range(here.size):
            py[j] += sigma * (under[j] - here[j])
    if isotropic:
        for c in range(channels):
            _add_squares(row, p[c, 0, i], c == 0)
            _add_squares(row, p[c, 1, i], False)
        _factors(row, floor, slope)
        for c in range(channels):
            _shrink(p[c, 0, i], row)
            _shrink(p[c, 1, i], row)
        return
    for k in range(2):
        for c in range(channels):
            _add_squares(row, p[c, k, i], c == 0)
        _factors(row, floor, slope)
        for c in range(channels):
            _shrink(p[c, k, i], row)


@part
def _primal_row_of_one(
    u: Array, ahead: Array, f: Array, px: Array, above: Array, py: Array, has_above: float, has_below: float,
    tau: float, share: float, theta: float,
) -> None:  # fmt: skip
    """A row of u and of its extrapolation; there is a row above or below where the factors are 1."""
    last = u.size - 1
    left = px[0] - px[0]
    for j in range(last):
        if j > 0:
            left = px[j - 1]
        slope = (has_above * above[j] - has_below * py[j]) + (left - px[j])
        v = ((u[j] - tau * slope) - f[j]) * share + f[j]
        ahead[j] = v + theta * (v - u[j])
        u[j] = v
    slope = has_above * above[last] - has_below * py[last]
    if last > 0:
        slope += px[last - 1]
    v = ((u[last] - tau * slope) - f[last]) * share + f[last]
    ahead[last] = v + theta * (v - u[last])
    u[last] = v


@part
def _primal_row(
    u: Array, ahead: Array, f: Array, p: Array, i: int, tau: float, share: float, theta: float
) -> None:
    one = share / share
    above, below = one if i > 0 else one - one, one if i < u.shape[1] - 1 else one - one
    for c in range(u.shape[0]):
        _primal_row_of_one(
            u[c, i], ahead[c, i], f[c, i], p[c, 0, i], p[c, 1, max(i - 1, 0)], p[c, 1, i], above, below,
            tau, share, theta,
        )  # fmt: skip


@part
def _rows(
    u: Array, ahead: Array, f: Array, p: Array, row: Array, steps: Array, slope: float, isotropic: bool,
    phase: int, band: int, bands: int,
) -> None:  # fmt: skip
    """Each step a row behind the one before: within the band (phase 0), around its upper end (phase 1)."""
    count, height = steps.shape[0], u.shape[1]
    top, bottom = band * height // bands, (band + 1) * height // bands
    begin, stop = top, bottom + count
    if phase == 1:
        begin, stop = top - 1, top + 2 * count
    for front in range(begin, stop):
        for t in range(count):
            i = front - t
            first, dual_end, primal_end = row_range(phase, band, bands, top, bottom, t)
            if first <= i < dual_end:
                _dual_row(ahead, p, row, i, steps[t, 0], steps[t, 1], slope, isotropic)
            # The first row within a band lacks the dual field above it.
            if first + (phase == 0 and band > 0) <= i < primal_end:
                _primal_row(u, ahead, f, p, i, steps[t, 2], steps[t, 3], steps[t, 4])


@sweep
def passages(
    u: Array,
    ahead: Array,
    f: Array,
    p: Array,
    rows: Array,
    steps: Array,
    slope: float,
    isotropic: bool,
    depth: int,
) -> None:
    """All steps, in place.

    Args:
        u, ahead, f: the image, its extrapolation and the data, (channel, height, width).
        p: the dual field, (channel, 2, height, width).
        rows: a row of scratch for each band, (bands, width); bands of at least 2 ``depth`` rows.
        steps: (steps, 5): sigma / h, 1 + sigma c / w, tau / h, 1 / (1 + tau) and theta of each.
        slope: 1 / w, and 0 for the quadratic penaliser.
        isotropic: whether both components share a magnitude.
        depth: steps that follow each other in one passage.
    """
    count = rows.shape[0]
    for begin in range(0, steps.shape[0], depth):
        now = steps[begin : begin + depth]
        for phase in range(2):
            for band in prange(count):
                if phase == 0 or band > 0:
                    _rows(u, ahead, f, p, rows[band], now, slope, isotropic, phase, band, count)


def advance(
    u: Array, ahead: Array, f: Array, p: Array, steps: Array, slope: float, isotropic: bool, threads: int
) -> None:
    """``passages`` with scratch, bands and depth that suit the image; ``steps`` of the image's type."""
    channels, height, width = u.shape
    together = min(depth(5 * channels * width * u.itemsize), len(steps))
    rows = np.empty((bands(height, threads, 2 * together), width), u.dtype)
    run(passages, threads, u, ahead, f, p, rows, steps, u.dtype.type(slope), isotropic, together)
