"""Images for small runs: made once and kept, and ways to spoil them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from mindl.data import DeadLeaves, Images, Sample, Source

SIDE = 64
"""Of every picture of leaves."""

UNSEEN = 900_000
"""The seeds of what is validated on begin here; those of training end far below."""


@cache
def leaves(seed: int, count: int = 48, size: int = SIDE) -> Images:
    """Pictures of dead leaves that belong to a seed."""
    made = DeadLeaves(count, size=size, seed=1000 * seed)
    return Images(torch.stack([made.image(i) for i in range(count)]))


@cache
def unseen_leaves(count: int = 6, size: int = SIDE) -> Images:
    """Pictures of dead leaves that nothing is trained on."""
    made = DeadLeaves(count, size=size, seed=UNSEEN)
    return Images(torch.stack([made.image(i) for i in range(count)]))


@cache
def dense_leaves(count: int = 4, size: int = SIDE) -> Images:
    """Leaves half as large: more edges, so that less of the noise can be told from them."""
    made = DeadLeaves(count, size=2 * size, seed=UNSEEN + 1000)
    return Images(torch.stack([made.image(i)[:, ::2, ::2] for i in range(count)]))


class Changed(Source):
    """Images of a source after a change; they answer to the same names."""

    def __init__(self, inner: Source, change: Callable[[int, Tensor], Tensor]) -> None:
        self.channels, self._inner, self._change = inner.channels, inner, change

    def __len__(self) -> int:
        return len(self._inner)

    def name(self, index: int) -> str:
        """That of the source."""
        return self._inner.name(index)

    def image(self, index: int) -> Tensor:
        """The changed one."""
        return self._change(index, self._inner.image(index))

    @property
    def about(self) -> str:
        """That of the source."""
        return self._inner.about

    def digest(self, index: int) -> str:
        """That of the source."""
        return self._inner.digest(index)


class Posed(Source):
    """Problems that are always the same: neither cropped nor disturbed any more."""

    channels, problems = 1, True

    def __init__(self, samples: list[Sample], posed_by: str) -> None:
        self._samples, self.posed_by = samples, posed_by

    def __len__(self) -> int:
        return len(self._samples)

    def name(self, index: int) -> str:
        """Its number."""
        return f"problem {index}"

    def image(self, index: int) -> Tensor:
        """The clean image."""
        return self._samples[index]["clean"]

    def sample(self, index: int) -> Sample:
        """The problem."""
        return dict(self._samples[index])

    @property
    def about(self) -> str:
        """How many."""
        return f"{len(self)} problems in memory"
