r"""Linear splines on evenly spaced knots, one for each filter, and their derivatives.

Arrays are (outer, filter, inner): an image has its filters in the middle, a matrix of windows at the end.
Every value needs its own place in a table, for which plain PyTorch takes some ten passes over memory.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from mindl.kernels.compiled import Array, run, sweep


@sweep
def _bent(x: Array, table: Array, low: float, inverse: float, values: Array, slopes: Array, sloped: bool) -> None:
    outer, filters, inner = x.shape
    last = table.shape[1] - 1
    zero, end = x.dtype.type(0), x.dtype.type(last)
    for n in prange(outer):
        for c in range(filters):
            for i in range(inner):  # without branches, so that it is done eight or sixteen at once; NaN stays NaN
                place = (x[n, c, i] - low) * inverse
                within = place if place > zero else zero * place
                within = end if within > end else within
                knot = max(min(int(within), last - 1), 0)
                before = table[c, knot]
                rise = table[c, knot + 1] - before
                values[n, c, i] = before + rise * (within - x.dtype.type(knot))
                if sloped:
                    slopes[n, c, i] = rise * inverse if zero < place < end else zero


@sweep
def _gathered(x: Array, gradient: Array, low: float, inverse: float, tables: Array) -> None:
    outer, filters, inner = x.shape
    parts, last = tables.shape[0], tables.shape[2] - 1
    for p in prange(parts):
        for n in range(p * outer // parts, (p + 1) * outer // parts):
            for c in range(filters):
                for i in range(inner):
                    place = (x[n, c, i] - low) * inverse
                    if place >= last:
                        tables[p, c, last] += gradient[n, c, i]
                    elif place > 0:
                        knot = int(place)
                        share = place - knot
                        tables[p, c, knot] += gradient[n, c, i] * (1 - share)
                        tables[p, c, knot + 1] += gradient[n, c, i] * share
                    else:
                        tables[p, c, 0] += gradient[n, c, i]


PARTS = 16
"""In so many pieces derivatives are summed, whatever the number of threads: so that they are the same bits."""


def bend(x: Array, table: Array, reach: float, values: Array, slopes: Array | None, threads: int) -> None:
    """Values, and slopes if there is an array for them, of the splines with the given values at the knots from
    -reach to reach, constant beyond."""
    scalar = x.dtype.type
    into, sloped = (values, False) if slopes is None else (slopes, True)
    run(_bent, threads, x, table, scalar(-reach), scalar((table.shape[1] - 1) / (2 * reach)), values, into, sloped)


def gather(x: Array, gradient: Array, knots: int, reach: float, threads: int) -> Array:
    """The derivative by the values at the knots, of the sum of all values times ``gradient``."""
    scalar = x.dtype.type
    tables = np.zeros((PARTS, x.shape[1], knots), dtype=np.float64)
    run(_gathered, threads, x, gradient, scalar(-reach), scalar((knots - 1) / (2 * reach)), tables)
    found: Array = tables.sum(axis=0)
    return found
