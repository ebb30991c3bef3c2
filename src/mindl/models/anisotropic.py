r"""Anisotropic diffusion: along edges and lines, not across them; and inpainting by it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from mindl.calculus import Charbonnier, PeronaMalik, SmoothPenaliser
from mindl.calculus.convolution import check_sigma, smoothed
from mindl.calculus.delta_stencil import DeltaStencil, DirectionalDifferences
from mindl.calculus.penalisers import check_contrast
from mindl.calculus.tensors import TensorField, structure_tensor
from mindl.core.arrays import Image, Mask, Weight, check_weight, highest, per_image
from mindl.core.errors import InputError
from mindl.models.diffusion import check_penaliser
from mindl.models.filling import Filling, check_mask_given
from mindl.models.flow_views import Quasilinear
from mindl.models.views import LinearSystem
from mindl.models.weighted import WeightedSystem


class TensorRule(ABC):
    """How the diffusion tensor follows from the structure tensor of the smoothed image."""

    integration: float = 0.0
    """Over how many pixels (a standard deviation) the structure tensor is averaged."""
    largest_eigenvalue: float = 1.0
    """An upper bound of the diffusion tensor's eigenvalues."""

    @abstractmethod
    def eigenvalues(self, across: Tensor, along: Tensor) -> tuple[Tensor, Tensor]:
        """Those of D, from the structure tensor's larger eigenvalue ``across`` and its smaller one ``along``."""

    def check(self, data: Image, call: str) -> None:
        """See that the rule's parameters fit the data."""


@dataclass(frozen=True, eq=False)
class ByDiffusivity(TensorRule):
    """Rules whose eigenvalues are diffusivities of a penaliser."""

    penaliser: SmoothPenaliser

    @property
    def largest_eigenvalue(self) -> float:  # type: ignore[override]
        """The largest diffusivity."""
        return highest(self.penaliser.largest_diffusivity)

    def check(self, data: Image, call: str) -> None:
        """A diffusivity, and a contrast for each image."""
        check_penaliser(self.penaliser, data, call)


@dataclass(frozen=True, eq=False)
class EdgeEnhancing(ByDiffusivity):
    r"""D = g(J): both eigenvalues of the structure tensor go through the diffusivity.

    Of a grey image :math:`J = \nabla u_\sigma \nabla u_\sigma^T`: across an edge the diffusivity is
    :math:`g(|\nabla u_\sigma|^2)`, along it 1.
    """

    def eigenvalues(self, across: Tensor, along: Tensor) -> tuple[Tensor, Tensor]:
        """g of both."""
        return self.penaliser.diffusivity(across), self.penaliser.diffusivity(along)


@dataclass(frozen=True, eq=False)
class Isotropic(ByDiffusivity):
    """D = g(tr J) I: no direction, on the same stencil."""

    def eigenvalues(self, across: Tensor, along: Tensor) -> tuple[Tensor, Tensor]:
        """g of the sum, twice."""
        g = self.penaliser.diffusivity(across + along)
        return g, g


@dataclass(frozen=True, eq=False)
class CoherenceEnhancing(TensorRule):
    r"""Little diffusion, except along lines: with the structure tensor's eigenvalues :math:`\mu_1 \ge \mu_2`

    .. math:: \lambda_1 = \alpha, \qquad
              \lambda_2 = \alpha + (1 - \alpha) \exp\Big(-\frac{c^4}{(\mu_1 - \mu_2)^2}\Big) .

    Args:
        contrast: c > 0 in the units of the image: lines of less contrast are left alone.
        integration: rho in pixels, the size of the texture that is to be closed.
        least: alpha, in (0, 1).

    Raises:
        InputError: a parameter outside its range.
    """

    contrast: Weight = 1 / 255
    integration: float = 4.0
    least: float = 0.001

    def __post_init__(self) -> None:
        check_sigma(self.integration, "CoherenceEnhancing(integration")
        if not isinstance(self.least, float | int) or not 0 < self.least < 1:
            raise InputError(f"CoherenceEnhancing(least={self.least}) must lie between 0 and 1.")
        check_contrast(self.contrast, "CoherenceEnhancing")

    def eigenvalues(self, across: Tensor, along: Tensor) -> tuple[Tensor, Tensor]:
        """alpha, and more along the line the clearer it is."""
        c = per_image(self.contrast, across)
        clear = (across - along) / c / c
        root = torch.where(clear > 0, 1 / torch.where(clear > 0, clear, 1), torch.inf)
        return torch.full_like(across, self.least), self.least + (1 - self.least) * torch.exp(-root * root)

    def check(self, data: Image, call: str) -> None:
        """A contrast for each image."""
        check_weight(self.contrast, data, f"{call}(contrast)")


