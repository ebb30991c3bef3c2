r"""Stationary iterations u <- u + B (b - A u), and B as a preconditioner."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace

import torch

from mindl.calculus.operators import probe
from mindl.core.arrays import Image, PerImage, PerImageFlag
from mindl.core.errors import InputError
from mindl.core.reduce import inner
from mindl.models.candidate import Candidate
from mindl.models.strips import gradient
from mindl.models.views import LinearSystem
from mindl.solvers.conjugate_gradient import visible
from mindl.solvers.preconditioner import Correct, Preconditioner
from mindl.solvers.solver import Solver


@dataclass(frozen=True, eq=False)
class StationaryState:
    """The image in float64, its residual, the square below which that is rounding, and B."""

    anchor: Image
    residual: Image
    floor: PerImage
    correct: Correct


class Stationary(Solver[LinearSystem, StationaryState], Preconditioner):
    """u <- u + B (b - A u). The residual is computed in float64, B works in the image's own type.

    Concrete methods write ``prepare``, which makes B; with ``symmetric`` it is symmetric positive definite, so
    that it serves as a preconditioner of conjugate gradients too.
    """

    accepts = LinearSystem
    applications = 1

    @abstractmethod
    def prepare(self, view: LinearSystem, like: Image, *, symmetric: bool) -> Correct:
        """B, as a function of the residual.

        Raises:
            InputError: a hyperparameter breaks its bound for this matrix, or the matrix cannot be taken apart.
        """

    def begin(self, view: LinearSystem, start: Candidate) -> StationaryState:
        """The residual of the start, once it is made admissible."""
        image = view.project(start.image)
        correct = self.prepare(view, image, symmetric=False)  # takes memory, which is free now
        anchor = image.double().clone()
        residual = -gradient(view, anchor, image.dtype)
        floor = visible(residual, anchor)
        return StationaryState(anchor, residual, floor, correct)

    def step(self, view: LinearSystem, state: StationaryState) -> StationaryState:
        """One correction."""
        anchor = state.anchor + state.correct(state.residual)
        residual = -gradient(view, anchor, state.residual.dtype)
        return replace(state, anchor=anchor, residual=residual)

    def advance(self, view: LinearSystem, state: StationaryState, n: int) -> StationaryState:
        """The same in place."""
        for _ in range(n):
            state.anchor.add_(state.correct(state.residual))
            state.residual.copy_(gradient(view, state.anchor, state.residual.dtype)).neg_()
        return state

    def candidate(self, view: LinearSystem, state: StationaryState) -> Candidate:
        """The image in its own type."""
        return Candidate(view.project(state.anchor.to(state.residual.dtype)))

    def stuck(self, state: StationaryState) -> PerImageFlag:
        """Rounding the image to its type hides the residual."""
        return inner(state.residual, state.residual) <= state.floor


def anatomy(solver: Solver[LinearSystem, StationaryState], view: LinearSystem, like: Image) -> tuple[Image, Image]:
    """The diagonal of A and the sums of the rows of |A|, in the pattern of A: (1 or batch, 1 or channel, ...).

    Both are 1 at pixels without an equation.
    """
    if view.reach is None:
        raise InputError(
            f"{solver.title} takes the matrix apart, and {view.title} does not say how far it looks "
            "(LinearSystem.reach); ConjugateGradient() needs products with it only."
        )
    template = like.new_zeros(*view.pattern, *like.shape[2:])
    diagonal, sums = probe(view.apply, template, view.reach, wraps=view.wraps)
    empty = diagonal <= 0
    return torch.where(empty, 1, diagonal), torch.where(empty, 1, sums)
