"""What the convex models promise, what they do not, and what other programs say."""

from __future__ import annotations

import itertools
import math

import numpy as np
import oracles
import pytest
import torch
from conftest import random_image
from hypothesis import given
from hypothesis import strategies as st

import mindl as md
from mindl.core.errors import InputError, MaskError
from mindl.models import Absolute, HalfSquared, KnownPixels, LinearSystem, SmoothEnergy, Variational
from mindl.models.tgv import GradientAndSlope
from mindl.solvers.correction import hessian

F64 = torch.float64
GREY = 255
EXACT = md.Stop(1e-10, steps=20000, every=20)
NEAR = md.Stop(1e-6, steps=20000, every=20)


def rough(shape=(1, 1, 10, 11), seed: int = 0) -> torch.Tensor:
    return random_image(*shape, dtype=F64, seed=seed)


def solve(model, stop=EXACT) -> torch.Tensor:
    return md.minimise(model, stop=stop).require().image


# -- smooth convex models, and one that is not convex ---------------------------------------------------------

STRONGLY_CONVEX = {
    "charbonnier": lambda f: md.models.charbonnier(f, 2.0, 0.1),
    "huber_rof": lambda f: md.models.huber_rof(f, 0.1, 0.05),
    "perona_malik": lambda f: md.models.perona_malik(f, 0.8, 0.05),
    "fourth_order_smoothing": lambda f: md.models.fourth_order_smoothing(f, 0.7),
}


@pytest.mark.parametrize("name", STRONGLY_CONVEX)
@pytest.mark.parametrize("size", [1e-6, 1e-2, 1.0])
def test_the_distance_that_a_gradient_proves_holds(name, size) -> None:
    """|u - u*| <= |grad E(u)| / mu for any u, near and far."""
    model = STRONGLY_CONVEX[name](rough((2, 3, 8, 9)))
    truth = solve(model, md.Stop(1e-12, steps=20000))
    other = truth + size * (rough((2, 3, 8, 9), seed=1) - 0.5)
    for certificate in (md.models.verify(model.view(SmoothEnergy), other), md.certify(model, other)):
        distance = GREY * (other - truth).square().flatten(1).mean(dim=1).sqrt()
        assert (distance <= certificate.rms + 1e-9).all() and torch.isfinite(certificate.rms).all()
        assert certificate.rigorous


def test_perona_malik_is_strongly_convex_below_weight_1_only() -> None:
    """Modulus 1 - w: no pair of gradients comes nearer; from w = 1 on nothing is proved and nothing is claimed."""
    f = rough()
    view = md.models.perona_malik(f, 0.8, 0.02).view(SmoothEnergy)
    assert 0.2 <= view.modulus < 0.25
    rng = [rough(seed=k) for k in range(1, 40)]
    slopes = []
    for u, v in itertools.pairwise(rng):
        v = u + 0.05 * (v - 0.5)
        change = ((view.gradient(u) - view.gradient(v)) * (u - v)).sum() / (u - v).square().sum()
        slopes.append(change.item())
    assert min(slopes) >= view.modulus
    wild = md.minimise(md.models.perona_malik(f, 3.0, 0.02), stop=md.Stop(1e-6))
    assert not wild.outcome.certified and wild.certificate.rms.isinf().all()


@pytest.mark.parametrize("by", ["lagged-diffusivity", "newton", "l-bfgs", "gradient-descent"])
@pytest.mark.parametrize("name", ["charbonnier", "huber_rof", "perona_malik"])
def test_energies_fall_in_every_step(by, name) -> None:
    model = STRONGLY_CONVEX[name](rough((1, 3, 9, 8)))
    solver = md.solvers.SOLVERS[by]
    energies = [
        model.energy(md.minimise(model, solver, stop=md.Stop(None, steps=k)).image).item() for k in range(8)
    ]
    assert all(after <= before + 1e-12 for before, after in itertools.pairwise(energies))
    assert energies[-1] < energies[0]


@pytest.mark.parametrize("name", STRONGLY_CONVEX)
def test_the_mean_is_kept(name) -> None:
    f = rough((1, 3, 7, 9))
    assert torch.allclose(solve(STRONGLY_CONVEX[name](f)).mean(dim=(2, 3)), f.mean(dim=(2, 3)), atol=1e-8)


def test_range_and_nonexpansiveness_hold_where_they_are_claimed() -> None:
    """Second-order convex models keep the range and bring images nearer; the fourth-order one overshoots."""
    f, g = rough(), rough(seed=1)
    for make in (lambda f: md.models.charbonnier(f, 2.0, 0.1), lambda f: md.models.huber_rof(f, 0.1, 0.05)):
        u, v = solve(make(f)), solve(make(g))
        assert f.min() <= u.min() and u.max() <= f.max()
        assert (u - v).norm() <= (f - g).norm()
    step = md.images.step(1, 12).double()
    assert solve(md.models.fourth_order_smoothing(step, 5.0)).max() > 1.02


def test_huber_lies_between_total_variation_and_tikhonov() -> None:
    f, w = rough(), 0.1
    assert (solve(md.models.huber_rof(f, w, 1e-6), NEAR) - solve(md.models.rof(f, w), NEAR)).abs().max() < 1e-3
    linear = solve(md.models.whittaker_tikhonov(f, w / 50))
    assert (solve(md.models.huber_rof(f, w, 50.0), md.Stop(1e-12)) - linear).abs().max() < 1e-7
    assert (
        solve(md.models.charbonnier(f, w, 1e3), md.Stop(1e-12)) - solve(md.models.whittaker_tikhonov(f, w))
    ).abs().max() < 1e-6


