"""Pictures that need no download: made by a rule, or shipped."""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import Tensor

from mindl.core.arguments import whole
from mindl.core.errors import InputError
from mindl.core.randomness import generator_for
from mindl.data.cache import Memory
from mindl.data.source import Source
from mindl.images import dead_leaves, disc, ramp, step


class Made(Source):
    """Pictures that are made when they are asked for, and kept: a function of the seed ``seed + index``."""

    kind: str

    def __init__(self, count: int, *, size: int, seed: int, channels: int) -> None:
        name = type(self).__name__
        self.count, self.size = whole(count, 1, f"{name}(count)"), whole(size, 1, f"{name}(size)")
        self.seed = whole(seed, 0, f"{name}(seed)")
        self.channels = checked_channels(channels)
        self._kept = Memory()

    def __len__(self) -> int:
        return self.count

    def name(self, index: int) -> str:
        """Which seed made it."""
        return f"{self.kind} {self.size} x {self.size}, seed {self.seed + index}"

    def image(self, index: int) -> Tensor:
        """The picture of ``seed + index``."""
        return self._kept.get(str(index), lambda: self.made(self.seed + index))

    @abstractmethod
    def made(self, seed: int) -> Tensor:
        """The picture of a seed, (channel, height, width)."""

    @property
    def about(self) -> str:
        """How many, how large."""
        return f"{self.count} {self.kind} pictures of {self.size} x {self.size}, seeds from {self.seed} on"


class DeadLeaves(Made):
    """Pictures of ``mindl.images.dead_leaves``: edges, occlusion and flat regions, free of any licence.

    Raises:
        InputError: no picture, no pixel, or neither 1 nor 3 channels.

    >>> DeadLeaves(3, size=32, seed=5).image(2).shape
    torch.Size([1, 32, 32])
    """

    kind = "dead leaves"

    def __init__(self, count: int = 64, *, size: int = 192, seed: int = 0, channels: int = 1) -> None:
        super().__init__(count, size=size, seed=seed, channels=channels)

    def made(self, seed: int) -> Tensor:
        """One picture."""
        return dead_leaves(self.size, self.size, seed=seed, channels=self.channels)[0]


class Phantoms(Made):
    """Discs, steps and ramps of random size, place, turn and contrast, on each other: shapes whose solutions are
    known, and nothing else. A network that learned from them alone has never seen a texture.

    Raises:
        InputError: no picture, no pixel, or neither 1 nor 3 channels.

    >>> picture = Phantoms(3, size=32).image(1)
    >>> picture.shape, bool(picture.min() >= 0), bool(picture.max() <= 1)
    (torch.Size([1, 32, 32]), True, True)
    """

    kind = "phantom"

    def __init__(self, count: int = 64, *, size: int = 192, seed: int = 0, channels: int = 1) -> None:
        super().__init__(count, size=size, seed=seed, channels=channels)

    def made(self, seed: int) -> Tensor:
        """A ramp or a step as the background, discs on it."""
        generator = generator_for(seed)

        def drawn(low: float, high: float, count: int = 1) -> Tensor:
            return low + (high - low) * torch.rand(count, generator=generator)

        background = ramp if float(drawn(0, 1)) < 0.5 else step
        picture = torch.rot90(background(self.size, self.size)[0], int(drawn(0, 4)), dims=(1, 2))
        first, last = drawn(0, 1, self.channels), drawn(0, 1, self.channels)
        picture = (first + (last - first) * picture.movedim(0, 2)).movedim(2, 0)
        for _ in range(int(drawn(1, 6))):
            radius = float(drawn(0.05, 0.3)) * self.size
            side = 2 * math.ceil(radius) + 1
            shape = disc(side, side, radius)[0]
            top, left = (int(drawn(-radius, self.size - radius)) for _ in range(2))
            rows = slice(max(top, 0), min(top + side, self.size))
            columns = slice(max(left, 0), min(left + side, self.size))
            part = shape[:, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
            colour = drawn(0, 1, self.channels)[:, None, None]
            picture[:, rows, columns] = picture[:, rows, columns] * (1 - part) + colour * part
        return picture


def checked_channels(channels: int) -> int:
    """1 or 3.

    Raises:
        InputError: another number.
    """
    if channels not in (1, 3):
        raise InputError(f"channels={channels} must be 1 (grey) or 3 (colour).")
    return channels
