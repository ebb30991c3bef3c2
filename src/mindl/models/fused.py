"""What fused sweeps need to know of a variational model, and the duality gap by such a sweep.

Only models that a sweep serves are described: first differences with reflecting boundaries, total variation,
Huber's or the quadratic penaliser, and the data terms below. All others are computed by plain PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mindl.calculus import (
    Channelwise,
    Directional,
    Gradient,
    Huber,
    Joint,
    Quadratic,
    Reflecting,
    Separate,
    TotalVariation,
)
from mindl.core.arrays import Dual, Image, Weight
from mindl.core.reduce import total
from mindl.kernels.choice import serves
from mindl.models.data_terms import Absolute, Boxed, DataTerm, HalfSquared, KnownPixels
from mindl.models.views import GapSums

if TYPE_CHECKING:
    from mindl.models.variational import Variational

KINDS: dict[type[DataTerm], int] = {HalfSquared: 0, KnownPixels: 1, Absolute: 2}
"""The data terms as sweeps number them."""


@dataclass(frozen=True, eq=False)
class Piece:
    """What a sweep works on: an image, or a channel of it where channels are problems of their own."""

    index: int
    channels: slice
    data: Tensor
    known: Tensor
    low: Tensor
    high: Tensor
    weight: float
    contrast: float

    def of(self, tensor: Tensor) -> Tensor:
        """The piece's part of an image or a field."""
        return tensor[self.index, self.channels]


@dataclass(frozen=True, eq=False)
class Fused:
    """A model that sweeps serve."""

    data_term: DataTerm
    weight: Weight
    contrast: Weight
    quadratic: bool
    grid: float
    isotropic: bool
    joint: bool

    @property
    def kind(self) -> int:
        """The number of the data term."""
        return KINDS[type(self.data_term)]

    def pieces(self) -> Iterator[Piece]:
        """One for each image, or for each channel of each image."""
        term = self.data_term
        data = term.data.detach().contiguous()
        batch, channels, height, width = data.shape
        known = torch.zeros(1, 1, 1, 1, dtype=torch.bool).expand(1, 1, height, width)
        if isinstance(term, KnownPixels):
            known = term.mask.contiguous()
        for b in range(batch):
            for part in [slice(0, channels)] if self.joint else [slice(c, c + 1) for c in range(channels)]:
                yield Piece(
                    b,
                    part,
                    data[b, part],
                    known[b % known.shape[0], part if known.shape[1] > 1 else slice(0, 1)],
                    *_box(term, b, part),
                    _one(self.weight, b),
                    _one(self.contrast, b),
                )


def fused(model: Variational) -> Fused | None:
    """How sweeps see a model; None where none serves it."""
    operator, penaliser, coupling, term = model.operator, model.penaliser, model.coupling, model.data_term
    known = (
        type(operator) is Gradient
        and isinstance(operator.boundary, Reflecting)
        and isinstance(penaliser, TotalVariation | Huber | Quadratic)
        and isinstance(coupling, Joint | Channelwise | Directional | Separate)
        and type(term) in KINDS
        and serves(term.data.detach())
    )
    if not known:
        return None
    assert isinstance(operator, Gradient)
    contrast: Weight = penaliser.contrast if isinstance(penaliser, Huber) else 0.0
    return Fused(
        term,
        model.weight,
        contrast,
        isinstance(penaliser, Quadratic),
        operator.grid,
        isinstance(coupling, Joint | Channelwise),
        isinstance(coupling, Joint | Directional),
    )


def gap_sums(model: Variational, image: Image, dual: Dual) -> GapSums | None:
    """The sums of the duality gap by a fused sweep, in float64; None where none serves the model."""
    plan = fused(model)
    if plan is None or plan.quadratic or not serves(image) or image.dtype != plan.data_term.data.dtype:
        return None
    from mindl.kernels import gap  # noqa: PLC0415  # loads Numba

    image, dual = image.contiguous(), dual.contiguous()
    sums = torch.zeros(image.shape[0], 6, dtype=torch.float64)
    for piece in plan.pieces():
        rows = gap.rows_of_sums(
            piece.of(image).numpy(),
            piece.data.numpy(),
            piece.known.numpy(),
            piece.of(dual).numpy(),
            piece.low.numpy(),
            piece.high.numpy(),
            plan.kind,
            piece.weight,
            piece.contrast,
            plan.grid,
            plan.isotropic,
            torch.get_num_threads(),
        )
        found = torch.from_numpy(rows)
        own = total(found[:, :6].T.contiguous())
        reach = torch.stack([piece.low.abs().max(), piece.high.abs().max(), found[:, 6].max()]).max()
        own[5] *= reach if isinstance(plan.data_term, Boxed) else 0.0  # as ``SaddlePoint.looseness``
        sums[piece.index] += own
    field, data, penalty, misfit, squared, loose = sums.T
    return GapSums(penalty + misfit, field, data, squared, loose)


def _one(value: Weight, index: int) -> float:
    """That of an image, where there may be one for each."""
    return float(value[index].detach()) if isinstance(value, Tensor) else float(value)


def _box(term: DataTerm, index: int, channels: slice) -> tuple[Tensor, Tensor]:
    """The ends of each channel's box, in float64; 0 where there is none."""
    if not isinstance(term, Boxed):
        zero = torch.zeros(term.data.shape[1], dtype=torch.float64)[channels]
        return zero, zero
    low, high = (end[index, channels].double().flatten().contiguous() for end in (term.low, term.high))
    return low, high
