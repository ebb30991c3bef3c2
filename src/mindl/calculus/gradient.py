r"""First-order differences: the gradient, and its four one-sided relatives."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn import functional

from mindl.calculus.boundary import Boundary, Periodic, Reflecting, Vanishing, solve_screened
from mindl.calculus.operators import Diagonalised, Differences
from mindl.core.arrays import Dual, Image, exporting
from mindl.core.errors import InputError


@dataclass(frozen=True)
class Gradient(Differences, Diagonalised):
    r"""Forward differences on a grid of size h,

    .. math:: (\nabla u)_{i,j} = \tfrac1h (u_{i,j+1} - u_{i,j},\; u_{i+1,j} - u_{i,j}).

    Component 0 runs along the width (x), component 1 along the height (y). The adjoint is minus the divergence
    by backward differences, ``div p = -adjoint(p)``, and L^T L is minus the 5-point Laplacian. A difference
    that would leave the image is 0 (reflecting), meets the pixel on the other side (periodic), or meets 0
    (vanishing; then components 2 and 3 hold the differences across the left and the upper border). For every
    size, also 1 x 1,

    .. math:: \|\nabla\|^2 = \tfrac{4}{h^2}\sin^2\tfrac{\pi(W-1)}{2W} + \tfrac{4}{h^2}\sin^2\tfrac{\pi(H-1)}{2H}
              < 8 / h^2

    with reflecting boundaries. First order in h at the pixel, second order half way to the next one; the
    Laplacian is of second order.

    Args:
        boundary: ``Reflecting()``, ``Periodic()`` or ``Vanishing()``.
        grid: h, the distance of two pixels. Sums over pixels are not multiplied by h^2.

    Raises:
        InputError: a grid size that is not positive.

    Source: Chambolle, J. Math. Imaging Vis. 20 (2004), section 3; the norm by the DCT-II modes.

    >>> u = torch.tensor([[[[0.0, 1.0], [3.0, 7.0]]]])
    >>> Gradient()(u)[0, 0]
    tensor([[[1., 0.],
             [4., 0.]],
            [[3., 6.],
             [0., 0.]]])
    """

    boundary: Boundary = field(default_factory=Reflecting)
    grid: float = 1.0

    reach = 1

    def __post_init__(self) -> None:
        check_grid(self.grid, "Gradient")

    def __repr__(self) -> str:
        return describe("Gradient", self.boundary, self.grid)

    @property
    def components(self) -> int:  # type: ignore[override]
        """2, and 4 where the image vanishes outside."""
        return 4 if self.ties_to_zero else 2

    @property
    def wraps(self) -> bool:  # type: ignore[override]
        """A periodic image has no top and no bottom."""
        return isinstance(self.boundary, Periodic)

    @property
    def ties_to_zero(self) -> bool:  # type: ignore[override]
        """Where the image vanishes outside, pixels of the border are compared with 0."""
        return isinstance(self.boundary, Vanishing)

    def coarser(self) -> Gradient:
        """With twice the grid size."""
        return replace(self, grid=2 * self.grid)

    def _apply(self, image: Image, out: Tensor) -> Dual:
        x, y = out[:, :, 0], out[:, :, 1]
        torch.sub(image[..., 1:], image[..., :-1], out=x[..., :-1])
        torch.sub(image[..., 1:, :], image[..., :-1, :], out=y[..., :-1, :])
        if isinstance(self.boundary, Periodic):
            torch.sub(image[..., 0], image[..., -1], out=x[..., -1])
            torch.sub(image[..., 0, :], image[..., -1, :], out=y[..., -1, :])
        elif isinstance(self.boundary, Vanishing):
            torch.neg(image[..., -1], out=x[..., -1])
            torch.neg(image[..., -1, :], out=y[..., -1, :])
            out[:, :, 2:] = 0
            out[:, :, 2, :, 0] = image[..., 0]
            out[:, :, 3, 0] = image[..., 0, :]
        else:
            x[..., -1] = 0
            y[..., -1, :] = 0
        return out if self.grid == 1 else out.div_(self.grid)

    def _adjoint(self, field: Dual, out: Tensor) -> Image:
        x, y = field[:, :, 0], field[:, :, 1]
        out.zero_()
        out[..., 1:] += x[..., :-1]
        out[..., :-1] -= x[..., :-1]
        out[..., 1:, :] += y[..., :-1, :]
        out[..., :-1, :] -= y[..., :-1, :]
        if not isinstance(self.boundary, Reflecting):
            out[..., -1] -= x[..., -1]
            out[..., -1, :] -= y[..., -1, :]
            periodic = isinstance(self.boundary, Periodic)
            out[..., 0] += x[..., -1] if periodic else field[:, :, 2, :, 0]
            out[..., 0, :] += y[..., -1, :] if periodic else field[:, :, 3, 0]
        return out if self.grid == 1 else out.div_(self.grid)

    def _new_field(self, image: Image) -> Dual:
        if not exporting() or not isinstance(self.boundary, Reflecting):
            return super()._new_field(image)
        x = functional.pad(image[..., 1:] - image[..., :-1], (0, 1, 0, 0))
        y = functional.pad(image[..., 1:, :] - image[..., :-1, :], (0, 0, 0, 1))
        out = torch.stack([x, y], dim=2)  # what is written in place makes a program three times as long
        return out if self.grid == 1 else out / self.grid

    def _new_image(self, field: Dual) -> Image:
        if not exporting() or not isinstance(self.boundary, Reflecting):
            return super()._new_image(field)
        x, y = field[:, :, 0, :, :-1], field[:, :, 1, :-1]
        out = functional.pad(x, (1, 0, 0, 0)) - functional.pad(x, (0, 1, 0, 0))
        out = out + functional.pad(y, (0, 0, 1, 0)) - functional.pad(y, (0, 0, 0, 1))
        return out if self.grid == 1 else out / self.grid

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
        if isinstance(self.boundary, Vanishing):
            out[..., 0] += image[..., 0]
            out[..., -1] += image[..., -1]
            out[..., 0, :] += image[..., 0, :]
            out[..., -1, :] += image[..., -1, :]
        elif isinstance(self.boundary, Periodic):
            x, y = scratch[..., 0], scratch[..., 0, :]
            torch.sub(image[..., 0], image[..., -1], out=x)
            out[..., 0] += x
            out[..., -1] -= x
            torch.sub(image[..., 0, :], image[..., -1, :], out=y)
            out[..., 0, :] += y
            out[..., -1, :] -= y
        return out if self.grid == 1 else out.div_(self.grid**2)

    def solve(self, image: Image, zeroth: float, second: float) -> Image:
        """By the cosine, Fourier or sine transform, as the boundary asks."""
        return solve_screened(image, self.boundary, zeroth, second / self.grid**2)

    def norm_squared(self, height: int, width: int) -> float:
        """The exact largest eigenvalue of minus the Laplacian, rounded up."""
        return sum(map(self.boundary.largest_eigenvalue, (height, width))) * (1 + 1e-12) / self.grid**2


@dataclass(frozen=True)
class GradientPairs(Differences, Diagonalised):
    r"""The four gradients that forward and backward differences make, each a quarter:

    .. math:: \tfrac14 (\nabla_{++} u,\; \nabla_{+-} u,\; \nabla_{-+} u,\; \nabla_{--} u),
              \qquad \nabla_{\pm\pm} = (D_x^\pm, D_y^\pm),

    with reflecting boundaries. Their magnitudes, one for each pair (``Paired`` coupling), add up to a total
    variation that is the same after a turn by 90 degrees, which that of forward differences alone is not.
    Components: (x, y) of ++, +-, -+, --. L^T L is a quarter of minus the 5-point Laplacian, so the squared norm
    is below 2.

    >>> GradientPairs()(torch.tensor([[[[0.0, 1.0]]]]))[0, 0, ::2, 0].tolist()      # the x of each pair
    [[0.25, 0.0], [0.25, 0.0], [0.0, 0.25], [0.0, 0.25]]
    """

    grid: float = 1.0

    components = 8
    reach = 1

    def __post_init__(self) -> None:
        check_grid(self.grid, "GradientPairs")

    def __repr__(self) -> str:
        return describe("GradientPairs", Reflecting(), self.grid)

    def coarser(self) -> GradientPairs:
        """With twice the grid size."""
        return replace(self, grid=2 * self.grid)

    def _apply(self, image: Image, out: Tensor) -> Dual:
        quarter = 1 / (4 * self.grid)
        x = torch.sub(image[..., 1:], image[..., :-1], out=out[:, :, 0, :, :-1]).mul_(quarter)
        y = torch.sub(image[..., 1:, :], image[..., :-1, :], out=out[:, :, 1, :-1, :]).mul_(quarter)
        out[:, :, 0, :, -1], out[:, :, 1, -1, :] = 0, 0
        out[:, :, 2], out[:, :, 5] = out[:, :, 0], out[:, :, 1]
        out[:, :, 4, :, 1:], out[:, :, 4, :, 0] = x, 0
        out[:, :, 3, 1:, :], out[:, :, 3, 0, :] = y, 0
        out[:, :, 6], out[:, :, 7] = out[:, :, 4], out[:, :, 3]
        return out

    def _adjoint(self, field: Dual, out: Tensor) -> Image:
        x = field[:, :, 0, :, :-1] + field[:, :, 2, :, :-1]
        x += field[:, :, 4, :, 1:]
        x += field[:, :, 6, :, 1:]
        y = field[:, :, 1, :-1, :] + field[:, :, 5, :-1, :]
        y += field[:, :, 3, 1:, :]
        y += field[:, :, 7, 1:, :]
        out.zero_()
        out[..., 1:] += x
        out[..., :-1] -= x
        out[..., 1:, :] += y
        out[..., :-1, :] -= y
        return out.mul_(1 / (4 * self.grid))

    def gram(self, image: Image, out: Tensor | None = None, scratch: Tensor | None = None) -> Image:
        """A quarter of minus the 5-point Laplacian."""
        result = Gradient(grid=self.grid).gram(image, out, scratch)
        return result * 0.25 if out is None else result.mul_(0.25)

    def solve(self, image: Image, zeroth: float, second: float) -> Image:
        """By the cosine transform."""
        return Gradient(grid=self.grid).solve(image, zeroth, second / 4)

    def norm_squared(self, height: int, width: int) -> float:
        """The exact largest eigenvalue, rounded up."""
        return Gradient(grid=self.grid).norm_squared(height, width) / 4


def check_grid(grid: float, call: str) -> None:
    """See that a grid size is one."""
    if not isinstance(grid, float | int) or not 0 < grid < math.inf:
        raise InputError(f"{call}(grid={grid}) must be above 0 and finite.")


def describe(name: str, boundary: Boundary, grid: float, *first: str) -> str:
    """A call that shows only what differs from the usual."""
    border = [] if isinstance(boundary, Reflecting) else [repr(boundary)]
    distance = [] if grid == 1 else [f"grid={grid:g}"]
    return f"{name}({', '.join([*first, *border, *distance])})"