def test_lipschitz_constants_are_those_of_the_sheet() -> None:
    f = rough((1, 1, 40, 40))
    assert md.models.huber_rof(f, 0.3, 0.02).view(SmoothEnergy).lipschitz == pytest.approx(
        1 + 8 * 0.3 / 0.02, rel=0.01
    )
    assert md.models.charbonnier(f, 3.0).view(SmoothEnergy).lipschitz == pytest.approx(25, rel=0.01)


# -- symmetries -----------------------------------------------------------------------------------------------


def test_rotation_averaged_rof_turns_with_the_image_and_rof_does_not() -> None:
    f = rough((1, 3, 9, 9))
    turned = torch.rot90(f, 1, (2, 3))

    def defect(make) -> float:
        u, v = solve(make(f, 0.1), NEAR), solve(make(turned, 0.1), NEAR)
        return (torch.rot90(u, 1, (2, 3)) - v).abs().max().item()

    assert defect(md.models.rotation_averaged_rof) < 1e-4
    assert defect(md.models.rof) > 0.02
    assert defect(md.models.charbonnier) > 1e-3


@pytest.mark.parametrize(
    "make", [md.models.rof, md.models.huber_rof, md.models.tgv, md.models.rotation_averaged_rof]
)
def test_channels_are_coupled_or_not(make) -> None:
    f = rough((1, 3, 5, 6))
    stop = md.Stop(1e-3, steps=20000, every=20)
    apart = md.minimise(make(f, 0.1, joint=False), stop=stop).image
    single = [md.minimise(make(f[:, c : c + 1], 0.1), stop=stop).image for c in range(3)]
    assert (apart - torch.cat(single, dim=1)).abs().max() < 2e-2
    joint = md.minimise(make(f, 0.1), stop=stop).image
    assert (joint - apart).abs().max() > 5e-2


# -- convex without strong convexity --------------------------------------------------------------------------


def linear_programme(term, data: np.ndarray, known: np.ndarray | None, weight: float) -> float:
    """The least energy with anisotropic total variation, by SciPy's solver for linear programmes."""
    from scipy.optimize import linprog
    from scipy.sparse import bmat, eye

    d = oracles.difference_matrix(*data.shape)
    n, m = data.size, d.shape[0]
    if term is Absolute:  # unknowns u, t >= |u - f|, s >= |D u|
        cost = np.concatenate([np.zeros(n), np.ones(n), weight * np.ones(m)])
        a = bmat([[eye(n), -eye(n), None], [-eye(n), -eye(n), None], [d, None, -eye(m)], [-d, None, -eye(m)]])
        b = np.concatenate([data.ravel(), -data.ravel(), np.zeros(2 * m)])
        bounds = [(None, None)] * n + [(0, None)] * (n + m)
    else:
        cost = np.concatenate([np.zeros(n), weight * np.ones(m)])
        a, b = bmat([[d, -eye(m)], [-d, -eye(m)]]), np.zeros(2 * m)
        fixed = [(v, v) if k else (None, None) for v, k in zip(data.ravel(), known.ravel(), strict=True)]
        bounds = fixed + [(0, None)] * m
    return float(linprog(cost, A_ub=a, b_ub=b, bounds=bounds, method="highs").fun)


@pytest.mark.parametrize("kind", [Absolute, KnownPixels])
@pytest.mark.parametrize("seed", range(3))
def test_the_box_gap_bounds_the_excess_and_closes(kind, seed) -> None:
    """Against the least energy by a linear programme: for any image and any dual field, and in the end tightly."""
    f = rough((1, 1, 6, 7), seed=seed)
    mask = md.images.random_mask(6, 7, 0.3, seed=seed)
    term = Absolute(f) if kind is Absolute else KnownPixels(f, mask)
    model = Variational(term, md.calculus.TotalVariation(), md.calculus.Gradient(), 0.6, md.calculus.Separate())
    least = linear_programme(kind, f[0, 0].numpy(), mask[0, 0].numpy(), 0.6)
    solution = md.minimise(model, stop=md.Stop(1e-6, steps=20000, every=100)).require()
    assert model.energy(solution.image).item() - least <= solution.certificate.bound.item()
    assert model.energy(solution.image).item() == pytest.approx(least, rel=1e-6)
    assert solution.certificate.rms.isinf().all()  # no distance: minimisers may be many
    for k in range(5):
        u = model.project(2 * rough((1, 1, 6, 7), seed=10 + k) - 0.5)  # also out of the box
        p = 3 * (rough((1, 1, 2, 6, 7), seed=20 + k) - 0.5)
        for certificate in (md.certify(model, u), md.certify(model, u, dual=p, effort=0)):
            assert model.energy(u).item() - least <= certificate.bound.item() < math.inf


def test_tv_l1_does_not_see_contrast() -> None:
    """The energy of a f + b is a times that of f: so are the minimisers. Small things vanish, large ones stay."""
    disc = md.images.disc(40, 40, 8).double()
    stays, goes = (solve(md.models.tv_l1(0.3 * disc + 0.2, w), md.Stop(1e-5, steps=20000)) for w in (2.0, 7.0))
    assert stays[0, 0, 20, 20].item() == pytest.approx(0.5, abs=1e-3)
    assert goes[0, 0, 20, 20].item() == pytest.approx(0.2, abs=1e-3)


