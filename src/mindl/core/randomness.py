"""Randomness enters as a seed or a generator, never through global state."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from enum import IntEnum

import torch
from torch import Tensor

Seed = int | torch.Generator


class Purpose(IntEnum):
    """What a generator of a training run is for: with the same seed, each has numbers of its own."""

    ORDER = 0
    """The order of an epoch."""
    DRAW = 1
    """Crop, noise, weight and mask of one sample."""
    EXAMINATION = 2
    """A problem of the validation."""
    LAYERS = 3
    """Layers of the network that draw, such as dropout."""
    LOSS = 4
    """Losses that draw: pixels that are hidden, directions."""


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


def generator_for(*counters: int) -> torch.Generator:
    """A generator whose numbers are a pure function of some counters, say (seed, epoch, index).

    Neither the order in which samples are drawn nor the process that draws them changes what they are; that
    is what makes batches independent of the number of workers and a resumed run equal to an undisturbed one.

    >>> torch.rand(1, generator=generator_for(1, 2, 3)) == torch.rand(1, generator=generator_for(1, 2, 3))
    tensor([True])
    """
    return torch.Generator().manual_seed(_seed(counters))


@contextlib.contextmanager
def global_draws_from(*counters: int) -> Iterator[None]:
    """Let code that draws from the global generator (initial weights, dropout) draw a pure function of counters.

    The generator of the processor is put back as it was afterwards.

    >>> with global_draws_from(7):
    ...     first = torch.rand(2)
    >>> with global_draws_from(7):
    ...     bool((torch.rand(2) == first).all())
    True
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(_seed(counters))
        yield


def _seed(counters: tuple[int, ...]) -> int:
    text = ",".join(str(int(counter)) for counter in counters).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") & (2**63 - 1)
