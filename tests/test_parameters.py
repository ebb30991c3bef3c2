"""Weights chosen by the noise: against exact traces, true errors, and the definitions."""

from __future__ import annotations

import math

import pytest
import torch
from conftest import random_image

import mindl as md
from mindl.core.errors import InputError
from mindl.parameters import by_discrepancy, by_rule, by_sure, sure

SIGMA = 0.1


def noisy_photograph(size: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    photo = md.images.photographs.coffee()[..., 100 : 100 + size, 150 : 150 + size].mean(dim=1, keepdim=True)
    return photo, md.images.GaussianNoise(SIGMA)(photo, seed=5)


def eigenvalues(size: int) -> torch.Tensor:
    one = 4 * torch.sin(math.pi * torch.arange(size, dtype=torch.float64) / (2 * size)) ** 2
    return one[:, None] + one[None, :]


def test_the_monte_carlo_divergence_estimates_the_exact_one() -> None:
    """For linear smoothing the divergence is the trace of (I + w L)^-1, known in the cosine basis."""
    _, noisy = noisy_photograph()
    noisy, weight = noisy.double(), 0.8
    smooth = md.minimise(md.models.whittaker_tikhonov(noisy, weight), stop=md.Stop(1e-10)).image
    trace = (1 / (1 + weight * eigenvalues(64))).sum().item()
    exact = (smooth - noisy).square().mean().item() - SIGMA**2 + 2 * SIGMA**2 * trace / noisy.numel()
    found = [
        sure(md.models.whittaker_tikhonov, noisy, weight, SIGMA, seed=s, stop=md.Stop(1e-10)) for s in range(8)
    ]
    # <b, M b> has the variance 2 |M|_F^2 - 2 sum M_ii^2 <= 2 |M|_F^2.
    spread = 2 * SIGMA**2 * math.sqrt(2 * (1 / (1 + weight * eigenvalues(64)) ** 2).sum().item()) / noisy.numel()
    assert all(abs(value - exact) < 4 * spread for value in found)
    assert abs(sum(found) / 8 - exact) < 4 * spread / math.sqrt(8)


@pytest.mark.parametrize("make", [md.models.rof, md.models.whittaker_tikhonov])
def test_sure_is_near_the_true_error_on_average(make) -> None:
    photo, _ = noisy_photograph()
    estimates, errors = [], []
    for seed in range(12):
        noisy = md.images.GaussianNoise(SIGMA)(photo, seed=100 + seed)
        solution = md.minimise(make(noisy, 0.1))
        estimates.append(sure(make, noisy, 0.1, SIGMA, solution=solution, seed=seed))
        errors.append((solution.image - photo).square().mean().item())
    differences = torch.tensor(estimates) - torch.tensor(errors)
    assert differences.mean().abs() < 4 * differences.std() / math.sqrt(12) + 2e-5


def test_the_weight_by_sure_is_nearly_the_best() -> None:
    photo, noisy = noisy_photograph(96)
    for make in (md.models.rof, md.models.whittaker_tikhonov):
        choice = by_sure(make, noisy, SIGMA)
        best = max(
            md.images.psnr(md.minimise(make(noisy, choice.weight * factor)).image, photo).item()
            for factor in (0.5, 0.7, 0.85, 1.0, 1.2, 1.4, 2.0)
        )
        assert md.images.psnr(choice.solution.image, photo).item() > best - 0.1
        assert "SURE" in choice.why and "(given)" in choice.why
        assert torch.equal(choice.solution.image, md.minimise(make(noisy, choice.weight)).image)


@pytest.mark.parametrize("share", [1.0, 0.7])
def test_the_discrepancy_is_met(share) -> None:
    _, noisy = noisy_photograph()
    for make in (md.models.rof, md.models.charbonnier, md.models.whittaker_tikhonov):
        choice = by_discrepancy(make, noisy, SIGMA, share=share)
        distance = (choice.solution.image - noisy).square().mean().sqrt().item()
        assert distance == pytest.approx(SIGMA * math.sqrt(share), rel=0.02)
        assert choice.solution.model.weight == choice.weight


def test_the_discrepancy_of_linear_smoothing_is_a_known_function() -> None:
    """|u_w - f|^2 = sum (w lambda / (1 + w lambda))^2 |f^|^2, by an orthonormal cosine transform."""
    from scipy.fft import dctn

    _, noisy = noisy_photograph()
    choice = by_discrepancy(md.models.whittaker_tikhonov, noisy.double(), SIGMA, stop=md.Stop(1e-8))
    waves = torch.from_numpy(dctn(noisy[0, 0].double().numpy(), norm="ortho")) ** 2
    lifted = choice.weight * eigenvalues(64)
    assert ((lifted / (1 + lifted)) ** 2 * waves).mean().sqrt().item() == pytest.approx(SIGMA, rel=0.01)


def test_the_noise_is_estimated_where_it_is_not_given() -> None:
    _, noisy = noisy_photograph(96)
    level = float(md.images.estimate_noise(noisy))
    choice = by_rule("rof", noisy)
    assert choice.weight == md.models.denoising.weight_for_noise("rof", level, 1)
    assert "(estimated)" in choice.why and choice.solution is None
    assert "(estimated)" in by_discrepancy(md.models.rof, noisy).why


def test_what_cannot_be_chosen_says_why() -> None:
    flat, f = torch.full((1, 1, 8, 8), 0.5), random_image(1, 1, 8, 8)
    with pytest.raises(InputError, match="no weight removes so much"):
        by_discrepancy(md.models.whittaker_tikhonov, f, 2.0)
    with pytest.raises(InputError, match="it is estimated as 0"):
        by_rule("rof", flat)
    for noise in (0.0, -1.0, math.nan):
        with pytest.raises(InputError, match="must be above 0"):
            by_sure(md.models.rof, f, noise)
    with pytest.raises(InputError, match="share"):
        by_discrepancy(md.models.rof, f, 0.1, share=0.0)
    with pytest.raises(InputError, match="start"):
        by_sure(md.models.rof, f, 0.1, start=-1.0)
    with pytest.raises(md.errors.UnknownNameError, match="denoising model"):
        by_rule("rov", f)