def test_tv_l1_removes_salt_and_pepper_that_rof_cannot() -> None:
    photo = md.images.photographs.coffee()[..., 100:180, 150:230].mean(dim=1, keepdim=True)
    hit = torch.rand(photo.shape, generator=torch.Generator().manual_seed(0))
    spoilt = torch.where(hit < 0.05, 0.0, torch.where(hit > 0.95, 1.0, photo))
    by_l1 = md.images.psnr(md.minimise(md.models.tv_l1(spoilt, 0.8), stop=md.Stop(1e-3)).image, photo)
    by_l2 = max(md.images.psnr(md.minimise(md.models.rof(spoilt, w)).image, photo) for w in (0.1, 0.2, 0.3, 0.4))
    assert by_l1 > by_l2 + 3


def test_tv_inpainting_continues_an_edge_where_harmonic_inpainting_blurs_it() -> None:
    f = torch.zeros(1, 1, 16, 16, dtype=F64)
    f[..., 8:] = 1
    mask = torch.ones(1, 1, 16, 16, dtype=torch.bool)
    mask[..., 6:10, 4:12] = False
    assert (solve(md.models.tv_inpainting(f, mask), md.Stop(1e-6, steps=20000)) - f).abs().max() < 1e-2
    assert (solve(md.models.harmonic_inpainting(f, mask)) - f).abs().max() > 0.3


# -- total generalised variation ------------------------------------------------------------------------------


def test_the_operator_of_tgv() -> None:
    """Adjoint and norm; 0 for an affine image with its own slopes; second order between the slopes."""
    md.testing.check_operator(GradientAndSlope(), channels=3)
    for height, width in ((1, 1), (1, 5), (4, 5)):
        eye = torch.eye(3 * height * width, dtype=F64).reshape(-1, 3, height, width)
        largest = torch.linalg.matrix_norm(GradientAndSlope()(eye).reshape(len(eye), -1), 2).item() ** 2
        assert largest <= GradientAndSlope().norm_squared(height, width) < 11.38
    y, x = torch.meshgrid(torch.arange(5, dtype=F64), torch.arange(6, dtype=F64), indexing="ij")
    affine = torch.stack([2 * x - 3 * y, torch.full_like(x, 2), torch.full_like(x, -3)])[None]
    assert (GradientAndSlope()(affine) == 0).all()

    def error(n: int) -> float:
        at = (torch.arange(n, dtype=F64) + 0.5) / n
        phase = 2 * at[None, :] + at[:, None]
        slope = torch.stack([torch.zeros_like(phase), torch.sin(phase), torch.cos(phase)])[None]
        strain = GradientAndSlope()(slope)[0, 0, :, 4:-4, 4:-4] * n
        p, h = phase[4:-4, 4:-4], 1 / n
        found = strain[2], strain[3], strain[4]
        mixed = (torch.cos(p + h / 2) - 2 * torch.sin(p + h)) * 0.5**0.5  # w_x in y, w_y in x, between the pixels
        expected = 2 * torch.cos(p - h), -torch.sin(p - h / 2), mixed
        return max((f - e).abs().max().item() for f, e in zip(found, expected, strict=True))

    assert math.log2(error(64) / error(128)) == pytest.approx(2, abs=0.1)


def test_any_dual_field_of_tgv_becomes_feasible() -> None:
    """|p| <= a1, |q| <= a0, p = E^T q on every image, whichever of the bounds was broken."""
    operator = GradientAndSlope()
    for ratio in (0.05, 2.0, 50.0):
        model = md.models.tgv(rough((2, 3, 6, 7)), torch.tensor([0.1, 3.0], dtype=F64).reshape(2, 1, 1, 1), ratio)
        wild = 5 * (rough((2, 3, 5, 6, 7), seed=1) - 0.5)
        made = model.feasible(wild)
        p, q = (model.coupling.magnitude(part).amax(dim=(1, 2, 3, 4)) for part in (made[:, :, :2], made[:, :, 2:]))
        assert (p <= torch.tensor([0.1, 3.0])).all() and (q <= ratio * torch.tensor([0.1, 3.0])).all()
        assert (torch.maximum(p, q / ratio) > torch.tensor([0.0999, 2.4])).any()  # and no smaller than it must be
        slopes = operator.adjoint(made)[:, 3:]
        assert slopes.abs().max() < 1e-14


def test_the_work_of_nested_solvers_is_counted() -> None:
    """Each step costs a gradient and at least one product; a better solved system costs more."""
    model = md.models.charbonnier(rough((1, 1, 12, 12)), 5.0, 0.05)
    stop = md.Stop(None, steps=3)
    for kind in (md.solvers.Newton, md.solvers.LaggedDiffusivity):
        loose, tight = (md.minimise(model, kind(inexactness), stop=stop).work for inexactness in (0.5, 1e-6))
        assert 6 <= loose < tight
    assert md.minimise(model, md.solvers.Newton(), stop=md.Stop(None, steps=0)).work == 0


