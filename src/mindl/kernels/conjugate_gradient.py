r"""Conjugate gradient steps for A = c + k (-Laplacian)^m with known pixels: all of them in one call.

.. math:: \alpha = \frac{\langle r, r\rangle}{\langle d, A d\rangle}, \quad u \leftarrow u + \alpha d, \quad
          r \leftarrow r - \alpha A d, \quad d \leftarrow r + \beta d

A step is two passages through memory: the new direction with its product, of which only the inner product is
kept, and then the product once more with everything that alpha changes; products with m = 2 of small images, which
cost more than the memory, are kept. Each thread does so in a band of rows. A
product looks m rows far, so that a band leaves out m rows at its ends inside the image until all have their
directions. Inner products are taken row by row and the rows folded by halves: they do not depend on the bands.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from mindl.kernels.compiled import Array, Flags, part, run, sweep
from mindl.kernels.five_point import dot, matrix_row, shares
from mindl.kernels.gap import folded

PRODUCT, EDGES, UPDATE, TURN, RESIDUAL, STOP = range(6)
"""The passages."""

KEPT = 1 << 22
"""Bytes that products with m = 2 may take."""

SQUARED, ENERGETIC, FLOOR, BEFORE, SIZE = range(5)
"""What ``numbers`` holds: <r, r>, <r, B r>, the square that is only rounding, <r, r> before the step, |u|^2."""


@part
def turned_row(direction: Array, towards: Array, beta: float) -> None:
    """d <- B r + beta d."""
    for j in range(direction.size):
        direction[j] = towards[j] + beta * direction[j]


@part
def _updated_row(image: Array, residual: Array, direction: Array, product: Array, alpha: float) -> None:
    """u + alpha d, in float64, and r - alpha A d."""
    for j in range(image.size):
        image[j] += np.float64(direction[j] * alpha)
        residual[j] += product[j] * -alpha


@part
def _stepped(
    u: Array, r: Array, d: Array, q: Array, free: Flags, height: int, order: int, lines: Array, scalars: Array,
    sums: Array, phase: int, turns: bool, band: int, count: int,
) -> None:  # fmt: skip
    """A passage with products over a band: which rows, and what becomes of the product, the phase says."""
    rows = d.shape[0]
    top, bottom = band * rows // count, (band + 1) * rows // count
    start, end, ahead = top, bottom, 0
    if phase == PRODUCT:
        start, end, ahead = top + order if band > 0 else top, bottom - order if band < count - 1 else bottom, order
    elif phase == EDGES:
        start, end = top - order if band > 0 else top, top + order if band > 0 else top
    for front in range(min(start, top), max(end, bottom) + ahead):
        if turns and front < bottom:
            turned_row(d[front], r[front], scalars[3])
        g = front - ahead
        if start <= g < end:
            kept = q.shape[0] == rows
            left, right = d[g], q[g] if kept else lines[0]
            if phase != UPDATE or not kept:
                fresh, known = g == start, free[g % free.shape[0]]
                matrix_row(d, g, height, order, fresh, known, lines[1:], right, scalars[0], scalars[1])
            if phase == UPDATE:
                _updated_row(u[g], r[g], left, right, scalars[2])
                left = right = r[g]
            sums[g] = dot(left, right)


@part
def _renewed_row(
    out: Array, here: Array, data: Array, product: Array, free: Flags, identity: float, right: bool
) -> None:
    """b - A u from k L^m u, or from A u where b is given."""
    for j in range(out.size):
        misfit = 0.0
        if right:
            misfit = -np.float64(data[j])
        elif free[j]:
            misfit = identity * (np.float64(here[j]) - np.float64(data[j]))
        out[j] = -(product[j] + misfit)


@part
def _renewed(
    u: Array, r: Array, data: Array, free: Flags, height: int, order: int, right: bool, wide: Array, exact: Array,
    sums: Array, top: int, bottom: int,
) -> None:  # fmt: skip
    """The true residual, its square and that of the image."""
    for g in range(top, bottom):
        known, identity = free[g % free.shape[0]], exact[0] if right else 0.0
        matrix_row(u, g, height, order, g == top, known, wide[1:], wide[0], identity, exact[1])
        _renewed_row(r[g], u[g], data[g], wide[0], known, exact[0], right)
        sums[0, g], sums[1, g] = dot(r[g], r[g]), dot(u[g], u[g])


@part
def ratio(above: float, below: float, numbers: Array, squared: float) -> float:
    """above / below; 0 where it is not defined, or the residual was only rounding."""
    return above / below if squared > numbers[FLOOR] and below > 0.0 else 0.0


@part
def _passage(
    u: Array, r: Array, d: Array, q: Array, data: Array, free: Flags, height: int, order: int, right: bool,
    scalars: Array, exact: Array, lines: Array, wide: Array, sums: Array, phase: int, turns: bool, band: int,
) -> None:  # fmt: skip
    """What a thread does in a passage."""
    total, parts = d.shape[0], lines.shape[0]
    top, bottom = band * total // parts, (band + 1) * total // parts
    if phase == TURN:
        for g in range(top, bottom):
            turned_row(d[g], r[g], scalars[3])
    elif phase < TURN:
        _stepped(u, r, d, q, free, height, order, lines[band], scalars, sums[0], phase, turns, band, parts)
    else:
        _renewed(u, r, data, free, height, order, right, wide[band], exact, sums, top, bottom)


@part
def _after(
    phase: int, scalars: Array, sums: Array, numbers: Array, renews: bool, turning: bool, goes_on: bool
) -> int:
    """The passage that follows, with the numbers that it needs."""
    if phase == PRODUCT:
        return EDGES
    if phase == EDGES:
        scalars[2] = ratio(numbers[ENERGETIC], folded(sums[0]), numbers, numbers[SQUARED])
        return UPDATE
    if phase == UPDATE and renews:
        return RESIDUAL
    if phase == TURN:
        return STOP
    if phase == RESIDUAL:
        numbers[SIZE] = folded(sums[1])
    numbers[BEFORE], numbers[SQUARED] = numbers[SQUARED], folded(sums[0])
    if not turning:
        return STOP
    scalars[3] = ratio(numbers[SQUARED], numbers[ENERGETIC], numbers, numbers[BEFORE])
    numbers[ENERGETIC] = numbers[SQUARED]
    return PRODUCT if goes_on else TURN


@sweep
def passages(
    u: Array, r: Array, d: Array, q: Array, data: Array, free: Flags, height: int, order: int, right: bool,
    scalars: Array, exact: Array, lines: Array, wide: Array, sums: Array, numbers: Array, count: int, steps: int,
    refresh: int, turning: bool,
) -> None:  # fmt: skip
    """Steps in place; without ``steps`` the true residual, without ``turning`` one step up to its residual.

    Args:
        u: the image in float64; r, d: residual and direction; data. All (rows, width), the rows of one channel
            after those of another.
        q: where products are kept, of the same shape, or a single row.
        free: the free pixels, (rows or height, width).
        height: of the image.
        order: m.
        right: whether ``data`` is the right-hand side b, or the f of b = c f.
        scalars: c, k, alpha and beta in the image's type; exact: c and k in float64.
        lines: (bands, 4, width) in the image's type; wide: the same in float64; sums: (2, rows).
        numbers: see SIZE.
        count: steps done before; steps: steps to do; refresh: steps between two true residuals.
        turning: whether the residual itself is the next direction (no preconditioner).
    """
    parts = lines.shape[0]
    phase, done = PRODUCT if steps > 0 else RESIDUAL, 0
    while phase != STOP:
        turns = phase == PRODUCT and done > 0
        for band in prange(parts):
            _passage(
                u, r, d, q, data, free, height, order, right, scalars, exact, lines, wide, sums, phase, turns,
                np.int64(band),  # type: ignore[arg-type]
            )  # fmt: skip
        renews = (count + done + 1) % refresh == 0
        goes = done + 1 < steps
        before, phase = phase, _after(phase, scalars, sums, numbers, renews, turning and steps > 0, goes)
        if before in (UPDATE, RESIDUAL) and phase != RESIDUAL:
            done += 1


@sweep
def turned(r: Array, towards: Array, d: Array, scalars: Array, sums: Array, numbers: Array, parts: int) -> None:
    """beta = <r, B r> / its value before, and d <- B r + beta d, for ``towards`` = B r; arguments as above."""
    total = d.shape[0]
    for phase in range(2):
        for band in prange(parts):
            for g in range(band * total // parts, (band + 1) * total // parts):
                if phase == 0:
                    sums[g] = dot(r[g], towards[g])
                else:
                    turned_row(d[g], towards[g], scalars[3])
        if phase == 0:
            energetic = folded(sums)
            scalars[3] = ratio(energetic, numbers[ENERGETIC], numbers, numbers[BEFORE])
            numbers[ENERGETIC] = energetic


class Workspace:
    """The scratch of all steps on images of one shape, and the numbers of one image."""

    def __init__(self, like: Array, identity: float, share: float, order: int, threads: int) -> None:
        rows, width = like.shape
        parts = shares(rows, width, threads, 2 * order)
        self.parts, self.order = parts, order
        self.scalars = np.array([identity, share, 0, 0], like.dtype)
        self.exact = np.array([identity, share])
        self.lines, self.wide = np.empty((parts, 4, width), like.dtype), np.empty((parts, 4, width))
        self.sums, self.numbers = np.empty((2, rows)), np.zeros(5)
        kept = order == 2 and rows > 1 and like.nbytes <= KEPT
        self.products = np.empty((rows if kept else 1, width), like.dtype)

    def advance(
        self, u: Array, r: Array, d: Array, data: Array, free: Flags, height: int, right: bool, count: int,
        steps: int, refresh: int, turning: bool,
    ) -> None:  # fmt: skip
        """``passages`` on an image, (rows, width)."""
        run(
            passages, self.parts, u, r, d, self.products, data, free, height, self.order, right, self.scalars,
            self.exact, self.lines, self.wide, self.sums, self.numbers, count, steps, refresh, turning,
        )  # fmt: skip

    def turn(self, r: Array, towards: Array, d: Array) -> None:
        """``turned`` on an image."""
        run(turned, self.parts, r, towards, d, self.scalars, self.sums[0], self.numbers, self.parts)
