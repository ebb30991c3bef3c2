"""Everything that a small run is made of, and how it is run."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from torch import Tensor

import mindl as md
from benchmarks.faults.sources import leaves, unseen_leaves
from mindl.core.errors import MindlWarning, TrainingError
from mindl.core.records import Row
from mindl.data import Source
from mindl.learning import (
    Cosine,
    Denoising,
    EnergyLoss,
    GapLoss,
    Inpainting,
    Monitor,
    SupervisedLoss,
    Task,
    Training,
    Validation,
)
from mindl.learning.optimisers import Adam
from mindl.models import Energy
from mindl.nets import DnCNN, UNet
from mindl.neural import Direct, Filled, NeuralSolver, SplinePenaliser, Start, StepSizes, Unrolled
from mindl.solvers import GradientDescent, PrimalDual

STEPS, BATCH, CROP, CHECKS = 240, 8, 24, 12
"""Of a run: its length, problems in a batch and their side, examinations."""

STEPS_UNROLLED = 120
"""Of a run of an unrolled solver: few numbers are learned soon, and its steps take longer."""

NOISE, KNOWN = 25 / 255, 0.2

PLAIN = (("cnn", "denoise"), ("cnn", "inpaint"), ("unet", "denoise"), ("unet", "inpaint"))
"""Architectures and tasks of networks that read the model."""

UNROLLED = (("unrolled", "charbonnier"), ("unrolled", "rof"))
"""Those of networks that are solvers."""

Patch = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """Everything of one run.

    Attributes:
        architecture: ``cnn``, ``unet`` or ``unrolled``.
        task_name: ``denoise`` or ``inpaint``; of unrolled solvers the model, ``charbonnier`` or ``rof``.
        seed: of the network's weights, of the images and of all draws.
        patches: what is changed in the training loop while the run goes on.
        broken_off: the run breaks off after so many steps; None: never.
        resumed: whether it then goes on from its last checkpoint.
    """

    architecture: str
    task_name: str
    seed: int
    net: NeuralSolver
    task: Task
    source: Source
    training: Training
    validation: Validation
    monitor: Monitor = Monitor(every=10)  # noqa: RUF009
    patches: tuple[Patch, ...] = ()
    broken_off: int | None = None
    resumed: bool = False

    def trained(self, **changes: Any) -> Setting:
        """With other settings of ``Training``."""
        return replace(self, training=replace(self.training, **changes))

    def patched(self, *patches: Patch) -> Setting:
        """With further changes of the loop."""
        return replace(self, patches=(*self.patches, *patches))


@dataclass(frozen=True)
class Written:
    """What a run leaves: its record as it is on disk, and what it was founded with."""

    record: str
    config: dict[str, Any]


def setting(architecture: str, task_name: str, seed: int) -> Setting:
    """A healthy run of an architecture and a task."""
    task, validation = _task(task_name), unseen(task_name)
    steps = STEPS_UNROLLED if architecture == "unrolled" else STEPS
    training = Training(
        steps=steps,
        batch=BATCH,
        crop=CROP,
        crops_per_image=64,
        seed=seed,
        loss=LOSSES[task_name],
        optimiser=Adam(rate=RATES[architecture]),
        schedule=Cosine(warmup=10),
        average=0.95,
        check_every=steps // CHECKS,
    )
    return Setting(
        architecture=architecture,
        task_name=task_name,
        seed=seed,
        net=_net(architecture, task_name, seed),
        task=task,
        source=leaves(seed),
        training=training,
        validation=validation,
    )


LOSSES = {
    "denoise": SupervisedLoss(),
    "inpaint": EnergyLoss(),
    "charbonnier": EnergyLoss(),
    "rof": GapLoss(),
}
RATES = {"cnn": 1e-2, "unet": 6e-3, "unrolled": 2e-2}


def _task(name: str) -> Task:
    if name == "inpaint":
        return Inpainting(known=(KNOWN, KNOWN))
    if name == "charbonnier":
        return Denoising(model_of=_charbonnier, weight_per_noise=(7.5, 7.5))
    return Denoising(noise=(NOISE, NOISE))


def _charbonnier(data: Tensor, weight: Tensor) -> Energy:
    """With a contrast above that of the noise: there the bound of the step size is one that counts."""
    return md.models.charbonnier(data, weight, contrast=0.1)


@cache
def unseen(task_name: str) -> Validation:
    """Problems that are validated on; made once, as their minimisers take a while."""
    return Validation(_task(task_name), unseen_leaves(), count=4, crop=48, seed=7)


def reading(task_name: str) -> Start | Filled:
    """What a network is shown of a model."""
    return Filled() if task_name == "inpaint" else Start()


def _net(architecture: str, task_name: str, seed: int) -> NeuralSolver:
    if architecture == "unrolled":
        solver = GradientDescent() if task_name == "charbonnier" else PrimalDual()
        return Unrolled(solver, 8, [StepSizes(), SplinePenaliser(9)])
    shown = reading(task_name)
    if architecture == "unet":
        return Direct(UNet(shown.features, 1, widths=(8, 12), seed=seed), shown)
    body = DnCNN(shown.features, 1, width=12, depth=5, batch_norm=True, residual=False, seed=seed)
    return Direct(body, shown)


def run(chosen: Setting) -> Written:
    """Carry out a run in a folder of its own, and return what is in it in the end.

    A run that breaks down by NaN leaves the lines that were written so far.
    """
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings(), ExitStack() as stack:
        warnings.simplefilter("ignore", MindlWarning)
        for patch in chosen.patches:
            stack.enter_context(patch())
        folder = Path(place) / "run"
        _fit(chosen, folder, watch=_Ending(chosen.broken_off))
        if chosen.resumed:
            _fit(chosen, folder, resume=True)
        record = (folder / "record.jsonl").read_text(encoding="utf-8")
        return Written(record, json.loads((folder / "config.json").read_text(encoding="utf-8")))


def _fit(chosen: Setting, folder: Path, **more: Any) -> None:
    """Until the end, or until it breaks off or down: the record holds what there is."""
    with suppress(TrainingError, _Over):
        md.fit(
            chosen.net,
            chosen.task,
            chosen.source,
            chosen.training,
            validation=chosen.validation,
            folder=folder,
            monitor=chosen.monitor,
            **more,
        )


class _Over(Exception):
    """The run has broken off."""


class _Ending:
    """Breaks a run off after some steps, as a power cut would."""

    def __init__(self, last: int | None) -> None:
        self._last = last

    def stepped(self, row: Row, steps: int) -> None:
        """Break off where it is time."""
        if self._last is not None and row["step"] >= self._last:
            raise _Over

    def skipped(self, name: str, why: str) -> None:
        """Nothing."""
