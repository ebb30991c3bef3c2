"""Upper bounds of Lipschitz constants, joined from proved ones."""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import torch
from torch import nn


@runtime_checkable
class Bounded(Protocol):
    """A module that proves a bound of its own."""

    def lipschitz(self) -> float:
        """An upper bound of |N(u) - N(v)| / |u - v| for the present weights, in evaluation."""


def lipschitz_bound(module: nn.Module) -> float:
    """An upper bound of the Lipschitz constant, in the Euclidean norm; infinity where none is known.

    A chain of modules has the product of its bounds. A batch normalisation is taken as in evaluation, where it
    multiplies each channel by a fixed number.

    >>> lipschitz_bound(nn.Sequential(nn.ReLU(), nn.Identity())), lipschitz_bound(nn.Softmax(1))
    (1.0, inf)
    """
    if isinstance(module, Bounded):
        return module.lipschitz()
    if isinstance(module, nn.Sequential):
        return math.prod(lipschitz_bound(each) for each in module)
    if isinstance(module, nn.ReLU | nn.Identity):
        return 1.0
    if isinstance(module, nn.BatchNorm2d) and module.running_var is not None:
        with torch.no_grad():
            factor = (module.running_var + module.eps).rsqrt()
            return float((factor if module.weight is None else factor * module.weight).abs().max())
    return math.inf
