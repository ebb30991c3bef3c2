"""The one loop that every solver runs in."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mindl.core.arrays import Dual, Image, PerImage, PerImageFlag, finite, per_image
from mindl.models.candidate import Candidate
from mindl.models.certificate import Certificate, DualWitness, proved, verify, with_scale
from mindl.models.model import Model
from mindl.models.views import Energy, SaddlePoint
from mindl.solvers.checks import Checks
from mindl.solvers.solution import Trace
from mindl.solvers.solver import Solver
from mindl.solvers.stop import Stop
from mindl.solvers.watch import Watch


@dataclass(frozen=True, eq=False)
class Run:
    """What the loop leaves: each image as it was when it stopped; ``proof``, if its last check proved them all."""

    image: Image
    dual: Dual | None
    scale: PerImage
    met: PerImageFlag
    stuck: PerImageFlag
    diverged: PerImageFlag
    steps: Tensor
    seconds: float
    work: int
    trace: Trace
    proof: Certificate | None


def iterate(
    view: Model,
    solver: Solver[Any, Any],
    start: Candidate,
    *,
    stop: Stop,
    watch: Watch,
    in_place: bool,
    first_scale: PerImage | None = None,
) -> Run:
    """Advance, check, freeze the images that are done, until all are or the steps are used up.

    An image that has met the rule is put aside as it is: its mates go on without it, so that the result of
    each is the same alone and in a batch. For the same reason each has checks of its own. ``in_place`` takes the
    fast twin of ``step``, which autograd cannot follow. ``first_scale`` stands in for the measure at the start,
    where certificates have no scale of their own.
    """
    clock = time.perf_counter()
    state = solver.begin(view, start)
    batch, device = start.image.shape[0], start.image.device
    del start
    done = torch.zeros(batch, dtype=torch.bool, device=device)
    met, stuck, diverged = done.clone(), done.clone(), done.clone()
    steps = torch.zeros(batch, dtype=torch.int64, device=device)
    kept: Candidate | None = None
    rows: list[tuple[int, float, PerImage, PerImage]] = []
    count = 0
    checks = Checks(stop, solver.heavy, batch)
    while True:
        candidate = solver.candidate(view, state)
        due = checks.due(count).to(device)
        with torch.no_grad():
            healthy = finite(candidate.image)
            if stop.tolerance is not None or count == 0:
                certificate, first_scale = measure(view, _detached(candidate, healthy), first_scale)
                rows.append((count, time.perf_counter() - clock, certificate.bound, certificate.scale))
                now_met = stop.met(certificate) & healthy
            checks.looked(count, certificate, solver.residual(state))
            now_stuck = solver.stuck(state).to(device) & ~now_met
            if stop.tolerance is None:  # exactly the steps that were asked for
                now_stuck = torch.zeros_like(done)
            fresh = ~done & due & (now_met | now_stuck | ~healthy)
            diverged = diverged | (fresh & ~healthy)
            met, stuck = met | (fresh & now_met), stuck | (fresh & now_stuck & healthy)
            steps = torch.where(done, steps, count)
        # The last finite image of one that diverged is what it was at the check before.
        kept = _freeze(kept, candidate, done | ~due | ~healthy, in_place)
        del candidate
        done = done | fresh
        watch.checked(count, certificate, done, stop)
        if bool(done.all()) or count >= stop.steps:
            break
        postponed = True
        while postponed:
            n = checks.next(count, done) - count
            if in_place:
                state = solver.advance(view, state, n)
            else:
                for _ in range(n):
                    state = solver.step(view, state)
            count += n
            postponed = checks.postponed(count, done, solver.residual(state), solver.stuck(state))
    dual = kept.dual
    if dual is not None and bool(diverged.any()):
        dual = torch.where(per_image(finite(dual), dual) > 0, dual, 0)
    return Run(
        kept.image,
        dual,
        certificate.scale,
        met,
        stuck,
        diverged,
        steps,
        time.perf_counter() - clock,
        solver.work(state, count),
        Trace(
            torch.tensor([row[0] for row in rows]),
            torch.tensor([row[1] for row in rows], dtype=torch.float64),
            torch.stack([row[2] for row in rows]),
            torch.stack([row[3] for row in rows]),
        ),
        certificate if rows[-1][0] == count and bool((met & (steps == count)).all()) else None,
    )


def measure(
    view: Model, candidate: Candidate, first_scale: PerImage | None
) -> tuple[Certificate, PerImage | None]:
    """The certificate that the stopping rule reads, and the scale for those that have none of their own.

    A gradient, or the rate of a flow, is measured against the one where the search began.
    """
    witness = None
    if isinstance(view, SaddlePoint) and candidate.dual is not None:
        witness = DualWitness(candidate.dual)
    certificate = (
        proved(view, candidate.image, witness) if isinstance(view, Energy) else verify(view, candidate.image)
    )
    if certificate.scaled:
        return certificate, None
    scale = certificate.bound if first_scale is None else first_scale
    return with_scale(certificate, scale), scale


def _detached(candidate: Candidate, healthy: PerImageFlag) -> Candidate:
    """The candidate off the graph, with 0 in place of images that are not finite."""
    image = candidate.image.detach()
    dual = None if candidate.dual is None else candidate.dual.detach()
    if bool(healthy.all()):
        return Candidate(image, dual)
    keep = per_image(healthy, image) > 0
    if dual is not None:
        dual = torch.where(keep[..., None], dual, 0)
    return Candidate(torch.where(keep, image, 0), dual)


def _freeze(kept: Candidate | None, now: Candidate, frozen: PerImageFlag, copy: bool) -> Candidate:
    """``now``, with the frozen images as they were kept; a copy where ``now`` will be overwritten.

    The dual field of a single image is not copied: the loop ends with it, and its memory is most of a state's.
    """
    alone = len(frozen) == 1
    if kept is None:
        if not copy:
            return now
        return Candidate(now.image.clone(), now.dual if alone or now.dual is None else now.dual.clone())
    if copy and alone:
        return Candidate(_merge(kept.image, now.image, frozen, copy), now.dual)
    image = _merge(kept.image, now.image, frozen, copy)
    dual = None if now.dual is None or kept.dual is None else _merge(kept.dual, now.dual, frozen, copy)
    return Candidate(image, dual)


def _merge(kept: Tensor, now: Tensor, frozen: PerImageFlag, copy: bool) -> Tensor:
    if not copy:
        return torch.where(per_image(frozen, now) > 0, kept, now)
    going = (~frozen).nonzero().flatten()
    if len(going) == len(frozen):
        return kept.copy_(now)
    return kept.index_copy_(0, going, now.index_select(0, going))
