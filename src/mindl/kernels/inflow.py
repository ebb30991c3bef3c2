r"""What flows into the pixels of a row, and an explicit step with it: parts of sweeps.

.. math:: u^{k+1} = v + \beta (v - u^{k-1}), \qquad v = u^k - \tau \big(L^T W L u^k + \mu (u^k - f)\big)

at pixels that are not known. L are the differences to the right and downwards (one or two weights a pixel), and
along both diagonals (four; see ``calculus.DirectionalDifferences``).

Weights are kept with a row of zeros above and a column of zeros on the left, (group, component, height + 1,
width + 1), so that what flows in from outside needs no question. A group is a channel, or all of them together.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mindl.kernels.compiled import Array, Flags, part

Number = float | np.floating[Any]

NOWHERE = np.empty((0, 0, 0), np.bool_)
"""No pixel is known."""


def room_for_weights(u: Array, groups: int, components: int) -> Array:
    """Memory for the weights of an image."""
    return np.empty((groups, components, u.shape[1] + 1, u.shape[2] + 1), u.dtype)


@part
def fill(values: Array, value: Number) -> None:
    """One value everywhere. (An assignment to a slice takes seconds to compile.)"""
    for j in range(values.size):
        values[j] = value


@part
def clear_above(weights: Array) -> None:
    """0 above the image."""
    for group in range(weights.shape[0]):
        for k in range(weights.shape[1]):
            fill(weights[group, k, 0], weights.dtype.type(0))


@part
def _along_axes(
    here: Array, above: Array, below: Array, across: Array, down: Array, down_above: Array, inflow: Array
) -> None:
    """What flows in through the four edges; weights begin a column further to the left."""
    last = here.size - 1
    for j in range(1, last):
        horizontal = across[j + 1] * (here[j + 1] - here[j]) - across[j] * (here[j] - here[j - 1])
        vertical = down[j + 1] * (below[j] - here[j]) - down_above[j + 1] * (here[j] - above[j])
        inflow[j] = horizontal + vertical
    for j in range(0, last + 1, max(last, 1)):
        horizontal = here[0] - here[0]
        if j < last:
            horizontal += across[j + 1] * (here[j + 1] - here[j])
        if j > 0:
            horizontal -= across[j] * (here[j] - here[j - 1])
        vertical = down[j + 1] * (below[j] - here[j]) - down_above[j + 1] * (here[j] - above[j])
        inflow[j] = horizontal + vertical


@part
def _along_diagonals(
    here: Array, above: Array, below: Array, falling: Array, falling_above: Array, rising: Array,
    rising_above: Array, inflow: Array,
) -> None:  # fmt: skip
    """What flows in through the four corners."""
    last = here.size - 1
    for j in range(1, last):
        one = falling[j + 1] * (below[j + 1] - here[j]) - falling_above[j] * (here[j] - above[j - 1])
        other = rising[j] * (below[j - 1] - here[j]) - rising_above[j + 1] * (here[j] - above[j + 1])
        inflow[j] += one + other
    if last > 0:
        inflow[0] += falling[1] * (below[1] - here[0]) - rising_above[1] * (here[0] - above[1])
        inflow[last] += rising[last] * (below[last - 1] - here[last])
        inflow[last] -= falling_above[last] * (here[last] - above[last - 1])


@part
def _moved(here: Array, inflow: Array, data: Array, step: Array, out: Array) -> None:
    """The step."""
    tau, beta, modulus = step[0], step[1], step[2]
    if modulus > 0:
        for j in range(here.size):
            inflow[j] -= modulus * (here[j] - data[j])
    if step[3] > 0:  # momentum: out holds the image before
        for j in range(here.size):
            moved = here[j] + tau * inflow[j]
            out[j] = moved + beta * (moved - out[j])
    else:
        for j in range(here.size):
            out[j] = here[j] + tau * inflow[j]


@part
def _kept(here: Array, known: Flags, out: Array) -> None:
    for j in range(here.size):
        if known[j]:
            out[j] = here[j]


@part
def step_row(
    u: Array, out: Array, weights: Array, data: Array, known: Flags, i: int, step: Array, inflow: Array
) -> None:
    """Row i of all channels.

    Args:
        u: (channel, height, width).
        out: the result; with momentum the image before u.
        weights: (1 or channel, 1, 2 or 4, height + 1, width + 1).
        data: f; anything where mu is 0.
        known: (1 or channel, height, width); empty where all pixels change.
        i: the row.
        step: tau, beta, mu, and whether there is momentum (1) or not (0).
        inflow: a row of scratch.
    """
    last, second = u.shape[1] - 1, min(1, weights.shape[1] - 1)
    for c in range(u.shape[0]):
        w = weights[min(c, weights.shape[0] - 1)]
        here, above, below = u[c, i], u[c, max(i - 1, 0)], u[c, min(i + 1, last)]
        _along_axes(here, above, below, w[0, i + 1], w[second, i + 1], w[second, i], inflow)
        if weights.shape[1] == 4:
            _along_diagonals(here, above, below, w[2, i + 1], w[2, i], w[3, i + 1], w[3, i], inflow)
        _moved(here, inflow, data[c, i], step, out[c, i])
        if known.size > 0:
            _kept(here, known[min(c, known.shape[0] - 1), i], out[c, i])
