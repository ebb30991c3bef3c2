r"""Tridiagonal systems along all rows and all columns, :math:`(I + s C)^{-1} u`, and their mean.

Thomas's algorithm in the form of ``calculus.tridiagonal``, for a block of lines at a time, which lie side by side
so that many are solved at once: columns as they are, rows turned.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from mindl.kernels.compiled import Array, bands, part, run, sweep
from mindl.kernels.inflow import Number

ROWS, COLUMNS = 16, 64
"""Lines in a block: scratch should fit into the cache, and memory be read in pieces that are not too short."""


@part
def _solve(k: Array, u: Array, excess: Array, right: Array) -> None:
    """All columns of a block, in place; k becomes the factors of the elimination."""
    one, n = excess.dtype.type(1), u.shape[0]
    first = u[0]
    for j in range(right.size):
        excess[j], right[j] = one, first[j]
    for i in range(n - 1):
        here, ours, below = k[i], u[i], u[i + 1]
        for j in range(right.size):
            inverse = one / (excess[j] + here[j])
            excess[j] = one + here[j] * (excess[j] * inverse)
            here[j] = here[j] * inverse
            ours[j] = right[j] * inverse
            right[j] = below[j] + here[j] * right[j]
    last = u[n - 1]
    for j in range(right.size):
        last[j] = right[j] / excess[j]
    for i in range(n - 2, -1, -1):
        here, ours, below = k[i], u[i], u[i + 1]
        for j in range(right.size):
            ours[j] += here[j] * below[j]


@part
def _turn(source: Array, border: int, first: int, count: int, factor: Number, block: Array) -> None:
    """``factor`` times some rows as the columns of a block, without a border above and on the left."""
    for m in range(count):
        row = source[first + m + border, border:]
        for j in range(row.size):
            block[j, m] = factor * row[j]


@part
def _rows(u: Array, k: Array, step: float, first: int, block: Array, lines: Array, out: Array) -> None:
    """The rows from ``first`` on that fit into the block."""
    count = min(block.shape[2], u.shape[0] - first)
    _turn(k, 1, first, count, step, block[0])
    _turn(u, 0, first, count, lines.dtype.type(1), block[1])
    _solve(block[0, :, :count], block[1, :, :count], lines[0, :count], lines[1, :count])
    for m in range(count):
        row = out[first + m]
        for j in range(row.size):
            row[j] = block[1, j, m]


@part
def _columns(
    u: Array, k: Array, step: float, first: int, mean: bool, block: Array, lines: Array, out: Array
) -> None:
    """The columns from ``first`` on that fit into the block; averaged with what is there."""
    count = min(block.shape[2], u.shape[1] - first)
    half = lines.dtype.type(0.5)
    for i in range(u.shape[0]):
        conductance, value, a, b = k[i + 1, first + 1 :], u[i, first:], block[0, i], block[1, i]
        for j in range(count):
            a[j] = step * conductance[j]
            b[j] = value[j]
    _solve(block[0, :, :count], block[1, :, :count], lines[0, :count], lines[1, :count])
    for i in range(u.shape[0]):
        target, solved = out[i, first:], block[1, i]
        for j in range(count):
            target[j] = (target[j] + solved[j]) * half if mean else solved[j]


@sweep
def split_step(
    u: Array, weights: Array, step: float, turned: Array, upright: Array, lines: Array, out: Array
) -> None:
    """The mean of the solutions along both axes, of those that have more than one pixel.

    Args:
        u: (channel, height, width); at least two pixels.
        weights: conductances, (1 or channel, 1 or 2, height + 1, width + 1), as ``inflow`` says.
        step: s.
        turned, upright: scratch of each band, (2, width, ROWS) and (2, height, COLUMNS).
        lines: scratch, (bands, 2, max(ROWS, COLUMNS)).
        out: the result.
    """
    height, width, count = u.shape[1], u.shape[2], turned.shape[0]
    for c in range(u.shape[0]):
        w = weights[min(c, weights.shape[0] - 1)]
        for phase in range(1 if width == 1 else 0, 1 if height == 1 else 2):
            k = w[min(phase, w.shape[0] - 1)]
            size = turned.shape[3] if phase == 0 else upright.shape[3]
            blocks = ((height if phase == 0 else width) - 1) // size + 1
            for band in prange(count):
                for block in range(band * blocks // count, (band + 1) * blocks // count):
                    if phase == 0:
                        _rows(u[c], k, step, block * size, turned[band], lines[band], out[c])
                    else:
                        _columns(u[c], k, step, block * size, width > 1, upright[band], lines[band], out[c])


def solve(u: Array, weights: Array, duration: float, threads: int) -> Array:
    """The mean of one implicit step along each of the m axes that have more than one pixel, (I + m tau C)^-1 u."""
    height, width = u.shape[1:]
    axes = (height > 1) + (width > 1)
    if axes == 0:
        return u.copy()
    count, out = bands(max(height, width), threads, 1), np.empty_like(u)
    turned, upright = np.empty((count, 2, width, ROWS), u.dtype), np.empty((count, 2, height, COLUMNS), u.dtype)
    lines = np.empty((count, 2, max(ROWS, COLUMNS)), u.dtype)
    run(split_step, threads, u, weights, u.dtype.type(axes * duration), turned, upright, lines, out)
    return out
