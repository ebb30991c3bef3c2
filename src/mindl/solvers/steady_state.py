"""Where a flow comes to rest."""

from __future__ import annotations

from typing import Any

import torch

from mindl.core.arrays import Image, PerImage
from mindl.core.errors import InputError
from mindl.models.candidate import Candidate
from mindl.models.certificate import verify, with_scale
from mindl.models.flow import Flow
from mindl.models.flow_views import Quasilinear
from mindl.models.model import Model
from mindl.models.views import Energy
from mindl.solvers.choosing import SOLVERS, check_accepts
from mindl.solvers.entry import final_certificate, minimise, solution_of, start_of
from mindl.solvers.evolve import SCHEMES
from mindl.solvers.explicit import Explicit
from mindl.solvers.fed import FED
from mindl.solvers.iterate import iterate, measure
from mindl.solvers.lagged_diffusivity import LaggedDiffusivity
from mindl.solvers.scheme import Scheme
from mindl.solvers.solution import Solution
from mindl.solvers.solver import Solver
from mindl.solvers.stop import Stop
from mindl.solvers.watch import Silent, Watch


def steady_state(
    model: Model,
    solver: Solver[Any, Any] | None = None,
    start: Image | Candidate | None = None,
    *,
    stop: Stop | None = None,
    watch: Watch | None = None,
) -> Solution:
    """An image that a flow leaves alone: its rate there is small against that of the start.

    Of a flow without an energy (``eed_inpainting``, ``amle_inpainting``) nothing more is known: the outcome is
    *stationary*, not certified. The steady state of an energy's descent is its minimiser, and ``minimise``
    finds it.

    Args:
        model: a ``Flow``.
        solver: lagged diffusivity, or a time-stepping scheme whose every step covers its span; without one a
            suitable one is chosen, and ``solution.why`` says why.
        start: where the search begins; by default the model's own.
        stop: when the rate is small enough; ``Stop()`` is 1e-4 of the start's, at most 5000 steps.
        watch: who looks on, for progress.

    Raises:
        ViewError: the solver does not accept the model.
        InputError: a step size beyond its bound; a start of another shape or type.

    >>> import torch, mindl as md
    >>> step, known = md.images.step(12, 16), md.images.random_mask(12, 16, 0.4, seed=0)
    >>> solution = steady_state(md.models.eed_inpainting(step, known))
    >>> solution.outcome.value, bool(solution.certificate.relative < 1e-4)
    ('stationary, not certified', True)
    """
    if not isinstance(model, Model):
        raise InputError(
            f"steady_state(model) needs a flow such as eed_inpainting(data, mask), got {type(model).__name__}."
        )
    if model.why_not(Energy) is None and not isinstance(solver, Scheme):
        return minimise(model, solver, start, stop=stop, watch=watch)
    if not isinstance(stop, Stop | None):
        raise InputError(f"steady_state(stop) needs a Stop, such as Stop(1e-4), got {stop!r}.")
    if model.why_not(Flow) is None and model.view(Flow).stable_step == 0:
        raise InputError(
            f"The rate of {model.title} jumps, so that it measures no rest: evolve(model, time=...) follows it "
            "until the image is constant, which it is after a finite time."
        )
    why = ""
    if solver is None:
        solver, why = choose_for_rest(model)
    if not isinstance(solver, Solver):
        raise InputError(f"steady_state(solver) needs a solver such as LaggedDiffusivity(), got {solver!r}.")
    check_accepts(solver, model, RESTING)
    view: Any = model.view(solver.accepts)
    stop, first = stop or Stop(), start_of(model, start, "steady_state")
    stop.check(first.image.dtype)
    with torch.no_grad():
        # A start that is nearly at rest is measured against the model's own, as anybody's answer.
        scale = None if start is None else _first_rate(view, model)
        run = iterate(view, solver, first, stop=stop, watch=watch or Silent(), in_place=True, first_scale=scale)
        if isinstance(view, Energy):
            certificate = final_certificate(model, view, run)
        else:
            certificate = with_scale(verify(model, run.image), run.scale)
    return solution_of(model, solver, stop, run, run.image, certificate, why)


def _first_rate(view: Flow, model: Model) -> PerImage | None:
    """The measure at the model's own start, if it names one."""
    try:
        own = model.start()
    except InputError:
        return None
    return measure(view, Candidate(own), None)[1]


RESTING: dict[str, Solver[Any, Any]] = {"lagged-diffusivity": SOLVERS["lagged-diffusivity"], **SCHEMES}
"""What leads a flow to its steady state, by name."""


def choose_for_rest(model: Model) -> tuple[Solver[Any, Any], str]:
    """A good solver for a steady state, and why."""
    if model.why_not(Quasilinear) is not None:
        model.view(Flow)
        return Explicit(), f"{model.title} offers its rate and nothing more"
    if model.view(Quasilinear).stable_step:
        return FED(
            20
        ), f"{model.title} is nonlinear: explicit cycles cost less than its linear systems, and come as near"
    return LaggedDiffusivity(), f"{model.title} is a linear system once its diffusivities are frozen"
