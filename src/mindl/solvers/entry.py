"""The entries: a model, a solver if one is wanted, and out comes a solution."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import torch

from mindl.core.arrays import Image, PerImageFlag, check_image, finite
from mindl.core.errors import InputError, ViewError
from mindl.core.outcome import Outcome
from mindl.models.candidate import Candidate
from mindl.models.certificate import Certificate, verify, with_scale
from mindl.models.model import Model
from mindl.models.views import (
    Energy,
    LinearSystem,
    MonotoneSystem,
    PolyharmonicSystem,
    SaddlePoint,
    SmoothEnergy,
)
from mindl.solvers.cascadic import begins_coarsely, grids, onto
from mindl.solvers.choosing import SOLVERS, check_accepts, choose
from mindl.solvers.differentiate import Detached, Differentiate
from mindl.solvers.iterate import Run, iterate, measure
from mindl.solvers.solution import Solution
from mindl.solvers.solver import Solver
from mindl.solvers.stop import Stop
from mindl.solvers.watch import Silent, Watch
from mindl.solvers.witness import certify

ROUGHLY = Stop(1e-3, steps=200)
"""How well problems on coarser grids are solved: their solutions differ from the fine one by more than that."""

PROOF_STEPS = 2000
"""Conjugate gradient steps that may be spent on proving the error of a linear system's solution."""


def minimise(
    model: Model,
    solver: Solver[Any, Any] | None = None,
    start: Image | Candidate | None = None,
    *,
    stop: Stop | None = None,
    differentiate: Differentiate | None = None,
    watch: Watch | None = None,
) -> Solution:
    """The image of least energy, with a certificate of how near it is.

    Args:
        model: what is sought.
        solver: how; without one a suitable solver is chosen, and ``solution.why`` says why.
        start: an image, or a ``Candidate`` with a dual field too. By default the model's own: the data, in
            inpainting the mean of the known pixels (for elastica a rough filling); dual 0. Without a solver
            either, denoising with a large weight begins on coarser grids (``cascadic_start``), whose steps are
            not counted.
        stop: when it is good enough; ``Stop()`` is a relative 1e-4, at most 5000 steps.
        differentiate: ``Detached()``, ``ThroughSteps()`` or ``Implicit()``.
        watch: who looks on, for progress.

    Raises:
        ViewError: the solver does not accept the model; the message says why and which would.
        ToleranceError: the tolerance is finer than the type can reach.
        InputError: no start, or one of another shape or type than the data; a step size beyond its bound.

    >>> import mindl as md
    >>> noisy = torch.rand(1, 3, 9, 7, generator=torch.Generator().manual_seed(0))
    >>> solution = md.minimise(md.models.rof(noisy, weight=0.1), md.solvers.PrimalDual(), stop=md.Stop(1e-3))
    >>> solution.outcome.value, bool(solution.certificate.rms < 5)
    ('certified', True)
    """
    detached = isinstance(differentiate, Detached | None)
    if solver is not None or start is not None or not detached or not begins_coarsely(model):
        return go_on(model, solver, start, None, stop=stop, differentiate=differentiate, watch=watch)
    clock = time.perf_counter()
    start = cascadic_start(model)
    before = time.perf_counter() - clock
    found = go_on(model, None, start, None, stop=stop, watch=watch)
    why = f"{found.why}; it began on coarser grids, since its weight is large"
    return replace(found, seconds=found.seconds + before, why=why)


