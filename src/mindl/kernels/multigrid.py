r"""Cycles of multigrid for c + k (-Laplacian) with known pixels, on one plane.

The arithmetic is that of ``solvers.multigrid``.

A cycle is a list of operations, each a passage over one grid:

- r F, F the smoother's factor: a smoothing step from 0; two of them at once, f + (r - A f) F for f = r F;
- f + (r - A f) F, from one buffer to the other; the same for f plus what a coarser grid has found;
- the residual, restricted to the coarser grid.

Whatever the operation, the rows of f that the product sees are first put into a ring of three. Matrices of coarser
grids are those of ``kernels.galerkin``.
"""

from __future__ import annotations

from numba import prange

from mindl.kernels.compiled import Array, Flags, part, sweep
from mindl.kernels.galerkin import BELOW, FACTOR, LOWER_LEFT, LOWER_RIGHT, PLANES, RIGHT

SCALE, ADD, COPY, FIRST, FORTH, BACK, CORRECT, RESTRICT, KEEP = range(9)
"""The operations; FORTH smooths from f to the spare buffer, BACK from there to f."""


@part
def _five_point(
    above: Array, here: Array, below: Array, free: Flags, out: Array, identity: float, share: float
) -> None:
    """A row of A f on the finest grid."""
    last, zero = here.size - 1, share - share
    for j in range(1, last):
        v = here[j]
        slope = ((v - above[j]) + (v - below[j])) + ((v - here[j - 1]) + (v - here[j + 1]))
        out[j] = identity * v + share * slope if free[j] else zero
    for j in (0, last):
        v = here[j]
        beside = (v - here[max(j - 1, 0)]) + (v - here[min(j + 1, last)])
        out[j] = identity * v + share * (((v - above[j]) + (v - below[j])) + beside) if free[j] else zero


@part
def _nine_point(above: Array, here: Array, below: Array, matrix: Array, y: int, out: Array) -> None:
    """A row of A f on a coarser grid; ``above`` is 0 in the first row."""
    height, last, up = matrix.shape[0] // PLANES, here.size - 1, max(y - 1, 0)
    centre, right, down = matrix[y], matrix[RIGHT * height + y], matrix[BELOW * height + y]
    left_down, right_down = matrix[LOWER_LEFT * height + y], matrix[LOWER_RIGHT * height + y]
    over, left, far = (
        matrix[BELOW * height + up],
        matrix[LOWER_LEFT * height + up],
        matrix[LOWER_RIGHT * height + up],
    )
    for j in range(1, last):
        beside = right[j] * here[j + 1] + right[j - 1] * here[j - 1]
        under = down[j] * below[j] + (right_down[j] * below[j + 1] + left_down[j] * below[j - 1])
        out[j] = ((centre[j] * here[j] + beside) + under) + (
            over[j] * above[j] + (left[j + 1] * above[j + 1] + far[j - 1] * above[j - 1])
        )
    for j in (0, last):
        out[j] = centre[j] * here[j] + down[j] * below[j] + over[j] * above[j]
        if j < last:
            out[j] += right[j] * here[j + 1] + right_down[j] * below[j + 1] + left[j + 1] * above[j + 1]
        if j > 0:
            out[j] += right[j - 1] * here[j - 1] + left_down[j] * below[j - 1] + far[j - 1] * above[j - 1]


