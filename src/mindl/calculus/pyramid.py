"""Pyramids: images at halved resolutions."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from mindl.core.arrays import Image, exporting

GRIDS = 12
"""Of a program for all sizes, beyond the first two: enough for sides of up to 16384 pixels."""


def pull_push(values: Image, known: Tensor) -> Image:
    """Fill unknown pixels by means of the known ones near by: a rough, cheap interpolation of scattered data.

    On the way up (pull) every pixel of a coarser level is the mean of the known ones among the four below it,
    until one pixel is left; on the way down (push) unknown pixels take the bilinear interpolation of the coarser
    level. Known pixels stay, and the result is a convex combination of them.

    Args:
        values: (batch, channel, height, width); what it holds at unknown pixels is ignored.
        known: 1 or true where a pixel is known, of the same shape.

    Source: Gortler et al., The Lumigraph, SIGGRAPH 1996, section 3.4.

    >>> pull_push(torch.tensor([[[[0.25, 9.0, 9.0, 0.75]]]]), torch.tensor([[[[1, 0, 0, 1]]]])).flatten().tolist()
    [0.25, 0.375, 0.625, 0.75]
    """
    if exporting():
        return _filled(values, known, 2)
    if values.shape[2] * values.shape[3] == 1:
        return torch.where(known.bool(), values, 0)
    return _pushed(pull_push(*_pulled(values, known, (0, 1, 0, 1))), values, known)


def _pulled(values: Image, known: Tensor, more: tuple[int, int, int, int]) -> tuple[Image, Tensor]:
    """Means over 2 x 2 pixels of the known ones, after unknown ones were added; where there are any."""
    sums = functional.avg_pool2d(functional.pad(torch.where(known.bool(), values, 0), more), 2)
    weight = functional.avg_pool2d(functional.pad(known.to(values.dtype), more), 2)
    some = weight > 0
    return torch.where(some, sums / torch.where(some, weight, 1), 0), some


def _pushed(coarse: Image, values: Image, known: Tensor) -> Image:
    """The known pixels, and the interpolation of the coarser grid elsewhere."""
    fine = functional.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
    more = (0, values.shape[3] - fine.shape[3], 0, values.shape[2] - fine.shape[2])
    return torch.where(known.bool(), values, functional.pad(fine, more))  # a crop that can be exported


def _filled(values: Image, known: Tensor, halvings: int) -> Image:
    """The same for images of any size by one program: the number of its steps cannot depend on the size.

    After a few halvings, all further grids are as large as the one then reached; what is beyond their own size is
    unknown on the way up, and repeats the border on the way down.
    """
    if halvings:
        return _pushed(_filled(*_pulled(values, known, (0, 1, 0, 1)), halvings - 1), values, known)
    height, width = values.shape[2:]
    grids = [(values, known)]
    for _ in range(GRIDS):
        grids.append(_pulled(*grids[-1], (0, width, 0, height)))
    filled, _ = grids.pop()
    rows, columns = (torch.arange(n, device=values.device) for n in (height, width))
    for k in range(GRIDS, 0, -1):
        filled = filled.index_select(2, rows.clamp(max=(height - 1) // (1 << k)))
        filled = filled.index_select(3, columns.clamp(max=(width - 1) // (1 << k)))
        filled = _pushed(filled, *grids[k - 1])
    return filled
