r"""Conjugate gradients whose preconditioner may be any map, also a network."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mindl.core.arguments import kind, whole
from mindl.core.arrays import Image, PerImage, PerImageFlag, exporting, per_image
from mindl.core.errors import InputError
from mindl.core.reduce import inner
from mindl.models.candidate import Candidate
from mindl.models.views import LinearSystem
from mindl.solvers.conjugate_gradient import visible
from mindl.solvers.preconditioner import Correct, Preconditioner
from mindl.solvers.solver import Solver

LEAST_CHANGE = 0.1
"""A step along B r is refused if it changes the residual by less than this part of its norm."""


@dataclass(frozen=True, eq=False)
class Direction:
    """A search direction d with A d and <d, A d>."""

    along: Image
    product: Image
    curvature: PerImage


@dataclass(frozen=True, eq=False)
class FlexibleState:
    """The image in float64, r, the last directions (the newest last), <r, r>, and B.

    Below ``floor`` the residual of the unknown no longer shows in an image of the model's own type. ``refused``
    counts the steps in which B r was not used, and ``products`` those with A.
    """

    unknown: Image
    residual: Image
    directions: tuple[Direction, ...]
    squared: PerImage
    floor: PerImage
    count: int
    products: int
    refused: Tensor
    correct: Correct


@dataclass(frozen=True)
class FlexibleConjugateGradient(Solver[LinearSystem, FlexibleState]):
    r"""Flexible conjugate gradients for A u = b: A is symmetric positive definite, and B is any map at all.

    B stands for the inverse of A. It may be nonlinear, nonsymmetric, another one in every step, a network. The new
    direction is made A-orthogonal to the last ``memory`` ones explicitly, and the step along it is exact:

    .. math::
        d^k = B r^k - \sum_{j = k - m}^{k - 1} \frac{\langle B r^k, A d^j\rangle}{\langle d^j, A d^j\rangle} d^j,
        \quad \alpha_k = \frac{\langle r^k, d^k\rangle}{\langle d^k, A d^k\rangle},\quad
        u^{k+1} = u^k + \alpha_k d^k,\quad r^{k+1} = r^k - \alpha_k A d^k .

    For m = 1 this is the formula of Polak and Ribiere,
    :math:`\beta = \langle B r^{k+1}, r^{k+1} - r^k\rangle / \langle r^k, d^k\rangle`, since
    :math:`\alpha_k A d^k = r^k - r^{k+1}`. If B is linear, symmetric and positive definite, the iterates are those
    of ``ConjugateGradient``, as long as no step is refused (see below). The length and the sign of B r do not
    matter.

    **What holds whatever B answers.** Let e be the error in the energy norm,
    :math:`e_k^2 = \langle u^k - u^*, A (u^k - u^*)\rangle`, and kappa the condition of A. A step minimises it on a
    line, so

    .. math::
        e_k^2 - e_{k+1}^2 = \langle \alpha_k d^k, A\, \alpha_k d^k\rangle
        \ge |\alpha_k A d^k|^2 / \lambda_{\max} = |r^{k+1} - r^k|^2 / \lambda_{\max} \ge 0 :

    the error never grows. A step is accepted only if it changes the residual enough,
    :math:`|r^{k+1} - r^k| \ge c\, |r^k|` with c = ``LEAST_CHANGE``. Then
    :math:`|r^k|^2 \ge \lambda_{\min} e_k^2` gives :math:`e_{k+1}^2 \le (1 - c^2 / \kappa)\, e_k^2`.
    Else, and where B r is 0 or not finite, r takes the place of B r in this step, for this image alone. With r the
    test holds by itself, even with c = 1: r - d is a sum of the last directions, to which A d is orthogonal, and
    r is orthogonal to them. Hence :math:`\langle r, A d\rangle = \langle d, A d\rangle` and
    :math:`\langle r, d\rangle = |r|^2`, so that :math:`\langle r, \alpha A d\rangle = |r|^2`, and Cauchy and
    Schwarz do the rest. So the method converges, and at the rate that steepest descent is sure of, 1 - 1 / kappa,
    up to the constant :math:`c^2`. Where B is refused in every step, it is plain conjugate gradients. The exact
    inverse has :math:`\alpha A d = r` and is never refused. All this is meant in exact arithmetic, and it is no
    promise of speed: a network that is not trained can need several times the steps of conjugate gradients alone.

    As in ``ConjugateGradient`` the unknown is kept in float64, the rest in the image's type, and the true residual
    replaces the recurred one every ``refresh`` steps.

    Args:
        preconditioner: makes B; it is not asked to be symmetric. ``mindl.neural.NetworkPreconditioner(network)``,
            ``Multigrid(full=True)``, ``GaussSeidel()`` or one's own.
        refresh: steps between two true residuals.
        memory: how many directions the new one is made orthogonal to; each costs two images.

    Raises:
        InputError: something else than a preconditioner, ``refresh`` or ``memory`` below 1; when it runs, a B r of
            another shape than r.

    Source: Golub and Ye, SIAM J. Sci. Comput. 21 (1999); Notay, SIAM J. Sci. Comput. 22 (2000), algorithm FCG(m).
    The test of a step was derived for this project.

    >>> import mindl as md
    >>> f = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    >>> model = md.models.harmonic_inpainting(f, md.images.random_mask(16, 16, 0.1, seed=0))
    >>> solution = md.solve_linear(model, FlexibleConjugateGradient(md.solvers.Multigrid(full=True)))
    >>> solution.outcome.value, bool(solution.steps <= 5)
    ('certified', True)
    """

    preconditioner: Preconditioner
    refresh: int = 20
    memory: int = 1

    accepts = LinearSystem
    applications = 1
    guarantee = "energy of the error falls in every step, at the rate of steepest descent at least, whatever B is"
    cost = "one product with A, or two where B is refused, and the preconditioner"

    @property
    def title(self) -> str:
        """With the preconditioner's name."""
        return f"FlexibleConjugateGradient({type(self.preconditioner).__name__})"

    @property
    def heavy(self) -> bool:
        """The preconditioner is."""
        return True

    def __post_init__(self) -> None:
        call = "FlexibleConjugateGradient"
        kind(
            self.preconditioner, Preconditioner, f"{call}(preconditioner)", "a preconditioner such as Multigrid()"
        )
        whole(self.refresh, 1, f"{call}(refresh)")
        whole(self.memory, 1, f"{call}(memory)")

    def begin(self, view: LinearSystem, start: Candidate) -> FlexibleState:
        """The residual of the start, once it is made admissible."""
        image = view.project(start.image)
        unknown = image.double().clone()
        residual = -view.gradient(unknown).to(image.dtype)
        correct = self.preconditioner.prepare(view, residual, symmetric=False)
        refused = torch.zeros(len(image), dtype=torch.int64, device=image.device)
        squared, floor = inner(residual, residual), visible(residual, unknown)
        return FlexibleState(unknown, residual, (), squared, floor, 0, 0, refused, correct)

    def step(self, view: LinearSystem, state: FlexibleState) -> FlexibleState:
        """One step, with the true residual when its turn comes."""
        r = state.residual
        towards, usable = _answer(view, state)
        new = _direction(view, towards, state.directions)
        alpha, change = _alpha(state, new)
        going = state.squared > state.floor
        poor = going & usable & ~(change >= LEAST_CHANGE**2 * state.squared)
        again = exporting() or bool(poor.any())
        if again:
            new = _direction(view, torch.where(per_image(poor, r) > 0, r, towards), state.directions)
            alpha, _ = _alpha(state, new)
        length = per_image(alpha, r)
        unknown = state.unknown + new.along * length
        residual = r + new.product * -length
        if (state.count + 1) % self.refresh == 0:
            residual = -view.gradient(unknown).to(residual.dtype)
        return replace(
            state,
            unknown=unknown,
            residual=residual,
            directions=(*state.directions, new)[-self.memory :],
            squared=inner(residual, residual),
            count=state.count + 1,
            products=state.products + 1 + again,
            refused=state.refused + (poor | (going & ~usable)),
        )

    def candidate(self, view: LinearSystem, state: FlexibleState) -> Candidate:
        """The unknown in the image's own type; fixed pixels, which no step moves, to the bit."""
        return Candidate(state.unknown.to(state.residual.dtype))

    def residual(self, state: FlexibleState) -> PerImage:
        """|r|."""
        return state.squared.detach().sqrt()

    def stuck(self, state: FlexibleState) -> PerImageFlag:
        """The residual is 0, or so small that rounding the image to its type hides it."""
        return state.squared <= state.floor

    def work(self, state: FlexibleState, steps: int) -> int:
        """Products with A, those for refused steps included."""
        return state.products


