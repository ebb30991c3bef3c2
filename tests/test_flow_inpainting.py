"""Inpainting by flows and by Euler's elastica: EED, the least Lipschitz extension, and what they do not keep."""

from __future__ import annotations

import math

import pytest
import torch
from test_flows import rand
from torch import Tensor

import mindl as md
from mindl.calculus import Charbonnier, Weickert, WideStencil
from mindl.solvers import FED, Explicit, LaggedDiffusivity, SemiImplicit


def grid(height: int, width: int) -> tuple[Tensor, Tensor]:
    return torch.meshgrid(*[torch.arange(n, dtype=torch.float64) for n in (height, width)], indexing="ij")


# Edge-enhancing diffusion -------------------------------------------------------------------------------------


@pytest.mark.parametrize("turns", range(4))
def test_a_half_plane_is_continued_through_the_gap(turns: int) -> None:
    """A straight edge known on both sides of a gap: EED reproduces it where harmonic inpainting blurs."""
    image = torch.zeros(1, 1, 24, 40, dtype=torch.float64)
    image[..., 12:, :] = 1
    known = torch.ones(1, 1, 24, 40, dtype=torch.bool)
    known[..., 6:18, 14:26] = False
    image, known = torch.rot90(image, turns, (2, 3)), torch.rot90(known, turns, (2, 3))
    model = md.models.eed_inpainting(image, known, Weickert(0.1), presmoothing=1.0)
    solution = md.steady_state(model, stop=md.Stop(1e-5, steps=300))
    blurred = md.minimise(md.models.harmonic_inpainting(image, known)).image
    assert solution.outcome.value == "stationary, not certified"
    assert float((solution.image - image).abs().max()) < 0.01
    assert float((blurred - image).abs().max()) > 0.4


def test_an_exact_step_is_nearly_a_steady_state() -> None:
    """Across an edge of full contrast the flux is c: small against the linear flux, which is the contrast."""
    image = md.images.step(16, 24).double()
    known = rand(1, 1, 16, 24) < 0.2
    flow = md.models.eed_inpainting(image, known, Charbonnier(0.001), presmoothing=0.5)
    linear = md.models.linear_diffusion(image).rate(image)
    assert float(flow.rate(image).abs().max()) < 0.01 * float(linear.abs().max())


@pytest.mark.parametrize(
    "solver", [LaggedDiffusivity(), Explicit(), FED(15), SemiImplicit(20.0)], ids=lambda s: s.title
)
def test_solvers_come_to_the_same_rest(solver: object) -> None:
    image = md.images.disc(16, 20, 6).double()
    known = md.images.random_mask(16, 20, 0.4, seed=3)
    model = md.models.eed_inpainting(image, known, Charbonnier(0.05))
    reference = md.steady_state(model, LaggedDiffusivity(0.01), stop=md.Stop(1e-8, steps=2000))
    solution = md.steady_state(model, solver, stop=md.Stop(1e-5, steps=20_000))
    assert solution.outcome.met
    assert float((solution.image - reference.image).abs().max()) < 1e-3
    assert torch.equal(torch.where(known, solution.image, 0), torch.where(known, image, 0))
    assert solution.certificate.kind == "rate"
    assert not solution.certificate.rigorous
    assert math.isinf(float(solution.certificate.rms))


def test_the_measure_is_the_rate_at_the_answer_against_that_of_the_start() -> None:
    image, known = md.images.disc(16, 16, 5).double(), md.images.random_mask(16, 16, 0.4, seed=3)
    model = md.models.eed_inpainting(image, known)
    solution = md.steady_state(model, stop=md.Stop(1e-3))
    assert float(solution.certificate.bound) == pytest.approx(float(model.rate(solution.image).norm()))
    assert float(solution.certificate.scale) == pytest.approx(float(model.rate(model.start()).norm()))


def test_everything_known_and_one_pixel_known() -> None:
    image = rand(1, 2, 5, 6)
    whole = torch.ones(1, 1, 5, 6, dtype=torch.bool)
    one = torch.zeros(1, 1, 5, 6, dtype=torch.bool)
    one[..., 2, 3] = True
    for make in (md.models.eed_inpainting, md.models.amle_inpainting):
        assert torch.equal(md.steady_state(make(image, whole)).image, image)
        filled = md.steady_state(make(image, one), stop=md.Stop(1e-8)).image
        assert torch.allclose(filled, image[..., 2:3, 3:4].expand_as(image), atol=1e-9)


