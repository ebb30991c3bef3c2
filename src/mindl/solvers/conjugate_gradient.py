r"""Conjugate gradients with residuals that stay true."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from mindl.core.arrays import Image, PerImage, PerImageFlag, per_image
from mindl.core.errors import InputError
from mindl.core.reduce import inner
from mindl.models.candidate import Candidate
from mindl.models.views import LinearSystem
from mindl.solvers import dispatch_linear
from mindl.solvers.preconditioner import Correct, Preconditioner
from mindl.solvers.solver import Solver

VISIBLE = 0.02
"""Rounding an image u leaves a residual of about eps |u|; this share of it counts as invisible."""


@dataclass(frozen=True, eq=False)
class ConjugateGradientState:
    """The image in float64, and the usual r, d, <r, r>, <r, B r>.

    Below ``floor`` the residual of the unknown no longer shows in an image of the model's own type.
    """

    unknown: Image
    residual: Image
    direction: Image
    squared: PerImage
    energetic: PerImage
    floor: PerImage
    count: int
    correct: Correct | None


@dataclass(frozen=True)
class ConjugateGradient(Solver[LinearSystem, ConjugateGradientState]):
    r"""Conjugate gradients for A u = b, A symmetric positive definite (Hestenes and Stiefel 1952):

    .. math::
        \alpha_k = \frac{|r^k|^2}{\langle d^k, A d^k\rangle},\quad u^{k+1} = u^k + \alpha_k d^k,\quad
        r^{k+1} = r^k - \alpha_k A d^k,\quad d^{k+1} = r^{k+1} + \frac{|r^{k+1}|^2}{|r^k|^2} d^k .

    The error in the energy norm shrinks by :math:`2((\sqrt\kappa-1)/(\sqrt\kappa+1))^k` at least; the residual
    need not fall monotonically. In floating-point numbers the recurred r drifts away from b - A u: plain
    float32 stalls at a true relative residual between 1e-6 and 1e-4 and does not know it. Therefore the true
    residual replaces it every ``refresh`` steps, computed in float64 from an image that is kept in float64,
    while the work between is done in the image's own type; the search direction is kept.

    With a preconditioner, a symmetric positive definite B near the inverse of A, the direction grows from B r and
    |r|^2 becomes <r, B r>; the condition number that counts is that of B A.

    Args:
        refresh: steps between two true residuals.
        preconditioner: ``Multigrid()``, ``Jacobi()``, ``GaussSeidel()`` or ``SOR()``.

    Raises:
        InputError: ``refresh`` below 1.

    Source: Hestenes and Stiefel, J. Res. Nat. Bur. Stand. 49 (1952); preconditioned: Saad, Iterative Methods for
    Sparse Linear Systems (2003), algorithm 9.1; residual replacement: van der Vorst and
    Ye, SIAM J. Sci. Comput. 22 (2000).

    >>> import mindl as md
    >>> f = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> md.solve_linear(md.models.whittaker_tikhonov(f, weight=1.0), ConjugateGradient()).outcome.value
    'certified'
    """

    refresh: int = 20
    preconditioner: Preconditioner | None = None

    accepts = LinearSystem
    applications = 1
    guarantee = "error at most 2 ((sqrt(kappa) - 1) / (sqrt(kappa) + 1))^k in the energy norm"
    cost = "one product with A, and the preconditioner"

    @property
    def title(self) -> str:
        """With the preconditioner's name, where there is one."""
        inner = "" if self.preconditioner is None else f"({type(self.preconditioner).__name__})"
        return f"ConjugateGradient{inner}"

    @property
    def heavy(self) -> bool:
        """With a preconditioner."""
        return self.preconditioner is not None

    def __post_init__(self) -> None:
        if not isinstance(self.refresh, int) or self.refresh < 1:
            raise InputError(f"ConjugateGradient(refresh={self.refresh}) must be a whole number, at least 1.")

    def begin(self, view: LinearSystem, start: Candidate) -> ConjugateGradientState:
        """The residual of the start, once it is made admissible."""
        image = view.project(start.image).contiguous()
        unknown = image.clone() if image.dtype == torch.float64 else image.double()
        residual, direction = torch.empty_like(image), torch.zeros_like(image)
        del start, image  # memory is short while the hierarchy is built
        steps = dispatch_linear.conjugate_steps(view, unknown, residual, direction)
        if steps is None:
            residual = -view.gradient(unknown).to(direction.dtype)
            squared, size = inner(residual, residual), inner(unknown, unknown)
        else:
            squared, size = steps.begin()
        correct = None
        if self.preconditioner is not None:
            correct = self.preconditioner.prepare(view, residual, symmetric=True)
        if steps is not None:
            energetic = steps.first(correct)
        else:
            direction = residual.clone() if correct is None else correct(residual)
            energetic = squared if correct is None else inner(residual, direction)
        floor = _floor(squared, size, direction.dtype)
        return ConjugateGradientState(unknown, residual, direction, squared, energetic, floor, 0, correct)

    def step(self, view: LinearSystem, state: ConjugateGradientState) -> ConjugateGradientState:
        """One step, with the true residual when its turn comes."""
        d = state.direction
        image_of_d = view.apply(d)
        alpha = per_image(_alpha(state, inner(d, image_of_d)), d)
        unknown = state.unknown + d * alpha
        residual = state.residual + image_of_d * -alpha
        if (state.count + 1) % self.refresh == 0:
            residual = -view.gradient(unknown).to(residual.dtype)
        squared = inner(residual, residual)
        towards = residual if state.correct is None else state.correct(residual)
        energetic = squared if state.correct is None else inner(residual, towards)
        direction = towards + d * per_image(_beta(state, energetic), d)
        return replace(
            state,
            unknown=unknown,
            residual=residual,
            direction=direction,
            squared=squared,
            energetic=energetic,
            count=state.count + 1,
        )

    def advance(self, view: LinearSystem, state: ConjugateGradientState, n: int) -> ConjugateGradientState:
        """The same in place: by a fused sweep where there is one, else with two buffers for all ``n`` steps."""
        steps = dispatch_linear.conjugate_steps(view, state.unknown, state.residual, state.direction)
        if steps is None:
            return self._advance_plainly(view, state, n)
        squared, energetic = steps.advance(
            state.squared, state.energetic, state.floor, state.count, n, self.refresh, state.correct
        )
        return replace(state, squared=squared, energetic=energetic, count=state.count + n)

    def _advance_plainly(
        self, view: LinearSystem, state: ConjugateGradientState, n: int
    ) -> ConjugateGradientState:
        unknown, r, d = state.unknown, state.residual, state.direction
        q, scratch = torch.empty_like(d), torch.empty_like(d)
        for count in range(state.count + 1, state.count + n + 1):
            view.apply(d, out=q, scratch=scratch)
            alpha = per_image(_alpha(state, inner(d, q)), d)
            unknown += torch.mul(d, alpha, out=scratch)
            r += q.mul_(-alpha)
            if count % self.refresh == 0:
                r.copy_(view.gradient(unknown)).neg_()
            squared = inner(r, r)
            towards = r if state.correct is None else state.correct(r)
            energetic = squared if state.correct is None else inner(r, towards)
            d.mul_(per_image(_beta(state, energetic), d)).add_(towards)
            state = replace(state, squared=squared, energetic=energetic, count=count)
        return state

    def candidate(self, view: LinearSystem, state: ConjugateGradientState) -> Candidate:
        """The unknown in the image's own type; fixed pixels, which no step moves, to the bit."""
        return Candidate(state.unknown.to(state.residual.dtype))

    def residual(self, state: ConjugateGradientState) -> PerImage:
        """|r|."""
        return state.squared.detach().sqrt()

    def stuck(self, state: ConjugateGradientState) -> PerImageFlag:
        """The residual is 0, or so small that rounding the image to its type hides it."""
        return state.squared <= state.floor


def visible(residual: Image, unknown: Image) -> PerImage:
    """The square of a residual below which it cannot be told from the rounding of the image to its type."""
    return _floor(inner(residual, residual), inner(unknown, unknown), residual.dtype)


def _floor(squared: PerImage, size: PerImage, dtype: torch.dtype) -> PerImage:
    eps = torch.finfo(dtype).eps
    return torch.maximum(size * (VISIBLE * eps) ** 2, squared * eps**4)


def _alpha(state: ConjugateGradientState, curvature: PerImage) -> PerImage:
    """<r, B r> / <d, A d>; 0 where the residual is only rounding."""
    defined = (state.squared > state.floor) & (curvature > 0)
    return torch.where(defined, state.energetic / torch.where(defined, curvature, 1), 0)


def _beta(state: ConjugateGradientState, energetic: PerImage) -> PerImage:
    """<r, B r> / its value before; 0, a fresh start along the residual, where the old one was only rounding."""
    defined = (state.squared > state.floor) & (state.energetic > 0)
    return torch.where(defined, energetic / torch.where(defined, state.energetic, 1), 0)
