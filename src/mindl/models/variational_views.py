r"""The views of the variational formula: which parts each needs, and how it follows from them.

.. math:: E(u) = D(u; f) + w \sum_i \psi(|(L u)_i|)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from mindl.calculus import (
    ConvexPenaliser,
    Diagonalised,
    Differences,
    Gradient,
    GradientPairs,
    Operator,
    Polyharmonic,
    Quadratic,
    Separate,
    SmoothPenaliser,
)
from mindl.core.arrays import Dual, Image, PerImage, PerImageFlag, per_image
from mindl.core.reduce import largest, total
from mindl.models.data_terms import Boxed, DataTerm, HalfSquared, KnownPixels
from mindl.models.flow_views import Quasilinear
from mindl.models.fused import gap_sums
from mindl.models.fused_linear import Laplacian, laplacian, residual_sums
from mindl.models.model import Model
from mindl.models.views import (
    Energy,
    GapSums,
    LinearSystem,
    Local,
    MonotoneSystem,
    PolyharmonicSystem,
    ResidualSums,
    SaddlePoint,
    SmoothEnergy,
    SpectralSaddlePoint,
    StronglyConvexSaddlePoint,
)

if TYPE_CHECKING:
    from mindl.models.variational import Variational


def _not_smooth(model: Variational) -> str | None:
    if not isinstance(model.penaliser, SmoothPenaliser):
        return f"its penaliser {type(model.penaliser).__name__} has a kink at 0"
    if not model.data_term.smooth:
        return f"its data term {type(model.data_term).__name__} has a kink"
    return None


def _not_linear(model: Variational) -> str | None:
    if not isinstance(model.penaliser, Quadratic):
        return f"its penaliser {type(model.penaliser).__name__} is not quadratic"
    if not isinstance(model.data_term, (HalfSquared, KnownPixels)):
        return f"its data term {type(model.data_term).__name__} is not quadratic"
    return None


def _not_monotone(model: Variational) -> str | None:
    if not isinstance(model.operator, Differences):
        return f"its operator {type(model.operator).__name__} does not consist of differences of two pixels"
    return _not_linear(model)


def _not_polyharmonic(model: Variational) -> str | None:
    if not isinstance(model.operator, Polyharmonic) or not isinstance(model.data_term, KnownPixels):
        return "it is no inpainting by a power of the Laplacian"
    return _not_linear(model)


def _not_strongly_convex(model: Variational) -> str | None:
    if not model.data_term.modulus:
        return f"its data term {type(model.data_term).__name__} is not strongly convex"
    return _no_saddle_point(model)


def _not_spectral(model: Variational) -> str | None:
    if not isinstance(model.operator, Diagonalised):
        return f"no fast transform makes its operator {type(model.operator).__name__} diagonal"
    return _not_strongly_convex(model)


def _no_saddle_point(model: Variational) -> str | None:
    if not isinstance(model.penaliser, ConvexPenaliser):
        return f"its penaliser {type(model.penaliser).__name__} is not convex"
    if isinstance(model.data_term, Boxed) and not isinstance(model.operator, Differences):
        return (
            f"with {type(model.operator).__name__} a solution may leave the range of the data, so that the "
            "duality gap of almost every dual field is infinite"
        )
    return None


@dataclass(frozen=True, eq=False)
class _View(Energy, Local):
    """Hands on what every view shares with its model."""

    model: Variational

    @property
    def title(self) -> str:
        return self.model.title

    @property
    def radius(self) -> int:
        return self.model.radius

    def energy(self, image: Image) -> PerImage:
        return self.model.energy(image)

    @property
    def image_shape(self) -> torch.Size:
        return self.model.image_shape

    def start(self) -> Image:
        return self.model.start()

    def admissible(self, image: Image) -> PerImageFlag:
        return self.model.admissible(image)

    def project(self, image: Image) -> Image:
        return self.model.project(image)

    def crop(self, top: int, bottom: int, dtype: torch.dtype | None = None) -> _View:
        return type(self)(self.model.crop(top, bottom, dtype))

    def _free_only(self, values: Tensor) -> Tensor:
        free = self.model.data_term.free
        return values if free is None else torch.where(free, values, 0)


class _Smooth(_View, SmoothEnergy):
    """grad E(u) = D'(u) + w L^T (g(|L u|^2) L u), on the free pixels."""

    def gradient(self, image: Image) -> Image:
        model = self.model
        penaliser = cast(SmoothPenaliser, model.penaliser)
        slope = model.operator(image)
        if not isinstance(penaliser, Quadratic):
            slope = penaliser.force(slope, model.coupling)
        gradient = per_image(model.weight, image) * model.operator.adjoint(slope)
        if model.data_term.modulus:
            gradient = gradient + model.data_term.gradient(image)
        return self._free_only(gradient)

    def hessian(self, image: Image) -> Callable[[Image], Image] | None:
        """d + w L^T (psi''(L u) L d), where every entry is alone and the penaliser knows psi''."""
        model = self.model
        if not isinstance(model.data_term, HalfSquared):
            return None
        with torch.no_grad():
            bends = cast(SmoothPenaliser, model.penaliser).stiffness(model.operator(image), model.coupling)
        if bends is None:
            return None
        return lambda d: d + per_image(model.weight, d) * model.operator.adjoint(bends * model.operator(d))

    @cached_property
    def _curvatures_by_component(self) -> tuple[float, float] | None:
        """As below, where every component has a potential of its own: an eigenvalue problem at every frequency."""
        model, (height, width) = self.model, self.model.data_term.data.shape[2:]
        smooth = cast(SmoothPenaliser, model.penaliser)
        own = smooth.curvatures(model.operator.components) if isinstance(model.coupling, Separate) else None
        if own is None:
            return None
        steep, concave = (model.operator.weighted_norm_squared(gains, height, width) for gains in own)
        return steep, concave

    @property
    def _curvatures(self) -> tuple[float | Tensor, float]:
        """Bounds of the largest eigenvalue of the Hessian of R(L u), without weight, and of minus the smallest."""
        if self._curvatures_by_component is not None:
            return self._curvatures_by_component
        model, smooth = self.model, cast(SmoothPenaliser, self.model.penaliser)
        bound = model.operator.norm_squared(*model.data_term.data.shape[2:])
        largest = smooth.largest_diffusivity
        steepest = bound * (largest.double() if isinstance(largest, Tensor) else largest)
        return steepest, bound * max(-smooth.smallest_slope, 0.0)

    def _weighted(self, bound: float | Tensor) -> float | Tensor:
        weight = self.model.weight
        return weight.double() * bound if isinstance(weight, Tensor) else weight * bound  # proofs are in float64

    @property
    def lipschitz(self) -> float | Tensor:
        return self._data_modulus + self._weighted(self._curvatures[0])

    @property
    def modulus(self) -> float:
        own = self.modulus_per_image
        return float(own.detach().min()) if isinstance(own, Tensor) else own

    @property
    def modulus_per_image(self) -> float | Tensor:
        worst = self._data_modulus - self._weighted(self._curvatures[1])
        return worst.flatten().clamp(min=0) if isinstance(worst, Tensor) else max(worst, 0.0)

    @property
    def _data_modulus(self) -> float:
        return self.model.data_term.modulus


