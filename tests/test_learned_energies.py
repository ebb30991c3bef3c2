"""Energies with a learned regulariser: exact potentials, proved moduli, certificates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from conftest import random_image
from hypothesis import given
from hypothesis import strategies as st
from scipy.fft import dct
from torch import Tensor

import mindl as md
from mindl.calculus import SplinePotential
from mindl.core.errors import InputError
from mindl.neural import RidgeRegulariser, Unrolled
from mindl.solvers import GradientDescent


def rand(*shape: int, seed: int = 0) -> Tensor:
    return random_image(*shape, seed=seed, dtype=torch.float64)


def wild(regulariser: RidgeRegulariser, seed: int, size: float = 0.5) -> RidgeRegulariser:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in regulariser.parameters():
            parameter += size * torch.randn(parameter.shape, generator=generator)
    return regulariser


@given(seed=st.integers(0, 999), intervals=st.integers(1, 6), groups=st.integers(1, 3))
def test_a_potential_is_the_integral_of_its_spline(seed: int, intervals: int, groups: int) -> None:
    """Against NumPy's interpolation of the spline, and its trapezoidal sums, which are exact on the knots."""
    slopes = rand(groups, intervals, seed=seed)
    psi = SplinePotential(slopes, 0.7)
    knots = torch.linspace(0, 0.7, intervals + 1, dtype=torch.float64)
    values = torch.cat([torch.zeros(groups, 1), slopes.cumsum(1) * 0.7 / intervals], dim=1)
    s = torch.linspace(0, 2, 113, dtype=torch.float64)
    field = s.reshape(1, 1, 1, 1, -1).expand(1, 1, groups, 1, -1)
    for g in range(groups):
        wanted = torch.from_numpy(np.interp(s.numpy(), knots.numpy(), values[g].numpy()))
        assert torch.allclose(psi.flux(field)[0, 0, g, 0], wanted, atol=1e-12)
        fine = torch.linspace(0, 0.7, 700 * intervals + 1, dtype=torch.float64).reshape(1, 1, 1, 1, -1)
        sigma = psi.flux(fine.expand(1, 1, groups, 1, -1))[0, 0, g, 0]
        area = torch.trapezoid(sigma, fine.flatten())
        last = psi(knots[-1].expand(1, 1, groups, 1, 1))[0, 0, g, 0, 0]
        assert float(last) == pytest.approx(float(area), rel=1e-9)
    moved = field.clone().requires_grad_()
    (slope,) = torch.autograd.grad(psi(moved).sum(), moved)
    assert torch.allclose(slope, psi.flux(field), atol=1e-12)
    assert torch.allclose(psi.diffusivity(field * field) * field, psi.flux(field), atol=1e-12)
    assert (psi.diffusivity(field * field) <= psi.largest_diffusivity + 1e-12).all()


@pytest.mark.parametrize("modulus", [1.0, 0.5, 0.1])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_modulus_is_one_of_the_hessian(modulus: float, seed: int) -> None:
    """Whatever is learned: against the eigenvalues of the dense Hessian at random images."""
    regulariser = wild(RidgeRegulariser(4, 3, intervals=5, modulus=modulus), seed)
    data = rand(1, 1, 6, 7, seed=seed)
    model = regulariser(data, 0.9).view(md.models.SmoothEnergy)
    assert model.modulus >= modulus - 1e-6
    for k in range(3):
        u = rand(1, 1, 6, 7, seed=10 + k)
        hessian = torch.autograd.functional.hessian(lambda x: model.energy(x).sum(), u).reshape(42, 42)
        values = torch.linalg.eigvalsh(hessian)
        assert float(values[0]) >= model.modulus - 1e-9
        assert float(values[-1]) <= float(model.lipschitz) + 1e-9


def test_a_nonconvex_potential_is_used_where_the_modulus_allows_it() -> None:
    regulariser = wild(RidgeRegulariser(4, 3, modulus=0.1), 0, 2.0)
    slopes = regulariser.potential.slopes.detach()
    assert float(slopes.min()) < -0.01
    assert (slopes.cumsum(dim=1) >= -1e-6).all()
    assert (wild(RidgeRegulariser(4, 3), 0, 2.0).potential.slopes >= 0).all()
    view = regulariser(rand(1, 1, 4, 4), 1.0).view(md.models.SmoothEnergy)
    assert 0.1 - 1e-6 <= view.modulus < 0.3  # used up, but for slopes that would have led below 0
    assert view.lipschitz <= 51


