r"""Over-relaxed primal-dual steps for a penalised gradient and any of three data terms.

.. math::
    \tilde p &= \operatorname{prox}_{\sigma F^*}(p + \sigma \nabla u), \quad
    \tilde u = \operatorname{prox}_{\tau D}(u + \tau \operatorname{div}(2 \tilde p - p)) \\
    p &\leftarrow p + \rho (\tilde p - p), \quad u \leftarrow u + \rho (\tilde u - u)

The steps follow each other through the image as in ``kernels.primal_dual``. A row of u needs 2 p~ - p in the row
above too, which p no longer shows: each step keeps that row, and the one at the upper end of a band for the
filling.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from mindl.kernels.compiled import Array, Flags, bands, copied, depth, part, row_range, run, sweep
from mindl.kernels.gap import HALF_SQUARED, KNOWN_PIXELS


@part
def _moved_row(u: Array, p: Array, ahead: Array, i: int, sigma: float) -> None:
    """Row i of p + sigma grad u."""
    last = u.shape[2] - 1
    for c in range(u.shape[0]):
        here, below = u[c, i], u[c, min(i + 1, u.shape[1] - 1)]
        x, y, px, py = ahead[c, 0], ahead[c, 1], p[c, 0, i], p[c, 1, i]
        for j in range(last):
            x[j] = px[j] + sigma * (here[j + 1] - here[j])
        x[last] = px[last]
        for j in range(last + 1):
            y[j] = py[j] + sigma * (below[j] - here[j])


@part
def _shrunk_row(ahead: Array, size: Array, floor: float, slope: float, isotropic: bool) -> None:
    """The proximal map of the penaliser's conjugate: divided by max(floor, slope |q|)."""
    one = floor / floor
    for group in range(1 if isotropic else 2):
        for j in range(size.size):
            size[j] = one - one
        for c in range(ahead.shape[0]):
            for k in range(2):
                if isotropic or k == group:
                    values = ahead[c, k]
                    for j in range(size.size):
                        size[j] += values[j] * values[j]
        for j in range(size.size):
            size[j] = one / max(floor, math.sqrt(size[j]) * slope)
        for c in range(ahead.shape[0]):
            for k in range(2):
                if isotropic or k == group:
                    values = ahead[c, k]
                    for j in range(size.size):
                        values[j] *= size[j]


@part
def _relaxed_row(p: Array, ahead: Array, i: int, rho: float) -> None:
    """p + rho (p~ - p) in the place of p, 2 p~ - p in the place of p~."""
    for c in range(p.shape[0]):
        for k in range(2):
            old, new = p[c, k, i], ahead[c, k]
            for j in range(old.size):
                step = new[j] - old[j]
                old[j] += rho * step
                new[j] += step


@part
def _dual_row(u: Array, p: Array, ahead: Array, size: Array, i: int, scalars: Array, isotropic: bool) -> None:
    _moved_row(u, p, ahead, i, scalars[0])
    _shrunk_row(ahead, size, scalars[1], scalars[2], isotropic)
    _relaxed_row(p, ahead, i, scalars[6])


@part
def _settled(
    moved: Array, f: Array, known: Flags, low: float, high: float, tau: float, share: float, kind: int
) -> None:
    """The proximal map of the data term, in place."""
    if kind == HALF_SQUARED:
        for j in range(moved.size):
            moved[j] = (moved[j] - f[j]) * share + f[j]
    elif kind == KNOWN_PIXELS:
        for j in range(moved.size):
            inside = min(max(moved[j], low), high)
            moved[j] = f[j] if known[j] else inside
    else:
        for j in range(moved.size):
            away = moved[j] - f[j]
            away -= min(max(away, -tau), tau)
            moved[j] = min(max(away + f[j], low), high)


