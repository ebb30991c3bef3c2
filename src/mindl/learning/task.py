"""Tasks draw problems: from a clean image the data, the weight, the mask that a model needs."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mindl.core.errors import InputError
from mindl.data import Sample
from mindl.images import random_mask
from mindl.models import Model, harmonic_inpainting, rof
from mindl.neural import Range

Problem = dict[str, Tensor]
"""Named tensors of one problem, without a batch dimension: what was known of the scene (``clean``), and what was
drawn. In a batch each has one more dimension in front."""


class Task(ABC):
    """What is drawn, and which model it makes."""

    @abstractmethod
    def draw(self, given: Sample, generator: torch.Generator) -> Problem:
        """One problem from what is known of a scene: ``given["clean"]`` (channel, height, width), or ``data``.

        All randomness comes from ``generator``, and all that is given stays in the problem.
        """

    @abstractmethod
    def model(self, problems: Problem) -> Model:
        """The model of a batch of problems, an energy or a flow with a rest; in training ``clean`` is hidden
        from it."""

    @property
    @abstractmethod
    def range(self) -> Range:
        """What a network trained on the task knows."""

    def range_on(self, noise: float | None) -> Range:
        """The same, on images that were observed with this noise; None: on clean ones."""
        return self.range

    @property
    def about(self) -> str:
        """One line for records and cards; a run is only gone on with under the same one."""
        return f"{type(self).__name__}: {self.range!r}"


@dataclass(frozen=True, kw_only=True)
class Denoising(Task):
    r"""Gaussian noise of a level drawn between two bounds (evenly in its logarithm), and a weight in proportion.

    Where data are given (``mindl.data.Observed``) no noise is added, and the weight follows from their own.

    Args:
        model_of: makes the model from data (batch, channel, height, width) and weight (batch, 1, 1, 1):
            ``mindl.models.rof``, or an energy of one's own.
        noise: smallest and largest standard deviation, in [0, 1].
        weight_per_noise: smallest and largest ratio of weight and noise.
        second: whether a second noisy image of the same scene is drawn, for ``Noise2Noise``.

    Raises:
        InputError: bounds that are not positive or not in order.

    >>> problem = Denoising().draw({"clean": torch.zeros(1, 8, 8)}, torch.Generator().manual_seed(0))
    >>> sorted(problem)
    ['clean', 'data', 'noise', 'weight']
    """

    model_of: Callable[[Tensor, Tensor], Model] = rof
    noise: tuple[float, float] = (25 / 255, 25 / 255)
    weight_per_noise: tuple[float, float] = (0.75, 0.75)
    second: bool = False

    def __post_init__(self) -> None:
        _check_maker("Denoising", self.model_of)
        _check_bounds("Denoising(noise)", self.noise, 1)
        _check_bounds("Denoising(weight_per_noise)", self.weight_per_noise, math.inf)

    def draw(self, given: Sample, generator: torch.Generator) -> Problem:
        """data, noise, weight, and ``second`` if it is asked for.

        Raises:
            InputError: data whose noise is not known, or a second image of a scene that is only known noisy.
        """
        noise = _between(self.noise, generator)
        ratio = _between(self.weight_per_noise, generator)
        clean, problem = given.get("clean"), dict(given)
        if "data" not in given:
            clean = _clean(given)
            problem |= {"data": _noisy(clean, noise, generator), "noise": torch.tensor(noise)}
        elif "noise" not in given:
            raise InputError(
                "Observed data need a known noise, since the weight follows from it: Observed(..., noise=...), "
                "say by mindl.images.estimate_noise."
            )
        problem["weight"] = (problem["noise"] * ratio).reshape(1, 1, 1)
        if self.second and "second" not in given:
            if clean is None:
                raise InputError(
                    "Denoising(second=True) draws a second noisy image from the clean one, and there is none: "
                    "give a recorded one by Observed(..., second=...)."
                )
            problem["second"] = _noisy(clean, float(problem["noise"]), generator)
        return problem

    def model(self, problems: Problem) -> Model:
        """``model_of(data, weight)``."""
        return self.model_of(problems["data"], problems["weight"])

    @property
    def range(self) -> Range:
        """Noise, and the weights that go with it."""
        low, high = (n * r for n, r in zip(self.noise, self.weight_per_noise, strict=True))
        return Range(model=self._title, noise=self.noise, weight=(low, high))

    def range_on(self, noise: float | None) -> Range:
        """With the noise of what was observed."""
        return self.range if noise is None else replace(self, noise=(noise, noise)).range

    @property
    def about(self) -> str:
        """Model, noise and ratio."""
        (low, high), (least, most) = [[255 * n for n in self.noise], self.weight_per_noise]
        return (
            f"denoising by {self._title}: noise from {low:.4g}/255 to {high:.4g}/255, weight from {least:.4g} to "
            f"{most:.4g} times the noise{', twice' * self.second}"
        )

    @property
    def _title(self) -> str:
        return self.model_of(torch.zeros(1, 1, 1, 1), torch.full((1, 1, 1, 1), 0.1)).title


@dataclass(frozen=True, kw_only=True)
class Inpainting(Task):
    """A share of the pixels is known, drawn between two bounds (evenly in its logarithm); which ones is random.

    Args:
        model_of: makes the model from data and mask: ``mindl.models.harmonic_inpainting``, or one's own.
        known: smallest and largest share of known pixels.

    Raises:
        InputError: bounds outside (0, 1] or not in order.

    >>> task, black = Inpainting(known=(0.1, 0.1)), {"clean": torch.zeros(1, 10, 10)}
    >>> problem = task.draw(black, torch.Generator().manual_seed(0))
    >>> int(problem["mask"].sum())
    10
    """

    model_of: Callable[[Tensor, Tensor], Model] = harmonic_inpainting
    known: tuple[float, float] = (0.05, 0.05)

    def __post_init__(self) -> None:
        _check_maker("Inpainting", self.model_of)
        _check_bounds("Inpainting(known)", self.known, 1)

    def draw(self, given: Sample, generator: torch.Generator) -> Problem:
        """data, mask; the data are those of the known pixels only. A mask that is given is taken as it is."""
        image = given["data"] if "data" in given else _clean(given)
        share, (height, width) = _between(self.known, generator), image.shape[1:]
        mask = given["mask"] if "mask" in given else random_mask(height, width, share, seed=generator)[0]
        return {**given, "data": torch.where(mask, image, 0), "mask": mask}

    def model(self, problems: Problem) -> Model:
        """``model_of(data, mask)``."""
        return self.model_of(problems["data"], problems["mask"])

    @property
    def range(self) -> Range:
        """The shares of known pixels."""
        return Range(model=self._title, known=self.known)

    @property
    def about(self) -> str:
        """Model and density."""
        low, high = (f"{100 * share:.4g} %" for share in self.known)
        return f"inpainting by {self._title}: {low if low == high else f'{low} to {high}'} of the pixels known"

    @property
    def _title(self) -> str:
        return self.model_of(torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1, dtype=torch.bool)).title


def _clean(given: Sample) -> Tensor:
    if "clean" not in given:
        raise InputError(f"A task draws from a clean image or from data; {sorted(given)} holds neither.")
    return given["clean"]


def _noisy(clean: Tensor, noise: float, generator: torch.Generator) -> Tensor:
    return clean + noise * torch.randn(clean.shape, generator=generator)


def _between(bounds: tuple[float, float], generator: torch.Generator) -> float:
    """A number between two bounds, evenly distributed in its logarithm."""
    part = float(torch.rand((), generator=generator, dtype=torch.float64))
    return bounds[0] * math.pow(bounds[1] / bounds[0], part)


def _check_maker(task: str, model_of: object) -> None:
    if not callable(model_of):
        raise InputError(f"{task}(model_of={model_of!r}) must make a model, as mindl.models.rof does.")


def _check_bounds(name: str, bounds: tuple[float, float], most: float) -> None:
    if not isinstance(bounds, tuple) or len(bounds) != 2 or not all(isinstance(b, int | float) for b in bounds):
        raise InputError(f"{name}={bounds} must be two numbers, the smallest and the largest: (0.1, 0.1).")
    low, high = bounds
    if not 0 < low <= high <= most or not math.isfinite(high):
        raise InputError(
            f"{name}={bounds} must be two numbers in order, above 0" + (" and at most 1." * (most == 1))
        )
