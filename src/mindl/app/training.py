"""The verb ``bench training``: every training approach by its recipe, at the same number of steps."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from rich.console import Console

from mindl.core.arrays import Image
from mindl.core.randomness import Purpose, generator_for
from mindl.data import DeadLeaves, Photographs, Source
from mindl.images import psnr
from mindl.images.photographs import COFFEE
from mindl.learning import Training, fit, solved
from mindl.neural import NeuralSolver
from mindl.neural.neural_solver import in_use
from mindl.recipes import APPROACHES, RECIPES, Approach, Recipe
from mindl.recipes.approaches import NOISE
from mindl.solvers import certify, minimise


@dataclass(frozen=True)
class Row:
    """What was found of one approach, means over the images that are examined.

    Attributes:
        name: of the approach.
        shown: what it was shown.
        seconds: of the training, what was solved for it included.
        psnr: of its answers, in dB.
        minimiser: of the solutions of its model; None where it learns no model.
        distance: of its answers to these solutions, in grey levels rms.
        proved: the distance that its certificates prove without a solver's help; None where nothing is.
    """

    name: str
    shown: str
    seconds: float
    psnr: float
    minimiser: float | None
    distance: float | None
    proved: float | None


def compare(images: Path | None, steps: int | None, output: Path | None, *, quiet: bool, as_json: bool) -> None:
    """Train by every approach, and examine all on the same noisy images."""
    torch.set_num_threads(1)  # the same for all, and other work may go on beside it
    console = Console(stderr=True, quiet=quiet)
    unseen: Source = Photographs([COFFEE]) if images is None else Photographs(images)
    leaves = DeadLeaves(64, size=96)
    for index in range(len(leaves)):  # they are kept: making them is not learning
        leaves.image(index)
    rows = []
    for approach in APPROACHES:
        recipe = RECIPES[f"denoise-{approach.name}"]
        settings = recipe.training if steps is None else replace(recipe.training, steps=steps)
        console.print(f"{approach.name}: {settings.steps} steps", highlight=False)
        net, seconds = _trained(recipe, settings, leaves)
        rows.append(_examined(approach, net, unseen, seconds))
    pairs = [(unseen.image(i)[None], i) for i in range(len(unseen))]
    text = page(rows, _mean([float(psnr(_noisy(clean, i), clean)) for clean, i in pairs]), len(unseen))
    sys.stdout.write(json.dumps([asdict(row) for row in rows], indent=2) + "\n" if as_json else text)
    if output is not None:
        output.write_text(text, encoding="utf-8")


def page(rows: list[Row], noisy: float, count: int) -> str:
    """The table in Markdown."""
    head = ("approach", "is shown", "training", "PSNR", "its model's solution", "distance to it", "proved alone")
    lines = [f"| {' | '.join(head)} |", f"|:--|:--|{'--:|' * (len(head) - 2)}"]
    for row in rows:
        cells = [row.name, row.shown, f"{row.seconds:.0f} s", f"{row.psnr:.2f} dB"]
        cells.append("" if row.minimiser is None else f"{row.minimiser:.2f} dB")
        cells.append("" if row.distance is None else f"{row.distance:.2f}")
        cells.append("" if row.proved is None else f"{row.proved:.2f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + f"\n\n{count} images, noisy {noisy:.2f} dB; distances in grey levels rms.\n"


def _trained(recipe: Recipe, settings: Training, leaves: Source) -> tuple[NeuralSolver, float]:
    begun = time.perf_counter()
    net, source = recipe.make(), leaves
    if recipe.solved:
        source = solved(recipe.task, leaves, count=recipe.solved, crop=settings.crop)
    fit(net, recipe.task, source, settings)
    return net, time.perf_counter() - begun


def _examined(approach: Approach, net: NeuralSolver, unseen: Source, seconds: float) -> Row:
    quality, best, apart, proved = [], [], [], []
    for index in range(len(unseen)):
        clean = unseen.image(index)[None]
        model = approach.model_of(_noisy(clean, index), approach.weight_per_noise * NOISE)
        with in_use(net):
            candidate = net(model)
        quality.append(float(psnr(candidate.image, clean)))
        if approach.imitates:
            solution = minimise(model).image
            best.append(float(psnr(solution, clean)))
            apart.append(255 * float((candidate.image - solution).square().mean().sqrt()))
            proved.append(float(certify(model, candidate, effort=0).rms))
    return Row(
        name=approach.name,
        shown=approach.shown,
        seconds=seconds,
        psnr=_mean(quality),
        minimiser=_mean(best) if best else None,
        distance=_mean(apart) if apart else None,
        proved=_mean(proved) if proved and max(proved) < float("inf") else None,
    )


def _noisy(clean: Image, index: int) -> Image:
    noisy: Image = clean + NOISE * torch.randn(clean.shape, generator=generator_for(1, Purpose.EXAMINATION, index))
    return noisy


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
