"""Solvers, networks and both together solve one model; how accurate each was after how many seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any, cast

import torch

from mindl.app.break_even import Course, Method
from mindl.app.report import Progress
from mindl.core.arrays import PerImageFlag
from mindl.models import Candidate, Energy, Model
from mindl.models.certificate import Certificate
from mindl.neural import NeuralSolver, answer, finisher
from mindl.neural.answer import Followed
from mindl.solvers import Solution, Solver, Stop, minimise
from mindl.solvers.entry import start_of
from mindl.solvers.iterate import iterate
from mindl.solvers.watch import Silent, Watch

QUICK = 1.0
"""Runs of fewer seconds are done three times, and the median is told."""

FURTHER = 20
"""A proved answer's solver takes at most so many times its steps to become as good as a network."""

WARM = 10
"""Steps of a run that nobody times: sweeps are compiled, or loaded, when they are first needed."""


@dataclass(frozen=True, eq=False)
class Found:
    """A solution, of what kind the certificates at its checks were, and how it was begun.

    Attributes:
        solution: of several runs the one of median time.
        kind: of the certificates.
        net: the network that answered, if one did.
        first: the solution of the network alone, where a solver went on from it.
    """

    solution: Solution
    kind: str
    net: NeuralSolver | None = None
    first: Solution | None = None

    @property
    def alone(self) -> bool:
        """Whether it is a network's answer as it is."""
        return self.net is not None and self.first is None


class Noticed:
    """Tells another what is checked, and keeps the kind of the certificates."""

    def __init__(self, watch: Watch) -> None:
        self._watch, self.kind = watch, ""

    def checked(self, steps: int, certificate: Certificate, done: PerImageFlag, stop: Stop) -> None:
        """Keep the kind."""
        self.kind = certificate.kind
        self._watch.checked(steps, certificate, done, stop)


def everyone(
    model: Model,
    label: str,
    nets: Sequence[NeuralSolver],
    solvers: Mapping[str, Solver[Any, Any]],
    tolerance: float,
    *,
    quiet: bool,
) -> list[Found]:
    """By every solver, every network, and every network with a solver that goes on; all are warmed up first."""
    found = []
    for name, solver in solvers.items():
        with Progress(f"{label} by {name}", quiet=quiet) as progress:
            minimise(model, solver, stop=Stop(tolerance, steps=WARM))
            run = partial(minimise, model, solver, stop=Stop(tolerance))
            found.append(Found(*_of_median_time(run, progress)))
    finish = finisher(model) if nets else None
    for net in nets:
        with Progress(f"{label} by {net.title}", quiet=quiet) as progress:
            answer(model, net, tolerance, finish=finish, steps=WARM)
            alone = _of_median_time(partial(answer, model, net, tolerance), progress)
            both = _of_median_time(partial(answer, model, net, tolerance, finish=finish), progress)
        found += [Found(*alone, net), Found(*both, net, alone[0])]
    return found


def _of_median_time(run: Callable[..., Solution], watch: Watch) -> tuple[Solution, str]:
    """The solution, and of what kind its checks were."""
    noticed = Noticed(watch)
    runs = [run(watch=noticed)]
    if runs[0].seconds < QUICK:
        runs += [run(watch=noticed) for _ in range(2)]
    return sorted(runs, key=lambda solution: solution.seconds)[len(runs) // 2], noticed.kind


def courses(found: list[Found], model: Model) -> list[Method]:
    """The energy excess over time of everybody; E* is the least energy of all answers, as in the table."""
    view = model.view(Energy)
    with torch.no_grad():
        ends = [float(view.energy(each.solution.unknown)) for each in found]
        begin, least = float(view.energy(model.start())), min(ends)
    goal = min((end for end, each in zip(ends, found, strict=True) if each.alone), default=least)
    methods = []
    for end, each in zip(ends, found, strict=True):
        if each.alone:
            seconds, energies = [each.solution.seconds], [end]
        else:
            seconds, energies = _course(each, model, goal)
        excess = tuple((e - least) / (begin - least) if begin > least else 0.0 for e in energies)
        proved = Course.proved(each.solution)
        methods.append(Method(each.solution.solver.title, Course(tuple(seconds), excess), proved, each.kind))
    return methods


def _course(found: Found, model: Model, goal: float) -> tuple[list[float], list[float]]:
    """Seconds and energies of a solver after 0, 1, 2, ... steps, each time a quarter more.

    It pauses there, and the clock rests while the energy is computed. A solver that pauses is slower (several
    steps share a passage over the image), so all times are scaled to one run without a pause, to where it is as
    good as ``goal``, or else to the end. Every time includes one check; that of the network's answer does too.
    A solver that stopped because its answer was proved to be good enough goes on to the goal all the same: a
    network may be better than what was asked for.
    """
    solution, begun = found.solution, found.first
    start = None if begun is None else Candidate(begun.image, begun.dual)
    solver = (
        solution.solver.finish
        if isinstance(solution.solver, Followed)
        else cast(Solver[Any, Any], solution.solver)
    )

    def whole(steps: int) -> float:
        stop = Stop(None, steps=steps)
        seconds: list[float] = []
        while not seconds or (len(seconds) < 3 and seconds[0] < QUICK):
            view, first = model.view(solver.accepts), start_of(model, start)
            with torch.no_grad():
                seconds.append(iterate(view, solver, first, stop=stop, watch=Silent(), in_place=True).seconds)
        return median(seconds)

    steps = int(solution.steps.max())
    goes_on = solution.outcome.met and found.kind != "gradient"
    paused = partial(_paused, solver, model, start, steps, FURTHER * max(steps, WARM) if goes_on else steps, goal)
    runs = [paused()]
    if runs[0][1][-1] < QUICK:
        runs += [paused() for _ in range(2)]
    counts, _, energies = runs[0]
    seconds = [median(times) for times in zip(*(run[1] for run in runs), strict=True)]
    goes = next((k for k, energy in enumerate(energies) if energy <= goal), len(counts) - 1)
    first = whole(0)
    scale = (whole(counts[goes]) - first) / seconds[goes] if seconds[goes] > 0 else 1.0
    before = first if begun is None else begun.seconds
    return [before + min(max(scale, 0.5), 1.5) * t for t in seconds], energies


def _paused(
    solver: Solver[Any, Any], model: Model, start: Candidate | None, steps: int, most: int, goal: float
) -> tuple[list[int], list[float], list[float]]:
    """Steps, seconds and energies at every pause, without the time until the first; so many steps, and on to the
    goal, but not beyond ``most``."""
    view, energy = model.view(solver.accepts), model.view(Energy).energy
    counts, seconds, energies = [0], [0.0], []
    with torch.no_grad():
        state = solver.begin(view, start_of(model, start))
        energies.append(float(energy(solver.candidate(view, state).image)))
        while not bool(solver.stuck(state).all()):
            end = most if energies[-1] > goal else steps
            if counts[-1] >= end:
                break
            more = min(max(1, counts[-1] // 4), end - counts[-1])
            clock = time.perf_counter()
            state = solver.advance(view, state, more)
            seconds.append(seconds[-1] + time.perf_counter() - clock)
            counts.append(counts[-1] + more)
            energies.append(float(energy(solver.candidate(view, state).image)))
    return counts, seconds, energies
