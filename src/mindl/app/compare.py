"""The verb ``compare``: every model and solver side by side on a photograph of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from mindl.app.paths import check_output, expand
from mindl.app.report import Failure, Progress, Row, print_rows, say
from mindl.app.restore import check_tolerance
from mindl.core.arrays import Image
from mindl.core.errors import InputError, MaskError, MindlError, OutputError
from mindl.images import GaussianNoise, load, psnr, random_mask, read_mask
from mindl.models import DENOISING, INPAINTING, SmoothEnergy
from mindl.models.variational import Variational
from mindl.plot import save_figure, trace_figure
from mindl.restore import plan_denoising, plan_inpainting
from mindl.solvers import SOLVERS, GradientDescent, Solution, Stop, minimise


@dataclass(frozen=True)
class Comparison:
    """What is compared: noise to add, or pixels to hide, and how exact the answers are to be."""

    noise: float | None
    known: float | None
    mask: Path | None
    damage: Path | None
    seed: int
    tolerance: float
    plot: Path | None
    as_is: bool


def compare(inputs: list[Path], wish: Comparison, *, quiet: bool, as_json: bool, overwrite: bool) -> int:
    """One table for each photograph; the exit status."""
    sources = expand(inputs)
    _check(sources, wish, overwrite=overwrite)
    rows: list[Row] = []
    failed: list[Failure] = []
    for source in sources:
        try:
            rows += _one(source, wish, quiet=quiet or as_json, overwrite=overwrite)
        except MindlError as error:
            failed.append(Failure(str(source), str(error)))
    print_rows(rows, failed, as_json=as_json, quiet=quiet)
    if failed:
        return 1
    return 0 if all(row.certified for row in rows) else 3


def _check(sources: list[Path], wish: Comparison, *, overwrite: bool) -> None:
    """Refuse what contradicts itself, or cannot be written, before any work."""
    check_tolerance(wish.tolerance)
    masks = [path for path in (wish.mask, wish.damage) if path is not None]
    inpainting = bool(masks) or wish.known is not None
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


def _one(source: Path, wish: Comparison, *, quiet: bool, overwrite: bool) -> list[Row]:
    photo = load(source).pixels
    models, reference, told = _problem(photo, wish)
    say(f"{source.name}: {told}", quiet=quiet)
    rows: list[Row] = []
    solved: list[tuple[str, Solution]] = []
    for model, why in models:
        for name, solver in SOLVERS.items():
            if model.why_not(solver.accepts) is not None:
                continue
            if solver is GradientDescent and model.why_not(SmoothEnergy) is not None:
                continue  # a subgradient method: it would only use up the steps
            with Progress(f"{model.title} by {name}", quiet=quiet) as progress:
                solution = minimise(model, solver(), stop=Stop(wish.tolerance), watch=progress)
            quality = None if reference is None else float(psnr(solution.image, reference))
            rows.append(Row.of(solution, str(source), why, quality))
            solved.append((f"{model.title}, {name}", solution))
    if wish.plot is not None:
        save_figure(trace_figure(solved), wish.plot, overwrite=overwrite)
    return rows


def _problem(photo: Image, wish: Comparison) -> tuple[list[tuple[Variational, str]], Image | None, str]:
    """The models to solve, what to judge by, and a sentence about the data."""
    marked = wish.mask or wish.damage
    if marked is not None or wish.known is not None:
        if marked is not None:
            mask = read_mask(marked, damage=wish.damage is not None)
        else:
            assert wish.known is not None
            mask = random_mask(photo.shape[2], photo.shape[3], wish.known, seed=wish.seed)
        plans = [plan_inpainting(photo, mask, model=name) for name in INPAINTING]
        told = f"{plans[0].why}; the photograph is what is to be found again"
        return [(plan.model, plan.why) for plan in plans], photo, told
    if wish.as_is:
        data, reference, told = photo, None, "taken as it is"
        noise = wish.noise
    else:
        noise = 25 / 255 if wish.noise is None else wish.noise
        data, reference = GaussianNoise(noise)(photo, seed=wish.seed), photo
        told = f"noise of {noise * 255:.1f}/255 added, {float(psnr(data, photo)):.2f} dB"
    denoising = [plan_denoising(data, model=name, noise=noise) for name in DENOISING]
    return [(plan.model, plan.why) for plan in denoising], reference, told