def test_hessian_products_are_derivatives_of_the_gradient() -> None:
    f = rough((1, 3, 6, 6))
    mask = md.images.random_mask(6, 6, 0.3, seed=1)
    for term in (HalfSquared(f), KnownPixels(f, mask)):
        model = Variational(term, md.calculus.Charbonnier(0.1), md.calculus.Gradient(), 0.5)
        view = model.view(SmoothEnergy)
        u, d = model.project(rough((1, 3, 6, 6), seed=2)), rough((1, 3, 6, 6), seed=3) - 0.5
        d = d if term.free is None else torch.where(term.free, d, 0)
        difference = (view.gradient(u + 1e-6 * d) - view.gradient(u - 1e-6 * d)) / 2e-6
        assert torch.allclose(hessian(view, u)(d), difference, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_tgv_on_a_line_agrees_with_quadratic_programming(seed) -> None:
    """The dual problem max |f|^2/2 - |f - D^T E^T q|^2/2, |q| <= a0, |E^T q| <= a1, by SciPy's SLSQP."""
    from scipy.optimize import LinearConstraint, minimize

    n, weight, ratio = 9, 0.12, 1.5
    f = rough((1, 1, 1, n), seed=seed)
    d = np.diff(np.eye(n), axis=0)
    e = np.diff(np.eye(n - 1), axis=0)
    k = d.T @ e.T
    g = f.numpy().ravel()
    limits = [
        LinearConstraint(e.T, -weight, weight),
        LinearConstraint(np.eye(n - 2), -ratio * weight, ratio * weight),
    ]
    dual = minimize(
        lambda q: 0.5 * np.square(g - k @ q).sum(),
        np.zeros(n - 2),
        jac=lambda q: -k.T @ (g - k @ q),
        constraints=limits,
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 1000},
    )
    solution = md.minimise(md.models.tgv(f, weight, ratio), stop=md.Stop(1e-7, steps=50000, every=100)).require()
    found = solution.image.numpy().ravel()
    assert np.abs(found - (g - k @ dual.x)).max() < 2e-4
    rms = GREY * np.sqrt(np.square(found - (g - k @ dual.x)).mean())
    assert rms <= solution.certificate.rms.item() + 1e-3


def test_tgv_bounds() -> None:
    """At most a1 times the total variation; the distance that a scaled witness proves holds; the mean is kept."""
    f = rough((2, 3, 8, 9))
    model = md.models.tgv(f, 0.1)
    truth = md.minimise(model, stop=md.Stop(1e-5, steps=60000, every=100))
    assert (model.energy(f) <= md.models.rof(f, 0.1).energy(f) + 1e-12).all()  # slopes of 0
    least = model.energy(truth.unknown)
    assert (least <= md.models.rof(f, 0.1).energy(truth.image) + 1e-9).all()
    assert torch.allclose(truth.image.mean(dim=(2, 3)), f.mean(dim=(2, 3)), atol=1e-4)
    for size in (0.003, 0.1):
        other = truth.image + size * (rough((2, 3, 8, 9), seed=1) - 0.5)
        for certificate in (md.certify(model, other), md.certify(model, other, effort=0)):
            distance = GREY * (other - truth.image).square().flatten(1).mean(dim=1).sqrt()
            assert (distance <= certificate.rms + truth.certificate.rms).all()
            assert (certificate.bound >= 0).all() and torch.isfinite(certificate.bound).all()


def test_tgv_certifies_a_solution_again_and_goes_on_from_it() -> None:
    model = md.models.tgv(rough((1, 1, 12, 12)), 0.1)
    solution = md.minimise(model, stop=md.Stop(1e-3))
    assert solution.image.shape == (1, 1, 12, 12) and solution.unknown.shape == (1, 3, 12, 12)
    assert md.certify(model, solution, effort=0).bound == pytest.approx(solution.certificate.bound, rel=1e-9)
    again = md.minimise(model, start=md.Candidate(solution.unknown, solution.dual), stop=md.Stop(1e-3))
    assert int(again.steps) == 0
    from_image = md.minimise(model, start=solution.image, stop=md.Stop(1e-3))
    assert from_image.outcome.certified
    with pytest.raises(InputError, match="data's shape"):
        md.minimise(model, start=torch.zeros(1, 2, 12, 12, dtype=F64))


@pytest.mark.parametrize(("weight", "ratio"), [(0.0, 2.0), (-1.0, 2.0), (0.1, 0.0), (0.1, -2.0), (0.1, math.nan)])
def test_weights_of_tgv_are_positive(weight, ratio) -> None:
    with pytest.raises(InputError, match="tgv"):
        md.models.tgv(rough(), weight, ratio)


# -- inpainting of higher order -------------------------------------------------------------------------------


def polyharmonic_oracle(f: np.ndarray, known: np.ndarray, order: int) -> np.ndarray:
    from scipy.sparse import csc_matrix
    from scipy.sparse.linalg import spsolve

    d = oracles.difference_matrix(*f.shape)
    laplacian = csc_matrix(d.T @ d)
    matrix = laplacian
    for _ in range(order - 1):
        matrix = matrix @ laplacian
    known = known.ravel()
    u = np.where(known, f.ravel(), 0)
    u[~known] = spsolve(matrix[~known][:, ~known], -matrix[~known][:, known] @ u[known])
    return u.reshape(f.shape)


