"""Solutions that are known: closed forms, other packages, and published figures."""

from __future__ import annotations

import math

import numpy as np
import oracles
import pytest
import torch
from conftest import random_image
from hypothesis import given
from hypothesis import strategies as st

import mindl as md
from mindl.core.outcome import Outcome

PROBLEMS = md.gallery.problems()

# Constant steps converge linearly in the end; accelerated ones reach their rate and no more.
SOLVERS = {**md.solvers.SOLVERS, "primal-dual": md.solvers.PrimalDual(0.3, acceleration=0.0, relaxation=1.0)}
PAIRS = [
    pytest.param(solver, problem, id=f"{by}-{problem.name}")
    for problem in PROBLEMS
    for by, solver in SOLVERS.items()
    if problem.model.why_not(solver.accepts) is None
    # On total variation gradient descent is a subgradient method: tested for its honesty elsewhere.
    and not (isinstance(solver, md.solvers.GradientDescent) and problem.model.why_not(md.models.SmoothEnergy))
]


@pytest.mark.parametrize(("solver", "problem"), PAIRS)
def test_every_solver_finds_every_exact_solution(solver, problem) -> None:
    """Certified to 1e-8, and really as near as the certificate says."""
    solution = md.minimise(problem.model, solver, stop=md.Stop(1e-8, steps=6000, every=25))
    error = (solution.image - problem.solution).abs()
    assert solution.outcome is Outcome.CERTIFIED
    assert error.max().item() * 255 <= solution.certificate.maximum.item() + 1e-11
    assert error.square().mean().sqrt().item() * 255 <= solution.certificate.rms.item() + 1e-11
    assert error.max().item() <= 1e-4
    energy = problem.model.view(md.Energy).energy
    exact = problem.model.lift(problem.solution, near=solution.unknown)
    if solution.certificate.kind == "duality gap":
        assert energy(solution.unknown) - energy(exact) <= solution.certificate.bound + 1e-14


def test_every_exported_solver_and_model_is_enlisted() -> None:
    kinds = {type(solver) for solver in SOLVERS.values()}
    assert kinds == {type(solver) for solver in md.solvers.SOLVERS.values()}
    assert {type(param.values[0]) for param in PAIRS} == kinds
    enlisted = {problem.model.title for problem in PROBLEMS}
    assert enlisted == {*md.models.DENOISING, *md.models.INPAINTING}


@pytest.mark.parametrize("shape", [(1, 9, 8), (3, 7, 10), (1, 1, 6), (1, 6, 1)])
def test_tikhonov_equals_sparse_lu(shape) -> None:
    f = random_image(1, *shape, dtype=torch.float64)
    u = md.minimise(md.models.whittaker_tikhonov(f, 2.5), stop=md.Stop(1e-12)).image[0].numpy()
    assert np.abs(u - oracles.tikhonov(f[0].numpy(), 2.5)).max() < 1e-11


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]), st.floats(0.02, 1), st.integers(0, 50))
def test_harmonic_inpainting_equals_sparse_lu(height, width, channels, density, seed) -> None:
    f = random_image(1, channels, height, width, dtype=torch.float64, seed=seed)
    mask = md.images.random_mask(height, width, density, seed=seed)
    solution = md.minimise(md.models.harmonic_inpainting(f, mask), stop=md.Stop(1e-12))
    expected = oracles.harmonic(f[0].numpy(), mask[0].numpy())
    assert np.abs(solution.image[0].numpy() - expected).max() < 1e-9
    assert torch.equal(torch.where(mask, solution.image, 0), torch.where(mask, f, 0))


@pytest.mark.parametrize(
    ("make", "joint", "axes"),
    [
        (md.models.rof, True, (0, 1)),
        (md.models.rof, False, (0,)),
        (md.models.anisotropic_rof, True, (1,)),
        (md.models.anisotropic_rof, False, ()),
    ],
)
@pytest.mark.parametrize("shape", [(1, 7, 9), (3, 6, 5), (1, 1, 12), (3, 8, 1)])
def test_total_variation_equals_dual_fista(make, joint, axes, shape) -> None:
    f = random_image(1, *shape, dtype=torch.float64, seed=3)
    solver = md.solvers.PrimalDual(step_size=1.0, acceleration=0.0)
    solution = md.minimise(make(f, 0.12, joint=joint), solver, stop=md.Stop(1e-12, steps=20000, every=100))
    expected = oracles.total_variation(f[0].numpy(), 0.12, axes)
    assert np.abs(solution.image[0].numpy() - expected).max() < 1e-7


def test_rof_agrees_with_scikit_image() -> None:
    """scikit-image minimises |u - f|^2 / 2 + weight TV as well (isotropic, forward differences)."""
    from skimage.restoration import denoise_tv_chambolle

    f = random_image(1, 1, 24, 24, dtype=torch.float64, seed=1)
    model = md.models.rof(f, 0.1)
    ours = md.minimise(model, stop=md.Stop(1e-9, steps=20000)).require().image
    theirs = torch.from_numpy(denoise_tv_chambolle(f[0, 0].numpy(), weight=0.1, eps=1e-12, max_num_iter=20000))
    gap = md.certify(model, ours, effort=1000).bound
    assert model.energy(ours) - gap <= model.energy(theirs[None, None]) <= model.energy(ours) + gap
    assert (ours[0, 0] - theirs).abs().max() < 1e-4


