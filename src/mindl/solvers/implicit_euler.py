r"""The implicit scheme for convex flows: each step is a denoising problem."""

from __future__ import annotations

from dataclasses import dataclass

from mindl.core.errors import InputError
from mindl.models.flow_views import ConvexFlow
from mindl.solvers.entry import minimise
from mindl.solvers.scheme import Moment, Scheme, check_share, check_step_size
from mindl.solvers.stop import FINEST, Stop


@dataclass(frozen=True)
class ImplicitEuler(Scheme[ConvexFlow]):
    r"""The implicit (minimising movement) scheme, :math:`u^{k+1} = \arg\min_v \tfrac12 |v - u^k|^2 + \tau E(v)`.

    Every step is a denoising model, solved to a certificate; no step size is too large, and no kink too sharp: it
    serves ``tv_flow``. The energy falls, no two solutions move apart. Of first order in tau; on a line one step of
    ``tv_flow`` is exact.

    Args:
        step_size: tau.
        tolerance: of each minimisation; the type's finest is taken where it is coarser.
        steps: at most so many steps of the solver within a step. What is missing then is part of the proved error.

    Raises:
        InputError: a step size, tolerance or number of steps outside its range.

    Source: De Giorgi (1993); Nochetto, Savare and Verdi, Comm. Pure Appl. Math. 53 (2000).

    >>> import torch, mindl as md
    >>> result = md.evolve(md.models.tv_flow(torch.eye(4)[None, None]), ImplicitEuler(0.05), 0.1)
    >>> result.steps, bool(result.certificate.rms < 10)
    (2, True)
    """

    step_size: float = 1.0
    tolerance: float = 1e-6
    steps: int = 2000

    accepts = ConvexFlow
    guarantee = "stable for every step size and kink; first order in time"
    cost = "one denoising problem"

    def __post_init__(self) -> None:
        check_step_size(self, self.step_size)
        check_share(self, self.tolerance)
        if not isinstance(self.steps, int) or self.steps < 1:
            raise InputError(f"ImplicitEuler(steps={self.steps}) must be a whole number of at least 1.")

    @property
    def heavy(self) -> bool:
        """A step is a whole minimisation."""
        return True

    @property
    def learnable(self) -> dict[str, int]:
        """Nothing: a step is a minimisation, which autograd does not follow. ``neural.Equilibrium`` does."""
        return {}

    def span(self, view: ConvexFlow) -> float:
        """tau."""
        return self.step_size

    def over(self, view: ConvexFlow, moment: Moment, duration: float) -> Moment:
        """The minimiser, and its dual field in units of the energy."""
        image = moment.image
        stop = Stop(max(self.tolerance, FINEST[image.dtype]), steps=self.steps)
        solution = minimise(view.implicit_step(image, duration), stop=stop)
        dual = None if solution.dual is None else solution.dual / duration
        return Moment(solution.image, moment.time + duration, dual, moment.work + solution.work)