@part
def _prolonged_row(
    coarse: Array, y: int, f: Array, free: Flags, masked: bool, line: Array, half: float, out: Array
) -> None:
    """f plus row y of P ``coarse``, 0 at known pixels."""
    width, end = f.size, coarse.shape[1] - 1
    one, two = coarse[y // 2], coarse[min((y + 1) // 2, coarse.shape[0] - 1)]
    for i in range(end + 1):
        line[i] = half * (one[i] + two[i])
    for i in range(end):
        out[2 * i], out[2 * i + 1] = line[i], half * (line[i] + line[i + 1])
    for j in range(2 * end, width):
        out[j] = line[end]
    for j in range(width):
        out[j] = f[j] + out[j] if not masked or free[j] else f[j]


@part
def _restricted_row(
    upper: Array, middle: Array, lower: Array, a: float, b: float, half: float, line: Array, out: Array
) -> None:
    """A row of P^T of three rows with the weights a, 1, b."""
    last, end = middle.size - 1, out.size - 1
    for j in range(last + 1):
        line[j] = middle[j] + a * upper[j] + b * lower[j]
    for i in range(end):
        out[i] = line[2 * i] + half * line[2 * i + 1]
    out[end] = line[2 * end] + (line[last] if 2 * end < last else half - half)
    for i in range(1, end + 1):
        out[i] += half * line[2 * i - 1]


@part
def _filled_row(
    operation: int, y: int, r: Array, source: Array, factor: Array, coarse: Array, free: Flags, masked: bool,
    line: Array, half: float, out: Array,
) -> None:  # fmt: skip
    """The row of f that the product is to see."""
    if operation == FIRST:
        for j in range(out.size):
            out[j] = r[y, j] * factor[j]
    elif operation == CORRECT:
        _prolonged_row(coarse, y, source[y], free, masked, line, half, out)
    else:
        for j in range(out.size):
            out[j] = source[y, j]


@part
def _used_row(
    operation: int, f: Array, r: Array, product: Array, factor: Array, rest: Array, out: Array, first: bool
) -> None:
    """What an operation makes of a row and its product; KEEP adds f to ``out`` and leaves the residual in r."""
    for j in range(f.size):
        rest[j] = r[j] - product[j]
    if operation == KEEP:
        for j in range(f.size):
            out[j] = f[j] if first else out[j] + f[j]
            r[j] = rest[j]
    elif operation != RESTRICT:
        for j in range(f.size):
            out[j] = f[j] + rest[j] * factor[j]


@part
def _operated(
    operation: int, first: bool, r: Array, source: Array, target: Array, coarse: Array, matrix: Array,
    factors: Array, free: Flags, finest: bool, scalars: Array, ring: Array, nothing: Array, top: int, bottom: int,
) -> None:  # fmt: skip
    """One operation on the rows of a band; on those of the coarser grid where it restricts.

    ``ring``: 8 rows: three of f, three residuals, the product, and a spare one; ``nothing`` is a row of zeros.
    """
    height, half = r.shape[0], scalars[2]
    start, end = top, bottom
    if operation == RESTRICT:
        start, end = max(2 * top - 1, 0), min(2 * bottom, height)
    begin = start
    for y in range(start, end):
        for row in range(max(begin - 1, 0) if y == start else y + 1, min(y + 2, height)):
            at = min(row, 1) + min(height - 1 - row, 1) if finest else row
            _filled_row(
                operation, row, r, source, factors[at], coarse, free[row % free.shape[0]], finest, ring[7], half,
                ring[row % 3],
            )  # fmt: skip
        here, below, above = ring[y % 3], ring[min(y + 1, height - 1) % 3], ring[max(y - 1, 0) % 3]
        if finest:
            _five_point(above, here, below, free[y], ring[6], scalars[0], scalars[1])
        else:
            _nine_point(above if y > 0 else nothing, here, below, matrix, y, ring[6])
        at = min(y, 1) + min(height - 1 - y, 1) if finest else y
        out = target[y] if operation != RESTRICT else ring[6]
        _used_row(operation, here, r[y], ring[6], factors[at], ring[3 + y % 3], out, first)
        if operation == RESTRICT and (y % 2 == 1 or y == height - 1) and y // 2 >= top:
            a = half if y >= 2 else half - half
            b = half - half
            if y % 2 == 1:
                b = half if y < height - 1 else half + half
            middle = y - y % 2
            _restricted_row(
                ring[3 + max(middle - 1, 0) % 3], ring[3 + middle % 3], ring[3 + y % 3], a, b, half, ring[7],
                coarse[y // 2],
            )  # fmt: skip


@part
def _simple(
    operation: int,
    r: Array,
    f: Array,
    spare: Array,
    kept: Array,
    factors: Array,
    finest: bool,
    top: int,
    bottom: int,
) -> None:
    """The operations without a product: r F, f + kept, and f from the spare buffer."""
    height = r.shape[0]
    for y in range(top, bottom):
        at = min(y, 1) + min(height - 1 - y, 1) if finest else y
        for j in range(r.shape[1]):
            if operation == SCALE:
                f[y, j] = r[y, j] * factors[at, j]
            elif operation == ADD:
                f[y, j] += kept[y, j]
            else:
                f[y, j] = spare[y, j]


@sweep
def cycle(
    r: Array, f: Array, spare: Array, free: Flags, finest_factors: Array, matrices: Array, vectors: Array,
    grids: Array, program: Array, scalars: Array, rings: Array, nothing: Array, parts: int,
) -> None:  # fmt: skip
    """Carry out a program.

    Args:
        r, f: residual and result on the finest grid, (height, width); spare: (height width), for all grids.
        free: the free pixels.
        finest_factors: the smoother's factors on the finest grid, one row for each number of vertical neighbours.
        matrices: those of the coarser grids, one after the other; vectors: r, f and what is kept, likewise.
        grids: (levels, 4): height, width, and where matrix and vectors begin.
        program: (operations, 3): which, on which grid, and whether what is kept begins anew.
        scalars: c, k and 1/2; rings: (bands, 8 width); nothing: a row of zeros.
        parts: into how many bands the grids are cut.
    """
    for step in range(program.shape[0]):
        operation, level, first = program[step, 0], program[step, 1], program[step, 2] > 0
        height, width, where, begin = grids[level]
        size, finest = height * width, level == 0
        residual, found, factors, matrix = r, f, finest_factors, finest_factors
        if not finest:
            residual = vectors[begin : begin + size].reshape(height, width)
            found = vectors[begin + size : begin + 2 * size].reshape(height, width)
            matrix = matrices[where : where + PLANES * size].reshape(PLANES * height, width)
            factors = matrix[FACTOR * height :]
        kept = found
        if operation in (KEEP, ADD):
            kept = vectors[begin + 2 * size : begin + 3 * size].reshape(height, width)
        other = spare[:size].reshape(height, width)
        source, target = found, found
        if operation in (FORTH, CORRECT):
            target = other
        elif operation == BACK:
            source = other
        elif operation == KEEP:
            target = kept
        coarse, rows = found, height
        if operation in (CORRECT, RESTRICT):
            next_height, next_width, _, begin = grids[level + 1]
            begin += next_height * next_width if operation == CORRECT else 0
            coarse = vectors[begin : begin + next_height * next_width].reshape(next_height, next_width)
            rows = next_height if operation == RESTRICT else height
        for band in prange(parts):
            top, bottom = band * rows // parts, (band + 1) * rows // parts
            if operation <= COPY:
                _simple(operation, residual, found, other, kept, factors, finest, top, bottom)
            else:
                _operated(
                    operation, first, residual, source, target, coarse, matrix, factors, free, finest, scalars,
                    rings[band, : 8 * width].reshape(8, width), nothing[:width], top, bottom,
                )  # fmt: skip
