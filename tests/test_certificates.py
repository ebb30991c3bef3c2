"""Bounds are never violated, by anything; and they are tight."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
import torch
from conftest import random_image
from hypothesis import given
from hypothesis import strategies as st

import mindl as md
from mindl.core.errors import InputError
from mindl.core.reduce import total
from mindl.models import Candidate, DualWitness, Supersolution, gap_map, midpoint, verify
from mindl.models.strips import STRIP

GREY = 255.0


def rms(difference: np.ndarray) -> np.ndarray:
    return GREY * np.sqrt((difference**2).mean(axis=(1, 2, 3)))


def candidates(truth: torch.Tensor, count: int, seed: int) -> torch.Tensor:
    """Random images of every distance: white, smooth, constant, scaled; from 1e-8 to 1."""
    generator = torch.Generator().manual_seed(seed)
    shape = (count, *truth.shape[1:])
    noise = torch.randn(shape, generator=generator, dtype=torch.float64)
    smooth = torch.nn.functional.avg_pool2d(noise, 3, stride=1, padding=1)
    constant = noise.mean(dim=(1, 2, 3), keepdim=True).expand(shape)
    kind = torch.arange(count).reshape(-1, 1, 1, 1) % 3
    direction = torch.where(kind == 0, noise, torch.where(kind == 1, smooth, constant))
    size = 10 ** (-8 * torch.rand(count, 1, 1, 1, generator=generator, dtype=torch.float64))
    return truth + size * direction


TV_MODELS = [
    (md.models.rof, True, (0, 1)),
    (md.models.rof, False, (0,)),
    (md.models.anisotropic_rof, True, (1,)),
    (md.models.anisotropic_rof, False, ()),
]


@pytest.mark.parametrize(("make", "joint", "axes"), TV_MODELS)
@pytest.mark.parametrize("shape", [(1, 8, 9), (3, 7, 6), (1, 1, 9)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_total_variation_bounds_are_never_violated(make, joint, axes, shape, dtype) -> None:
    """300 candidates for each of 24 cases, with no dual, random duals, and the prover's."""
    f = random_image(1, *shape, dtype=dtype, seed=5)
    truth = oracles.total_variation(f[0].double().numpy(), 0.15, axes, steps=6000)[None]
    u = candidates(torch.from_numpy(truth), 300, seed=1).to(dtype)
    model = make(f.expand_as(u), 0.15, joint=joint)
    difference = u.double().numpy() - truth
    noise = 1e-7  # what the oracle itself may be off, in grey levels times its steps
    dual = torch.randn(300, shape[0], 2, *shape[1:], generator=torch.Generator().manual_seed(2), dtype=dtype)
    for certificate in (
        verify(model, u),
        verify(model, u, DualWitness(dual)),
        verify(model, u, DualWitness(0.1 * dual, u + 0.01)),
        md.certify(model, u, effort=7),
        md.certify(model, u, effort=100),
    ):
        assert (rms(difference) <= certificate.rms.numpy() + noise).all()
        assert (GREY * np.abs(difference).max(axis=(1, 2, 3)) <= certificate.maximum.numpy() + noise).all()
        assert certificate.rigorous
    middle = midpoint(model, u, dual).double().numpy() - truth
    assert (rms(middle) <= verify(model, u, DualWitness(dual)).midpoint_rms.numpy() + 1e-5).all()


