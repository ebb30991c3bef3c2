"""A V-cycle of multigrid, which is a U-Net without activations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mindl.calculus.boundary import mirrored
from mindl.core.errors import InputError

HALVES = (0.25, 0.75, 0.75, 0.25)
"""Linear interpolation between the centres of cells, along an axis."""


class VCycle(nn.Module):
    r"""One V-cycle for A v = r: on every grid smooth, restrict what is left, correct from the coarser grid,
    smooth.

    .. math::
        v &\leftarrow v + \omega_l (r - A_l v) \;(\nu \text{ times}), \\
        v &\leftarrow v + P_l\, \text{cycle}_{l+1}\big(P_l^T (r - A_l v)\big), \quad\text{and smooth again.}

    Each part is a layer of a U-Net: the matrix :math:`A_l` a convolution, the restriction a convolution of 4 x 4
    pixels with stride 2, the prolongation a transposed one, the correction an additive skip. All of them start as
    multigrid has them, for a matrix that is the same at every pixel and mirrored borders; on sizes that can be
    halved, to 5 pixels or more, the network **is** the V-cycle of ``Multigrid(cells=True, levels=...)``. They may
    all be learned. The map is linear. Each channel is treated alone. Sizes that cannot be halved are continued by
    their mirror image.

    Args:
        kernel: the entries of A around a pixel, rows of an odd square.
        levels: grids, at least 1.
        smoothing: nu, at least 1.
        dtype: of the weights.

    Shapes: (batch, channel, height, width), any number of channels, to the same.

    Raises:
        InputError: a kernel that is no odd square with a positive middle, or a number below 1.

    Source: Trottenberg, Oosterlee and Schueller, Multigrid (2001); as a network: Alt, Schrader, Augustin, Peter
    and Weickert, J. Math. Imaging Vis. 65 (2023).

    >>> net = VCycle([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], levels=3)       # v - laplace v = r
    >>> constant = torch.ones(1, 1, 8, 8)
    >>> bool((net(constant) - constant).abs().max() < 0.05)
    True
    """

    def __init__(
        self,
        kernel: Sequence[Sequence[float]],
        *,
        levels: int = 3,
        smoothing: int = 2,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        side = len(kernel)
        square = side % 2 == 1 and all(len(row) == side for row in kernel)
        if not square or not kernel[side // 2][side // 2] > 0 or levels < 1 or smoothing < 1:
            raise InputError(
                f"VCycle(levels={levels}, smoothing={smoothing}) needs a kernel that is an odd square with a "
                "positive middle, and one or more levels and smoothing steps."
            )
        self.levels, self.smoothing = levels, smoothing
        self.kernel = [list(map(float, row)) for row in kernel]
        matrix = torch.tensor(self.kernel, dtype=torch.float64)[None, None]
        matrices, factors = [], []
        for _ in range(levels):
            matrices.append(matrix)
            middle = matrix[0, 0, matrix.shape[2] // 2, matrix.shape[3] // 2]
            factors.append(2 / (middle + matrix.abs().sum()))
            matrix = _coarse(matrix)
        half = torch.tensor(HALVES, dtype=dtype)
        transfer = (half[:, None] * half)[None, None]
        self.matrices = nn.ParameterList(
            nn.Parameter(m.to(dtype)) for m in matrices[:-1]
        )  # the coarsest only has a factor
        self.factors = nn.ParameterList(nn.Parameter(f.to(dtype)) for f in factors)
        self.restrict = nn.ParameterList(nn.Parameter(transfer.clone()) for _ in range(levels - 1))
        self.prolong = nn.ParameterList(nn.Parameter(transfer.clone()) for _ in range(levels - 1))

    @property
    def config(self) -> dict[str, Any]:
        """The arguments that build the same architecture; numbers and lists only."""
        return {"kernel": self.kernel, "levels": self.levels, "smoothing": self.smoothing}

    def forward(self, residual: Tensor) -> Tensor:
        """v, near A^-1 r."""
        if residual.ndim != 4:
            raise InputError(f"VCycle needs (batch, channel, height, width), got {tuple(residual.shape)}.")
        height, width = residual.shape[2:]
        step = 1 << (self.levels - 1)
        rows, columns = ((n + step - 1) // step * step for n in (height, width))
        whole = _continued(_continued(residual, rows, 2), columns, 3)
        found = self._cycle(0, whole.reshape(-1, 1, rows, columns))
        whole = found.reshape(*residual.shape[:2], rows, columns)
        return functional.pad(whole, (0, width - columns, 0, height - rows))  # a crop that can be exported

    def _cycle(self, level: int, residual: Tensor) -> Tensor:
        factor = self.factors[level].to(residual.dtype)
        found: Tensor = residual * factor
        if level == self.levels - 1:
            return found
        for _ in range(self.smoothing - 1):
            found = found + (residual - self._product(level, found)) * factor
        left = residual - self._product(level, found)
        coarse = functional.conv2d(mirrored(left, 1), self.restrict[level].to(left.dtype), stride=2)
        below = mirrored(self._cycle(level + 1, coarse), 1)
        up = functional.conv_transpose2d(below, self.prolong[level].to(left.dtype), stride=2)
        found = found + up[..., 3:-3, 3:-3]
        for _ in range(self.smoothing):
            found = found + (residual - self._product(level, found)) * factor
        return found

    def _product(self, level: int, image: Tensor) -> Tensor:
        matrix = self.matrices[level].to(image.dtype)
        return functional.conv2d(mirrored(image, matrix.shape[-1] // 2), matrix)


def _coarse(matrix: Tensor) -> Tensor:
    """The kernel of P^T A P on the grid of half the size."""
    reach = (matrix.shape[-1] // 2 + 3) // 2
    half = torch.tensor(HALVES, dtype=matrix.dtype)
    transfer = (half[:, None] * half)[None, None]
    point = matrix.new_zeros(1, 1, 4 * reach + 1, 4 * reach + 1)
    point[..., 2 * reach, 2 * reach] = 1
    fine = functional.conv_transpose2d(point, transfer, stride=2)
    product = functional.conv2d(fine, matrix, padding=matrix.shape[-1] // 2)
    whole = functional.conv2d(product, transfer, stride=2)
    middle = whole.shape[-1] // 2
    return whole[..., middle - reach : middle + reach + 1, middle - reach : middle + reach + 1]


def _continued(image: Tensor, n: int, dim: int) -> Tensor:
    """The image and its mirror image, again and again, up to n pixels."""
    size = image.shape[dim]
    place = torch.arange(n, device=image.device)
    place = place % torch.full_like(place, 2 * size)  # a tensor: the size may be a symbol in ONNX
    return image.index_select(dim, torch.minimum(place, 2 * size - 1 - place))
