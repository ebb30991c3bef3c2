r"""The explicit scheme."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mindl.models.flow import Flow
from mindl.solvers.dispatch_flows import explicit_steps
from mindl.solvers.scheme import Moment, Scheme, bounded_step, check_step_size, value_of
from mindl.solvers.solver import Bounds, Numbers


@dataclass(frozen=True)
class Explicit(Scheme[Flow]):
    r"""Euler's explicit scheme, :math:`u^{k+1} = u^k + \tau R(u^k)`: the residual block of networks.

    Of first order in tau. It is stable up to the flow's ``stable_step``; what that keeps (range, sum of
    squares) the flow says.

    Args:
        step_size: tau; None takes the largest stable one.

    Raises:
        InputError: a step size that is not positive, or beyond the flow's bound.

    Source: Perona and Malik, IEEE Trans. Pattern Anal. Mach. Intell. 12 (1990).

    >>> import torch, mindl as md
    >>> flow = md.models.linear_diffusion(torch.eye(4)[None, None])
    >>> md.evolve(flow, Explicit(step_size=0.25), 3.0).steps
    12
    """

    step_size: float | None = None

    accepts = Flow
    guarantee = "stable up to the flow's bound; first order in time"
    cost = "one rate"

    def __post_init__(self) -> None:
        check_step_size(self, self.step_size, optional=True)

    def span(self, view: Flow) -> float:
        """tau."""
        return bounded_step(self, self.step_size, view)

    def bounds(self, view: Flow, numbers: Numbers) -> Bounds:
        """Up to the flow's stable step, where one is known."""
        most = view.stable_step
        return {"step_size": (0.0, math.inf if most is None else max(most, self.span(view)))}

    def step_with(self, view: Flow, state: Moment, numbers: Numbers) -> Moment:
        """u + tau R(u), in plain PyTorch: tau may be learned."""
        image = state.image + numbers["step_size"] * view.rate(state.image)
        return Moment(image, state.time + value_of(numbers["step_size"]), work=state.work + 1)

    def over(self, view: Flow, moment: Moment, duration: float) -> Moment:
        """u + tau R(u)."""
        image = explicit_steps(view, moment.image, [(duration, 0.0)])
        if image is None:
            image = moment.image + duration * view.rate(moment.image)
        return Moment(image, moment.time + duration, work=moment.work + 1)