@dataclass(frozen=True, eq=False, repr=False)
class TensorDiffusion(Quasilinear, Filling):
    r"""Anisotropic diffusion :math:`\partial_t u = \operatorname{div}(D(J_\rho(\nabla u_\sigma)) \nabla u)`.

    On 3 x 3 pixels, by the delta family of stencils (``calculus.DeltaStencil``), with mirrored borders; the
    tensor is that of all channels together. It keeps the mean, the sum of squares falls, and the explicit
    scheme is stable up to :math:`h^2 / (2 \max(1, 2 - 4 \alpha)\, \lambda_{\max})`. The range is *not* kept in
    general: no stencil of 3 x 3 pixels with nonnegative weights exists for strongly oblique tensors.

    With known pixels they stay, and the flow comes to rest in an inpainting.

    Args:
        data: the image at time 0, or the known pixels.
        rule: how D follows from the structure tensor.
        presmoothing: sigma in pixels.
        stencil: which member of the family.
        mask: true = known pixel; None: all pixels change.
        name: for messages and tables.

    Raises:
        InputError, MaskError: a presmoothing below 0, a contrast that is not positive, a mask that does not fit.

    Source: Weickert, Anisotropic Diffusion in Image Processing (1998); Weickert, Welk and Wickert, SSVM 2013.
    """

    data: Image
    rule: TensorRule
    presmoothing: float
    stencil: DeltaStencil
    mask: Mask | None
    name: str

    def __post_init__(self) -> None:
        _ = self.known  # its checks are this model's
        if not isinstance(self.stencil, DeltaStencil):
            raise InputError(f"{self.name}(stencil) needs a DeltaStencil, got {self.stencil!r}.")
        if not isinstance(self.rule, TensorRule):
            raise InputError(f"{self.name}(rule) needs a rule such as EdgeEnhancing(psi), got {self.rule!r}.")
        check_sigma(self.presmoothing, f"{self.name}(presmoothing")
        self.rule.check(self.data, self.name)

    @property
    def title(self) -> str:
        """The model's own name."""
        return self.name

    @property
    def spectral_bound(self) -> float:
        """An upper bound of the norm of A(u), whatever u."""
        return self.stencil.bound(self.rule.largest_eigenvalue)

    @property
    def stable_step(self) -> float | None:
        """2 / spectral_bound: up to there the sum of squares does not grow."""
        return 2 / self.spectral_bound

    def tensor(self, image: Image) -> TensorField:
        """D in every cell of 2 x 2 pixels, (batch, 1, height + 1, width + 1)."""
        structure = structure_tensor(smoothed(image, self.presmoothing), self.rule.integration)
        return structure.spectral(self.rule.eigenvalues)

    def frozen(self, image: Image) -> LinearSystem:
        """Differences in four directions, weighted by the stencil."""
        weights = self.stencil.weights(self.tensor(image))
        return WeightedSystem(DirectionalDifferences(), weights, self.spectral_bound, self.data, self.mask)


def edge_enhancing_diffusion(
    data: Image,
    penaliser: SmoothPenaliser | None = None,
    *,
    presmoothing: float = 0.5,
    stencil: DeltaStencil | None = None,
) -> TensorDiffusion:
    r"""Edge-enhancing diffusion (EED): full diffusion along edges, little across them.

    .. math:: \partial_t u = \operatorname{div}\big(g(\nabla u_\sigma \nabla u_\sigma^T) \nabla u\big)

    Noise at edges goes too, which isotropic nonlinear diffusion leaves there. In colour the structure tensors
    of the channels add up, so that they share their edges. See ``TensorDiffusion`` for what it keeps.

    Args:
        data: the image at time 0, (batch, channel, height, width).
        penaliser: whose diffusivity g is; ``PeronaMalik(8 / 255)`` by default.
        presmoothing: sigma in pixels.
        stencil: ``DeltaStencil(0.4)`` by default.

    Raises:
        InputError: a presmoothing below 0, or not a finite float image.

    Source: Weickert, Computing, Suppl. 11 (1996); the stencil: SSVM 2013.

    >>> import torch
    >>> edge_enhancing_diffusion(torch.zeros(1, 1, 8, 8)).stable_step
    0.5
    """
    rule = EdgeEnhancing(PeronaMalik(8 / 255) if penaliser is None else penaliser)
    stencil = DeltaStencil() if stencil is None else stencil
    return TensorDiffusion(data, rule, presmoothing, stencil, None, "edge_enhancing_diffusion")


