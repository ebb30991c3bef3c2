"""Shapes as types, and the checks at the doors.

Images are float tensors ``(batch, channel, height, width)`` with values in [0, 1]; noise may leave
that range. A batch is a set of independent images.
"""

from __future__ import annotations

from typing import overload

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mindl.core.errors import InputError

Image = Float[Tensor, "batch channel height width"]
Dual = Float[Tensor, "batch field_channel component height width"]
Unknown = Float[Tensor, "batch block height width"]
"""All that a model seeks, stacked along the channels: the image, and in some models further blocks."""
Mask = Bool[Tensor, "mask_batch mask_channel height width"]
PerImage = Float[Tensor, "batch"]
PerImageFlag = Bool[Tensor, "batch"]
Weight = float | Float[Tensor, "batch 1 1 1"]

GREY_LEVELS = 255.0
"""Certificates state distances in grey levels: one level is 1/255 of the range [0, 1]."""


def exporting() -> bool:
    """Whether torch makes a program of the computation, for images of any size: values are unknown, sizes symbols.

    Checks of values step aside then, as do paths that depend on the size.
    """
    return torch.compiler.is_exporting()


def check_image(value: object, call: str) -> Tensor:
    """``value`` itself, once it is known to be an image that mindl can work on.

    Raises:
        InputError: not a tensor, not four-dimensional, empty, not float32 or float64, or not finite.
    """
    if not isinstance(value, Tensor):
        raise InputError(
            f"{call} needs a tensor (batch, channel, height, width), got {type(value).__name__}; "
            "mindl.images.from_numpy turns an array into one."
        )
    if value.ndim != 4:
        raise InputError(
            f"{call} needs an image (batch, channel, height, width), got the shape {tuple(value.shape)}."
        )
    if value.numel() == 0:
        raise InputError(f"{call} needs at least one pixel, got the shape {tuple(value.shape)}.")
    if value.dtype not in (torch.float32, torch.float64):
        raise InputError(f"{call} needs float32 or float64 values in [0, 1], got {value.dtype}.")
    if not exporting() and not bool(finite(value).all()):
        broken = int((~torch.isfinite(value)).sum())
        raise InputError(f"{call} needs finite pixels, got {broken} that are NaN or infinite.")
    return value


def finite(values: Tensor) -> PerImageFlag:
    """Whether all values of each image are finite: by its extremes, 40 times faster than one by one.

    >>> finite(torch.tensor([[1.0, 2.0], [torch.nan, 0.0]])).tolist()
    [True, False]
    """
    flat = values.detach().flatten(1)  # NaN is the largest and the smallest of its image
    return torch.isfinite(flat.amax(dim=1)) & torch.isfinite(flat.amin(dim=1))


def check_weight(value: Weight, image: Tensor, call: str) -> Weight:
    """``value`` itself, once it is positive, finite, and one number or one per image.

    Raises:
        InputError: not positive (zero would switch the model off), NaN, infinite, or of another shape.
    """
    if isinstance(value, Tensor):
        if value.shape != (image.shape[0], 1, 1, 1):
            raise InputError(
                f"{call} needs a weight that is a number or a tensor ({image.shape[0]}, 1, 1, 1), "
                f"got the shape {tuple(value.shape)}."
            )
        if value.device != image.device:
            raise InputError(f"{call} needs its weight on the image's device {image.device}, got {value.device}.")
        valid = exporting() or bool((torch.isfinite(value) & (value > 0)).all())
    else:
        valid = isinstance(value, float | int) and 0 < value < float("inf")
    if not valid:
        raise InputError(f"{call} needs a finite weight above 0, got {value}.")
    return value


def highest(values: float | Tensor) -> float:
    """A number, or the largest of several, in full precision.

    >>> highest(0.1), highest(torch.tensor([1.0, 2.0]))
    (0.1, 2.0)
    """
    return float(values.detach().max()) if isinstance(values, Tensor) else float(values)


@overload
def at_least(value: Tensor, low: float) -> Tensor: ...
@overload
def at_least(value: float, low: float) -> float: ...
def at_least(value: float | Tensor, low: float) -> float | Tensor:
    """The larger number; ``value`` may be a tensor that stands for a number (see ``exporting``).

    >>> at_least(0.0, 1e-9)
    1e-09
    """
    return value.clamp(min=low) if isinstance(value, Tensor) else max(value, low)


@overload
def per_image(values: Tensor, field: Tensor) -> Tensor: ...
@overload
def per_image(values: float, field: Tensor) -> float: ...
def per_image(values: float | Tensor, field: Tensor) -> float | Tensor:
    """A number, or one number per image, shaped to multiply ``field`` and of its type.

    >>> per_image(torch.tensor([1.0, 2.0]), torch.zeros(2, 1, 3, 3)).shape
    torch.Size([2, 1, 1, 1])
    """
    if isinstance(values, Tensor):
        return values.to(field.dtype).reshape(-1, *[1] * (field.ndim - 1))
    return values
