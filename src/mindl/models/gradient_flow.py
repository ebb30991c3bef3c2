r"""Steepest descent of a convex energy: linear diffusion, Charbonnier's, the flow of the total variation.

.. math:: \partial_t u = -L^T \partial F(L u), \qquad F(q) = \sum_i \psi(|q_i|),

psi convex. Two solutions never move apart, and that is why the error of the time steps can be proved
(``models.time_steps``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from mindl.calculus import (
    Channelwise,
    Charbonnier,
    ConvexPenaliser,
    Coupling,
    Gradient,
    Huber,
    Joint,
    Operator,
    Quadratic,
    SmoothPenaliser,
    TotalVariation,
)
from mindl.core.arrays import Dual, Image, PerImage, Weight, check_image, check_weight, highest
from mindl.core.reduce import total
from mindl.models.data_terms import HalfSquared
from mindl.models.filling import FromData
from mindl.models.flow_views import ConvexFlow, Splittable
from mindl.models.variational import Variational
from mindl.models.views import Energy, LinearSystem
from mindl.models.weighted import WeightedSystem


@dataclass(frozen=True, eq=False, repr=False)
class GradientFlow(ConvexFlow, FromData):
    """Steepest descent of a convex penaliser with a kink: no explicit step is stable, implicit ones are.

    Args:
        data: the image at time 0.
        penaliser: psi.
        gradient: L.
        coupling: which differences share a magnitude.
        name: for messages and tables.
    """

    data: Image
    penaliser: ConvexPenaliser
    gradient: Gradient
    coupling: Coupling
    name: str

    def __post_init__(self) -> None:
        check_image(self.data, f"{self.name}(data)")
        if self.penaliser.contrast is not None:
            check_weight(self.penaliser.contrast, self.data, f"{self.name}(contrast)")

    @property
    def title(self) -> str:
        """The flow's own name."""
        return self.name

    @property
    def operator(self) -> Operator:
        """Forward differences."""
        return self.gradient

    def energy(self, image: Image) -> PerImage:
        """The penalty of the gradient, summed over the image."""
        return total(self.penaliser(self.coupling.magnitude(self.gradient(image))))

    def slope(self, image: Image) -> Dual:
        """The unit vector along the gradient, 0 where there is none; for smooth penalisers g grad u."""
        field = self.gradient(image)
        size = self.coupling.magnitude(field)
        if isinstance(self.penaliser, SmoothPenaliser):
            return field * self.coupling.spread(self.penaliser.diffusivity(size * size))
        return field / self.coupling.spread(torch.where(size > 0, size, 1))

    def rate(self, image: Image) -> Image:
        """The divergence of the slope."""
        return -self.gradient.adjoint(self.slope(image))

    @property
    def stable_step(self) -> float | None:
        """0: the rate jumps where the gradient vanishes."""
        return 0.0

    def feasible(self, dual: Dual) -> Dual:
        """As the penaliser asks."""
        return self.penaliser.feasible(dual, 1.0, self.coupling)

    def field_gap(self, image: Image, dual: Dual) -> Tensor:
        """The inequality of Fenchel and Young, group by group."""
        return self.penaliser.fenchel_young(self.gradient(image), dual, 1.0, self.coupling)

    def only(self, index: int) -> GradientFlow:
        """The same flow of one image, with its own contrast."""
        penaliser, contrast = self.penaliser, self.penaliser.contrast
        if isinstance(contrast, Tensor):
            penaliser = replace(penaliser, contrast=contrast[index : index + 1])  # type: ignore[type-var]
        return replace(self, data=self.data[index : index + 1], penaliser=penaliser)

    def implicit_step(self, image: Image, duration: float) -> Energy:
        """The denoising model with the image as its data and the duration as its weight."""
        return Variational(
            HalfSquared(image), self.penaliser, self.gradient, duration, self.coupling, name=f"step of {self.name}"
        )


@dataclass(frozen=True, eq=False, repr=False)
class SmoothGradientFlow(GradientFlow, Splittable):
    """Steepest descent of a smooth convex penaliser; arguments as for ``GradientFlow``.

    The explicit scheme keeps the range, and lets no two solutions move apart, up to h^2 / (2 d g_max) for an image
    of d axes.
    """

    @property
    def stable_step(self) -> float | None:
        """h^2 / (2 d g_max)."""
        return chain_bound(
            self.data, self.gradient.grid, cast(SmoothPenaliser, self.penaliser).largest_diffusivity
        )

    def _diffusivity(self, image: Image) -> Tensor:
        size = self.coupling.magnitude(self.gradient(image))
        return cast(SmoothPenaliser, self.penaliser).diffusivity(size * size)

    def frozen(self, image: Image) -> LinearSystem:
        """L^T g L."""
        weights = self.coupling.spread(self._diffusivity(image))
        return WeightedSystem(self.gradient, weights, 2 / cast(float, self.stable_step), self.data)

    def conductances(self, image: Image) -> tuple[Tensor, Tensor]:
        """g / h^2 of the pixel, for both of its differences."""
        g = self._diffusivity(image)[:, :, 0] / self.gradient.grid**2
        return g, g


