"""What every network checks of its settings and its images."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from mindl.core.errors import InputError


def check_counts(call: str, numbers: Mapping[str, int], least: int = 1) -> None:
    """See that settings are whole numbers of at least ``least``.

    Raises:
        InputError: one is not.

    >>> check_counts("PlainCNN", {"depth": 0})
    Traceback (most recent call last):
    mindl.core.errors.InputError: PlainCNN(depth=0) needs a whole number of at least 1.
    """
    for name, number in numbers.items():
        if not isinstance(number, int) or isinstance(number, bool) or number < least:
            raise InputError(f"{call}({name}={number!r}) needs a whole number of at least {least}.")


def check_image(call: str, image: Tensor, inputs: int) -> None:
    """See that an image is a batch with the channels that a network was made for.

    Raises:
        InputError: it is not.
    """
    if image.ndim != 4 or image.shape[1] != inputs:
        cure = "add the axis of the batch with image[None]" if image.ndim == 3 else "make it with as many inputs"
        raise InputError(
            f"{call}(inputs={inputs}) needs (batch, {inputs}, height, width), got {tuple(image.shape)}: {cure}."
        )
