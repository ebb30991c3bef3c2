r"""Fast explicit diffusion: cycles of explicit steps, some of them far beyond the bound."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

from mindl.core.errors import InputError
from mindl.models.flow import Quasilinear
from mindl.solvers.scheme import Moment, Scheme, bounded_step


@dataclass(frozen=True)
class FED(Scheme[Quasilinear]):
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

    length: int = 10

    accepts = Quasilinear
    guarantee = "sum of squares does not grow over a cycle; n steps cover a time of order n^2"
    cost = "n products with a frozen matrix"

    def __post_init__(self) -> None:
        check_length(self, self.length)

    @property
    def heavy(self) -> bool:
        """A cycle costs several checks."""
        return True

    def span(self, view: Quasilinear) -> float:
        """tau_max (n^2 + n) / 3."""
        return cycle_time(self.length, bounded_step(self, None, view))

    def over(self, view: Quasilinear, moment: Moment, duration: float) -> Moment:
        """A cycle of as few steps as cover the duration, all shortened alike to meet it."""
        n, largest = cycle(duration, bounded_step(self, None, view))
        frozen, image = view.frozen(moment.image), moment.image
        for share in shares(n):
            image = image - (largest * share) * frozen.gradient(image)
        return Moment(image, moment.time + duration, work=moment.work + n)


def cycle_time(length: int, largest: float) -> float:
    """The time of a cycle of n steps."""
    return largest * (length * length + length) / 3


def cycle(duration: float, largest: float) -> tuple[int, float]:
    """The fewest steps that cover a duration, and the bound shortened so that they meet it exactly."""
    n = max(1, math.ceil(math.sqrt(3 * duration / largest + 0.25) - 0.5 - 1e-9))
    return n, 3 * duration / (n * n + n)


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


def check_length(scheme: object, length: object) -> None:
    """See that a cycle has a length."""
    if not isinstance(length, int) or not 1 <= length <= 1000:
        raise InputError(f"{type(scheme).__name__}(length={length}) must be a whole number from 1 to 1000.")
