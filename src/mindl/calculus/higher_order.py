r"""Higher-order differences: powers of the Laplacian, and the Hessian with free boundaries."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from mindl.calculus.boundary import Boundary, Reflecting, solve_screened
from mindl.calculus.gradient import Gradient, check_grid, describe
from mindl.calculus.operators import Diagonalised, Operator
from mindl.core.arrays import Dual, Image
from mindl.core.errors import InputError


@dataclass(frozen=True)
class Polyharmonic(Diagonalised):
    r"""An operator L with :math:`L^T L = (-\Delta)^m`, :math:`\Delta` the 5-point Laplacian:

    .. math:: L = \Delta^{m/2} \text{ for even } m, \qquad L = \nabla \Delta^{(m-1)/2} \text{ for odd } m.

    m = 2 penalises the Laplacian (biharmonic), m = 3 its gradient (triharmonic). The norm is exact,
    :math:`\|L\|^2 = \|\nabla\|^{2m} < 8^m / h^{2m}`. Second order in h.

    Args:
        order: m, at least 1.
        boundary, grid: those of the gradient that the Laplacian is made of.

    Raises:
        InputError: an order below 1, or a grid size that is not positive.

    >>> line = torch.tensor([[[[0.0, 0.0, 1.0, 0.0, 0.0]]]])
    >>> Polyharmonic(2).gram(line).flatten().tolist()
    [1.0, -4.0, 6.0, -4.0, 1.0]
    """

    order: int = 2
    boundary: Boundary = field(default_factory=Reflecting)
    grid: float = 1.0

    def __post_init__(self) -> None:
        check_grid(self.grid, "Polyharmonic")
        if not isinstance(self.order, int) or self.order < 1:
            raise InputError(f"Polyharmonic(order={self.order}) must be a whole number, at least 1.")

    def __repr__(self) -> str:
        return describe("Polyharmonic", self.boundary, self.grid, str(self.order))

    @property
    def gradient(self) -> Gradient:
        """The gradient whose square is minus the Laplacian."""
        return Gradient(self.boundary, self.grid)

    @property
    def components(self) -> int:  # type: ignore[override]
        """1 for even orders, else those of the gradient."""
        return self.gradient.components if self.order % 2 else 1

    @property
    def reach(self) -> int:  # type: ignore[override]
        """m."""
        return self.order

    @property
    def wraps(self) -> bool:  # type: ignore[override]
        """As the gradient does."""
        return self.gradient.wraps

    def coarser(self) -> Polyharmonic:
        """With twice the grid size."""
        return replace(self, grid=2 * self.grid)

    def _apply(self, image: Image, out: Tensor) -> Dual:
        image = self._minus_laplacian(image, self.order // 2)
        if self.order % 2:
            return self.gradient._apply(image, out)
        out[:, :, 0] = image
        return out

    def _adjoint(self, field: Dual, out: Tensor) -> Image:
        image = self.gradient._adjoint(field, out) if self.order % 2 else field[:, :, 0]
        return out.copy_(self._minus_laplacian(image, self.order // 2))

    def gram(self, image: Image, out: Tensor | None = None, scratch: Tensor | None = None) -> Image:
        """(-Laplacian)^m u."""
        if out is None or scratch is None:
            return self.adjoint(self(image))
        return out.copy_(self._minus_laplacian(image, self.order, scratch))

    def _minus_laplacian(self, image: Image, times: int, scratch: Tensor | None = None) -> Image:
        scratch = torch.empty_like(image) if scratch is None else scratch
        for _ in range(times):
            image = self.gradient.gram(image, torch.empty_like(image), scratch)
        return image

    def solve(self, image: Image, zeroth: float, second: float) -> Image:
        """By the cosine, Fourier or sine transform, as the boundary asks."""
        return solve_screened(image, self.boundary, zeroth, second / self.grid ** (2 * self.order), self.order)

    def norm_squared(self, height: int, width: int) -> float:
        """The exact largest eigenvalue, rounded up."""
        return self.gradient.norm_squared(height, width) ** self.order * (1 + 1e-12)


@dataclass(frozen=True)
class Hessian(Operator):
    r"""Second differences where the image has them, and none beyond: free (natural) boundaries,

    .. math:: H u = (u_{xx},\; u_{yy},\; \sqrt 2\, u_{xy}),

    with :math:`u_{xx}` at inner pixels of a row, :math:`u_{yy}` of a column, and :math:`u_{xy}` between four
    pixels. The kernel is exactly the affine images. Inside, :math:`H^T H` is the 13-point biharmonic stencil; on a
    line the energy |H u|^2 is that of natural cubic splines. Second order in h.

    Raises:
        InputError: a grid size that is not positive.

    Source: Wahba, Spline Models for Observational Data (1990), section 2.4 (the thin plate).

    >>> x = torch.arange(5.0).reshape(1, 1, 1, 5)
    >>> Hessian()(x * x)[0, 0, 0].tolist()
    [[0.0, 2.0, 2.0, 2.0, 0.0]]
    """

    grid: float = 1.0

    components = 3
    reach = 2

    def __post_init__(self) -> None:
        check_grid(self.grid, "Hessian")

    def __repr__(self) -> str:
        return describe("Hessian", Reflecting(), self.grid)

    def coarser(self) -> Hessian:
        """With twice the grid size."""
        return replace(self, grid=2 * self.grid)

    def _apply(self, image: Image, out: Tensor) -> Dual:
        out.zero_()
        xx, yy, xy = out.unbind(2)
        if image.shape[3] > 2:
            torch.sub(image[..., 2:], image[..., 1:-1], out=xx[..., 1:-1])
            xx[..., 1:-1] -= image[..., 1:-1]
            xx[..., 1:-1] += image[..., :-2]
        if image.shape[2] > 2:
            torch.sub(image[..., 2:, :], image[..., 1:-1, :], out=yy[..., 1:-1, :])
            yy[..., 1:-1, :] -= image[..., 1:-1, :]
            yy[..., 1:-1, :] += image[..., :-2, :]
        corner = image[..., 1:] - image[..., :-1]
        torch.sub(corner[..., 1:, :], corner[..., :-1, :], out=xy[..., :-1, :-1]).mul_(2**0.5)
        return out if self.grid == 1 else out.div_(self.grid**2)

    def _adjoint(self, field: Dual, out: Tensor) -> Image:
        xx, yy, xy = field[:, :, 0, :, 1:-1], field[:, :, 1, 1:-1, :], field[:, :, 2, :-1, :-1] * 2**0.5
        out.zero_()
        if out.shape[3] > 2:
            out[..., 2:] += xx
            out[..., 1:-1] -= xx
            out[..., 1:-1] -= xx
            out[..., :-2] += xx
        if out.shape[2] > 2:
            out[..., 2:, :] += yy
            out[..., 1:-1, :] -= yy
            out[..., 1:-1, :] -= yy
            out[..., :-2, :] += yy
        out[..., 1:, 1:] += xy
        out[..., 1:, :-1] -= xy
        out[..., :-1, 1:] -= xy
        out[..., :-1, :-1] += xy
        return out if self.grid == 1 else out.div_(self.grid**2)

    def norm_squared(self, height: int, width: int) -> float:
        """That of the squared Laplacian, which adds the rows that the border lacks here."""
        return Polyharmonic(2, grid=self.grid).norm_squared(height, width)