def test_rof_disc_in_the_continuum() -> None:
    """A disc of radius R loses 2 w / R; forward differences are biased by about half a per cent."""
    size, radius, weight = 64, 12, 1.2
    disc = md.images.disc(size, size, radius).double()
    solution = md.minimise(md.models.rof(disc, weight), stop=md.Stop(1e-5, steps=20000)).require().image[0, 0]
    assert solution[32, 32].item() == pytest.approx(1 - 2 * weight / radius, rel=0.006)
    outside = weight * 2 * math.pi * radius / (size * size - math.pi * radius**2)
    assert solution[0, 0].item() == pytest.approx(outside, rel=0.03)


def test_rof_guarantees() -> None:
    """Mean, range, nonexpansiveness, homogeneity, transposition; and no invariance under a quarter turn."""
    f = random_image(1, 1, 12, 12, dtype=torch.float64)
    g = f + 0.1 * (random_image(1, 1, 12, 12, dtype=torch.float64, seed=1) - 0.5)

    def rof(data, weight=0.1):
        return md.minimise(md.models.rof(data, weight), stop=md.Stop(1e-12, steps=30000, every=50)).image

    u, v = rof(f), rof(g)
    assert u.mean().item() == pytest.approx(f.mean().item(), abs=1e-9)
    assert f.min() <= u.min() and u.max() <= f.max()
    assert (u - v).norm() <= (f - g).norm()
    assert torch.allclose(rof(3 * f, 0.3), 3 * u, atol=1e-5)
    assert torch.allclose(rof(f.transpose(2, 3)), u.transpose(2, 3), atol=1e-6)
    assert (rof(torch.rot90(f, 1, (2, 3))) - torch.rot90(u, 1, (2, 3))).abs().max() > 1e-3


def test_harmonic_inpainting_guarantees() -> None:
    f = random_image(2, 3, 17, 14)
    mask = md.images.random_mask(17, 14, 0.1, seed=1)
    solution = md.minimise(md.models.harmonic_inpainting(f, mask), stop=md.Stop(1e-6))
    known = torch.where(mask, f, torch.nan)
    for b in range(2):
        for c in range(3):
            values = known[b, c][~known[b, c].isnan()]
            assert values.min() - 1e-5 <= solution.image[b, c].min()
            assert solution.image[b, c].max() <= values.max() + 1e-5
    constant = md.minimise(md.models.harmonic_inpainting(torch.full((1, 1, 9, 9), 0.3), mask[..., :9, :9]))
    assert torch.equal(constant.image, torch.full((1, 1, 9, 9), 0.3))


def test_a_fully_known_mask_returns_the_data() -> None:
    f = random_image(1, 3, 5, 4)
    solution = md.minimise(md.models.harmonic_inpainting(f, torch.ones(1, 1, 5, 4, dtype=torch.bool)))
    assert torch.equal(solution.image, f) and solution.outcome is Outcome.CERTIFIED
    assert solution.certificate.maximum.item() == 0 and int(solution.steps) == 0


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("make", md.models.DENOISING.values())
def test_constant_images_are_their_own_solution(make, dtype, value) -> None:
    f = torch.full((1, 3, 6, 5), value, dtype=dtype)
    solution = md.minimise(make(f, 0.1), stop=md.Stop(md.solvers.stop.FINEST[dtype]))
    assert torch.equal(solution.image, f)
    assert solution.outcome is Outcome.CERTIFIED and int(solution.steps) == 0


@pytest.mark.parametrize("make", md.models.DENOISING.values())
def test_a_single_pixel_is_its_own_solution(make) -> None:
    f = torch.full((1, 3, 1, 1), 0.7)
    solution = md.minimise(make(f, 0.1))
    assert torch.equal(solution.image, f) and solution.outcome is Outcome.CERTIFIED


def test_float64_rof_gap_reaches_its_finest_tolerance() -> None:
    f = random_image(1, 1, 16, 16, dtype=torch.float64)
    solution = md.minimise(md.models.rof(f, 0.08), stop=md.Stop(1e-10, steps=20000))
    assert solution.require().certificate.rms.item() < 1e-2


def test_bsd68_sample(bsd68) -> None:
    """Three images of the table in every test run; the whole set is in the slow test."""
    _bsd(bsd68[:3], None)


@pytest.mark.slow
def test_bsd68(bsd68) -> None:
    """rof, weight 0.75 sigma, sigma 25: 27.48 dB in the mean, each image certified to 1e-4."""
    _bsd(bsd68, 27.48)


def _bsd(files, expected: float | None) -> None:
    qualities = []
    for index, file in enumerate(files):
        photo = md.images.read(file)
        noisy = md.images.GaussianNoise(25 / 255)(photo, seed=1000 + index)
        solution = md.minimise(md.models.rof(noisy, 0.75 * 25 / 255)).require()
        assert solution.certificate.bound <= 1e-4 * solution.certificate.scale
        qualities.append(md.images.psnr(solution.image, photo).item())
    if expected is not None:
        assert math.fsum(qualities) / len(qualities) == pytest.approx(expected, abs=0.03)
    assert min(qualities) > 22
