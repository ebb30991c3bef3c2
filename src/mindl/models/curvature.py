r"""Mean curvature motion: level lines move with the speed of their curvature."""

from __future__ import annotations

from dataclasses import dataclass

from mindl.calculus.boundary import mirrored
from mindl.calculus.gradient import check_grid
from mindl.core.arrays import Image, check_image
from mindl.core.errors import InputError
from mindl.models.filling import FromData
from mindl.models.flow import Flow


@dataclass(frozen=True, eq=False, repr=False)
class MeanCurvatureMotion(Flow, FromData):
    r"""Mean curvature motion,

    .. math:: \partial_t u = |\nabla u| \operatorname{div}\frac{\nabla u}{|\nabla u|}
              = \frac{u_y^2 u_{xx} - 2 u_x u_y u_{xy} + u_x^2 u_{yy}}{u_x^2 + u_y^2},

    by central differences, of second order where the gradient does not vanish. Where it is small against
    ``floor`` the mean over all directions, half the Laplacian, takes over. A circle of radius r shrinks as
    :math:`\sqrt{r^2 - 2 t}`; the area within a level line falls at the rate 2 pi, whatever its shape. Each channel
    moves on its own.

    Central differences give no maximum-minimum principle: overshoots are small on smooth images, and possible.
    With frozen coefficients the explicit scheme is stable up to h^2 / 2 (von Neumann); half of that is taken
    here.

    Args:
        data: the image at time 0.
        grid: h, the distance of two pixels.
        floor: gradients well below it have no direction.

    Raises:
        InputError: a grid size or floor that is not positive, or not a finite float image.

    Source: Osher and Sethian, J. Comput. Phys. 79 (1988); Alvarez, Lions and Morel, SIAM J. Numer. Anal. 29
    (1992).
    """

    data: Image
    grid: float = 1.0
    floor: float = 1e-4

    def __post_init__(self) -> None:
        check_image(self.data, f"{self.title}(data)")
        check_grid(self.grid, self.title)
        if not isinstance(self.floor, float | int) or not 0 < self.floor < float("inf"):
            raise InputError(f"{self.title}(floor={self.floor}) must be above 0 and finite.")

    @property
    def title(self) -> str:
        """The flow's name."""
        return "mean_curvature_motion"

    @property
    def stable_step(self) -> float | None:
        """h^2 / 4."""
        return self.grid**2 / 4

    def rate(self, image: Image) -> Image:
        """The second derivative along the level line."""
        wide = mirrored(image, 1)
        left, right, up, down = (
            wide[..., 1:-1, :-2],
            wide[..., 1:-1, 2:],
            wide[..., :-2, 1:-1],
            wide[..., 2:, 1:-1],
        )
        h = self.grid
        x, y = (right - left) / (2 * h), (down - up) / (2 * h)
        xx, yy = ((right - image) - (image - left)) / h**2, ((down - image) - (image - up)) / h**2
        xy = ((wide[..., 2:, 2:] - wide[..., 2:, :-2]) - (wide[..., :-2, 2:] - wide[..., :-2, :-2])) / (4 * h**2)
        floor = self.floor**2
        along = y * y * xx - 2 * (x * y) * xy + x * x * yy + (floor / 2) * (xx + yy)
        return along / (x * x + y * y + floor)


def mean_curvature_motion(data: Image, *, grid: float = 1.0, floor: float = 1e-4) -> MeanCurvatureMotion:
    """Mean curvature motion: level lines move with their curvature. See ``MeanCurvatureMotion``.

    >>> import torch
    >>> ramp = torch.arange(5.0).expand(1, 1, 5, 5)
    >>> float(mean_curvature_motion(ramp).rate(ramp)[..., 1:-1].abs().max())     # straight lines do not move
    0.0
    """
    return MeanCurvatureMotion(data, grid, floor)
