"""What a network's answers look like beside what they should be: numbers that tell a blur from a shift."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mindl.core.arrays import GREY_LEVELS, Image

BINS = 31
"""Of a histogram of errors."""

FAR = 64.0
"""Half the width of that histogram in grey levels; what is beyond counts for its last bin."""

BEYOND = 0.1
"""Values further than this outside [0, 1] are no grey values of a photograph."""


def compared(image: Image, start: Image, target: Image) -> dict[str, float]:
    r"""Answers u beside their targets t and the start u_0, all images together.

    ``moved`` is :math:`\|u - u_0\| / \|t - u_0\|`: 0 = the answer is what was given. ``along`` is
    :math:`\langle u - u_0, t - u_0 \rangle / \|t - u_0\|^2`: 1 = all the way, below 0 = away from the target.
    ``contrast`` is the ratio of standard deviations (over the pixels of an image), ``sharpness`` that of
    :math:`\|\nabla \cdot\|^2`, ``shift`` the difference of means in grey levels, ``outside`` the share of values
    beyond [-0.1, 1.1], ``likeness`` the mean correlation of an answer and its target, and ``other`` that of
    an answer and the next image's target.

    >>> t = torch.eye(4)[None, None]
    >>> found = compared(t / 2, torch.zeros(1, 1, 4, 4), t)
    >>> found["moved"], found["along"], found["contrast"], round(found["likeness"], 6)
    (0.5, 0.5, 0.5, 1.0)
    """
    u, first, t = (x.detach().double() for x in (image, start, target))
    way, whole = u - first, t - first
    length = float(whole.square().sum())
    return {
        "moved": math.sqrt(_ratio(float(way.square().sum()), length)),
        "along": _ratio(float((way * whole).sum()), length),
        "contrast": math.sqrt(_ratio(float(_centred(u).square().sum()), float(_centred(t).square().sum()))),
        "sharpness": _ratio(_slopes(u), _slopes(t)),
        "shift": GREY_LEVELS * float((u - t).mean()),
        "outside": float((~((u >= -BEYOND) & (u <= 1 + BEYOND))).double().mean()),
        "likeness": _likeness(u, t),
        "other": _likeness(u, t.roll(1, 0)) if u.shape[0] > 1 else 0.0,
    }


def histogram(image: Image, target: Image) -> list[int]:
    """How often an error u - t falls into each of ``BINS`` bins, evenly from -64 to 64 grey levels.

    >>> sum(histogram(torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)))
    4
    """
    errors = GREY_LEVELS * (image - target).detach().double().flatten()
    errors = torch.nan_to_num(errors, nan=FAR, posinf=FAR, neginf=-FAR).clamp(-FAR, FAR)
    counts = torch.histc(errors, bins=BINS, min=-FAR, max=FAR)
    return [int(count) for count in counts]


def _centred(image: Tensor) -> Tensor:
    return image - image.mean((1, 2, 3), keepdim=True)


def _slopes(image: Tensor) -> float:
    return float(image.diff(dim=2).square().sum() + image.diff(dim=3).square().sum())


def _likeness(one: Tensor, other: Tensor) -> float:
    """The mean correlation of images, each with its partner; 0 where one of both is constant."""
    a, b = _centred(one), _centred(other)
    products = (a * b).sum((1, 2, 3))
    lengths = (a.square().sum((1, 2, 3)) * b.square().sum((1, 2, 3))).sqrt()
    return float(torch.where(lengths > 0, products / torch.where(lengths > 0, lengths, 1), 0).mean())


def _ratio(above: float, below: float) -> float:
    """A quotient; 1 where nothing is to be compared."""
    return above / below if below > 0 else 1.0
