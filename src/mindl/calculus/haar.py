r"""The Haar wavelet transform of every cell of 2 x 2 pixels, and what diffusion is in it."""

from __future__ import annotations

from torch import Tensor

from mindl.calculus.boundary import mirrored
from mindl.core.arrays import Image


def haar_coefficients(image: Image) -> tuple[Tensor, Tensor, Tensor]:
    r"""The orthonormal Haar coefficients of all cells of 2 x 2 pixels: across x, across y, and the checkerboard.

    With the cell (p, q; r, s): (q + s - p - r) / 2, (r + s - p - q) / 2, (p + s - q - r) / 2. The image is
    mirrored at its border, and cells across it count: each is (batch, channel, height + 1, width + 1). That every
    cell is taken, not every second one, makes the transform shift-invariant (all four cycle-spun copies at once).

    >>> import torch
    >>> x, y, xy = haar_coefficients(torch.tensor([[[[0.0, 1.0], [3.0, 7.0]]]]))
    >>> float(x[0, 0, 1, 1]), float(y[0, 0, 1, 1]), float(xy[0, 0, 1, 1])
    (2.5, 4.5, 1.5)
    """
    wide = mirrored(image, 1)
    x, y = wide[..., 1:] - wide[..., :-1], wide[..., 1:, :] - wide[..., :-1, :]
    checkerboard = x[..., 1:, :] - x[..., :-1, :]
    return (x[..., 1:, :] + x[..., :-1, :]) / 2, (y[..., 1:] + y[..., :-1]) / 2, checkerboard / 2


def haar_synthesis(image: Image, x: Tensor, y: Tensor, xy: Tensor) -> Image:
    """The image with these coefficients instead of its own: each pixel is the mean over the four cells it lies in.

    The means of the cells stay as they are, so with the image's own coefficients this is the image itself.

    >>> import torch
    >>> u = torch.rand(1, 1, 3, 4)
    >>> torch.allclose(haar_synthesis(u, *haar_coefficients(u)), u)
    True
    """
    wide = mirrored(image, 1)
    pairs = wide[..., 1:] + wide[..., :-1]
    mean = (pairs[..., 1:, :] + pairs[..., :-1, :]) / 2
    corner = (
        (mean + x + y + xy)[..., :-1, :-1],  # the pixel at the cell's lower right
        (mean - x + y - xy)[..., :-1, 1:],
        (mean + x - y - xy)[..., 1:, :-1],
        (mean - x - y + xy)[..., 1:, 1:],
    )
    return ((corner[0] + corner[1]) + (corner[2] + corner[3])) / 8