class _Linear(_Smooth, LinearSystem):
    """A = D'' + w L^T L on the free pixels, with D'' = 1 or 0."""

    @property
    def right_hand_side(self) -> Image:
        return -self.gradient(self.project(torch.zeros_like(self.model.data_term.data)))

    def apply(self, direction: Image, out: Tensor | None = None, scratch: Tensor | None = None) -> Image:
        image = self.model.operator.gram(direction, out, scratch)
        weight = per_image(self.model.weight, image)
        if out is None:
            image = weight * image
            return self._free_only(image + direction if self._data_modulus else image)
        image *= weight
        if self._data_modulus:
            image += direction
        if self.free is not None:
            image.masked_fill_(~self.free, 0)
        return image

    @cached_property
    def laplacian(self) -> Laplacian | None:
        return laplacian(self.model)

    @cached_property
    def norm_of_right_hand_side(self) -> PerImage:
        sums = self.residual_sums(self.project(torch.zeros_like(self.model.data_term.data)), None)
        return super().norm_of_right_hand_side if sums is None else sums.squared.sqrt()

    def residual_sums(self, image: Image, values: Image | None) -> ResidualSums | None:
        return None if self.laplacian is None else residual_sums(self.model, self.laplacian, image, values)

    @cached_property
    def free(self) -> Tensor | None:
        return self.model.data_term.free

    @property
    def reach(self) -> int:
        return self.model.operator.reach

    @property
    def wraps(self) -> bool:
        return self.model.operator.wraps

    @property
    def pattern(self) -> tuple[int, int]:
        shape = (1, 1) if self.free is None else self.free.shape[:2]
        weights = self.model.weight.shape[0] if isinstance(self.model.weight, Tensor) else 1
        return max(shape[0], weights), shape[1]

    def colours(self, height: int, width: int) -> Iterator[Tensor]:
        # The 5-point Laplacian couples red pixels with black ones only, unless an odd image closes on itself.
        odd = self.wraps and (height % 2 or width % 2)
        if not isinstance(self.model.operator, Gradient | GradientPairs) or odd:
            return super().colours(height, width)
        red = (torch.arange(height)[:, None] + torch.arange(width)) % 2 == 0
        return iter((red, ~red))