@pytest.mark.parametrize("order", [2, 3])
@given(st.integers(2, 9), st.integers(1, 9), st.floats(0.1, 1), st.integers(0, 50))
def test_polyharmonic_inpainting_equals_sparse_lu(order, height, width, density, seed) -> None:
    f = rough((1, 1, height, width), seed=seed)
    mask = md.images.random_mask(height, width, density, seed=seed)
    make = md.models.biharmonic_inpainting if order == 2 else md.models.triharmonic_inpainting
    solution = md.minimise(make(f, mask), stop=md.Stop(1e-12, steps=20000))
    expected = polyharmonic_oracle(f[0, 0].numpy(), mask[0, 0].numpy(), order)
    scale = max(1.0, np.abs(expected).max())
    assert np.abs(solution.image[0, 0].numpy() - expected).max() < 1e-6 * scale


def test_biharmonic_inpainting_equals_scikit_image() -> None:
    """scikit-image takes the square of the same reflecting Laplacian; it solves by sparse LU."""
    from skimage.restoration import inpaint_biharmonic

    f = md.images.photographs.coffee()[:, 1:2, 60:84, 60:80].double()
    mask = md.images.random_mask(24, 20, 0.4, seed=1)
    ours = solve(md.models.biharmonic_inpainting(f, mask), md.Stop(1e-11))
    theirs = inpaint_biharmonic(torch.where(mask, f, 0)[0, 0].numpy(), (~mask[0, 0]).numpy())
    low, high = f[mask].min().item(), f[mask].max().item()  # it clips what overshoots
    assert np.abs(ours[0, 0].numpy().clip(low, high) - theirs.clip(low, high)).max() < 1e-6


def test_a_thin_plate_on_a_line_is_the_natural_cubic_spline() -> None:
    from scipy.interpolate import CubicSpline

    at, values = np.array([1, 4, 6, 11, 14]), np.array([0.2, 0.9, 0.1, 0.5, 0.4])
    f, mask = torch.zeros(1, 1, 1, 15, dtype=F64), torch.zeros(1, 1, 1, 15, dtype=torch.bool)
    f[..., at], mask[..., at] = torch.from_numpy(values), True
    u = solve(md.models.thin_plate_inpainting(f, mask), md.Stop(1e-12)).flatten().numpy()
    # The discrete spline minimises the sum of squared second differences; the continuous one is its limit.
    second = np.diff(np.eye(15), 2, axis=0)
    free = ~mask.flatten().numpy()
    expected = f.flatten().numpy()
    expected[free] = np.linalg.lstsq(second[:, free], -second[:, ~free] @ expected[~free], rcond=None)[0]
    assert np.abs(u - expected).max() < 1e-9
    fine = 64
    f, mask = torch.zeros(1, 1, 1, 14 * fine + 1, dtype=F64), torch.zeros(1, 1, 1, 14 * fine + 1, dtype=torch.bool)
    f[..., at * fine], mask[..., at * fine] = torch.from_numpy(values), True
    u = solve(md.models.thin_plate_inpainting(f, mask), md.Stop(1e-11, steps=20000)).flatten().numpy()
    x = np.arange(14 * fine + 1) / fine
    spline = CubicSpline(at, values, bc_type="natural")
    inside = (x >= 1) & (x <= 14)
    assert np.abs(u - spline(x))[inside].max() < 2e-3
    assert np.abs(np.diff(u[: fine - 1], 2)).max() < 1e-9  # linear beyond the outermost


def test_biharmonic_inpainting_overshoots_and_harmonic_does_not() -> None:
    f = md.images.step(1, 12).double()
    mask = torch.zeros(1, 1, 1, 12, dtype=torch.bool)
    mask[..., [0, 1, 4, 7, 10, 11]] = True
    assert solve(md.models.biharmonic_inpainting(f, mask)).max() > 1.02
    assert solve(md.models.harmonic_inpainting(f, mask)).max() <= 1 + 1e-12


@pytest.mark.parametrize("make", [md.models.biharmonic_inpainting, md.models.triharmonic_inpainting])
def test_the_harmonic_witness_bounds_higher_orders(make) -> None:
    """rms(e) <= max(w)^m rms(r), for images near and far; without a witness nothing is proved."""
    f = rough((2, 1, 14, 15))
    mask = md.images.random_mask(14, 15, 0.2, seed=5)
    model = make(f, mask)
    truth = solve(model, md.Stop(1e-12, steps=20000))
    for size in (1e-9, 1e-3, 1.0):
        other = model.project(truth + size * (rough((2, 1, 14, 15), seed=1) - 0.5))
        certificate = md.certify(model, other)
        distance = GREY * (other - truth).square().flatten(1).mean(dim=1).sqrt()
        assert (distance <= certificate.rms + 1e-9).all() and torch.isfinite(certificate.rms).all()
        assert md.certify(model, other, effort=0).rms.isinf().all()
    # The error that hides best from the residual: the slowest mode of A around a few known pixels.
    few = torch.zeros(1, 1, 14, 15, dtype=torch.bool)
    few[..., 3, 4] = few[..., 11, 12] = True
    sparse = make(f[:1], few)
    units = torch.eye(210, dtype=F64)[~few.flatten()].reshape(-1, 1, 14, 15)
    matrix = sparse.view(LinearSystem).apply(units).reshape(len(units), -1)[:, ~few.flatten()]
    mode = torch.einsum("i,ichw->chw", torch.linalg.eigh(matrix)[1][:, 0], units)[None]
    slowest = md.certify(sparse, solve(sparse, md.Stop(1e-12, steps=20000)) + mode)
    assert GREY * mode.square().mean().sqrt() <= slowest.rms.item() < math.inf
    too_small = md.models.HarmonicCover(certificate.witness.values * 0.5)
    assert md.models.verify(model, other, too_small).rms.isinf().all()
    with pytest.raises(InputError, match="its witness is a HarmonicCover"):
        md.models.verify(model, other, md.models.Supersolution(torch.ones_like(other)))


