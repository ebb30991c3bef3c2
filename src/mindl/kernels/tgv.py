r"""Over-relaxed primal-dual steps for second-order total generalised variation.

The unknown is u with its slopes w_x, w_y; the field :math:`K(u, w) = (\nabla u - w, \mathcal E w)` has the five
components of ``models.tgv.GradientAndSlope``. A step is that of ``kernels.relaxed_primal_dual``. A row of the
field looks one row up and down, and so does a row of the unknown: rows of the field run ahead of those of the
unknown by one. Bands end a row early; the rows where they meet are filled in afterwards.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from mindl.kernels.compiled import Array, bands, copied, part, run, sweep

RING = 3
"""Rows of 2 p~ - p that a row of the unknown needs."""


@part
def field_row(
    here: Array, under: Array, x: Array, x_under: Array, y_above: Array, y: Array, i: int, height: int,
    corner: float, out: Array,
) -> None:  # fmt: skip
    """Row i of K (u, w) of one channel: of u and w_x that row and the next, of w_y the row before and that row.

    ``corner`` is sqrt(1/2); rows beyond the image may be anything finite.
    """
    last, zero = here.size - 1, corner - corner
    one = zero if i == height - 1 else corner / corner
    inner = corner / corner if 0 < i < height - 1 else zero
    for j in range(last):
        out[0, j] = here[j + 1] - here[j] - x[j]
        out[4, j] = one * corner * (x_under[j] - x[j] + y[j + 1] - y[j])
    for j in range(last + 1):
        out[1, j] = one * (under[j] - here[j] - y[j])
        out[3, j] = inner * (y[j] - y_above[j])
    for j in range(1, last):
        out[2, j] = x[j] - x[j - 1]
    out[2, 0] = zero
    out[2, last] = zero
    out[0, last] = zero
    out[4, last] = zero


@part
def slope_adjoint_row(
    above: Array, here: Array, below: Array, i: int, height: int, corner: float, x: Array, y: Array
) -> None:
    """Row i of E^T q into ``x`` and ``y``; the rows around it of one channel's field, (5, width)."""
    last, zero = here.shape[1] - 1, corner - corner
    up = corner if i > 0 else zero
    down = corner if i < height - 1 else zero
    own = corner / corner if 0 < i < height - 1 else zero
    following = corner / corner if i < height - 2 else zero
    for j in range(last):
        x[j] = up * above[4, j] - down * here[4, j]
        y[j] = (own * here[3, j] - following * below[3, j]) - down * here[4, j]
    x[last] = zero
    y[last] = own * here[3, last] - following * below[3, last]
    for j in range(last):
        y[j + 1] += down * here[4, j]
    for j in range(1, last):
        x[j] += here[2, j]
        x[j - 1] -= here[2, j]


@part
def _shrunk(ahead: Array, size: Array, first: int, stop: int, slope: float) -> None:
    """The components ``first`` to ``stop`` of all channels divided by max(1, slope times their magnitude)."""
    one = slope / slope
    for j in range(size.size):
        size[j] = one - one
    for c in range(ahead.shape[0]):
        for k in range(first, stop):
            for j in range(size.size):
                size[j] += ahead[c, k, j] * ahead[c, k, j]
    for j in range(size.size):
        size[j] = one / max(one, math.sqrt(size[j]) * slope)
    for c in range(ahead.shape[0]):
        for k in range(first, stop):
            for j in range(size.size):
                ahead[c, k, j] *= size[j]


@part
def _dual_row(u: Array, wx: Array, wy: Array, p: Array, ahead: Array, size: Array, i: int, scalars: Array) -> None:
    """Row i of p, and of 2 p~ - p into ``ahead``, (channel, 5, width)."""
    sigma, first, second, rho, corner = scalars[0], scalars[1], scalars[2], scalars[3], scalars[4]
    height = u.shape[1]
    below, above = min(i + 1, height - 1), max(i - 1, 0)
    for c in range(u.shape[0]):
        field_row(
            u[c, i], u[c, below], wx[c, i], wx[c, below], wy[c, above], wy[c, i], i, height, corner, ahead[c]
        )  # fmt: skip
        for k in range(5):
            old, new = p[c, k, i], ahead[c, k]
            for j in range(old.size):
                new[j] = old[j] + sigma * new[j]
    _shrunk(ahead, size, 0, 2, first)
    _shrunk(ahead, size, 2, 5, second)
    for c in range(u.shape[0]):
        for k in range(5):
            old, new = p[c, k, i], ahead[c, k]
            for j in range(old.size):
                step = new[j] - old[j]
                old[j] += rho * step
                new[j] += step


