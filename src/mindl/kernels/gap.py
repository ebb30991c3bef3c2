r"""The sums of a duality gap, in float64, for total variation and Huber's penaliser of the gradient.

Row by row: the feasible dual field, Fenchel and Young's terms of the penaliser and of the data term, the energy,
and what the rounding is estimated with. Each is the expression of the plain computation (``models.data_terms``,
``calculus.penalisers``). The terms of ``GROUP`` rows are added column by column, and these columns pairwise, by
halves, so that the error grows with the logarithm of the image's size only.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from mindl.kernels.compiled import Array, Flags, bands, part, run, sweep

HALF_SQUARED, KNOWN_PIXELS, ABSOLUTE = 0, 1, 2
"""The data terms, as ``kind``."""

SUMS = 7
"""Field gap, data gap, penalty, misfit, |p|^2, and for terms with a box |p|_1 and the largest |u|."""

GROUP = 16
"""Rows whose terms are added before the columns are."""


@part
def folded(terms: Array) -> float:
    """The sum of the terms, pairwise; they are overwritten."""
    count = terms.size
    while count > 1:
        half = count // 2
        for j in range(half):
            terms[j] += terms[half + j]
        if count % 2:
            terms[half] = terms[count - 1]
        count = half + count % 2
    return terms[0]  # type: ignore[no-any-return]


@part
def feasible_row(p: Array, out: Array, size: Array, i: int, radius: float, isotropic: bool) -> None:
    """Row i of p in float64, drawn in to |p| <= radius by a few units of rounding."""
    slack = (1.0 + 8.0 * 2.220446049250313e-16) / radius
    for c in range(p.shape[0]):
        for k in range(2):
            source, target = p[c, k, i], out[c, k]
            for j in range(source.size):
                target[j] = source[j]
    for group in range(1 if isotropic else 2):
        for j in range(size.size):
            size[j] = 0.0
        for c in range(p.shape[0]):
            for k in range(2):
                if isotropic or k == group:
                    values = out[c, k]
                    for j in range(size.size):
                        size[j] += values[j] * values[j]
        for j in range(size.size):
            size[j] = max(math.sqrt(size[j]) * slack, 1.0)
        for c in range(p.shape[0]):
            for k in range(2):
                if isotropic or k == group:
                    values = out[c, k]
                    for j in range(size.size):
                        values[j] /= size[j]


@part
def _gradient_row(u: Array, out: Array, i: int, inverse: float) -> None:
    """Row i of the gradient in float64."""
    last = u.shape[2] - 1
    for c in range(u.shape[0]):
        here, below = u[c, i], u[c, min(i + 1, u.shape[1] - 1)]
        x, y = out[c, 0], out[c, 1]
        for j in range(last):
            x[j] = (np.float64(here[j + 1]) - np.float64(here[j])) * inverse
        x[last] = 0.0
        for j in range(last + 1):
            y[j] = (np.float64(below[j]) - np.float64(here[j])) * inverse


@part
def _field_row(
    field: Array, dual: Array, group: int, isotropic: bool, weight: float, contrast: float,
    size: Array, product: Array, beyond: Array, penalty: Array,
) -> None:  # fmt: skip
    """Fenchel and Young's term of one group in ``beyond``, and w psi(|q|) in ``penalty``."""
    for j in range(size.size):
        size[j] = 0.0
        product[j] = 0.0
    for c in range(field.shape[0]):
        for k in range(2):
            if isotropic or k == group:
                q, p = field[c, k], dual[c, k]
                for j in range(size.size):
                    size[j] += q[j] * q[j]
                    product[j] += q[j] * p[j]
    if contrast == 0.0:
        for j in range(size.size):
            penalty[j] = weight * math.sqrt(size[j])
            beyond[j] = penalty[j] - product[j]
        return
    for j in range(size.size):
        size[j] = math.sqrt(size[j])
        low = min(size[j], contrast)
        penalty[j] = weight * (low * low / (2.0 * contrast) + (size[j] - low))
        capped = max(size[j], contrast)
        beyond[j] = max(size[j] - contrast, 0.0) * (weight - product[j] / capped)
        size[j] = weight / capped
        product[j] = 0.0
    for c in range(field.shape[0]):
        for k in range(2):
            if isotropic or k == group:
                q, p = field[c, k], dual[c, k]
                for j in range(size.size):
                    away = q[j] * size[j] - p[j]
                    product[j] += away * away
    for j in range(size.size):
        beyond[j] += contrast * product[j] / (2.0 * weight)