def test_known_pixels_on_a_line_leave_a_thin_plate_undetermined() -> None:
    f = rough((1, 1, 5, 5))
    mask = torch.eye(5, dtype=torch.bool)[None, None]
    with pytest.raises(MaskError, match="lie on one line"):
        md.models.thin_plate_inpainting(f, mask)
    assert md.minimise(
        md.models.thin_plate_inpainting(f[..., :1, :], mask[..., :1, :] | mask[..., 1:2, :])
    ).image.shape


@pytest.mark.parametrize("make", md.models.INPAINTING.values())
def test_a_colour_channel_without_a_known_pixel_is_refused(make) -> None:
    mask = torch.ones(1, 3, 5, 5, dtype=torch.bool)
    mask[:, 1] = False
    with pytest.raises(MaskError, match="a channel without any known pixel"):
        make(rough((1, 3, 5, 5)), mask)


# -- boundaries and grid sizes --------------------------------------------------------------------------------


@pytest.mark.parametrize("boundary", [md.calculus.Reflecting(), md.calculus.Periodic(), md.calculus.Vanishing()])
@pytest.mark.parametrize("grid", [1.0, 0.5])
def test_other_boundaries_and_grids_equal_dense_solves(boundary, grid) -> None:
    f = rough((1, 2, 5, 6))
    operator = md.calculus.Gradient(boundary, grid)
    model = Variational(HalfSquared(f), md.calculus.Quadratic(), operator, 0.8)
    units = torch.eye(30, dtype=F64).reshape(-1, 1, 5, 6)
    gradient = operator(units).reshape(30, -1)
    expected = torch.linalg.solve(torch.eye(30, dtype=F64) + 0.8 * gradient @ gradient.T, f.reshape(2, 30).T).T
    for solver in (None, md.solvers.PrimalDual(0.3, 0.0), md.solvers.ADMM(), md.solvers.SOR()):
        solution = md.minimise(model, solver, stop=md.Stop(1e-11, steps=20000))
        assert torch.allclose(solution.image.reshape(2, 30), expected, atol=1e-9)
        assert solution.outcome.certified


def test_the_range_of_images_that_vanish_outside_includes_zero() -> None:
    f = 0.5 + 0.5 * rough()
    operator = md.calculus.Gradient(md.calculus.Vanishing())
    solution = md.minimise(Variational(HalfSquared(f), md.calculus.TotalVariation(), operator, 3.0))
    assert solution.image.min() < f.min() and solution.outcome.certified
    low, _ = solution.model.view(md.models.SaddlePoint).data_range()
    assert float(low) == 0
    mask = md.images.random_mask(10, 11, 0.2, seed=0)
    filled = md.minimise(Variational(KnownPixels(f, mask), md.calculus.Quadratic(), operator), stop=md.Stop(1e-8))
    assert filled.image.min() < f[mask].min() and filled.outcome.certified
    saddle = md.minimise(filled.model, md.solvers.PrimalDual(0.3), stop=md.Stop(1e-6, steps=20000))
    assert saddle.outcome.certified and (saddle.image - filled.image).abs().max() < 1e-2


def test_solutions_converge_with_the_grid() -> None:
    """Tikhonov on finer grids tends to the continuous solution cos(pi x) / (1 + w pi^2), at second order."""

    def error(n: int) -> float:
        h = 1 / n
        x = (torch.arange(n, dtype=F64) + 0.5) * h
        f = torch.cos(math.pi * x).reshape(1, 1, 1, n)
        model = Variational(HalfSquared(f), md.calculus.Quadratic(), md.calculus.Gradient(grid=h), 0.1)
        return (solve(model) - f / (1 + 0.1 * math.pi**2)).abs().max().item()

    assert math.log2(error(16) / error(32)) == pytest.approx(2, abs=0.05)


def test_coarser_models_keep_weight_and_known_pixels() -> None:
    f = rough((1, 3, 9, 12))
    coarse = md.models.rof(f, 0.1).coarser()
    assert coarse.image_shape == (1, 3, 5, 6) and coarse.weight == 0.1 and coarse.operator.grid == 2
    assert torch.allclose(coarse.start()[..., :4, :], torch.nn.functional.avg_pool2d(f[..., :8, :], 2))
    mask = torch.zeros(1, 1, 9, 12, dtype=torch.bool)
    mask[..., 2, 5] = mask[..., 3, 4] = mask[..., 8, 11] = True
    coarse = md.models.harmonic_inpainting(f, mask).coarser()
    assert int(coarse.data_term.mask.sum()) == 2
    assert torch.allclose(coarse.data_term.data[..., 1, 2], (f[..., 2, 5] + f[..., 3, 4]) / 2)


