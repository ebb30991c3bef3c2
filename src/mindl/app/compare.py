"""The verb ``compare``: models, solvers and networks side by side on a photograph of one's own."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from rich.console import Console

from mindl.app.break_even import BreakEven, Method, break_even, unserved
from mindl.app.paths import check_output, expand
from mindl.app.race import Found, courses, everyone
from mindl.app.report import Failure, Row, complain, print_rows, say
from mindl.app.restore import check_tolerance
from mindl.calculus import shepard
from mindl.core.arrays import Image
from mindl.core.errors import InputError, MaskError, MindlError, OutputError, look_up
from mindl.core.outcome import Outcome
from mindl.images import GaussianNoise, psnr, random_mask, read_mask
from mindl.images.io import load as load_picture
from mindl.learning.validation import energy_excess
from mindl.models import DENOISING, UNPROVED_INPAINTING, Energy, Model, SmoothEnergy, Variational
from mindl.models.denoising import DenoisingModel
from mindl.neural import NeuralSolver, Unrolled
from mindl.plot import Line, Race, race_figure, save_figure
from mindl.restore import FILLING, network, plan_denoising, plan_inpainting
from mindl.solvers import SOLVERS, Solver, accepting, choose
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
    nets = [net for name in dict.fromkeys(wish.nets or shipped()) if (net := network(name)) is not None]
    if not wish.nets:  # learned steps are a solver, and a dear one: they are compared when they are named
        nets = [net for net in nets if not isinstance(net, Unrolled)]
    rows: list[Row] = []
    failed: list[Failure] = []
    sentences: list[str] = []
    for source in sources:
        try:
            found, told = _one(source, wish, nets, quiet=quiet or as_json, overwrite=overwrite)
        except MindlError as error:
            failed.append(Failure(str(source), str(error)))
        else:
            rows += found
            sentences += told if len(sources) == 1 else [f"{source.name}: {each}" for each in told]
    print_rows(rows, failed, as_json=as_json, quiet=quiet)
    if not quiet and not as_json:
        _tell(sentences)
    if failed:
        return 1
    # A network alone promises nothing; what a solver gives must be certified, or stationary where no more can be.
    fine = (Outcome.UNFINISHED.value, Outcome.STATIONARY.value)
    return 0 if all(row.certified or row.outcome in fine for row in rows) else 3


def _kind(name: str) -> type[Model]:
    """The class of an inpainting model."""
    return type(FILLING[name](torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1, dtype=torch.bool)))


def _tell(sentences: Sequence[str]) -> None:
    """On standard output, under the table; in a file each stays on its line."""
    with contextlib.suppress(BrokenPipeError):  # whoever read it has seen enough
        for sentence in sentences:
            Console().print(sentence, highlight=False, markup=False, soft_wrap=not sys.stdout.isatty())


def _check(sources: list[Path], wish: Comparison, *, overwrite: bool) -> None:
    """Refuse what contradicts itself, or cannot be written, before any work."""
    check_tolerance(wish.tolerance)
    masks = [path for path in (wish.mask, wish.damage) if path is not None]
    inpainting = bool(masks) or wish.known is not None
    table = FILLING if inpainting else DENOISING
    for name in wish.models:
        look_up(table, name, "inpainting model" if inpainting else "denoising model")
        if name in UNPROVED_INPAINTING and not issubclass(_kind(name), Energy):
            raise InputError(
                f"{name} has no energy to compare by: `mindl inpaint --model {name}` finds where it comes to rest."
            )
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


@dataclass(frozen=True)
class Compared(Row):
    """A row, and its model's break-even: beside the network alone, or on the first row where no network serves."""

    break_even: dict[str, Any] | None = None


