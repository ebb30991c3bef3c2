"""What is made small: the model's own energy, or its duality gap. No solution of the model is needed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from mindl.core.arrays import PerImage
from mindl.core.errors import InputError
from mindl.core.reduce import total
from mindl.models import Candidate, Energy, SaddlePoint


@dataclass(frozen=True)
class Loss(ABC):
    """A number per image, free of scale: problems of strong and weak noise count alike."""

    @abstractmethod
    def __call__(self, model: Energy, candidate: Candidate) -> PerImage:
        """The loss of each image, shape (batch,)."""


class EnergyLoss(Loss):
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
        return model.checked_energy(candidate.image) / _unit(model)


class GapLoss(Loss):
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
        view = model.view(SaddlePoint)
        if candidate.dual is None:
            raise InputError("GapLoss needs a network that gives a dual field, such as WitnessHead.")
        gap = total(view.data_gap(candidate.image, candidate.dual))
        return (gap + total(view.field_gap(candidate.image, candidate.dual))) / _unit(model)


LEAST_UNIT = 0.01
"""Smallest unit of an image, in parts of its batch's mean: an almost constant image, which is solved already,
would count for more than all others."""


def _unit(model: Energy) -> PerImage:
    """The energy of the start, but not less than ``LEAST_UNIT`` of the batch's mean; 1 where all are 0."""
    with torch.no_grad():
        first = model.checked_energy(model.start()).abs()
        first = torch.where(torch.isfinite(first), first, 0)
        unit = torch.maximum(first, LEAST_UNIT * first.mean())
    return torch.where(unit > 0, unit, 1)
