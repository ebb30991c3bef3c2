"""The verb ``bench loading``: how fast batches are made, beside how fast a network takes them."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from rich.console import Console

from mindl.data import Cache, DeadLeaves, Mapped, Memory, Photographs
from mindl.images import write
from mindl.learning import Training, fit
from mindl.learning.stream import Stream
from mindl.recipes.unet_rof import UNET_ROF

REPEATS = 3
"""Times that each figure is measured; the middle one is told."""

PICTURES, SIDE = 32, 512
"""Made where no folder is given: so many files, of this side."""


@dataclass(frozen=True)
class Row:
    """Samples a second, made in one way."""

    way: str
    workers: int
    samples: float


def measure(images: Path | None, batches: int, output: Path | None, *, quiet: bool, as_json: bool) -> None:
    """Make batches in every way, and let a network learn from batches that are there already."""
    console = Console(stderr=True, quiet=quiet)
    with tempfile.TemporaryDirectory() as place:
        folder = _made(Path(place) / "pictures") if images is None else images
        rows = []
        for way, cache in _ways(Path(place)):
            for workers in (0, 1, 2):
                console.print(f"{way}, {workers} workers", highlight=False)
                rows.append(Row(way, workers, _rate(folder, cache, workers, batches)))
        taken = _appetite(folder, batches)
    text = page(rows, taken)
    told = {"rows": [asdict(row) for row in rows], "taken": taken}
    sys.stdout.write(json.dumps(told, indent=2) + "\n" if as_json else text)
    if output is not None:
        output.write_text(text, encoding="utf-8")


def page(rows: list[Row], taken: float) -> str:
    """The table in Markdown."""
    lines = ["| images are | workers | samples a second | of what the network takes |", "|:--|--:|--:|--:|"]
    for row in rows:
        lines.append(f"| {row.way} | {row.workers} | {row.samples:.0f} | {row.samples / taken:.2g} x |")
    training = UNET_ROF.training
    crops = f"crops of {training.crop} x {training.crop}, {training.batch} in a batch"
    return "\n".join(lines) + f"\n\nThe network of `unet-rof` takes {taken:.0f} samples a second ({crops}).\n"


def _ways(place: Path) -> Iterator[tuple[str, Cache]]:
    yield "decoded every time", Memory(gigabytes=0)
    yield "kept in memory", Memory()
    yield "mapped", Mapped(place / "decoded")


def _made(folder: Path) -> Path:
    folder.mkdir()
    leaves = DeadLeaves(4, size=SIDE)
    for index in range(PICTURES):
        write(folder / f"{index:02d}.png", leaves.image(index % 4).rot90(index // 4, (1, 2))[None])
    return folder


def _stream(folder: Path, cache: Cache) -> Stream:
    training = UNET_ROF.training
    return Stream(
        Photographs(folder, cache=cache),
        UNET_ROF.task,
        batch=training.batch,
        crop=training.crop,
        crops_per_image=training.crops_per_image,
        seed=0,
    )


def _rate(folder: Path, cache: Cache, workers: int, batches: int) -> float:
    """Samples a second, once each worker has begun and what can be kept is kept."""
    rates = []
    stream = _stream(folder, cache)
    for _ in range(REPEATS):
        made = stream.batches(0, 2 * batches, workers)
        for _ in range(batches):
            next(made)
        begun = time.perf_counter()
        for _ in range(batches):
            next(made)
        rates.append(batches * stream.size / (time.perf_counter() - begun))
        made.close()  # type: ignore[attr-defined]
    return median(rates)


class _Clock:
    """When each step ended, and how long its batch was waited for."""

    def __init__(self) -> None:
        self.learning: list[float] = []

    def stepped(self, row: dict[str, float], steps: int) -> None:
        """The time of a step without the wait."""
        self.learning.append(row["seconds"] - row["waited"])

    def skipped(self, name: str, why: str) -> None:
        """Nothing."""


def _appetite(folder: Path, steps: int) -> float:
    """Samples a second that the network of a recipe learns from, waiting for batches not counted."""
    training, clock = UNET_ROF.training, _Clock()
    settings = Training(
        steps=max(steps, 5),
        batch=training.batch,
        crop=training.crop,
        loss=training.loss,
        optimiser=training.optimiser,
    )
    fit(UNET_ROF.make(), UNET_ROF.task, Photographs(folder), settings, watch=clock)
    return training.batch / median(clock.learning)
