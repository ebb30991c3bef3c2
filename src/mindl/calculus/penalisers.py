r"""Penalisers psi, seen the several ways that models, solvers and networks need.

With the diffusivity g, the flux and everything else follow from one rule,

.. math:: \psi'(s) = s\, g(s^2), \qquad s \ge 0,

so that the gradient of :math:`\sum \psi(|Lu|)` is :math:`L^T (g(|Lu|^2)\, Lu)`: a diffusion term. For a
convex psi the Fenchel conjugate and its proximal map give the dual side. All functions act on magnitudes
of a field through a coupling; ``weight`` multiplies psi.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from mindl.calculus.coupling import Coupling
from mindl.core.arrays import Weight, per_image


class Penaliser(ABC):
    """A function psi(s) of a magnitude s >= 0 with psi(0) = 0."""

    @abstractmethod
    def __call__(self, magnitude: Tensor) -> Tensor:
        """psi(s)."""


class SmoothPenaliser(Penaliser):
    """A differentiable penaliser with a bounded diffusivity 0 <= g <= ``largest_diffusivity``."""

    largest_diffusivity: float
    smallest_slope: float
    """Infimum of psi'': 1 for the quadratic, 0 for a merely convex one, negative for a nonconvex one."""

    @abstractmethod
    def diffusivity(self, squared_magnitude: Tensor) -> Tensor:
        """g(s^2) = psi'(s) / s."""

    def flux(self, magnitude: Tensor) -> Tensor:
        """psi'(s) = s g(s^2): the activation of the residual block that equals an explicit step."""
        return magnitude * self.diffusivity(magnitude * magnitude)


class ConvexPenaliser(Penaliser):
    r"""A convex penaliser, with its dual side.

    With :math:`F(q) = w \sum_i \psi(|q_i|)` (w the weight, i the groups of the coupling),

    .. math:: F(q) + F^*(p) - \langle q, p \rangle \ge 0

    is the Fenchel-Young inequality; it is an equality exactly when p is a subgradient of F at q.
    """

    @abstractmethod
    def proximal(self, magnitude: Tensor, step_size: float | Tensor) -> Tensor:
        """argmin_t psi(t) + (t - s)^2 / (2 step_size) for s >= 0: the shrinkage function."""

    @abstractmethod
    def dual_proximal(
        self,
        dual: Tensor,
        step_size: float | Tensor,
        weight: Weight,
        coupling: Coupling,
        out: Tensor | None = None,
        scratch: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """argmin_p F*(p) + |p - dual|^2 / (2 step_size).

        With ``out`` and ``scratch`` (two tensors of the magnitudes' shape) it works in place.
        """

    @abstractmethod
    def feasible(self, dual: Tensor, weight: Weight, coupling: Coupling) -> Tensor:
        """A nearby p with F*(p) finite, also after rounding: what a proof may use as a witness."""

    @abstractmethod
    def fenchel_young(self, field: Tensor, dual: Tensor, weight: Weight, coupling: Coupling) -> Tensor:
        """F(q) + F*(p) - <q, p>, per group, for a feasible p; written without cancellation."""


@dataclass(frozen=True)
class Quadratic(SmoothPenaliser, ConvexPenaliser):
    r""":math:`\psi(s) = s^2/2`, g = 1: linear diffusion. Whittaker (1923), Tikhonov (1963).

    >>> Quadratic()(torch.tensor(3.0)), Quadratic().flux(torch.tensor(3.0))
    (tensor(4.5000), tensor(3.))
    """

    largest_diffusivity = 1.0
    smallest_slope = 1.0

    def __call__(self, magnitude: Tensor) -> Tensor:
        """s^2 / 2."""
        return 0.5 * magnitude * magnitude

    def diffusivity(self, squared_magnitude: Tensor) -> Tensor:
        """1 everywhere."""
        return torch.ones_like(squared_magnitude)

    def proximal(self, magnitude: Tensor, step_size: float | Tensor) -> Tensor:
        """s / (1 + step_size)."""
        return magnitude / (1 + step_size)

    def dual_proximal(
        self,
        dual: Tensor,
        step_size: float | Tensor,
        weight: Weight,
        coupling: Coupling,
        out: Tensor | None = None,
        scratch: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """F*(p) = |p|^2 / (2 weight), so p = dual / (1 + step_size / weight)."""
        return torch.div(dual, 1 + step_size / per_image(weight, dual), out=out)

    def feasible(self, dual: Tensor, weight: Weight, coupling: Coupling) -> Tensor:
        """Every p is feasible."""
        return dual

    def fenchel_young(self, field: Tensor, dual: Tensor, weight: Weight, coupling: Coupling) -> Tensor:
        """|weight q - p|^2 / (2 weight)."""
        w = per_image(weight, field)
        difference = w * field - dual
        return coupling.total(difference * difference) / (2 * w)


@dataclass(frozen=True)
class TotalVariation(ConvexPenaliser):
    r""":math:`\psi(s) = s`, g = 1/s. Rudin, Osher and Fatemi, Physica D 60 (1992).

    Its conjugate is the indicator of the unit ball: a dual field is feasible where |p| <= weight.

    >>> TotalVariation().proximal(torch.tensor([0.5, 3.0]), 1.0)
    tensor([0., 2.])
    """

    def __call__(self, magnitude: Tensor) -> Tensor:
        """s."""
        return magnitude

    def proximal(self, magnitude: Tensor, step_size: float | Tensor) -> Tensor:
        """max(s - step_size, 0): soft shrinkage."""
        return torch.clamp(magnitude - step_size, min=0)

    def dual_proximal(
        self,
        dual: Tensor,
        step_size: float | Tensor,
        weight: Weight,
        coupling: Coupling,
        out: Tensor | None = None,
        scratch: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """The projection onto |p| <= weight: p = dual / max(1, |dual| / weight)."""
        w = per_image(weight, dual)
        if out is None or scratch is None:
            return dual / torch.clamp(coupling.magnitude(dual) / w, min=1)
        size = coupling.magnitude_(dual, *scratch)
        return torch.div(dual, size.div_(w).clamp_(min=1), out=out)

    def feasible(self, dual: Tensor, weight: Weight, coupling: Coupling) -> Tensor:
        """The projection, drawn in by a few units of rounding so that |p| <= weight holds exactly."""
        slack = 1 + 8 * torch.finfo(dual.dtype).eps
        return dual / torch.clamp(coupling.magnitude(dual) * slack / per_image(weight, dual), min=1)

    def fenchel_young(self, field: Tensor, dual: Tensor, weight: Weight, coupling: Coupling) -> Tensor:
        """weight |q| - <q, p>, for |p| <= weight."""
        return per_image(weight, field) * coupling.magnitude(field) - coupling.total(field * dual)
