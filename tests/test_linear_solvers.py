"""Relaxation, multigrid and preconditioners: rates that theory gives, guarantees, and other packages."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from conftest import random_image
from hypothesis import given
from hypothesis import strategies as st

import mindl as md
from mindl.calculus.stencil import Stencil, coarse_size, prolong, restrict
from mindl.core.errors import InputError
from mindl.models import LinearSystem
from mindl.solvers.multigrid import hierarchy

F64 = torch.float64
PRECONDITIONERS = [
    md.solvers.Jacobi(),
    md.solvers.GaussSeidel(),
    md.solvers.SOR(1.7),
    md.solvers.Multigrid(),
    md.solvers.Multigrid(visits=2, smoothing=1),
    md.solvers.Multigrid(full=True),
]


def model_problem(n: int) -> md.models.Variational:
    """The Laplacian on n x n pixels inside a known frame: eigenvalues 4 sin^2 + 4 sin^2 with h = 1 / (n + 1)."""
    mask = torch.ones(1, 1, n + 2, n + 2, dtype=torch.bool)
    mask[..., 1:-1, 1:-1] = False
    return md.models.harmonic_inpainting(torch.zeros(1, 1, n + 2, n + 2, dtype=F64), mask)


def free_units(model) -> torch.Tensor:
    """The unit images of the free pixels."""
    free = model.data_term.free[0, 0].flatten().nonzero().flatten()
    return torch.eye(model.image_shape[2] * model.image_shape[3], dtype=F64)[free].reshape(
        -1, 1, *model.image_shape[2:]
    )


def as_matrix(function, units: torch.Tensor) -> torch.Tensor:
    return torch.stack([(function(unit[None]) * units).sum(dim=(1, 2, 3)) for unit in units], dim=1)


def rate(solver, n: int) -> float:
    """The spectral radius of I - B A."""
    model = model_problem(n)
    view, units = model.view(LinearSystem), free_units(model)
    correct = solver.prepare(view, units[:1], symmetric=False)
    error = torch.eye(n * n, dtype=F64) - as_matrix(lambda unit: correct(view.apply(unit)), units)
    return torch.linalg.eigvals(error).abs().max().item()


def test_rates_on_the_model_problem_are_those_of_the_theory() -> None:
    """Young: Jacobi 1 - omega (1 - c), Gauss-Seidel c^2, the best SOR omega - 1, with c = cos(pi h)."""
    n = 6
    c = math.cos(math.pi / (n + 1))
    best = 2 / (1 + math.sin(math.pi / (n + 1)))
    assert rate(md.solvers.Jacobi(0.8), n) == pytest.approx(1 - 0.8 * (1 - c), abs=1e-9)
    assert rate(md.solvers.GaussSeidel(), n) == pytest.approx(c * c, abs=1e-9)
    assert rate(md.solvers.SOR(best), n) == pytest.approx(best - 1, abs=1e-4)  # a defective eigenvalue
    assert rate(md.solvers.Multigrid(), n) < 0.15


def test_gauss_seidel_is_sor_with_relaxation_1() -> None:
    model = md.models.whittaker_tikhonov(random_image(1, 3, 7, 6, dtype=F64), 3.0)
    stop = md.Stop(None, steps=3)
    one, other = (md.minimise(model, s, stop=stop).image for s in (md.solvers.GaussSeidel(), md.solvers.SOR(1.0)))
    assert torch.equal(one, other)


@pytest.mark.parametrize(
    "solver", [md.solvers.Jacobi(), md.solvers.GaussSeidel(), md.solvers.Multigrid()], ids=repr
)
def test_the_energy_of_the_error_falls_in_every_step(solver) -> None:
    f = random_image(1, 1, 9, 12, dtype=F64)
    for model in (
        md.models.whittaker_tikhonov(f, 50.0),
        md.models.harmonic_inpainting(f, md.images.random_mask(9, 12, 0.1, seed=1)),
        md.models.biharmonic_inpainting(f, md.images.random_mask(9, 12, 0.3, seed=1)),
    ):
        steps = [md.minimise(model, solver, stop=md.Stop(None, steps=k)).image for k in range(6)]
        energies = [model.energy(image).item() for image in steps]
        assert all(after < before for before, after in itertools.pairwise(energies))


def test_an_unstable_jacobi_is_refused_with_the_bound() -> None:
    model = md.models.harmonic_inpainting(random_image(1, 1, 8, 8), md.images.random_mask(8, 8, 0.05, seed=0))
    with pytest.raises(InputError, match=r"Jacobi\(damping=1.01\) is unstable .* the bound is 1\."):
        md.minimise(model, md.solvers.Jacobi(1.01))
    assert md.minimise(model, md.solvers.Jacobi(1.0)).outcome.certified  # the textbook's, without damping


def test_the_bound_of_jacobi_is_not_much_too_careful() -> None:
    """Gershgorin's bound against the true spectral radius, beyond which the iteration diverges."""
    f = random_image(1, 1, 14, 14, dtype=F64)
    model = md.models.biharmonic_inpainting(f, md.images.random_mask(14, 14, 0.05, seed=0))
    with pytest.raises(InputError, match=r"the bound is 0\.6"):
        md.minimise(model, md.solvers.Jacobi(0.7))
    view, units = model.view(LinearSystem), free_units(model)
    matrix = as_matrix(view.apply, units)
    rho = torch.linalg.eigvals(matrix / matrix.diagonal()[:, None]).abs().max().item()
    assert 2.6 < rho <= 2 / 0.6


