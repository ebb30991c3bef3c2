"""Sums over each image of a batch, in one fixed order.

A library sum may add in another order when an image has batch mates, another stride or more threads;
stopping rules would then depend on them. Here every image is summed pairwise, by halves, with nothing but
elementwise additions in float64: the same bits alone and in a batch, and an error that grows with the
logarithm of the size only (Higham, The accuracy of floating point summation, 1993).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mindl.core.arrays import PerImage, exporting

BLOCK = 1 << 15
"""Terms folded to one at a time."""

GROUP = 8
"""Blocks folded side by side: bounds the float64 copy at a few megabytes."""


def total(values: Tensor) -> PerImage:
    """Sum of all entries of each image, in float64 (also of an integer or a boolean tensor).

    >>> total(torch.ones(2, 1, 3, 5))
    tensor([15., 15.], dtype=torch.float64)
    """
    flat = values.reshape(values.shape[0], -1)
    if exporting():
        return flat.double().sum(dim=1)
    return _fold(torch.cat([_fold(part(flat).double()) for part in _parts(flat.shape[1])], dim=1))


def inner(left: Tensor, right: Tensor) -> PerImage:
    """Inner product of each pair of images, in float64 (products of float32 are then exact).

    >>> inner(torch.ones(1, 1, 2, 2), torch.full((1, 1, 2, 2), 3.0))
    tensor([12.], dtype=torch.float64)
    """
    a, b = left.reshape(left.shape[0], -1), right.reshape(right.shape[0], -1)
    if exporting():
        return (a.double() * b).sum(dim=1)
    return _fold(torch.cat([_fold(part(a).double() * part(b)) for part in _parts(a.shape[1])], dim=1))


def over_channels(values: Tensor) -> Tensor:
    """Sum over the channels, one after the other: (batch, 1, ...), in the values' own type.

    >>> over_channels(torch.ones(1, 3, 1, 2)).flatten().tolist()
    [3.0, 3.0]
    """
    summed = values[:, :1]
    for c in range(1, values.shape[1]):
        summed = summed + values[:, c : c + 1]
    return summed


def norm(values: Tensor) -> PerImage:
    """Euclidean norm of each image, in float64.

    >>> norm(torch.tensor([[[[3.0, 4.0]]]]))
    tensor([5.], dtype=torch.float64)
    """
    return inner(values, values).sqrt()


def largest(values: Tensor) -> PerImage:
    """Largest entry of each image, in float64."""
    return values.flatten(1).amax(dim=1).double()


def _parts(length: int) -> list[Callable[[Tensor], Tensor]]:
    """Cut (batch, length) into pieces (batch, blocks, terms): groups of full blocks, then the rest."""
    whole = length // BLOCK
    cuts = [(first, min(first + GROUP, whole)) for first in range(0, whole, GROUP)]

    def group(first: int, last: int) -> Callable[[Tensor], Tensor]:
        return lambda flat: flat[:, first * BLOCK : last * BLOCK].reshape(flat.shape[0], last - first, BLOCK)

    pieces = [group(first, last) for first, last in cuts]
    if length > whole * BLOCK:
        pieces.append(lambda flat: flat[:, None, whole * BLOCK :])
    return pieces


def _fold(terms: Tensor) -> Tensor:
    """Sum over the last dimension: add the second half to the first until one column is left."""
    while terms.shape[-1] > 1:
        half = terms.shape[-1] // 2
        folded = terms[..., :half] + terms[..., half : 2 * half]
        odd = terms[..., 2 * half :]
        terms = torch.cat([folded, odd], dim=-1) if odd.shape[-1] else folded
    return terms[..., 0]
