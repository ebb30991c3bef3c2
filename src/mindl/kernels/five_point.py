r"""Rows of the matrices c + k (-Laplacian)^m, m = 1 or 2, with reflecting boundaries and 0 at known pixels.

.. math:: (A d)_i = c\, d_i + k \sum_{j \sim i} (d_i - d_j) \quad (m = 1), \qquad
          A d = c\, d + k\, L (L d) \quad (m = 2)

Images are walked through as rows: those of the first channel, then those of the second, (channel x height, width).
For m = 2, L d is kept for the rows g - 1, g and g + 1, row r in the place r mod 3, so that going on by one row
costs one row of L d and one of L (L d). Reflecting in both factors: beyond the first and the last row, L d is
that of the row itself.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from mindl.kernels.compiled import OPTIONS, Array, Flags, bands, part

GRAIN = 1 << 13
"""Pixels that are worth a thread of their own."""


def shares(rows: int, width: int, threads: int, least: int) -> int:
    """Into how many bands the rows are cut; no result depends on it."""
    return bands(rows, threads, max(least, GRAIN // width))


@numba.njit(fastmath={"reassoc"}, **OPTIONS)  # type: ignore[untyped-decorator]
def dot(left: Array, right: Array) -> float:
    """The inner product of two rows in float64.

    In as many lanes as the processor adds at once: a fixed order for a row of a given length, whatever the threads
    and the other images. Only methods rest on it, no proof does.
    """
    total = 0.0
    for j in range(left.size):
        total += np.float64(left[j]) * np.float64(right[j])
    return total


@part
def _minus_laplacian(image: Array, g: int, above: int, below: int, out: Array) -> None:
    """Minus the 5-point Laplacian in row g, whose neighbours are given: the row itself where there is none."""
    here, up, down, last = image[g], image[above], image[below], image.shape[1] - 1
    kind: Any = out.dtype.type
    for j in range(1, last):
        v = kind(here[j])
        beside = (v - kind(here[j - 1])) + (v - kind(here[j + 1]))
        out[j] = ((v - kind(up[j])) + (v - kind(down[j]))) + beside
    for j in (0, last):
        v = kind(here[j])
        beside = (v - kind(here[max(j - 1, 0)])) + (v - kind(here[min(j + 1, last)]))
        out[j] = ((v - kind(up[j])) + (v - kind(down[j]))) + beside


@part
def matrix_row(
    image: Array, g: int, height: int, order: int, fresh: bool, free: Flags, ring: Array, out: Array,
    identity: float, share: float,
) -> None:  # fmt: skip
    """Row g of A d.

    Args:
        image: rows of all channels, ``height`` for each.
        g: which row.
        order: m.
        fresh: whether ``ring`` knows nothing of the row before.
        free: the row's free pixels.
        ring: (3, width), for m = 2.
        out: the row; it, the ring, c and k are of one type, in which everything is computed.
        identity, share: c and k.
    """
    first = g - g % height
    last = first + height - 1
    above, below = max(g - 1, first), min(g + 1, last)
    if order == 2:
        for row in range(above if fresh or g == first else min(g + 1, last + 1), below + 1):
            _minus_laplacian(image, row, max(row - 1, first), min(row + 1, last), ring[row % 3])
        _minus_laplacian(ring, g % 3, above % 3, below % 3, out)
    else:
        _minus_laplacian(image, g, above, below, out)
    here, zero = image[g], share - share
    for j in range(out.size):
        value = identity * here[j] + share * out[j]
        out[j] = value if free[j] else zero
