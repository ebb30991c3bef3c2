r"""The matrix of the next coarser grid, P^T A P with linear interpolation P, for matrices that look one pixel far.

P is a product of interpolations along the rows and along the columns, and so is P^T A P taken: first x, then y. A
symmetric matrix is five of its nine entries for every pixel, the couplings with the pixel itself, its right
neighbour and the three neighbours below; a sixth plane holds the smoother's factor, 0.8 / max(diagonal, half the
sum of the row's absolute values), and 0 where there is no equation.

The finest matrix, c + k (-Laplacian) with known pixels, is made row by row from its mask and never stored.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from mindl.kernels.compiled import Array, Flags, part, run, sweep
from mindl.kernels.five_point import shares

CENTRE, RIGHT, LOWER_LEFT, BELOW, LOWER_RIGHT, FACTOR = range(6)
"""The planes of a matrix, one below the other: (6 height, width)."""

PLANES = 6
DAMPING = 0.8


@part
def _five_point_rows(free: Flags, y: int, identity: float, share: float, rows: Array) -> None:
    """Row y of the finest matrix, 0 in the rows and columns of known pixels."""
    height, width = free.shape
    here, below, zero = free[y], free[min(y + 1, height - 1)], share - share
    vertical = share * float(min(y, 1) + min(height - 1 - y, 1))
    for j in range(width):
        beside = share * float(min(j, 1) + min(width - 1 - j, 1))
        rows[CENTRE, j] = identity + (vertical + beside) if here[j] else zero
        rows[LOWER_LEFT, j] = rows[LOWER_RIGHT, j] = rows[RIGHT, j] = zero
        rows[BELOW, j] = -share if y < height - 1 and here[j] and below[j] else zero
    for j in range(width - 1):
        if here[j] and here[j + 1]:
            rows[RIGHT, j] = -share


@part
def _along_rows(
    centre: Array, right: Array, left_below: Array, below: Array, right_below: Array, out: Array, half: float
) -> None:
    """P^T A P along x for what couples a row with itself and with the next one."""
    last, end = centre.size - 1, out.shape[1] - 1
    quarter, zero = half * half, half - half
    for i in range(end + 1):
        m, lo, hi = 2 * i, max(2 * i - 1, 0), min(2 * i + 1, last)
        a = half if i > 0 else zero
        b = half if i < end else (half + half if m < last else zero)
        out[CENTRE, i] = (
            centre[m] + a * a * centre[lo] + b * b * centre[hi] + (a + a) * right[lo] + (b + b) * right[m]
        )
        out[BELOW, i] = below[m] + a * a * below[lo] + b * b * below[hi]
        out[BELOW, i] += a * (right_below[lo] + left_below[m]) + b * (right_below[m] + left_below[hi])
        out[RIGHT, i] = half * (right[m] + right[hi]) + quarter * centre[hi] if i < end else zero
        out[LOWER_RIGHT, i] = half * (right_below[m] + right_below[hi]) + quarter * below[hi] if i < end else zero
        out[LOWER_LEFT, i] = half * (left_below[m] + left_below[lo]) + quarter * below[lo] if i > 0 else zero


@part
def _along_columns(
    upper: Array, middle: Array, lower: Array, a: float, b: float, half: float, y: int, last: bool, coarse: Array
) -> None:
    """The same along y, from three rows with the weights a, 1, b."""
    height, end = coarse.shape[0] // PLANES, coarse.shape[1] - 1
    quarter, zero = half * half, half - half
    for j in range(end + 1):
        value = middle[CENTRE, j] + a * a * upper[CENTRE, j] + b * b * lower[CENTRE, j]
        coarse[y, j] = value + (a + a) * upper[BELOW, j] + (b + b) * middle[BELOW, j]
        coarse[BELOW * height + y, j] = zero
        if not last:
            below = half * (middle[BELOW, j] + lower[BELOW, j]) + quarter * lower[CENTRE, j]
            coarse[BELOW * height + y, j] = below
    for j in range(end + 1):
        k, i = min(j + 1, end), max(j - 1, 0)
        across = a * (upper[LOWER_RIGHT, j] + upper[LOWER_LEFT, k]) + b * (
            middle[LOWER_RIGHT, j] + middle[LOWER_LEFT, k]
        )
        value = middle[RIGHT, j] + a * a * upper[RIGHT, j] + b * b * lower[RIGHT, j] + across
        coarse[RIGHT * height + y, j] = value if j < end else zero
        value = half * (middle[LOWER_RIGHT, j] + lower[LOWER_RIGHT, j]) + quarter * lower[RIGHT, j]
        coarse[LOWER_RIGHT * height + y, j] = zero if last or j == end else value
        value = half * (middle[LOWER_LEFT, j] + lower[LOWER_LEFT, j]) + quarter * lower[RIGHT, i]
        coarse[LOWER_LEFT * height + y, j] = zero if last or j == 0 else value


@part
def _factor_row(matrix: Array, y: int, damping: float) -> None:
    """The smoother's factor."""
    height, end = matrix.shape[0] // PLANES, matrix.shape[1] - 1
    zero, up = damping - damping, max(y - 1, 0)
    for j in range(end + 1):
        i, k = max(j - 1, 0), min(j + 1, end)
        centre = matrix[y, j]
        rest = abs(matrix[RIGHT * height + y, j]) + abs(matrix[BELOW * height + y, j])
        rest += abs(matrix[LOWER_RIGHT * height + y, j]) + abs(matrix[LOWER_LEFT * height + y, j])
        if j > 0:
            rest += abs(matrix[RIGHT * height + y, i])
        if y > 0:
            rest += abs(matrix[BELOW * height + up, j])
            if j > 0:
                rest += abs(matrix[LOWER_RIGHT * height + up, i])
            if j < end:
                rest += abs(matrix[LOWER_LEFT * height + up, k])
        bound = max(centre, (abs(centre) + rest) / (damping / damping + damping / damping))
        matrix[FACTOR * height + y, j] = damping / bound if centre > zero else zero


