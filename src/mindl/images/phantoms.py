"""Images made by formula: a disc, a step, a ramp, and dead leaves."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mindl.core.arrays import Image
from mindl.core.errors import InputError
from mindl.core.randomness import Seed, draw


def _size(height: int, width: int) -> None:
    if height < 1 or width < 1:
        raise InputError(f"An image needs at least one pixel, got height {height} and width {width}.")


def disc(height: int, width: int, radius: float, *, inside: float = 1.0, outside: float = 0.0) -> Image:
    """A disc about the centre: pixels whose centre is nearer than ``radius`` pixels are inside.

    >>> int(disc(5, 5, 1.5).sum())
    9
    """
    _size(height, width)
    y = torch.arange(height, dtype=torch.float64)[:, None] - (height - 1) / 2
    x = torch.arange(width, dtype=torch.float64)[None, :] - (width - 1) / 2
    return torch.where(x * x + y * y < radius * radius, inside, outside).float()[None, None]


def step(height: int, width: int, *, at: int | None = None, left: float = 0.0, right: float = 1.0) -> Image:
    """A vertical edge: columns before ``at`` (by default the middle) are ``left``, the others ``right``.

    >>> step(1, 4).flatten()
    tensor([0., 0., 1., 1.])
    """
    _size(height, width)
    column = torch.arange(width) < (width // 2 if at is None else at)
    return torch.where(column, left, right).expand(height, width).float().clone()[None, None]


def ramp(height: int, width: int, *, start: float = 0.0, end: float = 1.0) -> Image:
    """Grey values that rise evenly from the first column to the last.

    >>> ramp(1, 3).flatten()
    tensor([0.0000, 0.5000, 1.0000])
    """
    _size(height, width)
    return torch.linspace(start, end, width).expand(height, width).clone()[None, None]


def dead_leaves(
    height: int,
    width: int,
    *,
    seed: Seed,
    channels: int = 1,
    batch: int = 1,
    smallest: float = 2.0,
    largest: float | None = None,
    supersample: int = 2,
) -> Image:
    r"""Discs of random place, size and grey value, each hiding what lies below, until nothing shows through.

    With the density :math:`r^{-3}` of the radii the image is statistically scale invariant, like photographs:
    edges, occlusion and flat regions of every size. Leaves are laid from the top down: a new one only
    fills what is still bare. Edges are smoothed by averaging ``supersample`` x ``supersample`` points a pixel.

    Args:
        height, width: size in pixels.
        seed: image ``b`` of the batch draws from ``seed + b``.
        channels: 1 (grey) or 3 (colour: a common brightness with a random tint).
        batch: number of images.
        smallest, largest: radii in pixels; ``largest`` is by default half the longer side.
        supersample: points a pixel and direction.

    Raises:
        InputError: a size, radius or number of channels out of range.

    Source: Matheron (1968); Lee, Mumford and Huang, Int. J. Comput. Vis. 41 (2001).

    >>> image = dead_leaves(32, 48, seed=3)
    >>> image.shape, bool((image >= 0).all() and (image <= 1).all())
    (torch.Size([1, 1, 32, 48]), True)
    """
    _size(height, width)
    longest = max(height, width) / 2 if largest is None else largest
    longest = max(longest, smallest)
    if channels not in (1, 3) or smallest <= 0 or supersample < 1:
        raise InputError(
            f"dead_leaves needs 1 or 3 channels, radii above 0 and supersample >= 1, got {channels}, "
            f"{smallest} and {supersample}."
        )
    fine = (height * supersample, width * supersample)

    def one(generator: torch.Generator) -> Tensor:
        canvas = _lay_leaves(*fine, channels, smallest * supersample, longest * supersample, generator)
        return torch.nn.functional.avg_pool2d(canvas[None], supersample)[0]

    return draw(seed, batch, one)


def _lay_leaves(
    height: int, width: int, channels: int, smallest: float, largest: float, generator: torch.Generator
) -> Tensor:
    canvas = torch.zeros(channels, height, width)
    bare = torch.ones(height, width, dtype=torch.bool)
    left = height * width
    while left:
        # 512 leaves are drawn at a time: six numbers each (place, radius, colour).
        numbers = torch.rand(512, 6, generator=generator, dtype=torch.float64)
        for y, x, size, *colour in numbers.tolist():
            # Inverse of the distribution function of the density r^-3 on [smallest, largest].
            radius = (smallest**-2 - size * (smallest**-2 - largest**-2)) ** -0.5
            cy, cx = y * (height + 2 * radius) - radius, x * (width + 2 * radius) - radius
            left -= _lay_one(canvas, bare, cy, cx, radius, _colour(colour, channels))
            if not left:
                break
    return canvas


def _lay_one(canvas: Tensor, bare: Tensor, cy: float, cx: float, radius: float, colour: Tensor) -> int:
    """Fill the bare points of one disc; how many there were."""
    height, width = bare.shape
    top, bottom = max(0, math.ceil(cy - radius)), min(height, math.floor(cy + radius) + 1)
    first, last = max(0, math.ceil(cx - radius)), min(width, math.floor(cx + radius) + 1)
    if top >= bottom or first >= last:
        return 0
    window = bare[top:bottom, first:last]
    y = torch.arange(top, bottom, dtype=torch.float64)[:, None] - cy
    x = torch.arange(first, last, dtype=torch.float64)[None, :] - cx
    fresh = window & (x * x + y * y < radius * radius)
    canvas[:, top:bottom, first:last].masked_scatter_(
        fresh.expand(len(colour), -1, -1), colour[:, None].expand(-1, int(fresh.sum())).contiguous()
    )
    window &= ~fresh
    return int(fresh.sum())


def _colour(numbers: list[float], channels: int) -> Tensor:
    if channels == 1:
        return torch.tensor(numbers[:1], dtype=torch.float32)
    brightness = numbers[0]
    tint = [0.0, numbers[1] - 0.5, numbers[2] - 0.5]
    return torch.tensor([brightness + 0.4 * t for t in tint]).clamp(0, 1)
