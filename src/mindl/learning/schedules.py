"""How the learning rate goes with the steps."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from mindl.core.errors import InputError


@dataclass(frozen=True)
class Schedule(ABC):
    """A factor of the learning rate for every step."""

    @abstractmethod
    def factor(self, step: int, steps: int) -> float:
        """What the rate is multiplied by in step ``step`` (from 0) of ``steps``."""


@dataclass(frozen=True)
class Constant(Schedule):
    """The same rate throughout, after a linear rise over ``warmup`` steps.

    >>> Constant().factor(7, 10), Constant(warmup=4).factor(0, 10)
    (1.0, 0.25)
    """

    warmup: int = 0

    def __post_init__(self) -> None:
        _check_warmup(self, self.warmup)

    def factor(self, step: int, steps: int) -> float:
        """At most 1."""
        return min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0


@dataclass(frozen=True)
class Cosine(Schedule):
    r"""A linear rise over ``warmup`` steps, then half a cosine down to ``floor``.

    Source: Loshchilov and Hutter, ICLR 2017.

    >>> [round(Cosine(warmup=2, floor=0.0).factor(k, 10), 2) for k in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """

    warmup: int = 100
    floor: float = 1e-3

    def __post_init__(self) -> None:
        _check_warmup(self, self.warmup)

    def factor(self, step: int, steps: int) -> float:
        """Between ``floor`` and 1."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        part = (step - self.warmup) / max(1, steps - self.warmup)
        return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * min(part, 1)))


@dataclass(frozen=True)
class Geometric(Schedule):
    r"""From 1 to ``ratio`` by equal factors: :math:`\text{ratio}^{k / (n - 1)}`, the sweep of ``rate_range``.

    >>> [round(Geometric(100.0).factor(k, 3)) for k in range(3)]
    [1, 10, 100]
    """

    ratio: float

    def __post_init__(self) -> None:
        if not 0 < self.ratio < math.inf:
            raise InputError(f"{self!r} needs a ratio above 0.")

    def factor(self, step: int, steps: int) -> float:
        """From 1 to the ratio."""
        part: float = self.ratio ** (step / max(1, steps - 1))
        return part


def _check_warmup(schedule: Schedule, warmup: int) -> None:
    if not isinstance(warmup, int) or warmup < 0:
        raise InputError(f"{schedule!r} needs a whole number of warm-up steps, at least 0.")