@pytest.mark.parametrize("relaxation", [0, 2.0, -1, math.nan])
def test_sor_outside_its_interval_is_refused(relaxation) -> None:
    with pytest.raises(InputError, match="between 0 and 2"):
        md.solvers.SOR(relaxation)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: md.solvers.Multigrid(visits=0), "at least 1"),
        (lambda: md.solvers.Multigrid(smoothing=1.5), "whole numbers"),
        (lambda: md.solvers.LBFGS(1.5), "whole number"),
        (lambda: md.solvers.ConjugateGradient(2.5), "whole number"),
        (lambda: md.solvers.Multigrid(smoothing=0), "at least 1"),
        (lambda: md.solvers.Jacobi(0), "above 0"),
        (lambda: md.solvers.ADMM(0.0), "above 0"),
        (lambda: md.solvers.DualFISTA(1.5), r"in \(0, 1\]"),
        (lambda: md.solvers.LBFGS(0), "at least 1"),
        (lambda: md.solvers.Newton(1.0), "between 0 and 1"),
        (lambda: md.solvers.LaggedDiffusivity(0.0), "between 0 and 1"),
    ],
)
def test_hyperparameters_out_of_range_are_refused(make, message) -> None:
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize("preconditioner", PRECONDITIONERS, ids=repr)
@pytest.mark.parametrize("name", ["harmonic_inpainting", "biharmonic_inpainting", "whittaker_tikhonov"])
def test_preconditioners_are_symmetric_and_positive_definite(preconditioner, name) -> None:
    f = random_image(1, 1, 5, 6, dtype=F64)
    if name == "whittaker_tikhonov":
        model, units = md.models.whittaker_tikhonov(f, 7.0), torch.eye(30, dtype=F64).reshape(-1, 1, 5, 6)
    else:
        model = md.models.INPAINTING[name](f, md.images.random_mask(5, 6, 0.2, seed=3))
        units = free_units(model)
    correct = preconditioner.prepare(model.view(LinearSystem), f, symmetric=True)
    matrix = as_matrix(correct, units)
    assert torch.allclose(matrix, matrix.T, atol=1e-13)
    assert torch.linalg.eigvalsh(matrix).min() > 0