def test_filters_have_no_mean_and_norm_one() -> None:
    regulariser = wild(RidgeRegulariser(4, 3), 0, 2.0)
    with torch.no_grad():
        regulariser.kernel[2] = 0.7  # nothing but a mean: no filter
    kernel = regulariser.unit_kernel.detach()
    assert torch.allclose(kernel.mean(dim=(1, 2)), torch.zeros(4), atol=1e-7)
    assert torch.allclose(kernel.square().sum(dim=(1, 2)), torch.tensor([1.0, 1.0, 0.0, 1.0]), atol=1e-6)
    assert md.minimise(regulariser(rand(1, 1, 5, 4), 1.0)).outcome.certified


@pytest.mark.parametrize("modulus", [1.0, 0.3])
def test_answers_are_certified_and_the_distance_holds(modulus: float) -> None:
    regulariser = wild(RidgeRegulariser(6, 3, modulus=modulus), 3)
    model = regulariser(random_image(2, 3, 13, 11), 0.8)
    exact = md.minimise(regulariser(random_image(2, 3, 13, 11).double(), 0.8), stop=md.Stop(1e-10)).image
    for steps in (3, 30, 300):
        solution = md.minimise(model, GradientDescent(), stop=md.Stop(1e-6, steps=steps))
        assert solution.certificate.rigorous
        apart = 255 * (solution.image - exact).square().mean(dim=(1, 2, 3)).sqrt()
        assert (apart <= solution.certificate.rms * (1 + 1e-6)).all()
    assert solution.outcome.certified


def test_it_begins_as_hubers_penaliser_of_cosine_patterns() -> None:
    data, u = rand(1, 1, 8, 9), rand(1, 1, 8, 9, seed=1)
    regulariser = RidgeRegulariser(5, 3, intervals=10, reach=0.2, steepest=4.0).double()
    waves = dct(np.eye(3), norm="ortho", axis=0)
    bank = regulariser(data).operator._bank.detach().reshape(4, 5, 9).numpy()  # the fifth filter is random
    for k, orders in enumerate([(0, 1, 3, 4), (2, 5), (6, 7), (8,)]):  # 3 i + j
        patterns = np.stack([np.outer(waves[order // 3], waves[order % 3]).ravel() for order in orders if order])
        span = bank[:, k].T @ np.linalg.pinv(bank[:, k].T)  # the projection on a filter's mirror images
        assert np.allclose(patterns @ span, patterns, atol=1e-5)
        assert np.linalg.matrix_rank(bank[:, k], tol=1e-5) == len(patterns)
    model = regulariser(data, 0.5)
    with torch.no_grad():
        contrast = 0.02  # the first of ten intervals; Huber's psi is divided by it
        slope = 0.25 * 4 / model.operator.norm_squared(8, 9)
        smoothness = slope * contrast * md.calculus.Huber(contrast)(model.operator(u).abs()).sum()
        wanted = ((u - data).square() / 2).sum() + 0.5 * smoothness
        assert float(model.energy(u)) == pytest.approx(float(wanted), rel=1e-6)


def test_a_regulariser_learns_to_denoise() -> None:
    """Unrolled gradient descent on the learned energy, against the same with nothing learned."""
    leaves = torch.cat([md.images.dead_leaves(32, 32, seed=k) for k in range(4)])
    noisy = md.images.GaussianNoise(25 / 255)(leaves, seed=0)
    torch.manual_seed(0)
    regulariser = RidgeRegulariser(6, 3, intervals=8, modulus=0.5)
    solver = Unrolled(GradientDescent(), 8)
    optimiser = torch.optim.Adam(regulariser.parameters(), lr=0.02)
    errors = []
    for _ in range(30):
        optimiser.zero_grad()
        error = (solver(regulariser(noisy, 1.0)).image - leaves).square().mean()
        errors.append(float(error.detach()))
        error.backward()
        optimiser.step()
    assert errors[-1] < 0.8 * errors[0]
    assert regulariser(noisy, 1.0).view(md.models.SmoothEnergy).modulus >= 0.5 - 1e-6


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: SplinePotential(torch.zeros(1, 0), 1.0), "intervals"),
        (lambda: SplinePotential(torch.ones(1, 3), 0.0), "reach above 0"),
        (lambda: SplinePotential(torch.tensor([[1.0, -3.0]]), 1.0), "falls below 0"),
        (lambda: RidgeRegulariser(0), "needs a filter"),
        (lambda: RidgeRegulariser(4, 4), "odd size"),
        (lambda: RidgeRegulariser(modulus=0.05), "from 0.1 to 1"),
        (lambda: md.models.ridge_energy(rand(1, 1, 4, 4), torch.zeros(3, 2, 2), POTENTIAL), "an odd size"),
        (
            lambda: md.models.ridge_energy(
                rand(1, 1, 4, 4), torch.zeros(3, 3, 3), SplinePotential(torch.ones(2, 3), 1.0)
            ),
            "one for each",
        ),
    ],
)
def test_wrong_things_are_named(make: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        make()


POTENTIAL = SplinePotential(torch.ones(1, 3), 1.0)
