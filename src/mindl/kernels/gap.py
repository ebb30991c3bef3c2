r"""The sums of a duality gap, in float64, for total variation and Huber's penaliser of the gradient.

Row by row: the feasible dual field, Fenchel and Young's terms of the penaliser and of the data term, the energy,
and what the rounding is estimated with. Each is the expression of the plain computation (``models.data_terms``,
``calculus.penalisers``); a row is summed pairwise, by halves, so that the error grows with the logarithm of its
length only.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from mindl.kernels.compiled import Array, Flags, bands, part, run, sweep

HALF_SQUARED, KNOWN_PIXELS, ABSOLUTE = 0, 1, 2
"""The data terms, as ``kind``."""

SUMS = 7
"""Field gap, data gap, penalty, misfit, |p|^2, |p|_1 and the largest |u| of a row."""


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
            x[j] = (float(here[j + 1]) - float(here[j])) * inverse
        x[last] = 0.0
        for j in range(last + 1):
            y[j] = (float(below[j]) - float(here[j])) * inverse


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
            away = float(u[j]) - float(f[j])
            misfit[j] = 0.5 * away * away
            away += slope[j]
            gap[j] = 0.5 * away * away
    elif kind == KNOWN_PIXELS:
        for j in range(u.size):
            r = -slope[j]
            way = max(r, 0.0) * (high - float(u[j])) + max(-r, 0.0) * (float(u[j]) - low)
            gap[j] = 0.0 if known[j] else way
            misfit[j] = 0.0
    else:
        for j in range(u.size):
            r, away = -slope[j], float(u[j]) - float(f[j])
            inner = min(max(r, -1.0), 1.0)
            near = (1.0 - inner) * max(away, 0.0) + (1.0 + inner) * max(-away, 0.0)
            far = max(r - 1.0, 0.0) * (high - float(u[j])) + max(-r - 1.0, 0.0) * (float(u[j]) - low)
            gap[j] = near + far
            misfit[j] = abs(away)


@part
def _adjoint_row(
    dual: Array, above: Array, c: int, first: bool, last_row: bool, inverse: float, out: Array
) -> None:
    """Row of L^T p of channel c; ``above`` is the y component of the row above."""
    x, y, up, last = dual[c, 0], dual[c, 1], above[c], dual.shape[2] - 1
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
def _row(
    u: Array, f: Array, known: Flags, p: Array, field: Array, dual: Array, above: Array, lines: Array, i: int,
    low: Array, high: Array, kind: int, weight: float, contrast: float, radius: float, grid: float,
    isotropic: bool, sums: Array,
) -> None:  # fmt: skip
    """The sums of row i; ``above`` holds the y component of the feasible field in row i - 1, and then in row i."""
    size, product, terms, other = lines[0], lines[1], lines[2], lines[3]
    for k in range(SUMS):
        sums[k] = 0.0
    feasible_row(p, dual, size, i, radius, isotropic)
    _gradient_row(u, field, i, 1.0 / grid)
    for group in range(1 if isotropic else 2):
        _field_row(field, dual, group, isotropic, weight, contrast, size, product, terms, other)
        sums[0] += folded(terms)
        sums[2] += folded(other)
    for c in range(u.shape[0]):
        _adjoint_row(dual, above, c, i == 0, i == u.shape[1] - 1, 1.0 / grid, size)
        _data_row(u[c, i], f[c, i], known[c % known.shape[0], i], size, low[c], high[c], kind, terms, other)
        sums[1] += folded(terms)
        sums[3] += folded(other)
        largest = 0.0
        for j in range(terms.size):
            terms[j] = dual[c, 0, j] * dual[c, 0, j] + dual[c, 1, j] * dual[c, 1, j]
            other[j] = abs(dual[c, 0, j]) + abs(dual[c, 1, j])
            largest = max(largest, abs(float(u[c, i, j])))
            above[c, j] = dual[c, 1, j]
        sums[4] += folded(terms)
        sums[5] += folded(other)
        sums[6] = max(sums[6], largest)


@sweep
def gap_sums(
    u: Array, f: Array, known: Flags, p: Array, field: Array, dual: Array, above: Array, lines: Array, low: Array,
    high: Array, kind: int, weight: float, contrast: float, radius: float, grid: float, isotropic: bool,
    sums: Array,
) -> None:  # fmt: skip
    """Fill ``sums``, (height, SUMS), with the sums of every row.

    Args:
        u, f, p: image, data and dual field, of one type.
        known: (1 or channel, height, width), for known pixels.
        field, dual: scratch (bands, channel, 2, width) in float64; above: (bands, channel, width);
            lines: (bands, 4, width).
        low, high: the box of each channel.
        kind: HALF_SQUARED, KNOWN_PIXELS or ABSOLUTE.
        weight, contrast: of the penaliser; contrast 0 is total variation.
        radius: the bound of |p|.
        grid: the distance of two pixels.
        isotropic: whether both components share a magnitude; channels always do.
        sums: see SUMS.
    """
    count, height = above.shape[0], u.shape[1]
    for band in prange(count):
        top, bottom = band * height // count, (band + 1) * height // count
        if top > 0:
            feasible_row(p, dual[band], lines[band, 0], top - 1, radius, isotropic)
            for c in range(u.shape[0]):
                for j in range(u.shape[2]):
                    above[band, c, j] = dual[band, c, 1, j]
        for i in range(top, bottom):
            _row(
                u, f, known, p, field[band], dual[band], above[band], lines[band], i, low, high, kind, weight,
                contrast, radius, grid, isotropic, sums[i],
            )  # fmt: skip


def rows_of_sums(
    u: Array, f: Array, known: Flags, p: Array, low: Array, high: Array, kind: int, weight: float, contrast: float,
    grid: float, isotropic: bool, threads: int,
) -> Array:  # fmt: skip
    """``gap_sums`` with its scratch: (height, SUMS). The bound of |p| is the weight."""
    channels, height, width = u.shape
    count = bands(height, threads, 1)
    sums = np.empty((height, SUMS))
    field, dual = np.empty((2, count, channels, 2, width))
    above, lines = np.empty((count, channels, width)), np.empty((count, 4, width))
    run(
        gap_sums, threads, u, f, known, p, field, dual, above, lines, low, high, kind, weight, contrast, weight,
        grid, isotropic, sums,
    )  # fmt: skip
    return sums
