"""Functions with a kink, with a derivative that is a subgradient and never NaN."""

from __future__ import annotations

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
    positive = squares > 0
    return torch.where(positive, torch.where(positive, squares, 1).sqrt(), 0)
