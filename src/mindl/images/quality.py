"""How similar two images are."""

from __future__ import annotations

import torch

from mindl.core.arrays import Image, PerImage
from mindl.core.errors import InputError
from mindl.core.reduce import inner, total


def psnr(image: Image, reference: Image) -> PerImage:
    r"""Peak signal-to-noise ratio in dB, for values in [0, 1]:

    .. math:: -10 \log_{10} \operatorname{mean}\,(u - r)^2

    over all pixels and channels; nothing is clipped or rounded. Infinite for equal images.

    Raises:
        InputError: different shapes.

    >>> psnr(torch.full((1, 1, 2, 2), 0.1), torch.zeros(1, 1, 2, 2)).round(decimals=3)
    tensor([20.], dtype=torch.float64)
    """
    _same_shape("psnr", image, reference)
    difference = image.double() - reference.double()
    return -10 * torch.log10(inner(difference, difference) / image[0].numel())


def ssim(image: Image, reference: Image) -> PerImage:
    r"""Structural similarity, for values in [0, 1]: the mean over all windows and channels of

    .. math:: \frac{(2\mu_u\mu_r + c_1)(2\sigma_{ur} + c_2)}{(\mu_u^2 + \mu_r^2 + c_1)
              (\sigma_u^2 + \sigma_r^2 + c_2)}, \qquad c_1 = 0.01^2,\ c_2 = 0.03^2,

    with Gaussian windows of 11 x 11 pixels and standard deviation 1.5 that lie inside the image.

    Raises:
        InputError: different shapes, or a side below 11 pixels.

    Source: Wang, Bovik, Sheikh and Simoncelli, IEEE Trans. Image Process. 13 (2004).

    >>> ssim(torch.ones(1, 1, 11, 11), torch.ones(1, 1, 11, 11))
    tensor([1.], dtype=torch.float64)
    """
    _same_shape("ssim", image, reference)
    if min(image.shape[2:]) < 11:
        raise InputError(f"ssim needs at least 11 x 11 pixels, got {image.shape[2]} x {image.shape[3]}.")
    u, r = image.double(), reference.double()
    mean_u, mean_r = _window_mean(u), _window_mean(r)
    var_u = _window_mean(u * u) - mean_u * mean_u
    var_r = _window_mean(r * r) - mean_r * mean_r
    covariance = _window_mean(u * r) - mean_u * mean_r
    c1, c2 = 0.01**2, 0.03**2
    similarity = ((2 * mean_u * mean_r + c1) * (2 * covariance + c2)) / (
        (mean_u * mean_u + mean_r * mean_r + c1) * (var_u + var_r + c2)
    )
    return total(similarity) / similarity[0].numel()


def _window_mean(values: Image) -> torch.Tensor:
    """Weighted mean in every window that lies inside."""
    offsets = torch.arange(-5, 6, dtype=values.dtype)
    weights = torch.exp(-(offsets**2) / (2 * 1.5**2))
    weights = (weights / weights.sum()).to(values.device)
    rows = sum(weights[k] * values[..., k : values.shape[3] - 10 + k] for k in range(11))
    assert isinstance(rows, torch.Tensor)
    columns = sum(weights[k] * rows[..., k : rows.shape[2] - 10 + k, :] for k in range(11))
    assert isinstance(columns, torch.Tensor)
    return columns


def _same_shape(call: str, image: Image, reference: Image) -> None:
    if image.shape != reference.shape:
        raise InputError(
            f"{call} compares images of one shape, got {tuple(image.shape)} and {tuple(reference.shape)}."
        )
