"""How a network is trained, as data: everything that a run depends on beside network, task and images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mindl.core.arguments import number, whole
from mindl.core.errors import InputError
from mindl.data import Source
from mindl.learning.early_stop import EarlyStop
from mindl.learning.losses import EnergyLoss, Loss
from mindl.learning.optimisers import Adam, Optimiser
from mindl.learning.schedules import Cosine, Schedule
from mindl.learning.stream import Stream
from mindl.learning.task import Task

PRECISIONS = ("float32", "bfloat16")
"""What a network may compute in while it learns; its weights are float32 in any case."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """The settings of a run.

    Args:
        steps: steps of the optimiser, one batch each.
        batch, crop, crops_per_image: as for ``Stream``.
        seed: of everything random but the network's initial weights, which are its own.
        loss: what is made small.
        optimiser, schedule: how.
        clip: the gradient's norm is cut down to this; None: never.
        average: decay of the running average of the weights, which is what is kept in the end (Polyak); None:
            the last weights are.
        early_stop: ends the run when examinations no longer get better, and keeps the best; None: never.
        precision: ``bfloat16`` lets the network inside a solver that reads compute in half precision (autocast);
            its weights, the model and the loss stay float32. It pays where the processor has units for it.
        workers: processes that make batches beside the one that learns; they change nothing in the result.
        check_every: steps from one validation and checkpoint to the next.

    Raises:
        InputError: a number out of its range.
    """

    steps: int = 2000
    batch: int = 16
    crop: int = 64
    crops_per_image: int = 16
    seed: int = 0
    loss: Loss = field(default_factory=EnergyLoss)
    optimiser: Optimiser = field(default_factory=Adam)
    schedule: Schedule = field(default_factory=Cosine)
    clip: float | None = 1.0
    average: float | None = 0.998
    early_stop: EarlyStop | None = None
    precision: str = "float32"
    workers: int = 0
    check_every: int = 200

    def __post_init__(self) -> None:
        least = {
            "steps": 0,
            "batch": 1,
            "crop": 1,
            "crops_per_image": 1,
            "seed": 0,
            "workers": 0,
            "check_every": 1,
        }
        for name, low in least.items():
            whole(getattr(self, name), low, f"Training({name})")
        for name, kind, meant in (
            ("loss", Loss, "EnergyLoss()"),
            ("optimiser", Optimiser, "Adam(rate=4e-3)"),
            ("schedule", Schedule, "Cosine()"),
            ("early_stop", EarlyStop | None, "EarlyStop(patience=10)"),
        ):
            if not isinstance(getattr(self, name), kind):
                raise InputError(f"Training({name}={getattr(self, name)!r}) must be an object such as {meant}.")
        if self.precision not in PRECISIONS:
            raise InputError(f"Training(precision={self.precision!r}) must be one of {', '.join(PRECISIONS)}.")
        if self.clip is not None:
            number(self.clip, "Training(clip), if it is not None,", above=0)
        if self.average is not None:
            number(self.average, "Training(average), if it is not None,", least=0, below=1)

    def stream(self, source: Source, task: Task, share: tuple[int, int] = (0, 1)) -> Stream:
        """The batches of a run with these settings, or one process's share of them."""
        return Stream(
            source,
            task,
            batch=self.batch,
            crop=self.crop,
            crops_per_image=self.crops_per_image,
            seed=self.seed,
            share=share,
        )

    @property
    def config(self) -> dict[str, Any]:
        """What the result depends on: all but ``workers``."""
        return {
            "steps": self.steps,
            "batch": self.batch,
            "crop": self.crop,
            "crops_per_image": self.crops_per_image,
            "seed": self.seed,
            "loss": repr(self.loss),
            "optimiser": repr(self.optimiser),
            "schedule": repr(self.schedule),
            "clip": self.clip,
            "average": self.average,
            "early_stop": repr(self.early_stop),
            "precision": self.precision,
            "check_every": self.check_every,
        }
