r"""Newton's method with inexact steps and a line search."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mindl.core.arrays import Image, PerImageFlag, per_image
from mindl.core.errors import InputError
from mindl.core.reduce import inner
from mindl.models.candidate import Candidate
from mindl.models.views import SmoothEnergy
from mindl.solvers.correction import Correction, Counted, hessian, solve
from mindl.solvers.line_search import search
from mindl.solvers.solver import Solver


@dataclass(frozen=True, eq=False)
class NewtonState:
    """u, which images found no descent, and the evaluations so far."""

    image: Image
    stuck: PerImageFlag
    evaluations: int


@dataclass(frozen=True)
class Newton(Solver[SmoothEnergy, NewtonState]):
    r"""Newton's method: with the Hessian H of E,

    .. math:: H(u^k)\, d^k = -\nabla E(u^k) \;\text{(roughly)}, \qquad u^{k+1} = u^k + \tau_k d^k .

    The system is solved by conjugate gradients with products :math:`H d` by automatic differentiation; where
    they meet a direction of no positive curvature they stop, and what they have found is a descent direction
    all the same. The step :math:`\tau_k` is the first of 1, 1/2, 1/4, ... with sufficient decrease. Near a
    minimiser with a positive definite Hessian the error shrinks by about the inexactness in each step, and
    quadratically for small ones.

    Args:
        inexactness: relative residual of the Newton systems, in (0, 1).

    Raises:
        InputError: outside (0, 1).

    Source: Nocedal and Wright, Numerical Optimization (2006), algorithm 7.1 (line search Newton-CG).

    >>> import mindl as md
    >>> f = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> md.minimise(md.models.charbonnier(f, weight=2.0), Newton()).outcome.value
    'certified'
    """

    inexactness: float = 0.1

    accepts = SmoothEnergy
    applications = 1
    differentiable = False
    guarantee = "energy falls in every step; fast near a minimiser"
    cost = "conjugate gradients with the Hessian, and a line search"

    def __post_init__(self) -> None:
        if not 0 < self.inexactness < 1:
            raise InputError(f"Newton(inexactness={self.inexactness}) must lie between 0 and 1.")

    @property
    def heavy(self) -> bool:
        """A system costs many checks."""
        return True

    def begin(self, view: SmoothEnergy, start: Candidate) -> NewtonState:
        """The start, made admissible."""
        image = view.project(start.image).clone()
        return NewtonState(image, torch.zeros(image.shape[0], dtype=torch.bool, device=image.device), 0)

    def step(self, view: SmoothEnergy, state: NewtonState) -> NewtonState:
        """One inexact Newton step with a line search."""
        gradient = view.gradient(state.image)
        matrix = Counted(hessian(view, state.image))
        direction = solve(Correction(matrix, -gradient), self.inexactness, steps=200)
        descends = inner(direction, gradient) < 0
        direction = torch.where(per_image(descends, gradient) > 0, direction, -gradient)
        first = torch.ones(gradient.shape[0], dtype=torch.float64, device=gradient.device)
        with torch.no_grad():
            step_size, evaluations = search(view, state.image, gradient, direction, first)
        image, _ = view.move(state.image, direction * per_image(step_size, direction))
        return NewtonState(image, step_size == 0, state.evaluations + 1 + matrix.products + evaluations)

    def candidate(self, view: SmoothEnergy, state: NewtonState) -> Candidate:
        """u."""
        return Candidate(state.image)

    def stuck(self, state: NewtonState) -> PerImageFlag:
        """The line search found no descent."""
        return state.stuck

    def work(self, state: NewtonState, steps: int) -> int:
        """Gradients, products with Hessians, and the energies of the line search."""
        return state.evaluations
