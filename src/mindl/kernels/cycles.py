r"""Explicit steps with frozen weights (see ``inflow``): one, or a cycle of FED or FSI.

A step looks one row up and down. The images of even and odd steps lie in two arrays, and several steps follow each
other at a distance of a row (temporal blocking), in bands that recede from their ends by a row a step; what two
bands leave out where they meet, two triangles in rows and steps, is filled in when all are done.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from mindl.kernels.compiled import Array, Flags, bands, depth, part, run, sweep
from mindl.kernels.inflow import NOWHERE, step_row


@part
def _passage(
    even: Array, odd: Array, weights: Array, data: Array, known: Flags, steps: Array, parity: int, inflow: Array,
    top: int, bottom: int, down: int, up: int,
) -> None:  # fmt: skip
    """Step t on the rows [top + t down, bottom - t up), each step a row behind the one before."""
    count = steps.shape[0]
    for front in range(top, bottom + 2 * count):
        for t in range(count):
            i = front - t
            if top + t * down <= i < bottom - t * up:
                forth = (parity + t) % 2 == 0
                u, out = even if forth else odd, odd if forth else even
                step_row(u, out, weights, data, known, i, steps[t], inflow)


@sweep
def passages(
    even: Array, odd: Array, weights: Array, data: Array, known: Flags, steps: Array, inflow: Array, together: int
) -> None:
    """All steps; the result is in ``odd`` after an odd number of them, else in ``even``.

    Args:
        even: the image, (channel, height, width); overwritten by the second step.
        odd: room for the next; with momentum the image again.
        weights, data, known: as ``step_row`` takes them.
        steps: (n, 4), what it takes of each.
        inflow: a row of scratch for each band, (bands, width); bands of at least 2 ``together`` rows.
        together: steps that follow each other in one passage.
    """
    count, height = inflow.shape[0], even.shape[1]
    for begin in range(0, steps.shape[0], together):
        now, parity = steps[begin : begin + together], begin % 2
        for phase in range(2):
            for band in prange(count):
                top, bottom = band * height // count, (band + 1) * height // count
                down, up = 1 if band > 0 else 0, 1 if band < count - 1 else 0
                if phase == 1:
                    bottom, down, up = top, -down, -down
                _passage(even, odd, weights, data, known, now, parity, inflow[band], top, bottom, down, up)


def advance(
    u: Array, weights: Array, data: Array | None, known: Flags | None, steps: Array, threads: int
) -> Array:
    """The image after ``steps``, (n, 4); u is left alone."""
    channels, height, width = u.shape
    even = u if len(steps) == 1 else u.copy()
    odd = u.copy() if steps[0, 3] else np.empty_like(u)
    rows = 2 * channels + weights.shape[0] * weights.shape[1] + (0 if data is None else channels)
    together = min(depth(rows * width * u.itemsize), len(steps))
    inflow = np.empty((bands(height, threads, 2 * together), width), u.dtype)
    run(
        passages, threads, even, odd, weights, u if data is None else data, NOWHERE if known is None else known,
        steps, inflow, together,
    )  # fmt: skip
    return odd if len(steps) % 2 else even
