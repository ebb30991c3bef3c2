r"""Inpainting by Euler's elastica: short and straight level lines."""

from __future__ import annotations

from dataclasses import dataclass

from mindl.calculus import Gradient, pull_push
from mindl.core.arrays import Image, Mask, PerImage
from mindl.core.errors import InputError
from mindl.core.reduce import total
from mindl.models.filling import Filling, check_mask_given
from mindl.models.views import SmoothEnergy


@dataclass(frozen=True, eq=False, repr=False)
class ElasticaInpainting(SmoothEnergy, Filling):
    r"""Inpainting by Euler's elastica,

    .. math:: E(u) = \sum_i (a + b\, \kappa_i^2)\, |\nabla u|_\varepsilon, \qquad
              \kappa = \operatorname{div}\frac{\nabla u}{|\nabla u|_\varepsilon}, \qquad
              |q|_\varepsilon = \sqrt{|q|^2 + \varepsilon^2},

    with u = f at the known pixels: level lines pay for their length and for their squared curvature, so that
    they are continued straight across gaps too wide for ``tv_inpainting``. Forward differences for the
    gradient, backward ones for the divergence, each channel on its own. It is not convex: an answer is a
    stationary point, nothing is proved of it, and which one is found depends on where a solver begins. That is the
    rough filling ``pull_push``, far nearer to any answer than the mean of the known pixels.

    Args:
        data: the image f; what it holds at unknown pixels is ignored.
        mask: true = known pixel.
        length: a > 0.
        curvature: b >= 0, in squared pixels; 0 is regularised total variation.
        smoothing: epsilon > 0, in the units of the image: slopes below it have no level line.

    Raises:
        MaskError: greys, another size, or a channel without a known pixel.
        InputError: a, b or epsilon outside its range.

    Source: Mumford (1994); Shen, Kang and Chan, SIAM J. Appl. Math. 63 (2003).
    """

    data: Image
    mask: Mask
    length: float = 1.0
    curvature: float = 5.0
    smoothing: float = 0.02

    def __post_init__(self) -> None:
        check_mask_given(self.mask, self.title)
        _ = self.known  # its checks are this model's
        for name, value, least in (
            ("length", self.length, True),
            ("curvature", self.curvature, False),
            ("smoothing", self.smoothing, True),
        ):
            if not isinstance(value, float | int) or not 0 <= value < float("inf") or (least and value == 0):
                raise InputError(
                    f"{self.title}({name}={value}) must be {'above' if least else 'at least'} 0 and finite."
                )

    separable = True
    """Every channel is on its own, so that a network for grey images serves them one by one."""

    @property
    def title(self) -> str:
        """The model's name."""
        return "elastica_inpainting"

    def start(self) -> Image:
        """The known pixels, and a rough filling between them."""
        assert self.known is not None
        return pull_push(self.known.data, self.known.mask.expand_as(self.known.data))

    def energy(self, image: Image) -> PerImage:
        """Length and squared curvature of all level lines."""
        gradient = Gradient()
        field = gradient(image)
        x, y = field[:, :, :1], field[:, :, 1:]
        size = (x * x + y * y + self.smoothing**2).sqrt()
        curvature = gradient.adjoint(field / size)
        return total((self.length + self.curvature * curvature * curvature) * size[:, :, 0])

    def gradient(self, image: Image) -> Image:
        """By autograd, 0 at known pixels."""
        return self.only_free(super().gradient(image))


def elastica_inpainting(
    data: Image, mask: Mask, *, length: float = 1.0, curvature: float = 5.0, smoothing: float = 0.02
) -> ElasticaInpainting:
    """Inpainting by Euler's elastica: short and straight level lines. See ``ElasticaInpainting``.

    >>> import torch, mindl as md
    >>> image, known = md.images.disc(16, 16, 5), md.images.random_mask(16, 16, 0.5, seed=0)
    >>> md.minimise(elastica_inpainting(image, known)).outcome.value
    'stationary, not certified'
    """
    return ElasticaInpainting(data, mask, length, curvature, smoothing)
