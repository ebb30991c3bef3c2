"""Carrying a recipe out: images in, a run folder with a model in it out."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from mindl.data import DeadLeaves, Inspection, Photographs, Place, Source, Together, inspect, split
from mindl.images.photographs import COFFEE
from mindl.learning import RateRange, Run, TrainingWatch, Validation, fit, rate_range, read_record, solved
from mindl.learning.run_folder import check_place
from mindl.recipes.card import model_card
from mindl.recipes.recipe import Recipe
from mindl.store import save, transfer

HELD_OUT = 0.1
"""The share of the photographs that is kept for the validation."""

EXAMINED, EXAMINED_LEAVES, EXAMINED_CROP = 5, 3, 128
"""At most so many photographs, and so many dead leaves pictures, are validated on, by crops of this side."""

UNSEEN = 1_000_000
"""Seed of the dead leaves that are validated on, far from those that are trained on."""


def train(
    recipe: Recipe,
    folder: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str] | None = None,
    steps: int | None = None,
    seed: int = 0,
    workers: int = 0,
    resume: bool = False,
    start: str | os.PathLike[str] | None = None,
    note: str = "",
    watch: TrainingWatch | None = None,
    check: bool = False,
) -> Run:
    """Train by a recipe, on dead leaves and the photographs of a folder; the network goes to ``folder/model``.

    A tenth of the photographs (five are enough) is not trained on but validated on, beside dead leaves of other
    seeds; photographs that are nearly the same are on one side (``mindl.data.split``). Without photographs the one
    that ships with mindl is validated on.

    Args:
        recipe: what is made.
        folder: of the run.
        images: a folder of photographs, or what else ``mindl.data.find`` takes; None trains on dead leaves alone.
        steps: instead of the recipe's.
        seed, workers, resume, watch, check: as for ``fit``.
        start: a stored network of the same architecture whose weights are begun with (fine-tuning).
        note: a sentence for the card, say on the images' licence.

    Raises:
        InputError, TrainingError, OutputError: as for ``fit``.
        StoreError: the weights to begin with do not fit; every missing and extra tensor is named.
    """
    check_place(folder, resume=resume)
    settings = replace(recipe.training, seed=seed, workers=workers)
    if steps is not None:
        settings = replace(settings, steps=steps)
    net = recipe.make()
    if start is not None:
        transfer(net, start)
    source, unseen, crop = _sources(recipe, net.channels or 1, images)
    validation = Validation(recipe.examined, unseen, count=len(unseen), crop=crop)
    if recipe.solved:
        source = solved(
            recipe.task, source, count=recipe.solved, crop=settings.crop, seed=seed, folder=Path(folder) / "solved"
        )
    run = fit(
        net,
        recipe.task,
        source,
        settings,
        validation=validation,
        folder=folder,
        resume=resume,
        watch=watch,
        check=check,
    )
    if run.finished and run.folder is not None:  # of several processes one has a folder
        examined = [row for row in read_record(folder) if "excess" in row]
        card = model_card(
            recipe,
            run.net,
            source,
            validation,
            steps=run.steps,
            note=note,
            start=run.net.begun_with,
            left_out=len(run.skipped),
        )
        save(run.net, Path(folder) / "model", card=card, record=examined, overwrite=True)
    return run


def learning_rates(recipe: Recipe, *, images: str | os.PathLike[str] | None = None, seed: int = 0) -> RateRange:
    """A sweep of learning rates with the network and the images of a recipe; see ``mindl.learning.rate_range``.

    Raises:
        InputError, TrainingError: as for ``rate_range``.
    """
    settings = replace(recipe.training, seed=seed)
    net = recipe.make()
    source, _, _ = _sources(recipe, net.channels or 1, images)
    if recipe.solved:
        source = solved(recipe.task, source, count=recipe.solved, crop=settings.crop, seed=seed)
    return rate_range(net, recipe.task, source, settings)


def _sources(recipe: Recipe, channels: int, images: str | os.PathLike[str] | None) -> tuple[Source, Source, int]:
    """What is trained on, what is examined, and the side of the crops that are examined."""
    leaves = DeadLeaves(recipe.leaves, channels=channels)
    unseen = DeadLeaves(EXAMINED_LEAVES, seed=UNSEEN, channels=channels)
    if images is None:
        return leaves, Together(Photographs([COFFEE], channels=channels), unseen), EXAMINED_CROP
    found = inspect(images)
    held_out = _held_out(found, recipe.training.crop)
    places = [finding.place for finding in found.findings]  # broken ones too: they are named and counted there
    kept = [place for place in places if place not in held_out]
    photographs = Photographs(kept, channels=channels) if kept else leaves
    train = Together(leaves, photographs) if kept and not recipe.only_images else photographs
    if not held_out:
        return train, unseen, EXAMINED_CROP
    crop = min(min(f.width, f.height) for f in found.usable if f.place in held_out)
    return train, Together(Photographs(held_out, channels=channels), unseen), min(crop, EXAMINED_CROP)


def _held_out(found: Inspection, least: int) -> list[Place]:
    """The photographs that are examined, none smaller than the crops of the training; none of a single one."""
    if len(found.groups) < 2:
        return []
    sizes = {finding.place: min(finding.width, finding.height) for finding in found.usable}
    parts = split(found, {"train": 1 - HELD_OUT, "examined": HELD_OUT})
    return [place for place in parts["examined"] if sizes[place] >= least][:EXAMINED]
