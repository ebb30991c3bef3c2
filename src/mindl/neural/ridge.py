"""A regulariser that learns, within bounds that keep its energy convex or strongly convex."""

from __future__ import annotations

import math
from itertools import product

import torch
from torch import nn

from mindl.calculus.norms import transfer_bound
from mindl.calculus.safe import confined
from mindl.calculus.spline_potential import SplinePotential
from mindl.core.arrays import Image, Weight
from mindl.core.errors import InputError
from mindl.models import Variational, ridge_energy


class RidgeRegulariser(nn.Module):
    r"""Filters and potentials to be learned; called with data it makes the model ``ridge_energy``.

    Filters are scaled down to a proved norm of 1 where they exceed it, :math:`\|K\|^2 \le 8` with the gradient
    below them. The slopes of :math:`\psi_i'` are confined to [-kappa, steepest], and psi' may not fall below
    0. With ``modulus`` = 1 the potentials are convex; below that :math:`\kappa = (1 - \text{modulus}) / 8`, so
    that the energy keeps the modulus of strong convexity for weights up to 1, whatever is learned: it has one
    minimiser, with a certificate. 0.1 is the least that is allowed, since at 0 no distance would be proved.

    It starts with Huber's penaliser on the lowest cosine patterns of the window, each applied to horizontal and
    to vertical differences: coarse and fine structure at once. From random filters 4000 steps of training led
    less far than 50 from these.

    Args:
        filters: how many, at least 2.
        size: of each, odd.
        intervals: of the spline psi'.
        reach: where psi' becomes constant, in the units of the image.
        modulus: from 0.1 to 1.
        steepest: the largest slope of psi', above 0. Steep potentials come closer to the kink of total variation
            at 0; the Lipschitz constant of the energy's gradient, 1 + 8 steepest at most, grows with it.
        seed: of the filters beyond twice the number of patterns.

    Raises:
        InputError: a number outside its range.

    Source: Goujon et al., IEEE Trans. Comput. Imaging 9 (2023) for convex ridges, SIAM J. Imaging Sci. 17 (2024)
    for weakly convex ones; the bounds by proved norms: ours.

    >>> import mindl as md
    >>> regulariser = RidgeRegulariser(filters=4, size=3)
    >>> model = regulariser(torch.rand(1, 1, 8, 8), weight=0.5)
    >>> md.minimise(model).outcome.value
    'certified'
    """

    def __init__(
        self,
        filters: int = 8,
        size: int = 5,
        *,
        intervals: int = 16,
        reach: float = 0.2,
        modulus: float = 1.0,
        steepest: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if filters < 2 or size < 1 or size % 2 == 0 or intervals < 2 or not 0 < reach < float("inf"):
            raise InputError(
                f"RidgeRegulariser(filters={filters}, size={size}, intervals={intervals}, reach={reach}) needs 2 "
                "filters, an odd size, 2 intervals and a reach above 0, or more."
            )
        if not 0.1 <= modulus <= 1:
            raise InputError(
                f"RidgeRegulariser(modulus={modulus}) must be from 0.1 to 1: below 0 the energy may have "
                "many minimisers, and near 0 no distance is proved."
            )
        if not 0 < steepest < float("inf"):
            raise InputError(f"RidgeRegulariser(steepest={steepest}) must be above 0 and finite.")
        self.filters, self.size, self.intervals, self.seed = filters, size, intervals, seed
        self.reach, self.modulus, self.steepest = reach, modulus, steepest
        generator = torch.Generator().manual_seed(seed)
        kernel = 0.1 * torch.randn(filters, 2, size, size, generator=generator)
        for k, pattern in enumerate(_cosines(size)[: filters // 2]):
            kernel[2 * k : 2 * k + 2] = 0
            kernel[2 * k, 0] = kernel[2 * k + 1, 1] = pattern
        self.kernel = nn.Parameter(kernel)
        slopes = torch.zeros(filters, intervals)
        slopes[:, 0] = min(1.0, 1 / steepest)
        self.slopes = nn.Parameter(slopes)  # in units of the steepest, so that one learning rate serves both

    def forward(self, data: Image, weight: Weight = 1.0) -> Variational:
        """The model of some data, with what was learned."""
        kernel = self.kernel / transfer_bound(self.kernel).clamp(min=1).sqrt().to(self.kernel.dtype)
        return ridge_energy(data, kernel, self.potential, weight)

    @property
    def potential(self) -> SplinePotential:
        """The potentials, within their bounds."""
        return SplinePotential(
            _rising(confined(self.steepest * self.slopes, -(1 - self.modulus) / 8, self.steepest)), self.reach
        )


def _cosines(size: int) -> torch.Tensor:
    """The orthonormal patterns of the discrete cosine transform of a window, lowest frequencies first."""
    places, orders = torch.arange(size) + 0.5, torch.arange(size)[:, None]
    waves = (2 / size) ** 0.5 * torch.cos(math.pi * orders * places / size)
    waves[0] /= 2**0.5
    pairs = sorted(product(range(size), repeat=2), key=lambda pair: (pair[0] ** 2 + pair[1] ** 2, pair))
    return torch.stack([waves[i][:, None] * waves[j] for i, j in pairs])


def _rising(slopes: torch.Tensor) -> torch.Tensor:
    """Slopes that never lead below 0: what would is left out, and nothing gets steeper."""
    kept, height = [], torch.zeros_like(slopes[:, 0])
    for slope in slopes.unbind(dim=1):
        kept.append(torch.maximum(slope, -height))
        height = (height + kept[-1]).clamp(min=0)
    return torch.stack(kept, dim=1)
