r"""Accelerated projected gradients for the dual problem."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch

from mindl.core.arrays import Dual, Image, PerImage, at_least, per_image
from mindl.core.errors import InputError
from mindl.core.reduce import inner
from mindl.models.candidate import Candidate
from mindl.models.views import StronglyConvexSaddlePoint
from mindl.solvers.solver import Bounds, Numbers, Solver


@dataclass(frozen=True, eq=False)
class DualFISTAState:
    """p, its extrapolation, and the momentum of each image."""

    dual: Dual
    extrapolated: Dual
    momentum: PerImage


@dataclass(frozen=True)
class DualFISTA(Solver[StronglyConvexSaddlePoint, DualFISTAState]):
    r"""FISTA for the dual of :math:`\min_u D(u) + F(Ku)`, that is :math:`\min_p F^*(p) + D^*(-K^T p)`:

    .. math::
        p^{k+1} &= \operatorname{prox}_{\tau F^*}(q^k + \tau K u(q^k)), \quad u(q) = \nabla D^*(-K^T q),\\
        t_{k+1} &= \tfrac12\big(1 + \sqrt{1 + 4 t_k^2}\big), \quad
        q^{k+1} = p^{k+1} + \tfrac{t_k - 1}{t_{k+1}} (p^{k+1} - p^k)

    with :math:`0 < \tau \le \mu / \|K\|^2`, mu the modulus of D; for ROF :math:`u(q) = f + \operatorname{div}
    q`. The dual energy is off by at most :math:`2 \|K\|^2 |p^0 - p^*|^2 / (\mu (k+1)^2)`. An image whose
    momentum points back, :math:`\langle q^k - p^{k+1}, p^{k+1} - p^k\rangle > 0`, starts anew with t = 1.

    Args:
        step_size: tau as a share of its bound, in (0, 1].
        restart: whether momentum that points back is dropped; without, the energy oscillates near the solution.
        accelerate: whether there is momentum at all; without it this is ISTA, q = p: projected gradients, whose
            dual energy is off by at most :math:`\|K\|^2 |p^0 - p^*|^2 / (2 \mu k)`.

    Raises:
        InputError: a share outside (0, 1]: beyond, the method need not converge.

    Source: Beck and Teboulle, SIAM J. Imaging Sci. 2 (2009) and IEEE Trans. Image Process. 18 (2009);
    O'Donoghue and Candes, Found. Comput. Math. 15 (2015), (13).

    >>> import mindl as md
    >>> noisy = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    >>> md.minimise(md.models.rof(noisy, weight=0.1), DualFISTA()).outcome.value
    'certified'
    """

    step_size: float = 1.0
    restart: bool = True
    accelerate: bool = True

    accepts = StronglyConvexSaddlePoint
    applications = 2
    guarantee = "dual energy O(1/k^2)"
    cost = "two products with K"

    def __post_init__(self) -> None:
        if not 0 < self.step_size <= 1:
            raise InputError(
                f"DualFISTA(step_size={self.step_size}) must be in (0, 1], a share of the bound: beyond, it need "
                "not converge."
            )

    def begin(self, view: StronglyConvexSaddlePoint, start: Candidate) -> DualFISTAState:
        """p at the start, or 0. The image of the start plays no part: p determines it."""
        image = start.image
        shape = view.operator.field_shape(image.shape)
        dual = image.new_zeros(shape) if start.dual is None else start.dual.clone()
        return DualFISTAState(
            dual, dual.clone(), torch.ones(image.shape[0], dtype=torch.float64, device=image.device)
        )

    def step(self, view: StronglyConvexSaddlePoint, state: DualFISTAState) -> DualFISTAState:
        """One accelerated step."""
        return self.step_with(view, state, self.numbers(view, state))

    @property
    def learnable(self) -> dict[str, int]:
        """tau, and by how much more than usual the dual field is extrapolated (0 unless learned)."""
        return {"step_size": 1, "extrapolation": 1}

    def numbers(self, view: StronglyConvexSaddlePoint, state: DualFISTAState) -> Numbers:
        """tau; nothing more than the usual extrapolation."""
        return {"step_size": self._dual_step(view, state.extrapolated), "extrapolation": 0.0}

    def bounds(self, view: StronglyConvexSaddlePoint, numbers: Numbers) -> Bounds:
        """tau up to its bound; never more momentum than usual."""
        norm = view.operator.norm_squared(*cast(torch.Size, view.image_shape)[2:])
        return {"step_size": (0.0, view.modulus / at_least(norm, 1e-9)), "extrapolation": (-1.0, 0.0)}

    def step_with(
        self, view: StronglyConvexSaddlePoint, state: DualFISTAState, numbers: Numbers
    ) -> DualFISTAState:
        """One accelerated step with these numbers."""
        q, tau = state.extrapolated, cast(float, numbers["step_size"])
        dual = view.prox_dual(q + view.operator(view.primal_of(q)) * tau, tau)
        moved = dual - state.dual
        momentum = state.momentum
        if self.restart:
            momentum = torch.where(inner(q - dual, moved) > 0, 1, momentum)
        following = (1 + (1 + 4 * momentum * momentum).sqrt()) / 2
        share = (momentum - 1) / following * self.accelerate + numbers["extrapolation"]
        return DualFISTAState(dual, dual + moved * per_image(share, moved), following)

    def advance(self, view: StronglyConvexSaddlePoint, state: DualFISTAState, n: int) -> DualFISTAState:
        """The same in place."""
        p, q, momentum = state.dual, state.extrapolated, state.momentum
        tau, dual = self._dual_step(view, q), torch.empty_like(q)
        scratch = (torch.empty_like(view.magnitude(q)), torch.empty_like(view.magnitude(q)))
        for _ in range(n):
            view.operator(view.primal_of(q), out=dual)
            dual.mul_(tau).add_(q)
            view.prox_dual(dual, tau, out=dual, scratch=scratch)
            moved = torch.sub(dual, p, out=p)
            if self.restart:
                momentum = torch.where(inner(q.sub_(dual), moved) > 0, 1, momentum)
            following = (1 + (1 + 4 * momentum * momentum).sqrt()) / 2
            share = (momentum - 1) / following * self.accelerate
            torch.mul(moved, per_image(share, moved), out=q).add_(dual)
            p.copy_(dual)
            momentum = following
        return DualFISTAState(p, q, momentum)

    def _dual_step(self, view: StronglyConvexSaddlePoint, dual: Dual) -> float:
        """tau."""
        return self.step_size * view.modulus / at_least(view.operator.norm_squared(*dual.shape[3:]), 1e-9)

    @property
    def has_dual(self) -> bool:
        """It does."""
        return True

    def with_dual(self, state: DualFISTAState, dual: Dual, moved: Image) -> DualFISTAState:
        """Another field, its extrapolation moved alike; the image follows from it."""
        return DualFISTAState(dual, state.extrapolated + (dual - state.dual), state.momentum)

    def candidate(self, view: StronglyConvexSaddlePoint, state: DualFISTAState) -> Candidate:
        """p, and the image that belongs to it."""
        return Candidate(view.primal_of(state.dual), state.dual)
