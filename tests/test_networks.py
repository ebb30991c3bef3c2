"""Networks, and networks joined to models: what is promised whatever the weights are."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest
import torch
from conftest import random_image, wild
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import mindl as md
from mindl.core.errors import InputError, MindlWarning, NonFiniteError, OutsideRangeWarning, ViewError
from mindl.core.outcome import Outcome
from mindl.neural import (
    Direct,
    Equilibrium,
    Filled,
    Filters,
    InUnitsOfNoise,
    InUnitsOfWeight,
    ModelWeight,
    MultigridNet,
    PlugAndPlay,
    Pyramid,
    RadialPenaliser,
    Range,
    SplinePenaliser,
    Start,
    StepSizes,
    Unrolled,
    WithLevel,
    WithWeight,
    WitnessHead,
)
from mindl.neural.neural_solver import in_use
from mindl.testing import check_network


def witness(channels: int = 1, seed: int = 0, size: float = 2.0) -> WitnessHead:
    net = md.nets.UNet(channels, 2 * channels, widths=(6, 8, 8))
    return WitnessHead(wild(net, seed, size), InUnitsOfWeight(), channels=channels)


class Smooth(md.Energy):
    """A user's own energy: Charbonnier denoising."""

    def __init__(self, data: torch.Tensor, weight: object = 0.002) -> None:
        self.data = data

    def start(self) -> torch.Tensor:
        return self.data

    def energy(self, u: torch.Tensor) -> torch.Tensor:
        dx, dy = u[..., :, 1:] - u[..., :, :-1], u[..., 1:, :] - u[..., :-1, :]
        smooth = [0.002 * ((1 + (d / 0.02).square()).sqrt() - 1).sum((1, 2, 3)) for d in (dx, dy)]
        return 0.5 * (u - self.data).square().sum((1, 2, 3)) + smooth[0] + smooth[1]


# Plain networks


def test_unet_is_the_size_that_the_arguments_say() -> None:
    def count(**arguments: object) -> int:
        return sum(p.numel() for p in md.nets.UNet(1, 2, **arguments).parameters())

    assert 5_000 < count(widths=(8, 12), blocks=1) < 8_000
    assert 130_000 < count(widths=(16, 32, 32), blocks=2) < 150_000
    # enter 9*4+4; stage: 2 blocks x 2 convolutions of 4*4*9+4; leave 4*2*9+2
    assert count(widths=(4,), blocks=2) == 40 + 2 * 2 * 148 + 74


def test_unet_leaves_the_global_generator_alone_and_depends_on_its_seed() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one, same, other = (md.nets.UNet(1, 1, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(one.enter.weight, same.enter.weight)
    assert not torch.equal(one.enter.weight, other.enter.weight)


def test_unet_from_its_config() -> None:
    net = md.nets.UNet(2, 3, widths=(4, 6), blocks=(2, 1), seed=3)
    again = md.nets.UNet(**net.config)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))


def test_unet_sees_far() -> None:
    """A change of one pixel reaches pixels that a stack of 3 x 3 convolutions of its depth could not reach."""
    net = wild(md.nets.UNet(1, 1, widths=(4, 4, 4), blocks=1)).eval()
    image = random_image(1, 1, 64, 64)
    changed = image.clone()
    changed[..., 32, 32] += 1
    with torch.no_grad():
        moved = (net(changed) - net(image)).abs().squeeze() > 0
    rows = moved.any(dim=1).nonzero().flatten()
    assert int(rows.max() - rows.min()) > 30


def test_unet_adds_the_features_of_the_same_level() -> None:
    """With nothing coming up from the coarse levels, the fine ones still reach the output."""
    net = wild(md.nets.UNet(1, 1, widths=(4, 4)))
    with torch.no_grad():
        for parameter in net.prolong.parameters():
            parameter.zero_()
        one, other = net(random_image(1, 1, 8, 8)), net(random_image(1, 1, 8, 8, seed=1))
    assert not torch.equal(one, other)


@pytest.mark.parametrize("arguments", [{"widths": ()}, {"widths": (0,)}, {"blocks": 0}, {"blocks": (1,)}])
def test_unet_refuses_what_is_no_network(arguments: dict[str, object]) -> None:
    with pytest.raises(InputError, match="at least one level"):
        md.nets.UNet(1, 1, **arguments)


