"""What fused sweeps need to know of a flow: which differences its diffusivity sees, which diffusivity, what stays.

Only flows that a sweep serves are described: the gradient flows and smooth energies on forward differences with
reflecting boundaries, ``nonlinear_diffusion``, and the anisotropic diffusions whose tensor follows a known rule;
all with a known penaliser. Others, as subclasses of one's own, are computed by plain PyTorch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mindl.calculus import (
    Channelwise,
    Charbonnier,
    Coupling,
    DeltaStencil,
    Directional,
    Gradient,
    Huber,
    Joint,
    PeronaMalik,
    Quadratic,
    Reflecting,
    Separate,
    Weickert,
)
from mindl.calculus.operators import followed
from mindl.calculus.penalisers import Penaliser
from mindl.core.arrays import Image, Mask, Weight
from mindl.kernels.choice import serves
from mindl.models.anisotropic import (
    ByDiffusivity,
    CoherenceEnhancing,
    EdgeEnhancing,
    Isotropic,
    TensorDiffusion,
    TensorRule,
)
from mindl.models.data_terms import HalfSquared, KnownPixels
from mindl.models.diffusion import NonlinearDiffusion
from mindl.models.gradient_flow import SmoothGradientFlow
from mindl.models.haar import HaarDiffusion
from mindl.models.model import Model
from mindl.models.variational import Variational
from mindl.models.views import SmoothEnergy

KINDS: dict[type[Penaliser], int] = {Quadratic: 0, Huber: 1, Charbonnier: 2, PeronaMalik: 3, Weickert: 4}
"""The diffusivities as sweeps number them."""

RULES: dict[type[TensorRule], int] = {EdgeEnhancing: 0, Isotropic: 1, CoherenceEnhancing: 2}
"""How a diffusion tensor follows from the structure tensor, as sweeps number it."""

FLAT = 100.0
"""Where the exponent of Weickert's diffusivity is beyond this, it is 1."""


@dataclass(frozen=True, eq=False)
class Diffusivity:
    """g by its number, and the numbers that it takes of each image."""

    kind: int
    contrast: Weight = 1.0
    threshold: float = 1.0
    power: int = 2

    def numbers(self, index: int) -> list[float]:
        """c, 1 / c, C_m, m, and the smallest s^2 / c^2 of which Weickert's g is not 1."""
        c = number(self.contrast, index)
        return [c, 1 / c, self.threshold, float(self.power), math.pow(self.threshold / FLAT, 1 / self.power)]


@dataclass(frozen=True, eq=False)
class ForwardDifferences:
    """g of the forward differences, times a weight."""

    diffusivity: Diffusivity
    joint: bool
    isotropic: bool
    grid: float
    weight: Weight = 1.0


@dataclass(frozen=True, eq=False)
class CentralDifferences:
    """g of central differences of the smoothed image, averaged between two pixels."""

    diffusivity: Diffusivity
    joint: bool
    grid: float
    presmoothing: float


@dataclass(frozen=True, eq=False)
class Cells:
    """A diffusion tensor in every cell of 2 x 2 pixels."""

    diffusivity: Diffusivity
    rule: int
    stencil: DeltaStencil
    presmoothing: float
    integration: float = 0.0
    least: float = 0.0


@dataclass(frozen=True, eq=False)
class FusedFlow:
    """A flow that sweeps serve: its matrix, the data f of a term (u - f)^2 / 2, and the pixels that stay."""

    matrix: ForwardDifferences | CentralDifferences | Cells
    data: Image | None = None
    known: Mask | None = None


def fused_flow(view: Model, image: Image) -> FusedFlow | None:
    """How sweeps see a flow; None where none serves it, or images like this one."""
    if not serves(image):
        return None
    flow = _described(view)
    if flow is None:
        return None
    diffusivity, data = flow.matrix.diffusivity, flow.data
    weight = flow.matrix.weight if isinstance(flow.matrix, ForwardDifferences) else 1.0
    if followed(diffusivity.contrast, weight, data) or (data is not None and data.dtype != image.dtype):
        return None
    limits = torch.finfo(image.dtype)
    extremes = [number(diffusivity.contrast, b) for b in range(image.shape[0])]
    inside = all(4 * limits.tiny < c < limits.max / 4 for c in extremes)
    return flow if inside else None


def number(value: Weight, index: int) -> float:
    """That of an image, where there may be one for each."""
    return float(value[index].detach()) if isinstance(value, Tensor) else float(value)


def _described(view: Model) -> FusedFlow | None:
    if isinstance(view, SmoothEnergy):
        model = getattr(view, "model", None)
        return _energy(model) if type(model) is Variational else None
    if type(view) is SmoothGradientFlow:
        forward = _forward(view.gradient, view.penaliser, view.coupling, 1.0)
        return None if forward is None else FusedFlow(forward)
    if type(view) is NonlinearDiffusion:
        g = _diffusivity(view.penaliser)
        if g is None:
            return None
        return FusedFlow(CentralDifferences(g, view.joint, view.grid, view.presmoothing))
    if type(view) is HaarDiffusion:
        return _cells(view.diffusion)
    return _cells(view) if type(view) is TensorDiffusion else None


def _diffusivity(penaliser: Penaliser) -> Diffusivity | None:
    if type(penaliser) not in KINDS:
        return None
    kind, contrast = KINDS[type(penaliser)], penaliser.contrast
    if isinstance(penaliser, Weickert):
        return Diffusivity(kind, penaliser.contrast, penaliser.threshold, penaliser.power)
    return Diffusivity(kind, 1.0 if contrast is None else contrast)


def _forward(
    operator: object, penaliser: Penaliser, coupling: Coupling, weight: Weight
) -> ForwardDifferences | None:
    g = _diffusivity(penaliser)
    if g is None or type(operator) is not Gradient or not isinstance(operator.boundary, Reflecting):
        return None
    if type(coupling) not in (Joint, Channelwise, Directional, Separate):
        return None
    joint, isotropic = isinstance(coupling, Joint | Directional), isinstance(coupling, Joint | Channelwise)
    return ForwardDifferences(g, joint, isotropic, operator.grid, weight)


def _energy(model: Variational) -> FusedFlow | None:
    forward, term = _forward(model.operator, model.penaliser, model.coupling, model.weight), model.data_term
    if forward is None:
        return None
    if type(term) is HalfSquared:
        return FusedFlow(forward, data=term.data)
    return FusedFlow(forward, known=term.mask) if type(term) is KnownPixels else None


def _cells(flow: TensorDiffusion) -> FusedFlow | None:
    rule, known = flow.rule, None if flow.known is None else flow.known.mask
    if isinstance(rule, ByDiffusivity) and type(rule) in RULES:
        g = _diffusivity(rule.penaliser)
        if g is None:
            return None
        return FusedFlow(Cells(g, RULES[type(rule)], flow.stencil, flow.presmoothing), known=known)
    if type(rule) is CoherenceEnhancing:
        # exp(-c^4 / mu^2) is 1 - g(mu) with Weickert's g for m = 2 and C_m = 1.
        g = Diffusivity(KINDS[Weickert], rule.contrast)
        cells = Cells(g, RULES[type(rule)], flow.stencil, flow.presmoothing, rule.integration, rule.least)
        return FusedFlow(cells, known=known)
    return None
