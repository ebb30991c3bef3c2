"""What a camera does to an image before the noise: blur and coarse pixels, as linear maps with exact adjoints."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mindl.calculus.boundary import Boundary, Reflecting
from mindl.calculus.convolution import check_sigma, correlate, gaussian_weights
from mindl.core.arrays import Image, check_image
from mindl.core.errors import InputError

ROUNDING = 1 + 1e-10
"""Bounds are enlarged by this factor: sums of up to 4e5 terms in float64 are rounded by less."""


class Degradation(ABC):
    r"""A linear map A that every channel of an image goes through, with its exact adjoint:

    .. math:: \langle A u, v \rangle = \langle u, A^T v \rangle.

    Images have any size from one pixel up. Both maps can be differentiated by autograd, and treat an image of a
    batch as they treat it alone.
    """

    def __call__(self, image: Image) -> Image:
        """A u.

        Raises:
            InputError: no image of finite floats.
        """
        return self._apply(check_image(image, f"{type(self).__name__}(image)"))

    def adjoint(self, result: Image, height: int, width: int) -> Image:
        """A^T v, an image of height x width.

        Raises:
            InputError: v is not as large as A makes images of height x width.
        """
        call = f"{type(self).__name__}.adjoint(result, {height}, {width})"
        size = self.result_size(height, width)
        if tuple(check_image(result, call).shape[2:]) != size:
            raise InputError(
                f"{call} needs a result of {size[0]} x {size[1]}, got the shape {tuple(result.shape)}."
            )
        return self._adjoint(result, height, width)

    def result_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of A u; those of u unless said otherwise."""
        return height, width

    @abstractmethod
    def norm_squared(self, height: int, width: int) -> float:
        """An upper bound of :math:`\\|A\\|^2` on images of height x width, proved and rounded up."""

    @abstractmethod
    def _apply(self, image: Image) -> Image:
        """A u."""

    @abstractmethod
    def _adjoint(self, result: Image, height: int, width: int) -> Image:
        """A^T v."""


@dataclass(frozen=True)
class Blur(Degradation):
    r"""Convolution with a kernel k of odd size, whose middle is (0, 0):

    .. math:: f(x) = \sum_j k(j)\, u(x - j).

    A single bright pixel becomes the kernel as it is printed (its point spread function). The kernel is not
    normalised: constants are multiplied by its sum where the boundary is reflecting or periodic.

    Args:
        kernel: rows of numbers, or a tensor (rows, columns); kept as rows of floats.
        boundary: how u goes on beyond its border.

    Raises:
        InputError: a kernel that is no table of finite numbers, or with an even number of rows or columns.

    Source: Bertero and Boccacci, Introduction to Inverse Problems in Imaging (1998).

    >>> pixel = torch.tensor([[[[0.0, 0.0, 1.0, 0.0]]]])
    >>> Blur([[0.5, 0.25, 0.25]])(pixel).flatten().tolist()
    [0.0, 0.5, 0.25, 0.25]
    """

    kernel: Tensor | Sequence[Sequence[float]]
    boundary: Boundary = field(default_factory=Reflecting)

    def __post_init__(self) -> None:
        given = self.kernel.tolist() if isinstance(self.kernel, Tensor) else self.kernel
        try:
            table = np.array(given, dtype=np.float64)
        except (TypeError, ValueError):
            raise InputError("Blur(kernel) needs rows of equally many numbers.") from None
        if table.ndim != 2 or not (table.shape[0] % 2 and table.shape[1] % 2):
            raise InputError(
                "Blur(kernel) needs an odd number of rows and of columns, so that one pixel is in the middle, got "
                f"the shape {table.shape}."
            )
        if not np.isfinite(table).all():
            raise InputError("Blur(kernel) needs finite numbers, got some that are NaN or infinite.")
        object.__setattr__(self, "kernel", tuple(tuple(row) for row in table.tolist()))

    @property
    def _rows(self) -> tuple[tuple[float, ...], ...]:
        return cast(tuple[tuple[float, ...], ...], self.kernel)

    @property
    def _margins(self) -> tuple[int, int]:
        return len(self._rows) // 2, len(self._rows[0]) // 2

    def _apply(self, image: Image) -> Image:
        rows, columns = self._margins
        wide = self.boundary.extend(self.boundary.extend(image, rows, 2), columns, 3)
        return correlate(wide, [row[::-1] for row in self._rows[::-1]])

    def _adjoint(self, result: Image, height: int, width: int) -> Image:
        rows, columns = self._margins
        wide = functional.pad(result, [2 * columns] * 2 + [2 * rows] * 2)
        return self.boundary.fold(self.boundary.fold(correlate(wide, self._rows), columns, 3), rows, 2)

    def norm_squared(self, height: int, width: int) -> float:
        r"""The largest row sum times the largest column sum of \|A\| (Schur 1911).

        For a kernel that is even along both axes and a reflecting boundary, and for a periodic one, this is the
        square of the sum of \|k\|. A reflecting boundary shows a pixel up to four times to a kernel that is not
        even: then it may be four times as much.
        """
        # Pixels further from the border than the kernel reaches are all alike, so an image as large as the
        # kernel has every sum that a larger one has.
        height, width = min(height, len(self._rows)), min(width, len(self._rows[0]))
        sizes = Blur([[abs(weight) for weight in row] for row in self._rows], self.boundary)
        ones = torch.ones(1, 1, height, width, dtype=torch.float64)
        return float(sizes._apply(ones).max() * sizes._adjoint(ones, height, width).max()) * ROUNDING


