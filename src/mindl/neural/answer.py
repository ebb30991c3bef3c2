"""The network answers, the certificate judges, and a solver finishes where it is asked to."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, replace
from typing import Any

import torch

from mindl.core.arrays import check_image, per_image
from mindl.core.errors import InputError, MindlWarning, NonFiniteError
from mindl.core.outcome import Outcome
from mindl.models import Candidate, Energy, Model
from mindl.neural.neural_solver import NeuralSolver, in_use
from mindl.neural.range import warning
from mindl.solvers.choosing import check_accepts, choose
from mindl.solvers.entry import go_on
from mindl.solvers.primal_dual import PrimalDual
from mindl.solvers.solution import Solution
from mindl.solvers.solver import Solver
from mindl.solvers.steady_state import RESTING, choose_for_rest, steady_state
from mindl.solvers.stop import Stop
from mindl.solvers.watch import Watch


@dataclass(frozen=True, eq=False)
class Followed:
    """A network followed by a solver, as ``solution.solver`` records it."""

    net: NeuralSolver
    finish: Solver[Any, Any]

    @property
    def title(self) -> str:
        """Both names."""
        return f"{self.net.title} then {self.finish.title}"

    def __repr__(self) -> str:
        return f"{self.net.title} then {self.finish!r}"


def finisher(model: Model) -> Solver[Any, Any]:
    """A solver to go on with from a network's answer: the model's usual one, with steps that suit a good start.

    ``PrimalDual(step_size=0.1)``: small steps of the image go with large ones of the dual field, and both are near
    the goal already. From ``unet-rof`` it needs 10 steps to 1e-3 and 39 to 1e-4 (median of Set12, sigma 25) where
    the usual step size needs 17 and 53, and the best cold start 32 and 62. ``ADMM(penalty=5)`` needs 6 and 20, but
    each takes many times as long.

    >>> import mindl as md
    >>> finisher(md.models.rof(torch.zeros(1, 1, 4, 4), weight=0.1)).step_size
    0.1
    """
    if model.why_not(Energy) is not None:
        return choose_for_rest(model)[0]
    usual = choose(model)[0]
    return replace(usual, step_size=0.1) if isinstance(usual, PrimalDual) else usual


def answer(
    model: Model,
    net: NeuralSolver,
    tolerance: float = 1e-4,
    *,
    finish: Solver[Any, Any] | None = None,
    steps: int = 5000,
    watch: Watch | None = None,
) -> Solution:
    """The network's answer with a proof of how near it is; if asked, a solver goes on to the tolerance.

    The solver starts from the network's image *and* dual field where it gives one; a good dual field saves far
    more steps than a good image. Whatever the network did, the certificate of the result is that of any
    other solution: nothing is taken on trust. ``solution.trace`` begins with the network's own answer
    (steps 0, its seconds and bound), ``solution.seconds`` counts both.

    Args:
        model: what is sought.
        net: a neural solver, say ``mindl.load("unet-rof")``.
        tolerance: as for ``Stop``; the network alone rarely reaches it, and the outcome says so.
        finish: the solver that goes on, say ``finisher(model)``; None leaves the network's answer as it is.
        steps: steps that it may take.
        watch: who looks on.

    Warns:
        OutsideRangeWarning: the network was not trained for such a problem. The certificate decides.

    Raises:
        ViewError, InputError: the network or the solver does not serve the model; the message says why.
        NonFiniteError: the network answers NaN or infinity, and there is no ``finish``.

    >>> import mindl as md
    >>> noisy = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    >>> net = md.neural.WitnessHead(md.nets.UNet(1, 2, widths=(4, 4)), md.neural.InUnitsOfWeight())
    >>> solution = answer(md.models.rof(noisy, weight=0.1), net, finish=md.solvers.PrimalDual())
    >>> solution.outcome.value, solution.solver.title
    ('certified', 'WitnessHead then PrimalDual')
    """
    if not isinstance(net, NeuralSolver):
        raise InputError(f'answer(net) needs a neural solver such as mindl.load("unet-rof"), got {net!r}.')
    net.check(model)
    if finish is not None:
        if not isinstance(finish, Solver):
            raise InputError(f"answer(finish) needs a solver such as PrimalDual(), or None, got {finish!r}.")
        check_accepts(finish, model, None if model.why_not(Energy) is None else RESTING)
    origin = check_image(model.start(), f"answer({model.title})")
    stop = Stop(tolerance, steps=steps if finish is not None else 0)
    stop.check(origin.dtype)
    said = warning(net.title, net.trained, model)
    if said is not None:
        warnings.warn(said, stacklevel=2)
    clock = time.perf_counter()
    with in_use(net):
        candidate: Candidate = net(model)
    candidate = _only_finite(candidate, model, net, finishing=finish is not None)
    thinking = time.perf_counter() - clock
    if model.why_not(Energy) is None:
        solution = go_on(model, finish or choose(model)[0], candidate, origin, stop=stop, watch=watch)
    else:
        solution = steady_state(model, finish, candidate, stop=stop, watch=watch)
    outcomes = solution.outcomes
    if finish is None:
        outcomes = tuple(o if o.met else Outcome.UNFINISHED for o in outcomes)
    return replace(
        solution,
        solver=net if finish is None else Followed(net, finish),
        outcomes=outcomes,
        seconds=solution.seconds + thinking,
        trace=replace(solution.trace, seconds=solution.trace.seconds + thinking),
        why="",
    )


def _only_finite(candidate: Candidate, model: Model, net: NeuralSolver, *, finishing: bool) -> Candidate:
    """The candidate, with the model's own start where the network answered NaN or infinity."""
    image, dual = candidate.image, candidate.dual
    finite = torch.isfinite(image).flatten(1).all(dim=1)
    if dual is not None:
        finite &= torch.isfinite(dual).flatten(1).all(dim=1)
    broken = int((~finite).sum())
    if not broken:
        return candidate
    said = f"{net.title} answers NaN or infinity for {broken} of {len(finite)} images"
    if not finishing:
        raise NonFiniteError(
            f"{said}: its weights are broken, or the image is far outside what it was trained for."
        )
    warnings.warn(MindlWarning(f"{said}: the solver begins there as if there were no network."), stacklevel=3)
    keep = per_image(finite, image) > 0
    image = torch.where(keep, image, model.start())
    return Candidate(image, None if dual is None else torch.where(keep[..., None], dual, 0))
