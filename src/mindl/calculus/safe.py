"""Functions with a kink, with a derivative that is a subgradient and never NaN."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def safe_sqrt(squares: Tensor) -> Tensor:
    r""":math:`\sqrt{s}` for s >= 0, with derivative 0 (not infinity) at s = 0.

    The norm :math:`|q| = \sqrt{q_1^2 + q_2^2}` built with it has the subgradient 0 at q = 0; with
    ``torch.sqrt`` the chain rule gives infinity times 0, that is NaN, in every flat region of an image.

    >>> q = torch.zeros(3, requires_grad=True)
    >>> safe_sqrt(q.square()).sum().backward()
    >>> q.grad
    tensor([0., 0., 0.])
    """
    zero = squares <= 0  # not where it is NaN, which must show
    return torch.where(zero, 0, torch.where(zero, 1, squares).sqrt())


def confined(value: Tensor, low: float | Tensor, high: float | Tensor) -> Tensor:
    """``value``, but not below ``low`` nor above ``high``, with a derivative that always leads back inside.

    On a bound and beyond it, descent that points outside is stopped, descent that points inside is not: a
    parameter that begins on its bound may leave it, and one that was carried beyond it comes back. Where a bound
    is reached, it has the derivative that ``clamp`` gives it.

    >>> x = torch.tensor([1.0, 1.0, 5.0], requires_grad=True)
    >>> (confined(x, 0.0, 1.0) * torch.tensor([1.0, -1.0, 1.0])).sum().backward()
    >>> x.grad                                        # descent: down, not up, back down
    tensor([1., 0., 1.])
    """
    inner: Tensor = _Confined.apply(value, low, high)  # type: ignore[no-untyped-call]
    for bound, reached in ((low, value < low), (high, value > high)):
        if isinstance(bound, Tensor) and bound.requires_grad:
            inner = inner + torch.where(reached, bound - bound.detach(), 0)
    return inner


class _Confined(torch.autograd.Function):
    """clamp, with the gradient of a projected descent."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, low: float | Tensor, high: float | Tensor) -> Tensor:
        ctx.save_for_backward(value <= low, value >= high)
        bounds = [torch.as_tensor(b, dtype=value.dtype, device=value.device) for b in (low, high)]
        return torch.minimum(torch.maximum(value, bounds[0]), bounds[1])

    @staticmethod
    def backward(ctx: Any, *incoming: Any) -> Any:
        (upstream,) = incoming
        lowest, highest = ctx.saved_tensors
        outward = (lowest & (upstream > 0)) | (highest & (upstream < 0))
        return torch.where(outward, 0, upstream), None, None