@part
def _primal_row(
    u: Array, f: Array, known: Flags, ahead: Array, above: Array, line: Array, low: Array, high: Array, i: int,
    scalars: Array, kind: int,
) -> None:  # fmt: skip
    """Row i of u; ``ahead`` is 2 p~ - p in this row, and ``above`` its y component in the row above."""
    tau_grid, tau, share, rho = scalars[3], scalars[4], scalars[5], scalars[6]
    last, bottom = u.shape[2] - 1, i == u.shape[1] - 1
    zero = share - share
    for c in range(u.shape[0]):
        x, y, up, values = ahead[c, 0], ahead[c, 1], above[c], u[c, i]
        for j in range(last + 1):
            line[j] = (zero if i == 0 else up[j]) - (zero if bottom else y[j])
        for j in range(1, last):
            line[j] += x[j - 1] - x[j]
        if last > 0:
            line[0] -= x[0]
            line[last] += x[last - 1]
        for j in range(last + 1):
            line[j] = values[j] - tau_grid * line[j]
        _settled(line, f[c, i], known[c % known.shape[0], i], low[c], high[c], tau, share, kind)
        for j in range(last + 1):
            # A known pixel, where both are equal, keeps its value to the bit.
            values[j] += rho * (line[j] - values[j])


@part
def _rows(
    u: Array, f: Array, known: Flags, p: Array, ahead: Array, above: Array, ends: Array, lines: Array, low: Array,
    high: Array, scalars: Array, isotropic: bool, kind: int, count: int, phase: int, band: int, bands: int,
) -> None:  # fmt: skip
    """As in ``kernels.primal_dual``; ``above`` is that of the upper band in phase 1."""
    top, bottom = band * u.shape[1] // bands, (band + 1) * u.shape[1] // bands
    begin, stop = top, bottom + count
    if phase == 1:
        begin, stop = top - 1, top + 2 * count
    for front in range(begin, stop):
        for t in range(count):
            i = front - t
            first, dual_end, primal_end = row_range(phase, band, bands, top, bottom, t)
            if not first <= i < primal_end:
                continue
            if i < dual_end:
                _dual_row(u, p, ahead, lines[0], i, scalars, isotropic)
            else:
                copied(ends[t], ahead)
            if phase == 0 and band > 0 and i == first:
                copied(ahead, ends[t])
            else:
                _primal_row(u, f, known, ahead, above[t], lines[1], low, high, i, scalars, kind)
            for c in range(u.shape[0]):
                for j in range(u.shape[2]):
                    above[t, c, j] = ahead[c, 1, j]


@sweep
def passages(
    u: Array, f: Array, known: Flags, p: Array, ahead: Array, above: Array, ends: Array, lines: Array, low: Array,
    high: Array, scalars: Array, isotropic: bool, kind: int, steps: int,
) -> None:  # fmt: skip
    """All steps, in place.

    Args:
        u, f: the image and the data, (channel, height, width).
        known: (1 or channel, height, width), for known pixels.
        p: the dual field, (channel, 2, height, width).
        ahead: scratch (bands, channel, 2, width); above: (bands, depth, channel, width); ends: (bands, depth,
            channel, 2, width); lines: (bands, 2, width).
        low, high: the box of each channel.
        scalars: sigma / h, 1 + sigma c / w, 1 / w (0: quadratic), tau / h, tau, 1 / (1 + tau), rho.
        isotropic: whether both components share a magnitude.
        kind: the data term, as in ``kernels.gap``.
        steps: how many.
    """
    count, together = above.shape[0], above.shape[1]
    for begin in range(0, steps, together):
        now = min(together, steps - begin)
        for phase in range(2):
            for band in prange(count):
                if phase == 0 or band > 0:
                    _rows(
                        u, f, known, p, ahead[band], above[band - phase], ends[band], lines[band], low, high,
                        scalars, isotropic, kind, now, phase, band, count,
                    )  # fmt: skip


def advance(
    u: Array, f: Array, known: Flags, p: Array, low: Array, high: Array, scalars: Array, isotropic: bool,
    kind: int, steps: int, threads: int,
) -> None:  # fmt: skip
    """``passages`` with scratch, bands and depth that suit the image; everything of the image's type."""
    channels, height, width = u.shape
    together = min(depth(5 * channels * width * u.itemsize), steps)
    count = bands(height, threads, 2 * together)
    ahead = np.empty((count, channels, 2, width), u.dtype)
    above = np.empty((count, together, channels, width), u.dtype)
    ends = np.empty((count, together, channels, 2, width), u.dtype)
    lines = np.empty((count, 2, width), u.dtype)
    run(
        passages, threads, u, f, known, p, ahead, above, ends, lines, low, high, scalars, isotropic, kind, steps
    )  # fmt: skip
