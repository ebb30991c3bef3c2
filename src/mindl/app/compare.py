"""The verb ``compare``: models, solvers and networks side by side on a photograph of one's own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch

from mindl.app.paths import check_output, expand
from mindl.app.report import Failure, Progress, Row, complain, print_rows, say
from mindl.app.restore import check_tolerance
from mindl.calculus import shepard
from mindl.core.arrays import Image
from mindl.core.errors import InputError, MaskError, MindlError, OutputError, look_up
from mindl.images import GaussianNoise, psnr, random_mask, read_mask
from mindl.images.io import load as load_picture
from mindl.learning.validation import energy_excess
from mindl.models import DENOISING, INPAINTING, SmoothEnergy, Variational
from mindl.models.denoising import DenoisingModel
from mindl.neural import NeuralSolver, answer, finisher
from mindl.plot import save_figure, trace_figure
from mindl.restore import network, plan_denoising, plan_inpainting
from mindl.solvers import SOLVERS, Solution, Solver, Stop, accepting, choose, minimise
from mindl.store import shipped

USUAL_DENOISING = ("rof", "anisotropic_rof", "huber_rof", "charbonnier", "whittaker_tikhonov")
USUAL_INPAINTING = ("harmonic_inpainting", "biharmonic_inpainting")
"""Compared where nothing is said; ``--model`` names others."""


@dataclass(frozen=True)
class Comparison:
    """What is compared: noise to add, or pixels to hide, and how exact the answers are to be."""

    noise: float | None
    known: float | None
    mask: Path | None
    damage: Path | None
    seed: int
    nets: tuple[str, ...]
    tolerance: float
    plot: Path | None
    as_is: bool
    models: tuple[str, ...] = ()
    solvers: tuple[str, ...] = ()


def compare(inputs: list[Path], wish: Comparison, *, quiet: bool, as_json: bool, overwrite: bool) -> int:
    """One table for each photograph; the exit status."""
    sources = expand(inputs)
    _check(sources, wish, overwrite=overwrite)
    names = dict.fromkeys(wish.nets or shipped())
    nets = [net for name in names if (net := network(name)) is not None]
    rows: list[Row] = []
    failed: list[Failure] = []
    for source in sources:
        try:
            rows += _one(source, wish, nets, quiet=quiet or as_json, overwrite=overwrite)
        except MindlError as error:
            failed.append(Failure(str(source), str(error)))
    print_rows(rows, failed, as_json=as_json, quiet=quiet)
    if failed:
        return 1
    # A network alone promises nothing; what a solver gives must be certified.
    return 0 if all(row.certified for row in rows if not row.alone) else 3


def _check(sources: list[Path], wish: Comparison, *, overwrite: bool) -> None:
    """Refuse what contradicts itself, or cannot be written, before any work."""
    check_tolerance(wish.tolerance)
    masks = [path for path in (wish.mask, wish.damage) if path is not None]
    inpainting = bool(masks) or wish.known is not None
    table = INPAINTING if inpainting else DENOISING
    for name in wish.models:
        look_up(table, name, "inpainting model" if inpainting else "denoising model")
    for name in wish.solvers:
        look_up(SOLVERS, name, "solver")
    if len(masks) + (wish.known is not None) > 1:
        raise MaskError("Give one of --known, --mask and --damage.")
    if inpainting and (wish.noise is not None or wish.as_is):
        raise InputError("--noise and --as-is compare denoising; --known, --mask and --damage inpainting.")
    if wish.known is not None and not 0 < wish.known <= 1:
        raise InputError(f"--known {wish.known:g} must be a share of the pixels, above 0 and at most 1.")
    plan_denoising(torch.zeros(1, 1, 1, 1), noise=wish.noise)
    if wish.plot is not None:
        if len(sources) > 1:
            raise InputError("A plot belongs to one photograph: compare them one at a time.")
        if wish.plot.suffix.lower() != ".png":
            raise OutputError(f"Cannot write the plot {wish.plot}: name a .png.")
        check_output(wish.plot, [*sources, *masks], overwrite=overwrite)


@dataclass(frozen=True)
class Case:
    """A model to be solved by all means, and what its rows begin with."""

    model: DenoisingModel
    why: str
    label: str


def _one(source: Path, wish: Comparison, nets: list[NeuralSolver], *, quiet: bool, overwrite: bool) -> list[Row]:
    photo = load_picture(source).pixels
    cases, reference, told = _problem(photo, wish, nets)
    say(f"{source.name}: {told}", quiet=quiet)
    idle = {net.title for net in nets} if wish.nets else set()
    rows: list[Row] = []
    solved: list[tuple[str, Solution]] = []
    for case in cases:
        serving = [net for net in nets if _serves(net, case.model, asked=bool(wish.nets))]
        idle -= {net.title for net in serving}
        solutions = _solutions(case, serving, _solvers(case, wish), wish.tolerance, quiet)
        rows += _rows(solutions, case, str(source), reference)
        # The trace of a network that a solver finishes begins with the network's own answer.
        solved += [
            (f"{case.label}, {s.solver.title}", s) for s in solutions if not isinstance(s.solver, NeuralSolver)
        ]
    for title in sorted(idle):
        complain(f"{title} serves none of the models compared here; `mindl weights show` says what it is for.")
    if wish.plot is not None:
        save_figure(trace_figure(solved), wish.plot, overwrite=overwrite)
    return rows


def _solvers(case: Case, wish: Comparison) -> dict[str, Solver[Any, Any]]:
    """Those named; for a single model all that accept it; else, for each model, the one that suits it best."""
    able = accepting(case.model)
    if wish.solvers:
        named = [look_up(SOLVERS, name, "solver") for name in wish.solvers]
        return {name: solver for name, solver in able.items() if solver in named}
    if len(wish.models) == 1:
        if case.model.why_not(SmoothEnergy) is not None:
            able.pop("gradient-descent")  # a subgradient method: it would only use up the steps
        return able
    best, _ = choose(case.model)
    return {best.title: best}


def _solutions(
    case: Case, nets: list[NeuralSolver], solvers: dict[str, Solver[Any, Any]], tolerance: float, quiet: bool
) -> list[Solution]:
    """By every solver, every network, and every network with a solver that goes on."""
    model, found = case.model, []
    for name, solver in solvers.items():
        with Progress(f"{case.label} by {name}", quiet=quiet) as progress:
            found.append(minimise(model, solver, stop=Stop(tolerance), watch=progress))
    for net in nets:
        for finish in (None, finisher(model)):
            with Progress(f"{case.label} by {net.title}", quiet=quiet) as progress:
                found.append(answer(model, net, tolerance, finish=finish, watch=progress))
    return found


def _rows(solutions: list[Solution], case: Case, source: str, reference: Image | None) -> list[Row]:
    """A row for each; the least energy that was found stands for E*."""
    with torch.no_grad():
        best = min(solutions, key=lambda solution: float(case.model.energy(solution.image)))
    rows = []
    for solution in solutions:
        quality = None if reference is None else float(psnr(solution.image, reference))
        excess = energy_excess(case.model, solution.image, best.image)
        row = Row.of(solution, source, case.why, quality, excess=excess)
        rows.append(replace(row, method=f"{case.label}, {solution.solver.title}"))
    return rows


def _serves(net: NeuralSolver, model: DenoisingModel, *, asked: bool) -> bool:
    """Whether a network is for this model: a named one if it can, one that ships if it was trained for it."""
    try:
        net.check(model)
    except InputError:
        return False
    return asked or net.trained is None or net.trained.model == model.title


def _problem(photo: Image, wish: Comparison, nets: list[NeuralSolver]) -> tuple[list[Case], Image | None, str]:
    """The models to solve, what to judge by, and a sentence about the data."""
    marked = wish.mask or wish.damage
    if marked is not None or wish.known is not None:
        if marked is not None:
            mask = read_mask(marked, damage=wish.damage is not None)
        else:
            assert wish.known is not None
            mask = random_mask(photo.shape[2], photo.shape[3], wish.known, seed=wish.seed)
        plans = [plan_inpainting(photo, mask, model=name) for name in wish.models or USUAL_INPAINTING]
        cheap = float(psnr(shepard(photo, mask), photo))
        told = f"{plans[0].why}; Shepard interpolation finds it again to {cheap:.2f} dB"
        return [Case(cast(Variational, plan.model), plan.why, plan.model.title) for plan in plans], photo, told
    if wish.as_is:
        data, reference, told = photo, None, "taken as it is"
        noise = wish.noise
    else:
        noise = 25 / 255 if wish.noise is None else wish.noise
        data, reference = GaussianNoise(noise)(photo, seed=wish.seed), photo
        told = f"noise of {noise * 255:.1f}/255 added, {float(psnr(data, photo)):.2f} dB"
    cases = []
    for name in wish.models or USUAL_DENOISING:
        plan = plan_denoising(data, model=name, noise=noise)
        cases.append(Case(plan.model, plan.why, plan.model.title))
        for net in nets:
            apart = plan_denoising(data, model=name, noise=noise, net=net)
            if apart.model.separable != plan.model.separable and _serves(net, apart.model, asked=bool(wish.nets)):
                cases.append(Case(apart.model, apart.why, f"{plan.model.title} by channel"))
                break
    return cases, reference, told
