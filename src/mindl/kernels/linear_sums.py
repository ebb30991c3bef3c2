r"""What the certificate of A u = b, A = c + k (-Laplacian)^m with known pixels, rests on: sums in float64.

Row by row: the energy, the residual's square and its largest entry, and how far a witness v falls short of
:math:`A v \ge |r|`, or w of :math:`H w \ge 1` for the harmonic matrix H of the same pixels. Each is the expression
of the plain computation (``models.certificate``); a row is summed pairwise, by halves, so that the error grows
with the logarithm of its length only. What is not a number stays so, and proves nothing.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from mindl.kernels.compiled import Array, Flags, part, run, sweep
from mindl.kernels.five_point import matrix_row, shares
from mindl.kernels.gap import folded

SUMS = 6
"""Energy, |r|^2, the largest |r|, the largest want of A v, the largest v and |v|^2 of a row."""


@part
def _largest(terms: Array) -> float:
    """The largest of the terms, NaN if one is; they are overwritten."""
    count = terms.size
    while count > 1:
        half = count // 2
        for j in range(half):
            x, y = terms[j], terms[half + j]
            terms[j] = x if x > y or x != x else y
        if count % 2:
            terms[half] = terms[count - 1]
        count = half + count % 2
    return terms[0]  # type: ignore[no-any-return]


@part
def _energy_row(
    here: Array, below: Array, data: Array, laplacian: Array, free: Flags, order: int, identity: float,
    share: float, terms: Array,
) -> None:  # fmt: skip
    """The energy, pixel by pixel: k/2 |grad u|^2 or k/2 |L u|^2, and c/2 |u - f|^2; infinite if changed."""
    last = here.size - 1
    for j in range(last + 1):
        v = float(here[j])
        x = float(here[min(j + 1, last)]) - v
        y = float(below[j]) - v
        slope = x * x + y * y
        if order == 2:
            slope = laplacian[j] * laplacian[j]
        misfit = v - float(data[j])
        terms[j] = 0.5 * (share * slope + identity * misfit * misfit)
        if not free[j] and misfit != 0.0:
            terms[j] = math.inf


@part
def _residual_row(here: Array, data: Array, free: Flags, product: Array, identity: float, residual: Array) -> None:
    """|A u - b| in both rows, from k L^m u."""
    for j in range(residual.size):
        misfit = identity * (float(here[j]) - float(data[j])) if free[j] else 0.0
        residual[j] = abs(product[j] + misfit)
        product[j] = residual[j] * residual[j]


@part
def _row(
    image: Array, data: Array, free: Flags, values: Array, g: int, height: int, order: int, fresh: bool,
    scalars: Array, proves: bool, ones: bool, wide: Array, sums: Array,
) -> None:  # fmt: skip
    """The sums of row g; ``wide`` is (7, width): three rows of L u, and four of scratch."""
    known, zero = free[g % free.shape[0]], 0.0
    product, residual, other = wide[3], wide[4], wide[5]
    matrix_row(image, g, height, order, fresh, known, wide, product, zero, scalars[1])
    below = image[g if g % height == height - 1 else g + 1]
    _energy_row(image[g], below, data[g], wide[g % 3], known, order, scalars[0], scalars[1], other)
    sums[0] = folded(other)
    _residual_row(image[g], data[g], known, product, scalars[0], residual)
    sums[1] = folded(product)
    if proves:
        matrix_row(values, g, height, 1, True, known, wide, product, scalars[2], scalars[3])
        for j in range(residual.size):
            wanted = 1.0 if ones else residual[j]
            product[j] = wanted - product[j] if known[j] else -math.inf
            other[j] = values[g, j] * values[g, j]
            wide[6, j] = values[g, j]
        sums[3] = _largest(product)
        sums[4] = _largest(wide[6])
        sums[5] = folded(other)
    sums[2] = _largest(residual)


@sweep
def linear_sums(
    image: Array, data: Array, free: Flags, values: Array, height: int, order: int, scalars: Array, proves: bool,
    ones: bool, wide: Array, sums: Array,
) -> None:  # fmt: skip
    """Fill ``sums``, (rows, SUMS), with the sums of every row.

    Args:
        image, data: u and f, (rows, width), the rows of one channel after those of another.
        free: the free pixels, (rows or height, width).
        values: the witness in float64, 0 at known pixels; used where it ``proves`` something.
        height: of the image.
        order: m.
        scalars: c and k; and those of the matrix that the witness belongs to, which has m = 1.
        ones: whether that product must reach 1 rather than |r|.
        wide: scratch (bands, 7, width) in float64.
        sums: see SUMS.
    """
    rows, count = image.shape[0], wide.shape[0]
    for band in prange(count):
        top, bottom = band * rows // count, (band + 1) * rows // count
        for g in range(top, bottom):
            _row(
                image, data, free, values, g, height, order, g == top, scalars, proves, ones, wide[band], sums[g]
            )  # fmt: skip


def rows_of_sums(
    image: Array, data: Array, free: Flags, values: Array | None, height: int, order: int,
    scalars: tuple[float, float, float, float], ones: bool, threads: int,
) -> Array:  # fmt: skip
    """``linear_sums`` with its scratch: (rows, SUMS); without a witness the last three are 0."""
    rows, width = image.shape
    sums = np.zeros((rows, SUMS))
    parts = shares(rows, width, threads, 1)
    wide = np.empty((parts, 7, width))
    given = np.empty((1, 1)) if values is None else values
    run(
        linear_sums, parts, image, data, free, given, height, order, np.array(scalars, float),
        values is not None, ones, wide, sums,
    )  # fmt: skip
    return sums
