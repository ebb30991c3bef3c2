r"""Penalisers psi, seen the several ways that models, solvers and networks need.

With the diffusivity g, the flux and everything else follow from one rule,

.. math:: \psi'(s) = s\, g(s^2), \qquad s \ge 0,

so that the gradient of :math:`\sum \psi(|Lu|)` is :math:`L^T (g(|Lu|^2)\, Lu)`: a diffusion term. For a
convex psi the Fenchel conjugate and its proximal map give the dual side. All functions act on magnitudes
of a field through a coupling; ``weight`` multiplies psi.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from mindl.calculus.coupling import Coupling
from mindl.calculus.safe import safe_sqrt
from mindl.core.arrays import Weight, exporting, per_image
from mindl.core.errors import InputError

NEWTON_STEPS = 8
"""Of the one-dimensional equations; from the start taken here four or five reach rounding."""


class Penaliser(ABC):
    """A function psi(s) of a magnitude s >= 0 with psi(0) = 0."""

    contrast: Weight | None = None
    """The parameter of a penaliser that has one: a number, or one per image."""

    @abstractmethod
    def __call__(self, magnitude: Tensor) -> Tensor:
        """psi(s)."""


class SmoothPenaliser(Penaliser):
    """A differentiable penaliser with a nonincreasing diffusivity 0 <= g <= ``largest_diffusivity``.

    Then psi is concave in s^2, so that the quadratic with the diffusivity frozen at u lies above the energy and
    touches it there (half-quadratic majorisation).
    """

    largest_diffusivity: float | Tensor
    smallest_slope: float
    """Infimum of psi'': 1 for the quadratic, 0 for a merely convex one, negative for a nonconvex one."""

    def curvatures(self, components: int) -> tuple[Tensor, Tensor] | None:
        """Bounds of |psi''| and of -psi'', for each component; None where all have the same potential."""
        return None

    @abstractmethod
    def diffusivity(self, squared_magnitude: Tensor) -> Tensor:
        """g(s^2) = psi'(s) / s."""

    def flux(self, magnitude: Tensor) -> Tensor:
        """psi'(s) = s g(s^2): the activation of the residual block that equals an explicit step."""
        return magnitude * self.diffusivity(magnitude * magnitude)

    def force(self, field: Tensor, coupling: Coupling) -> Tensor:
        """The gradient of the sum of psi(|q_i|) over all groups: every group times its diffusivity."""
        size = coupling.magnitude(field)
        return coupling.spread(self.diffusivity(size * size)) * field

    def stiffness(self, field: Tensor, coupling: Coupling) -> Tensor | None:
        """The derivative of the force, entry by entry; None where entries depend on each other, or nobody needs
        it fast."""
        return None


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