@part
def _coarse_rows(
    fine: Array, free: Flags, finest: bool, scalars: Array, coarse: Array, scratch: Array, top: int, bottom: int
) -> None:
    """A band of the coarse matrix; ``scratch``, (4, 6, fine width): three staged rows and their source."""
    width = coarse.shape[1]
    height = free.shape[0] if finest else fine.shape[0] // PLANES
    half = scalars[2]
    zero = half - half
    for y in range(top, bottom):
        for row in range(2 * y - 1 if y == top else 2 * y, 2 * y + 2):
            if row < 0 or row > height - 1:
                continue
            staged = scratch[row % 3, :, :width]
            if finest:
                rows = scratch[3]
                _five_point_rows(free, row, scalars[0], scalars[1], rows)
                _along_rows(
                    rows[CENTRE], rows[RIGHT], rows[LOWER_LEFT], rows[BELOW], rows[LOWER_RIGHT], staged, half
                )  # fmt: skip
            else:
                _along_rows(
                    fine[row], fine[RIGHT * height + row], fine[LOWER_LEFT * height + row],
                    fine[BELOW * height + row], fine[LOWER_RIGHT * height + row], staged, half,
                )  # fmt: skip
        last = 2 * y + 2 > height - 1
        a = half if y > 0 else zero
        b = half if not last else (half + half if 2 * y + 1 <= height - 1 else zero)
        upper, lower = max(2 * y - 1, 0) % 3, min(2 * y + 1, height - 1) % 3
        _along_columns(scratch[upper], scratch[2 * y % 3], scratch[lower], a, b, half, y, last, coarse)


@sweep
def coarsened(
    fine: Array, free: Flags, finest: bool, scalars: Array, coarse: Array, scratch: Array, damping: float
) -> None:
    """Fill ``coarse``, (6 height, width), from ``fine`` or, where it is the ``finest``, from ``free``.

    ``scalars``: c, k and 1/2; ``scratch``: (bands, 4, 6, width of the fine grid).
    """
    height, count = coarse.shape[0] // PLANES, scratch.shape[0]
    for phase in range(2):
        for band in prange(count):
            top, bottom = band * height // count, (band + 1) * height // count
            if phase == 0:
                _coarse_rows(fine, free, finest, scalars, coarse, scratch[band], top, bottom)
            else:
                for y in range(top, bottom):
                    _factor_row(coarse, y, damping)


def coarsen(
    fine: Array, free: Flags, finest: bool, identity: float, share: float, coarse: Array, threads: int
) -> None:
    """``coarsened`` with its scratch; a single pixel is solved exactly."""
    rows, width = coarse.shape
    kind = coarse.dtype.type
    fine_width = free.shape[1] if finest else fine.shape[1]
    parts = shares(rows // PLANES, width, threads, 1)
    scratch = np.empty((parts, 4, PLANES, fine_width), coarse.dtype)
    scalars = np.array([identity, share, 0.5], coarse.dtype)
    single = rows == PLANES and width == 1
    run(coarsened, parts, fine, free, finest, scalars, coarse, scratch, kind(1 if single else DAMPING))
