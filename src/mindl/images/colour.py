"""Colour to grey."""

from __future__ import annotations

from mindl.core.arrays import Image, check_image
from mindl.core.errors import InputError

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue (ITU-R BT.601), as the grey test images of the field were made with."""


def grey(image: Image) -> Image:
    """One channel: 0.299 R + 0.587 G + 0.114 B; grey images stay as they are.

    Raises:
        InputError: neither 1 nor 3 channels.

    >>> import torch
    >>> grey(torch.ones(1, 3, 2, 2)).shape
    torch.Size([1, 1, 2, 2])
    """
    check_image(image, "grey(image)")
    if image.shape[1] == 1:
        return image
    if image.shape[1] != 3:
        raise InputError(f"grey(image) needs 1 or 3 channels, got {image.shape[1]}.")
    red, green, blue = image[:, 0:1], image[:, 1:2], image[:, 2:3]
    result: Image = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    return result
