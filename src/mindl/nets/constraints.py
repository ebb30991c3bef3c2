r"""What a weight may be: bounds that hold whatever an optimiser does.

Each function maps free parameters to legal ones and is differentiable, so that a network applies it in its
``forward`` and the stored weights stay free. None of them estimates: what is called a bound is proved.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mindl.calculus.norms import norm_bound
from mindl.core.errors import InputError


def zero_mean(kernel: Tensor) -> Tensor:
    r""":math:`w - \bar w`: every two-dimensional filter sums to 0, so that no constant image gives a response.

    Args:
        kernel: (out, in, height, width); each of the out x in filters loses its own mean.

    >>> zero_mean(torch.tensor([[[[1.0, 3.0]]]]))
    tensor([[[[-1.,  1.]]]])
    """
    return kernel - kernel.mean(dim=(-2, -1), keepdim=True)


def normalised(kernel: Tensor, bound: float = 1.0) -> Tensor:
    r""":math:`w \cdot \min(1, b / \|w\|)` with the proved norm: the convolution's norm is at most b.

    A kernel that obeys the bound comes out with the same bits.

    Args:
        kernel: (out, in, height, width).
        bound: b > 0.

    Raises:
        InputError: a bound that is not positive and finite; others as ``norm_bound``.

    >>> normalised(torch.tensor([[[[3.0]], [[4.0]]]]), bound=5.1).flatten()
    tensor([3., 4.])
    >>> normalised(torch.tensor([[[[3.0]], [[4.0]]]])).flatten()
    tensor([0.6000, 0.8000])
    """
    if not 0 < bound < math.inf:
        raise InputError(f"normalised(bound={bound}) needs a bound above 0 and finite.")
    norm = norm_bound(kernel)
    # Chosen, as b / b need not be 1: torch divides a number by multiplying with a reciprocal.
    return kernel * torch.where(norm > bound, bound / norm.clamp(min=bound), 1)
