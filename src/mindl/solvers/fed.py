r"""Fast explicit diffusion: cycles of explicit steps, some of them far beyond the bound."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

from mindl.solvers.cycle import Cyclic


@dataclass(frozen=True)
class FED(Cyclic):
    r"""Fast explicit diffusion: a cycle of n explicit steps with a frozen matrix and the step sizes

    .. math:: \tau_i = \frac{\tau_{\max}}{2 \cos^2 \big(\pi \frac{2 i + 1}{4 n + 2}\big)}, \quad i = 0, ..., n - 1,
              \qquad \sum_i \tau_i = \tau_{\max} \frac{n^2 + n}{3}.

    A cycle covers a time that grows with the square of its length, and does not let the sum of squares grow,
    although single steps exceed the bound: on a line a cycle with tau_max = 1/2 *is* a box filter of 2 n + 1
    pixels. Within a cycle the range is not kept. The steps are taken in Leja's order, so that rounding does
    not blow up in long cycles.

    Args:
        length: n; a time is covered by as many cycles of at most n steps as it takes.

    Raises:
        InputError: a length that is no whole number of at least 1; a flow without a stable step.

    Source: Weickert, Grewenig, Schroers and Bruhn, Int. J. Comput. Vis. 118 (2016); the order: Reichel,
    BIT 30 (1990).

    >>> import torch, mindl as md
    >>> pixel = torch.zeros(1, 1, 1, 9, dtype=torch.float64)
    >>> pixel[..., 4] = 1
    >>> md.evolve(md.models.linear_diffusion(pixel), FED(3), 2.0).image.flatten()[:4].round(decimals=6).tolist()
    [0.0, 0.142857, 0.142857, 0.142857]
    """

    def steps(self, n: int, step_size: float) -> list[tuple[float, float]]:
        """Shares of the whole, in Leja's order."""
        return [(step_size * share, 0.0) for share in shares(n)]


@cache
def shares(n: int) -> tuple[float, ...]:
    """The step sizes of a cycle in units of tau_max, in Leja's order.

    The next step is that whose inverse is farthest, as a product of distances, from those taken before; the
    first is the smallest.

    >>> [round(share, 3) for share in shares(3)]
    [0.526, 2.656, 0.818]
    """
    inverse = [2 * math.cos(math.pi * (2 * i + 1) / (4 * n + 2)) ** 2 for i in range(n)]
    order = [max(inverse)]
    left = set(inverse) - set(order)
    while left:
        found = max(left, key=lambda z: sum(math.log(abs(z - taken)) for taken in order))
        order.append(found)
        left.remove(found)
    return tuple(1 / z for z in order)
