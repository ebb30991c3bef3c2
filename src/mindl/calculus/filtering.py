r"""An image seen through many filters, what fields give back to it, and derivatives of any order.

The trilinear form :math:`T(u, w, q) = \sum_i \langle w_i * u, q_i \rangle` has three derivatives: the filtered
image (``filtered``), the filters' adjoint (``spread``) and what a filter learns from (``correlated``). Each is the
derivative of the others, so that autograd never meets a transposed convolution, which takes five to ten times as
long as the matrix product and the shifted sums that stand here.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from mindl.core.arrays import exporting

MANY = 2**18
"""Pixels at once: in more of them the windows would take too much memory."""


def filtered(wide: Tensor, kernel: Tensor) -> Tensor:
    """w_i * u, (batch, filter, height, width), at every pixel whose window lies within u, the sum over its
    channels.

    Args:
        wide: u, (batch, channel, height + size - 1, width + size - 1).
        kernel: w, (filter, channel, size, size).

    >>> filtered(torch.tensor([[[[1.0, 3.0, 6.0]]]]), torch.tensor([[[[-1.0, 1.0]]]])).tolist()
    [[[[2.0, 3.0]]]]
    """
    if exporting():
        return functional.conv2d(wide, kernel)
    found: Tensor = _Filtered.apply(wide, kernel)  # type: ignore[no-untyped-call]
    return found


def spread(field: Tensor, kernel: Tensor) -> Tensor:
    """The adjoint of ``filtered`` in the image: (batch, channel, height + size - 1, width + size - 1).

    >>> spread(torch.tensor([[[[2.0, 3.0]]]]), torch.tensor([[[[-1.0, 1.0]]]])).tolist()
    [[[[-2.0, -1.0, 3.0]]]]
    """
    if exporting():
        return functional.conv_transpose2d(field, kernel)
    found: Tensor = _Spread.apply(field, kernel)  # type: ignore[no-untyped-call]
    return found


def correlated(wide: Tensor, field: Tensor) -> Tensor:
    """The adjoint of ``filtered`` in the filters: (filter, channel, size, size).

    >>> correlated(torch.tensor([[[[1.0, 3.0, 6.0]]]]), torch.tensor([[[[2.0, 3.0]]]])).tolist()
    [[[[11.0, 24.0]]]]
    """
    found: Tensor = _Correlated.apply(wide, field)  # type: ignore[no-untyped-call]
    return found


class _Filtered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, wide: Tensor, kernel: Tensor) -> Tensor:
        ctx.save_for_backward(wide, kernel)
        return functional.conv2d(wide, kernel)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, Tensor | None]:
        wide, kernel = ctx.saved_tensors
        of_wide = spread(upstream, kernel) if ctx.needs_input_grad[0] else None
        return of_wide, correlated(wide, upstream) if ctx.needs_input_grad[1] else None


class _Spread(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, field: Tensor, kernel: Tensor) -> Tensor:
        ctx.save_for_backward(field, kernel)
        batch, filters, height, width = field.shape
        channels, rows, columns = kernel.shape[1:]
        taps = kernel.reshape(filters, -1).T.contiguous().expand(batch, -1, -1)
        found = field.new_zeros(batch, channels, height + rows - 1, width + columns - 1)
        for top, band in _bands(field, batch * width):
            given = torch.bmm(taps, band.flatten(2)).reshape(batch, channels, rows, columns, -1, width)
            for y in range(rows):
                target = found[:, :, top + y : top + y + given.shape[4]]
                for x in range(columns):
                    target[..., x : x + width] += given[:, :, y, x]
        return found

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, Tensor | None]:
        field, kernel = ctx.saved_tensors
        of_field = filtered(upstream, kernel) if ctx.needs_input_grad[0] else None
        return of_field, correlated(upstream, field) if ctx.needs_input_grad[1] else None


class _Correlated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, wide: Tensor, field: Tensor) -> Tensor:
        ctx.save_for_backward(wide, field)
        (batch, channels), (filters, height, width) = wide.shape[:2], field.shape[1:]
        rows, columns = wide.shape[2] - height + 1, wide.shape[3] - width + 1
        found = field.new_zeros(filters, channels * rows * columns)
        for top, band in _bands(field, batch * width):
            seen = wide[:, :, top : top + band.shape[2] + rows - 1].unfold(2, rows, 1).unfold(3, columns, 1)
            windows = seen.permute(0, 2, 3, 1, 4, 5).reshape(-1, found.shape[1])
            found += band.transpose(0, 1).flatten(1) @ windows
        return found.reshape(filters, channels, rows, columns)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, Tensor | None]:
        wide, field = ctx.saved_tensors
        of_wide = spread(field, upstream) if ctx.needs_input_grad[0] else None
        return of_wide, filtered(wide, upstream) if ctx.needs_input_grad[1] else None


def _bands(field: Tensor, row: int) -> list[tuple[int, Tensor]]:
    """Some rows of the field after the other, with the number of the first: ``row`` pixels a row."""
    many = max(1, MANY // max(row, 1))
    return [(top, field[:, :, top : top + many]) for top in range(0, field.shape[2], many)]