def test_what_is_behind_the_mask_does_not_matter() -> None:
    image, known = rand(1, 1, 8, 9), md.images.random_mask(8, 9, 0.4, seed=1)
    broken = torch.where(known, image, math.nan)
    for make in (md.models.eed_inpainting, md.models.amle_inpainting):
        one, other = (md.steady_state(make(each, known), stop=md.Stop(1e-3)).image for each in (image, broken))
        assert torch.equal(one, other)
    elastica = [md.minimise(md.models.elastica_inpainting(each, known)).image for each in (image, broken)]
    assert torch.equal(*elastica)


def test_eed_inpainting_may_leave_the_range_of_the_known_pixels() -> None:
    """What does not hold: the anisotropic stencil has no maximum-minimum principle."""
    overshoot = 0.0
    for seed in range(2):
        image = (rand(1, 1, 20, 20, seed=seed) > 0.5).double()
        model = md.models.eed_inpainting(image, md.images.random_mask(20, 20, 0.3, seed=seed), Charbonnier(0.005))
        solution = md.steady_state(model, stop=md.Stop(1e-2, steps=60))
        overshoot = max(overshoot, float(solution.image.max()) - 1, -float(solution.image.min()))
    assert overshoot > 1e-3


# Absolutely minimising Lipschitz extension --------------------------------------------------------------------


def test_wide_stencils_have_the_directions_they_say() -> None:
    for radius, directions in ((1.0, 4), (1.5, 8), (2.3, 16), (3.7, 32)):
        stencil = WideStencil(radius)
        assert len(stencil.offsets) == directions
        assert stencil.resolution <= 2 * math.pi / directions * 1.7
    assert math.degrees(WideStencil(1.0).resolution) == pytest.approx(90)
    assert math.degrees(WideStencil(3.7).resolution) == pytest.approx(18.43, abs=0.01)


@pytest.mark.parametrize("radius", [1.5, 2.3, 3.7, 5.4])
def test_cones_are_reproduced_within_the_angular_resolution(radius: float) -> None:
    """u = |x - x0| / R, known in the middle and outside the disc of radius R, is infinity-harmonic between.

    A stencil measures a slope along its nearest direction, at most half the resolution d off: distances come
    out too large by a factor of at most 1 / cos(d / 2).
    """
    size, outer = 41, 18
    y, x = grid(size, size)
    distance = ((x - 20) ** 2 + (y - 20) ** 2).sqrt()
    cone = (distance / outer)[None, None]
    known = ((distance >= outer) | (distance == 0))[None, None]
    model = md.models.amle_inpainting(cone, known, radius=radius)
    solution = md.steady_state(model, stop=md.Stop(1e-6, steps=4000))
    assert solution.outcome.met
    off = float((solution.image - cone).abs().max())
    allowed = 1 / math.cos(WideStencil(radius).resolution / 2) - 1
    assert off <= allowed


def test_the_4_neighbour_scheme_does_not_come_near_a_cone() -> None:
    """What does not hold: narrow stencils converge, but not to cones."""
    errors = {}
    for radius in (1.0, 3.7):
        y, x = grid(41, 41)
        distance = ((x - 20) ** 2 + (y - 20) ** 2).sqrt()
        known = ((distance >= 18) | (distance == 0))[None, None]
        cone = (distance / 18)[None, None]
        solution = md.steady_state(md.models.amle_inpainting(cone, known, radius=radius), stop=md.Stop(1e-5))
        errors[radius] = float((solution.image - cone).abs().max())
    assert errors[1.0] > 4 * errors[3.7]


