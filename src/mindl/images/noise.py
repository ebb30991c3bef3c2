"""The noise of images, and an estimate of how much there is."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from mindl.core.arrays import Image, PerImage, check_image
from mindl.core.errors import InputError
from mindl.core.randomness import Seed, draw

LARGEST_COUNT = 1e15
"""Beyond this mean the law of torch's Poisson generator suffers from rounding, measured up to 1e18."""


class Noise(ABC):
    r"""A law by which a clean image u becomes a noisy one f, each image of a batch on its own.

    The result is neither clipped nor rounded, both would change the law; u is left as it was.
    """

    def __call__(self, image: Image, *, seed: Seed) -> Image:
        """Draw a noisy image; image ``b`` of a batch draws from ``seed + b``.

        Raises:
            InputError: no image of finite floats, or one for which the law is not defined.
        """
        self._check(check_image(image, f"{type(self).__name__}(image)"))
        images = iter(image)
        return draw(seed, image.shape[0], lambda generator: self._noisy(next(images), generator))

    def _check(self, image: Image) -> None:
        """Raise ``InputError`` where the law is not defined."""

    @abstractmethod
    def _noisy(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """A draw for one image (channel, height, width); the generator lives on the processor."""


@dataclass(frozen=True)
class GaussianNoise(Noise):
    r"""Additive white Gaussian noise, :math:`f = u + \sigma\, n`, n standard normal at every value.

    Args:
        sigma: standard deviation in the units of [0, 1]; 25/255 is the usual "sigma 25".

    Raises:
        InputError: sigma is negative, NaN or infinite.

    >>> clean = torch.zeros(1, 1, 64, 64)
    >>> GaussianNoise(25 / 255)(clean, seed=1).std().mul(255).round()
    tensor(25.)
    """

    sigma: float

    def __post_init__(self) -> None:
        if not 0 <= self.sigma < float("inf"):
            raise InputError(f"GaussianNoise(sigma={self.sigma}) must be at least 0 and finite.")

    def _noisy(self, image: Tensor, generator: torch.Generator) -> Tensor:
        return image + _normal(image, generator) * self.sigma


@dataclass(frozen=True)
class MultiplicativeNoise(Noise):
    r"""Noise in proportion to the grey value, :math:`f = u\,(1 + \sigma\, n)`, n standard normal at every value.

    Mean u, standard deviation :math:`\sigma |u|`; black stays black.

    Args:
        sigma: standard deviation relative to the grey value; 0.1 is 10 %.

    Raises:
        InputError: sigma is negative, NaN or infinite.

    Source: Rudin, Lions and Osher, in Geometric Level Set Methods (2003).

    >>> MultiplicativeNoise(0.1)(torch.full((1, 1, 64, 64), 0.5), seed=1).std().round(decimals=2)
    tensor(0.0500)
    """

    sigma: float

    def __post_init__(self) -> None:
        if not 0 <= self.sigma < float("inf"):
            raise InputError(f"MultiplicativeNoise(sigma={self.sigma}) must be at least 0 and finite.")

    def _noisy(self, image: Tensor, generator: torch.Generator) -> Tensor:
        return image * (1 + _normal(image, generator) * self.sigma)


@dataclass(frozen=True)
class PoissonNoise(Noise):
    r"""Photons are counted, :math:`f = \operatorname{Poisson}(\lambda u) / \lambda`, at every value on its own.

    Mean u, variance :math:`u / \lambda`. Counts are drawn in float64; they are no differentiable function of u.

    Args:
        peak: :math:`\lambda`, the mean count at the grey value 1; 10 is very dark, 1000 nearly clean.

    Raises:
        InputError: peak is not positive or not finite, a grey value is negative, or a mean count exceeds 1e15.

    Source: Le, Chartrand and Asaki, J. Math. Imaging Vis. 27 (2007).

    >>> PoissonNoise(100)(torch.full((1, 1, 64, 64), 0.25), seed=1).std().round(decimals=2)
    tensor(0.0500)
    """

    peak: float

    def __post_init__(self) -> None:
        if not 0 < self.peak < float("inf"):
            raise InputError(f"PoissonNoise(peak={self.peak}) must be above 0 and finite.")

    def _check(self, image: Image) -> None:
        lowest, highest = float(image.min()), float(image.max())
        if lowest < 0:
            raise InputError(
                f"PoissonNoise(image) needs grey values of at least 0, got {lowest:g}: counts are not negative."
            )
        if self.peak * highest > LARGEST_COUNT:
            raise InputError(
                f"PoissonNoise(peak={self.peak:g}) counts up to {self.peak * highest:g} in the mean; beyond "
                f"{LARGEST_COUNT:g} counts cannot be drawn, and there would be no noise to see."
            )

    def _noisy(self, image: Tensor, generator: torch.Generator) -> Tensor:
        counts = torch.poisson(image.detach().cpu().double() * self.peak, generator=generator)
        return (counts / self.peak).to(image)


@dataclass(frozen=True)
class SaltAndPepper(Noise):
    r"""Each pixel becomes black or white with probability q / 2 each, and stays as it is otherwise:

    .. math:: P(f = 0) = P(f = 1) = q / 2, \qquad P(f = u) = 1 - q.

    All channels of a pixel are hit together.

    Args:
        share: q, in [0, 1].

    Raises:
        InputError: a share outside [0, 1].

    Source: Chan, Ho and Nikolova, IEEE Trans. Image Process. 14 (2005).

    >>> noisy = SaltAndPepper(0.2)(torch.full((1, 1, 100, 100), 0.5), seed=1)
    >>> [round(float((noisy == grey).float().mean()), 1) for grey in (0, 0.5, 1)]
    [0.1, 0.8, 0.1]
    """

    share: float

    def __post_init__(self) -> None:
        _check_share(self.share, "SaltAndPepper")

    def _noisy(self, image: Tensor, generator: torch.Generator) -> Tensor:
        lot = _uniform(image[:1], generator)
        return torch.where(lot < self.share, (lot < self.share / 2).to(image), image)


@dataclass(frozen=True)
class UniformImpulse(Noise):
    r"""Each pixel is replaced with probability q by values uniform in [0, 1] (random-valued impulse noise).

    All channels of a pixel are hit together; each gets a value of its own.

    Args:
        share: q, in [0, 1].

    Raises:
        InputError: a share outside [0, 1].

    Source: Nikolova, J. Math. Imaging Vis. 20 (2004).

    >>> noisy = UniformImpulse(0.2)(torch.full((1, 3, 100, 100), 2.0), seed=1)
    >>> round(float((noisy <= 1).float().mean()), 1)
    0.2
    """

    share: float

    def __post_init__(self) -> None:
        _check_share(self.share, "UniformImpulse")

    def _noisy(self, image: Tensor, generator: torch.Generator) -> Tensor:
        hit = _uniform(image[:1], generator) < self.share
        return torch.where(hit, _uniform(image, generator).to(image.dtype), image)


def _check_share(share: float, name: str) -> None:
    if not 0 <= share <= 1:
        raise InputError(f"{name}(share={share}) must be at least 0 and at most 1.")


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, dtype=like.dtype).to(like.device)


