"""How a network is trained, as data: everything that a run depends on beside network, task and images."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from mindl.core.errors import InputError
from mindl.learning.losses import EnergyLoss, Loss


@dataclass(frozen=True)
class Schedule(ABC):
    """How the learning rate goes with the steps."""

    @abstractmethod
    def factor(self, step: int, steps: int) -> float:
        """What the rate is multiplied by in step ``step`` (from 0) of ``steps``."""


@dataclass(frozen=True)
class Constant(Schedule):
    """The same rate throughout.

    >>> Constant().factor(7, 10)
    1.0
    """

    def factor(self, step: int, steps: int) -> float:
        """1."""
        return 1.0


@dataclass(frozen=True)
class Cosine(Schedule):
    r"""A linear rise over ``warmup`` steps, then half a cosine down to ``floor``.

    Source: Loshchilov and Hutter, ICLR 2017.

    >>> [round(Cosine(warmup=2, floor=0.0).factor(k, 10), 2) for k in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """

    warmup: int = 100
    floor: float = 1e-3

    def factor(self, step: int, steps: int) -> float:
        """Between ``floor`` and 1."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        part = (step - self.warmup) / max(1, steps - self.warmup)
        return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * min(part, 1)))


@dataclass(frozen=True)
class Adam:
    """Adam, with weight decay apart from the gradient where ``decay`` is not 0 (AdamW).

    Source: Kingma and Ba, ICLR 2015; Loshchilov and Hutter, ICLR 2019.
    """

    rate: float = 4e-3
    momentum: float = 0.9
    memory: float = 0.99
    decay: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.rate < math.inf and 0 <= self.momentum < 1 and 0 <= self.memory < 1 and self.decay >= 0):
            raise InputError(f"{self!r} needs rate > 0, momentum and memory in [0, 1), decay >= 0.")

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser of some parameters."""
        betas = (self.momentum, self.memory)
        return torch.optim.AdamW(parameters, lr=self.rate, betas=betas, weight_decay=self.decay)


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
    optimiser: Adam = field(default_factory=Adam)
    schedule: Schedule = field(default_factory=Cosine)
    clip: float | None = 1.0
    average: float | None = 0.998
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
            value = getattr(self, name)
            if not isinstance(value, int) or value < low:
                raise InputError(f"Training({name}={value!r}) must be a whole number, at least {low}.")
        for name, kind, meant in (
            ("loss", Loss, "EnergyLoss()"),
            ("optimiser", Adam, "Adam(rate=4e-3)"),
            ("schedule", Schedule, "Cosine()"),
        ):
            if not isinstance(getattr(self, name), kind):
                raise InputError(f"Training({name}={getattr(self, name)!r}) must be an object such as {meant}.")
        if self.clip is not None and not self.clip > 0:
            raise InputError(f"Training(clip={self.clip}) must be above 0, or None.")
        if self.average is not None and not 0 <= self.average < 1:
            raise InputError(f"Training(average={self.average}) must be at least 0 and below 1, or None.")

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
            "check_every": self.check_every,
        }
