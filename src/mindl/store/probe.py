"""A probe: an input and its output, by which a loaded network shows that it is what was stored."""

from __future__ import annotations

import contextlib
import copy
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mindl.core.errors import InputError, MindlError, MindlWarning, StoreError
from mindl.core.randomness import generator_for
from mindl.models import DENOISING, FLOWS, INPAINTING, UNPROVED_INPAINTING, Model
from mindl.neural import NeuralSolver, ReadingSolver, RidgeRegulariser
from mindl.neural.neural_solver import in_use

SIZE = (13, 17)
"""Height and width of the input: odd, and not square."""

WEIGHT, KNOWN = 0.1, 0.3
"""Weight and share of known pixels of the models that are answered."""

INSIDE = "the network inside"
"""What is probed of a solver that reads: any model may be behind it, also one of the user's own."""


def model_named(name: str, data: Tensor) -> Model:
    """A model of this package for some data, with a usual weight or a fixed random mask.

    Raises:
        StoreError: no model of that name.
    """
    if name in DENOISING:
        return DENOISING[name](data, WEIGHT)
    if name in FLOWS:
        return FLOWS[name](data)
    mask = torch.rand(data.shape[0], 1, *data.shape[2:], generator=generator_for(1)) < KNOWN
    for table in (INPAINTING, UNPROVED_INPAINTING):
        if name in table:
            return table[name](data, mask)
    raise StoreError(f"A probe asks for the model {name!r}, which this version of mindl does not have.")


@dataclass(frozen=True, eq=False)
class Question:
    """What a network is asked: the name of a model that it answers, or ``INSIDE``, and the input."""

    name: str
    values: Tensor


def question_for(net: nn.Module) -> Question:
    """What a network can be asked; the model that it was trained for, if it is one of this package.

    Raises:
        InputError: it answers none of this package's models.
    """
    if isinstance(net, ReadingSolver):
        return Question(INSIDE, _values(net.channels * net.reading.features))
    if isinstance(net, RidgeRegulariser):
        return Question(INSIDE, _values(1))
    assert isinstance(net, NeuralSolver)
    for channels in (1, 3) if net.channels is None else (net.channels,):
        for name in answered_by(net, channels):
            return Question(name, _values(channels))
    raise InputError(f"{net.title} answers none of mindl's models, so that a stored copy could not be checked.")


def answered_by(net: NeuralSolver, channels: int) -> Iterator[str]:
    """The models of this package that a network answers, by name; the one it was trained for first."""
    names = [*DENOISING, *INPAINTING, *FLOWS, *UNPROVED_INPAINTING]
    wished = None if net.trained is None else net.trained.model
    for name in sorted(names, key=lambda name: name != wished):
        try:
            with in_use(net), silent():
                net(model_named(name, _values(channels)))
        except MindlError:  # not for this network
            continue
        yield name


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Without words on fixed points that are not reached."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MindlWarning)
        yield


def make(net: nn.Module, question: Question) -> bytes:
    """The input and the network's output, as ``probe.npz``.

    Raises:
        InputError: the network answers NaN or infinity.
    """
    output = _output(copy.deepcopy(net).cpu(), question)
    if not bool(torch.isfinite(output).all()):
        raise InputError(f"{_title(net)} answers NaN or infinity: its weights are broken, and are not stored.")
    buffer = io.BytesIO()
    np.savez(buffer, input=question.values.numpy(), output=output.numpy())
    return buffer.getvalue()


def difference(net: nn.Module, name: str, content: bytes) -> float:
    """The largest difference of the output to what it was, relative to its largest value.

    Raises:
        StoreError: the probe is no question for this network.
    """
    with np.load(io.BytesIO(content), allow_pickle=False) as probe:
        values, wanted = torch.from_numpy(probe["input"]), torch.from_numpy(probe["output"])
    try:
        found = _output(net, Question(name, values))
    except InputError as error:
        raise StoreError(f"{_title(net)} cannot answer its own probe ({name}): {error}") from error
    return float((found - wanted).abs().max() / wanted.abs().max().clamp(min=1e-30))


def _values(channels: int) -> Tensor:
    return torch.rand(2, channels, *SIZE, generator=generator_for(0))


def _output(net: Any, question: Question) -> Tensor:
    values = question.values
    with in_use(net), silent():
        if question.name != INSIDE:
            output: Tensor = net(model_named(question.name, values)).image
        elif isinstance(net, ReadingSolver):
            output = net.network(values.to(net.weights_dtype))
        elif isinstance(net, RidgeRegulariser):
            output = net(values).gradient(values)
        else:
            raise StoreError(f"{net.title} has no {INSIDE} that could be probed.")
    return output.contiguous()


def _title(net: nn.Module) -> str:
    return net.title if isinstance(net, NeuralSolver) else type(net).__name__
