"""A regulariser that learns, within bounds that keep its energy convex or strongly convex."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from mindl.calculus.mirrored_filters import MirroredFilters
from mindl.calculus.safe import confined
from mindl.calculus.spline_potential import SplinePotential
from mindl.core.arrays import Image, Weight
from mindl.core.errors import InputError
from mindl.models import Variational, ridge_energy

CONCAVE = 10.0
"""A negative slope of 1 is ten times as much as all filters could have at once; a learning rate that suits filters
and positive slopes then suits it, too."""

ROUNDING = 1e-6
"""So much of what may be concave is left for the rounding of slopes."""


class RidgeRegulariser(nn.Module):
    r"""Filters and potentials to be learned; called with data it makes the model ``ridge_energy``.

    Filters lose their mean and have norm 1. With the proved bound B(a) of the largest eigenvalue of
    :math:`\sum_i a_i K_i^T K_i` (``calculus.MirroredFilters``):

    - the slopes of :math:`\psi_i'` are at most ``steepest`` / B(1), so that ``steepest`` bounds the Lipschitz
      constant of the regulariser's gradient;
    - negative slopes are scaled down together until :math:`B(\kappa) \le 1 - \text{modulus}`, where
      :math:`-\kappa_i` is the least slope of :math:`\psi_i'`: filters share what may be concave as they have
      learned to. With ``modulus`` = 1 there are none, and the potentials are convex;
    - :math:`\psi_i'` does not fall below 0.

    For weights up to 1 the energy thus keeps the modulus of strong convexity, whatever is learned: it has one
    minimiser, with a certificate. 0.1 is the least that is allowed, since at 0 no distance would be proved.

    It starts with sums of four neighbouring cosine patterns, one of each symmetry: with their mirror images they
    span these patterns, so that all frequencies are seen alike. From random filters training led less far.

    Args:
        filters: how many; each comes with its mirror images.
        size: of each, odd.
        intervals: of the spline psi'.
        reach: where psi' becomes constant, in the units of the image.
        modulus: from 0.1 to 1.
        steepest: above 0. Steep potentials come closer to the kink of total variation at 0; solvers need about
            sqrt(steepest / modulus) steps a digit.
        seed: of the filters beyond the cosine patterns.

    Raises:
        InputError: a number outside its range.

    Source: Goujon et al., IEEE Trans. Comput. Imaging 9 (2023) for convex ridges, SIAM J. Imaging Sci. 17 (2024)
    for weakly convex ones; mirror images, and the bounds by each potential's own slopes: ours.

    >>> import mindl as md
    >>> regulariser = RidgeRegulariser(filters=4, size=3)
    >>> model = regulariser(torch.rand(1, 1, 8, 8), weight=0.5)
    >>> md.minimise(model).outcome.value
    'certified'
    """

    def __init__(
        self,
        filters: int = 9,
        size: int = 5,
        *,
        intervals: int = 32,
        reach: float = 0.2,
        modulus: float = 1.0,
        steepest: float = 50.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if filters < 1 or size < 3 or size % 2 == 0 or intervals < 2 or not 0 < reach < float("inf"):
            raise InputError(
                f"RidgeRegulariser(filters={filters}, size={size}, intervals={intervals}, reach={reach}) needs a "
                "filter, an odd size from 3 on, 2 intervals and a reach above 0, or more."
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
        kernel = torch.randn(filters, size, size, generator=torch.Generator().manual_seed(seed))
        kernel *= 2 / size
        patterns = _cosines(size)[:filters]
        kernel[: len(patterns)] = patterns
        self.kernel = nn.Parameter(kernel)
        slopes = torch.zeros(filters, intervals)
        slopes[:, 0] = 0.25
        self.slopes = nn.Parameter(slopes)

    def forward(self, data: Image, weight: Weight = 1.0) -> Variational:
        """The model of some data, with what was learned."""
        kernel = self.unit_kernel
        return ridge_energy(data, kernel, self._potential(kernel), weight)

    @property
    def unit_kernel(self) -> Tensor:
        """The filters without their mean, of norm 1."""
        exact = self.kernel.double()  # else rounding would be a filter where there is nothing but a mean
        kernel = exact - exact.mean(dim=(1, 2), keepdim=True)
        square = kernel.square().sum(dim=(1, 2), keepdim=True)
        return (kernel / square.clamp(min=1e-12).sqrt()).to(self.kernel.dtype)

    @property
    def potential(self) -> SplinePotential:
        """The potentials, within their bounds."""
        return self._potential(self.unit_kernel)

    def _potential(self, kernel: Tensor) -> SplinePotential:
        allowed = 1 - self.modulus
        bank = MirroredFilters(kernel)
        most = bank.bound().to(kernel.dtype)
        units = torch.where(self.slopes > 0, self.steepest / most, CONCAVE * allowed / most)
        slopes = confined(units * self.slopes, float("-inf") if allowed else 0.0, self.steepest / most)
        if allowed:
            concave = (-slopes).amax(dim=1).clamp(min=0)
            share = allowed * (1 - ROUNDING) / bank.bound(concave.repeat(4)).clamp(min=allowed)
            slopes = torch.where(slopes > 0, slopes, share.to(slopes.dtype) * slopes)
        return SplinePotential(_rising(slopes), self.reach)


def _cosines(size: int) -> Tensor:
    """Sums of the orthonormal cosine patterns (2 i, 2 j), (2 i, 2 j + 1), (2 i + 1, 2 j) and (2 i + 1, 2 j +
    1) of a window, lowest frequencies first; no constant."""
    places, orders = torch.arange(size) + 0.5, torch.arange(size + 1)[:, None]
    waves = (2 / size) ** 0.5 * torch.cos(math.pi * orders * places / size)
    waves[0] /= 2**0.5
    waves[size] = 0
    half = range((size + 1) // 2)
    pairs = sorted(((i, j) for i in half for j in half), key=lambda pair: (pair[0] ** 2 + pair[1] ** 2, pair))
    sums = [sum(waves[2 * i + e][:, None] * waves[2 * j + f] for e in (0, 1) for f in (0, 1)) for i, j in pairs]
    patterns = torch.stack(sums)
    return patterns - patterns.mean(dim=(1, 2), keepdim=True)


def _rising(slopes: Tensor) -> Tensor:
    """Slopes that never lead below 0: what would is left out, and nothing gets steeper."""
    kept, height = [], torch.zeros_like(slopes[:, 0])
    for slope in slopes.unbind(dim=1):
        kept.append(torch.maximum(slope, -height))
        height = (height + kept[-1]).clamp(min=0)
    return torch.stack(kept, dim=1)