@given(st.integers(1, 9), st.integers(1, 9))
def test_restriction_is_the_adjoint_of_prolongation(height, width) -> None:
    coarse = random_image(1, 2, coarse_size(height), coarse_size(width), dtype=F64)
    fine = random_image(1, 2, height, width, dtype=F64, seed=1)
    up, down = prolong(coarse, height, width), restrict(fine)
    assert up.shape == fine.shape and down.shape == coarse.shape
    assert (up * fine).sum().item() == pytest.approx((coarse * down).sum().item())
    assert torch.allclose(prolong(torch.ones_like(coarse), height, width), torch.ones_like(fine))


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 2, 3]), st.integers(0, 9))
def test_stencils_and_galerkin_products_are_exact(height, width, order, seed) -> None:
    """The explicit coarse matrices against P^T A P with dense matrices."""
    f = random_image(1, 1, height, width, dtype=F64)
    model = md.models.Variational(
        md.models.KnownPixels(f, md.images.random_mask(height, width, 0.2, seed=seed)),
        md.calculus.Quadratic(),
        md.calculus.Polyharmonic(order),
    )
    view = model.view(LinearSystem)
    levels = hierarchy(md.solvers.Multigrid(), view, f)
    units = torch.eye(height * width, dtype=F64).reshape(-1, 1, height, width)
    matrix = view.apply(units).reshape(len(units), -1)
    assert torch.allclose(Stencil.of(view.apply, f, order)(units).reshape(len(units), -1), matrix, atol=1e-12)
    for fine, coarse in itertools.pairwise(levels):
        small = torch.eye(coarse.height * coarse.width, dtype=F64).reshape(-1, 1, coarse.height, coarse.width)
        p = fine.fixed_to_zero(prolong(small, fine.height, fine.width)).reshape(len(small), -1)
        matrix = p @ matrix @ p.T
        assert torch.allclose(coarse.matrix(small).reshape(len(small), -1), matrix, atol=1e-11)
    assert levels[-1].height == levels[-1].width == 1


def steps_to(model, tolerance: float = 1e-6) -> int:
    solver = md.solvers.ConjugateGradient(preconditioner=md.solvers.Multigrid())
    solution = md.minimise(model, solver, stop=md.Stop(tolerance, steps=100, every=1))
    assert solution.outcome.certified
    return int(solution.steps)


def test_multigrid_steps_do_not_depend_on_size_density_or_weight() -> None:
    """At most 9 preconditioned steps to 1e-6, where conjugate gradients alone need from 35 to 460."""
    f = md.images.photographs.coffee().mean(dim=1, keepdim=True).double()
    for n in (50, 131):
        for density in (0.001, 0.01, 0.05, 0.2):
            mask = md.images.random_mask(n, n, density, seed=7)
            assert steps_to(md.models.harmonic_inpainting(f[..., :n, :n], mask)) <= 9
        for weight in (1.0, 1e3, 1e6):
            assert steps_to(md.models.whittaker_tikhonov(f[..., :n, : n - 7], weight)) <= 11
    blocks = torch.ones(1, 1, 96, 128, dtype=torch.bool)
    blocks[..., 20:70, 30:90] = False
    assert steps_to(md.models.harmonic_inpainting(f[..., :96, :128], blocks)) <= 9


def test_the_work_of_a_cycle_is_proportional_to_the_number_of_pixels() -> None:
    for n in (32, 101, 256):
        model = md.models.whittaker_tikhonov(torch.zeros(1, 1, n, n), 1.0)
        levels = hierarchy(md.solvers.Multigrid(), model.view(LinearSystem), model.start())
        assert sum(level.height * level.width for level in levels) <= 1.4 * n * n