@pytest.mark.parametrize("shape", [(1, 9, 8), (3, 6, 7), (1, 12, 1)])
@pytest.mark.parametrize("density", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_inpainting_bounds_are_never_violated(shape, density, dtype) -> None:
    f = random_image(1, *shape, dtype=dtype, seed=6)
    mask = md.images.random_mask(*shape[1:], density, seed=3)
    truth = oracles.harmonic(f[0].double().numpy(), mask[0].numpy())[None]
    u = torch.where(mask, f, candidates(torch.from_numpy(truth), 200, seed=4).to(dtype))
    model = md.models.harmonic_inpainting(f.expand_as(u), mask)
    difference = np.abs(u.double().numpy() - truth)
    certificate = md.certify(model, u)
    assert isinstance(certificate.witness, Supersolution)
    assert (difference <= certificate.witness.values.numpy() + 1e-12).all()
    assert (rms(difference) <= certificate.rms.numpy() + 1e-9).all()
    assert (GREY * difference.max(axis=(1, 2, 3)) <= certificate.maximum.numpy() + 1e-9).all()
    assert torch.isfinite(certificate.maximum).all()


@pytest.mark.parametrize("shape", [(1, 9, 8), (3, 6, 7)])
def test_tikhonov_bounds_are_never_violated(shape) -> None:
    f = random_image(1, *shape, dtype=torch.float64, seed=6)
    truth = oracles.tikhonov(f[0].numpy(), 2.0)[None]
    u = candidates(torch.from_numpy(truth), 300, seed=4)
    certificate = md.certify(md.models.whittaker_tikhonov(f.expand_as(u), 2.0), u)
    difference = u.numpy() - truth
    assert (rms(difference) <= certificate.rms.numpy() + 1e-9).all()
    assert (GREY * np.abs(difference).max(axis=(1, 2, 3)) <= certificate.maximum.numpy() + 1e-9).all()


def noisy_photograph(size: int = 128) -> tuple[torch.Tensor, torch.Tensor]:
    photo = md.images.coffee()[..., 60 : 60 + size, 100 : 100 + size].mean(dim=1, keepdim=True)
    return photo, md.images.GaussianNoise(25 / 255)(photo, seed=1)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_candidate_one_grey_level_off_is_proved_within_three(seed: int) -> None:
    _, noisy = noisy_photograph()
    model = md.models.rof(noisy, 0.0735)
    u = md.minimise(model, stop=md.Stop(1e-6)).image
    direction = torch.randn(u.shape, generator=torch.Generator().manual_seed(seed))
    if seed == 2:
        direction = torch.nn.functional.avg_pool2d(direction, 9, stride=1, padding=4)
    off = u + direction / direction.square().mean().sqrt() / GREY
    proved = md.certify(model, off).rms.item()
    assert 1 - 0.02 <= proved <= 1.5


def test_the_pixelwise_bound_is_tight_for_solver_iterates() -> None:
    photo, _ = noisy_photograph(96)
    mask = md.images.random_mask(96, 96, 0.05, seed=7)
    model = md.models.harmonic_inpainting(photo.double(), mask)
    truth = md.minimise(model, stop=md.Stop(1e-12)).image
    iterate = md.minimise(model, md.solvers.ConjugateGradient(), stop=md.Stop(None, steps=20)).image
    certificate = md.certify(model, iterate)
    error = GREY * (iterate - truth).abs().max().item()
    assert error <= certificate.maximum.item() <= 2 * error


def test_a_changed_known_pixel_is_infinitely_far() -> None:
    f = random_image(2, 1, 6, 6)
    mask = md.images.random_mask(6, 6, 0.3, seed=0)
    model = md.models.harmonic_inpainting(f, mask)
    u = md.minimise(model).image.clone()
    place = mask[0, 0].nonzero()[0]
    u[1, 0, place[0], place[1]] += 1e-6
    certificate = md.certify(model, u)
    assert certificate.rms[1].isinf() and certificate.bound[1].isinf() and certificate.maximum[1].isinf()
    assert certificate.rms[0].isfinite()
    assert model.energy(u)[1].isinf()


def test_the_gap_is_a_sum_of_nonnegative_terms() -> None:
    _, noisy = noisy_photograph(40)
    model = md.models.rof(noisy.double(), 0.0735)
    solution = md.minimise(model, stop=md.Stop(1e-3))
    density = gap_map(model, solution.image, solution.dual)
    assert density.min() >= 0
    assert total(density).item() == pytest.approx(solution.certificate.bound.item(), rel=1e-10)
    primal = model.energy(solution.image)
    u_p = 2 * midpoint(model, solution.image, solution.dual) - solution.image
    dual = (noisy.double().square().sum() - u_p.square().sum()) / 2
    assert solution.certificate.bound.item() == pytest.approx((primal - dual).item(), rel=1e-6)


def test_a_dual_of_its_own_makes_a_better_proof() -> None:
    _, noisy = noisy_photograph(64)
    model = md.models.rof(noisy, 0.0735)
    solution = md.minimise(model)
    with_dual = md.certify(model, Candidate(solution.image, solution.dual), effort=0)
    without = md.certify(model, solution.image, effort=0)
    assert with_dual.rms.item() == solution.certificate.rms.item()
    assert without.rms.item() > 20 * with_dual.rms.item()
    assert md.certify(model, solution).rms.item() <= with_dual.rms.item()


def test_strips_prove_what_the_whole_proves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tall image is judged in many strips; its rows are those of a narrow one turned."""
    monkeypatch.setenv("MINDL_KERNELS", "off")  # a fused sweep judges the image as a whole
    rows = 3 * STRIP // 300
    tall = random_image(1, 1, rows, 300)
    model = md.models.rof(tall, 0.1)
    certificate = md.certify(model, tall, effort=3)
    whole = md.models.strips.STRIP
    md.models.strips.STRIP = md.solvers.witness.STRIP = 10**9
    try:
        at_once = md.certify(model, tall, effort=3)
    finally:
        md.models.strips.STRIP = md.solvers.witness.STRIP = whole
    # A strip's halo covers all the steps, so the witness is the same to the last bit.
    assert torch.equal(certificate.witness.dual, at_once.witness.dual)
    assert torch.equal(certificate.witness.image, at_once.witness.image)
    assert certificate.bound.item() == pytest.approx(at_once.bound.item(), rel=1e-13)
    mask = md.images.random_mask(rows, 300, 0.3, seed=0)
    inpainting = md.models.harmonic_inpainting(tall, mask)
    parts = verify(inpainting, torch.where(mask, tall, 0.5))
    md.models.strips.STRIP = 10**9
    try:
        assert parts.bound.item() == pytest.approx(
            verify(inpainting, torch.where(mask, tall, 0.5)).bound.item(), rel=1e-13
        )
    finally:
        md.models.strips.STRIP = whole


@given(st.integers(0, 100))
def test_a_false_witness_proves_nothing(seed: int) -> None:
    f = random_image(1, 1, 6, 7, dtype=torch.float64)
    mask = md.images.random_mask(6, 7, 0.3, seed=1)
    model = md.models.harmonic_inpainting(f, mask)
    u = torch.where(mask, f, 0.5)
    good = md.certify(model, u).witness
    generator = torch.Generator().manual_seed(seed)
    broken = good.values * (0.2 + 0.6 * torch.rand(good.values.shape, generator=generator, dtype=torch.float64))
    assert verify(model, u, Supersolution(broken)).maximum.isinf()
    assert verify(model, u, good).maximum.isfinite()


def test_what_cannot_be_judged_is_refused() -> None:
    model = md.models.rof(random_image(1, 1, 4, 4), 0.1)
    with pytest.raises(InputError, match="NaN"):
        md.certify(model, torch.full((1, 1, 4, 4), torch.nan))
    with pytest.raises(InputError, match="data's shape"):
        md.certify(model, torch.zeros(1, 1, 4, 5))
    with pytest.raises(InputError, match="effort"):
        md.certify(model, torch.zeros(1, 1, 4, 4), effort=-1)
    with pytest.raises(InputError, match="finite dual"):
        md.certify(model, torch.zeros(1, 1, 4, 4), dual=torch.full((1, 1, 2, 4, 4), torch.inf), effort=0)
    with pytest.raises(InputError, match="DualWitness"):
        verify(model, torch.zeros(1, 1, 4, 4), Supersolution(torch.zeros(1, 1, 4, 4)))


def test_an_energy_of_ones_own_is_stationary_at_best() -> None:
    class Tied(md.Energy):
        def energy(self, u):
            return (u - 0.5).square().sum(dim=(1, 2, 3))

    certificate = md.certify(Tied(), torch.zeros(1, 1, 3, 3))
    assert not certificate.rigorous and certificate.rms.isinf() and not certificate.informative
    assert "nothing is proved of the distance" in repr(certificate)


# -- attempts to prove what is not so -------------------------------------------------------------------------


def test_witnesses_of_another_shape_are_refused() -> None:
    f = (0.1 * torch.arange(8.0, dtype=torch.float64))[None, None, :, None].expand(1, 1, 8, 5).clone()
    model = md.models.rof(f, 0.2)
    thin = torch.zeros(1, 1, 2, 1, 5, dtype=torch.float64)
    with pytest.raises(InputError, match="needs dual of the shape"):
        verify(model, f, DualWitness(thin))
    with pytest.raises(InputError, match="data's shape"):
        verify(md.models.rof(random_image(2, 1, 1, 5), 0.1), random_image(1, 1, 4, 5))
    inpainting = md.models.harmonic_inpainting(f, md.images.random_mask(8, 5, 0.5, seed=0))
    with pytest.raises(InputError, match="values of the shape"):
        verify(inpainting, f, Supersolution(torch.ones(1, 1, 8, 1)))
    with pytest.raises(InputError, match="Supersolution"):
        verify(inpainting, f, DualWitness(torch.zeros(1, 1, 2, 8, 5)))


def test_values_at_known_pixels_prove_nothing() -> None:
    n = 200
    f, known = torch.zeros(1, 1, 1, n, dtype=torch.float64), torch.zeros(1, 1, 1, n, dtype=torch.bool)
    known[..., [0, -1]] = True
    i = torch.arange(n, dtype=torch.float64)
    u = torch.where(known, 0.0, 1 - i / (n - 1))
    v = (i * (n - 1 - i) * 1e-9).reshape(1, 1, 1, n)
    v[..., 0] = -1.01
    assert verify(md.models.harmonic_inpainting(f, known), u, Supersolution(v)).maximum.isinf()


def test_rounding_of_the_dual_image_is_covered() -> None:
    f = torch.tensor([[[[0.0, 2.0**-24]]]], dtype=torch.float64) + 0.5
    w = 5e-17
    p = torch.zeros(1, 1, 2, 1, 2, dtype=torch.float64)
    p[..., 0, 0, 0] = w
    assert verify(md.models.rof(f, w), f, DualWitness(p)).rms.item() >= GREY * w  # u* = f -+ w


def test_overflow_is_never_certified() -> None:
    solution = md.minimise(md.models.rof(random_image(1, 1, 8, 8) * 1e30, 1e29), stop=md.Stop(1e-4, steps=50))
    if solution.outcome.certified:
        assert torch.isfinite(solution.certificate.bound).all() and torch.isfinite(solution.certificate.rms).all()


def test_theorems_are_claimed_for_the_operators_that_have_them_only() -> None:
    f = md.images.step(1, 9).double()
    smooth = md.models.Variational(
        md.models.HalfSquared(f), md.calculus.Quadratic(), md.calculus.Polyharmonic(2), 5.0
    )
    assert smooth.why_not(md.models.MonotoneSystem) is not None and smooth.why_not(md.models.LinearSystem) is None
    solution = md.minimise(smooth, stop=md.Stop(1e-12))
    truth = solution.image
    assert truth.max() > 1.01 and solution.outcome.certified  # it overshoots
    off = truth + 0.3 * (random_image(1, 1, 1, 9, dtype=torch.float64) - 0.5)
    certificate = md.certify(smooth, off)
    assert GREY * (off - truth).abs().max() <= certificate.maximum.item()
    assert GREY * (off - truth).square().mean().sqrt() <= certificate.rms.item()
    rough = md.models.Variational(
        md.models.HalfSquared(f), md.calculus.TotalVariation(), md.calculus.Polyharmonic(2), 1.0
    )
    assert rough.view(md.models.SaddlePoint).data_range() is None


def test_a_solver_of_another_view_saves_a_provable_answer(tmp_path) -> None:
    from mindl.verify import verify as reprove

    f = random_image(1, 1, 21, 17)
    for weight in (0.1, 5.0, 100.0):
        solution = md.minimise(md.models.whittaker_tikhonov(f, weight), md.solvers.PrimalDual())
        assert reprove(str(md.solvers.write_answer(tmp_path / "a.npz", solution)))["weight"] == weight
    fine = md.minimise(md.models.rof(f.double(), 0.1), stop=md.Stop(1e-11, steps=20000))
    reprove(str(md.solvers.write_answer(tmp_path / "a.npz", fine)))


def test_strips_have_the_gradient_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of smooth energies, in certificates and in the residuals of relaxation."""
    from mindl.models import strips

    u = random_image(2, 3, 41, 20, seed=1)
    data = random_image(2, 3, 41, 20)
    mask = md.images.random_mask(41, 20, 0.3, seed=0)
    models = [
        md.models.charbonnier(data, weight=0.5),
        md.models.perona_malik(data, weight=0.5),
        md.models.harmonic_inpainting(data, mask),
        md.models.fourth_order_smoothing(data, weight=0.5),
    ]
    for model in models:
        view = model.view(md.models.SmoothEnergy)
        image = model.project(u)
        whole = view.gradient(image.double())
        monkeypatch.setattr(strips, "STRIP", 10**9)
        at_once = verify(model, image)
        monkeypatch.setattr(strips, "STRIP", 3 * 3 * 20)
        assert len(list(strips.strips(view, image))) > 10
        found = strips.gradient(view, image, torch.float64)
        assert found.shape == whole.shape
        assert torch.allclose(found, whole, rtol=0, atol=1e-13), model.title
        in_strips = verify(model, image)
        assert torch.allclose(in_strips.bound, at_once.bound, rtol=1e-12)
        assert torch.allclose(in_strips.rms, at_once.rms, rtol=1e-12)