class _Monotone(_Linear, MonotoneSystem):
    """The same where L consists of differences: A is an M-matrix."""

    @property
    def inverse_bound(self) -> float:
        # The rows of L^T L sum to 0 (no boundary loses anything), so A 1 = D'' and A^-1 1 = 1 / D''.
        return 1 / self._data_modulus if self._data_modulus else float("inf")


class _Polyharmonic(_Linear, PolyharmonicSystem):
    """Known pixels and L^T L = (-Laplacian)^m."""

    @property
    def order(self) -> int:
        return cast(Polyharmonic, self.model.operator).order

    @property
    def harmonic(self) -> MonotoneSystem:
        operator = cast(Polyharmonic, self.model.operator).gradient
        return _Monotone(replace(self.model, operator=operator, weight=1.0))

    def inverse_bound(self, height: PerImage) -> PerImage:
        return height**self.order / torch.as_tensor(self.model.weight, dtype=height.dtype).flatten()


class _Saddle(_View, SaddlePoint):
    """D and psi convex: the dual side comes from the data term and the penaliser."""

    @property
    def operator(self) -> Operator:
        return self.model.operator

    @property
    def _data(self) -> DataTerm:
        return self.model.data_term

    @property
    def _psi(self) -> ConvexPenaliser:
        return cast(ConvexPenaliser, self.model.penaliser)

    @property
    def modulus(self) -> float:
        return self._data.modulus

    def prox_data(self, image: Image, step_size: float, out: Tensor | None = None) -> Image:
        return self._data.proximal(image, step_size, out)

    def prox_dual(
        self,
        dual: Dual,
        step_size: float,
        out: Tensor | None = None,
        scratch: tuple[Tensor, Tensor] | None = None,
    ) -> Dual:
        return self._psi.dual_proximal(dual, step_size, self.model.weight, self.model.coupling, out, scratch)

    def feasible(self, dual: Dual) -> Dual:
        return self._psi.feasible(dual, self.model.weight, self.model.coupling)

    def magnitude(self, dual: Dual) -> Tensor:
        return self.model.coupling.magnitude(dual)

    def primal_of(self, dual: Dual) -> Image:
        return self._data.conjugate_gradient(-self.operator.adjoint(dual))

    def data_gap(self, image: Image, dual: Dual) -> Image:
        return self._data.fenchel_young(image, -self.operator.adjoint(dual))

    def field_gap(self, image: Image, dual: Dual) -> Tensor:
        return self._psi.fenchel_young(self.operator(image), dual, self.model.weight, self.model.coupling)

    def energy_density(self, image: Image) -> tuple[Tensor, Image]:
        return self.model.weighted_penalty(image), self._data.value(image)

    def looseness(self, image: Image, dual: Dual) -> PerImage:
        if not isinstance(self._data, Boxed):
            return super().looseness(image, dual)
        # A linear term <r, v - u> with v and u within the box: what rounds r = -K^T p counts that often.
        reach = torch.maximum(self._data.low.abs(), self._data.high.abs()).double().flatten(1).amax(dim=1)
        return total(dual.abs()) * (torch.maximum(reach, largest(image.abs())))

    def gap_sums(self, image: Image, dual: Dual) -> GapSums | None:
        return gap_sums(self.model, image, dual)

    def data_range(self) -> tuple[Tensor, Tensor] | None:
        return self._range

    @cached_property
    def _range(self) -> tuple[Tensor, Tensor] | None:
        if not isinstance(self.operator, Differences) or not isinstance(self._data, HalfSquared):
            return None
        low, high = self._data.data.amin(dim=(2, 3), keepdim=True), self._data.data.amax(dim=(2, 3), keepdim=True)
        return (low.clamp(max=0), high.clamp(min=0)) if self.operator.ties_to_zero else (low, high)


