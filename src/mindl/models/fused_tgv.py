"""What fused sweeps need to know of total generalised variation, and its duality gap by such a sweep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mindl.calculus import Channelwise, Joint
from mindl.core.arrays import Dual, Image, Weight
from mindl.core.reduce import total
from mindl.kernels.choice import serves
from mindl.models.views import GapSums

if TYPE_CHECKING:
    from mindl.models.tgv import TotalGeneralisedVariation


@dataclass(frozen=True, eq=False)
class TGVPiece:
    """An image, or a channel of it where channels are problems of their own: u, w_x, w_y, f, p and the weights."""

    index: int
    image: Tensor
    along_x: Tensor
    along_y: Tensor
    data: Tensor
    dual: Tensor
    first: float
    second: float


def tgv_pieces(model: TotalGeneralisedVariation, image: Image, dual: Dual) -> Iterator[TGVPiece] | None:
    """The parts of contiguous tensors that a sweep may work on; None where none serves."""
    data = model.data_term.data.detach()
    known = isinstance(model.coupling, Joint | Channelwise) and image.dtype == data.dtype
    if not known or not serves(image) or not (image.is_contiguous() and dual.is_contiguous()):
        return None
    return _pieces(model, image, dual, data.contiguous())


def _pieces(model: TotalGeneralisedVariation, image: Image, dual: Dual, data: Image) -> Iterator[TGVPiece]:
    channels = data.shape[1]
    width = channels if isinstance(model.coupling, Joint) else 1
    for b in range(data.shape[0]):
        for c in range(0, channels, width):
            u, x, y = (image[b, block + c : block + c + width] for block in (0, channels, 2 * channels))
            first, second = (_one(weight, b) for weight in (model.weight, model.second_weight))
            yield TGVPiece(b, u, x, y, data[b, c : c + width], dual[b, c : c + width], first, second)


def tgv_gap_sums(model: TotalGeneralisedVariation, image: Image, dual: Dual) -> GapSums | None:
    """The sums of the duality gap by a fused sweep, in float64; None where none serves."""
    pieces = tgv_pieces(model, image.contiguous(), dual.contiguous())
    if pieces is None or (isinstance(model.coupling, Channelwise) and image.shape[1] > 3):
        return None  # one factor makes the fields of all channels feasible
    from mindl.kernels import tgv_gap  # noqa: PLC0415  # loads Numba

    sums = torch.zeros(image.shape[0], tgv_gap.SUMS, dtype=torch.float64)
    for piece in pieces:
        rows = tgv_gap.rows_of_sums(
            piece.image.numpy(),
            piece.along_x.numpy(),
            piece.along_y.numpy(),
            piece.data.numpy(),
            piece.dual.numpy(),
            piece.first,
            piece.second,
            torch.get_num_threads(),
        )
        sums[piece.index] += total(torch.from_numpy(rows).T.contiguous())
    field, data, penalty, misfit, squared, slopes = sums.T
    return GapSums(penalty + misfit, field, data, squared, (slopes * squared).sqrt())


def _one(value: Weight, index: int) -> float:
    return float(value[index].detach()) if isinstance(value, Tensor) else float(value)
