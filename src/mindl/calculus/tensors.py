r"""Fields of symmetric 2 x 2 matrices: structure tensors, and diffusion tensors made of their eigenvectors.

A field of matrices (a, b; b, c) is three images a, b, c: entries xx, xy, yy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mindl.calculus.boundary import mirrored
from mindl.calculus.convolution import check_sigma, smoothed
from mindl.calculus.gradient import check_grid
from mindl.calculus.safe import safe_sqrt
from mindl.core.arrays import Image
from mindl.core.errors import InputError
from mindl.core.reduce import over_channels

MARGIN = 8
"""Rounding of an entry, in units of it and of the trace: tensors are put together from parts of that size."""


@dataclass(frozen=True, eq=False)
class TensorField:
    """Symmetric matrices (xx, xy; xy, yy), one for each entry of three tensors of one shape."""

    xx: Tensor
    xy: Tensor
    yy: Tensor

    @property
    def trace(self) -> Tensor:
        """xx + yy: the sum of the eigenvalues."""
        return self.xx + self.yy

    @property
    def radius(self) -> Tensor:
        """Half the difference of the eigenvalues, which are trace / 2 + radius and trace / 2 - radius."""
        half = (self.xx - self.yy) / 2
        size = torch.maximum(half.abs(), self.xy.abs()).detach()
        unit = torch.where(size > 0, size, 1)  # squares of small gradients' squares would vanish
        a, b = half / unit, self.xy / unit
        return unit * safe_sqrt(a * a + b * b)

    def check(self, call: str) -> TensorField:
        """The field itself, once its matrices are positive semidefinite.

        Raises:
            InputError: some are not, up to rounding, or are not finite.
        """
        smallest = self.trace / 2 - self.radius
        kind = torch.finfo(self.xx.dtype)
        legal = smallest >= -MARGIN * (kind.eps * self.trace + kind.tiny)
        legal = legal & torch.isfinite(self.trace + self.xy)
        broken = int((~legal).sum())
        if broken:
            worst = float(smallest.nan_to_num(nan=-torch.inf).min())
            raise InputError(
                f"{call} needs positive semidefinite tensors, and {broken} are not: the smallest eigenvalue is "
                f"{worst:.3g}."
            )
        return self

    def spectral(self, along: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> TensorField:
        r"""The same eigenvectors with other eigenvalues: ``along(mu_1, mu_2)`` gives them, for mu_1 >= mu_2.

        With the mean m and half the difference r of the eigenvalues,
        :math:`D = \tfrac{\lambda_1 + \lambda_2}{2} I + \tfrac{\lambda_1 - \lambda_2}{2 r} (J - m I)`; where r = 0
        every direction is an eigenvector, and the mean of the new eigenvalues is taken.
        """
        middle, radius = self.trace / 2, self.radius
        first, second = along(middle + radius, (middle - radius).clamp(min=0))
        mean, half = (first + second) / 2, (first - second) / 2
        turn = half / torch.where(radius > 0, radius, 1)
        turn = torch.where(radius > 0, turn, 0)
        return TensorField(
            mean + turn * (self.xx - self.yy) / 2, turn * self.xy, mean - turn * (self.xx - self.yy) / 2
        )


def cell_gradient(image: Image, grid: float = 1.0) -> tuple[Tensor, Tensor]:
    r"""The gradient in the middle of every cell of 2 x 2 pixels, by differences averaged over its two edges.

    The image is mirrored at its border, and the cells across it count: (batch, channel, height + 1, width + 1).
    Second order in the grid size.

    >>> x, y = cell_gradient(torch.tensor([[[[0.0, 1.0, 2.0]]]]))
    >>> x[0, 0, 1].tolist()
    [0.0, 1.0, 1.0, 0.0]
    """
    wide = mirrored(image, 1)
    x, y = wide[..., 1:] - wide[..., :-1], wide[..., 1:, :] - wide[..., :-1, :]
    half = 0.5 / grid
    return (x[..., 1:, :] + x[..., :-1, :]) * half, (y[..., 1:] + y[..., :-1]) * half


def structure_tensor(image: Image, integration: float = 0.0, grid: float = 1.0) -> TensorField:
    r"""The structure tensor of all channels together, in the cells of 2 x 2 pixels (see ``cell_gradient``):

    .. math:: J_\rho = G_\rho * \sum_c \nabla u_c \nabla u_c^T .

    Its larger eigenvalue is the squared contrast across an edge or a line, and its eigenvector points across.

    Args:
        image: u, usually smoothed before.
        integration: rho in pixels; 0 averages nothing.
        grid: the distance of two pixels.

    Raises:
        InputError: rho is negative, NaN or infinite.

    Source: Foerstner and Guelch (1987); Di Zenzo, Comput. Vis. Graph. Image Process. 33 (1986) for the channels.

    >>> J = structure_tensor(torch.tensor([[[[0.0, 1.0, 2.0]]]]))
    >>> J.xx[0, 0, 1].tolist(), float(J.yy.max())
    ([0.0, 1.0, 1.0, 0.0], 0.0)
    """
    check_sigma(integration, "structure_tensor(integration")
    check_grid(grid, "structure_tensor")
    # Mirrored far enough, so that the smoothing sees the mirrored tensors: xy changes its sign there.
    margin = 1 + int(4 * integration) if integration > 0 else 0
    wide = mirrored(image, margin) if margin else image
    x, y = cell_gradient(wide, grid)
    entries = [over_channels(product) for product in (x * x, x * y, y * y)]
    if integration > 0:
        inner = slice(margin, -margin)
        entries = [smoothed(entry, integration)[..., inner, inner] for entry in entries]
    return TensorField(*entries)