def _answer(view: LinearSystem, state: FlexibleState) -> tuple[Image, PerImageFlag]:
    """B r, 0 at fixed pixels; and for which images it can be used: in the others r stands for it.

    What cannot be used is 0, NaN or infinite, or so small or large that its square is none of the image's type.
    """
    r = state.residual
    answer = state.correct(r)
    if answer.shape != r.shape:
        raise InputError(
            f"FlexibleConjugateGradient needs a preconditioner that keeps the shape {tuple(r.shape)} of the "
            f"residual, and it returned {tuple(answer.shape)}."
        )
    answer = answer.to(r.dtype)
    if view.free is not None:
        answer = torch.where(view.free, answer, 0)
    size, least = inner(answer.detach(), answer.detach()), torch.finfo(r.dtype).tiny
    usable = (size > least * state.squared) & (size * least < state.squared)  # false for NaN
    return torch.where(per_image(usable, r) > 0, answer, r), usable


def _direction(view: LinearSystem, towards: Image, last: tuple[Direction, ...]) -> Direction:
    """What is A-orthogonal to the last directions."""
    along = towards
    for old in last:
        defined = old.curvature > 0
        share = torch.where(defined, inner(towards, old.product) / torch.where(defined, old.curvature, 1), 0)
        along = along - old.along * per_image(share, along)
    product = view.apply(along)
    return Direction(along, product, inner(along, product))


def _alpha(state: FlexibleState, new: Direction) -> tuple[PerImage, PerImage]:
    """<r, d> / <d, A d>, 0 where the residual is only rounding; and the square of the residual's change."""
    defined = (state.squared > state.floor) & (new.curvature > 0)
    alpha = torch.where(defined, inner(state.residual, new.along) / torch.where(defined, new.curvature, 1), 0)
    return alpha, alpha**2 * inner(new.product, new.product)