def _one(
    source: Path, wish: Comparison, nets: list[NeuralSolver], *, quiet: bool, overwrite: bool
) -> tuple[list[Compared], list[str]]:
    """The rows of a photograph, and what they say about its networks."""
    photo = load_picture(source).pixels
    cases, reference, told = _problem(photo, wish, nets)
    say(f"{source.name}: {told}", quiet=quiet)
    idle = {net.title for net in nets} if wish.nets else set()
    rows: list[Compared] = []
    compared: list[Result] = []
    for case in cases:
        serving = [net for net in nets if _serves(net, case.model, asked=bool(wish.nets))]
        idle -= {net.title for net in serving}
        found = everyone(case.model, case.label, serving, _solvers(case, wish), wish.tolerance, quiet=quiet)
        methods = courses(found, case.model) if serving or wish.plot is not None else []
        verdicts = _verdicts(found, methods, case, photo, wish.tolerance)
        compared.append(Result(case, found, methods, verdicts))
        # Where networks are named, the others were not asked whether they serve.
        rows += _rows(compared[-1], str(source), reference, silent=bool(wish.nets))
    for title in sorted(idle):
        complain(f"{title} serves none of the models compared here; `mindl weights show` says what it is for.")
    if wish.plot is not None:
        save_figure(race_figure(_races(compared), wish.tolerance), wish.plot, overwrite=overwrite)
    sentences = [verdict.sentence for result in compared for verdict in result.verdicts]
    without = [result.case.label for result in compared if not result.verdicts]
    return rows, sentences + ([unserved(without)] if without and not wish.nets else [])


def _solvers(case: Case, wish: Comparison) -> dict[str, Solver[Any, Any]]:
    """Those named; for a single model all that accept it; else, for each model, the one that suits it best."""
    able = accepting(case.model)
    if wish.solvers:
        named = [look_up(SOLVERS, name, "solver") for name in wish.solvers]
        return {name: solver for name, solver in able.items() if solver in named}
    if len(wish.models) == 1 and case.model.title not in UNPROVED_INPAINTING:  # there all but one are slow
        if case.model.why_not(SmoothEnergy) is not None:
            able.pop("gradient-descent")  # a subgradient method: it would only use up the steps
        return able
    best, _ = choose(case.model)
    return {best.title: best}


@dataclass(frozen=True, eq=False)
class Result:
    """What was found for a model; ``methods`` belong to ``found``, and are empty where nobody asks for them."""

    case: Case
    found: list[Found]
    methods: list[Method]
    verdicts: list[BreakEven]


def _verdicts(
    found: list[Found], methods: list[Method], case: Case, photo: Image, tolerance: float
) -> list[BreakEven]:
    """One for each network."""
    pairs = list(zip(found, methods, strict=False))
    solvers = [method for each, method in pairs if each.net is None]
    alone = [method for each, method in pairs if each.alone]
    both = [method for each, method in pairs if each.first is not None]
    size, threads = (photo.shape[3], photo.shape[2]), torch.get_num_threads()
    return [
        break_even(case.label, size, threads, solvers, one, two, tolerance)
        for one, two in zip(alone, both, strict=True)
    ]


def _rows(result: Result, source: str, reference: Image | None, *, silent: bool) -> list[Compared]:
    """A row for each; the least energy that was found stands for E*."""
    case, solutions = result.case, [each.solution for each in result.found]
    with torch.no_grad():
        best = min(solutions, key=lambda solution: float(case.model.energy(solution.unknown)))
    verdicts = iter(result.verdicts)
    rows: list[Compared] = []
    for each, solution in zip(result.found, solutions, strict=True):
        quality = None if reference is None else float(psnr(solution.image, reference))
        excess = energy_excess(case.model, solution.unknown, best.unknown)
        row = Row.of(solution, source, case.why, quality, excess=excess)
        told = next(verdicts).record() if each.alone else None
        if not result.verdicts and not rows and not silent:
            told = {"sentence": unserved([case.label]), "net": None, "pays": None}
        method = f"{case.label}, {solution.solver.title}"
        rows.append(Compared(**{**vars(row), "method": method}, break_even=told))
    return rows


def _races(results: list[Result]) -> list[Race]:
    """A panel for each model that a network serves, and one for all others."""
    races, others = [], []
    for result in results:
        if not result.verdicts:
            others += [
                _line(method, f"{result.case.label}, {method.name}", net=False) for method in result.methods
            ]
            continue
        nets = [each.net is not None for each in result.found]
        lines = [_line(m, m.name, net=net) for m, net in zip(result.methods, nets, strict=True)]
        since = [verdict.since for verdict in result.verdicts if verdict.since is not None]
        duels = [verdict.alone for verdict in result.verdicts]
        equal = tuple((d.accuracy, d.seconds, d.solver_seconds) for d in duels)
        title = result.verdicts[0].where
        races.append(Race(title, tuple(lines), equal, min(since, default=None)))
    if others:
        races.append(Race("models without a network", tuple(others)))
    return races


def _line(method: Method, name: str, *, net: bool) -> Line:
    return Line(name, method.excess.seconds, method.excess.accuracy, net=net)


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
