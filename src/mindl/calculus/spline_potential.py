r"""Potentials whose derivative is a linear spline: what a learned regulariser penalises."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mindl.calculus.coupling import Coupling, Separate
from mindl.calculus.free_spline import free_spline, spline_slopes
from mindl.calculus.penalisers import SmoothPenaliser
from mindl.core.errors import InputError

SLACK = 1e-6
"""Rounding that a flux below 0 is forgiven."""


@dataclass(frozen=True, eq=False)
class SplinePotential(SmoothPenaliser):
    r"""For each group i of a field a potential :math:`\psi_i` with :math:`\psi_i' = \sigma_i`, a linear spline on
    s >= 0.

    It is given by the slopes of sigma between equidistant knots from 0 to ``reach``; sigma(0) = 0, and beyond the
    last knot sigma is constant. psi is found by integrating: it is piecewise quadratic, exactly. Slopes of at
    least 0 make it convex; slopes of at least -kappa make :math:`\psi_i + \kappa s^2 / 2` convex (weakly convex):
    that is ``smallest_slope``.

    Args:
        slopes: (groups, intervals); one row serves all groups.
        reach: the last knot, in the units of the field.

    Raises:
        InputError: no interval, a reach that is not positive, or a sigma that falls below 0, where psi would
            reward what it should penalise.

    Source: Goujon, Neumayer and Unser, SIAM J. Imaging Sci. 17 (2024) for weakly convex ridges; the potentials by
    slopes: ours.

    >>> huber = SplinePotential(torch.tensor([[1.0, 0.0]]), reach=2.0)
    >>> huber(torch.tensor([0.5, 1.0, 3.0]).reshape(1, 1, 1, 1, 3)).flatten().tolist()
    [0.125, 0.5, 2.5]
    """

    slopes: Tensor
    reach: float

    def __post_init__(self) -> None:
        if self.slopes.ndim != 2 or not self.slopes.numel() or not 0 < self.reach < float("inf"):
            raise InputError(
                f"SplinePotential(slopes of {tuple(self.slopes.shape)}, reach={self.reach}) needs (groups, "
                "intervals) and a reach above 0."
            )
        rising = self.slopes.detach().cumsum(dim=1)
        if not bool((rising >= -SLACK * self.slopes.detach().abs().max()).all()):
            raise InputError(
                "SplinePotential(slopes): psi' falls below 0, so that psi would reward large magnitudes."
            )

    @property
    def width(self) -> float:
        """The distance of two knots."""
        return self.reach / self.slopes.shape[1]

    @property
    def largest_diffusivity(self) -> float:  # type: ignore[override]
        """The largest modulus of a slope: it bounds sigma(s) / s and psi''."""
        return float(self.slopes.detach().abs().max())

    @property
    def smallest_slope(self) -> float:  # type: ignore[override]
        """The infimum of psi''."""
        return min(float(self.slopes.detach().min()), 0.0)

    def curvatures(self, components: int) -> tuple[Tensor, Tensor] | None:
        """Of each potential its own; None for a single one."""
        slopes = self.slopes.detach()
        if slopes.shape[0] == 1:
            return None
        rows = slopes[torch.arange(components, device=slopes.device).clamp(max=slopes.shape[0] - 1)]
        return rows.abs().amax(dim=1), (-rows).clamp(min=0).amax(dim=1)

    def flux(self, magnitude: Tensor) -> Tensor:
        """sigma(s)."""
        return self._at(magnitude)[0]

    def __call__(self, magnitude: Tensor) -> Tensor:
        """psi(s)."""
        return self._at(magnitude)[1]

    def diffusivity(self, squared_magnitude: Tensor) -> Tensor:
        """sigma(s) / s; the first slope at 0."""
        positive = squared_magnitude > 0
        s = torch.where(positive, squared_magnitude, 1).sqrt()
        first = self.slopes.to(s.dtype)[self._row(s), 0]
        return torch.where(positive, self.flux(s) / s, first)

    def force(self, field: Tensor, coupling: Coupling) -> Tensor:
        """The gradient of the sum of psi_i; where every entry is alone, the odd spline of each filter at once."""
        if not isinstance(coupling, Separate):
            return super().force(field, coupling)
        flat = field.flatten(0, 1).flatten(2)
        return free_spline(flat, self._odd(flat.shape[1]), self.reach).reshape(field.shape)

    def stiffness(self, field: Tensor, coupling: Coupling) -> Tensor | None:
        """psi''(s) of every entry."""
        if not isinstance(coupling, Separate):
            return None
        flat = field.flatten(0, 1).flatten(2)
        return spline_slopes(flat, self._odd(flat.shape[1]), self.reach).reshape(field.shape)

    def _odd(self, filters: int) -> Tensor:
        """sigma, continued as an odd function, at all knots from -reach to reach."""
        rising = self.slopes.cumsum(dim=1) * self.width
        values = torch.cat([-rising.flip(1), torch.zeros_like(rising[:, :1]), rising], dim=1)
        return values.expand(filters, -1)

    def _row(self, magnitude: Tensor) -> Tensor:
        groups = torch.arange(magnitude.shape[2], device=magnitude.device)
        return groups.clamp(max=self.slopes.shape[0] - 1).reshape(1, 1, -1, 1, 1)

    def _at(self, magnitude: Tensor) -> tuple[Tensor, Tensor]:
        """sigma and psi."""
        slopes, h, n = self.slopes.to(magnitude.dtype), self.width, self.slopes.shape[1]
        zero = slopes.new_zeros(slopes.shape[0], 1)
        sigma = torch.cat([zero, slopes.cumsum(dim=1) * h], dim=1)  # at the knots
        psi = torch.cat([zero, ((sigma[:, 1:] + sigma[:, :-1]) * (h / 2)).cumsum(dim=1)], dim=1)
        steep = torch.cat([slopes, zero], dim=1)  # beyond the last knot sigma is constant
        index = (magnitude.detach() / h).long().clamp(max=n)
        row = self._row(magnitude)
        away = magnitude - index.to(magnitude.dtype) * h
        slope, low = steep[row, index], sigma[row, index]
        return low + slope * away, psi[row, index] + (low + slope * away / 2) * away
