"""What changes with a step: network, optimiser, average, and the best network so far."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from mindl.core.arrays import PerImage
from mindl.core.errors import InputError, OutputError, TrainingError
from mindl.core.processes import mean_of_all, share
from mindl.core.randomness import Purpose, generator_for, global_draws_from
from mindl.core.records import Row
from mindl.learning.average import Average
from mindl.learning.losses import Loss
from mindl.learning.monitor import Instruments, Losses
from mindl.learning.run_folder import Checkpoint, Keeper
from mindl.learning.task import Problem, Task
from mindl.learning.training import Training
from mindl.neural import NeuralSolver, ReadingSolver


class Learner:
    """A network that learns, one step at a time."""

    def __init__(self, net: NeuralSolver, training: Training) -> None:
        self.net, self.training = net, training
        self._weights = list(net.parameters())
        self.optimiser = training.optimiser.build(self._weights)
        self.average = Average(net, training.average)
        self.best: dict[str, Tensor] | None = None

    @property
    def mean(self) -> NeuralSolver:
        """The network with the averaged weights."""
        return self.average.net  # type: ignore[return-value]

    def learn(
        self, step: int, task: Task, problems: Problem, keeper: Keeper, instruments: Instruments | None = None
    ) -> Row:
        """One step on one batch, or on this process's share of it; its line of the record.

        Raises:
            TrainingError: the loss or the gradient is NaN or infinite.
            InputError: the loss does not depend on the network.
        """
        training = self.training
        rate = training.optimiser.rate * training.schedule.factor(step, training.steps)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        shown = training.loss.shown(problems)
        losses = self.losses(step, task)
        each = losses(self.net, shown)
        loss = _connected(each.mean(), training.loss)
        loss.backward()  # type: ignore[no-untyped-call]
        value = self._shared(loss)
        norm = float(nn.utils.clip_grad_norm_(self._weights, training.clip or math.inf))
        if not math.isfinite(value) or not math.isfinite(norm):
            raise TrainingError(
                f"The loss of step {step + 1} is {value:g} and its gradient's norm {norm:g}: "
                f"the training stops. {_kept(keeper, problems, step)}. Begin anew: a new network, a new folder, a "
                "smaller rate; an energy of one's own may divide by 0."
            )
        look = None
        if instruments is not None:
            look = instruments.look(step + 1, shown, losses, max(1.0, norm / (training.clip or math.inf)))
        self.optimiser.step()
        row: Row = {"step": step + 1, "loss": value, "worst": float(each.detach().max()), "gradient": norm}
        row["rate"] = rate
        if instruments is not None:
            row |= instruments.row(look, problems, losses)
        self.average.update(step)
        return row

    def losses(self, step: int, task: Task) -> Losses:
        """The losses of a network on problems, with the random numbers of a step; every process has its own."""
        training, (which, _) = self.training, share()

        def of(net: NeuralSolver, problems: Problem) -> PerImage:
            generator = generator_for(training.seed, Purpose.LOSS, step, which)
            layers = global_draws_from(training.seed, Purpose.LAYERS, step, *([which] if which else []))
            with layers, _computing_in(net, training.precision):
                return training.loss.of(net, task, problems, generator)

        return of

    def _shared(self, loss: Tensor) -> float:
        """The loss and, in place, the gradients: means over all processes."""
        if share()[1] > 1:
            gradients = [weight.grad for weight in self._weights if weight.grad is not None]
            means = mean_of_all(torch.cat([loss.detach().reshape(1), *(g.flatten() for g in gradients)]))
            parts = torch.split(means[1:], [g.numel() for g in gradients])
            for gradient, part in zip(gradients, parts, strict=True):
                gradient.copy_(part.view_as(gradient))
            loss = means[0]
        return float(loss.detach())

    def remember(self) -> None:
        """The averaged network is the best so far."""
        self.best = {name: tensor.clone() for name, tensor in self.average.net.state_dict().items()}

    def state(self, step: int) -> Checkpoint:
        """All tensors, by name.

        Raises:
            TrainingError: one of them is NaN or infinite.
        """
        tensors = {f"net.{k}": v for k, v in self.net.state_dict().items()}
        if self.average.decay is not None:
            tensors |= {f"mean.{k}": v for k, v in self.average.net.state_dict().items()}
        if self.best is not None:
            tensors |= {f"best.{k}": v for k, v in self.best.items()}
        for number, entries in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{k}": v for k, v in entries.items() if v is not None}
        for name, value in tensors.items():
            if not bool(torch.isfinite(value).all()):
                raise TrainingError(
                    f"After step {step} {name} is NaN or infinite: the training stops, and the checkpoint before "
                    "is kept. Begin anew in a new folder with a smaller learning rate."
                )
        return Checkpoint(step, {k: v.detach().cpu().contiguous() for k, v in tensors.items()})

    def restore(self, checkpoint: Checkpoint) -> None:
        """Put the tensors back."""
        named = checkpoint.tensors
        self.net.load_state_dict(_part(named, "net."))
        if self.average.decay is not None:
            self.average.net.load_state_dict(_part(named, "mean."))
        self.best = _part(named, "best.") or None
        moments: dict[int, dict[str, Any]] = {}
        for name, value in _part(named, "optimiser.").items():
            number, _, entry = name.partition(".")
            if value.ndim:  # laid out as the weights are: the same numbers in another order may round otherwise
                value = torch.empty_like(self._weights[int(number)]).copy_(value)
            moments.setdefault(int(number), {})[entry] = value
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": moments, "param_groups": groups})

    def finish(self) -> None:
        """Hand the best weights to the network, or the averaged ones."""
        self.net.load_state_dict(self.average.net.state_dict() if self.best is None else self.best)
        self.net.eval()


def _connected(mean: Tensor, loss: Loss) -> Tensor:
    """A mean loss that has a derivative."""
    if not mean.requires_grad:
        raise InputError(
            f"The loss does not depend on the network: {type(loss).__name__} must be computed from its answer u "
            "itself, and an energy from u, without detach, numpy or no_grad."
        )
    return mean


@contextlib.contextmanager
def _computing_in(net: NeuralSolver, precision: str) -> Iterator[None]:
    """Let the network inside compute in another precision."""
    if precision == "float32":
        yield
        return
    assert isinstance(net, ReadingSolver)  # fit has seen to it
    net.autocast = getattr(torch, precision)
    try:
        yield
    finally:
        net.autocast = None


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _kept(keeper: Keeper, problems: Problem, step: int) -> str:
    try:
        return keeper.keep_batch(problems, step)
    except OutputError as error:
        return f"The batch could not be kept ({error})"