@part
def _primal_row(
    u: Array, wx: Array, wy: Array, f: Array, above: Array, here: Array, below: Array, lines: Array, i: int,
    scalars: Array,
) -> None:  # fmt: skip
    """Row i of the unknown; the rows of 2 p~ - p around it, (channel, 5, width)."""
    rho, corner, tau, share = scalars[3], scalars[4], scalars[5], scalars[6]
    height, last, zero = u.shape[1], u.shape[2] - 1, corner - corner
    up = zero if i == 0 else corner / corner
    down = zero if i == height - 1 else corner / corner
    for c in range(u.shape[0]):
        q, x, y = here[c], lines[0], lines[1]
        slope_adjoint_row(above[c], q, below[c], i, height, corner, x, y)
        values, data, line = u[c, i], f[c, i], lines[2]
        for j in range(last + 1):
            line[j] = up * above[c, 1, j] - down * q[1, j]
            y[j] -= down * q[1, j]
        for j in range(last):
            line[j] -= q[0, j]
            x[j] -= q[0, j]
        for j in range(last):
            line[j + 1] += q[0, j]
        for j in range(last + 1):
            moved = ((values[j] - tau * line[j]) - data[j]) * share + data[j]
            values[j] += rho * (moved - values[j])
            wx[c, i, j] -= rho * (tau * x[j])
            wy[c, i, j] -= rho * (tau * y[j])


@part
def _rows(
    u: Array, wx: Array, wy: Array, f: Array, p: Array, ring: Array, ends: Array, lines: Array, scalars: Array,
    phase: int, band: int, bands: int,
) -> None:  # fmt: skip
    """What a band can do on its own (phase 0); two rows of p and four of u around its upper end (phase 1).

    In phase 1 ``ring`` is that of the upper band, and ``ends`` the two rows after those.
    """
    height = u.shape[1]
    top, bottom = band * height // bands, (band + 1) * height // bands
    start = top if band == 0 else top + 1
    end = height if band == bands - 1 else bottom - 1
    first, last = start if band == 0 else start + 1, height if end == height else end - 1
    if phase == 1:
        start, end, first, last = top - 1, top + 1, top - 2, top + 2
    for i in range(start, last + 1):
        if start <= i < end:
            _dual_row(u, wx, wy, p, ring[i % RING], lines[3], i, scalars)
            if phase == 0 and band > 0 and i < start + 2:
                copied(ring[i % RING], ends[i - start])
        elif phase == 1:
            copied(ends[i - end], ring[i % RING])
        if first <= i - 1 < last:
            _primal_row(
                u, wx, wy, f, ring[(i - 2) % RING], ring[(i - 1) % RING], ring[i % RING], lines, i - 1, scalars
            )  # fmt: skip


@sweep
def steps(
    u: Array, wx: Array, wy: Array, f: Array, p: Array, ring: Array, ends: Array, lines: Array, scalars: Array,
    count: int,
) -> None:  # fmt: skip
    """``count`` steps, in place.

    Args:
        u, wx, wy, f: the unknown and the data, (channel, height, width) each.
        p: the dual field, (channel, 5, height, width).
        ring: scratch (bands, 3, channel, 5, width); ends: (bands, 2, channel, 5, width); lines: (bands, 4, width).
        scalars: sigma, 1 / weight, 1 / (ratio weight), rho, sqrt(1/2), tau, 1 / (1 + tau).
        count: how many.
    """
    parts = ring.shape[0]
    for _ in range(count):
        for phase in range(2):
            for band in prange(parts):
                if phase == 0 or band > 0:
                    _rows(
                        u, wx, wy, f, p, ring[band - phase], ends[band], lines[band], scalars, phase, band, parts
                    )  # fmt: skip


def advance(u: Array, wx: Array, wy: Array, f: Array, p: Array, scalars: Array, count: int, threads: int) -> None:
    """``steps`` with scratch and bands that suit the image."""
    channels, height, width = u.shape
    parts = bands(height, threads, 6)
    ring = np.zeros((parts, RING, channels, 5, width), u.dtype)
    ends = np.empty((parts, 2, channels, 5, width), u.dtype)
    lines = np.empty((parts, 4, width), u.dtype)
    run(steps, threads, u, wx, wy, f, p, ring, ends, lines, scalars, count)
