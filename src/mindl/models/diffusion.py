r"""Nonlinear isotropic diffusion with a presmoothed gradient."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from mindl.calculus import Gradient, PeronaMalik, SmoothPenaliser
from mindl.calculus.boundary import mirrored
from mindl.calculus.convolution import check_sigma, smoothed
from mindl.calculus.gradient import check_grid
from mindl.core.arrays import Image, check_image, check_weight
from mindl.core.errors import InputError
from mindl.core.reduce import over_channels
from mindl.models.filling import FromData
from mindl.models.flow_views import Splittable
from mindl.models.gradient_flow import chain_bound
from mindl.models.views import LinearSystem
from mindl.models.weighted import WeightedSystem


@dataclass(frozen=True, eq=False, repr=False)
class NonlinearDiffusion(Splittable, FromData):
    r"""Nonlinear isotropic diffusion (Perona and Malik; the presmoothing is that of Catte et al.):

    .. math:: \partial_t u = \operatorname{div}\big(g(|\nabla u_\sigma|^2) \nabla u\big), \qquad
              u_\sigma = G_\sigma * u .

    The gradient of :math:`u_\sigma` is taken by central differences, and the diffusivities of two neighbours
    are averaged for what flows between them. All channels share their diffusivity unless ``joint`` is false.
    Whatever g in (0, g_max] it keeps the mean and the range, and every convex function of the grey values,
    summed, falls (Lyapunov); in the end the image is its mean. With a nonconvex penaliser it sharpens edges
    beyond the contrast, and two images that are close may move apart.

    Args:
        data: the image at time 0, (batch, channel, height, width).
        penaliser: the penaliser whose diffusivity is g: ``Charbonnier``, ``PeronaMalik``, ``Weickert``,
            or ``Huber`` (the regularised total variation).
        presmoothing: sigma in pixels; 0 takes the gradient of u itself.
        joint: whether the channels share their diffusivity.
        grid: h, the distance of two pixels.

    Raises:
        InputError: a presmoothing below 0, a grid size that is not positive, or not a finite float image.

    Source: Catte, Lions, Morel and Coll, SIAM J. Numer. Anal. 29 (1992); the properties: Weickert, Anisotropic
    Diffusion in Image Processing (1998), chapters 3 and 4.

    >>> import torch, mindl as md
    >>> flow = NonlinearDiffusion(torch.eye(4)[None, None], md.calculus.PeronaMalik(0.1), presmoothing=0.5)
    >>> md.evolve(flow, md.solvers.AOS(10.0), 100.0).image.mean().round(decimals=5)
    tensor(0.2500)
    """

    data: Image
    penaliser: SmoothPenaliser
    presmoothing: float = 0.5
    joint: bool = True
    grid: float = 1.0

    def __post_init__(self) -> None:
        check_image(self.data, f"{self.title}(data)")
        check_sigma(self.presmoothing, f"{self.title}(presmoothing")
        check_grid(self.grid, self.title)
        check_penaliser(self.penaliser, self.data, self.title)

    @property
    def title(self) -> str:
        """With the penaliser that gives the diffusivity."""
        return f"nonlinear_diffusion by {type(self.penaliser).__name__}"

    @property
    def stable_step(self) -> float | None:
        """h^2 / (2 d g_max) for an image of d axes: up to there the range is kept."""
        return chain_bound(self.data, self.grid, self.penaliser.largest_diffusivity)

    def diffusivity(self, image: Image) -> Image:
        """g at every pixel."""
        wide = mirrored(smoothed(image, self.presmoothing), 1)
        half = 0.5 / self.grid
        x = (wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]) * half
        y = (wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]) * half
        squares = x * x + y * y
        return self.penaliser.diffusivity(over_channels(squares) if self.joint else squares)

    def conductances(self, image: Image) -> tuple[Tensor, Tensor]:
        """The mean of the two pixels' diffusivities, divided by h^2."""
        return self._conductances(image, 1 / self.grid**2)

    def _conductances(self, image: Image, scale: float) -> tuple[Tensor, Tensor]:
        g = self.diffusivity(image) * (scale / 2)
        x, y = g.clone(), g.clone()
        x[..., :-1] += g[..., 1:]
        y[..., :-1, :] += g[..., 1:, :]
        return x, y

    def frozen(self, image: Image) -> LinearSystem:
        """Differences weighted by the conductances."""
        x, y = self._conductances(image, 1.0)
        weights = x.new_empty(*x.shape[:2], 2, *x.shape[2:])
        weights[:, :, 0], weights[:, :, 1] = x, y
        bound = 2 / chain_bound(self.data, self.grid, self.penaliser.largest_diffusivity)
        return WeightedSystem(Gradient(grid=self.grid), weights, bound, self.data)


def check_penaliser(penaliser: object, data: Image, call: str) -> None:
    """See that a penaliser has a diffusivity, and a contrast that fits the images."""
    if not isinstance(penaliser, SmoothPenaliser):
        raise InputError(
            f"{call} needs a smooth penaliser, whose diffusivity is finite, such as PeronaMalik(0.02) or, for the "
            f"total variation, Huber(0.02); got {type(penaliser).__name__}."
        )
    if penaliser.contrast is not None:
        check_weight(penaliser.contrast, data, f"{call}(contrast)")


def nonlinear_diffusion(
    data: Image,
    penaliser: SmoothPenaliser | None = None,
    *,
    presmoothing: float = 0.5,
    joint: bool = True,
    grid: float = 1.0,
) -> NonlinearDiffusion:
    """Nonlinear isotropic diffusion with a presmoothed gradient. See ``NonlinearDiffusion``.

    The penaliser is ``PeronaMalik(0.02)`` unless said.

    >>> import torch
    >>> nonlinear_diffusion(torch.zeros(1, 1, 8, 8)).stable_step
    0.25
    """
    return NonlinearDiffusion(data, penaliser or PeronaMalik(0.02), presmoothing, joint, grid)
