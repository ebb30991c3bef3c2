"""Proved upper bounds of the norms of convolutions, differentiable in their kernels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mindl.calculus.safe import safe_sqrt
from mindl.core.errors import InputError

GRID = 8
"""Frequencies per axis in units of the degree: the enlargement is then 4 % for square kernels."""


def norm_bound(kernel: Tensor, grid: int | None = None) -> Tensor:
    r"""A proved upper bound of the operator norm of the convolution with a kernel.

    On the infinite grid the convolution is multiplication by :math:`W(\omega) = \sum_j w_j e^{-i j \omega}`, an
    out x in matrix for each frequency, so that its norm is :math:`\sup_\omega \sigma_{\max}(W(\omega))`. Padding
    with zeros, leaving out windows that stick out, and strides restrict what goes in or comes out; a dilation
    permutes the frequencies; transposing keeps the norm. The bound therefore serves all of these.

    *From a grid to all frequencies.* For a fixed vector v, :math:`p(\omega) = |W(\omega) v|^2` is a
    trigonometric polynomial of degree d = k - 1 in each variable, with :math:`0 \le p \le M` and p = M
    somewhere when v belongs to the sup. Along one axis :math:`2 p / M - 1` is between -1 and 1, and 1 at some
    :math:`\theta_0`; by the lemma of M. Riesz it is at least :math:`\cos d(\theta - \theta_0)` within
    :math:`\pi / d`. One of N equally spaced points is within :math:`\pi / N` of :math:`\theta_0`, hence there

    .. math:: p \ge M\, \tfrac12 (1 + \cos \tfrac{\pi d}{N}) = M \cos^2 \tfrac{\pi d}{2 N}, \qquad N > d.

    This, one axis after the other, gives with the largest singular value on the N x N grid

    .. math:: \|W\| \le \frac{\max_{\text{grid}} \sigma_{\max}}{\cos \frac{\pi d_1}{2 N} \cos \frac{\pi d_2}{2 N}}.

    That p is nonnegative is what halves the excess of the factor of Ehlich and Zeller, :math:`1 / \cos(\pi d /
    N)`. The singular values are computed in float64 and the result is enlarged by a few units of the kernel's
    rounding. It is differentiable in the kernel.

    Args:
        kernel: (out, in, height, width); a transposed convolution's kernel as well.
        grid: N, above the degree; by default 8 d, for which the bound is at most 4 % above the norm (square
            kernels).

    Raises:
        InputError: a kernel that is not real with four dimensions, or a grid that does not exceed the degree.

    Source: the transfer matrix as in Sedghi, Gupta and Long, ICLR 2019; Ehlich and Zeller, Math. Z. 86 (1964);
    M. Riesz, Jahresber. Dtsch. Math.-Ver. 23 (1914). The factor for nonnegative polynomials is derived above.

    >>> difference = torch.tensor([[[[1.0, -1.0]]]])
    >>> bool(2 <= norm_bound(difference) < 2.04), norm_bound(difference, grid=64)
    (True, tensor(2.0006))
    """
    if kernel.ndim != 4 or not kernel.numel() or not kernel.is_floating_point():
        raise InputError(
            f"norm_bound needs a real kernel (out, in, height, width), got {tuple(kernel.shape)} of "
            f"{kernel.dtype}."
        )
    degrees = [size - 1 for size in kernel.shape[2:]]
    if grid is not None and grid <= max(degrees):
        raise InputError(
            f"norm_bound(grid={grid}) proves nothing for a kernel of degree {max(degrees)}: take a grid of at "
            f"least {max(degrees) + 1}, or leave it out ({GRID * max(degrees)})."
        )
    square = _largest_square(kernel, grid, None)
    rounding = 1 + 8 * torch.finfo(kernel.dtype).eps
    return (safe_sqrt(square) * rounding).to(kernel.dtype)


def transfer_bound(kernel: Tensor, gains: Tensor | None = None) -> Tensor:
    r"""A proved upper bound of the largest eigenvalue of :math:`\sum_i a_i W_i^T W_i`, a_i >= 0, for convolutions
    with zeros outside the image; of :math:`\|W\|^2`, without ``gains``.

    The smaller of two bounds: that of ``norm_bound``, with :math:`W^* \operatorname{diag}(a)\, W` in the place of
    :math:`W^* W`, and :math:`(\sum_t \|W_t\|)^2`, the sum over the taps t, which is sharp for a single tap.

    Args:
        kernel: (filters, components, height, width).
        gains: a_i, (filters,).

    >>> float(transfer_bound(torch.ones(1, 1, 1, 2)))          # the sum of two neighbours
    4.0
    """
    kernel = kernel.double()
    a = torch.ones(kernel.shape[0], dtype=torch.float64) if gains is None else gains.double()
    taps = kernel.flatten(2).permute(2, 0, 1)
    of_tap = torch.linalg.eigvalsh(torch.einsum("i,tia,tib->tab", a, taps, taps))[..., -1].clamp(min=0)
    return torch.minimum(_largest_square(kernel, None, a), safe_sqrt(of_tap).sum().square())


def _largest_square(kernel: Tensor, grid: int | None, gains: Tensor | None) -> Tensor:
    """The bound of the largest eigenvalue of W* diag(a) W over all frequencies."""
    degrees = [size - 1 for size in kernel.shape[2:]]
    points = [max(1, GRID * d) if grid is None else grid for d in degrees]
    # Real kernels have conjugate matrices at opposite frequencies, with the same eigenvalues: half of them do.
    transfer = torch.fft.rfft2(kernel.double(), s=points).permute(2, 3, 0, 1)
    if gains is None and kernel.shape[0] < kernel.shape[1]:
        gram = transfer @ transfer.mH
    else:
        gram = transfer.mH @ (transfer if gains is None else gains[:, None] * transfer)
    squares = gram.real if gram.shape[-1] == 1 else torch.linalg.eigvalsh(gram)[..., -1]
    share = math.prod(math.cos(math.pi * d / (2 * n)) for d, n in zip(degrees, points, strict=True))
    found: Tensor = squares.amax() / share**2
    return found
