"""Masks: true = known pixel, false = to be filled."""

from __future__ import annotations

import numpy as np
import torch

from mindl.core.arrays import Mask
from mindl.core.errors import InputError, MaskError
from mindl.core.randomness import Seed, draw
from mindl.images.io import Array, PathLike, load, to_numpy


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