@dataclass(frozen=True)
class GaussianBlur(Degradation):
    r"""Convolution with a sampled Gaussian, truncated and normalised, along the columns and then the rows:

    .. math:: k(j) = e^{-j^2 / 2\sigma^2} \Big/ \sum_{|i| \le r} e^{-i^2 / 2\sigma^2}, \qquad
              |j| \le r = \lceil 4 \sigma \rceil.

    With a reflecting or periodic boundary A is symmetric and its norm 1: constants stay as they are, and so
    does the mean of every image.

    Args:
        sigma: standard deviation in pixels; 0 leaves images as they are.
        boundary: how u goes on beyond its border.

    Raises:
        InputError: sigma is negative, NaN or infinite.

    Source: Lindeberg, Scale-Space Theory in Computer Vision (1994).

    >>> pixel = torch.tensor([[[[0.0, 0.0, 1.0, 0.0, 0.0]]]], dtype=torch.float64)
    >>> GaussianBlur(0.5)(pixel).flatten().round(decimals=2).tolist()
    [0.0, 0.11, 0.79, 0.11, 0.0]
    """

    sigma: float
    boundary: Boundary = field(default_factory=Reflecting)

    def __post_init__(self) -> None:
        check_sigma(self.sigma, "GaussianBlur(sigma")

    @property
    def _passes(self) -> tuple[Blur, Blur]:
        """Along the columns, and along the rows."""
        weights = gaussian_weights(self.sigma)
        return Blur([[weight] for weight in weights], self.boundary), Blur([weights], self.boundary)

    def _apply(self, image: Image) -> Image:
        down, across = self._passes
        return across._apply(down._apply(image))

    def _adjoint(self, result: Image, height: int, width: int) -> Image:
        down, across = self._passes
        return down._adjoint(across._adjoint(result, height, width), height, width)

    def norm_squared(self, height: int, width: int) -> float:
        """The product of both directions' bounds; 1 with a reflecting or periodic boundary."""
        down, across = self._passes
        return down.norm_squared(height, 1) * across.norm_squared(1, width)


@dataclass(frozen=True)
class Downsample(Degradation):
    r"""Coarse pixels: means of blocks B of s x s pixels, :math:`f_B = \frac{1}{|B|} \sum_{i \in B} u_i`.

    The result has :math:`\lceil n / s \rceil` pixels along an axis of n. Where s does not divide n, the last
    blocks are smaller and average what they have. Constants stay as they are.

    Args:
        factor: s, at least 1.

    Raises:
        InputError: a factor that is no whole number of at least 1.

    >>> Downsample(2)(torch.tensor([[[[1.0, 3.0, 5.0]]]])).flatten().tolist()
    [2.0, 5.0]
    """

    factor: int

    def __post_init__(self) -> None:
        if not isinstance(self.factor, int) or self.factor < 1:
            raise InputError(f"Downsample(factor={self.factor}) must be a whole number, at least 1.")

    def result_size(self, height: int, width: int) -> tuple[int, int]:
        """Both divided by the factor and rounded up."""
        return -(-height // self.factor), -(-width // self.factor)

    def _apply(self, image: Image) -> Image:
        return self._sums(self._sums(image, 2), 3) / self._pixels(image, image.shape[2], image.shape[3])

    def _sums(self, image: Image, dim: int) -> Image:
        """Sums along one axis of each block, its pixels added one after the other.

        A library's sum may change its order with the batch.
        """
        n = image.shape[dim]
        side = min(self.factor, n)
        missing = [0, -n % side] if dim == 3 else [0, 0, 0, -n % side]
        blocks = functional.pad(image, missing).reshape(*image.shape[:dim], -1, side, *image.shape[dim + 1 :])
        total = blocks.select(dim + 1, 0)
        for k in range(1, side):
            total = total + blocks.select(dim + 1, k)
        return total

    def _adjoint(self, result: Image, height: int, width: int) -> Image:
        each = result / self._pixels(result, height, width)
        tall = each.repeat_interleave(min(self.factor, height), dim=2)[:, :, :height]
        return tall.repeat_interleave(min(self.factor, width), dim=3)[..., :width]

    def _pixels(self, like: Tensor, height: int, width: int) -> Tensor:
        """How many pixels there are in each block."""
        rows, columns = (
            (n - torch.arange(0, n, self.factor, device=like.device)).clamp(max=self.factor)
            for n in (height, width)
        )
        return (rows[:, None] * columns[None, :]).to(like.dtype)

    def norm_squared(self, height: int, width: int) -> float:
        """Exact: A A^T is diagonal with entries 1 / |B|, so that the smallest block, the last one, decides."""
        rows, columns = ((n - 1) % self.factor + 1 for n in (height, width))
        return 1 / (rows * columns) * ROUNDING