def cascadic_start(model: Model, solver: Solver[Any, Any] | None = None, *, stop: Stop = ROUGHLY) -> Candidate:
    """A start for ``minimise``, from the same model on grids of half the size, a quarter, and so on.

    The coarsest problem is solved first; each solution, interpolated linearly, starts the next finer one, and
    so does its dual field, whose magnitudes mean the same on every grid. Nothing is corrected from fine to
    coarse (that is multigrid): it serves nonlinear models as an initialisation, and the certificate knows
    nothing of it.

    Args:
        model: a variational model; one whose operator knows no grid size gets its usual start.
        solver: how the coarse problems are solved; by default it is chosen.
        stop: how well.

    Source: Bornemann and Deuflhard, Numer. Math. 75 (1996): the cascadic principle.

    >>> import torch, mindl as md
    >>> f = torch.rand(1, 1, 40, 40, generator=torch.Generator().manual_seed(0))
    >>> model = md.models.tv_inpainting(f, md.images.random_mask(40, 40, 0.1, seed=0))
    >>> start = md.solvers.cascadic_start(model)
    >>> start.image.shape, start.dual.shape
    (torch.Size([1, 1, 40, 40]), torch.Size([1, 1, 2, 40, 40]))
    """
    found: Solution | None = None
    for fine in reversed(grids(model)):
        start = Candidate(fine.start()) if found is None else onto(fine, found.image, found.dual)
        if fine is model:
            return start
        found = go_on(fine, solver, start, None, stop=stop)
    raise AssertionError("the last grid is that of the model")


def go_on(
    model: Model,
    solver: Solver[Any, Any] | None,
    start: Image | Candidate | None,
    origin: Image | None,
    *,
    stop: Stop | None = None,
    differentiate: Differentiate | None = None,
    watch: Watch | None = None,
) -> Solution:
    """``minimise`` for a search that began elsewhere: gradients are measured against the one at ``origin``.

    With a start that is nearly right, a gradient relative to the start's own would ask for too much.
    """
    if not isinstance(model, Model):
        raise InputError(f"minimise(model) needs a model such as rof(data, weight), got {type(model).__name__}.")
    if model.why_not(Energy) is not None:
        raise ViewError(
            f"minimise(model) needs an energy with a minimiser to find, and {model.title} is a flow: evolve("
            "model, solver, time) follows it to a time, steady_state(model) to its rest."
        )
    if not isinstance(stop, Stop | None):
        raise InputError(f"minimise(stop) needs a Stop, such as Stop(1e-4), got {stop!r}.")
    why = ""
    if solver is None:
        solver, why = choose(model)
    view = _accepted(model, solver)
    stop, differentiate, watch = stop or Stop(), differentiate or Detached(), watch or Silent()
    smooth = model.view(SmoothEnergy) if model.why_not(SmoothEnergy) is None else view
    differentiate.check(smooth)
    with torch.set_grad_enabled(differentiate.through_steps and torch.is_grad_enabled()):
        scaled = isinstance(view, LinearSystem | SaddlePoint)  # their certificates have a scale of their own
        scale = None if origin is None or scaled else measure(view, Candidate(origin), None)[1]
        in_place = not differentiate.through_steps
        first = [start_of(model, start)]  # nobody but the loop will hold the start, and it lets go
        stop.check(first[0].image.dtype)
        run = iterate(view, solver, first.pop(), stop=stop, watch=watch, in_place=in_place, first_scale=scale)
    unknown = differentiate.attach(smooth, run.image)
    with torch.no_grad():
        certificate = final_certificate(model, view, run)
    return solution_of(model, solver, stop, run, unknown, certificate, why)


def solution_of(
    model: Model,
    solver: Solver[Any, Any],
    stop: Stop,
    run: Run,
    unknown: Image,
    certificate: Certificate,
    why: str,
) -> Solution:
    """What a run has found, with its outcome."""
    return Solution(
        image=model.image_of(unknown),
        unknown=unknown,
        dual=run.dual,
        certificate=certificate,
        outcomes=outcomes_of(run, stop, certificate),
        steps=run.steps,
        seconds=run.seconds,
        work=run.work,
        trace=run.trace,
        model=model,
        solver=solver,
        stop=stop,
        why=why,
    )


