"""Cycles of explicit steps with a frozen matrix: what FED and FSI share."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from mindl.core.arrays import Image
from mindl.core.errors import InputError
from mindl.models.flow_views import Quasilinear
from mindl.models.views import LinearSystem
from mindl.solvers.dispatch_flows import explicit_steps
from mindl.solvers.scheme import Moment, Scheme, bounded_step


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
        step_size = 3 * duration / (n * n + n)
        image = explicit_steps(view, moment.image, self.steps(n, step_size), momentum=self.momentum)
        if image is None:
            image = self.cycle(view.frozen(moment.image), moment.image, n, step_size)
        return Moment(image, moment.time + duration, work=moment.work + n)

    @abstractmethod
    def steps(self, n: int, step_size: float) -> list[tuple[float, float]]:
        """tau of each step and, with ``momentum``, beta: v + beta (v - u before the last), v = u + tau R(u)."""

    @abstractmethod
    def cycle(self, frozen: LinearSystem, image: Image, n: int, step_size: float) -> Image:
        """n steps, with ``step_size`` in the place of tau_max."""