def coherence_enhancing_diffusion(
    data: Image,
    contrast: Weight = 1 / 255,
    *,
    presmoothing: float = 0.5,
    integration: float = 4.0,
    least: float = 0.001,
    stencil: DeltaStencil | None = None,
) -> TensorDiffusion:
    """Coherence-enhancing diffusion (CED): it closes gaps in lines and flow-like textures.

    The tensor is that of ``CoherenceEnhancing``; see ``TensorDiffusion`` for what is kept.

    Args:
        data: the image at time 0, (batch, channel, height, width).
        contrast: lines of less contrast, in the units of the image, are left alone.
        presmoothing: sigma in pixels: details smaller than it are noise.
        integration: rho in pixels: the size of the texture.
        least: alpha, the diffusivity across lines, in (0, 1).
        stencil: ``DeltaStencil(0.4)`` by default.

    Raises:
        InputError: a parameter outside its range, or not a finite float image.

    Source: Weickert, Int. J. Comput. Vis. 31 (1999).

    >>> import torch
    >>> float(coherence_enhancing_diffusion(torch.ones(1, 1, 8, 8)).rate(torch.ones(1, 1, 8, 8)).abs().max())
    0.0
    """
    rule = CoherenceEnhancing(contrast, integration, least)
    stencil = DeltaStencil() if stencil is None else stencil
    return TensorDiffusion(data, rule, presmoothing, stencil, None, "coherence_enhancing_diffusion")


def eed_inpainting(
    data: Image,
    mask: Mask,
    penaliser: SmoothPenaliser | None = None,
    *,
    presmoothing: float = 1.0,
    stencil: DeltaStencil | None = None,
) -> TensorDiffusion:
    r"""Inpainting by edge-enhancing diffusion: where does it come to rest, with the known pixels fixed?

    .. math:: \operatorname{div}\big(g(\nabla u_\sigma \nabla u_\sigma^T) \nabla u\big) = 0, \qquad
              u = f \text{ where the mask is true}.

    It continues edges across gaps, which ``harmonic_inpainting`` blurs. There is no energy: ``steady_state``
    finds a solution, whose residual is small; uniqueness is not proved, and nothing about a distance. The
    range of the known pixels may be left a little.

    Args:
        data: the image f, (batch, channel, height, width); what it holds at unknown pixels is ignored.
        mask: true (or 1) = known pixel.
        penaliser: whose diffusivity g is; ``Charbonnier(2 / 255)`` by default.
        presmoothing: sigma in pixels; between known pixels that are far apart a larger one helps.
        stencil: ``DeltaStencil(0.25)`` by default, tuned with the rest on photographs of which 10 % are known.

    Raises:
        MaskError: greys, another size, or a channel without a known pixel.
        InputError: a presmoothing below 0.

    Source: Weickert and Welk, Visualization and Processing of Tensor Fields (2006); Galic et al., J. Math. Imaging
    Vis. 31 (2008).

    >>> import torch, mindl as md
    >>> image = md.images.disc(24, 24, 8)
    >>> known = md.images.random_mask(24, 24, 0.3, seed=0)
    >>> md.steady_state(eed_inpainting(image, known)).outcome.value
    'stationary, not certified'
    """
    rule = EdgeEnhancing(Charbonnier(2 / 255) if penaliser is None else penaliser)
    check_mask_given(mask, "eed_inpainting")
    stencil = DeltaStencil(0.25) if stencil is None else stencil
    return TensorDiffusion(data, rule, presmoothing, stencil, mask, "eed_inpainting")
