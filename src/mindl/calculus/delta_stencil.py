r"""Anisotropic diffusion on 3 x 3 pixels: the delta family of stencils, as four one-dimensional diffusions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mindl.calculus.operators import Differences
from mindl.calculus.tensors import TensorField
from mindl.core.arrays import Dual, Image
from mindl.core.errors import InputError


@dataclass(frozen=True)
class DirectionalDifferences(Differences):
    """Differences to the right, downwards, and along both diagonals: to the right and down, to the left and down.

    Component k of a pixel (i, j) is: 0: (i, j + 1) - (i, j); 1: (i + 1, j) - (i, j); 2: (i + 1, j + 1) - (i, j);
    3: (i + 1, j) - (i, j + 1), the other diagonal of the same cell. A difference that leaves the image is 0.

    >>> DirectionalDifferences()(torch.tensor([[[[0.0, 1.0], [3.0, 7.0]]]]))[0, 0, :, 0, 0].tolist()
    [1.0, 3.0, 7.0, 2.0]
    """

    components = 4
    reach = 1

    def _apply(self, image: Image, out: Tensor) -> Dual:
        out.zero_()
        torch.sub(image[..., 1:], image[..., :-1], out=out[:, :, 0, :, :-1])
        torch.sub(image[..., 1:, :], image[..., :-1, :], out=out[:, :, 1, :-1, :])
        torch.sub(image[..., 1:, 1:], image[..., :-1, :-1], out=out[:, :, 2, :-1, :-1])
        torch.sub(image[..., 1:, :-1], image[..., :-1, 1:], out=out[:, :, 3, :-1, :-1])
        return out

    def _adjoint(self, field: Dual, out: Tensor) -> Image:
        x, y = field[:, :, 0, :, :-1], field[:, :, 1, :-1, :]
        down, up = field[:, :, 2, :-1, :-1], field[:, :, 3, :-1, :-1]
        out.zero_()
        out[..., 1:] += x
        out[..., :-1] -= x
        out[..., 1:, :] += y
        out[..., :-1, :] -= y
        out[..., 1:, 1:] += down
        out[..., :-1, :-1] -= down
        out[..., 1:, :-1] += up
        out[..., :-1, 1:] -= up
        return out

    def norm_squared(self, height: int, width: int) -> float:
        """At most 4 + 4 + 4 + 4: each direction is a chain of differences, of norm below 2."""
        return 4.0 * ((width > 1) + (height > 1) + 2 * (width > 1 and height > 1))


@dataclass(frozen=True)
class DeltaStencil:
    r"""Weights that make ``DirectionalDifferences`` a discretisation of :math:`\operatorname{div}(D\nabla u)`.

    For a tensor D = (a, b; b, c) in a cell of 2 x 2 pixels its energy is

    .. math:: \tfrac12 \Big( \tfrac{a - \delta}{2} (u_x^2 + \bar u_x^2)
              + \tfrac{c - \delta}{2} (u_y^2 + \bar u_y^2) + \tfrac{\delta + b}{2} d_1^2
              + \tfrac{\delta - b}{2} d_2^2 \Big)

    with the differences along its four edges and two diagonals. As a matrix on the cell's four pixels it has the
    eigenvalues 0, the two of D, and tr D - 2 delta (on the checkerboard). A pixel lies in four cells, hence for
    every tensor field

    .. math:: 0 \le A \le 4 \max(\lambda_{\max}(D),\ \operatorname{tr} D - 2 \delta)
              \quad\text{if}\quad \delta \le \tfrac12 \operatorname{tr} D .

    Here :math:`\delta = \alpha (a + c) + \gamma (1 - 2 \alpha) |b|`, which keeps that condition. Larger alpha
    damps the checkerboard less: more direction, less dissipation. The maximum-minimum principle needs
    :math:`|b| \le \delta \le \min(a, c)` too, which no member of the family has for strongly oblique tensors.
    At the border the image is mirrored.

    Args:
        alpha: in [0, 1/2].
        gamma: in [0, 1].

    Raises:
        InputError: a parameter outside its range.

    Source: Weickert, Welk and Wickert, SSVM 2013 (alpha, and beta = gamma (1 - 2 alpha) sgn b); the
    eigenvalues of a cell and the bound are derived here.

    >>> DeltaStencil(alpha=0.4).bound(1.0)
    4.0
    """

    alpha: float = 0.4
    gamma: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.alpha, float | int) or not 0 <= self.alpha <= 0.5:
            raise InputError(f"DeltaStencil(alpha={self.alpha}) must lie between 0 and 1/2.")
        if not isinstance(self.gamma, float | int) or not 0 <= self.gamma <= 1:
            raise InputError(f"DeltaStencil(gamma={self.gamma}) must lie between 0 and 1.")

    def delta(self, tensor: TensorField) -> Tensor:
        """alpha tr D + gamma (1 - 2 alpha) |b|."""
        return self.alpha * tensor.trace + self.gamma * (1 - 2 * self.alpha) * tensor.xy.abs()

    def weights(self, tensor: TensorField) -> Dual:
        """The factors of the four differences of every pixel, (batch, channel, 4, height, width).

        Args:
            tensor: D in all cells, those across the border too: (batch, channel, height + 1, width + 1).

        Raises:
            InputError: a tensor that is not positive semidefinite.
        """
        tensor.check("DeltaStencil.weights(tensor)")
        a, b, c = tensor.xx, tensor.xy, tensor.yy
        # Across the border the image is mirrored: no difference and no b there, and diagonals are edges.
        inside = torch.zeros_like(a)
        inside[..., 1:-1, 1:-1] = 1
        delta = self.delta(tensor) * inside
        height, width = a.shape[2] - 1, a.shape[3] - 1
        out = a.new_zeros(*a.shape[:2], 4, height, width)
        half = (a - delta) / 2
        out[:, :, 0, :, :-1] = half[..., :-1, 1:-1] + half[..., 1:, 1:-1]
        half = (c - delta) / 2
        out[:, :, 1, :-1, :] = half[..., 1:-1, :-1] + half[..., 1:-1, 1:]
        out[:, :, 2] = ((delta + b * inside) / 2)[..., 1:, 1:]
        out[:, :, 3] = ((delta - b * inside) / 2)[..., 1:, 1:]
        return out

    def bound(self, largest: float) -> float:
        """An upper bound of the norm of A for tensors with eigenvalues of at most ``largest``."""
        # tr D - 2 delta <= (1 - 2 alpha) tr D, and tr D is at most twice the largest eigenvalue.
        return 4 * max(1.0, 2 - 4 * self.alpha) * largest
