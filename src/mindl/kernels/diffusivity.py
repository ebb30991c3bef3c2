r"""Diffusivities :math:`g(s^2)` by number, along a row of squared magnitudes.

The formulas are those of ``calculus.penalisers`` and ``calculus.weickert``. The exponential is written out, so
that it is computed for several pixels at once, and to the same bits wherever a pixel lies.
"""

from __future__ import annotations

import math

from mindl.kernels.compiled import Array, part

CONSTANT, HUBER, CHARBONNIER, PERONA_MALIK, WEICKERT = range(5)
"""The diffusivities, as ``kind``."""

DOUBLINGS = 10


@part
def fallen(x: Array) -> None:
    r""":math:`e^{-x} - 1` for 0 <= x <= 100, in the place of x.

    A Taylor polynomial of :math:`y = 2^{-10} x`, doubled ten times by :math:`e^{-2y} - 1 = p (2 + p)`, which damps
    relative errors for negative p: some ten units of rounding in the end.
    """
    one = x.dtype.type(1)
    two, scale = x.dtype.type(2), x.dtype.type(1 / 2**DOUBLINGS)
    third, fourth, fifth = x.dtype.type(1 / 3), x.dtype.type(1 / 4), x.dtype.type(1 / 5)
    sixth, seventh, eighth = x.dtype.type(1 / 6), x.dtype.type(1 / 7), x.dtype.type(1 / 8)
    half = x.dtype.type(0.5)
    for j in range(x.size):
        y = x[j] * scale
        p = one - y * seventh * (one - y * eighth)
        p = one - y * fourth * (one - y * fifth * (one - y * sixth * p))
        p = -y * (one - y * half * (one - y * third * p))
        for _ in range(DOUBLINGS):
            p = p * (two + p)
        x[j] = p


@part
def diffuse(squares: Array, kind: int, rule: Array) -> None:
    """g, in the place of s^2.

    Args:
        squares: s^2 >= 0.
        kind: which diffusivity.
        rule: contrast c, 1 / c, and for Weickert's C_m, m and the smallest s^2 / c^2 of which g is not 1.
    """
    one = squares.dtype.type(1)
    if kind == CONSTANT:
        for j in range(squares.size):
            squares[j] = one
    elif kind == HUBER:
        contrast = rule[0]
        for j in range(squares.size):
            squares[j] = one / max(math.sqrt(squares[j]), contrast)
    elif kind == CHARBONNIER:
        inverse = rule[1]
        for j in range(squares.size):
            squares[j] = one / math.sqrt(one + squares[j] * inverse * inverse)
    elif kind == PERONA_MALIK:
        inverse = rule[1]
        for j in range(squares.size):
            squares[j] = one / (one + squares[j] * inverse * inverse)
    else:
        _weickert(squares, rule)


@part
def _weickert(squares: Array, rule: Array) -> None:
    one, inverse, threshold, steep = squares.dtype.type(1), rule[1], rule[2], rule[4]
    for j in range(squares.size):
        squares[j] = max(squares[j] * inverse * inverse, steep)
    power = int(rule[3])
    for j in range(squares.size):
        flat = one / squares[j]
        x = threshold * flat
        for _ in range(power - 1):
            x = x * flat
        squares[j] = x
    fallen(squares)
    for j in range(squares.size):
        squares[j] = -squares[j]
