r"""The sums of the duality gap of second-order total generalised variation, in float64.

A field q of the second group makes the witness s (E^T q, q); its first group, as given, is not used. The first
sweep finds what s must be for both groups to be feasible, the second sums up, both row by row (``models.tgv``,
``kernels.gap``).
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from mindl.kernels.compiled import Array, bands, part, run, sweep
from mindl.kernels.gap import folded
from mindl.kernels.tgv import RING, field_row, slope_adjoint_row

SUMS = 6
"""Field gap, data gap, penalty, misfit, |p|^2 and |w|^2 of a row."""

CORNER = math.sqrt(0.5)


@part
def _load(p: Array, i: int, out: Array) -> None:
    """Row i of q in float64, 0 where there is no difference; ``out`` is (channel, 5, width)."""
    height, last = p.shape[2], p.shape[3] - 1
    for c in range(p.shape[0]):
        for k in range(2, 5):
            source = p[c, k, min(max(i, 0), height - 1)]
            for j in range(last + 1):
                out[c, k, j] = source[j]
        out[c, 2, 0] = 0.0
        out[c, 2, last] = 0.0
        out[c, 4, last] = 0.0
        if i <= 0 or i >= height - 1:
            for j in range(last + 1):
                out[c, 3, j] = 0.0
        if i == height - 1:
            for j in range(last + 1):
                out[c, 4, j] = 0.0


@part
def _witness_row(p: Array, ring: Array, i: int) -> None:
    """Row i of (E^T q, q) within the ring; the row below it is loaded, the one above is there."""
    height = p.shape[2]
    _load(p, i + 1, ring[(i + 1) % RING])
    above, here, below = ring[(i - 1) % RING], ring[i % RING], ring[(i + 1) % RING]
    for c in range(p.shape[0]):
        slope_adjoint_row(above[c], here[c], below[c], i, height, CORNER, here[c, 0], here[c, 1])


@part
def _magnitudes(row: Array, first: int, stop: int, out: Array) -> None:
    for j in range(out.size):
        out[j] = 0.0
    for c in range(row.shape[0]):
        for k in range(first, stop):
            for j in range(out.size):
                out[j] += row[c, k, j] * row[c, k, j]
    for j in range(out.size):
        out[j] = math.sqrt(out[j])


@sweep
def excess(p: Array, ring: Array, lines: Array, largest: Array) -> None:
    """The largest |E^T q| and |q| of every row into ``largest``, (height, 2); scratch as in ``gap_sums``."""
    parts, height = ring.shape[0], p.shape[2]
    for band in prange(parts):
        top, bottom = band * height // parts, (band + 1) * height // parts
        _load(p, top - 1, ring[band, (top - 1) % RING])
        _load(p, top, ring[band, top % RING])
        for i in range(top, bottom):
            _witness_row(p, ring[band], i)
            for k in range(2):
                _magnitudes(ring[band, i % RING], 2 * k, 2 + 3 * k, lines[band, 0])
                most = 0.0
                for j in range(p.shape[3]):
                    most = max(most, lines[band, 0, j])
                largest[i, k] = most


@part
def _unknown_row(u: Array, wx: Array, wy: Array, c: int, i: int, rows: Array) -> None:
    """What ``field_row`` needs, in float64: u and w_x of this row and the next, w_y of the one before and this."""
    below, above = min(i + 1, u.shape[1] - 1), max(i - 1, 0)
    for j in range(u.shape[2]):
        rows[0, j] = u[c, i, j]
        rows[1, j] = u[c, below, j]
        rows[2, j] = wx[c, i, j]
        rows[3, j] = wx[c, below, j]
        rows[4, j] = wy[c, above, j]
        rows[5, j] = wy[c, i, j]


@part
def _field_sums(
    field: Array, row: Array, first: int, stop: int, weight: float, terms: Array, other: Array, sums: Array
) -> None:
    """weight |K (u, w)| - <K (u, w), p> and weight |K (u, w)| of one group."""
    _magnitudes(field, first, stop, other)
    for j in range(other.size):
        other[j] *= weight
        terms[j] = 0.0
    for c in range(field.shape[0]):
        for k in range(first, stop):
            for j in range(other.size):
                terms[j] += field[c, k, j] * row[c, k, j]
    for j in range(other.size):
        terms[j] = other[j] - terms[j]
    sums[0] += folded(terms)
    sums[2] += folded(other)


@part
def _row_sums(
    u: Array, wx: Array, wy: Array, f: Array, field: Array, row: Array, above: Array, lines: Array, i: int,
    first: float, second: float, sums: Array,
) -> None:  # fmt: skip
    """The sums of row i with the feasible field ``row``; ``above`` is the y component above it, then its own."""
    height, last = u.shape[1], u.shape[2] - 1
    terms, other, rows = lines[0], lines[1], lines[2:]
    for k in range(SUMS):
        sums[k] = 0.0
    for c in range(u.shape[0]):
        _unknown_row(u, wx, wy, c, i, rows)
        field_row(rows[0], rows[1], rows[2], rows[3], rows[4], rows[5], i, height, CORNER, field[c])
        for j in range(last + 1):
            terms[j] = rows[2, j] * rows[2, j] + rows[5, j] * rows[5, j]
        sums[5] += folded(terms)
        for j in range(last + 1):
            slope = (0.0 if i == 0 else above[c, j]) - (0.0 if i == height - 1 else row[c, 1, j])
            if j > 0:
                slope += row[c, 0, j - 1]
            if j < last:
                slope -= row[c, 0, j]
            away = rows[0, j] - f[c, i, j]
            other[j] = 0.5 * away * away
            away += slope
            terms[j] = 0.5 * away * away
        sums[1] += folded(terms)
        sums[3] += folded(other)
        for j in range(last + 1):
            terms[j] = 0.0
        for k in range(5):
            for j in range(last + 1):
                terms[j] += row[c, k, j] * row[c, k, j]
        sums[4] += folded(terms)
        for j in range(last + 1):
            above[c, j] = row[c, 1, j]
    _field_sums(field, row, 0, 2, first, terms, other, sums)
    _field_sums(field, row, 2, 5, second, terms, other, sums)


@part
def _scaled(source: Array, factor: float, out: Array) -> None:
    for c in range(source.shape[0]):
        for k in range(5):
            for j in range(source.shape[2]):
                out[c, k, j] = source[c, k, j] * factor


@sweep
def gap_sums(
    u: Array, wx: Array, wy: Array, f: Array, p: Array, ring: Array, above: Array, lines: Array, factor: float,
    first: float, second: float, sums: Array,
) -> None:  # fmt: skip
    """Fill ``sums``, (height, SUMS), with the sums of every row.

    Args:
        u, wx, wy, f: the unknown and the data, (channel, height, width) each.
        p: the dual field, (channel, 5, height, width).
        ring: scratch (bands, 5, channel, 5, width) in float64: three rows of the witness, then the feasible one
            and K (u, w); above: (bands, channel, width); lines: (bands, 8, width).
        factor: s.
        first, second: the weights of the groups.
        sums: see SUMS.
    """
    parts, height = ring.shape[0], p.shape[2]
    for band in prange(parts):
        top, bottom = band * height // parts, (band + 1) * height // parts
        own = ring[band]
        _load(p, top - 2, own[(top - 2) % RING])
        _load(p, top - 1, own[(top - 1) % RING])
        for i in range(top - 1, bottom):
            if i < 0:
                _load(p, 0, own[0])
                continue
            _witness_row(p, own, i)
            _scaled(own[i % RING], factor, own[RING])
            if i == top - 1:
                for c in range(u.shape[0]):
                    for j in range(u.shape[2]):
                        above[band, c, j] = own[RING, c, 1, j]
                continue
            _row_sums(
                u, wx, wy, f, own[RING + 1], own[RING], above[band], lines[band], i, first, second, sums[i]
            )  # fmt: skip


def rows_of_sums(
    u: Array, wx: Array, wy: Array, f: Array, p: Array, first: float, second: float, threads: int
) -> Array:
    """Both sweeps, with their scratch: (height, SUMS)."""
    channels, height, width = u.shape
    parts = bands(height, threads, 4)
    ring = np.zeros((parts, RING + 2, channels, 5, width))
    above, lines = np.empty((parts, channels, width)), np.empty((parts, 8, width))
    largest, sums = np.empty((height, 2)), np.empty((height, SUMS))
    run(excess, threads, p, ring, lines, largest)
    worst = max(largest[:, 0].max() / first, largest[:, 1].max() / second)
    factor = 1.0 / max(worst * (1 + 16 * np.finfo(np.float64).eps), 1.0)
    run(gap_sums, threads, u, wx, wy, f, p, ring, above, lines, factor, first, second, sums)
    return sums
