r"""Weickert's diffusivity, which stops at edges sooner and stays open longer than the others."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mindl.calculus.penalisers import SmoothPenaliser, check_contrast
from mindl.core.arrays import Weight, per_image
from mindl.core.errors import InputError


@dataclass(frozen=True, eq=False)
class Weickert(SmoothPenaliser):
    r""":math:`g(s^2) = 1 - \exp(-C_m (c/s)^{2m})`, and g(0) = 1: not convex.

    :math:`C_m` is the solution of :math:`e^C = 1 + 2 m C`, so that the flux rises up to s = c and falls beyond
    (C_4 = 3.31488). The penaliser is

    .. math:: \psi(s) = \tfrac{s^2}2 \big(1 - e^{-x}\big) + \tfrac{a^{1/m}}2 \Gamma(1 - \tfrac1m, x), \qquad
              a = C_m c^{2m},\; x = a s^{-2m},

    with the upper incomplete gamma function (by parts, derived here).

    Args:
        contrast: c > 0, in the units of the image; one number or one per image, (batch, 1, 1, 1).
        power: m, a whole number of at least 2; 4 is usual.

    Raises:
        InputError: a contrast that is not positive and finite, or another power.

    Source: Weickert, Anisotropic Diffusion in Image Processing (1998), section 1.3.3 (there with m = 4).

    >>> round(Weickert(1.0).threshold, 5)
    3.31488
    >>> Weickert(0.1).diffusivity(torch.tensor([0.0, 0.0025, 0.04]))
    tensor([1.0000, 1.0000, 0.0129])
    """

    contrast: Weight
    power: int = 4
    threshold: float = field(init=False, repr=False)
    """C_m."""

    largest_diffusivity = 1.0

    def __post_init__(self) -> None:
        check_contrast(self.contrast, "Weickert")
        if not isinstance(self.power, int) or not 2 <= self.power <= 32:
            raise InputError(f"Weickert(power={self.power}) must be a whole number from 2 to 32.")
        c = 2 * math.log(
            4 * self.power
        )  # to the right of the root, where Newton's method for a convex function falls
        for _ in range(60):
            c -= (math.exp(c) - 1 - 2 * self.power * c) / (math.exp(c) - 2 * self.power)
        object.__setattr__(self, "threshold", c)

    @property
    def smallest_slope(self) -> float:  # type: ignore[override]
        """psi'' = 1 - exp(-x) (1 + 2 m x) is least at x = 1 - 1 / 2 m."""
        return 1 - 2 * self.power * math.exp(1 / (2 * self.power) - 1)

    def _exponent(self, squared_magnitude: Tensor) -> Tensor:
        """x; infinite at 0."""
        c = per_image(self.contrast, squared_magnitude)
        ratio = squared_magnitude / c / c
        # Where x is beyond 100, g is 1: inverting a ratio that is nearly 0 would overflow, in derivatives too.
        steep = ratio > math.pow(self.threshold / 100, 1 / self.power)
        inverse = 1 / torch.where(steep, ratio, 1)
        power = inverse  # by products: a power rounds differently in a batch
        for _ in range(self.power - 1):
            power = power * inverse
        return torch.where(steep, self.threshold * power, torch.inf)

    def __call__(self, magnitude: Tensor) -> Tensor:
        """By the incomplete gamma function."""
        c = per_image(self.contrast, magnitude)
        square = magnitude * magnitude
        x = self._exponent(square)
        order = 1 - 1 / self.power
        tail: Tensor = torch.special.gammaincc(torch.full_like(x, order), x) * math.gamma(order)
        return -square * torch.expm1(-x) / 2 + math.pow(self.threshold, 1 / self.power) * c * c * tail / 2

    def diffusivity(self, squared_magnitude: Tensor) -> Tensor:
        """1 - exp(-x)."""
        return -torch.expm1(-self._exponent(squared_magnitude))