def test_aronssons_function_is_nearly_at_rest() -> None:
    """x^(4/3) - y^(4/3), infinity-harmonic and not smooth on the axes, from its values on a frame."""
    y, x = grid(33, 33)
    x, y = (x - 16) / 16, (y - 16) / 16
    exact = (x.abs() ** (4 / 3) - y.abs() ** (4 / 3))[None, None]
    known = torch.ones(1, 1, 33, 33, dtype=torch.bool)
    known[..., 4:-4, 4:-4] = False
    solution = md.steady_state(md.models.amle_inpainting(exact, known, radius=3.7), stop=md.Stop(1e-5))
    assert float((solution.image - exact).abs().max()) < 0.02


@pytest.mark.parametrize("seed", range(4))
def test_the_extension_keeps_range_and_lipschitz_constant_of_the_data(seed: int) -> None:
    image = rand(1, 1, 14, 17, seed=seed)
    known = md.images.random_mask(14, 17, 0.1, seed=seed)
    stencil = WideStencil(2.3)
    solution = md.steady_state(md.models.amle_inpainting(image, known, radius=2.3), stop=md.Stop(1e-7)).image
    values = image[known]
    assert float(solution.min()) >= float(values.min()) - 1e-12
    assert float(solution.max()) <= float(values.max()) + 1e-12
    # The distance of the grid's graph, whose edges are the stencil's: by relaxation (Bellman and Ford).
    at = known[0, 0].nonzero()
    steepest = 0.0
    for i, j in at.tolist():
        distance = torch.full((1, 1, 14, 17), math.inf, dtype=torch.float64)
        distance[..., i, j] = 0
        for _ in range(40):
            for neighbour, length in zip(stencil.neighbours(distance), stencil.distances, strict=True):
                distance = torch.minimum(distance, neighbour + length)
        others = known & (distance > 0)
        steepest = max(steepest, float(((image[..., i, j, None, None] - image).abs() / distance)[others].max()))
    for neighbour, length in zip(stencil.neighbours(solution), stencil.distances, strict=True):
        assert float((solution - neighbour).abs().max()) / length <= steepest * (1 + 1e-5)


def test_the_scheme_is_monotone() -> None:
    for seed in range(10):
        u = rand(1, 1, 7, 8, seed=seed)
        v = u + 0.1 * rand(1, 1, 7, 8, seed=seed + 100)
        for radius in (1.0, 2.3):
            one, other = (md.calculus.infinity_average(WideStencil(radius), w) for w in (u, v))
            assert (one <= other + 1e-15).all()
            assert float((one - other).abs().max()) <= float((u - v).abs().max()) + 1e-15


# Euler's elastica ---------------------------------------------------------------------------------------------


def test_elastica_without_curvature_is_regularised_total_variation() -> None:
    image, known = rand(1, 2, 6, 7), md.images.random_mask(6, 7, 0.4, seed=1)
    model = md.models.elastica_inpainting(image, known, curvature=0.0, smoothing=0.1)
    field = md.calculus.Gradient()(image)
    expected = (field.square().sum(dim=2) + 0.01).sqrt().sum()
    assert float(model.energy(image)) == pytest.approx(float(expected))


def test_the_elastica_energy_of_a_disc_is_that_of_its_level_lines() -> None:
    """A cone of slope s on an annulus: length and curvature of circles, by the coarea formula."""
    y, x = grid(121, 121)
    r = ((x - 60) ** 2 + (y - 60) ** 2).sqrt()
    cone = (0.02 * r.clamp(20, 50))[None, None]
    model = md.models.elastica_inpainting(cone, torch.ones(1, 1, 121, 121).bool(), curvature=30.0, smoothing=1e-4)
    exact = 0.02 * 2 * math.pi * ((50**2 - 20**2) / 2 + 30 * math.log(50 / 20))
    background = 1e-4 * float((r < 19).sum() + (r > 51).sum())
    # The kinks at both ends of the slope have a curvature of their own, of the grid's size: they are left out.
    inside = ((r > 21) & (r < 49))[None, None]
    gradient = md.calculus.Gradient()
    field = gradient(cone)
    size = (field.square().sum(dim=2, keepdim=True) + 1e-8).sqrt()
    density = (1 + 30 * gradient.adjoint(field / size) ** 2) * size[:, :, 0]
    annulus = 0.02 * 2 * math.pi * ((49**2 - 21**2) / 2 + 30 * math.log(49 / 21))
    assert float(density[inside].sum()) == pytest.approx(annulus, rel=0.02)
    assert float(model.energy(cone)) > float(density[inside].sum())
    assert exact > annulus
    assert background < 1