@part
def _data_row(
    u: Array, f: Array, known: Flags, slope: Array, low: float, high: float, kind: int, gap: Array, misfit: Array
) -> None:
    """Fenchel and Young's term of the data for r = minus ``slope``, and the term itself."""
    if kind == HALF_SQUARED:
        for j in range(u.size):
            away = np.float64(u[j]) - np.float64(f[j])
            misfit[j] = 0.5 * away * away
            away += slope[j]
            gap[j] = 0.5 * away * away
    elif kind == KNOWN_PIXELS:
        for j in range(u.size):
            r = -slope[j]
            way = max(r, 0.0) * (high - np.float64(u[j])) + max(-r, 0.0) * (np.float64(u[j]) - low)
            gap[j] = 0.0 if known[j] else way
            misfit[j] = 0.0
    else:
        for j in range(u.size):
            r, away = -slope[j], np.float64(u[j]) - np.float64(f[j])
            inner = min(max(r, -1.0), 1.0)
            near = (1.0 - inner) * max(away, 0.0) + (1.0 + inner) * max(-away, 0.0)
            far = max(r - 1.0, 0.0) * (high - np.float64(u[j])) + max(-r - 1.0, 0.0) * (np.float64(u[j]) - low)
            gap[j] = near + far
            misfit[j] = abs(away)


@part
def _adjoint_row(
    dual: Array, above: Array, c: int, first: bool, last_row: bool, inverse: float, out: Array
) -> None:
    """Row of L^T p of channel c; ``above`` is p in the row above."""
    x, y, up, last = dual[c, 0], dual[c, 1], above[c, 1], dual.shape[2] - 1
    for j in range(last + 1):
        out[j] = (0.0 if first else up[j]) - (0.0 if last_row else y[j])
    for j in range(1, last):
        out[j] += x[j - 1] - x[j]
    if last > 0:
        out[0] -= x[0]
        out[last] += x[last - 1]
    for j in range(last + 1):
        out[j] *= inverse


@part
def _plus(terms: Array, columns: Array) -> None:
    for j in range(terms.size):
        columns[j] += terms[j]


@part
def _row_of_one(
    u: Array, f: Array, p: Array, dual: Array, above: Array, lines: Array, i: int, weight: float, columns: Array
) -> None:  # fmt: skip
    """Row i of ROF's terms in one channel, grid 1, in three passages instead of ten."""
    last, slack = u.shape[2] - 1, (1.0 + 8.0 * 2.220446049250313e-16) / weight
    here, below, data = u[0, i], u[0, min(i + 1, u.shape[1] - 1)], f[0, i]
    px, py, x, y, up, slope = p[0, 0, i], p[0, 1, i], dual[0, 0], dual[0, 1], above[0, 1], lines[0]
    field, gap, penalty, misfit, squares = columns[0], columns[1], columns[2], columns[3], columns[4]
    for j in range(last + 1):
        a, b = np.float64(px[j]), np.float64(py[j])
        size = max(math.sqrt(a * a + b * b) * slack, 1.0)
        a /= size
        b /= size
        x[j] = a
        y[j] = b
        squares[j] += a * a + b * b
    for j in range(last):
        a, b = np.float64(here[j + 1]) - np.float64(here[j]), np.float64(below[j]) - np.float64(here[j])
        size = weight * math.sqrt(a * a + b * b)
        penalty[j] += size
        field[j] += size - (a * x[j] + b * y[j])
    b = np.float64(below[last]) - np.float64(here[last])
    penalty[last] += weight * abs(b)
    field[last] += weight * abs(b) - b * y[last]
    first, under = 1.0 if i > 0 else 0.0, 1.0 if i < u.shape[1] - 1 else 0.0
    slope[0] = -x[0] if last > 0 else 0.0
    for j in range(1, last):
        slope[j] = x[j - 1] - x[j]
    if last > 0:
        slope[last] = x[last - 1]
    for j in range(last + 1):
        away = np.float64(here[j]) - np.float64(data[j])
        misfit[j] += 0.5 * away * away
        away += (first * up[j] - under * y[j]) + slope[j]
        gap[j] += 0.5 * away * away


