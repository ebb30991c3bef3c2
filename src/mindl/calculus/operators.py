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
    """A linear map L from images to fields; L^T L looks ``radius`` pixels far.

    Subclasses write ``_apply`` and ``_adjoint``, which fill a tensor; that makes L differentiable too.
    """

    components: int
    radius: int

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

    @abstractmethod
    def _apply(self, image: Image, out: Tensor) -> Dual:
        """Fill ``out`` with L u."""

    @abstractmethod
    def _adjoint(self, field: Dual, out: Tensor) -> Image:
        """Fill ``out`` with L^T p."""

    def _new_field(self, image: Image) -> Dual:
        return self._apply(image, image.new_empty(*image.shape[:2], self.components, *image.shape[2:]))

    def _new_image(self, field: Dual) -> Image:
        return self._adjoint(field, field.new_empty(*field.shape[:2], *field.shape[3:]))


class Differences(Operator):
    """An operator each of whose entries is the difference of two pixels, each channel on its own.

    Then L^T L has row sums 0 and no positive entry off the diagonal (an M-matrix once a pixel is tied), and
    clipping an image to a range makes no entry of L u larger: minimisers stay within the range of the data.
    Where ``ties_to_zero``, some entries are the difference of a pixel and 0: row sums are at least 0, and the
    range must contain 0.
    """

    ties_to_zero: bool = False


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


def diagonal(matrix: Callable[[Image], Image], like: Image, radius: int, *, wraps: bool = False) -> Image:
    """The diagonal of a symmetric matrix on images that looks ``radius`` pixels far, by probing.

    A set of pixels that do not see each other is probed at once: (2 radius + 1)^2 products or fewer where
    the image is small.
    """
    result = torch.zeros_like(like)
    height, width = like.shape[2:]
    for members in colours(height, width, radius, wraps=wraps):
        probe = members.to(like).expand_as(like)
        result += torch.where(members.to(like.device), matrix(probe.contiguous()), 0)
    return result
