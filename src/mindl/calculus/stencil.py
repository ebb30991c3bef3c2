r"""Matrices on a grid with entries that vary from pixel to pixel, and the transfer to a grid of half the size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from mindl.calculus.operators import colours
from mindl.core.arrays import Image


@dataclass(frozen=True, eq=False)
class Stencil:
    """A matrix that looks ``reach`` pixels far: (batch, channel, (2 reach + 1)^2, height, width) entries.

    Entry k of a pixel is the factor of the neighbour in row k // (2 reach + 1) of its window, row by row.
    Batch and channel broadcast.
    """

    entries: Tensor
    reach: int

    @staticmethod
    def of(matrix: Callable[[Image], Image], like: Image, reach: int) -> Stencil:
        """The entries of any matrix that looks ``reach`` pixels far, by probing: (2 reach + 1)^2 products."""
        side = 2 * reach + 1
        height, width = like.shape[2:]
        entries = like.new_zeros(*like.shape[:2], side * side, height, width)
        rows, columns = torch.arange(height, device=like.device), torch.arange(width, device=like.device)
        for members in colours(height, width, 2 * reach):
            at = members.nonzero()[0]
            # The one member that a pixel sees lies this far below and to the right of its window's corner.
            down, right = (at[0] - rows + reach) % side, (at[1] - columns + reach) % side
            place = (down[:, None] * side + right[None, :]).expand(*like.shape[:2], 1, height, width)
            seen = matrix(members.to(like).expand_as(like).contiguous())
            entries.scatter_(2, place.contiguous(), seen[:, :, None])
        return Stencil(entries, reach)

    def __call__(self, image: Image) -> Image:
        """The product with an image."""
        height, width = image.shape[2:]
        wide = functional.pad(image, [self.reach] * 4)
        side = 2 * self.reach + 1
        result = self.entries[:, :, 0] * wide[..., :height, :width]
        for k in range(1, side * side):
            down, right = divmod(k, side)
            result = result + self.entries[:, :, k] * wide[..., down : down + height, right : right + width]
        return result

    @property
    def diagonal(self) -> Image:
        """The entries of each pixel with itself."""
        return self.entries[:, :, self.entries.shape[2] // 2]

    @property
    def row_sums(self) -> Image:
        """Sums of the entries' absolute values."""
        return self.entries.abs().sum(dim=2)


def coarse_size(n: int) -> int:
    """Every second pixel, the first one included."""
    return (n + 1) // 2


def prolong(coarse: Image, height: int, width: int) -> Image:
    """Linear interpolation to the pixels between; beyond the last coarse pixel its value goes on.

    >>> prolong(torch.tensor([[[[0.0, 1.0]]]]), 1, 4).flatten().tolist()
    [0.0, 0.5, 1.0, 1.0]
    """
    return _prolong_axis(_prolong_axis(coarse, height, 2), width, 3)


def restrict(fine: Image) -> Image:
    """The adjoint of ``prolong``."""
    return _restrict_axis(_restrict_axis(fine, 2), 3)


def prolong_cells(coarse: Image, height: int, width: int) -> Image:
    """Linear interpolation between the centres of cells of 2 x 2 pixels, with mirrored borders.

    Unlike ``prolong`` it is the same at every pixel, the borders included: a transposed convolution with the
    weights (1, 3, 3, 1) / 4 along each axis.

    >>> prolong_cells(torch.tensor([[[[0.0, 1.0]]]]), 1, 4).flatten().tolist()
    [0.0, 0.25, 0.75, 1.0]
    """
    return _prolong_cells_axis(_prolong_cells_axis(coarse, height, 2), width, 3)


def restrict_cells(fine: Image) -> Image:
    """The adjoint of ``prolong_cells``."""
    return _restrict_cells_axis(_restrict_cells_axis(fine, 2), 3)


def _prolong_cells_axis(coarse: Tensor, n: int, dim: int) -> Tensor:
    last = coarse.shape[dim] - 1
    before = torch.cat([coarse.narrow(dim, 0, 1), coarse.narrow(dim, 0, last)], dim)
    behind = torch.cat([coarse.narrow(dim, 1, last), coarse.narrow(dim, last, 1)], dim)
    halves = torch.stack([coarse * 0.75 + before * 0.25, coarse * 0.75 + behind * 0.25], dim + 1)
    return halves.flatten(dim, dim + 1).narrow(dim, 0, n)


def _restrict_cells_axis(fine: Tensor, dim: int) -> Tensor:
    if fine.shape[dim] % 2:
        fine = torch.cat([fine, torch.zeros_like(fine.narrow(dim, 0, 1))], dim)
    first, second = _halves(fine, dim)
    last = first.shape[dim] - 1
    # What a cell gives to its neighbours, those at the border to themselves.
    from_right = torch.cat([first.narrow(dim, 1, last), second.narrow(dim, last, 1)], dim)
    from_left = torch.cat([first.narrow(dim, 0, 1), second.narrow(dim, 0, last)], dim)
    return (first + second) * 0.75 + (from_left + from_right) * 0.25


def _prolong_axis(coarse: Tensor, n: int, dim: int) -> Tensor:
    if n == 1:
        return coarse
    shape = list(coarse.shape)
    shape[dim] = n
    fine = coarse.new_empty(shape)
    even, odd = _halves(fine, dim)
    even.copy_(coarse)
    inner = min(odd.shape[dim], coarse.shape[dim] - 1)
    left, right = coarse.narrow(dim, 0, inner), coarse.narrow(dim, 1, inner)
    odd.narrow(dim, 0, inner).copy_((left + right) * 0.5)
    if inner < odd.shape[dim]:
        odd.narrow(dim, inner, 1).copy_(coarse.narrow(dim, inner, 1))
    return fine


def _restrict_axis(fine: Tensor, dim: int) -> Tensor:
    if fine.shape[dim] == 1:
        return fine
    even, odd = _halves(fine, dim)
    coarse = even.clone()
    inner = min(odd.shape[dim], coarse.shape[dim] - 1)
    half = odd.narrow(dim, 0, inner) * 0.5
    coarse.narrow(dim, 0, inner).add_(half)
    coarse.narrow(dim, 1, inner).add_(half)
    if inner < odd.shape[dim]:
        coarse.narrow(dim, inner, 1).add_(odd.narrow(dim, inner, 1))
    return coarse


def _halves(tensor: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    if dim == 2:
        return tensor[:, :, 0::2], tensor[:, :, 1::2]
    return tensor[..., 0::2], tensor[..., 1::2]
