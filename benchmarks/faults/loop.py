"""Ways to break the training loop while a run goes on; each gives a patch that a ``Setting`` carries."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import torch
from torch.nn import functional

from benchmarks.faults.setting import Patch
from mindl.learning.learner import Learner
from mindl.learning.optimisers import SGD, Adam
from mindl.learning.schedules import Cosine
from mindl.learning.stream import Batch, Stream
from mindl.learning.task import Problem


def batches(change: Callable[[int, Problem], Problem]) -> Patch:
    """Batch ``number`` is another one."""
    drawn = Stream.batch

    def batch(self: Stream, number: int) -> Batch:
        made = drawn(self, number)
        return Batch(change(number, made.problems), made.skipped)

    return lambda: patch.object(Stream, "batch", batch)


def waiting(seconds: Callable[[int], float]) -> Patch:
    """Problem ``number`` of the stream takes longer to be drawn."""
    drawn = Stream.batch

    def batch(self: Stream, number: int) -> Batch:
        time.sleep(sum(seconds(number * self.size + i) for i in range(self.size)))
        return drawn(self, number)

    return lambda: patch.object(Stream, "batch", batch)


def rates(change: Callable[[float, float], float]) -> Patch:
    """The schedule's factor is another one, given what it was and the share of the run that is done."""
    usual = Cosine.factor

    def factor(self: Cosine, step: int, steps: int) -> float:
        return change(usual(self, step, steps), step / steps)

    return lambda: patch.object(Cosine, "factor", factor)


def spike(at: int, factor: float) -> Patch:
    """One step, counted from 1, has a rate so many times as large."""
    usual = Cosine.factor

    def of(self: Cosine, step: int, steps: int) -> float:
        return usual(self, step, steps) * (factor if step + 1 == at else 1.0)

    return lambda: patch.object(Cosine, "factor", of)


def not_cleared() -> Any:
    """Gradients are never set to zero."""
    return patch.object(torch.optim.Optimizer, "zero_grad", lambda self, set_to_none=True: None)


def half_of_the_weights() -> Any:
    """The optimiser is given the latter half of the weights only."""
    usual = Adam.build

    def build(self: Adam, parameters: Any) -> torch.optim.Optimizer:
        given = list(parameters)
        return usual(self, given[len(given) // 2 :])

    return patch.object(Adam, "build", build)


def stale() -> Any:
    """The optimiser is given the gradient of the batch before, as where steps and batches overlap wrongly."""
    usual, kept = Learner._shared, {}

    def shared(self: Learner, loss: torch.Tensor) -> float:
        now = [None if w.grad is None else w.grad.clone() for w in self._weights]
        for weight, before in zip(self._weights, kept.get("gradients", now), strict=True):
            weight.grad = before
        kept["gradients"] = now
        return usual(self, loss)

    return patch.object(Learner, "_shared", shared)


def at(share: float, change: Callable[[Learner, dict[str, torch.Tensor]], None]) -> Patch:
    """When so much of the run is done, something is done to the learner, given its initial weights."""
    usual, first = Learner.learn, {}

    def learn(self: Learner, step: int, *rest: Any) -> Any:
        if step == 0:
            first.update({name: value.clone() for name, value in self.net.state_dict().items()})
        if step == round(share * self.training.steps):
            change(self, first)
        return usual(self, step, *rest)

    return lambda: patch.object(Learner, "learn", learn)


def forget_weights(learner: Learner, first: dict[str, torch.Tensor]) -> None:
    """The weights and their average are the initial ones again; what the optimiser knows stays."""
    learner.net.load_state_dict(first)
    learner.mean.load_state_dict(first)


def forget_moments(learner: Learner, first: dict[str, torch.Tensor]) -> None:
    """The optimiser begins anew."""
    learner.optimiser.state.clear()


def tanh_for_rectifiers() -> Any:
    """Every rectifier is a tanh."""
    return patch.object(functional, "relu", lambda values, inplace=False: torch.tanh(values))


ORDINARY_SGD = SGD(rate=0.1, momentum=0.9)
"""Stochastic gradient descent at a rate that suits these networks."""
