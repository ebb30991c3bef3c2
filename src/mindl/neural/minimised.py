"""A network that is the minimiser itself, differentiated implicitly."""

from __future__ import annotations

import warnings
from typing import Any

import torch

from mindl.core.errors import InputError, MindlWarning
from mindl.models import Candidate, Model
from mindl.neural.unrolled import SolverNetwork
from mindl.solvers import Implicit, Stop, minimise
from mindl.solvers.solver import Solver


class Minimised(SolverNetwork):
    r"""A solver that goes on until it is there; the derivative is that of the minimiser, not of the steps:

    .. math:: \frac{du^*}{d\theta} = -H^{-1}\, \partial_\theta \nabla E(u^*, \theta), \qquad H = \nabla^2 E(u^*).

    No step is kept and any solver will do, with momentum or a search. What is learned through it is in the model
    (``LearnedModel``): an energy that was trained at its minimiser is meant to be minimised, where one that was
    trained through a few steps of a solver relies on their stopping early, and is poor when it is solved.

    Args:
        solver: for smooth energies with a proved modulus of convexity, such as ``AcceleratedGradient()``.
        tolerance: of the image, as in ``Stop``.
        derivative: the relative residual of the derivative's linear system; for training 0.1 is enough.
        steps: at most so many.
        title: the name in messages and tables.

    Warns:
        MindlWarning: the solver was not there after so many steps.

    Raises:
        InputError: something else than a solver, tolerances outside (0, 1), fewer than 1 steps.
        ViewError: the derivative is asked for, and the energy is not smooth or has no proved modulus.

    Source: the implicit function theorem; Samuel and Tappen, CVPR 2009, for learning an energy at its minimiser.

    >>> import mindl as md
    >>> noisy = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> model = md.models.charbonnier(noisy, weight=0.5)
    >>> exact = md.minimise(model, stop=md.Stop(1e-6)).image
    >>> net = Minimised(md.solvers.AcceleratedGradient(), tolerance=1e-5)
    >>> torch.allclose(net(model).image, exact, atol=1e-3)
    True
    """

    def __init__(
        self,
        solver: Solver[Any, Any],
        *,
        tolerance: float = 1e-3,
        derivative: float = 1e-3,
        steps: int = 300,
        title: str | None = None,
    ) -> None:
        right = all(isinstance(number, float | int) and 0 < number < 1 for number in (tolerance, derivative))
        if not right or steps < 1:
            raise InputError(
                f"Minimised(tolerance={tolerance}, derivative={derivative}, steps={steps}) needs tolerances in "
                "(0, 1) and a step."
            )
        super().__init__(solver, 0, [], title=title)
        self.tolerance, self.derivative, self.steps = tolerance, derivative, steps

    def forward(self, model: Model) -> Candidate:
        """The minimiser, as exactly as asked for."""
        self.check(model)
        derivative = Implicit(self.derivative) if torch.is_grad_enabled() else None
        stop = Stop(self.tolerance, steps=self.steps)
        found = minimise(model, self.solver, stop=stop, differentiate=derivative)
        if not found.outcome.met:
            warnings.warn(
                MindlWarning(
                    f"{self.title} ({self.solver.title}) is not within {self.tolerance:g} after {self.steps} "
                    "steps: take more of them, or a larger tolerance."
                ),
                stacklevel=2,
            )
        return Candidate(found.image, None if derivative is not None else found.dual)

    @property
    def about(self) -> str:
        """The solver."""
        return f"minimised by {self.solver.title}"
