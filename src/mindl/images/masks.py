"""Masks: true = known pixel, false = to be filled."""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch
from torch import Tensor

from mindl.core.arrays import Mask
from mindl.core.errors import InputError, MaskError
from mindl.core.randomness import Seed, draw
from mindl.images.io import Array, PathLike, load, to_numpy
from mindl.images.lettering import PITCH, dots, fill

Point = tuple[float, float]
"""Row and column."""

PIECES = 32
"""Straight pieces that a scratch is made of; even, so that its middle is a corner between two of them."""


def random_mask(height: int, width: int, density: float, *, seed: Seed, batch: int = 1) -> Mask:
    """A share ``density`` of the pixels, chosen at random: exactly round(density * pixels), at least one.

    Args:
        height, width: size in pixels.
        density: share of known pixels, in (0, 1].
        seed: image ``b`` of the batch draws from ``seed + b``.
        batch: number of masks.

    Raises:
        InputError: a density outside (0, 1].

    >>> int(random_mask(10, 20, 0.05, seed=0).sum())
    10
    """
    if not 0 < density <= 1:
        raise InputError(f"random_mask(density={density}) must be above 0 and at most 1.")
    known = max(1, round(density * height * width))

    def one(generator: torch.Generator) -> Mask:
        mask = torch.zeros(height * width, dtype=torch.bool)
        mask[torch.randperm(height * width, generator=generator)[:known]] = True
        return mask.reshape(1, height, width)

    return draw(seed, batch, one)


