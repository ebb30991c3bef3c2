"""Carrying a recipe out: images in, a run folder with a model in it out."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from mindl.core.errors import ImageFileError
from mindl.data import DeadLeaves, Photographs, Place, Source, Together
from mindl.images.photographs import COFFEE
from mindl.learning import Run, TrainingWatch, Validation, fit, read_record, solved
from mindl.recipes.card import model_card
from mindl.recipes.recipe import Recipe
from mindl.store import save

HELD_OUT = 10
"""One photograph in so many is kept for the validation."""

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
    note: str = "",
    watch: TrainingWatch | None = None,
) -> Run:
    """Train by a recipe, on dead leaves and the photographs of a folder; the network goes to ``folder/model``.

    Every tenth photograph (in the order of names, from the first on, five at most) is not trained on but validated
    on, beside dead leaves of other seeds. Without a folder the photograph that ships with mindl is.

    Args:
        recipe: what is made.
        folder: of the run.
        images: a folder of photographs; None trains on dead leaves alone.
        steps: instead of the recipe's.
        seed, workers, resume, watch: as for ``fit``.
        note: a sentence for the card, say on the images' licence.

    Raises:
        InputError, TrainingError, OutputError: as for ``fit``.
    """
    settings = replace(recipe.training, seed=seed, workers=workers)
    if steps is not None:
        settings = replace(settings, steps=steps)
    net = recipe.make()
    source, unseen, crop = _sources(recipe, net.channels or 1, images)
    validation = Validation(recipe.examined, unseen, count=len(unseen), crop=crop)
    if recipe.solved:
        source = solved(
            recipe.task, source, count=recipe.solved, crop=settings.crop, seed=seed, folder=Path(folder) / "solved"
        )
    run = fit(net, recipe.task, source, settings, validation=validation, folder=folder, resume=resume, watch=watch)
    if run.finished:
        examined = [row for row in read_record(folder) if "excess" in row]
        card = model_card(
            recipe, run.net, source, validation, steps=run.steps, note=note, left_out=len(run.skipped)
        )
        save(run.net, Path(folder) / "model", card=card, record=examined, overwrite=True)
    return run


def _sources(recipe: Recipe, channels: int, images: str | os.PathLike[str] | None) -> tuple[Source, Source, int]:
    """What is trained on, what is examined, and the side of the crops that are examined."""
    leaves = DeadLeaves(recipe.leaves, channels=channels)
    unseen = DeadLeaves(EXAMINED_LEAVES, seed=UNSEEN, channels=channels)
    if images is None:
        return leaves, Together(Photographs([COFFEE], channels=channels), unseen), EXAMINED_CROP
    photographs = Photographs(images, channels=channels)
    held_out, crop = _usable(photographs, recipe.training.crop)
    kept = [place for place in photographs.places if place not in held_out]
    train = Together(leaves, Photographs(kept, channels=channels)) if kept else leaves
    if not held_out:
        return train, unseen, EXAMINED_CROP
    return train, Together(Photographs(held_out, channels=channels), unseen), crop


def _usable(photographs: Photographs, least: int) -> tuple[list[Place], int]:
    """The photographs that are examined and a crop that fits into all of them; none of a single one."""
    found: list[Place] = []
    crop = EXAMINED_CROP
    places = range(0, len(photographs), HELD_OUT) if len(photographs) > 1 else []
    for place in places:
        if len(found) == EXAMINED:
            break
        try:
            side = min(photographs.image(place).shape[1:])
        except ImageFileError:
            continue  # it is trained on, that is: named and counted there
        if side >= least:
            found.append(photographs.places[place])
            crop = min(crop, side)
    return found, crop
