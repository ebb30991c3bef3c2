r"""How a solution depends on its model: three ways to differentiate it.

``Detached`` cuts the graph, ``ThroughSteps`` follows every step, and ``Implicit`` differentiates the
optimality condition grad E(u*, theta) = 0, whatever the solver did:
:math:`du^*/d\theta = -H^{-1}\, \partial_\theta \nabla E`, with the Hessian H.
"""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass

from mindl.core.arrays import Image
from mindl.core.errors import ViewError
from mindl.models.views import Energy, LinearSystem, SmoothEnergy
from mindl.solvers.correction import Correction, hessian, inverse


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
        rest = view.gradient(fixed)
        if isinstance(view, LinearSystem):
            system = Correction(view.apply, rest.detach(), view)
        else:
            system = Correction(hessian(view, fixed), rest.detach())
        return fixed - inverse(rest, system, self.tolerance)
