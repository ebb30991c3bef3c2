"""Noise that is added to images, and an estimate of how much there is."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mindl.core.arrays import Image, PerImage, check_image
from mindl.core.errors import InputError
from mindl.core.randomness import Seed, draw


@dataclass(frozen=True)
class GaussianNoise:
    r"""Additive white Gaussian noise, :math:`f = u + \sigma\, n`, n standard normal at every value.

    The result is neither clipped nor rounded; both would change the noise's law.

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

    def __call__(self, image: Image, *, seed: Seed) -> Image:
        """Add the noise; image ``b`` of a batch draws from ``seed + b``."""
        check_image(image, "GaussianNoise(image)")
        shape = image.shape[1:]
        noise = draw(seed, image.shape[0], lambda g: torch.randn(shape, generator=g, dtype=image.dtype))
        return image + noise.to(image.device) * self.sigma


def estimate_noise(image: Image) -> PerImage:
    r"""Standard deviation of white Gaussian noise, estimated from the finest diagonal Haar details.

    .. math:: d = (u_{00} - u_{01} - u_{10} + u_{11}) / 2, \qquad
              \hat\sigma = \operatorname{median} |d| \,/\, 0.6745

    where d of pure noise has its standard deviation, edges along the axes cancel, and the median ignores
    the few strong details. Fine texture is taken for noise, so the estimate is a little high; 0 for images of
    one row or column, where nothing can be told.

    Source: Donoho and Johnstone, Biometrika 81 (1994).

    >>> noisy = GaussianNoise(0.1)(torch.zeros(1, 1, 128, 128), seed=0)
    >>> estimate_noise(noisy).round(decimals=2)
    tensor([0.1000], dtype=torch.float64)
    """
    check_image(image, "estimate_noise(image)")
    height, width = image.shape[2] // 2 * 2, image.shape[3] // 2 * 2
    if height == 0 or width == 0:
        return torch.zeros(image.shape[0], dtype=torch.float64)
    even = image[..., :height, :width].double()
    columns = even[..., 0::2] - even[..., 1::2]
    details = (columns[..., 0::2, :] - columns[..., 1::2, :]) / 2
    return details.abs().flatten(1).median(dim=1).values / 0.6745