def test_harmonic_inpainting_agrees_with_algebraic_multigrid() -> None:
    pyamg = pytest.importorskip("pyamg")
    n = 40
    f = random_image(1, 1, n, n, dtype=F64)
    mask = md.images.random_mask(n, n, 0.05, seed=2)
    solution = md.minimise(md.models.harmonic_inpainting(f, mask), stop=md.Stop(1e-10))
    laplacian = -pyamg.gallery.poisson((n, n), format="lil")
    laplacian.setdiag(0)
    laplacian.setdiag(-np.asarray(laplacian.sum(axis=1)).ravel())  # reflecting: row sums 0
    known = mask.flatten().numpy()
    matrix = -laplacian.tocsr()
    right = -matrix[~known][:, known] @ f.flatten().numpy()[known]
    hierarchy_of_theirs = pyamg.ruge_stuben_solver(matrix[~known][:, ~known].tocsr())
    theirs = hierarchy_of_theirs.solve(right, tol=1e-12)
    assert np.abs(solution.image.flatten().numpy()[~known] - theirs).max() < 1e-8


def test_gauss_seidel_on_an_odd_torus_needs_more_than_two_colours() -> None:
    operator = md.calculus.Gradient(md.calculus.Periodic())
    f = random_image(1, 1, 5, 7, dtype=F64)
    model = md.models.Variational(md.models.HalfSquared(f), md.calculus.Quadratic(), operator, 20.0)
    sets = list(model.view(LinearSystem).colours(5, 7))
    assert len(sets) > 2 and torch.stack(sets).sum(dim=0).eq(1).all()
    solution = md.minimise(model, md.solvers.GaussSeidel(), stop=md.Stop(1e-10))
    units = torch.eye(35, dtype=F64).reshape(-1, 1, 5, 7)
    matrix = model.view(LinearSystem).apply(units).reshape(35, 35)
    assert torch.allclose(solution.image.flatten(), torch.linalg.solve(matrix, f.flatten()), atol=1e-9)
    with pytest.raises(InputError, match="wrap around"):
        md.minimise(model, md.solvers.Multigrid())
    assert md.minimise(model).outcome.certified


def test_a_matrix_that_may_not_be_taken_apart() -> None:
    class Products(LinearSystem):
        right_hand_side = random_image(1, 1, 4, 4, dtype=F64)

        def apply(self, direction, out=None, scratch=None):
            return 2 * direction if out is None else torch.mul(direction, 2, out=out)

        def energy(self, image):
            return (image * image - self.right_hand_side * image).sum(dim=(1, 2, 3))

        def gradient(self, image):
            return 2 * image - self.right_hand_side

    start = torch.zeros(1, 1, 4, 4, dtype=F64)
    solution = md.minimise(Products(), start=start)
    assert torch.allclose(solution.image, Products.right_hand_side / 2)
    with pytest.raises(InputError, match="does not say how far it looks"):
        md.minimise(Products(), md.solvers.Jacobi(), start=start)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_the_solver_is_chosen_and_the_reason_given(dtype) -> None:
    f = random_image(1, 1, 24, 24, dtype=dtype)
    mask = md.images.random_mask(24, 24, 0.1, seed=0)
    chosen = {
        "mild": md.minimise(md.models.whittaker_tikhonov(f, 0.7)),
        "stiff": md.minimise(md.models.whittaker_tikhonov(f, 70.0)),
        "inpainting": md.minimise(md.models.harmonic_inpainting(f, mask)),
        "convex": md.minimise(md.models.rof(f, 0.1)),
        "smooth": md.minimise(md.models.perona_malik(f, 0.95)),
    }
    assert chosen["mild"].solver == md.solvers.ConjugateGradient()
    assert chosen["stiff"].solver.preconditioner == md.solvers.Multigrid()
    assert chosen["inpainting"].solver.preconditioner == md.solvers.Multigrid()
    assert isinstance(chosen["convex"].solver, md.solvers.PrimalDual)
    assert isinstance(chosen["smooth"].solver, md.solvers.AcceleratedGradient)
    unbounded, _ = md.solvers.choose(md.models.elastica_inpainting(f, mask))
    assert isinstance(unbounded, md.solvers.LBFGS)
    assert all(solution.why and solution.outcome.certified for solution in chosen.values())
