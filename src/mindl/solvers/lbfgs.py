r"""L-BFGS: a quasi-Newton method that remembers a few steps, every image of a batch on its own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mindl.core.arrays import Image, PerImage, PerImageFlag, per_image
from mindl.core.errors import InputError
from mindl.core.reduce import inner
from mindl.models.candidate import Candidate
from mindl.models.views import SmoothEnergy
from mindl.solvers.line_search import search
from mindl.solvers.solver import Solver

LEAST_CURVATURE = 1e-10
"""Pairs with <s, y> below this share of |s| |y| are forgotten: they would spoil positive definiteness."""


@dataclass(frozen=True, eq=False)
class Pair:
    """A step s, the change y of the gradient along it, and 1 / <s, y> (0: forgotten)."""

    step: Image
    change: Image
    inverse: PerImage


@dataclass(frozen=True, eq=False)
class LBFGSState:
    """u, its gradient, the pairs remembered (oldest first), which images found no descent, and evaluations."""

    image: Image
    gradient: Image
    pairs: tuple[Pair, ...]
    stuck: PerImageFlag
    evaluations: int


@dataclass(frozen=True)
class LBFGS(Solver[SmoothEnergy, LBFGSState]):
    r"""The limited-memory method of Broyden, Fletcher, Goldfarb and Shanno:

    .. math:: u^{k+1} = u^k - \tau_k H_k \nabla E(u^k),

    where :math:`H_k` grows from :math:`\tfrac{\langle s, y\rangle}{|y|^2} I` by the last m pairs :math:`s =
    u^{j+1} - u^j`, :math:`y = \nabla E(u^{j+1}) - \nabla E(u^j)` (the two-loop recursion). The step is the
    first of 1, 1/2, ... with sufficient decrease; pairs without positive curvature are forgotten, so
    :math:`H_k` stays positive definite and the energy falls. Line searches and memories belong to single
    images.

    Args:
        memory: m, at least 1.

    Raises:
        InputError: a memory below 1.

    Source: Liu and Nocedal, Math. Program. 45 (1989); Nocedal and Wright (2006), algorithms 7.4 and 7.5.

    >>> import mindl as md
    >>> f = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> md.minimise(md.models.perona_malik(f, weight=0.9), LBFGS()).outcome.value
    'certified'
    """

    memory: int = 8

    accepts = SmoothEnergy
    applications = 1
    differentiable = False
    guarantee = "energy falls in every step"
    cost = "one gradient and a line search"

    def __post_init__(self) -> None:
        if not isinstance(self.memory, int) or self.memory < 1:
            raise InputError(f"LBFGS(memory={self.memory}) must be a whole number, at least 1.")

    def begin(self, view: SmoothEnergy, start: Candidate) -> LBFGSState:
        """The start, made admissible, and its gradient."""
        image = view.project(start.image).clone()
        stuck = torch.zeros(image.shape[0], dtype=torch.bool, device=image.device)
        return LBFGSState(image, view.gradient(image), (), stuck, 1)

    def step(self, view: SmoothEnergy, state: LBFGSState) -> LBFGSState:
        """One quasi-Newton step with a line search."""
        gradient = state.gradient
        direction = -_two_loops(gradient, state.pairs, self._first_scale(view, gradient))
        descends = inner(direction, gradient) < 0
        direction = torch.where(per_image(descends, gradient) > 0, direction, -gradient)
        first = torch.where(state.stuck, 0, torch.ones_like(inner(gradient, gradient)))
        with torch.no_grad():
            step_size, evaluations = search(view, state.image, gradient, direction, first)
        image, moved = view.move(state.image, direction * per_image(step_size, direction))
        following = view.gradient(image)
        change = following - gradient
        curvature = inner(moved, change)
        floor = LEAST_CURVATURE * (inner(moved, moved) * inner(change, change)).sqrt()
        keep = (curvature > floor) & (curvature > 0)
        pair = Pair(moved, change, torch.where(keep, 1 / torch.where(keep, curvature, 1), 0))
        pairs = (*state.pairs, pair)[-self.memory :]
        return LBFGSState(image, following, pairs, step_size == 0, state.evaluations + 1 + evaluations)

    def candidate(self, view: SmoothEnergy, state: LBFGSState) -> Candidate:
        """u."""
        return Candidate(state.image)

    def stuck(self, state: LBFGSState) -> PerImageFlag:
        """The line search found no descent."""
        return state.stuck

    def work(self, state: LBFGSState, steps: int) -> int:
        """Gradients and the energies of the line search."""
        return state.evaluations

    @staticmethod
    def _first_scale(view: SmoothEnergy, gradient: Image) -> PerImage:
        """Before any pair is known: 1 / lipschitz, or 1 / |g| so that the first step has length 1."""
        if view.lipschitz is not None:
            bound = torch.as_tensor(view.lipschitz, dtype=torch.float64, device=gradient.device).flatten()
            return (1 / bound.clamp(min=1e-12)).expand(gradient.shape[0])
        return 1 / inner(gradient, gradient).sqrt().clamp(min=1e-12)


def _two_loops(gradient: Image, pairs: tuple[Pair, ...], first: PerImage) -> Image:
    """H g by the two-loop recursion; pairs with inverse 0 leave it alone."""
    result, shares = gradient, list[Tensor]()
    scale = first
    for pair in reversed(pairs):
        share = pair.inverse * inner(pair.step, result)
        result = result - pair.change * per_image(share, result)
        shares.append(share)
    for pair in pairs:  # the youngest pair with curvature sets the scale
        size = inner(pair.change, pair.change)
        known = (pair.inverse > 0) & (size > 0)
        scale = torch.where(known, 1 / torch.where(known, pair.inverse * size, 1), scale)
    result = result * per_image(scale, result)
    for pair, share in zip(pairs, reversed(shares), strict=True):
        other = pair.inverse * inner(pair.change, result)
        result = result + pair.step * per_image(share - other, result)
    return result
