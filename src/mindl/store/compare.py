"""Two stored networks beside each other: settings, weights, answers."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mindl.core.records import flat
from mindl.images import GaussianNoise, grey
from mindl.images.photographs import coffee
from mindl.models import Model
from mindl.neural import NeuralSolver
from mindl.neural.neural_solver import in_use
from mindl.store import probe
from mindl.store.folder import find, load, read_config, weights_of


@dataclass(frozen=True)
class TensorDifference:
    """One tensor that both have.

    Attributes:
        largest: the largest difference of a value.
        relative: :math:`\\|a - b\\| / \\max(\\|a\\|, \\|b\\|)`.
    """

    largest: float
    relative: float


@dataclass(frozen=True)
class Comparison:
    """What two stored networks have in common, and what not.

    Attributes:
        settings: what their configurations say otherwise, by dotted name: the first's and the second's.
        only_first, only_second: tensors that only one has.
        reshaped: tensors of different shapes: the first's and the second's.
        tensors: the others, and how far apart they are.
        answers: root mean square difference of their answers to one problem in grey levels of 255; None where they
            do not answer a common model.
        asked: the model of that problem.
    """

    settings: dict[str, tuple[Any, Any]]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    reshaped: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]
    tensors: dict[str, TensorDifference]
    answers: float | None
    asked: str | None

    @property
    def equal(self) -> bool:
        """Whether all settings and weights are the same."""
        same = all(difference.largest == 0 for difference in self.tensors.values())
        return same and not (self.settings or self.only_first or self.only_second or self.reshaped)


LEFT_OUT = ("name", "net.title", "format", "checksum", "sha256")
"""What may differ between two copies of one network."""


def compare(first: str | os.PathLike[str], second: str | os.PathLike[str]) -> Comparison:
    """Compare two stored networks: names that ship with mindl, or model folders.

    Raises:
        UnknownNameError, StoreError: as for ``mindl.load``.

    >>> compare("unet-rof", "unet-rof").equal
    True
    """
    folders: tuple[Path, Path] = find(first), find(second)
    one, other = (_settings(folder) for folder in folders)
    settings = {
        k: (one.get(k), other.get(k)) for k in sorted(one.keys() | other.keys()) if one.get(k) != other.get(k)
    }
    a, b = (weights_of(folder) for folder in folders)
    both = [name for name in a if name in b]
    answers, asked = _answers(*(load(folder) for folder in folders))
    return Comparison(
        settings=settings,
        only_first=tuple(name for name in a if name not in b),
        only_second=tuple(name for name in b if name not in a),
        reshaped={n: (tuple(a[n].shape), tuple(b[n].shape)) for n in both if a[n].shape != b[n].shape},
        tensors={n: _difference(a[n], b[n]) for n in both if a[n].shape == b[n].shape},
        answers=answers,
        asked=asked,
    )


def _settings(folder: Path) -> dict[str, Any]:
    return {k: v for k, v in flat(read_config(folder)).items() if not k.startswith(LEFT_OUT)}


def _difference(a: Tensor, b: Tensor) -> TensorDifference:
    apart, size = a.double() - b.double(), torch.maximum(a.double().norm(), b.double().norm()).clamp(min=1e-30)
    return TensorDifference(float(apart.abs().max()), float(apart.norm() / size))


def _answers(one: NeuralSolver, other: NeuralSolver) -> tuple[float | None, str | None]:
    """How far the answers to a model are apart that both know, and its name."""
    channels = {net.channels or 1 for net in (one, other)}
    if len(channels) > 1:
        return None, None
    clean = grey(coffee()) if channels == {1} else coffee()
    photograph = GaussianNoise(25 / 255)(clean, seed=0)
    common = set(probe.answered_by(other, *channels))
    for name in probe.answered_by(one, *channels):
        model: Model = probe.model_named(name, photograph)
        if name not in common:
            continue
        with in_use(one), in_use(other), probe.silent():
            apart = one(model).image.double() - other(model).image.double()
        return float(255 * torch.sqrt((apart * apart).mean())), name
    return None, None