def chain_bound(data: Image, grid: float, largest: float | Tensor) -> float:
    """The step up to which no pixel gives away more than it has: h^2 / (2 d g_max), d the axes of the image."""
    axes = max((data.shape[2] > 1) + (data.shape[3] > 1), 1)
    return grid**2 / (2 * axes * highest(largest))


def linear_diffusion(data: Image, *, grid: float = 1.0) -> SmoothGradientFlow:
    r"""Linear diffusion, :math:`\partial_t u = \Delta u`: after the time t, a Gaussian of variance 2 t.

    It keeps the mean, stays within the range, and multiplies the DCT-II modes by :math:`e^{-\lambda t}`. Edges
    blur as fast as noise vanishes.

    Args:
        data: the image at time 0, (batch, channel, height, width).
        grid: h, the distance of two pixels.

    Raises:
        InputError: not a finite float image, or a grid size that is not positive.

    Source: Iijima (1959); Witkin, IJCAI 1983.

    >>> import torch, mindl as md
    >>> result = md.evolve(linear_diffusion(torch.tensor([[[[0.0, 1.0]]]])), md.solvers.Explicit(0.25), 0.5)
    >>> result.image.flatten().tolist()
    [0.375, 0.625]
    """
    return SmoothGradientFlow(data, Quadratic(), Gradient(grid=grid), Joint(), "linear_diffusion")


def charbonnier_flow(
    data: Image, contrast: Weight = 0.02, *, joint: bool = True, grid: float = 1.0
) -> SmoothGradientFlow:
    r"""Charbonnier diffusion, :math:`\partial_t u = \operatorname{div}\big(\nabla u / \sqrt{1 + |\nabla u|^2 /
    c^2}\big)`.

    It slows down at gradients beyond the contrast c. Being the descent of a convex energy it never amplifies
    a difference, and its time steps have a proved error.

    Args:
        data: the image at time 0, (batch, channel, height, width).
        contrast: c > 0, in the units of the image; one number or one per image.
        joint: whether the channels share their edges.
        grid: h, the distance of two pixels.

    Raises:
        InputError: a contrast or grid size that is not positive, or not a finite float image.

    Source: Charbonnier et al., IEEE Trans. Image Process. 6 (1997).

    >>> import torch, mindl as md
    >>> flow = charbonnier_flow(torch.eye(4)[None, None])
    >>> result = md.evolve(flow, md.solvers.Explicit(), 1.0)
    >>> bool(flow.energy(result.image) < flow.energy(flow.data))
    True
    """
    coupling = Joint() if joint else Channelwise()
    return SmoothGradientFlow(data, Charbonnier(contrast), Gradient(grid=grid), coupling, "charbonnier_flow")


def huber_flow(
    data: Image, contrast: Weight = 0.02, *, joint: bool = True, grid: float = 1.0
) -> SmoothGradientFlow:
    r"""The regularised flow of the total variation, :math:`g = 1 / \max(c, |\nabla u|)`.

    As ``tv_flow`` where the gradient is larger than c, linear below; explicit steps are stable up to
    c h^2 / 4. (With a contrast for each image of a batch, all take the steps of the smallest.) Arguments and
    errors as for ``charbonnier_flow``.

    Source: Andreu, Ballester, Caselles and Mazon, Differential Integral Equations 14 (2001) for the limit.

    >>> import torch, mindl as md
    >>> huber_flow(torch.eye(4)[None, None], contrast=0.1).stable_step
    0.025
    """
    coupling = Joint() if joint else Channelwise()
    return SmoothGradientFlow(data, Huber(contrast), Gradient(grid=grid), coupling, "huber_flow")


def tv_flow(data: Image, *, joint: bool = True, grid: float = 1.0) -> GradientFlow:
    r"""The flow of the total variation, :math:`\partial_t u = \operatorname{div}(\nabla u / |\nabla u|)`.

    A disc of radius R sinks with the speed 2 / R, keeps its edge, and is gone after a finite time. An implicit
    step is the denoising model ``rof`` with the step size as its weight; on a line one step is exact whatever
    its size. Arguments and errors as for ``charbonnier_flow``, without a contrast.

    Source: Andreu, Ballester, Caselles and Mazon, Differential Integral Equations 14 (2001).

    >>> import torch, mindl as md
    >>> step = torch.tensor([[[[0.0, 0.0, 1.0, 1.0]]]], dtype=torch.float64)
    >>> md.evolve(tv_flow(step), md.solvers.ImplicitEuler(), 0.2).image.flatten().round(decimals=3).tolist()
    [0.1, 0.1, 0.9, 0.9]
    """
    return GradientFlow(
        data, TotalVariation(), Gradient(grid=grid), Joint() if joint else Channelwise(), "tv_flow"
    )
