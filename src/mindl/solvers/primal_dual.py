r"""The primal-dual method of Chambolle and Pock, accelerated or over-relaxed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import cast

import torch

from mindl.core.arrays import Dual, Image, at_least
from mindl.core.errors import InputError
from mindl.models.candidate import Candidate
from mindl.models.views import SaddlePoint
from mindl.solvers import dispatch
from mindl.solvers.solver import Bounds, Numbers, Solver


@dataclass(frozen=True, eq=False)
class PrimalDualState:
    """u, its extrapolation (relaxed steps need none: u itself), p, and the two step sizes of the next step."""

    image: Image
    extrapolated: Image
    dual: Dual
    primal_step: float
    dual_step: float


@dataclass(frozen=True)
class PrimalDual(Solver[SaddlePoint, PrimalDualState]):
    r"""Primal-dual hybrid gradient for :math:`\min_u \max_p D(u)+\langle Ku,p\rangle-F^*(p)`, where D is strongly
    convex in all of the unknown with acceleration:

    .. math::
        p^{k+1} &= \operatorname{prox}_{\sigma_k F^*}(p^k + \sigma_k K \bar u^k) \\
        u^{k+1} &= \operatorname{prox}_{\tau_k D}(u^k - \tau_k K^T p^{k+1}) \\
        \theta_k &= 1/\sqrt{1 + 2 \gamma \tau_k}, \quad \tau_{k+1} = \theta_k \tau_k, \quad
        \sigma_{k+1} = \sigma_k / \theta_k \\
        \bar u^{k+1} &= u^{k+1} + \theta_k (u^{k+1} - u^k)

    with :math:`\tau_0 \sigma_0 \|K\|^2 \le 1`. For any :math:`0 < \gamma \le \mu`, the modulus of D,
    :math:`|u^k - u^*|^2` falls like 1/k^2. Elsewhere, or with ``acceleration=0``, the steps stay constant and are
    over-relaxed:

    .. math::
        \tilde p &= \operatorname{prox}_{\sigma F^*}(p^k + \sigma K u^k), \quad
        \tilde u = \operatorname{prox}_{\tau D}(u^k - \tau K^T (2 \tilde p - p^k)) \\
        p^{k+1} &= p^k + \rho (\tilde p - p^k), \quad u^{k+1} = u^k + \rho (\tilde u - u^k) .

    Args:
        step_size: tau_0; by default 3 where D is strongly convex in all of the unknown, else 0.02. The usual
            1/sqrt(8) is badly tuned for ROF, where from 1 on it matters little; without strong convexity the steps
            stay constant, and small ones suit values in [0, 1] (256 x 256, steps to a relative gap: TV-L1 to 1e-4
            800 at 0.01, 1240 at 0.03, beyond 3000 at 0.1; TGV to 1e-3 880, 620, 900).
        acceleration: gamma as a share of mu, in [0, 1]. 1 is the textbook's choice; 0.5 needs 70 steps where
            1 needs 85 on a photograph at tolerance 1e-4, and 250 where 1 needs 630 at 1e-6 (sigma 25,
            weight 0.0735, 512 x 512). 0 keeps the steps constant: ergodic gap O(1/k) only, but often
            linear in the end, so it is the choice for answers to rounding accuracy.
        relaxation: rho of constant steps, in [1, 2). 1.9 needs 60 % of the steps of 1.
        balance: sigma_0 tau_0 \|K\|^2, in (0, 1].

    Raises:
        InputError: an argument outside its range; ``balance`` above 1 would break convergence.

    Source: A. Chambolle and T. Pock, J. Math. Imaging Vis. 40 (2011), algorithm 2 and theorem 2; the smaller
    gamma as in their section 6.2. Relaxation: L. Condat, J. Optim. Theory Appl. 158 (2013), algorithm 3.2.

    >>> import mindl as md
    >>> noisy = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    >>> md.minimise(md.models.rof(noisy, weight=0.1), PrimalDual()).outcome.value
    'certified'
    """

    step_size: float | None = None
    acceleration: float = 0.5
    relaxation: float = 1.9
    balance: float = 1.0

    accepts = SaddlePoint
    applications = 2
    guarantee = "gap O(1/k) in the mean; |u - u*|^2 O(1/k^2) for strongly convex data terms"
    cost = "two products with K"

    def __post_init__(self) -> None:
        if self.step_size is not None and not 0 < self.step_size < math.inf:
            raise InputError(f"PrimalDual(step_size={self.step_size}) must be above 0 and finite.")
        if not 0 <= self.acceleration <= 1:
            raise InputError(
                f"PrimalDual(acceleration={self.acceleration}) must be in [0, 1]: above 1 it exceeds the "
                "strong convexity of the data term, and the method need not converge."
            )
        if not 1 <= self.relaxation < 2:
            raise InputError(
                f"PrimalDual(relaxation={self.relaxation}) must be at least 1 and below 2: there it converges."
            )
        if not 0 < self.balance <= 1:
            raise InputError(
                f"PrimalDual(balance={self.balance}) must be in (0, 1]: the product of both step sizes and "
                "the squared operator norm may not exceed 1."
            )

    def begin(self, view: SaddlePoint, start: Candidate) -> PrimalDualState:
        """u and its extrapolation at the start, made admissible; p there too or 0."""
        image = view.project(start.image).clone(memory_format=torch.contiguous_format)
        shape = view.operator.field_shape(image.shape)
        dual = image.new_zeros(shape) if start.dual is None else start.dual.clone()
        first = self.primal_step(view)
        extrapolated = image.clone() if self._accelerates(view) else image
        return PrimalDualState(image, extrapolated, dual, first, self.dual_step(view, *image.shape[2:]))

    def primal_step(self, view: SaddlePoint) -> float:
        """tau_0."""
        if self.step_size is not None:
            return self.step_size
        return 3.0 if view.modulus_of_unknown else 0.02

    def dual_step(self, view: SaddlePoint, height: int, width: int) -> float:
        """sigma_0 for images of this size; for a single pixel the norm is 0, and any step will do."""
        return self.balance / (self.primal_step(view) * at_least(view.operator.norm_squared(height, width), 1e-9))

    def step(self, view: SaddlePoint, state: PrimalDualState) -> PrimalDualState:
        """One primal-dual step."""
        return self.step_with(view, state, self.numbers(view, state))

    @property
    def learnable(self) -> dict[str, int]:
        """tau, sigma, and theta; constant steps have rho in its place."""
        return {"step_size": 1, "dual_step_size": 1, "extrapolation": 1}

    def tuned(self, view: SaddlePoint, state: PrimalDualState) -> PrimalDualState:
        """With the step sizes that belong to the view."""
        return replace(
            state, primal_step=self.primal_step(view), dual_step=self.dual_step(view, *state.image.shape[2:])
        )

    def numbers(self, view: SaddlePoint, state: PrimalDualState) -> Numbers:
        """Those of the next step."""
        ahead = self._theta(view, state.primal_step) if self._accelerates(view) else self.relaxation
        return {"step_size": state.primal_step, "dual_step_size": state.dual_step, "extrapolation": ahead}

    def bounds(self, view: SaddlePoint, numbers: Numbers) -> Bounds:
        r"""tau > 0, sigma <= 1 / (tau \|K\|^2), theta <= 1, and rho below 2 (at most 1.99)."""
        norm = at_least(view.operator.norm_squared(*cast(torch.Size, view.image_shape)[2:]), 1e-9)
        return {
            "step_size": (0.0, math.inf),
            "dual_step_size": (0.0, 1 / (numbers["step_size"] * norm)),
            "extrapolation": (0.0, 1.0 if self._accelerates(view) else max(1.99, self.relaxation)),
        }

    def step_with(self, view: SaddlePoint, state: PrimalDualState, numbers: Numbers) -> PrimalDualState:
        """One primal-dual step with these numbers; those of the next are as if it had been the usual one."""
        tau, sigma = cast(float, numbers["step_size"]), cast(float, numbers["dual_step_size"])
        if not self._accelerates(view):
            rho = numbers["extrapolation"]
            ahead = view.prox_dual(state.dual + view.operator(state.image) * sigma, sigma)
            change = ahead - state.dual
            moved = view.prox_data(state.image + view.operator.adjoint(ahead + change) * -tau, tau)
            image = state.image + (moved - state.image) * rho
            return replace(state, image=image, extrapolated=image, dual=state.dual + change * rho)
        dual = view.prox_dual(state.dual + view.operator(state.extrapolated) * sigma, sigma)
        image = view.prox_data(state.image + view.operator.adjoint(dual) * -tau, tau)
        extrapolated = image + (image - state.image) * numbers["extrapolation"]
        theta = self._theta(view, state.primal_step)
        return PrimalDualState(image, extrapolated, dual, theta * state.primal_step, state.dual_step / theta)

    def advance(self, view: SaddlePoint, state: PrimalDualState, n: int) -> PrimalDualState:
        """The same in place, by a fused sweep where there is one; nothing is allocated in a step."""
        if not self._accelerates(view):
            return self._advance_relaxed(view, state, n)
        sweep = dispatch.accelerated_primal_dual(view, state.image, state.extrapolated, state.dual)
        if sweep is None:
            return self._advance_plainly(view, state, n)
        steps, tau, sigma = [], state.primal_step, state.dual_step
        for _ in range(n):
            theta = self._theta(view, tau)
            steps.append((tau, sigma, theta))
            tau, sigma = theta * tau, sigma / theta
        sweep(steps)
        return replace(state, primal_step=tau, dual_step=sigma)

    def _advance_plainly(self, view: SaddlePoint, state: PrimalDualState, n: int) -> PrimalDualState:
        """Accelerated steps: three buffers."""
        image, extrapolated, dual = state.image, state.extrapolated, state.dual
        tau, sigma = state.primal_step, state.dual_step
        spare, field = torch.empty_like(image), torch.empty_like(dual)
        size = torch.empty_like(view.magnitude(dual))
        scratch = (size, torch.empty_like(size))
        for _ in range(n):
            view.operator(extrapolated, out=field)
            dual += field.mul_(sigma)
            view.prox_dual(dual, sigma, out=dual, scratch=scratch)
            view.operator.adjoint(dual, out=spare)
            spare.mul_(-tau).add_(image)
            view.prox_data(spare, tau, out=spare)
            theta = self._theta(view, tau)
            torch.sub(spare, image, out=extrapolated).mul_(theta).add_(spare)
            image, spare = spare, image
            tau, sigma = theta * tau, sigma / theta
        return replace(state, image=image, extrapolated=extrapolated, dual=dual, primal_step=tau, dual_step=sigma)

    def candidate(self, view: SaddlePoint, state: PrimalDualState) -> Candidate:
        """u and p. Relaxed steps may leave the domain of D a little: a proximal map without a step leads back."""
        bounded = not view.modulus and not self._accelerates(view)
        image = view.prox_data(state.image, 0.0) if bounded else state.image
        return Candidate(image, state.dual)

    @property
    def has_dual(self) -> bool:
        """It does."""
        return True

    def with_dual(self, state: PrimalDualState, dual: Dual, moved: Image) -> PrimalDualState:
        """Another field; the image and its extrapolation moved alike."""
        return replace(state, image=state.image + moved, extrapolated=state.extrapolated + moved, dual=dual)

    def _advance_relaxed(self, view: SaddlePoint, state: PrimalDualState, n: int) -> PrimalDualState:
        """Relaxed steps: by a sweep, or with three buffers and two more of the magnitude's size."""
        image, dual, tau, sigma, rho = state.image, state.dual, state.primal_step, state.dual_step, self.relaxation
        sweep = dispatch.relaxed_primal_dual(view, image, dual)
        if sweep is not None:
            sweep(tau, sigma, rho, n)
            return state
        spare, ahead, change = torch.empty_like(image), torch.empty_like(dual), torch.empty_like(dual)
        size = torch.empty_like(view.magnitude(dual))
        scratch = (size, torch.empty_like(size))
        for _ in range(n):
            view.operator(image, out=ahead)
            ahead.mul_(sigma).add_(dual)
            view.prox_dual(ahead, sigma, out=ahead, scratch=scratch)
            torch.sub(ahead, dual, out=change)
            ahead += change
            dual += change.mul_(rho)
            view.operator.adjoint(ahead, out=spare)
            spare.mul_(-tau).add_(image)
            view.prox_data(spare, tau, out=spare)
            spare.sub_(image).mul_(rho)
            image += spare
        return state

    def _accelerates(self, view: SaddlePoint) -> bool:
        return self.acceleration * view.modulus_of_unknown > 0

    def _theta(self, view: SaddlePoint, tau: float) -> float:
        return 1 / math.sqrt(1 + 2 * self.acceleration * view.modulus_of_unknown * tau)
