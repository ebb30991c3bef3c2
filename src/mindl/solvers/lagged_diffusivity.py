r"""Lagged diffusivity: a linear system with the diffusivity of the image before."""

from __future__ import annotations

from dataclasses import dataclass

from mindl.core.arrays import Image
from mindl.core.errors import InputError
from mindl.models.candidate import Candidate
from mindl.models.flow_views import Quasilinear
from mindl.solvers.correction import Correction, Counted, solve_followed
from mindl.solvers.solver import Solver


@dataclass(frozen=True, eq=False)
class LaggedDiffusivityState:
    """u, and the products with frozen matrices and gradients so far."""

    image: Image
    products: int


@dataclass(frozen=True)
class LaggedDiffusivity(Solver[Quasilinear, LaggedDiffusivityState]):
    r"""Kacanov's method: with the diffusivity frozen at :math:`u^k`, the image solves a linear system,

    .. math:: A(u^k)\, u^{k+1} = b, \qquad A(u) = D'' + w\, L^T g(|L u|^2)\, L .

    Its energy is a quadratic that lies above E and touches it at :math:`u^k` (g does not increase), so every step
    that lowers the quadratic lowers E: the energy falls monotonically, also when the system is solved roughly, by
    conjugate gradients from :math:`u^k` on. Convergence is linear.

    Args:
        inexactness: relative residual at which a system is solved well enough, in (0, 1).

    Raises:
        InputError: outside (0, 1).

    Source: Vogel and Oman, SIAM J. Sci. Comput. 17 (1996); Charbonnier et al. (1997) for the majorisation.

    >>> import torch, mindl as md
    >>> f = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> md.minimise(md.models.charbonnier(f, weight=2.0), LaggedDiffusivity()).outcome.value
    'certified'
    """

    inexactness: float = 0.1

    accepts = Quasilinear
    applications = 1
    guarantee = "energy falls in every step; linear convergence"
    memoryless = True
    cost = "conjugate gradients in a system with frozen diffusivity"

    def __post_init__(self) -> None:
        if not 0 < self.inexactness < 1:
            raise InputError(f"LaggedDiffusivity(inexactness={self.inexactness}) must lie between 0 and 1.")

    @property
    def heavy(self) -> bool:
        """A system costs many checks."""
        return True

    def begin(self, view: Quasilinear, start: Candidate) -> LaggedDiffusivityState:
        """The start, made admissible."""
        return LaggedDiffusivityState(view.project(start.image).clone(), 0)

    def step(self, view: Quasilinear, state: LaggedDiffusivityState) -> LaggedDiffusivityState:
        """One system: A(u) d = b - A(u) u = -grad E(u), for the change d."""
        frozen = view.frozen(state.image)
        matrix = Counted(frozen.apply)
        change = solve_followed(Correction(matrix, view.rate(state.image), frozen), self.inexactness, steps=200)
        return LaggedDiffusivityState(view.move(state.image, change)[0], state.products + 1 + matrix.products)

    def candidate(self, view: Quasilinear, state: LaggedDiffusivityState) -> Candidate:
        """u."""
        return Candidate(state.image)

    def work(self, state: LaggedDiffusivityState, steps: int) -> int:
        """Gradients, and the products of all systems."""
        return state.products