def test_a_cascadic_start_halves_the_steps_of_conjugate_gradients() -> None:
    photo = md.images.grey(md.images.coffee())[..., :128, :128].double()
    model = md.models.harmonic_inpainting(photo, md.images.random_mask(128, 128, 0.02, seed=0))
    start = md.solvers.cascadic_start(model)
    assert model.admissible(start.image).all() and model.energy(start.image) < 0.3 * model.energy(model.start())
    stop, plain = md.Stop(1e-3, every=1), md.solvers.ConjugateGradient()
    warm, cold = (md.minimise(model, plain, s, stop=stop).steps.item() for s in (start, None))
    assert warm <= 0.6 * cold
    rof = md.models.rof(photo, 0.1)
    begun = md.solvers.cascadic_start(rof)
    assert md.certify(rof, begun, effort=0).rms < 0.7 * md.certify(rof, photo, effort=0).rms
    assert md.solvers.cascadic_start(md.models.rof(photo[..., :5, :], 0.1)).dual is None  # too small


# -- bad input ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [md.models.charbonnier, md.models.huber_rof, md.models.perona_malik])
@pytest.mark.parametrize("contrast", [0.0, -0.1, math.nan, math.inf, torch.zeros(1, 1, 1, 1), torch.ones(3)])
def test_contrasts_are_positive(make, contrast) -> None:
    with pytest.raises(InputError, match="contrast"):
        make(rough(), 0.5, contrast)


def test_one_contrast_per_image() -> None:
    f = rough((2, 1, 6, 7))
    contrast = torch.tensor([0.02, 0.3]).reshape(2, 1, 1, 1)
    for make in (md.models.charbonnier, md.models.huber_rof, md.models.perona_malik):
        both = solve(make(f, 0.5, contrast), md.Stop(1e-8))
        for b in range(2):
            alone = solve(make(f[b : b + 1], 0.5, float(contrast[b])), md.Stop(1e-8))
            assert torch.allclose(both[b : b + 1], alone, atol=1e-6)


@pytest.mark.parametrize("make", md.models.DENOISING.values())
def test_integers_are_refused(make) -> None:
    with pytest.raises(InputError, match="float32 or float64"):
        make(torch.zeros(1, 1, 4, 4, dtype=torch.int64), 0.1)


def test_mixed_types_and_devices_are_refused() -> None:
    model = md.models.charbonnier(rough(), 1.0)
    with pytest.raises(InputError, match=r"torch.float64 on cpu, got .* torch.float32"):
        md.minimise(model, start=rough().float())
    with pytest.raises(InputError, match="device"):
        md.models.rof(rough(), torch.ones(1, 1, 1, 1, device="meta"))


def test_a_linear_system_is_a_linear_system_whoever_solves_it() -> None:
    """A quadratic model solved by a method for smooth energies is certified by its residual all the same."""
    model = md.models.harmonic_inpainting(rough(), md.images.random_mask(10, 11, 0.2, seed=0))
    solution = md.minimise(model, md.solvers.LBFGS(), stop=md.Stop(1e-8))
    assert solution.certificate.kind == "residual" and solution.outcome.certified
    assert model.why_not(LinearSystem) is None


@pytest.mark.parametrize("make", [md.models.rof, md.models.huber_rof, md.models.tgv])
def test_a_weight_that_is_no_number_is_refused(make) -> None:
    with pytest.raises(InputError, match="weight above 0"):
        make(rough(), "a")


def test_parts_that_do_not_fit_are_refused() -> None:
    f, psi = rough((2, 1, 5, 5)), md.calculus.TotalVariation()
    with pytest.raises(InputError, match=r"contrast.*the shape \(3, 1, 1, 1\)"):
        Variational(HalfSquared(f), md.calculus.Huber(torch.ones(3, 1, 1, 1)), md.calculus.Gradient(), 0.1)
    with pytest.raises(InputError, match="components in pairs"):
        Variational(HalfSquared(f), psi, md.calculus.Polyharmonic(2), 0.1, md.calculus.Paired())
    with pytest.raises(InputError, match="grid"):
        md.calculus.Gradient(grid="a")
    assert md.solvers.cascadic_start(md.models.tgv(f, 0.1)).dual is None


# -- what a review had broken ----------------------------------------------------------------------------------


def test_charbonniers_fenchel_young_terms_do_not_cancel() -> None:
    """q long and nearly orthogonal to v: against the definition in 50 digits."""
    from decimal import Decimal, getcontext

    getcontext().prec = 50
    for contrast, weight in ((1e-3, 1e4), (1e-6, 1e4), (1e-11, 1e11)):
        psi, coupling = md.calculus.Charbonnier(contrast), md.calculus.Joint()
        q = torch.tensor([1.0, 0.7, -0.4], dtype=F64).reshape(1, 3, 1, 1, 1)
        p = torch.tensor([0.3, -0.4, 0.04], dtype=F64).reshape(1, 3, 1, 1, 1) * weight * contrast
        found = psi.fenchel_young(q, p, weight, coupling).item()
        w, c = Decimal(weight), Decimal(contrast)
        a, b = ([Decimal(x) for x in field.flatten().tolist()] for field in (q, p))
        size, dual = sum(x * x for x in a), sum(x * x for x in b)
        primal = w * c * c * ((1 + size / (c * c)).sqrt() - 1)
        conjugate = w * c * c * (1 - (1 - dual / (w * c) ** 2).sqrt())
        exact = float(primal + conjugate - sum(x * y for x, y in zip(a, b, strict=True)))
        assert found == pytest.approx(exact, rel=1e-13)


