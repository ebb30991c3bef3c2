"""Coarser grids to begin on: the large structures first, where they are cheap."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from mindl.core.arrays import Image
from mindl.models.candidate import Candidate
from mindl.models.model import Model
from mindl.models.variational import Variational
from mindl.models.views import StronglyConvexSaddlePoint

SMALLEST = 8
"""Pixels of the shorter side of the coarsest grid."""

STRONG = 0.15
"""Weights from which on ``minimise`` begins on coarser grids."""


def begins_coarsely(model: Model) -> bool:
    """Whether a cascadic start pays: for strongly convex saddle points whose weight is large.

    Their dual field must grow to the weight, a step at a time; on a coarse grid it does so cheaply. Steps to 1e-4
    of ``rof`` at 256 x 256, sigma 25, from the data and from the coarse grids: 90 and 90 for the weight 0.08, 290
    and 200 for 0.2, 850 and 340 for 0.5, above 3000 and 1100 for 2. Elsewhere it costs as much as it saves:
    inpainting 5 % by total variation 1460 and 1300, by the Laplacian 80 and 70, TV-L1 580 and 580.
    """
    if not isinstance(model, Variational) or model.why_not(StronglyConvexSaddlePoint) is not None:
        return False
    return bool(torch.as_tensor(model.weight).max() >= STRONG) and len(grids(model)) > 1


def grids(model: Model) -> list[Model]:
    """The model on ever coarser grids, itself first, as far as it knows a grid size."""
    found = [model]
    while isinstance(found[-1], Variational):
        coarse = found[-1].coarser()
        if coarse is None or min(coarse.image_shape[2:]) < SMALLEST:
            break
        found.append(coarse)
    return found


def onto(model: Model, image: Image, dual: Tensor | None) -> Candidate:
    """A solution of the next coarser grid as a candidate: interpolated linearly, its dual field repeated.

    The magnitudes of a dual field mean the same on every grid.
    """
    height, width = model.start().shape[2:]
    fine = None if dual is None else _repeated(dual, height, width)
    return Candidate(model.project(_interpolated(image, height, width)), fine)


def _interpolated(image: Image, height: int, width: int) -> Image:
    size = [2 * n for n in image.shape[2:]]
    return functional.interpolate(image, size=size, mode="bilinear", align_corners=False)[..., :height, :width]


def _repeated(dual: Tensor, height: int, width: int) -> Tensor:
    twice = dual.repeat_interleave(2, dim=3).repeat_interleave(2, dim=4)
    return twice[..., :height, :width].contiguous()
