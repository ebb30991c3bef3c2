r"""What a linear operator L is that a model penalises: with its exact adjoint and a proved norm.

A field L u has the shape (batch, channel, component, height, width).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from mindl.core.arrays import Dual, Image

Map = Callable[[Tensor], Tensor]

EVERYWHERE = 1 << 30
"""The radius of an operator that may look from any pixel to any other."""


class Operator(ABC):
    """A linear map L from images to fields.

    L^T L looks ``reach`` pixels far, and around the image where it ``wraps``.

    Subclasses write ``_apply`` and ``_adjoint``, which fill a tensor; that makes L differentiable too.
    """

    components: int
    reach: int
    wraps: bool = False

    @property
    def radius(self) -> int:
        """How many rows of an image must be seen to know L^T L at one of them."""
        return EVERYWHERE if self.wraps else self.reach

    def __call__(self, image: Image, out: Tensor | None = None) -> Dual:
        """L u. With ``out`` (no gradient may be asked for) the result is written there."""
        if out is None and followed(image):
            return _Linear.apply(image, self._new_field, self._new_image)  # type: ignore[no-untyped-call, no-any-return]
        return self._new_field(image) if out is None else self._apply(image, out)

    def adjoint(self, field: Dual, out: Tensor | None = None) -> Image:
        """L^T p, the exact adjoint: <L u, p> = <u, L^T p>. ``out`` as above."""
        if out is None and followed(field):
            return _Linear.apply(field, self._new_image, self._new_field)  # type: ignore[no-untyped-call, no-any-return]
        return self._new_image(field) if out is None else self._adjoint(field, out)

    def gram(self, image: Image, out: Tensor | None = None, scratch: Tensor | None = None) -> Image:
        """L^T L u. With ``out`` and ``scratch`` (both of the image's shape) a fast path may allocate nothing."""
        result = self.adjoint(self(image))
        return result if out is None else out.copy_(result)

    @abstractmethod
    def norm_squared(self, height: int, width: int) -> float:
        """An upper bound of the largest eigenvalue of L^T L on images of this size."""

    def weighted_norm_squared(self, gains: Tensor, height: int, width: int) -> float:
        """An upper bound of the largest eigenvalue of L^T diag(a) L for a_i >= 0, one for each component."""
        return float(gains.max()) * self.norm_squared(height, width)

    def coarser(self) -> Operator | None:
        """The same operator on a grid of twice the size; None where it knows no grid size."""
        return None

    def field_shape(self, image: torch.Size) -> torch.Size:
        """The shape of L u for an image of the given shape."""
        return torch.Size((*image[:2], self.components, *image[2:]))

    def image_shape(self, field: torch.Size) -> torch.Size:
        """The shape of L^T p for a field of the given shape."""
        return torch.Size((*field[:2], *field[3:]))

    @abstractmethod
    def _apply(self, image: Image, out: Tensor) -> Dual:
        """Fill ``out`` with L u."""

    @abstractmethod
    def _adjoint(self, field: Dual, out: Tensor) -> Image:
        """Fill ``out`` with L^T p."""

    def _new_field(self, image: Image) -> Dual:
        return self._apply(image, image.new_empty(self.field_shape(image.shape)))

    def _new_image(self, field: Dual) -> Image:
        return self._adjoint(field, field.new_empty(self.image_shape(field.shape)))


class Differences(Operator):
    """An operator each of whose entries is the difference of two pixels, each channel on its own.

    Then L^T L has row sums 0 and no positive entry off the diagonal (an M-matrix once a pixel is tied), and
    clipping an image to a range makes no entry of L u larger: minimisers stay within the range of the data.
    Where ``ties_to_zero``, some entries are the difference of a pixel and 0: row sums are at least 0, and the
    range must contain 0.
    """

    ties_to_zero: bool = False


class Diagonalised(Operator):
    """An operator whose L^T L is diagonal in the Fourier basis of its boundary."""

    @abstractmethod
    def solve(self, image: Image, zeroth: float, second: float) -> Image:
        """(zeroth + second L^T L)^-1 u, by the fast Fourier transform, for zeroth > 0 and second >= 0."""


def followed(*tensors: object) -> bool:
    """Whether autograd looks on; where it does not, writing in place spares half the passes over memory."""
    return torch.is_grad_enabled() and any(isinstance(t, Tensor) and t.requires_grad for t in tensors)


class _Linear(torch.autograd.Function):
    """A linear map whose derivative is its adjoint, to any order."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, there: Callable[[Tensor], Tensor], back: Callable[[Tensor], Tensor]
    ) -> Tensor:
        ctx.there, ctx.back = there, back
        return there(x)

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> Any:
        return _Linear.apply(upstream[0], ctx.back, ctx.there), None, None  # type: ignore[no-untyped-call]


def colours(height: int, width: int, radius: int, *, wraps: bool = False) -> Iterator[Tensor]:
    """Sets of pixels that cover the image and whose members are more than ``radius`` apart along an axis.

    (height, width) boolean masks; what looks ``radius`` pixels far sees one member of a set at most. With
    ``wraps`` the distance counts around the image.

    >>> sum(int(mask.sum()) for mask in colours(5, 4, 1))
    20
    """

    def classes(n: int) -> list[Tensor]:
        apart = radius + 1
        position = torch.arange(n)
        if not wraps:
            return [position % apart == k for k in range(min(apart, n))]
        seats = max(n // apart, 1)
        first = torch.tensor([n * k // seats for k in range(seats)])
        offset = position - first[torch.searchsorted(first, position, right=True) - 1]
        return [offset == k for k in range(int(offset.max()) + 1)]

    for rows in classes(height):
        for columns in classes(width):
            yield rows[:, None] & columns[None, :]


def probe(matrix: Map, like: Image, reach: int, *, wraps: bool = False) -> tuple[Image, Image]:
    """The diagonal of a symmetric matrix on images that looks ``reach`` pixels far, and the row sums of |entries|.

    Pixels so far apart that no pixel sees two of them are probed at once: (2 reach + 1)^2 products.

    >>> diagonal, sums = probe(lambda u: 4 * u, torch.zeros(1, 1, 2, 2), reach=0)
    >>> float(diagonal.max()), float(sums.max())
    (4.0, 4.0)
    """
    diagonal, sums = torch.zeros_like(like), torch.zeros_like(like)
    height, width = like.shape[2:]
    for members in colours(height, width, 2 * reach, wraps=wraps):
        columns = matrix(members.to(like).expand_as(like).contiguous())
        diagonal += torch.where(members.to(like.device), columns, 0)
        sums += columns.abs()
    return diagonal, sums
