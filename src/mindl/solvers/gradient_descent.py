r"""Gradient descent, with a line search where no Lipschitz constant is known."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mindl.core.arrays import Image, PerImage, PerImageFlag, exporting, per_image
from mindl.core.errors import InputError
from mindl.models.candidate import Candidate
from mindl.models.views import Energy, SmoothEnergy
from mindl.solvers.line_search import search
from mindl.solvers.solver import Bounds, Numbers, Solver


@dataclass(frozen=True, eq=False)
class GradientDescentState:
    """u, the step size that worked last for each image, and the evaluations so far."""

    image: Image
    step_size: PerImage
    evaluations: int


@dataclass(frozen=True)
class GradientDescent(Solver[Energy, GradientDescentState]):
    r"""Gradient descent :math:`u^{k+1} = P(u^k - \tau_k \nabla E(u^k))`, P the model's projection.

    With a known Lipschitz constant l of the gradient, tau = 1/l (any :math:`\tau < 2/l` converges). Without
    one, and for energies of one's own, every image searches its own step: the last one that worked, doubled,
    then halved until

    .. math:: E(u^{k+1}) \le E(u^k) + 10^{-4}\, \langle \nabla E(u^k), u^{k+1} - u^k\rangle .

    Where the decrease drowns in the rounding of E, the slope beyond the step decides instead (see
    ``line_search``). An image for which 40 halvings do not suffice is stuck: at a minimiser up to rounding, or
    at a kink.

    Args:
        step_size: a fixed tau; by default 1/l or the line search.

    Raises:
        InputError: not above 0, or 2/l and more, where l is known: unstable.

    Source: Armijo, Pacific J. Math. 16 (1966); Hager and Zhang, SIAM J. Optim. 16 (2005), (4.1); Nesterov,
    Introductory lectures on convex optimization (2004), section 1.2.3.

    >>> import mindl as md
    >>> class Tied(md.Energy):
    ...     def __init__(self, data):
    ...         self.data = data
    ...     def energy(self, u):
    ...         return (u - self.data).square().sum(dim=(1, 2, 3))
    >>> model = Tied(torch.full((1, 1, 2, 2), 0.25))
    >>> md.minimise(model, GradientDescent(), torch.zeros(1, 1, 2, 2)).image.flatten()
    tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """

    step_size: float | None = None

    accepts = Energy
    applications = 1
    guarantee = "energy falls in every step; error factor 1 - 1/kappa where strongly convex"
    memoryless = True
    cost = "one gradient, and a line search where no Lipschitz constant is known"

    def __post_init__(self) -> None:
        if self.step_size is not None and not 0 < self.step_size < math.inf:
            raise InputError(f"GradientDescent(step_size={self.step_size}) must be above 0 and finite.")

    def begin(self, view: Energy, start: Candidate) -> GradientDescentState:
        """The start, made admissible; a fixed step is held against its bound."""
        image = view.project(start.image).clone()
        lipschitz = view.lipschitz if isinstance(view, SmoothEnergy) and not exporting() else None
        if isinstance(lipschitz, Tensor):
            lipschitz = lipschitz.detach()
        worst = float(torch.as_tensor(lipschitz, dtype=torch.float64).max()) if lipschitz is not None else None
        if self.step_size is not None and worst and self.step_size >= 2 / worst:
            raise InputError(
                f"GradientDescent(step_size={self.step_size:g}) is unstable for {view.title}: the gradient has "
                f"the Lipschitz constant {worst:g}, so the bound is {2 / worst:g}."
            )
        first = self._first(view, image)
        return GradientDescentState(image, first, 0)

    def _first(self, view: Energy, image: Image) -> PerImage:
        """The step size of each image: as given, 1 / lipschitz, or 1 before a search."""
        first = torch.ones(image.shape[0], dtype=torch.float64, device=image.device)
        if self.step_size is not None:
            return first * self.step_size
        lipschitz = view.lipschitz if isinstance(view, SmoothEnergy) else None
        if lipschitz is None:
            return first
        bound = lipschitz.detach() if isinstance(lipschitz, Tensor) else lipschitz
        return first / torch.as_tensor(bound, dtype=torch.float64).flatten().clamp(min=1e-12)

    def tuned(self, view: Energy, state: GradientDescentState) -> GradientDescentState:
        """With the step sizes that belong to the view."""
        return replace(state, step_size=self._first(view, state.image))

    @property
    def learnable(self) -> dict[str, int]:
        """tau."""
        return {"step_size": 1}

    def numbers(self, view: Energy, state: GradientDescentState) -> Numbers:
        """tau of each image; none where it is searched."""
        return {"step_size": state.step_size} if self._knows_its_step(view) else {}

    def bounds(self, view: Energy, numbers: Numbers) -> Bounds:
        """Up to 2/l; the energy falls below it."""
        lipschitz = view.lipschitz if isinstance(view, SmoothEnergy) else None
        if lipschitz is None:
            return {"step_size": (0.0, math.inf)}
        bound = torch.as_tensor(lipschitz, dtype=torch.float64).flatten()
        return {"step_size": (0.0, 2 / bound.clamp(min=1e-12))}

    def _knows_its_step(self, view: Energy) -> bool:
        return self.step_size is not None or (isinstance(view, SmoothEnergy) and view.lipschitz is not None)

    def step_with(self, view: Energy, state: GradientDescentState, numbers: Numbers) -> GradientDescentState:
        """One step of this size."""
        gradient = view.gradient(state.image)
        tau = torch.as_tensor(numbers["step_size"])
        image, _ = view.move(state.image, -gradient * per_image(tau, gradient))
        return GradientDescentState(image, state.step_size, state.evaluations + 1)

    def step(self, view: Energy, state: GradientDescentState) -> GradientDescentState:
        """One step for every image."""
        if self._knows_its_step(view):
            return self.step_with(view, state, self.numbers(view, state))
        gradient = view.gradient(state.image)
        with torch.no_grad():
            step_size, evaluations = search(view, state.image, gradient, -gradient, state.step_size * 2)
        image, _ = view.move(state.image, -gradient * per_image(step_size, gradient))
        return GradientDescentState(image, step_size, state.evaluations + 1 + evaluations)

    def candidate(self, view: Energy, state: GradientDescentState) -> Candidate:
        """u."""
        return Candidate(state.image)

    def stuck(self, state: GradientDescentState) -> PerImageFlag:
        """The line search found no descent."""
        return state.step_size == 0

    def work(self, state: GradientDescentState, steps: int) -> int:
        """Gradients and the energies of the line search."""
        return state.evaluations
