r"""Which entries of a field share one magnitude :math:`|(L u)_i|`.

A field is (batch, channel, component, height, width); a coupling groups channels and components. The
magnitudes keep all five dimensions, so that they multiply the field.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import ClassVar

import torch
from torch import Tensor

from mindl.calculus.safe import safe_sqrt


@dataclass(frozen=True)
class Coupling(ABC):
    """Groups the entries of a field at each pixel. ``joins_channels``: whether a group has several channels."""

    joins_channels: ClassVar[bool]

    def spread(self, factor: Tensor) -> Tensor:
        """One factor for each group, shaped to multiply the field."""
        return factor

    @abstractmethod
    def groups(self, field: Tensor) -> tuple[Tensor, ...]:
        """The summands of a squared magnitude: views of ``field`` that are added in this order."""

    def total(self, field: Tensor) -> Tensor:
        """Sum of the entries of each group."""
        return reduce(add, self.groups(field))

    def magnitude(self, field: Tensor) -> Tensor:
        """Euclidean norm of each group, with the subgradient 0 where it vanishes."""
        return safe_sqrt(reduce(add, (entry * entry for entry in self.groups(field))))

    def magnitude_(self, field: Tensor, out: Tensor, scratch: Tensor) -> Tensor:
        """The same numbers, written into ``out``; ``out`` and ``scratch`` have the magnitude's shape."""
        first, *rest = self.groups(field)
        torch.mul(first, first, out=out)
        for entry in rest:
            torch.mul(entry, entry, out=scratch)
            out += scratch
        return out.sqrt_()


class Joint(Coupling):
    """All channels and components together (Frobenius norm): isotropic, and colour edges coincide.

    >>> Joint().magnitude(torch.ones(1, 2, 2, 1, 1)).shape
    torch.Size([1, 1, 1, 1, 1])
    """

    joins_channels = True

    def groups(self, field: Tensor) -> tuple[Tensor, ...]:
        """One group."""
        return tuple(field[:, c : c + 1, k : k + 1] for c in range(field.shape[1]) for k in range(field.shape[2]))


class Channelwise(Coupling):
    """The components of each channel together: isotropic, every channel on its own."""

    joins_channels = False

    def groups(self, field: Tensor) -> tuple[Tensor, ...]:
        """One group per channel."""
        return tuple(field[:, :, k : k + 1] for k in range(field.shape[2]))


class Directional(Coupling):
    """The channels of each component together: anisotropic, colour edges coincide."""

    joins_channels = True

    def groups(self, field: Tensor) -> tuple[Tensor, ...]:
        """One group per component."""
        return tuple(field[:, c : c + 1] for c in range(field.shape[1]))


class Separate(Coupling):
    """Every entry alone: anisotropic, every channel on its own."""

    joins_channels = False

    def groups(self, field: Tensor) -> tuple[Tensor, ...]:
        """Every entry is a group."""
        return (field,)


@dataclass(frozen=True)
class Paired(Coupling):
    """The components 2 k and 2 k + 1 together, for each k: several gradients, each isotropic.

    Args:
        joint: whether all channels of a pair are one group (colour edges coincide) or each is its own.

    >>> Paired().magnitude(torch.ones(1, 2, 8, 1, 1)).flatten().tolist()
    [2.0, 2.0, 2.0, 2.0]
    """

    joint: bool = True

    @property
    def joins_channels(self) -> bool:  # type: ignore[override]
        """As asked."""
        return self.joint

    def groups(self, field: Tensor) -> tuple[Tensor, ...]:
        """One group per pair, or per pair and channel."""
        first, second = field[:, :, 0::2], field[:, :, 1::2]
        if not self.joint:
            return first, second
        return tuple(part[:, c : c + 1] for c in range(field.shape[1]) for part in (first, second))

    def spread(self, factor: Tensor) -> Tensor:
        """Each factor twice."""
        return factor.repeat_interleave(2, dim=2)