@part
def _row(
    u: Array, f: Array, known: Flags, p: Array, field: Array, dual: Array, above: Array, lines: Array, i: int,
    low: Array, high: Array, kind: int, weight: float, contrast: float, radius: float, grid: float,
    isotropic: bool, columns: Array,
) -> None:  # fmt: skip
    """Add the terms of row i to ``columns``; ``dual`` is its feasible field, ``above`` that of the row before."""
    size, product, terms, other = lines[0], lines[1], lines[2], lines[3]
    feasible_row(p, dual, size, i, radius, isotropic)
    _gradient_row(u, field, i, 1.0 / grid)
    for group in range(1 if isotropic else 2):
        _field_row(field, dual, group, isotropic, weight, contrast, size, product, terms, other)
        _plus(terms, columns[0])
        _plus(other, columns[2])
    for c in range(u.shape[0]):
        _adjoint_row(dual, above, c, i == 0, i == u.shape[1] - 1, 1.0 / grid, size)
        _data_row(u[c, i], f[c, i], known[c % known.shape[0], i], size, low[c], high[c], kind, terms, other)
        _plus(terms, columns[1])
        _plus(other, columns[3])
        for j in range(terms.size):
            columns[4, j] += dual[c, 0, j] * dual[c, 0, j] + dual[c, 1, j] * dual[c, 1, j]
        if kind != HALF_SQUARED:
            for j in range(terms.size):
                columns[5, j] += abs(dual[c, 0, j]) + abs(dual[c, 1, j])
                columns[6, j] = max(columns[6, j], abs(np.float64(u[c, i, j])))


@sweep
def gap_sums(
    u: Array, f: Array, known: Flags, p: Array, field: Array, dual: Array, columns: Array, lines: Array,
    low: Array, high: Array, kind: int, weight: float, contrast: float, radius: float, grid: float,
    isotropic: bool, sums: Array,
) -> None:  # fmt: skip
    """Fill ``sums``, (groups, SUMS), with the sums of every ``GROUP`` rows.

    Args:
        u, f, p: image, data and dual field, of one type.
        known: (1 or channel, height, width), for known pixels.
        field, dual: scratch (bands, channel, 2, width) and (bands, 2, channel, 2, width) in float64;
            columns: (bands, SUMS, width); lines: (bands, 4, width).
        low, high: the box of each channel.
        kind: HALF_SQUARED, KNOWN_PIXELS or ABSOLUTE.
        weight, contrast: of the penaliser; contrast 0 is total variation.
        radius: the bound of |p|.
        grid: the distance of two pixels.
        isotropic: whether both components share a magnitude; channels always do.
        sums: see SUMS.
    """
    count, height = columns.shape[0], u.shape[1]
    plain = u.shape[0] == 1 and isotropic and kind == HALF_SQUARED and contrast == 0.0 and grid == 1.0
    for band in prange(count):
        own, added = dual[band], columns[band]
        begin, end = band * sums.shape[0] // count, (band + 1) * sums.shape[0] // count
        if begin > 0:
            feasible_row(p, own[1], lines[band, 0], begin * GROUP - 1, radius, isotropic)
        for g in range(begin, end):
            for k in range(SUMS):
                for j in range(u.shape[2]):
                    added[k, j] = 0.0
            for i in range(g * GROUP, min((g + 1) * GROUP, height)):
                here, above = own[i % 2], own[1 - i % 2]
                if plain:
                    _row_of_one(u, f, p, here, above, lines[band], i, weight, added)
                else:
                    _row(
                        u, f, known, p, field[band], here, above, lines[band], i, low, high, kind, weight,
                        contrast, radius, grid, isotropic, added,
                    )  # fmt: skip
            for k in range(SUMS - 1):
                sums[g, k] = folded(added[k])
            largest = 0.0
            for j in range(u.shape[2]):
                largest = max(largest, added[SUMS - 1, j])
            sums[g, SUMS - 1] = largest


def rows_of_sums(
    u: Array, f: Array, known: Flags, p: Array, low: Array, high: Array, kind: int, weight: float, contrast: float,
    grid: float, isotropic: bool, threads: int,
) -> Array:  # fmt: skip
    """``gap_sums`` with its scratch: (groups, SUMS). The bound of |p| is the weight."""
    channels, height, width = u.shape
    sums = np.empty((-(-height // GROUP), SUMS))
    count = bands(len(sums), threads, 1)
    field, dual = np.empty((count, channels, 2, width)), np.zeros((count, 2, channels, 2, width))
    columns, lines = np.empty((count, SUMS, width)), np.empty((count, 4, width))
    run(
        gap_sums, threads, u, f, known, p, field, dual, columns, lines, low, high, kind, weight, contrast, weight,
        grid, isotropic, sums,
    )  # fmt: skip
    return sums
