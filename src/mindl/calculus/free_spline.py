"""Functions of one variable that are learned without any bound, one for each filter."""

# Sweeps are imported when they are needed, since that loads Numba.
# ruff: noqa: PLC0415

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mindl.core.arrays import exporting


def free_spline(responses: Tensor, values: Tensor, reach: float) -> Tensor:
    r"""Piecewise linear functions :math:`\varphi_i`, given by their values at evenly spaced knots.

    Args:
        responses: (outer, filter, inner).
        values: :math:`\varphi_i` at the knots from ``-reach`` to ``reach``, (filter, knot); constant beyond.
        reach: the last knot.

    >>> free_spline(torch.tensor([[[-9.0, -0.5, 0.25, 9.0]]]), torch.tensor([[4.0, 0.0, 2.0]]), 1.0)
    tensor([[[4.0000, 2.0000, 0.5000, 2.0000]]])
    """
    fast = responses.device.type == "cpu" and responses.dtype in (torch.float32, torch.float64)
    if fast and not exporting() and _enabled():
        found: Tensor = _Bent.apply(responses, values, reach)  # type: ignore[no-untyped-call]
        return found
    return plain_spline(responses, values, reach)


def spline_slopes(responses: Tensor, values: Tensor, reach: float) -> Tensor:
    """The derivatives of these functions; 0 beyond the last knot. Autograd does not follow them.

    >>> spline_slopes(torch.tensor([[[-9.0, -0.5, 0.25, 9.0]]]), torch.tensor([[4.0, 0.0, 2.0]]), 1.0)
    tensor([[[ 0., -4.,  2.,  0.]]])
    """
    x, table = responses.detach().contiguous(), values.detach().to(responses.dtype).contiguous()
    if x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64) and _enabled():
        return _bent(x, table, reach, sloped=True)[1]
    with torch.enable_grad():
        variable = x.requires_grad_()
        return torch.autograd.grad(plain_spline(variable, table, reach).sum(), variable)[0]


def plain_spline(responses: Tensor, values: Tensor, reach: float) -> Tensor:
    """The same in plain PyTorch: on other devices, in exported programs, and where derivatives are
    differentiated."""
    last = values.shape[1] - 1
    place = ((responses + reach) * (last / (2 * reach))).clamp(0, last)
    knot = place.detach().floor().clamp(max=last - 1).long()
    first = knot + torch.arange(values.shape[0], device=values.device)[None, :, None] * (last + 1)
    low, high = torch.take(values, first), torch.take(values, first + 1)
    return low + (high - low) * (place - knot.to(place.dtype))


class _Bent(torch.autograd.Function):
    """By a sweep, which finds values and slopes in one passage."""

    @staticmethod
    def forward(ctx: Any, responses: Tensor, values: Tensor, reach: float) -> Tensor:
        x, table = responses.detach().contiguous(), values.detach().to(responses.dtype).contiguous()
        found, slopes = _bent(x, table, reach, sloped=ctx.needs_input_grad[0])
        ctx.save_for_backward(responses, values, slopes)
        ctx.reach = reach
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        from mindl.kernels import splines

        responses, values, slopes = ctx.saved_tensors
        if torch.is_grad_enabled():  # somebody wants derivatives of derivatives, which the sweep does not have
            needed = ctx.needs_input_grad[:2]
            inputs = [t for t, wanted in zip((responses, values), needed, strict=True) if wanted]
            plain = plain_spline(responses, values, ctx.reach)
            found = iter(torch.autograd.grad(plain, inputs, gradient, create_graph=True))
            first, second = (next(found) if wanted else None for wanted in needed)
            return first, second, None
        of_values = None
        if ctx.needs_input_grad[1]:
            x, seen = responses.detach().contiguous(), gradient.contiguous()
            sums = splines.gather(x.numpy(), seen.numpy(), values.shape[1], ctx.reach, torch.get_num_threads())
            of_values = torch.from_numpy(sums).to(values.dtype)
        return (gradient * slopes if ctx.needs_input_grad[0] else None), of_values, None


def _bent(x: Tensor, table: Tensor, reach: float, *, sloped: bool) -> tuple[Tensor, Tensor]:
    """Values and slopes, of tensors that are contiguous; without slopes they are empty."""
    from mindl.kernels import splines

    found, slopes = torch.empty_like(x), torch.empty_like(x) if sloped else x.new_empty(0)
    into = slopes.numpy() if sloped else None
    splines.bend(x.numpy(), table.numpy(), reach, found.numpy(), into, torch.get_num_threads())
    return found, slopes


def _enabled() -> bool:
    from mindl.kernels.choice import enabled

    return enabled()
