"""Randomness enters as a seed or a generator, never through global state."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Seed = int | torch.Generator


def draw(seed: Seed, batch: int, one: Callable[[torch.Generator], Tensor]) -> Tensor:
    """Stack ``batch`` independent draws ``one(generator)``.

    With an integer seed, image ``b`` draws from a generator seeded ``seed + b``: the batch holds the same
    numbers as its images drawn alone with these seeds. A generator is used in sequence.

    >>> both = draw(7, 2, lambda g: torch.rand(3, generator=g))
    >>> torch.equal(both[1:], draw(8, 1, lambda g: torch.rand(3, generator=g)))
    True
    """
    if isinstance(seed, torch.Generator):
        return torch.stack([one(seed) for _ in range(batch)])
    return torch.stack([one(torch.Generator().manual_seed(seed + b)) for b in range(batch)])