class _StrongSaddle(_Saddle, StronglyConvexSaddlePoint):
    """A strongly convex data term."""


class _SpectralSaddle(_StrongSaddle, SpectralSaddlePoint):
    """An operator with a fast transform."""

    def solve_normal(self, image: Image, zeroth: float, second: float) -> Image:
        return cast(Diagonalised, self.model.operator).solve(image, zeroth, second)


class _Frozen(_Linear):
    """The linear system whose diffusivities, one for each group of the field, were taken at some image."""

    def __init__(self, model: Variational, diffusivity: Tensor) -> None:
        super().__init__(model)
        object.__setattr__(self, "diffusivity", diffusivity)

    diffusivity: Tensor

    def crop(self, top: int, bottom: int, dtype: torch.dtype | None = None) -> _Frozen:
        seen = self.diffusivity[..., top:bottom, :]
        return _Frozen(self.model.crop(top, bottom, dtype), seen if dtype is None else seen.to(dtype))

    @property
    def laplacian(self) -> Laplacian | None:
        return None

    def apply(self, direction: Image, out: Tensor | None = None, scratch: Tensor | None = None) -> Image:
        operator = self.model.operator
        image = operator.adjoint(operator(direction) * self.diffusivity)
        image = per_image(self.model.weight, image) * image
        if self._data_modulus:
            image = image + direction * self._data_modulus
        image = self._free_only(image)
        return image if out is None else out.copy_(image)

    def gradient(self, image: Image) -> Image:
        lifted = image - self.model.data_term.data if self._data_modulus else image
        operator = self.model.operator
        slope = operator.adjoint(operator(image) * self.diffusivity)
        return self._free_only(per_image(self.model.weight, image) * slope + self._data_modulus * lifted)

    @property
    def pattern(self) -> tuple[int, int]:
        own, batch, channel = super().pattern, *self.diffusivity.shape[:2]
        return max(own[0], batch), max(own[1], channel)


class _Quasilinear(_Smooth, Quasilinear):
    """A(u) = D'' + w L^T g(|L u|^2) L."""

    def frozen(self, image: Image) -> LinearSystem:
        model = self.model
        size = model.coupling.magnitude(model.operator(image))
        g = cast(SmoothPenaliser, model.penaliser).diffusivity(size * size)
        return _Frozen(model, model.coupling.spread(g))


VIEWS: dict[type[Model], tuple[Callable[[Variational], str | None], Callable[[Variational], Model]]] = {
    MonotoneSystem: (_not_monotone, _Monotone),
    PolyharmonicSystem: (_not_polyharmonic, _Polyharmonic),
    LinearSystem: (_not_linear, _Linear),
    Quasilinear: (_not_smooth, _Quasilinear),
    SmoothEnergy: (_not_smooth, _Smooth),
    SpectralSaddlePoint: (_not_spectral, _SpectralSaddle),
    StronglyConvexSaddlePoint: (_not_strongly_convex, _StrongSaddle),
    SaddlePoint: (_no_saddle_point, _Saddle),
}
"""Strongest first: each view, what a model may lack for it, and how it is built."""