def _uniform(like: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform in [0, 1), in float64: float32 images are hit at the same pixels."""
    return torch.rand(like.shape, generator=generator, dtype=torch.float64).to(like.device)


def estimate_noise(image: Image) -> PerImage:
    r"""Standard deviation of white Gaussian noise, estimated from differences of order 6 in both directions.

    .. math:: d = \partial_x^6 \partial_y^6 u \,/\, \tbinom{12}{6}, \qquad
              \hat\sigma = \operatorname{median} |d| \,/\, 0.6745

    where d of pure noise has its standard deviation, since the squared binomial coefficients sum up to 924;
    what is a polynomial of degree 5 along either axis is not seen at all, and the median ignores the few
    strong details. Fine texture is taken for noise, so the estimate is a little high: on BSD68 by 1.0, 0.5,
    0.3 and 0.1 grey levels in the mean at noise of 5, 15, 25 and 50, where the finest Haar details are 2.5,
    1.6, 1.2 and 0.7 too high. Images of fewer than seven rows or columns are judged by a lower order; 0 for
    those of one row or column, where nothing can be told.

    Source: the median of Donoho and Johnstone, Biometrika 81 (1994), there of the finest wavelet coefficients;
    differences of order 2: Immerkær, Comput. Vis. Image Underst. 64 (1996).

    >>> noisy = GaussianNoise(0.1)(torch.zeros(1, 1, 128, 128), seed=0)
    >>> estimate_noise(noisy).round(decimals=2)
    tensor([0.1000], dtype=torch.float64)
    """
    check_image(image, "estimate_noise(image)")
    order = min(6, image.shape[2] - 1, image.shape[3] - 1)
    if order < 1:
        return torch.zeros(image.shape[0], dtype=torch.float64)
    details = image.double().diff(n=order, dim=2).diff(n=order, dim=3) / math.comb(2 * order, order)
    return details.abs().flatten(1).median(dim=1).values / 0.6745
