"""Pyramids: images at halved resolutions."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from mindl.core.arrays import Image


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
    weight = known.to(values.dtype)
    sums = torch.where(known.bool(), values, 0)
    if values.shape[2] * values.shape[3] == 1:
        return sums
    spare = (0, values.shape[3] % 2, 0, values.shape[2] % 2)
    coarse_sum = functional.avg_pool2d(functional.pad(sums, spare), 2)
    coarse_weight = functional.avg_pool2d(functional.pad(weight, spare), 2)
    some = coarse_weight > 0
    coarse = pull_push(torch.where(some, coarse_sum / torch.where(some, coarse_weight, 1), 0), some)
    size = [values.shape[2] + spare[3], values.shape[3] + spare[1]]
    fine = functional.interpolate(coarse, size=size, mode="bilinear", align_corners=False)
    return torch.where(known.bool(), values, fine[..., : values.shape[2], : values.shape[3]])
