"""An image cut into strips of rows: proofs and residuals in float64 without a copy of the whole in float64."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar, cast

import torch

from mindl.core.arrays import Image
from mindl.models.views import Energy, Local, SmoothEnergy

STRIP = 1 << 18
"""Pixel values looked at in one go."""

E = TypeVar("E", bound=Energy)


def strips(view: E, image: Image) -> Iterator[tuple[E, slice, slice]]:
    """Cut an image into strips of rows: (the view there, the rows it sees, which of these count).

    The view's tensors come in float64. A view that is not ``Local`` is given whole.
    """
    height, width = image.shape[2:]
    local: object = view
    if not isinstance(local, Local):
        yield view, slice(0, height), slice(0, height)
        return
    if local.radius >= height:  # it sees the whole image from everywhere
        yield cast(E, local.crop(0, height, torch.float64)), slice(0, height), slice(0, height)
        return
    rows = max(1, STRIP // (image.shape[1] * width))
    for seen, inside, _ in cut(height, rows, local.radius):
        yield cast(E, local.crop(seen.start, seen.stop, torch.float64)), seen, inside


def cut(height: int, rows: int, halo: int) -> Iterator[tuple[slice, slice, slice]]:
    """Cut ``height`` rows into strips: (rows seen, halo included; which of these count; where they belong)."""
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        first, last = max(top - halo, 0), min(bottom + halo, height)
        yield slice(first, last), slice(top - first, bottom - first), slice(top, bottom)


def gradient(view: SmoothEnergy, image: Image, dtype: torch.dtype) -> Image:
    """The gradient, computed in float64 and rounded to ``dtype``, strip by strip.

    >>> import mindl as md
    >>> noisy = torch.rand(1, 1, 9, 9, generator=torch.Generator().manual_seed(0))
    >>> view = md.models.charbonnier(noisy, weight=0.1).view(SmoothEnergy)
    >>> bool(torch.equal(gradient(view, noisy, torch.float64), view.gradient(noisy.double())))
    True
    """
    found = [
        part.gradient(image[..., rows, :].double())[..., inside, :].to(dtype)
        for part, rows, inside in strips(view, image)
    ]
    return found[0] if len(found) == 1 else torch.cat(found, dim=2)