def solve_linear(
    model: Model,
    solver: Solver[Any, Any] | None = None,
    start: Image | Candidate | None = None,
    *,
    stop: Stop | None = None,
    differentiate: Differentiate | None = None,
    watch: Watch | None = None,
) -> Solution:
    """The solution of a model that is a linear system A u = b, by conjugate gradients unless said.

    Arguments and result as for ``minimise``; the measure is the true residual.

    Raises:
        ViewError: the model is no linear system.

    >>> import mindl as md
    >>> f = torch.rand(1, 1, 5, 5, generator=torch.Generator().manual_seed(0))
    >>> solution = md.solve_linear(md.models.whittaker_tikhonov(f, weight=1.0))
    >>> solution.certificate.kind, bool(solution.certificate.maximum < 0.1)
    ('residual', True)
    """
    model.view(LinearSystem)
    return minimise(model, solver, start, stop=stop, differentiate=differentiate, watch=watch)


def _accepted(model: Model, solver: Solver[Any, Any]) -> Energy:
    """The view of the model that the solver accepts."""
    if not isinstance(solver, Solver):
        raise InputError(
            f"minimise(solver) needs a solver such as PrimalDual(), got {solver!r}; "
            f"there are {', '.join(dict.fromkeys(other.title for other in SOLVERS.values()))}."
        )
    check_accepts(solver, model)
    view: Energy = model.view(solver.accepts)
    return view


def start_of(model: Model, start: Image | Candidate | None, call: str = "minimise") -> Candidate:
    """The start as a candidate that fits the model."""
    if start is None:
        return Candidate(model.start())
    candidate = start if isinstance(start, Candidate) else Candidate(start)
    check_image(candidate.image, f"{call}(start)")
    try:
        own = model.start()
    except InputError:
        return candidate
    shapes = {own.shape, own.shape if model.image_shape is None else model.image_shape}
    kind, wanted = (candidate.image.dtype, candidate.image.device), (own.dtype, own.device)
    if candidate.image.shape not in shapes or kind != wanted:
        raise InputError(
            f"{call}(start) needs the data's shape {tuple(model.image_shape or own.shape)} and type {own.dtype} "
            f"on {own.device}, got {tuple(candidate.image.shape)} and {kind[0]} on {kind[1]}."
        )
    if candidate.dual is not None and model.why_not(SaddlePoint) is None:
        fits = model.view(SaddlePoint).operator.field_shape(own.shape)
        if candidate.dual.shape != fits or not bool(finite(candidate.dual).all()):
            raise InputError(
                f"{call}(start) needs a finite dual field that fits the data {tuple(own.shape)}: the shape "
                f"{tuple(fits)}, got {tuple(candidate.dual.shape)}."
            )
    return Candidate(model.lift(candidate.image), candidate.dual)


def final_certificate(model: Model, view: Energy, run: Run) -> Certificate:
    """The proof that goes with the solution, as strong as the view allows, or else the model."""
    image = run.image.detach()
    unproved = isinstance(view, SmoothEnergy) and not isinstance(view, LinearSystem) and not view.modulus
    if unproved and model.why_not(LinearSystem) is None:
        view = model.view(LinearSystem)
    if isinstance(view, MonotoneSystem | PolyharmonicSystem):
        return certify(view, image, effort=PROOF_STEPS)
    if isinstance(view, SaddlePoint):
        if run.proof is not None:
            return run.proof
        if run.dual is None:
            return certify(view, image)
        return certify(view, image, dual=run.dual.detach(), effort=0)
    return with_scale(verify(view, image), run.scale)


def outcomes_of(run: Run, stop: Stop, certificate: Certificate) -> tuple[Outcome, ...]:
    """How each image ended. Met and proved is certified; met alone is stationary."""
    # A batch may hold images of which a distance is proved, and others.
    proved: PerImageFlag = stop.met(certificate) & (certificate.rms.isfinite() | certificate.rigorous)

    def one(met: bool, proved: bool, stuck: bool, diverged: bool) -> Outcome:
        if diverged:
            return Outcome.DIVERGED
        if proved:
            return Outcome.CERTIFIED
        if met:
            return Outcome.STATIONARY
        if stuck:
            return Outcome.STALLED
        return Outcome.FIXED if stop.tolerance is None else Outcome.STEP_LIMIT

    flags = (run.met, proved, run.stuck, run.diverged)
    return tuple(one(*values) for values in zip(*(flag.tolist() for flag in flags), strict=True))
