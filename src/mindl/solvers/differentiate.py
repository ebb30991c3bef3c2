r"""How a solution depends on its model: three ways to differentiate it.

``Detached`` cuts the graph, ``ThroughSteps`` follows every step, and ``Implicit`` differentiates the
optimality condition grad E(u*, theta) = 0, whatever the solver did:
:math:`du^*/d\theta = -H^{-1}\, \partial_\theta \nabla E`, with the Hessian H.
"""

from __future__ import annotations

import warnings
from abc import ABC
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mindl.core.arrays import Image
from mindl.core.errors import ViewError
from mindl.core.reduce import norm
from mindl.models.views import Energy, LinearSystem, SmoothEnergy
from mindl.solvers.correction import Correction, hessian, solve


class Differentiate(ABC):
    """A strategy: what autograd sees of a solution."""

    through_steps: bool = False

    def check(self, view: Energy) -> None:
        """See that the strategy suits the view.

        Raises:
            ViewError: it does not.
        """

    def attach(self, view: Energy, image: Image) -> Image:
        """The solution as autograd shall see it."""
        return image


@dataclass(frozen=True)
class Detached(Differentiate):
    """No derivatives: the fast loop, in place."""


@dataclass(frozen=True)
class ThroughSteps(Differentiate):
    """Derivatives of the iteration itself, with respect to the model's tensors and the start.

    Memory grows with the number of steps.
    """

    through_steps = True


@dataclass(frozen=True)
class Implicit(Differentiate):
    r"""Derivatives of the exact solution, for smooth, strongly monotone views.

    The backward pass solves H v = g once by conjugate gradients; memory does not depend on the steps.

    Args:
        tolerance: relative residual of that system.

    Source: the implicit function theorem; Krantz and Parks, The Implicit Function Theorem (2002).
    """

    tolerance: float = 1e-10

    def check(self, view: Energy) -> None:
        """Smooth and strongly monotone: a linear system, or a proved modulus."""
        if isinstance(view, LinearSystem) or (isinstance(view, SmoothEnergy) and view.modulus > 0):
            return
        raise ViewError(
            f"Implicit() differentiates smooth, strongly monotone models only, and {view.title} is not one; "
            "ThroughSteps() differentiates the iteration of any solver."
        )

    def attach(self, view: Energy, image: Image) -> Image:
        """u* - H^-1 grad E(u*, theta), where only the gradient is followed."""
        assert isinstance(view, SmoothEnergy)
        fixed = view.project(image.detach())  # known pixels depend on the data directly
        residual: Tensor = _NewtonStep.apply(view.gradient(fixed), view, fixed, self.tolerance)  # type: ignore[no-untyped-call]
        return fixed - residual


class _NewtonStep(torch.autograd.Function):
    """Forward 0 (the solution is not moved), backward H^-1."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, view: SmoothEnergy, image: Tensor, tolerance: float) -> Tensor:
        ctx.view, ctx.image, ctx.tolerance = view, image, tolerance
        return torch.zeros_like(gradient)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *incoming: Any) -> Any:
        view, image = ctx.view, ctx.image
        (upstream,) = incoming
        if isinstance(view, LinearSystem):
            matrix, of = view.apply, view
            if view.free is not None:
                upstream = torch.where(view.free, upstream, 0)
        else:
            matrix, of = hessian(view, image), None
        # In float64 whatever the image's type: float32 cannot reach the tolerance.
        system = Correction(matrix, upstream.double(), of)
        found = solve(system, ctx.tolerance)
        rest, scale = norm(system.gradient(found)), norm(system.right)
        if bool((rest > 2 * ctx.tolerance * scale).any()):
            reached = float((rest / scale.clamp(min=1e-300)).max())
            warnings.warn(
                f"Implicit(tolerance={ctx.tolerance:g}) reached a relative residual of {reached:.1e} only: the "
                "derivative is that inexact.",
                stacklevel=2,
            )
        return found.to(upstream.dtype), None, None, None
