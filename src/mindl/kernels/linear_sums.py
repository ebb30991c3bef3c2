r"""What the certificate of A u = b, A = c + k (-Laplacian)^m with known pixels, rests on: sums in float64.

Row by row: the energy, the residual's square and its largest entry, and how far a witness v falls short of
:math:`A v \ge |r|`, or w of :math:`H w \ge 1` for the harmonic matrix H of the same pixels. Each is the expression
of the plain computation (``models.certificate``); sums are taken as in ``kernels.gap``. What is not a number stays
so, and proves nothing.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from mindl.kernels.compiled import Array, Flags, bands, part, run, sweep
from mindl.kernels.five_point import matrix_row
from mindl.kernels.gap import GROUP, folded

SUMS = 6
"""Energy, |r|^2, the largest |r|, the largest want of A v, the largest v and |v|^2."""


@part
def _greater(x: float, y: float) -> float:
    """The greater one, or what is not a number."""
    return x if x > y or x != x else y


@part
def _largest(terms: Array) -> float:
    """The largest of the terms, NaN if one is; they are overwritten."""
    count = terms.size
    while count > 1:
        half = count // 2
        for j in range(half):
            terms[j] = _greater(terms[j], terms[half + j])
        if count % 2:
            terms[half] = terms[count - 1]
        count = half + count % 2
    return terms[0]  # type: ignore[no-any-return]


@part
def _energy_row(
    here: Array, below: Array, data: Array, laplacian: Array, free: Flags, order: int, identity: float,
    share: float, sums: Array,
) -> None:  # fmt: skip
    """Add the energy, pixel by pixel: k/2 |grad u|^2 or k/2 |L u|^2, and c/2 |u - f|^2; infinite if changed."""
    last = here.size - 1
    for j in range(last + 1):
        v = np.float64(here[j])
        if order == 2:
            slope = laplacian[j] * laplacian[j]
        else:
            x = np.float64(here[min(j + 1, last)]) - v
            y = np.float64(below[j]) - v
            slope = x * x + y * y
        misfit = v - np.float64(data[j])
        term = 0.5 * (share * slope + identity * misfit * misfit)
        sums[j] += term if free[j] or misfit == 0.0 else math.inf


@part
def _residual_row(
    here: Array, data: Array, free: Flags, product: Array, identity: float, squares: Array, peaks: Array
) -> None:
    """|A u - b| in the place of k L^m u; its square is added, its greatest kept."""
    for j in range(product.size):
        misfit = identity * (np.float64(here[j]) - np.float64(data[j])) if free[j] else 0.0
        residual = abs(product[j] + misfit)
        product[j] = residual
        squares[j] += residual * residual
        peaks[j] = _greater(residual, peaks[j])


@part
def _witness_row(
    values: Array,
    wanted: Array,
    product: Array,
    free: Flags,
    ones: bool,
    wants: Array,
    tops: Array,
    squares: Array,
) -> None:
    """What is wanted and not there, the greatest values, and their squares."""
    for j in range(values.size):
        want = (1.0 if ones else wanted[j]) - product[j]
        wants[j] = _greater(want if free[j] else -math.inf, wants[j])
        tops[j] = _greater(values[j], tops[j])
        squares[j] += values[j] * values[j]


@part
def _row(
    image: Array, data: Array, free: Flags, values: Array, g: int, height: int, order: int, fresh: bool,
    scalars: Array, proves: bool, ones: bool, wide: Array, columns: Array,
) -> None:  # fmt: skip
    """Add what row g contributes; ``wide`` is (5, width): three rows of L u, and two of products."""
    known, zero = free[g % free.shape[0]], 0.0
    residual, product = wide[3], wide[4]
    matrix_row(image, g, height, order, fresh, known, wide, residual, zero, scalars[1])
    below = image[g if g % height == height - 1 else g + 1]
    _energy_row(image[g], below, data[g], wide[g % 3], known, order, scalars[0], scalars[1], columns[0])
    _residual_row(image[g], data[g], known, residual, scalars[0], columns[1], columns[2])
    if proves:
        matrix_row(values, g, height, 1, True, known, wide, product, scalars[2], scalars[3])
        _witness_row(values[g], residual, product, known, ones, columns[3], columns[4], columns[5])


@sweep
def linear_sums(
    image: Array, data: Array, free: Flags, values: Array, height: int, order: int, scalars: Array, proves: bool,
    ones: bool, wide: Array, columns: Array, sums: Array,
) -> None:  # fmt: skip
    """Fill ``sums``, (groups, SUMS), with the sums of every ``GROUP`` rows.

    Args:
        image, data: u and f, (rows, width), the rows of one channel after those of another.
        free: the free pixels, (rows or height, width).
        values: the witness in float64, 0 at known pixels; used where it ``proves`` something.
        height: of the image.
        order: m.
        scalars: c and k; and those of the matrix that the witness belongs to, which has m = 1.
        ones: whether that product must reach 1 rather than |r|.
        wide: scratch (bands, 5, width) in float64; columns: (bands, SUMS, width).
        sums: see SUMS.
    """
    rows, count = image.shape[0], wide.shape[0]
    for band in prange(count):
        added = columns[band]
        begin, end = band * sums.shape[0] // count, (band + 1) * sums.shape[0] // count
        for group in range(begin, end):
            for k in range(SUMS):
                for j in range(image.shape[1]):
                    added[k, j] = -math.inf if 2 <= k <= 4 else 0.0
            for g in range(group * GROUP, min((group + 1) * GROUP, rows)):
                _row(
                    image, data, free, values, g, height, order, g == begin * GROUP, scalars, proves, ones,
                    wide[band], added,
                )  # fmt: skip
            for k in range(SUMS):
                sums[group, k] = _largest(added[k]) if 2 <= k <= 4 else folded(added[k])


def rows_of_sums(
    image: Array, data: Array, free: Flags, values: Array | None, height: int, order: int,
    scalars: tuple[float, float, float, float], ones: bool, threads: int,
) -> Array:  # fmt: skip
    """``linear_sums`` with its scratch: (groups, SUMS); without a witness the last three say nothing."""
    rows, width = image.shape
    sums = np.zeros((-(-rows // GROUP), SUMS))
    parts = bands(len(sums), threads, 1)
    wide, columns = np.empty((parts, 5, width)), np.empty((parts, SUMS, width))
    given = np.empty((1, 1)) if values is None else values
    run(
        linear_sums, parts, image, data, free, given, height, order, np.array(scalars, float),
        values is not None, ones, wide, columns, sums,
    )  # fmt: skip
    return sums
