"""Neighbours in many directions, for schemes that 3 x 3 pixels cannot make both consistent and monotone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from itertools import product

import torch
from torch import Tensor

from mindl.calculus.boundary import mirrored
from mindl.core.arrays import Image
from mindl.core.errors import InputError


@dataclass(frozen=True)
class WideStencil:
    """All pixels within ``radius`` that no nearer one hides: one for every direction.

    Args:
        radius: in pixels, at least 1. 1 has 4 directions, 1.5 has 8, 2.3 has 16, 3.7 has 32.

    Raises:
        InputError: a radius below 1 or not finite, or beyond 64.

    >>> len(WideStencil(1.5).offsets), len(WideStencil(2.3).offsets)
    (8, 16)
    """

    radius: float

    def __post_init__(self) -> None:
        if not isinstance(self.radius, float | int) or not 1 <= self.radius <= 64:
            raise InputError(f"WideStencil(radius={self.radius}) must lie between 1 and 64.")

    @property
    def offsets(self) -> list[tuple[int, int]]:
        """(rows down, columns right) of the neighbours, by angle."""
        reach = range(-self.reach, self.reach + 1)
        found = [(y, x) for y in reach for x in reach if math.gcd(y, x) == 1 and y * y + x * x <= self.radius**2]
        return sorted(found, key=lambda at: math.atan2(*at))

    @property
    def reach(self) -> int:
        """How many pixels far along an axis."""
        return int(self.radius)

    @property
    def distances(self) -> list[float]:
        """Of the neighbours, in pixels."""
        return [math.hypot(*at) for at in self.offsets]

    @property
    def resolution(self) -> float:
        """The largest angle between two directions that follow each other, in radians."""
        angles = sorted(math.atan2(*at) for at in self.offsets)
        return max(b - a for a, b in zip(angles, [*angles[1:], angles[0] + 2 * math.pi], strict=True))

    def neighbours(self, image: Image) -> list[Tensor]:
        """The values of each neighbour at all pixels; the image is mirrored at its border."""
        height, width = image.shape[2:]
        wide = mirrored(image, self.reach)
        return [
            wide[..., self.reach + y : self.reach + y + height, self.reach + x : self.reach + x + width]
            for y, x in self.offsets
        ]


def infinity_average(stencil: WideStencil, image: Image) -> Image:
    r"""The value at each pixel for which the steepest of the differences to its neighbours is least:

    .. math:: \arg\min_v \max_i \frac{|v - u_i|}{d_i} = \frac{d_j u_i + d_i u_j}{d_i + d_j} \text{ for the pair of
              largest } \frac{|u_i - u_j|}{d_i + d_j} .

    The images that it leaves alone are discretely infinity-harmonic. It is monotone: no larger neighbour
    makes it smaller, and it lies within the range of the neighbours.

    Source: Oberman, Math. Comp. 74 (2005), section 4.

    >>> cross = torch.tensor([[[[9.0, 1.0, 9.0], [0.0, 9.0, 2.0], [9.0, 1.5, 9.0]]]])
    >>> infinity_average(WideStencil(1), cross)[0, 0, 1, 1].item()
    1.0
    """
    # Of the neighbours at one distance only the largest and the smallest can make the steepest pair.
    rings: dict[float, list[Tensor]] = {}
    for value, distance in zip(stencil.neighbours(image), stencil.distances, strict=True):
        rings.setdefault(distance, []).append(value)
    high = {distance: reduce(torch.maximum, ring) for distance, ring in rings.items()}
    low = {distance: reduce(torch.minimum, ring) for distance, ring in rings.items()}
    steepest, average = torch.full_like(image, -torch.inf), image
    for up, down in product(rings, rings):
        slope = (high[up] - low[down]) / (up + down)
        steeper = slope > steepest
        steepest = torch.where(steeper, slope, steepest)
        average = torch.where(steeper, (down * high[up] + up * low[down]) / (up + down), average)
    return average
