"""A network joined to a model: called with the model, it answers with a candidate."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from mindl.core.errors import InputError, ViewError
from mindl.models import Candidate, Energy, Model, Variational
from mindl.neural.range import Range
from mindl.neural.reading import Reading, Shown


class NeuralSolver(nn.Module, ABC):
    """Called with a model, it answers with a ``Candidate``.

    Nothing is promised of that: ``mindl.certify`` proves how near it is, and ``mindl.answer`` lets a solver go on
    where that is not enough. ``accepts`` is the view that the model must have.

    Args:
        channels: image channels that it knows, 1 (grey) or 3 (colour); None: any number.
        title: the name in messages and tables; by default the class's.

    Attributes:
        trained: what the network was trained for; None where that is not known.
        begun_with: the stored network whose weights it began with, where ``mindl.store.transfer`` gave it some.
    """

    accepts: type[Model]

    def __init__(self, *, channels: int | None, title: str | None = None) -> None:
        super().__init__()
        if channels is not None and channels < 1:
            raise InputError(f"{type(self).__name__}(channels={channels}) must be at least 1.")
        self.channels = channels
        self.title = type(self).__name__ if title is None else title
        self.trained: Range | None = None
        self.begun_with: str | None = None

    def check(self, model: Model) -> None:
        """See that the network can answer the model.

        Raises:
            ViewError: the model lacks the view, or what the network reads of it.
            InputError: other channels than the network knows.
        """
        if not isinstance(model, Model):
            raise InputError(
                f"{self.title} is called with a model such as rof(data, weight), got a {type(model).__name__}."
            )
        reason = model.why_not(self.accepts)
        if reason is not None:
            raise ViewError(f"{self.title} needs a {self.accepts.__name__}, and {model.title} is none: {reason}.")
        reason = self.why_not(model)
        if reason is not None:
            raise ViewError(f"{self.title} cannot answer {model.title}: {reason}.")
        shape = model.image_shape
        if shape is None:
            raise InputError(
                f"{self.title} starts from an image, and {model.title} names none: define start(self)."
            )
        if self.channels is None or shape[1] == self.channels or (self.channels == 1 and _separable(model)):
            return
        cure = "make the image grey" if self.channels == 1 else "give an image of as many"
        if self.channels == 1 and isinstance(model, Variational):
            cure += f", or leave the channels apart: {model.title}(..., joint=False)"
        raise InputError(
            f"{self.title} knows {_count(self.channels)}, and the image has {_count(shape[1])}: {cure}."
        )

    def why_not(self, model: Model) -> str | None:
        """What a model with the view lacks all the same, as half a sentence; None where it lacks nothing."""
        return None

    @abstractmethod
    def forward(self, model: Model) -> Candidate:
        """The network's answer to a model.

        Raises:
            ViewError, InputError: as for ``check``.
        """

    @property
    def about(self) -> str:
        """What it is made of, in a word or two."""
        return type(self).__name__

    def __repr__(self) -> str:
        count = sum(parameter.numel() for parameter in self.parameters())
        return f"{self.title} ({self.about}, {count:,} parameters)"


class ReadingSolver(NeuralSolver):
    """Reads a model, runs a network on what it is shown, and turns the output into an answer.

    Args:
        network: a map of tensors (batch, features, height, width), any ``nn.Module``.
        reading: what it is shown of a model.
        channels: image channels that it sees together, 1 (grey) or 3 (colour). A network for one channel
            also serves colour where the model leaves the channels apart, each on its own.
        title: the name in messages and tables; by default the class's.
    """

    channels: int
    autocast: torch.dtype | None = None
    """The type that the network inside computes in, where not that of its weights (mixed precision)."""

    def __init__(
        self, network: nn.Module, reading: Reading, *, channels: int = 1, title: str | None = None
    ) -> None:
        super().__init__(channels=channels, title=title)
        if not isinstance(reading, Reading):
            raise InputError(f"{type(self).__name__}(reading) needs an object such as Start(), got {reading!r}.")
        self.network, self.reading = network, reading

    def why_not(self, model: Model) -> str | None:
        """What cannot be read."""
        return self.reading.why_not(model)

    def forward(self, model: Model) -> Candidate:
        """The answer that belongs to the network's output."""
        return self.with_network(self.on_planes, model)

    def with_network(self, network: Callable[[Tensor], Tensor], model: Model) -> Candidate:
        """The answer where ``network``, a map like ``on_planes``, takes the place of the network inside."""
        self.check(model)
        view: Energy = model.view(self.accepts)  # type: ignore[assignment]
        shown = self.reading(model)
        return self.answer(view, self._run(network, shown), shown)

    @abstractmethod
    def answer(self, view: Any, output: Tensor, shown: Shown) -> Candidate:
        """The candidate that belongs to the output, (batch, channel, component, height, width)."""

    def on_planes(self, planes: Tensor) -> Tensor:
        """The network's output for planes (image, feature, height, width).

        Raises:
            InputError: the network changes the size, or gives some channels more values than others.
        """
        with torch.autocast(planes.device.type, self.autocast, enabled=self.autocast is not None):
            output: Tensor = self.network(planes.to(self.weights_dtype))
        if output.ndim != 4 or output.shape[2:] != planes.shape[2:] or output.shape[1] % self.channels:
            raise InputError(
                f"{self.title}: the network returned the shape {tuple(output.shape)} for {tuple(planes.shape)}; "
                "it must keep the size and give the same number of values to each channel."
            )
        return output

    def _run(self, network: Callable[[Tensor], Tensor], shown: Shown) -> Tensor:
        batch, channels, _, height, width = shown.values.shape
        groups = batch if channels == self.channels else batch * channels
        output = network(shown.values.reshape(groups, -1, height, width))
        return output.reshape(batch, channels, -1, height, width).to(shown.values.dtype)

    @property
    def weights_dtype(self) -> torch.dtype:
        """The type of its weights."""
        for parameter in self.parameters():
            return parameter.dtype
        return torch.float32

    @property
    def about(self) -> str:
        """The architecture."""
        return type(self.network).__name__


@contextlib.contextmanager
def in_use(net: nn.Module) -> Iterator[None]:
    """The network as it is used rather than trained, and without derivatives; afterwards as it was."""
    training = net.training
    net.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        net.train(training)


def _separable(model: Model) -> bool:
    return bool(getattr(model, "separable", False))


def _count(channels: int) -> str:
    return "1 channel" if channels == 1 else f"{channels} channels"
