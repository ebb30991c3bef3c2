"""The verb ``compare``: every model and solver side by side on a photograph of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from mindl.app.report import Progress, Row, complain, print_rows, say
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
    Stop(wish.tolerance).check(torch.float32)
    given = [wish.known, wish.mask, wish.damage]
    if sum(value is not None for value in given) > 1:
        raise MaskError("Give one of --known, --mask and --damage.")
    if wish.plot is not None:
        if len(inputs) > 1:
            raise InputError("A plot belongs to one photograph: compare them one at a time.")
        if wish.plot.exists() and not overwrite:
            raise OutputError(f"{wish.plot} exists already; --overwrite replaces it.")
    rows: list[Row] = []
    failed: list[str] = []
    for source in inputs:
        try:
            rows += _one(source, wish, quiet=quiet or as_json, overwrite=overwrite)
        except MindlError as error:
            failed.append(str(error))
    print_rows(rows, as_json=as_json, quiet=quiet)
    for message in failed:
        complain(message)
    if failed:
        return 1
    return 0 if all(row.certified for row in rows) else 3


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
            rows.append(Row.of(solution, source.name, why, quality))
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
        data, reference, told = photo, None, "taken as it is; its noise is estimated"
        noise = wish.noise
    else:
        noise = 25 / 255 if wish.noise is None else wish.noise
        data, reference = GaussianNoise(noise)(photo, seed=wish.seed), photo
        told = f"noise of {noise * 255:.1f}/255 added, {float(psnr(data, photo)):.2f} dB"
    denoising = [plan_denoising(data, model=name, noise=noise) for name in DENOISING]
    return [(plan.model, plan.why) for plan in denoising], reference, told
