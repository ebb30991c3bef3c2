"""What is made small. A loss sees the network, the problems, and of what is known besides only what it needs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor

from mindl.core.arrays import PerImage
from mindl.core.errors import InputError
from mindl.core.processes import mean_of_all
from mindl.core.reduce import total
from mindl.learning.task import Problem, Task
from mindl.models import Candidate, Energy, SaddlePoint, SmoothEnergy, Variational
from mindl.neural import NeuralSolver

HIDDEN = ("clean", "second", "solution")
"""What of a problem is hidden, from the model too, unless the loss needs it."""


@dataclass(frozen=True)
class Loss(ABC):
    """A training approach: a number per image, free of scale, so that strong and weak noise count alike."""

    needs: ClassVar[tuple[str, ...]] = ()
    """What it must be shown besides the problem itself: ``clean``, ``second`` or ``solution``."""
    learns_images: ClassVar[bool] = False
    """Whether what it teaches is what images look like, so that a network solves no model in particular."""

    @abstractmethod
    def of(self, net: NeuralSolver, task: Task, problems: Problem, generator: torch.Generator) -> PerImage:
        """The loss of each problem, shape (batch,); all randomness from ``generator``."""

    def shown(self, problems: Problem) -> Problem:
        """The problems without what this loss does not need.

        Raises:
            InputError: what it needs is not there.
        """
        for name in self.needs:
            if name not in problems:
                raise InputError(f"{type(self).__name__} needs {_CURES[name]}.")
        return {k: v for k, v in problems.items() if k not in HIDDEN or k in self.needs}


_CURES = {
    "clean": "clean images, and these are known only as they were observed: Observed(..., clean=...)",
    "second": "a second noisy image of every scene: Denoising(second=True), or Observed(..., second=...)",
    "solution": "the model's solutions: train on solved(task, images)",
}


@dataclass(frozen=True)
class ModelLoss(Loss):
    """A loss that judges an answer by the model alone."""

    def of(self, net: NeuralSolver, task: Task, problems: Problem, generator: torch.Generator) -> PerImage:
        """That of the network's answers.

        Raises:
            ViewError: the model is no energy.
        """
        model = task.model(problems)
        model.view(Energy)
        return self(cast(Energy, model), net(model))

    @abstractmethod
    def __call__(self, model: Energy, candidate: Candidate) -> PerImage:
        """The loss of each image, shape (batch,)."""

    def terms(self, model: Energy, candidate: Candidate) -> dict[str, float]:
        """The terms of the loss by name, means over the batch; none where it has one only."""
        return {}


@dataclass(frozen=True)
class EnergyLoss(ModelLoss):
    r"""The model's energy, in units of that of its start: :math:`E(u) / E(u_0)`.

    u_0 is the model's start (the data; in inpainting the mean of the known pixels elsewhere). The minimiser is
    the model's solution: a network trained by it learns to solve the model from noisy images alone ("deep
    energy" training). Any ``Energy`` will do.

    >>> import mindl as md
    >>> model = md.models.rof(torch.rand(2, 1, 8, 8), weight=0.1)
    >>> EnergyLoss()(model, Candidate(model.start())).tolist()
    [1.0, 1.0]
    """

    def __call__(self, model: Energy, candidate: Candidate) -> PerImage:
        """E(u) / E(u_0)."""
        return model.checked_energy(candidate.image) / _first_energy(model)

    def terms(self, model: Energy, candidate: Candidate) -> dict[str, float]:
        """Data term and regulariser, of models that have them."""
        if not isinstance(model, Variational):
            return {}
        first = _first_energy(model)
        parts = {
            "data": total(model.data_term.value(candidate.image)),
            "regulariser": total(model.weighted_penalty(candidate.image)),
        }
        return {name: float((part / first).mean()) for name, part in parts.items()}


@dataclass(frozen=True)
class GapLoss(ModelLoss):
    r"""The duality gap of image and dual field, in units of the energy of the start: :math:`G(u, p) / E(u_0)`.

    The gap is the energy minus that of the dual problem: it falls to 0, so the loss itself is a certificate, and
    image and dual field are both trained. For convex models and networks with a ``WitnessHead``.

    >>> import mindl as md
    >>> model = md.models.rof(torch.rand(2, 1, 8, 8), weight=0.1)
    >>> nothing = Candidate(model.start(), torch.zeros(2, 1, 2, 8, 8))
    >>> GapLoss()(model, nothing).tolist()
    [1.0, 1.0]
    """

    def __call__(self, model: Energy, candidate: Candidate) -> PerImage:
        """G(u, p) / E(u_0).

        Raises:
            InputError: a candidate without a dual field.
            ViewError: the model is no saddle point.
        """
        data, field = self._gaps(model, candidate)
        return (data + field) / _first_energy(model)

    def terms(self, model: Energy, candidate: Candidate) -> dict[str, float]:
        """The gap of the data term and that of the field: how far each optimality condition is from being met."""
        first = _first_energy(model)
        parts = zip(("data", "field"), self._gaps(model, candidate), strict=True)
        return {name: float((part / first).mean()) for name, part in parts}

    def _gaps(self, model: Energy, candidate: Candidate) -> tuple[PerImage, PerImage]:
        view = model.view(SaddlePoint)
        if candidate.dual is None:
            raise InputError("GapLoss needs a network that gives a dual field, such as WitnessHead.")
        return (
            total(view.data_gap(candidate.image, candidate.dual)),
            total(view.field_gap(candidate.image, candidate.dual)),
        )


@dataclass(frozen=True)
class ResidualLoss(ModelLoss):
    r"""The equation's residual, in units of that of the start: :math:`\|\nabla E(u)\|^2 / \|\nabla E(u_0)\|^2`.

    For smooth energies; of a linear system A u = b it is :math:`\|A u - b\|^2`. It needs an equation only, not an
    energy that can be compared, but it sees errors through the square of A: where A is ill-conditioned (large
    weights, inpainting) smooth errors hardly count, and ``EnergyLoss`` learns faster.

    >>> import mindl as md
    >>> model = md.models.whittaker_tikhonov(torch.rand(2, 1, 8, 8), weight=1.0)
    >>> ResidualLoss()(model, Candidate(model.start())).tolist()
    [1.0, 1.0]
    """

    def __call__(self, model: Energy, candidate: Candidate) -> PerImage:
        """The squared residual.

        Raises:
            ViewError: the energy is not smooth.
        """
        view = model.view(SmoothEnergy)
        with torch.no_grad():
            first = total(view.gradient(view.start()).square())
        return total(view.gradient(candidate.image).square()) / in_units_of(first)


LEAST_UNIT = 0.01
"""Smallest unit of an image, in parts of its batch's mean: an almost constant image, which is solved already,
would count for more than all others."""


def in_units_of(first: PerImage) -> PerImage:
    """What a loss is divided by: its value at the start, but not less than ``LEAST_UNIT`` of the mean of the whole
    batch (that of all processes); 1 where all are 0."""
    with torch.no_grad():
        first = torch.where(torch.isfinite(first), first.abs(), 0)
        unit = torch.maximum(first, LEAST_UNIT * mean_of_all(first.mean()))
    return torch.where(unit > 0, unit, 1)


def _first_energy(model: Energy) -> PerImage:
    with torch.no_grad():
        return in_units_of(model.checked_energy(model.start()))


def squares(difference: Tensor) -> PerImage:
    """The mean of the squares of each image."""
    return total(difference.square()) / difference[0].numel()
