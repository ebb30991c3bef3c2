r"""Isotropic diffusion on the cells of 2 x 2 pixels, which shift-invariant Haar shrinkage does as well."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from mindl.calculus import PeronaMalik, SmoothPenaliser
from mindl.calculus.delta_stencil import DeltaStencil
from mindl.calculus.haar import haar_coefficients
from mindl.core.arrays import Image
from mindl.core.reduce import over_channels
from mindl.models.anisotropic import Isotropic, TensorDiffusion
from mindl.models.filling import FromData
from mindl.models.flow_views import Quasilinear
from mindl.models.views import LinearSystem


@dataclass(frozen=True, eq=False, repr=False)
class HaarDiffusion(Quasilinear, FromData):
    r"""Isotropic nonlinear diffusion with one diffusivity for every cell of 2 x 2 pixels:

    .. math:: \partial_t u = \operatorname{div}\big(g(|\nabla u|^2) \nabla u\big)

    on the delta stencil with D = g I and :math:`\delta = 2 \alpha g`. In a cell the matrix has the Haar
    wavelets as eigenvectors, with the eigenvalues g, g and :math:`(2 - 4 \alpha) g`. So one explicit step of
    size tau **is** one step of shift-invariant Haar shrinkage,

    .. math:: S(w_x) = (1 - 4 \tau g)\, w_x, \quad S(w_y) = (1 - 4 \tau g)\, w_y, \quad
              S(w_{xy}) = (1 - (8 - 16 \alpha) \tau g)\, w_{xy}, \qquad g = g(w_x^2 + w_y^2),

    with orthonormal coefficients of all cells (``solvers.HaarShrinkage``). On a line this is the identity
    :math:`S(w) = w (1 - 4 \tau g(\sqrt 2 |w|))` of Mrazek, Weickert and Steidl; the form for the delta family is
    derived here.

    Args:
        data: the image at time 0.
        penaliser: whose diffusivity g is.
        alpha: in [0, 1/2]; 1/4 shrinks all three coefficients alike.

    Raises:
        InputError: alpha outside its range, or not a finite float image.

    Source: Mrazek, Weickert and Steidl, Int. J. Comput. Vis. 64 (2005); Mrazek and Weickert, J. Vis.
    Commun. Image Represent. 18 (2007).
    """

    data: Image
    penaliser: SmoothPenaliser
    alpha: float = 0.25

    def __post_init__(self) -> None:
        _ = self.diffusion  # its checks are this model's

    @property
    def title(self) -> str:
        """The model's name."""
        return "haar_diffusion"

    @cached_property
    def diffusion(self) -> TensorDiffusion:
        """The same flow as a tensor diffusion."""
        rule = Isotropic(self.penaliser)
        return TensorDiffusion(self.data, rule, 0.0, DeltaStencil(self.alpha), None, self.title)

    @property
    def stable_step(self) -> float | None:
        """As long as no coefficient is more than reversed."""
        return self.diffusion.stable_step

    def frozen(self, image: Image) -> LinearSystem:
        """The delta stencil with D = g I."""
        return self.diffusion.frozen(image)

    def cell_diffusivity(self, image: Image) -> Tensor:
        """g in every cell, from the wavelet coefficients of all channels."""
        x, y, _ = haar_coefficients(image)
        return self.penaliser.diffusivity(over_channels(x * x + y * y))


def haar_diffusion(data: Image, penaliser: SmoothPenaliser | None = None, *, alpha: float = 0.25) -> HaarDiffusion:
    """Isotropic diffusion that is Haar wavelet shrinkage. See ``HaarDiffusion``.

    The penaliser is ``PeronaMalik(0.05)`` unless said.

    >>> import torch, mindl as md
    >>> flow = haar_diffusion(torch.eye(5)[None, None])
    >>> one = md.evolve(flow, md.solvers.Explicit(0.2), 1.0).image
    >>> other = md.evolve(flow, md.solvers.HaarShrinkage(0.2), 1.0).image
    >>> torch.allclose(one, other, atol=1e-6)
    True
    """
    return HaarDiffusion(data, penaliser or PeronaMalik(0.05), alpha)
