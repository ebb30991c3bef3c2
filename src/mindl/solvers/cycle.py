"""Cycles of explicit steps with a frozen matrix: what FED and FSI share."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from mindl.core.arrays import Image
from mindl.core.errors import InputError
from mindl.models.flow_views import Quasilinear
from mindl.models.views import LinearSystem
from mindl.solvers.dispatch_flows import explicit_steps
from mindl.solvers.scheme import Moment, Scheme, bounded_step
from mindl.solvers.solver import Numbers


@dataclass(frozen=True)
class Cyclic(Scheme[Quasilinear]):
    """A cycle of n products with the matrix of its beginning covers the time tau_max (n^2 + n) / 3."""

    length: int = 10

    momentum: ClassVar[bool] = False
    """Whether steps are extrapolated."""
    accepts = Quasilinear
    guarantee = "sum of squares does not grow over a cycle; n steps cover a time of order n^2"
    cost = "n products with a frozen matrix"

    def __post_init__(self) -> None:
        if not isinstance(self.length, int) or not 1 <= self.length <= 1000:
            raise InputError(f"{self.title}(length={self.length}) must be a whole number from 1 to 1000.")

    @property
    def heavy(self) -> bool:
        """A cycle costs several checks."""
        return True

    def span(self, view: Quasilinear) -> float:
        """tau_max (n^2 + n) / 3."""
        return bounded_step(self, None, view) * (self.length * self.length + self.length) / 3

    def over(self, view: Quasilinear, moment: Moment, duration: float) -> Moment:
        """A cycle of as few steps as cover the duration, all shortened alike to meet it."""
        stable = bounded_step(self, None, view)
        n = max(1, math.ceil(math.sqrt(3 * duration / stable + 0.25) - 0.5 - 1e-9))
        steps = self.steps(n, 3 * duration / (n * n + n))
        image = explicit_steps(view, moment.image, steps, momentum=self.momentum)
        if image is None:
            image = self._cycle(view.frozen(moment.image), moment.image, steps)
        return Moment(image, moment.time + duration, work=moment.work + n)

    @abstractmethod
    def steps(self, n: int, step_size: float) -> list[tuple[float, float]]:
        """tau of each step and, with ``momentum``, beta: v + beta (v - u before the last), v = u + tau R(u).

        ``step_size`` takes the place of tau_max.
        """

    @property
    def learnable(self) -> dict[str, int]:
        """The step sizes of a cycle and, with ``momentum``, how far its steps are extrapolated."""
        return {"step_size": self.length} | ({"extrapolation": self.length} if self.momentum else {})

    def numbers(self, view: Quasilinear, state: Moment) -> Numbers:
        """One of each for every step of a cycle."""
        steps = torch.tensor(self.steps(self.length, bounded_step(self, None, view)), dtype=torch.float64)
        tau, beta = steps.to(state.image).unbind(dim=1)
        return {"step_size": tau} | ({"extrapolation": beta} if self.momentum else {})

    def step_with(self, view: Quasilinear, state: Moment, numbers: Numbers) -> Moment:
        """A cycle with these numbers."""
        tau = cast(Tensor, numbers["step_size"])
        beta = cast(Tensor, numbers["extrapolation"]) if self.momentum else torch.zeros_like(tau)
        image = self._cycle(view.frozen(state.image), state.image, list(zip(tau, beta, strict=True)))
        return Moment(image, state.time + float(self.span(view)), work=state.work + self.length)

    def _cycle(self, frozen: LinearSystem, image: Image, steps: Iterable[tuple[Any, Any]]) -> Image:
        before = image
        for tau, beta in steps:
            moved = image - tau * frozen.gradient(image)
            # In this form known pixels, where nothing moves, keep their value to the bit.
            before, image = image, moved + beta * (moved - before) if self.momentum else moved
        return image
