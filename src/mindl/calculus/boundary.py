r"""What lies beyond the border of an image, along one axis with n pixels.

Each boundary continues an image periodically: mirrored, as it is, or with the opposite sign. In that
continuation the second difference is diagonal in the Fourier basis, whatever the boundary.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from mindl.core.arrays import exporting


@dataclass(frozen=True)
class Boundary(ABC):
    """How an image goes on beyond its border."""

    @abstractmethod
    def index(self, positions: Tensor, n: int) -> Tensor:
        """The pixel in [0, n) that each integer position shows; -1 where there is 0."""

    @abstractmethod
    def largest_eigenvalue(self, n: int) -> float:
        """The largest eigenvalue of minus the second difference on n pixels, exact up to rounding."""

    @abstractmethod
    def periodised(self, image: Tensor, dim: int) -> Tensor:
        """A periodic signal whose first pixels are the image, and that the second difference keeps so."""

    def extend(self, image: Tensor, margin: int, dim: int) -> Tensor:
        """The image with ``margin`` pixels more on both sides of an axis.

        >>> Reflecting().extend(torch.tensor([1.0, 2.0, 3.0]), 2, 0).tolist()
        [2.0, 1.0, 1.0, 2.0, 3.0, 3.0, 2.0]
        """
        index, known = self._around(image, margin, dim)
        return image.index_select(dim, index) * known

    def fold(self, image: Tensor, margin: int, dim: int) -> Tensor:
        """The adjoint of ``extend``: the margins are added to the pixels that they show."""
        n = image.shape[dim] - 2 * margin
        index, known = self._around(image.narrow(dim, 0, n), margin, dim)
        shape = [*image.shape[:dim], n, *image.shape[dim + 1 :]] if dim >= 0 else [*image.shape]
        if dim < 0:
            shape[dim] = n
        return image.new_zeros(shape).index_add(dim, index, image * known)

    def _around(self, image: Tensor, margin: int, dim: int) -> tuple[Tensor, Tensor]:
        n = image.shape[dim]
        index = self.index(torch.arange(-margin, n + margin, device=image.device), n)
        along = [1] * image.ndim
        along[dim] = -1
        return index.clamp(min=0), (index >= 0).to(image.dtype).reshape(along)


class Reflecting(Boundary):
    """Half-sample symmetric (Neumann): ... b a | a b c | c b ...; nothing flows through the border."""

    def index(self, positions: Tensor, n: int) -> Tensor:
        """Mirrored at the border between pixels, as often as needed."""
        around = positions % torch.full_like(positions, 2 * n)  # a tensor: n may be a symbol in ONNX
        return torch.where(around < n, around, 2 * n - 1 - around)

    def largest_eigenvalue(self, n: int) -> float:
        """4 sin^2(pi (n - 1) / 2 n): DCT-II modes."""
        return 4 * _sine(math.pi * (n - 1) / (2 * n)) ** 2

    def periodised(self, image: Tensor, dim: int) -> Tensor:
        """The image and its mirror image: period 2 n."""
        return torch.cat([image, image.flip(dim)], dim)


class Periodic(Boundary):
    """The image repeated: ... b c | a b c | a b ..."""

    def index(self, positions: Tensor, n: int) -> Tensor:
        """Modulo n."""
        return positions % torch.full_like(positions, n)

    def largest_eigenvalue(self, n: int) -> float:
        """4 sin^2(pi k / n) with k = n / 2 rounded down: Fourier modes."""
        return 4 * _sine(math.pi * (n // 2) / n) ** 2

    def periodised(self, image: Tensor, dim: int) -> Tensor:
        """The image itself."""
        return image


class Vanishing(Boundary):
    """Zero outside (homogeneous Dirichlet): ... 0 0 | a b c | 0 0 ..."""

    def index(self, positions: Tensor, n: int) -> Tensor:
        """No pixel outside."""
        return torch.where((positions >= 0) & (positions < n), positions, -1)

    def largest_eigenvalue(self, n: int) -> float:
        """4 sin^2(pi n / 2 (n + 1)): DST-I modes."""
        return 4 * _sine(math.pi * n / (2 * (n + 1))) ** 2

    def periodised(self, image: Tensor, dim: int) -> Tensor:
        """The image, 0, its negative mirror image, 0: period 2 (n + 1)."""
        zero = torch.zeros_like(image.narrow(dim, 0, 1))
        return torch.cat([image, zero, -image.flip(dim), zero], dim)


def mirrored(image: Tensor, margin: int) -> Tensor:
    """An image (batch, channel, height, width) with ``margin`` pixels of its mirror image around it."""
    around = Reflecting()
    return around.extend(around.extend(image, margin, 2), margin, 3)


def solve_screened(image: Tensor, boundary: Boundary, zeroth: float, second: float, power: int = 1) -> Tensor:
    r"""The solution of :math:`(a + b(-\Delta)^m) v = u` with grid size 1, by the fast Fourier transform.

    Args:
        image: u, (batch, channel, height, width).
        boundary: that of the Laplacian.
        zeroth: a > 0.
        second: b >= 0.
        power: m.

    Source: the DCT and DST as Fourier transforms of mirrored signals; Strang, SIAM Review 41 (1999).

    >>> u = torch.tensor([[[[0.0, 1.0]]]], dtype=torch.float64)
    >>> solve_screened(u, Reflecting(), 1.0, 1.0).flatten().round(decimals=4).tolist()
    [0.3333, 0.6667]
    """
    height, width = image.shape[2:]
    divisor = None
    solved = []
    # One image at a time: the rounding of a transform may depend on how many there are, and memory does.
    for one in image:
        whole = boundary.periodised(boundary.periodised(one, 1), 2)
        rows, columns = whole.shape[1:]
        spectrum = torch.fft.rfft2(whole)
        del whole
        if divisor is None:
            down = _second_difference(rows, rows, image)[:, None]
            divisor = zeroth + second * (down + _second_difference(columns, columns // 2 + 1, image)) ** power
        spectrum /= divisor
        solved.append(torch.fft.irfft2(spectrum, s=(rows, columns))[..., :height, :width].contiguous())
    return torch.stack(solved)


def _sine(angle: float) -> float:
    """Of an angle; in a program for all sizes, where it is a symbol, as a tensor that stands for the number."""
    if exporting():
        return cast(float, torch.scalar_tensor(angle, dtype=torch.float64).sin())
    return math.sin(angle)


def _second_difference(n: int, frequencies: int, like: Tensor) -> Tensor:
    """The eigenvalues of minus the second difference on n periodic pixels, the lowest frequencies."""
    k = torch.arange(frequencies, dtype=like.dtype, device=like.device)
    return 4 * torch.sin(math.pi / n * k) ** 2
