from __future__ import annotations

import math

import pytest
import torch
from conftest import random_image
from hypothesis import given
from hypothesis import strategies as st

from mindl.calculus import (
    Channelwise,
    Directional,
    Gradient,
    Joint,
    Quadratic,
    Separate,
    TotalVariation,
    safe_sqrt,
)

COUPLINGS = [Joint(), Channelwise(), Directional(), Separate()]
PENALISERS = [Quadratic(), TotalVariation()]


@given(st.integers(1, 9), st.integers(1, 9))
def test_the_norm_of_the_gradient_is_exact(height: int, width: int) -> None:
    eye = torch.eye(height * width, dtype=torch.float64).reshape(-1, 1, height, width)
    matrix = Gradient()(eye).reshape(height * width, -1)
    largest = torch.linalg.matrix_norm(matrix, 2).item() ** 2
    bound = Gradient().norm_squared(height, width)
    assert largest <= bound < 8
    assert bound == pytest.approx(largest, abs=1e-9)


def test_divergence_has_no_leak() -> None:
    p = random_image(1, 1, 2, 6, 5, dtype=torch.float64)
    assert Gradient().adjoint(p).sum().item() == pytest.approx(0, abs=1e-13)


def test_gradient_is_first_order_at_its_pixel_and_second_between() -> None:
    """Order of consistency: du/dx at the left pixel (1) and half way to the right one (2)."""

    def errors(n: int) -> tuple[float, float]:
        h = 1 / n
        x = (torch.arange(n, dtype=torch.float64) + 0.5) * h
        difference = Gradient()(torch.sin(x).reshape(1, 1, 1, n))[0, 0, 0, 0, :-1] / h
        return (
            (difference - torch.cos(x[:-1])).abs().max().item(),
            (difference - torch.cos(x[:-1] + h / 2)).abs().max().item(),
        )

    coarse, fine = errors(64), errors(128)
    assert math.log2(coarse[0] / fine[0]) == pytest.approx(1, abs=0.05)
    assert math.log2(coarse[1] / fine[1]) == pytest.approx(2, abs=0.05)


def test_laplacian_is_second_order_inside() -> None:
    def error(n: int) -> float:
        h = 1 / n
        x = (torch.arange(n, dtype=torch.float64) + 0.5) * h
        laplacian = -Gradient().gram(torch.sin(3 * x).reshape(1, 1, 1, n))[0, 0, 0, 1:-1] / h**2
        return (laplacian + 9 * torch.sin(3 * x[1:-1])).abs().max().item()

    assert math.log2(error(64) / error(128)) == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("coupling", COUPLINGS, ids=repr)
def test_couplings_partition_the_field(coupling) -> None:
    q = random_image(2, 3, 2, 4, 5, dtype=torch.float64) - 0.5
    size = coupling.magnitude(q)
    assert torch.allclose((size * size).sum(), (q * q).sum())
    assert torch.allclose(coupling.magnitude(-2 * q), 2 * size)
    out, scratch = torch.empty_like(size), torch.empty_like(size)
    assert torch.equal(coupling.magnitude_(q, out, scratch), size)
    shapes = {"Joint": (1, 1), "Channelwise": (3, 1), "Directional": (1, 2), "Separate": (3, 2)}
    assert size.shape == (2, *shapes[type(coupling).__name__], 4, 5)


@pytest.mark.parametrize("coupling", COUPLINGS, ids=repr)
@pytest.mark.parametrize("penaliser", PENALISERS, ids=repr)
@given(weight=st.floats(1e-3, 10), step=st.floats(1e-3, 10), seed=st.integers(0, 99))
def test_dual_proximal_map_by_moreau(penaliser, coupling, weight, step, seed) -> None:
    """prox of F* at p = p - step * prox of F / step at p / step; the radial prox of psi is the primal side."""
    p = 4 * (random_image(1, 3, 2, 3, 4, dtype=torch.float64, seed=seed) - 0.5)
    found = penaliser.dual_proximal(p, step, weight, coupling)
    q = p / step
    size = coupling.magnitude(q)
    shrunk = penaliser.proximal(size, weight / step)
    primal = q * torch.where(size > 0, shrunk / torch.where(size > 0, size, 1), 0)
    assert torch.allclose(found, p - step * primal, atol=1e-10)
    size = coupling.magnitude(p)
    scratch = (torch.empty_like(size), torch.empty_like(size))
    in_place = p.clone()
    penaliser.dual_proximal(in_place, step, weight, coupling, out=in_place, scratch=scratch)
    assert torch.allclose(in_place, found, atol=1e-13)


@pytest.mark.parametrize("penaliser", PENALISERS, ids=repr)
@given(s=st.floats(0, 5), step=st.floats(0.01, 5))
def test_proximal_map_is_the_minimiser(penaliser, s: float, step: float) -> None:
    t = torch.linspace(0, 6, 60001, dtype=torch.float64)
    objective = penaliser(t) + (t - s) ** 2 / (2 * step)
    best = t[objective.argmin()].item()
    assert penaliser.proximal(torch.tensor(s, dtype=torch.float64), step).item() == pytest.approx(best, abs=2e-4)


@pytest.mark.parametrize("coupling", COUPLINGS, ids=repr)
@pytest.mark.parametrize("penaliser", PENALISERS, ids=repr)
def test_fenchel_young(penaliser, coupling) -> None:
    """Never negative; zero exactly when p is a subgradient of F at q."""
    weight = 0.7
    q = random_image(1, 3, 2, 4, 5, dtype=torch.float64) - 0.5
    p = penaliser.feasible(3 * random_image(1, 3, 2, 4, 5, dtype=torch.float64, seed=1), weight, coupling)
    assert (penaliser.fenchel_young(q, p, weight, coupling) >= -1e-15).all()
    assert penaliser.fenchel_young(q, p, weight, coupling).sum() > 0.1
    size = coupling.magnitude(q)
    slope = weight * q / size if isinstance(penaliser, TotalVariation) else weight * q
    assert penaliser.fenchel_young(q, slope, weight, coupling).abs().max() < 1e-15


def test_feasible_is_feasible_after_rounding() -> None:
    for dtype in (torch.float32, torch.float64):
        p = 100 * (random_image(1, 3, 2, 50, 50, dtype=dtype) - 0.5)
        for coupling in COUPLINGS:
            feasible = TotalVariation().feasible(p, 0.073, coupling).double()
            assert coupling.magnitude(feasible).max() <= 0.073


def test_diffusivity_is_the_derivative() -> None:
    s = torch.linspace(0.1, 3, 30, dtype=torch.float64)
    h = 1e-6
    difference = (Quadratic()(s + h) - Quadratic()(s - h)) / (2 * h)
    assert torch.allclose(Quadratic().flux(s), difference, atol=1e-8)


def test_safe_sqrt_differentiates_everywhere() -> None:
    x = torch.tensor([0.0, 4.0], requires_grad=True)
    safe_sqrt(x).sum().backward()
    assert x.grad.tolist() == [0, 0.25]
    assert safe_sqrt(x).tolist() == [0, 2]
