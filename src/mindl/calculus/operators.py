r"""Linear operators L that a model penalises, each with its exact adjoint and a proved norm.

A field L u has the shape (batch, channel, component, height, width).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from mindl.core.arrays import Dual, Image


class Operator(ABC):
    """A linear map L from images to fields; L^T L looks ``radius`` pixels far."""

    components: int
    radius: int

    @abstractmethod
    def __call__(self, image: Image, out: Tensor | None = None) -> Dual:
        """L u. With ``out`` (no gradient may be asked for) the result is written there."""

    @abstractmethod
    def adjoint(self, field: Dual, out: Tensor | None = None) -> Image:
        """L^T p, the exact adjoint: <L u, p> = <u, L^T p>."""

    @abstractmethod
    def norm_squared(self, height: int, width: int) -> float:
        """An upper bound of the largest eigenvalue of L^T L on images of this size."""

    @abstractmethod
    def gram(self, image: Image, out: Tensor | None = None, scratch: Tensor | None = None) -> Image:
        """L^T L u. With ``out`` and ``scratch`` (both of the image's shape) nothing is allocated."""


class Differences(Operator):
    """An operator each of whose entries is the difference of two pixels, each channel on its own.

    Then L^T L has row sums 0 and no positive entry off the diagonal (an M-matrix once a pixel is tied), and
    clipping an image to a range makes no entry of L u larger: minimisers stay within the range of the data.
    """


@dataclass(frozen=True)
class Gradient(Differences):
    r"""Forward differences with reflecting (half-sample symmetric, Neumann) boundaries, grid size 1.

    .. math:: (\nabla u)_{i,j} = (u_{i,j+1} - u_{i,j},\; u_{i+1,j} - u_{i,j})

    where a difference that would leave the image is 0. Component 0 runs along the width (x), component 1
    along the height (y). The adjoint is minus the divergence by backward differences:
    ``div p = -adjoint(p)``. For every size, also 1 x 1,

    .. math:: \|\nabla\|^2 = 4\sin^2\tfrac{\pi(W-1)}{2W} + 4\sin^2\tfrac{\pi(H-1)}{2H} < 8.

    Source: Chambolle, J. Math. Imaging Vis. 20 (2004), section 3; the norm by the DCT-II modes.

    >>> u = torch.tensor([[[[0.0, 1.0], [3.0, 7.0]]]])
    >>> Gradient()(u)[0, 0]
    tensor([[[1., 0.],
             [4., 0.]],
            [[3., 6.],
             [0., 0.]]])
    """

    components = 2
    radius = 1

    def __call__(self, image: Image, out: Tensor | None = None) -> Dual:
        """Forward differences of every channel."""
        if out is None and not _followed(image):
            out = image.new_empty(*image.shape[:2], 2, *image.shape[2:])
        if out is None:
            x = torch.nn.functional.pad(image[..., 1:] - image[..., :-1], (0, 1))
            y = torch.nn.functional.pad(image[..., 1:, :] - image[..., :-1, :], (0, 0, 0, 1))
            return torch.stack([x, y], dim=2)
        x, y = out.unbind(2)
        torch.sub(image[..., 1:], image[..., :-1], out=x[..., :-1])
        torch.sub(image[..., 1:, :], image[..., :-1, :], out=y[..., :-1, :])
        x[..., -1] = 0
        y[..., -1, :] = 0
        return out

    def adjoint(self, field: Dual, out: Tensor | None = None) -> Image:
        """Minus the divergence: backward differences that vanish outside."""
        inner_x, inner_y = field[:, :, 0, :, :-1], field[:, :, 1, :-1, :]
        if out is None and not _followed(field):
            out = torch.empty_like(field[:, :, 0])
        if out is None:
            pad = torch.nn.functional.pad
            x = pad(inner_x, (1, 0)) - pad(inner_x, (0, 1))
            return x + pad(inner_y, (0, 0, 1, 0)) - pad(inner_y, (0, 0, 0, 1))
        out.zero_()
        out[..., 1:] += inner_x
        out[..., :-1] -= inner_x
        out[..., 1:, :] += inner_y
        out[..., :-1, :] -= inner_y
        return out

    def gram(self, image: Image, out: Tensor | None = None, scratch: Tensor | None = None) -> Image:
        """Minus the 5-point Laplacian."""
        if out is None or scratch is None:
            return self.adjoint(self(image))
        out.zero_()
        x = torch.sub(image[..., 1:], image[..., :-1], out=scratch[..., :-1])
        out[..., 1:] += x
        out[..., :-1] -= x
        y = torch.sub(image[..., 1:, :], image[..., :-1, :], out=scratch[..., :-1, :])
        out[..., 1:, :] += y
        out[..., :-1, :] -= y
        return out

    def norm_squared(self, height: int, width: int) -> float:
        """The exact largest eigenvalue of minus the Laplacian, rounded up."""
        return sum(4 * math.sin(math.pi * (n - 1) / (2 * n)) ** 2 for n in (height, width)) * (1 + 1e-12)


def _followed(tensor: Tensor) -> bool:
    """Whether autograd looks on; where it does not, writing in place spares half the passes over memory."""
    return torch.is_grad_enabled() and tensor.requires_grad