def test_the_modulus_of_float32_data_is_that_of_the_weight() -> None:
    weight = torch.full((1, 1, 1, 1), 4 * (1 - 3e-8), dtype=F64)
    view = md.models.perona_malik(torch.tensor([[[[-0.25, 0.25]]]]), weight, 0.1).view(SmoothEnergy)
    assert view.modulus == pytest.approx(3e-8, rel=1e-4)


def test_a_batch_mate_without_a_modulus_spoils_nothing() -> None:
    f = rough((2, 1, 6, 6))
    both = md.models.perona_malik(f, torch.tensor([0.5, 5.0], dtype=F64).reshape(2, 1, 1, 1))
    solution = md.minimise(both, md.solvers.LBFGS(), stop=md.Stop(1e-6))
    alone = md.minimise(md.models.perona_malik(f[:1], 0.5), md.solvers.LBFGS(), stop=md.Stop(1e-6))
    assert solution.certificate.rms[0] == alone.certificate.rms[0] and solution.certificate.rms[1].isinf()
    assert solution.outcomes[0].certified and not solution.outcomes[1].certified


def test_weights_per_image_with_one_mask_for_all() -> None:
    f, mask = rough((2, 1, 6, 6)), md.images.random_mask(6, 6, 0.2, seed=1)
    weight = torch.tensor([1.0, 20.0], dtype=F64).reshape(2, 1, 1, 1)
    for operator in (md.calculus.Gradient(), md.calculus.Polyharmonic(2)):
        model = Variational(KnownPixels(f, mask), md.calculus.Quadratic(), operator, weight)
        plain = Variational(KnownPixels(f, mask), md.calculus.Quadratic(), operator)
        solution = md.minimise(model, stop=md.Stop(1e-8)).require()
        assert torch.allclose(solution.image, md.minimise(plain, stop=md.Stop(1e-8)).image, atol=1e-6)
        assert torch.isfinite(solution.certificate.rms).all()


def test_a_joint_coupling_with_a_mask_for_each_channel() -> None:
    f = rough((1, 3, 6, 6))
    mask = torch.cat([md.images.random_mask(6, 6, 0.4, seed=k) for k in range(3)], dim=1)
    model = Variational(KnownPixels(f, mask), md.calculus.Charbonnier(0.1), md.calculus.Gradient(), 1.0)
    energies = [
        model.energy(md.minimise(model, by, stop=md.Stop(1e-6)).image).item()
        for by in (md.solvers.LaggedDiffusivity(), md.solvers.Newton(), md.solvers.LBFGS())
    ]
    assert energies == pytest.approx([energies[0]] * 3, rel=1e-6)


@pytest.mark.parametrize("preconditioning", [False, True])
def test_the_damping_of_jacobi_is_each_images_own(preconditioning) -> None:
    solver = md.solvers.ConjugateGradient(20, md.solvers.Jacobi()) if preconditioning else md.solvers.Jacobi()
    f, weight = rough((2, 1, 8, 8)), torch.tensor([0.5, 50.0], dtype=F64).reshape(2, 1, 1, 1)
    for make in (md.models.fourth_order_smoothing, md.models.whittaker_tikhonov):
        stop = md.Stop(None, steps=20)
        whole, alone = (md.minimise(make(f[:n], weight[:n]), solver, stop=stop).image for n in (2, 1))
        assert torch.equal(whole[:1], alone)


def test_what_overflows_proves_nothing() -> None:
    f = rough((1, 1, 4, 4))
    wild = md.models.DualWitness(torch.zeros(1, 1, 2, 4, 4, dtype=F64), f * 1e160)
    honest = md.models.verify(md.models.rof(f, 0.1), f)
    assert md.models.verify(md.models.rof(f, 0.1), f, wild).rms == honest.rms
    for make in (md.models.rof, md.models.tgv, md.models.charbonnier, md.models.huber_rof):
        certificate = md.certify(make(f * 1e200, 0.1), f * 1e200, effort=0)
        assert certificate.bound.isinf().all() and (certificate.rms > 1e200).all()  # the range of the data
        assert certificate.relative.isinf().all()
    for make in (md.models.charbonnier, md.models.perona_malik, md.models.huber_rof):
        certificate = md.models.verify(make(f, 0.1, 1e-200), f)
        assert not certificate.bound.isnan().any() and not certificate.rms.isnan().any()


def test_a_tiny_contrast_is_total_variation() -> None:
    f = md.images.step(4, 9)
    solution = md.minimise(md.models.huber_rof(f, 0.1, 1e-23))
    assert solution.outcome.certified
    assert (solution.image - md.minimise(md.models.rof(f, 0.1)).image).abs().max() < 1e-2


@pytest.mark.parametrize("name", [*md.models.DENOISING, *md.models.INPAINTING])
def test_the_energy_of_an_image_that_is_no_number_is_none_either(name: str) -> None:
    """Inpainting with known pixels as they are: a magnitude of NaN once counted as 0."""
    data, mask = random_image(1, 1, 8, 9), random_image(1, 1, 8, 9, seed=1) < 0.3
    if name in md.models.DENOISING:
        model, image = md.models.DENOISING[name](data, 0.1), torch.where(mask, data, torch.nan)
    else:
        model = md.models.INPAINTING[name](data, mask)
        image = torch.where(mask, data, torch.nan)
    assert not torch.isfinite(model.energy(model.lift(image))).any()
