"""Many filters at once, and filters in four mirror images: against SciPy, dense matrices and differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import random_image
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import correlate
from torch import Tensor
from torch.nn import functional

import mindl as md
from mindl.calculus import MirroredFilters, SplinePotential, filtering
from mindl.calculus.filtering import correlated, filtered, spread
from mindl.models import SmoothEnergy
from mindl.solvers.correction import hessian


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def dense(operator: MirroredFilters, height: int, width: int) -> Tensor:
    """K as a matrix: its columns are the images of single pixels."""
    pixels = torch.eye(height * width, dtype=torch.float64).reshape(-1, 1, height, width)
    return operator(pixels).flatten(1).T


# -- many filters ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("many", [2**18, 5])
def test_each_is_the_derivative_of_the_others(monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    """Of first and second order, against differences; and in bands of a single row."""
    monkeypatch.setattr(filtering, "MANY", many)
    wide, kernel, field = normal(2, 2, 6, 5), normal(3, 2, 3, 2, seed=1), normal(2, 3, 4, 4, seed=2)
    for function, inputs in ((filtered, (wide, kernel)), (spread, (field, kernel)), (correlated, (wide, field))):
        inputs = tuple(each.clone().requires_grad_() for each in inputs)
        assert torch.autograd.gradcheck(function, inputs)
        assert torch.autograd.gradgradcheck(function, inputs)


def test_they_are_the_convolutions_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    wide, kernel, field = normal(2, 3, 11, 9), normal(4, 3, 5, 3, seed=1), normal(2, 4, 7, 7, seed=2)
    assert torch.allclose(filtered(wide, kernel), functional.conv2d(wide, kernel))
    for many in (2**18, 30):
        monkeypatch.setattr(filtering, "MANY", many)
        assert torch.allclose(spread(field, kernel), functional.conv_transpose2d(field, kernel))
        by_torch = functional.conv2d(wide.transpose(0, 1), field.transpose(0, 1)).transpose(0, 1)
        assert torch.allclose(correlated(wide, field), by_torch)


# -- mirror images ---------------------------------------------------------------------------------------------


def test_filters_see_the_mirrored_image() -> None:
    kernel, image = normal(2, 5, 5), random_image(1, 1, 4, 7, dtype=torch.float64)
    found = MirroredFilters(kernel)(image)[0, 0].reshape(4, 2, 4, 7)
    for i in range(2):
        for m, axes in enumerate([(), (1,), (0,), (0, 1)]):
            seen = correlate(image[0, 0].numpy(), np.flip(kernel[i].numpy(), axes), mode="reflect")
            assert np.allclose(found[m, i].numpy(), seen)


@given(st.integers(0, 99), st.integers(1, 9), st.integers(1, 9), st.sampled_from([3, 5]))
def test_the_bound_holds_with_any_gains(seed: int, height: int, width: int, size: int) -> None:
    """Mirror images that have gains of their own share the largest."""
    operator = MirroredFilters(normal(2, size, size, seed=seed))
    matrix = dense(operator, height, width)
    gains = torch.tensor([0.0, 1.0 + seed]).repeat(4)
    gains[2 * (seed % 4)] = seed
    weighted = matrix.T @ (gains.repeat_interleave(height * width)[:, None] * matrix)
    assert float(torch.linalg.eigvalsh(matrix.T @ matrix)[-1]) <= operator.norm_squared(height, width) + 1e-9
    bound = operator.weighted_norm_squared(gains, height, width)
    assert float(torch.linalg.eigvalsh(weighted)[-1]) <= bound * (1 + 1e-9)


def test_the_bound_is_sharp() -> None:
    operator = MirroredFilters(normal(3, 3, 3))
    matrix = dense(operator, 24, 24)
    largest = float(torch.linalg.eigvalsh(matrix.T @ matrix)[-1])
    assert largest > 0.9 * operator.norm_squared(24, 24)


def test_an_energy_of_mirror_images_is_mirrored_with_its_data() -> None:
    kernel, data = normal(2, 3, 3), random_image(1, 1, 6, 7, dtype=torch.float64)
    u = random_image(1, 1, 6, 7, seed=1, dtype=torch.float64)
    psi = SplinePotential(normal(2, 4, seed=3).abs(), 0.5)
    energy = md.models.ridge_energy(data, kernel, psi).energy(u)
    for axes in ((2,), (3,), (2, 3)):
        mirrored = md.models.ridge_energy(data.flip(axes), kernel, psi)
        assert torch.allclose(mirrored.energy(u.flip(axes)), energy, rtol=1e-12)
    assert not torch.allclose(md.models.ridge_energy(data.mT, kernel, psi).energy(u.mT), energy)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_products_with_the_hessian_are_those_of_autograd(dtype: torch.dtype) -> None:
    kernel, data = normal(2, 3, 3), random_image(2, 2, 6, 7, dtype=torch.float64)
    psi = SplinePotential(normal(2, 4, seed=3).abs(), 0.5)
    weight = torch.tensor([0.5, 2.0], dtype=torch.float64).reshape(2, 1, 1, 1)
    view = md.models.ridge_energy(data.to(dtype), kernel.to(dtype), psi, weight).view(SmoothEnergy)
    u, d = (random_image(2, 2, 6, 7, seed=s, dtype=dtype) for s in (1, 2))
    product = view.hessian(u)
    assert product is not None
    _, wanted = torch.autograd.functional.jvp(view.gradient, u, d)
    near = 1e-4 if dtype == torch.float32 else 1e-12
    assert torch.allclose(product(d), wanted, rtol=0, atol=near)
    in_another_type = hessian(view, u)(d.double())  # as a system is solved more exactly than the image is known
    assert in_another_type.dtype == torch.float64
    assert torch.allclose(in_another_type, wanted.double(), rtol=0, atol=near)
    assert md.models.charbonnier(data, 0.1).view(SmoothEnergy).hessian(u.double()) is None
