"""Filters on top of an operator: K = W L, with a proved bound of its norm."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import zip_longest

import torch
from torch import Tensor
from torch.nn import functional

from mindl.calculus.coupling import Coupling
from mindl.calculus.norms import transfer_bound
from mindl.calculus.operators import Operator
from mindl.core.arrays import Dual, Image


class FilterBank(Operator):
    r"""K = W L: the components of a field L u are filtered by W, a convolution with zeros outside,

    .. math:: (K u)_i = \sum_c w_{ic} * (L u)_c .

    Where L consists of differences, constants are filtered to 0 whatever W; with W the identity K is L. Every
    channel of the image is filtered alike. Autograd follows the filters.

    Args:
        base: L.
        kernel: W, (filters, components of L, size, size) with an odd size.

    >>> from mindl.calculus import Gradient
    >>> kernel = torch.zeros(3, 2, 3, 3)
    >>> kernel[0, 0, 1, 1] = kernel[1, 1, 1, 1] = 1.0           # the gradient itself, and a third filter
    >>> FilterBank(Gradient(), kernel)(torch.rand(1, 1, 4, 4)).shape
    torch.Size([1, 1, 3, 4, 4])
    """

    def __init__(self, base: Operator, kernel: Tensor) -> None:
        self.base, self.kernel = base, kernel
        self.components = kernel.shape[0]
        self.reach = base.reach + kernel.shape[-1] - 1
        self.wraps = base.wraps

    @property
    def grid(self) -> float:
        """The distance of two pixels, where L knows one."""
        return float(getattr(self.base, "grid", 1.0))

    def __repr__(self) -> str:
        filters, _, size, _ = self.kernel.shape
        return f"FilterBank({self.base!r}, {filters} filters of {size} x {size})"

    def __call__(self, image: Image, out: Tensor | None = None) -> Dual:
        """W L u."""
        return self._written(self._filtered(self.base(image)), out)

    def adjoint(self, field: Dual, out: Tensor | None = None) -> Image:
        """L^T W^T p."""
        flat = field.flatten(0, 1)
        margin = self.kernel.shape[-1] // 2
        back = functional.conv_transpose2d(flat, self.kernel.to(field.dtype), padding=margin)
        return self._written(self.base.adjoint(back.reshape(*field.shape[:2], *back.shape[1:])), out)

    def norm_squared(self, height: int, width: int) -> float:
        """|W|^2 |L|^2, of which both factors are bounds."""
        return self._own_norm_squared * self.base.norm_squared(height, width)

    @cached_property
    def _own_norm_squared(self) -> float:
        """|W|^2, from above; asked for in every step, and an eigenvalue problem at every frequency."""
        return float(transfer_bound(self.kernel.detach()))

    def _filtered(self, field: Dual) -> Dual:
        flat = field.flatten(0, 1)
        found = functional.conv2d(flat, self.kernel.to(field.dtype), padding=self.kernel.shape[-1] // 2)
        return found.reshape(*field.shape[:2], *found.shape[1:])

    @staticmethod
    def _written(result: Tensor, out: Tensor | None) -> Tensor:
        return result if out is None else out.copy_(result)

    def _apply(self, image: Image, out: Tensor) -> Dual:
        return self(image, out)

    def _adjoint(self, field: Dual, out: Tensor) -> Image:
        return self.adjoint(field, out)


class Beside(Coupling):
    """A coupling of the first components, and every further one on its own.

    Channels of a further component go together where those of the first do.

    Args:
        first: the coupling of the first components.
        components: how many they are.

    >>> from mindl.calculus import Joint
    >>> Beside(Joint(), 2).magnitude(torch.ones(1, 4, 4, 1, 1)).flatten().round(decimals=2)
    tensor([2.8300, 2.0000, 2.0000])
    """

    def __init__(self, first: Coupling, components: int) -> None:
        object.__setattr__(self, "first", first)
        object.__setattr__(self, "components", components)

    first: Coupling
    components: int

    @property
    def joins_channels(self) -> bool:  # type: ignore[override]
        """As the first does."""
        return self.first.joins_channels

    def groups(self, field: Tensor) -> tuple[Tensor, ...]:
        """Those of the first, and the channels of each further component; 0 where one has fewer."""
        ours, others = field[:, :, : self.components], field[:, :, self.components :]
        channels = torch.split(others, 1, dim=1) if self.joins_channels else (others,)
        summands = list(zip_longest(self.first.groups(ours), channels))
        columns = zip(*summands, strict=True)
        like = [torch.zeros_like(next(part for part in column if part is not None)) for column in columns]
        return tuple(torch.cat(list(_filled(parts, like)), dim=2) for parts in summands)

    def spread(self, factor: Tensor) -> Tensor:
        """The first's for its components, the others' own."""
        groups = factor.shape[2] - self._further(factor)
        ours = self.first.spread(factor[:, :, :groups])
        wide = ours.expand(*ours.shape[:2], self.components, *ours.shape[3:])
        return torch.cat([wide, factor[:, :, groups:]], dim=2)

    def _further(self, factor: Tensor) -> int:
        probe = factor.new_zeros(1, 1, self.components, 1, 1)
        return factor.shape[2] - self.first.groups(probe)[0].shape[2]


def _filled(parts: tuple[Tensor | None, ...], like: list[Tensor]) -> Iterator[Tensor]:
    for part, zero in zip(parts, like, strict=True):
        yield zero if part is None else part
