r"""The scheme of Du Fort and Frankel: explicit, and stable for every step size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from mindl.models.flow_views import Quasilinear
from mindl.solvers.scheme import Moment, Scheme, bounded_step, check_step_size
from mindl.solvers.solver import Bounds, Numbers


@dataclass(frozen=True)
class DuFortFrankel(Scheme[Quasilinear]):
    r"""Explicit steps of the largest stable size S, extrapolated by a constant that belongs to the step size tau:

    .. math:: u^{k+1} = \alpha \big(u^k + S R(u^k)\big) + (1 - \alpha)\, u^{k-1}, \qquad
              \alpha = \frac{2 q}{1 + q}, \quad q = \frac{\tau}{S} .

    On a line with linear diffusion this is the classical form
    :math:`(1 + 2 r) u_i^{k+1} = (1 - 2 r) u_i^{k-1} + 2 r (u_{i+1}^k + u_{i-1}^k)`, :math:`r = \tau / h^2`. For a
    fixed matrix all modes stay bounded whatever tau; it is consistent only where :math:`\tau / h \to 0`, else it
    approximates a wave. In a network it is a residual block with a second skip connection. The first step is
    an explicit one, :math:`u^1 = u^0 + \min(\tau, S)\, R(u^0)`.

    Args:
        step_size: tau, of any size; None takes S itself, where it is the explicit scheme.

    Raises:
        InputError: a step size that is not positive; a flow without a stable step.

    Source: Du Fort and Frankel, Math. Tables Aids Comput. 7 (1953); as a network: Alt, Schrader, Augustin, Peter
    and Weickert, J. Math. Imaging Vis. 65 (2023).

    >>> import torch, mindl as md
    >>> flow = md.models.linear_diffusion(torch.eye(4)[None, None])
    >>> md.evolve(flow, DuFortFrankel(1.0), 10.0).image.sum().round(decimals=4)
    tensor(4.)
    """

    step_size: float | None = None

    accepts = Quasilinear
    memoryless: ClassVar[bool] = False
    guarantee = "stable for every step size where the matrix is fixed; consistent for tau / h to 0"
    cost = "one rate"

    def __post_init__(self) -> None:
        check_step_size(self, self.step_size, optional=True)

    def span(self, view: Quasilinear) -> float:
        """tau."""
        stable = bounded_step(self, None, view)
        return stable if self.step_size is None else self.step_size

    @property
    def learnable(self) -> dict[str, int]:
        """alpha."""
        return {"extrapolation": 1}

    def numbers(self, view: Quasilinear, state: Moment) -> Numbers:
        """alpha."""
        return {"extrapolation": self._alpha(view, self.span(view))}

    def bounds(self, view: Quasilinear, numbers: Numbers) -> Bounds:
        """The open interval from 0 to 2, a little drawn in."""
        most = self._alpha(view, self.span(view))
        return {"extrapolation": (min(0.01, most), max(1.99, most))}

    def step_with(self, view: Quasilinear, state: Moment, numbers: Numbers) -> Moment:
        """One step with this alpha."""
        image, alpha = state.image, numbers["extrapolation"]
        moved = image + bounded_step(self, None, view) * view.rate(image)
        if state.before is None:
            q = torch.as_tensor(alpha / (2 - alpha), dtype=image.dtype)
            following = image + q.clamp(max=1) * (moved - image)
        else:
            # In this form known pixels, where nothing moves, keep their value to the bit.
            following = moved + (1 - alpha) * (state.before - moved)
        return Moment(following, state.time + self.span(view), work=state.work + 1, before=image)

    def over(self, view: Quasilinear, moment: Moment, duration: float) -> Moment:
        """The same for a step of this length."""
        following = self.step_with(view, moment, {"extrapolation": self._alpha(view, duration)})
        return Moment(following.image, moment.time + duration, work=following.work, before=following.before)

    def _alpha(self, view: Quasilinear, duration: float) -> float:
        """2 q / (1 + q)."""
        q = duration / bounded_step(self, None, view)
        return 2 * q / (1 + q)