class SmoothConvexPenaliser(SmoothPenaliser, ConvexPenaliser):
    """Both: its proximal maps follow from one equation for the magnitude."""

    @abstractmethod
    def resolvent(self, size: Tensor, linear: float | Tensor, weight: float | Tensor) -> Tensor:
        """The s >= 0 with linear s + weight psi'(s) = size."""

    def proximal(self, magnitude: Tensor, step_size: float | Tensor) -> Tensor:
        """t with t + step_size psi'(t) = s."""
        return self.resolvent(magnitude, 1.0, step_size)

    def dual_proximal(
        self,
        dual: Tensor,
        step_size: float | Tensor,
        weight: Weight,
        coupling: Coupling,
        out: Tensor | None = None,
        scratch: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """The part w g / (step_size + w g) of the dual field, g taken where step_size s + w psi'(s) = |dual|."""
        w = per_image(weight, dual)
        s = self.resolvent(coupling.magnitude(dual), step_size, w)
        flux = w * self.diffusivity(s * s)
        return torch.mul(dual, coupling.spread(flux / (step_size + flux)), out=out)


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
        if isinstance(step_size, Tensor) and step_size.ndim == dual.ndim:
            step_size = coupling.spread(step_size)  # one for each group
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
            return dual / coupling.spread(torch.clamp(coupling.magnitude(dual) / w, min=1))
        size = coupling.magnitude_(dual, *scratch)
        return torch.div(dual, coupling.spread(size.div_(w).clamp_(min=1)), out=out)

    def feasible(self, dual: Tensor, weight: Weight, coupling: Coupling) -> Tensor:
        """The projection, drawn in by a few units of rounding so that |p| <= weight holds exactly."""
        return draw_in(dual, per_image(weight, dual), coupling)

    def fenchel_young(self, field: Tensor, dual: Tensor, weight: Weight, coupling: Coupling) -> Tensor:
        """weight |q| - <q, p>, for |p| <= weight."""
        return per_image(weight, field) * coupling.magnitude(field) - coupling.total(field * dual)


@dataclass(frozen=True, eq=False)
class Huber(SmoothConvexPenaliser):
    r"""Total variation with a rounded tip:

    .. math:: \psi(s) = \tfrac{s^2}{2c} \;(s \le c), \quad s - \tfrac c2 \;(s > c), \qquad g = 1/\max(c, s).

    For c to 0 it becomes s; for a large contrast it is the quadratic divided by c.

    Args:
        contrast: c > 0, in the units of the image; one number or one per image, (batch, 1, 1, 1).

    Raises:
        InputError: a contrast that is not positive and finite.

    Source: Huber, Ann. Math. Statist. 35 (1964).

    >>> Huber(0.5)(torch.tensor([0.5, 2.0]))
    tensor([0.2500, 1.7500])
    """

    contrast: Weight

    smallest_slope = 0.0

    def __post_init__(self) -> None:
        check_contrast(self.contrast, "Huber")

    @property
    def largest_diffusivity(self) -> float | Tensor:  # type: ignore[override]
        """1 / c."""
        return 1 / self.contrast

    def __call__(self, magnitude: Tensor) -> Tensor:
        """s^2 / 2 c below c, s - c / 2 above."""
        c = per_image(self.contrast, magnitude)
        low = torch.clamp(magnitude, max=c) if isinstance(c, float | int) else torch.minimum(magnitude, c)
        return low * low / (2 * c) + (magnitude - low)

    def diffusivity(self, squared_magnitude: Tensor) -> Tensor:
        """1 / max(c, s)."""
        c = per_image(self.contrast, squared_magnitude)
        floor = torch.as_tensor(c, dtype=squared_magnitude.dtype, device=squared_magnitude.device)
        return 1 / torch.maximum(safe_sqrt(squared_magnitude), floor)

    def resolvent(self, size: Tensor, linear: float | Tensor, weight: float | Tensor) -> Tensor:
        """size c / (linear c + weight) below c, (size - weight) / linear above."""
        c = per_image(self.contrast, size)
        return torch.maximum(size * c / (linear * c + weight), (size - weight) / linear)

    def feasible(self, dual: Tensor, weight: Weight, coupling: Coupling) -> Tensor:
        """|p| <= weight, drawn in by a few units of rounding."""
        return draw_in(dual, per_image(weight, dual), coupling)

    def fenchel_young(self, field: Tensor, dual: Tensor, weight: Weight, coupling: Coupling) -> Tensor:
        """(|q| - c)+ (w - <q, p> / |q|) + c |w q / max(|q|, c) - p|^2 / (2 w), with F*(p) = c |p|^2 / (2 w)."""
        w, c = per_image(weight, field), per_image(self.contrast, field)
        size = coupling.magnitude(field)
        capped = torch.maximum(size, torch.as_tensor(c, dtype=size.dtype, device=size.device))
        away = w * field / coupling.spread(capped) - dual
        beyond = (size - c).clamp(min=0) * (w - coupling.total(field * dual) / capped)
        return beyond + c * coupling.total(away * away) / (2 * w)


@dataclass(frozen=True, eq=False)
class Charbonnier(SmoothConvexPenaliser):
    r""":math:`\psi(s) = c^2(\sqrt{1 + s^2/c^2} - 1)`, :math:`g(s^2) = 1/\sqrt{1 + s^2/c^2}`.

    Quadratic for gradients well below c, c times the total variation well above.

    Args, errors: as for ``Huber``.

    Source: Charbonnier et al., IEEE Trans. Image Process. 6 (1997).

    >>> Charbonnier(3.0)(torch.tensor([4.0])), Charbonnier(3.0).flux(torch.tensor([4.0]))
    (tensor([6.]), tensor([2.4000]))
    """

    contrast: Weight

    largest_diffusivity = 1.0
    smallest_slope = 0.0

    def __post_init__(self) -> None:
        check_contrast(self.contrast, "Charbonnier")

    def __call__(self, magnitude: Tensor) -> Tensor:
        """s^2 / (1 + sqrt(1 + s^2 / c^2)): the same without cancellation."""
        ratio = magnitude / per_image(self.contrast, magnitude)
        return magnitude * magnitude / (1 + (1 + ratio * ratio).sqrt())

    def diffusivity(self, squared_magnitude: Tensor) -> Tensor:
        """1 / sqrt(1 + s^2 / c^2)."""
        c = per_image(self.contrast, squared_magnitude)
        return (1 + squared_magnitude / c / c).rsqrt()  # c * c may underflow

    def resolvent(self, size: Tensor, linear: float | Tensor, weight: float | Tensor) -> Tensor:
        """Newton's method from below: the flux is concave, so it rises to the root, quadratically."""
        c = per_image(self.contrast, size)
        s = torch.maximum(size / (linear + weight), (size - weight * c) / linear)
        for _ in range(NEWTON_STEPS):
            g = self.diffusivity(s * s)
            rest = size - linear * s - weight * s * g
            s = s + rest / (linear + weight * g * g * g)
        return s

    def feasible(self, dual: Tensor, weight: Weight, coupling: Coupling) -> Tensor:
        """|p| < w c, drawn in by a few units of rounding: at w c itself no finite gradient belongs to p."""
        return draw_in(dual, per_image(weight, dual) * per_image(self.contrast, dual), coupling)

    def fenchel_young(self, field: Tensor, dual: Tensor, weight: Weight, coupling: Coupling) -> Tensor:
        r"""The Bregman distance of q and the gradient v that belongs to p, w psi'(|v|) v / |v| = p.

        With A = (1, q / c) and B = (1, v / c), so that psi(|q|) = c^2 (|A| - 1), it is
        w c^2 (\|A\| \|B\| - <A, B>) / \|B\|, and the difference of products is a sum of squares (Lagrange).
        """
        w, c = per_image(weight, field), per_image(self.contrast, field)
        share = dual / (w * c)
        left = (1 - coupling.total(share * share)).clamp(min=torch.finfo(dual.dtype).eps).rsqrt()
        q, v = field / c, share * coupling.spread(left)
        away = q - v
        a, b = (1 + coupling.total(q * q)).sqrt(), (1 + coupling.total(v * v)).sqrt()
        product, square = 1 + coupling.total(q * v), coupling.total(away * away)
        # |q|^2 |v|^2 - <q, v>^2 as |q|^2 times the squared part of v beside q: the difference would cancel.
        length = coupling.total(q * q)
        along = coupling.total(q * v) / torch.where(length > 0, length, 1)
        beside = v - coupling.spread(along) * q
        wedge = length * coupling.total(beside * beside)
        fine = (square + wedge) / (a * b + product.clamp(min=0))
        return w * (c * c) * torch.where(product > 0, fine, a * b - product) / b


@dataclass(frozen=True, eq=False)
class PeronaMalik(SmoothPenaliser):
    r""":math:`\psi(s) = \tfrac{c^2}2 \ln(1 + s^2/c^2)`, :math:`g(s^2) = 1/(1 + s^2/c^2)`: not convex.

    The flux rises up to s = c and falls beyond; its slope is nowhere below -1/8 (at :math:`s = \sqrt 3 c`).
    Args, errors: as for ``Huber``.

    Source: Perona and Malik, IEEE Trans. Pattern Anal. Mach. Intell. 12 (1990).

    >>> PeronaMalik(2.0).flux(torch.tensor([1.0, 2.0, 4.0]))
    tensor([0.8000, 1.0000, 0.8000])
    """

    contrast: Weight

    largest_diffusivity = 1.0
    smallest_slope = -0.125

    def __post_init__(self) -> None:
        check_contrast(self.contrast, "PeronaMalik")

    def __call__(self, magnitude: Tensor) -> Tensor:
        """c^2 / 2 ln(1 + s^2 / c^2)."""
        c = per_image(self.contrast, magnitude)
        ratio = magnitude / c
        return (c * c / 2) * torch.log1p(ratio * ratio)

    def diffusivity(self, squared_magnitude: Tensor) -> Tensor:
        """1 / (1 + s^2 / c^2)."""
        c = per_image(self.contrast, squared_magnitude)
        return 1 / (1 + squared_magnitude / c / c)


def draw_in(dual: Tensor, radius: float | Tensor, coupling: Coupling) -> Tensor:
    """The nearest field with |p| <= radius, drawn in by a few units of rounding so that it holds exactly."""
    slack = 1 + 8 * torch.finfo(dual.dtype).eps
    return dual / coupling.spread(torch.clamp(coupling.magnitude(dual) * slack / radius, min=1))


def check_contrast(contrast: Weight, call: str) -> None:
    """See that a contrast is positive and finite: a number, or one per image."""
    if isinstance(contrast, Tensor):
        legal = contrast.ndim == 4 and contrast.shape[1:] == (1, 1, 1)
        legal = legal and (exporting() or bool((torch.isfinite(contrast) & (contrast > 0)).all()))
    else:
        legal = isinstance(contrast, float | int) and 0 < contrast < math.inf
    if not legal:
        got = (
            f"the shape {tuple(contrast.shape)}"
            if isinstance(contrast, Tensor) and contrast.numel() > 1
            else contrast
        )
        raise InputError(
            f"{call}(contrast) must be above 0 and finite, a number or a tensor (batch, 1, 1, 1), got {got}."
        )