def test_elastica_bridges_a_gap_that_total_variation_does_not() -> None:
    """A bar with a gap wider than the bar: shorter level lines close it off, straighter ones go through."""
    bar = torch.zeros(1, 1, 17, 31, dtype=torch.float64)
    bar[..., 6:11, :] = 1
    known = torch.ones(1, 1, 17, 31, dtype=torch.bool)
    known[..., 2:15, 12:19] = False
    tv = md.minimise(md.models.tv_inpainting(bar, known)).image
    model = md.models.elastica_inpainting(bar, known, length=1.0, curvature=20.0)
    solution = md.minimise(model, stop=md.Stop(1e-3, steps=3000))
    assert float(solution.image[..., 8, 15]) > float(tv[..., 8, 15]) + 0.3
    assert not solution.certificate.rigorous
    assert float(model.energy(solution.image)) < float(model.energy(model.start()))


def test_elastica_never_moves_known_pixels() -> None:
    image, known = rand(2, 3, 8, 9), md.images.random_mask(8, 9, 0.5, seed=2)
    model = md.models.elastica_inpainting(image, known)
    for solver in (md.solvers.LBFGS(), md.solvers.GradientDescent()):
        solution = md.minimise(model, solver, stop=md.Stop(1e-3, steps=200))
        assert torch.equal(torch.where(known, solution.image, 0), torch.where(known, image, 0))
    md.testing.check_model(model)


def test_elastica_begins_with_a_rough_filling() -> None:
    """Which stationary point is found depends on the start; a network that is shown a rough filling must be held
    against a solver that begins there."""
    image, known = rand(2, 3, 32, 32), md.images.random_mask(32, 32, 0.1, seed=0)
    model = md.models.elastica_inpainting(torch.where(known, image, math.nan), known)
    start = model.start()
    assert torch.equal(torch.where(known, start, 0), torch.where(known, image, 0))
    mean = md.models.tv_inpainting(image, known).start()
    assert (model.energy(start) < 0.7 * model.energy(mean)).all()
    alone = md.models.elastica_inpainting(image[1:], known).start()
    assert torch.equal(start[1:], alone)


# In one line -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", md.models.UNPROVED_INPAINTING)
def test_one_line_inpainting_takes_models_without_a_proof(name: str) -> None:
    photo = md.images.grey(md.images.coffee())[..., 60:108, 180:228]
    known = md.images.random_mask(48, 48, 0.4, seed=0)
    filled = md.inpaint(photo, mask=known, model=name, tolerance=1e-3)
    assert torch.equal(torch.where(known, filled, 0), torch.where(known, photo, 0))
    assert float((filled - photo).square().mean().sqrt()) < 0.1


def test_one_line_inpainting_never_passes_off_what_is_not_even_stationary(monkeypatch: pytest.MonkeyPatch) -> None:
    def hasty(model: object, solver: object, *, stop: md.Stop, watch: object) -> md.Solution:
        return md.steady_state(model, solver, stop=md.Stop(stop.tolerance, steps=1))

    monkeypatch.setattr("mindl.restore.steady_state", hasty)
    photo, known = rand(1, 1, 12, 12), md.images.random_mask(12, 12, 0.4, seed=0)
    with pytest.raises(md.errors.NotSolvedError, match="step limit"):
        md.inpaint(photo, mask=known, model="amle_inpainting")


@pytest.mark.slow
def test_eed_beats_harmonic_inpainting_on_a_photograph() -> None:
    photo = md.images.grey(md.images.coffee())[..., 60:188, 180:308]
    known = md.images.random_mask(128, 128, 0.1, seed=7)
    eed = md.steady_state(md.models.eed_inpainting(photo, known), stop=md.Stop(1e-2)).image
    harmonic = md.minimise(md.models.harmonic_inpainting(photo, known)).image
    assert float(md.images.psnr(eed, photo)) > float(md.images.psnr(harmonic, photo)) + 0.3
