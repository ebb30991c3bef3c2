r"""Linear systems that fused sweeps serve, A = c + k (-Laplacian)^m with known pixels, and their sums.

First differences with reflecting boundaries give m = 1, the biharmonic operator m = 2. All others are computed by
plain PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mindl.calculus import Gradient, GradientPairs, Operator, Polyharmonic, Quadratic, Reflecting
from mindl.core.arrays import Image, Weight
from mindl.core.reduce import total
from mindl.kernels.choice import serves
from mindl.models.data_terms import HalfSquared, KnownPixels
from mindl.models.views import LinearSystem, ResidualSums
from mindl.models.weighted import WeightedSystem

if TYPE_CHECKING:
    from mindl.models.variational import Variational


@dataclass(frozen=True, eq=False)
class Laplacian:
    """A = c + k (-Laplacian)^m on the free pixels (None: all), and b: ``data`` itself, or c times the data.

    c is ``identity``, k is ``share``, a number or one per image, m is ``order``, 1 or 2. Whether ``data`` is the
    right-hand side b, ``right`` says. ``tally`` is told of every few products.
    """

    order: int
    identity: float
    share: Weight
    free: Tensor | None
    data: Tensor
    right: bool = False
    tally: Callable[[int], None] = lambda products: None

    @property
    def followed(self) -> bool:
        """Whether autograd looks on."""
        parts = [self.data, self.share] if isinstance(self.share, Tensor) else [self.data]
        return torch.is_grad_enabled() and any(part.requires_grad for part in parts)

    def share_of(self, index: int) -> float:
        """k of an image."""
        share = self.share
        return float(share.detach().flatten()[index % len(share)]) if isinstance(share, Tensor) else float(share)

    def free_pixels(self) -> Tensor:
        """The free pixels, (1 or batch, 1 or channel, height, width)."""
        if self.free is None:
            return torch.ones(1, 1, *self.data.shape[2:], dtype=torch.bool)
        return self.free.contiguous()

    def rows(self) -> Iterator[tuple[Tensor, Tensor]]:
        """For each image its data and its free pixels as rows: (channel x height, width)."""
        width = self.data.shape[3]
        data, free = self.data.detach().contiguous(), self.free_pixels()
        for b in range(len(data)):
            yield data[b].view(-1, width), free[b % len(free)].view(-1, width)


def power(operator: Operator) -> tuple[int, float] | None:
    """m and the factor of the powers of minus the Laplacian that L^T L is; None where it is none."""
    if isinstance(operator, GradientPairs):
        return 1, 0.25 / operator.grid**2
    if type(operator) is Gradient and isinstance(operator.boundary, Reflecting):
        return 1, 1 / operator.grid**2
    if isinstance(operator, Polyharmonic) and isinstance(operator.boundary, Reflecting) and operator.order <= 2:
        return operator.order, 1 / operator.grid ** (2 * operator.order)
    return None


def laplacian(model: Variational) -> Laplacian | None:
    """The system of a quadratic model; None where no sweep knows it."""
    found, term = power(model.operator), model.data_term
    if found is None or not isinstance(model.penaliser, Quadratic) or type(term) not in (HalfSquared, KnownPixels):
        return None
    order, factor = found
    weight = model.weight.double() if isinstance(model.weight, Tensor) else model.weight
    return Laplacian(order, term.modulus, weight * factor, term.free, term.data)


def laplacian_of(matrix: object) -> Laplacian | None:
    """What a matrix is, where sweeps know it: that of a system, its ``apply``, or what names its ``laplacian``."""
    owner = getattr(matrix, "__self__", None)
    if isinstance(owner, LinearSystem) and matrix == owner.apply:
        return laplacian_of(owner)
    if isinstance(matrix, WeightedSystem):
        found, weights = power(matrix.operator), matrix.weights
        first = weights.flatten()[0]
        if found is None or found[0] != 1 or weights.requires_grad or not bool((weights == first).all()):
            return None
        return Laplacian(1, 0.0, found[1] * float(first), matrix.free, matrix.data)
    known = getattr(matrix, "laplacian", None)
    return known if isinstance(known, Laplacian) else None


def residual_sums(
    model: Variational, system: Laplacian, image: Image, values: Image | None
) -> ResidualSums | None:
    """What the certificate of a linear system rests on, by a fused sweep; None where none serves such images."""
    if not serves(image) or image.dtype != system.data.dtype:
        return None
    from mindl.kernels import linear_sums  # noqa: PLC0415  # loads Numba

    height, width = image.shape[2:]
    image = image.detach().contiguous()
    values = None if values is None else values.detach().double().contiguous()
    found = []
    for b, (data, free) in enumerate(system.rows()):
        share, operator = system.share_of(b), model.operator
        harmonic = (0.0, 1 / operator.grid**2) if isinstance(operator, Polyharmonic) else None
        rows = linear_sums.rows_of_sums(
            image[b].view(-1, width).numpy(),
            data.numpy(),
            free.numpy(),
            None if values is None else values[b].view(-1, width).numpy(),
            height,
            system.order,
            (system.identity, share, *(harmonic or (system.identity, share))),
            harmonic is not None,
            torch.get_num_threads(),
        )
        sums = torch.from_numpy(rows)
        highest = sums.amax(dim=0)
        added = total(sums.T.contiguous())
        found.append(torch.stack([added[0], added[1], highest[2], highest[3], highest[4], added[5]]))
    energy, squared, peak, want, top, own = torch.stack(found).T
    return ResidualSums(energy, squared, peak, -want, top, own)
