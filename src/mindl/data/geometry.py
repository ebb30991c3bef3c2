"""Where a crop is taken and how it is turned: drawn once, applied to everything that belongs to the image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Placement:
    """A square window, turned by quarter turns to the left, then mirrored left and right.

    Image, data and mask of one sample are all cut by the same placement; noise is drawn afterwards, so that it is
    never turned along.

    >>> corner = Placement(top=0, left=1, size=2, turns=1, mirrored=False)
    >>> corner(torch.arange(9.0).reshape(1, 3, 3)).tolist()
    [[[2.0, 5.0], [1.0, 4.0]]]
    """

    top: int
    left: int
    size: int
    turns: int
    mirrored: bool

    @staticmethod
    def drawn(height: int, width: int, size: int, generator: torch.Generator) -> Placement:
        """A window anywhere within height x width, in one of the eight orientations; all equally likely."""
        top = int(torch.randint(height - size + 1, (), generator=generator))
        left = int(torch.randint(width - size + 1, (), generator=generator))
        turns = int(torch.randint(4, (), generator=generator))
        return Placement(top, left, size, turns, bool(torch.rand((), generator=generator) < 0.5))

    @staticmethod
    def central(height: int, width: int, size: int) -> Placement:
        """The window in the middle, as it is."""
        return Placement((height - size) // 2, (width - size) // 2, size, 0, False)

    def __call__(self, image: Tensor) -> Tensor:
        """The window of an image (..., height, width); a tensor of its own."""
        part = image[..., self.top : self.top + self.size, self.left : self.left + self.size]
        part = torch.rot90(part, self.turns, dims=(-2, -1))
        return (part.flip(-1) if self.mirrored else part).contiguous()

    def of_sample(self, sample: dict[str, Tensor]) -> dict[str, Tensor]:
        """All images of a sample, (channel, height, width) each; numbers stay."""
        return {name: self(value) if value.ndim == 3 else value for name, value in sample.items()}