def test_unet_names_the_channels_it_needs() -> None:
    with pytest.raises(InputError, match=r"needs \(batch, 1, height, width\), got \(1, 3, 4, 4\)"):
        md.nets.UNet(1, 1)(torch.zeros(1, 3, 4, 4))


# Neural solvers: the contract, for every kind and model

KNOWN = 0.3


def harmonic(data: torch.Tensor) -> md.Energy:
    mask = md.images.random_mask(*data.shape[2:], KNOWN, seed=1)
    return md.models.harmonic_inpainting(data, mask)


def unrolled(solver: object, learn: list[md.neural.Freedom]) -> Unrolled:
    """With everything a little away from where it starts."""
    net, generator = Unrolled(solver, 3, learn), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.02 * torch.randn(parameter.shape, generator=generator)
    return net


CASES = {
    "witness, rof": (witness(), lambda f: md.models.rof(f, 0.1)),
    "witness, anisotropic": (witness(), lambda f: md.models.anisotropic_rof(f, 0.1)),
    "witness, colour": (witness(3), lambda f: md.models.rof(f, 0.1)),
    "witness, tikhonov": (
        WitnessHead(wild(md.nets.UNet(2, 2, widths=(6, 8))), WithWeight()),
        lambda f: md.models.whittaker_tikhonov(f, 10.0),
    ),
    "direct, rof": (
        Direct(wild(md.nets.UNet(1, 1, widths=(6, 8))), InUnitsOfWeight()),
        lambda f: md.models.rof(f, 0.1),
    ),
    "direct, own energy": (Direct(wild(md.nets.UNet(1, 1, widths=(6, 8))), Start()), Smooth),
    "direct, unknown noise": (Direct(wild(md.nets.UNet(1, 1, widths=(6, 8))), InUnitsOfNoise()), Smooth),
    "direct, harmonic": (Direct(wild(md.nets.UNet(2, 1, widths=(6, 8))), Filled()), harmonic),
    "unrolled, rof": (
        unrolled(md.solvers.PrimalDual(), [StepSizes(), SplinePenaliser(5), Filters(4, 3)]),
        lambda f: md.models.rof(f, 0.1),
    ),
    "unrolled, smooth": (
        unrolled(md.solvers.GradientDescent(), [StepSizes(), RadialPenaliser(5), Filters(4, 3)]),
        lambda f: md.models.charbonnier(f, 0.5),
    ),
    "equilibrium": (
        Equilibrium(md.solvers.GradientDescent(), [ModelWeight(shared=True)], tolerance=1e-7),
        lambda f: md.models.charbonnier(f, 0.5),
    ),
    "refined": (
        md.neural.Refined(witness(), unrolled(md.solvers.PrimalDual(step_size=0.1), [StepSizes()])),
        lambda f: md.models.rof(f, 0.1),
    ),
    "corrected": (
        unrolled(md.solvers.PrimalDual(), [md.neural.DualCorrection(4, 2)]),
        lambda f: md.models.rof(f, 0.1),
    ),
    "learned model": (
        md.neural.LearnedModel(
            wild(md.neural.RidgeRegulariser(4, 3)), unrolled(md.solvers.AcceleratedGradient(), [StepSizes()])
        ),
        lambda f: md.models.rof(f, 0.1),
    ),
    "minimised": (
        md.neural.Minimised(md.solvers.AcceleratedGradient(), tolerance=1e-5),
        lambda f: md.models.charbonnier(f, 0.5),
    ),
    "learned at its minimiser": (
        md.neural.LearnedModel(
            wild(md.neural.RidgeRegulariser(4, 3)), md.neural.Minimised(md.solvers.AcceleratedGradient())
        ),
        lambda f: md.models.rof(f, 0.1),
    ),
    "preconditioned": (
        md.neural.PreconditionedSteps(wild(md.nets.UNet(2, 1, widths=(6, 8))), 3),
        harmonic,
    ),
    "tiled": (md.neural.Tiled(witness(), tile=8, overlap=4), lambda f: md.models.rof(f, 0.1)),
    "image prior": (
        md.neural.ImagePrior(md.nets.UNet(8, 2, widths=(4, 4)), steps=2),
        lambda f: md.models.rof(f, 0.1),
    ),
    "multigrid": (
        MultigridNet(md.nets.VCycle([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], levels=2)),
        lambda f: md.models.whittaker_tikhonov(f, 1.0),
    ),
    "pyramid": (
        Pyramid(md.solvers.PrimalDual(), [3], learn=[StepSizes()]),
        lambda f: md.models.rof(f, 0.1),
    ),
    "plug and play": (
        PlugAndPlay(md.nets.DiffusionNet(2, 2, filters=2, blocks=2, kernel=2, knots=3), 3),
        lambda f: md.models.rof(f, 0.1),
    ),
    "direct, level": (
        Direct(wild(md.nets.FFDNetLike(1, 1, width=6, depth=2)), WithLevel()),
        lambda f: md.models.rof(f, 0.1),
    ),
    "direct, colour": (
        Direct(wild(md.nets.UNet(3, 3, widths=(6, 8))), Start(), channels=3),
        lambda f: md.models.rof(f, 0.1),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_contract(name: str) -> None:
    check_network(*CASES[name])


def test_every_neural_solver_and_reading_is_checked() -> None:
    nets = [net for net, _ in CASES.values()]
    exported = [getattr(md.neural, name) for name in md.neural.__all__]
    kinds = {kind for kind in exported if isinstance(kind, type) and issubclass(kind, md.neural.NeuralSolver)}
    assert {type(net) for net in nets} == {kind for kind in kinds if not inspect.isabstract(kind)}
    assert {type(net) for net in nets} == set(md.neural.NEURAL_SOLVERS.values())
    readers = [net for net in nets if isinstance(net, md.neural.ReadingSolver)]
    assert {type(net.reading) for net in readers} == set(md.neural.READINGS.values())


def test_unknown_noise_is_shown_like_a_weight_that_fits_it() -> None:
    """Weights that learned with one reading may move to the other: what is shown and meant is the same."""
    noisy = md.images.GaussianNoise(20 / 255)(random_image((2, 1, 40, 33), seed=1), seed=2)
    noise = md.images.estimate_noise(noisy)
    told = InUnitsOfWeight().show(md.models.rof(noisy, 0.75 * noise[:, None, None, None]))
    found = InUnitsOfNoise().show(md.models.rof(noisy, 0.1))
    for one, other in ((told.values, found.values), (told.unit, found.unit), (told.base, found.base)):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-6)
    flat = InUnitsOfNoise().show(md.models.rof(torch.full((1, 1, 9, 9), 0.5), 0.1))
    assert torch.equal(flat.values, torch.zeros_like(flat.values))
    assert float(flat.unit) == pytest.approx(0.75e-3)


# The witness head


@given(
    seed=st.integers(0, 1000),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    weight=st.floats(0.01, 1.0),
    size=st.sampled_from([0.1, 1.0, 5.0]),
)
def test_whatever_the_weights_the_proof_holds(
    seed: int, height: int, width: int, weight: float, size: float
) -> None:
    """|u - u*| <= bound <= sqrt(G): the answer is the image of its own dual field."""
    model = md.models.rof(random_image(1, 1, height, width, seed=seed, dtype=torch.float64), weight)
    with torch.no_grad():
        candidate = witness(seed=seed, size=size)(model)
    certificate = md.certify(model, candidate, effort=0)
    exact = md.minimise(model, stop=md.Stop(1e-9, steps=5000)).image
    pixels = height * width
    distance = float((candidate.image - exact).square().sum() / pixels) ** 0.5 * 255
    assert distance <= float(certificate.rms) + 1e-3
    assert float(certificate.rms) <= math.sqrt(float(certificate.bound) / pixels) * 255 + 1e-3


def test_a_network_that_knows_the_dual_solution_is_certified_without_a_step() -> None:
    """The head adds nothing and loses nothing: the exact field in, the exact image out, proved at once."""
    model = md.models.rof(random_image(1, 1, 12, 15, dtype=torch.float64), 0.1)
    exact = md.minimise(model, stop=md.Stop(1e-10, steps=20000))

    class Knows(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return exact.dual.flatten(1, 2) / 0.1

    answered = md.answer(model, WitnessHead(Knows(), InUnitsOfWeight()), tolerance=1e-6)
    assert answered.outcome.certified and int(answered.steps) == 0
    assert float(answered.certificate.rms) < 0.01
    apart = float(answered.certificate.maximum + exact.certificate.maximum) / 255
    assert (answered.image - exact.image).abs().max() <= apart < 1e-4


def test_the_network_is_as_homogeneous_as_the_model() -> None:
    """(c f + b, c w) has the answer c u + b, whatever the weights."""
    data, net = random_image(2, 1, 11, 8), witness().eval()
    with torch.no_grad():
        plain = net(md.models.rof(data, 0.1))
        scaled = net(md.models.rof(0.25 * data + 0.5, 0.025))
    assert torch.allclose(scaled.image, 0.25 * plain.image + 0.5, atol=1e-5)
    assert torch.allclose(scaled.dual, 0.25 * plain.dual, atol=1e-5)


def test_weights_per_image() -> None:
    data, net = random_image(2, 1, 9, 9), witness().eval()
    with torch.no_grad():
        both = net(md.models.rof(data, torch.tensor([0.05, 0.2]).reshape(2, 1, 1, 1)))
        second = net(md.models.rof(data[1:], 0.2))
    assert torch.allclose(both.image[1:], second.image, atol=1e-6)


def test_the_weight_is_shown_to_networks_that_need_it() -> None:
    """One per image; a change of the weight alone changes the answer."""
    data, net = random_image(2, 1, 9, 9), CASES["witness, tikhonov"][0].eval()
    with torch.no_grad():
        both = net(md.models.whittaker_tikhonov(data, torch.tensor([0.1, 10.0]).reshape(2, 1, 1, 1)))
        light, heavy = (net(md.models.whittaker_tikhonov(data[1:], w)) for w in (0.1, 10.0))
    assert torch.allclose(both.image[1:], heavy.image, atol=1e-6)
    assert not torch.allclose(light.image, heavy.image, atol=1e-3)


def test_a_grey_network_takes_separate_channels_one_by_one() -> None:
    data, net = random_image(2, 3, 7, 9), witness().eval()
    model = md.models.rof(data, 0.1, joint=False)
    with torch.no_grad():
        together = net(model)
        apart = [net(md.models.rof(data[:, c : c + 1], 0.1)) for c in range(3)]
    assert torch.allclose(together.image, torch.cat([a.image for a in apart], dim=1), atol=1e-6)
    assert torch.allclose(together.dual, torch.cat([a.dual for a in apart], dim=1), atol=1e-6)
    assert md.answer(model, net, finish=md.solvers.PrimalDual()).outcome.certified


def test_a_grey_network_refuses_coupled_channels() -> None:
    with pytest.raises(InputError, match=r"knows 1 channel, and the image has 3 channels.*joint=False"):
        witness()(md.models.rof(random_image(1, 3, 4, 4), 0.1))
    with pytest.raises(InputError, match="knows 3 channels, and the image has 1 channel"):
        witness(3)(md.models.rof(random_image(1, 1, 4, 4), 0.1))


def test_known_pixels_stay_as_they_are() -> None:
    data = random_image(1, 3, 9, 9)
    model = harmonic(data)
    candidate = CASES["direct, harmonic"][0](model)
    mask = model.data_term.mask.expand_as(data)
    assert torch.equal(candidate.image[mask], data[mask])


@pytest.mark.parametrize(
    ("net", "model", "message"),
    [
        (witness(), Smooth(torch.zeros(1, 1, 4, 4)), "needs a SaddlePoint, and Smooth is none"),
        (
            witness(),
            md.models.whittaker_tikhonov(torch.zeros(1, 1, 4, 4), 1.0),
            "WitnessHead cannot answer whittaker_tikhonov: it has no half squared data term with total variation",
        ),
        (
            CASES["direct, harmonic"][0],
            md.models.rof(torch.zeros(1, 1, 4, 4), 1.0),
            "it has no mask of known pixels",
        ),
    ],
)
def test_models_that_a_network_cannot_answer(net: object, model: md.Energy, message: str) -> None:
    with pytest.raises(ViewError, match=message):
        net(model)


def test_a_reading_is_an_object() -> None:
    with pytest.raises(InputError, match=r"needs an object such as Start\(\)"):
        WitnessHead(md.nets.UNet(1, 2), InUnitsOfWeight)


def test_called_with_an_image_instead_of_a_model() -> None:
    with pytest.raises(InputError, match=r"is called with a model such as rof\(data, weight\)"):
        witness()(torch.zeros(1, 1, 4, 4))


def test_networks_with_the_wrong_number_of_outputs() -> None:
    model = md.models.rof(torch.zeros(1, 1, 4, 4), 0.1)
    with pytest.raises(InputError, match="needs a network with 2 outputs for each channel"):
        WitnessHead(md.nets.UNet(1, 1), InUnitsOfWeight())(model)
    with pytest.raises(InputError, match="needs a network with 1 output for each channel"):
        Direct(md.nets.UNet(1, 2), Start())(model)
    with pytest.raises(InputError, match="must keep the size"):
        Direct(nn.Conv2d(1, 1, 3), Start())(model)


# answer


def test_an_answer_tells_what_the_network_did_and_what_the_solver_did() -> None:
    model = md.models.rof(random_image(2, 1, 20, 24), 0.1)
    alone = md.answer(model, witness(size=0.2))
    assert alone.outcome is Outcome.UNFINISHED and alone.steps.tolist() == [0, 0]
    finished = md.answer(model, witness(size=0.2), finish=md.solvers.PrimalDual())
    assert finished.outcome.certified and finished.solver.title == "WitnessHead then PrimalDual"
    assert torch.equal(finished.trace.bound[0], alone.certificate.bound)
    assert 0 < float(finished.trace.seconds[0]) <= finished.seconds
    with pytest.raises(md.errors.NotSolvedError):
        alone.require()


def test_a_finished_answer_is_the_solution() -> None:
    model = md.models.rof(random_image(1, 1, 20, 24, dtype=torch.float64), 0.1)
    cold = md.minimise(model, stop=md.Stop(1e-8))
    warm = md.answer(model, witness(size=5.0), 1e-8, finish=md.solvers.PrimalDual())
    assert (cold.image - warm.image).abs().max() * 255 < float(cold.certificate.maximum + warm.certificate.maximum)
    assert (cold.image - warm.image).abs().max() < 1e-4


def test_a_good_dual_field_saves_steps() -> None:
    """The solver takes up the network's dual field, not only its image."""
    model = md.models.rof(random_image(1, 1, 32, 32), 0.1)
    near = md.minimise(model, stop=md.Stop(1e-3))

    class Near(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return near.dual.flatten(1, 2) / 0.1

    finish = md.solvers.PrimalDual(step_size=0.3)
    stop = md.Stop(1e-4, every=1)
    cold = md.minimise(model, finish, stop=stop)
    warm = md.minimise(model, finish, WitnessHead(Near(), InUnitsOfWeight())(model), stop=stop)
    only_image = md.minimise(model, finish, near.image, stop=stop)
    assert int(warm.steps) < 0.8 * int(cold.steps)
    assert int(warm.steps) < int(only_image.steps)


def test_an_own_energy_is_finished_by_the_gradient_at_the_data() -> None:
    """Relative to the gradient at an already good answer the tolerance would be out of reach."""
    model = Smooth(random_image(1, 1, 16, 16, dtype=torch.float64))
    near = md.minimise(model, stop=md.Stop(1e-3)).image

    class Near(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return near - model.data

    solution = md.answer(model, Direct(Near(), Start()), 1e-6, finish=md.solvers.GradientDescent())
    assert solution.outcome.met
    scale = float(model.gradient(model.data).norm())
    assert float(solution.certificate.scale) == pytest.approx(scale, rel=1e-9)
    assert float(model.gradient(solution.image).norm()) <= 1e-6 * scale


def test_asked_beyond_its_range_it_warns_and_still_delivers() -> None:
    net = witness(size=0.2)
    net.trained = Range(model="rof", noise=(0.1, 0.1), weight=(0.05, 0.2))
    finish = md.solvers.PrimalDual()
    inside = md.models.rof(random_image(1, 1, 8, 8), 0.1)
    assert md.answer(inside, net, finish=finish).outcome.certified  # warnings are errors here: none came
    for model, said in (
        (md.models.rof(random_image(1, 1, 8, 8), 0.5), r"a weight of 0.5 \(trained: 0.05 to 0.2\)"),
        (md.models.anisotropic_rof(random_image(1, 1, 8, 8), 0.1), r"anisotropic_rof \(trained: rof\)"),
        (md.models.rof(200 * random_image(1, 1, 8, 8), 0.1), r"values from .* to 19\d"),
    ):
        with pytest.warns(OutsideRangeWarning, match=said):
            solution = md.answer(model, net, finish=finish)
        assert solution.outcome.certified
    net = CASES["direct, harmonic"][0]
    net.trained = Range(known=(0.02, 0.1))
    with pytest.warns(OutsideRangeWarning, match=r"a share of known pixels of 0.\d+ \(trained: 0.02 to 0.1\)"):
        md.answer(harmonic(random_image(1, 1, 8, 8)), net)
    net.trained = None


def test_a_network_that_answers_nan() -> None:
    model = md.models.rof(random_image(2, 1, 8, 8), 0.1)

    class Broken(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            output = torch.zeros(2, 2, 8, 8)
            output[1] = torch.nan
            return output

    net = WitnessHead(Broken(), InUnitsOfWeight())
    with pytest.raises(NonFiniteError, match="NaN or infinity for 1 of 2 images"):
        md.answer(model, net)
    with pytest.warns(MindlWarning, match="as if there were no network"):
        solution = md.answer(model, net, finish=md.solvers.PrimalDual())
    assert solution.outcome.certified


def test_wrong_arguments_of_answer() -> None:
    model = md.models.rof(random_image(1, 1, 8, 8), 0.1)
    with pytest.raises(InputError, match="needs a neural solver such as"):
        md.answer(model, md.nets.UNet(1, 2))
    with pytest.raises(InputError, match=r"needs a solver such as PrimalDual\(\), or None"):
        md.answer(model, witness(), finish=True)
    with pytest.raises(ViewError, match="ConjugateGradient needs a LinearSystem"):
        md.answer(model, witness(), finish=md.solvers.ConjugateGradient())
    with pytest.raises(md.errors.ToleranceError):
        md.answer(model, witness(), 1e-9)


def test_answering_does_not_change_the_network() -> None:
    net = witness().train()
    before = [p.clone() for p in net.parameters()]
    model = md.models.rof(random_image(1, 1, 8, 8), 0.1)
    md.answer(model, net, finish=md.solvers.PrimalDual())
    assert net.training and all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))
    assert all(p.grad is None for p in net.parameters())


# Pull and push


@given(seed=st.integers(0, 99), height=st.integers(1, 12), width=st.integers(1, 12), density=st.floats(0.02, 1))
def test_pull_push_keeps_known_pixels_and_their_range(seed: int, height: int, width: int, density: float) -> None:
    image = random_image(2, 1, height, width, seed=seed)
    mask = md.images.random_mask(height, width, density, seed=seed, batch=2)
    filled = md.calculus.pull_push(torch.where(mask, image, torch.nan), mask)
    assert torch.equal(filled[mask], image[mask])
    for one, values, known in zip(filled, image, mask, strict=True):
        low, high = values[known].min(), values[known].max()
        assert one.min() >= low - 1e-6 and one.max() <= high + 1e-6


def test_pull_push_averages_pairs_on_the_way_up() -> None:
    """One known pixel fills everything; two in one block give their mean beyond it."""
    one = torch.zeros(1, 1, 8, 8)
    mask = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    one[..., 3, 5], mask[..., 3, 5] = 0.7, True
    assert torch.allclose(md.calculus.pull_push(one, mask), torch.full((1, 1, 8, 8), 0.7))
    one[..., 3, 4], mask[..., 3, 4] = 0.3, True
    assert torch.allclose(md.calculus.pull_push(one, mask)[~mask], torch.full((62,), 0.5))


def test_the_image_is_the_data_plus_the_divergence() -> None:
    """u = f + div p, with an independent divergence."""
    data = random_image(1, 1, 5, 6)
    candidate = witness()(md.models.rof(data, 0.1))
    px, py = candidate.dual[0, 0].detach().numpy()
    divergence = np.zeros((5, 6))
    divergence[:, :-1] += px[:, :-1]
    divergence[:, 1:] -= px[:, :-1]
    divergence[:-1] += py[:-1]
    divergence[1:] -= py[:-1]
    got = (candidate.image - data)[0, 0].detach().numpy()
    assert np.abs(got - divergence).max() < 1e-6


def test_a_network_is_used_as_such_and_left_as_it_was() -> None:
    """Dropout is off while it answers, and on again afterwards, also after an error."""
    net = WitnessHead(nn.Sequential(nn.Dropout(0.5), md.nets.UNet(1, 2, widths=(4, 4))), InUnitsOfWeight()).train()
    wild(net, size=2.0)
    model = md.models.rof(random_image(1, 1, 8, 8), 0.1)
    assert torch.equal(md.answer(model, net).image, md.answer(model, net).image)
    with pytest.raises(ZeroDivisionError), in_use(net):
        assert not net.training
        raise ZeroDivisionError
    assert net.training