def grid_mask(height: int, width: int, spacing: int) -> Mask:
    """Every ``spacing``-th pixel in both directions, from pixel spacing // 2 on (or the last, if there are fewer).

    Of an axis with n pixels max(1, ceil((n - spacing // 2) / spacing)) are known, n / spacing where it divides n.

    Args:
        height, width: size in pixels.
        spacing: from one known pixel to the next; 1 knows all.

    Raises:
        InputError: a size or spacing that is no whole number of at least 1.

    >>> grid_mask(1, 7, 3).int().tolist()
    [[[[0, 1, 0, 0, 1, 0, 0]]]]
    """
    _check_size(height, width, "grid_mask")
    _check_whole(spacing, 1, "grid_mask(spacing")
    rows, columns = (torch.arange(n) % spacing == min(spacing // 2, n - 1) for n in (height, width))
    return (rows[:, None] & columns[None, :])[None, None]


def block_mask(height: int, width: int, size: int, count: int, *, seed: Seed, batch: int = 1) -> Mask:
    """``count`` blocks of size x size pixels are to be filled: exactly count * size^2 pixels.

    As in a broken transmission, blocks are cells of a grid, so that none overlap; the grid begins at a random
    place, so that no pixel is spared for being near the border.

    Args:
        height, width: size in pixels.
        size: side of a block in pixels.
        count: number of blocks.
        seed: image ``b`` of the batch draws from ``seed + b``.
        batch: number of masks.

    Raises:
        InputError: a size that is no whole number, more blocks than there is room for, or no pixel left known.

    >>> int((~block_mask(32, 48, 8, 5, seed=0)).sum())
    320
    """
    _check_size(height, width, "block_mask")
    _check_whole(size, 1, "block_mask(size")
    _check_whole(count, 0, "block_mask(count")
    rows, columns = height // size, width // size
    if count > rows * columns or count * size * size == height * width:
        raise InputError(
            f"block_mask(size={size}, count={count}) is too much for {height} x {width} pixels: there is room for "
            f"{rows * columns} blocks, and one pixel stays known."
        )

    def one(generator: torch.Generator) -> Mask:
        top, left = (int(torch.randint(n % size + 1, (), generator=generator)) for n in (height, width))
        lost = torch.zeros(rows * columns, dtype=torch.bool)
        lost[torch.randperm(rows * columns, generator=generator)[:count]] = True
        cells = lost.reshape(rows, columns).repeat_interleave(size, 0).repeat_interleave(size, 1)
        mask = torch.ones(1, height, width, dtype=torch.bool)
        mask[0, top : top + rows * size, left : left + columns * size] = ~cells
        return mask

    return draw(seed, batch, one)


def scratch_mask(
    height: int, width: int, count: int, *, seed: Seed, thickness: float = 1.0, batch: int = 1
) -> Mask:
    """``count`` scratches are to be filled: pixels whose centre is at most thickness / 2 from a gently bent curve.

    A scratch is a parabola. Its middle is a random pixel, its direction random, its length between a quarter and
    the whole of the longer side, and it is bent by at most a tenth of its length. Each hits its middle at least;
    the share that is lost follows from the draw. Should nothing be left, a random pixel stays known.

    Args:
        height, width: size in pixels.
        count: number of scratches; they may cross.
        seed: image ``b`` of the batch draws from ``seed + b``.
        thickness: in pixels, at least 1: thinner scratches would have gaps.
        batch: number of masks.

    Raises:
        InputError: a size or count that is no whole number, or a thickness below 1, NaN or infinite.

    >>> scratch_mask(64, 64, 3, seed=1).float().mean().round(decimals=2)
    tensor(0.9800)
    """
    _check_size(height, width, "scratch_mask")
    _check_whole(count, 0, "scratch_mask(count")
    if not 1 <= thickness < math.inf:
        raise InputError(f"scratch_mask(thickness={thickness}) must be at least 1 pixel and finite.")

    def one(generator: torch.Generator) -> Mask:
        lost = torch.zeros(height, width, dtype=torch.bool)
        for numbers in torch.rand(count, 5, generator=generator, dtype=torch.float64).tolist():
            curve = _parabola(height, width, *numbers)
            for start, end in itertools.pairwise(curve):
                _scratch(lost, start, end, thickness / 2)
        if bool(lost.all()):
            lost.view(-1)[int(torch.randint(height * width, (), generator=generator))] = False
        return ~lost[None]

    return draw(seed, batch, one)


def text_mask(height: int, width: int, text: str, *, size: int | None = None) -> Mask:
    """A text in capitals is to be filled, written over and over until the image is full of it.

    Letters are 5 x 7 dots, one dot apart; lines are two dots apart and break at blanks. The first row and the
    first column stay known. Only whole letters are written, except where not even one fits.

    Args:
        height, width: size in pixels.
        text: of A to Z (small letters become capitals), 0 to 9, blanks and . , - ! ? ' :
        size: side of a dot in pixels; by default a hundredth of the shorter side, and at least 1.

    Raises:
        InputError: a size that is no whole number of at least 1, a character that is not in the font, or no text.

    >>> for row in text_mask(9, 13, "Hi").int()[0, 0, 1:4].tolist():
    ...     print("".join(".#"[1 - known] for known in row))
    .#...#..###..
    .#...#...#...
    .#...#...#...
    """
    _check_size(height, width, "text_mask")
    if size is not None:
        _check_whole(size, 1, "text_mask(size")
    dot = max(1, round(min(height, width) / 100)) if size is None else size
    # One dot stays free before the first letter; the gap after the last one may lie outside.
    lines, columns = (height // dot + 1) // PITCH[0], width // dot // PITCH[1]
    page = dots(fill(text, max(1, columns), max(1, lines)))
    page = page.repeat_interleave(dot, 0)[:height].repeat_interleave(dot, 1)[:, :width]
    mask = torch.ones(1, 1, height, width, dtype=torch.bool)
    mask[0, 0, : page.shape[0], : page.shape[1]] = ~page
    return mask


def mask_from_numpy(array: Array, *, damage: bool = False) -> Mask:
    """A mask (1, 1, height, width) from an array of booleans, 0 and 1, or 0 and 255 (65535).

    Args:
        array: (height, width), or (height, width, 3) with equal channels.
        damage: the array marks the pixels to be filled, not the known ones.

    Raises:
        MaskError: greys between black and white, colours, or another shape.

    >>> mask_from_numpy(np.array([[0, 255]], dtype=np.uint8)).tolist()
    [[[[False, True]]]]
    """
    array = np.asarray(array)
    if array.ndim == 3 and array.shape[2] in (1, 3):
        if bool((array != array[:, :, :1]).any()):
            raise MaskError("A mask is black and white; this one has colours. Threshold it first.")
        array = array[:, :, 0]
    if array.ndim != 2 or array.size == 0:
        raise MaskError(f"A mask is an array (height, width) of black and white, got the shape {array.shape}.")
    low, high = array.min(), array.max()
    white = {np.dtype(np.uint16): 65535}.get(array.dtype, 255) if high > 1 else 1
    between = int(((array != 0) & (array != white)).sum())
    if between or low < 0:
        raise MaskError(
            f"A mask holds two values, black and white; {between} pixels are between. Threshold it first, and "
            "save it as PNG: JPEG makes greys at every edge."
        )
    mask = torch.from_numpy(np.array(array != 0))[None, None]
    return ~mask if damage else mask


def read_mask(path: PathLike, *, damage: bool = False) -> Mask:
    """A mask from an image file: white = known (``damage``: white = to be filled).

    Raises:
        ImageFileError: no image, or refused.
        MaskError: greys or colours.
    """
    picture = load(path)
    if picture.alpha is not None:
        raise MaskError(f"{path}: a mask has no transparency; save it as plain black and white.")
    try:
        return mask_from_numpy(to_numpy(picture.pixels, picture.dtype), damage=damage)
    except MaskError as error:
        raise MaskError(f"{path}: {error}") from None


def _check_size(height: int, width: int, call: str) -> None:
    _check_whole(height, 1, f"{call}(height")
    _check_whole(width, 1, f"{call}(width")


def _check_whole(value: int, least: int, what: str) -> None:
    if not isinstance(value, int) or value < least:
        raise InputError(f"{what}={value!r}) must be a whole number, at least {least}.")


def _parabola(height: int, width: int, y: float, x: float, turn: float, size: float, bend: float) -> list[Point]:
    """Corners of a scratch, from five numbers in [0, 1)."""
    row, column, angle = math.floor(y * height), math.floor(x * width), 2 * math.pi * turn
    length = max(height, width) * (0.25 + 0.75 * size)
    curve = []
    for k in range(PIECES + 1):
        t = 2 * k / PIECES - 1  # -1 at one end, 0 in the middle, 1 at the other end
        along, across = t * length / 2, (2 * bend - 1) * length / 10 * t * t
        down = along * math.sin(angle) + across * math.cos(angle)
        right = along * math.cos(angle) - across * math.sin(angle)
        curve.append((row + down, column + right))
    return curve


def _scratch(lost: Tensor, start: Point, end: Point, radius: float) -> None:
    """Mark the pixels at most ``radius`` from a piece of a line."""
    first = [max(math.ceil(min(pair) - radius), 0) for pair in zip(start, end, strict=True)]
    last = [max(math.floor(max(pair) + radius) + 1, 0) for pair in zip(start, end, strict=True)]
    window = lost[first[0] : last[0], first[1] : last[1]]
    y = torch.arange(window.shape[0], dtype=torch.float64)[:, None] + (first[0] - start[0])
    x = torch.arange(window.shape[1], dtype=torch.float64)[None, :] + (first[1] - start[1])
    down, right = end[0] - start[0], end[1] - start[1]
    foot = ((y * down + x * right) / (down * down + right * right)).clamp(0, 1)
    window |= (y - foot * down) ** 2 + (x - foot * right) ** 2 <= radius * radius
