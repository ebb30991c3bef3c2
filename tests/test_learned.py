"""What learns inside solvers: splines, descent steps, dual corrections, energies; and networks refined by
steps."""

from __future__ import annotations

import pytest
import torch
from conftest import random_image

import mindl as md
from mindl.calculus.free_spline import free_spline, plain_spline
from mindl.core.errors import InputError, MindlWarning, ViewError
from mindl.learning import Denoising, EnergyLoss, Inpainting, SolutionLoss, Training, Validation, solved
from mindl.models import SmoothEnergy
from mindl.nets import UNet, VariationalNetwork
from mindl.nets import variational as variational_file
from mindl.neural import (
    Direct,
    DualCorrection,
    Extrapolation,
    Filled,
    InUnitsOfWeight,
    LearnedModel,
    Minimised,
    Refined,
    RidgeRegulariser,
    Start,
    StepSizes,
    Unrolled,
    WitnessHead,
)
from mindl.solvers import AcceleratedGradient, DualFISTA, GradientDescent, PrimalDual


def wild(net, seed=0, spread=0.3):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += spread * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
    return net


# -- splines ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_sweep_is_the_plain_spline(dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(
        5, 3, 40, generator=generator, dtype=dtype
    ).requires_grad_()  # knots from -1 to 1: some are outside
    table = torch.randn(3, 7, generator=generator, dtype=dtype).requires_grad_()
    weights = torch.randn(5, 3, 40, generator=generator, dtype=dtype)
    fast, plain = free_spline(x, table, 1.0), plain_spline(x, table, 1.0)
    close = {"rtol": 0, "atol": 50 * torch.finfo(dtype).eps}
    assert torch.allclose(fast, plain, **close)
    for ours, theirs in zip(
        *(torch.autograd.grad((s * weights).sum(), (x, table)) for s in (fast, plain)), strict=True
    ):
        assert torch.allclose(ours, theirs, **close)
    assert bool((x.abs() > 1).any())


def test_a_spline_by_hand_and_beyond_its_reach() -> None:
    table = torch.tensor([[-1.0, 0.0, 3.0]])
    x = torch.tensor([[[-5.0, -0.5, 0.0, 0.5, 1.0, 7.0]]])
    assert free_spline(x, table, 1.0).flatten().tolist() == [-1.0, -0.5, 0.0, 1.5, 3.0, 3.0]
    assert bool(torch.isnan(free_spline(torch.full((1, 1, 1), torch.nan), table, 1.0)))


def test_derivatives_of_derivatives_of_a_spline() -> None:
    """Of sum(phi(x)^2): the sweep has none by itself, and must not leave any out."""
    table = torch.tensor([[-1.0, 0.5, 3.0]], dtype=torch.float64, requires_grad=True)
    x = torch.tensor([[[-0.7, 0.2, 0.6]]], dtype=torch.float64, requires_grad=True)

    def found(spline):
        (first,) = torch.autograd.grad(spline(x, table, 1.0).square().sum(), x, create_graph=True)
        return torch.autograd.grad(first.square().sum(), (x, table))

    for ours, theirs in zip(found(free_spline), found(plain_spline), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-12) and bool((ours != 0).any())


# -- variational networks --------------------------------------------------------------------------------------


def test_convolutions_and_matrices_give_the_same(monkeypatch) -> None:
    net = wild(VariationalNetwork(2, 2, stages=2, filters=5, kernel=5), spread=0.1)
    image = random_image(2, 2, 9, 6)
    by_matrices = net(image)
    monkeypatch.setattr(variational_file, "MANY", 0)
    assert torch.allclose(net(image), by_matrices, atol=1e-5) and bool((by_matrices - image).abs().max() > 1e-3)


def test_a_stage_is_a_gradient_step() -> None:
    """With phi(s) = s the force K^T K is symmetric, at the border too, and the step is that of |K u|^2 / 2."""
    net = wild(VariationalNetwork(1, 1, stages=1, filters=4, kernel=5, knots=3, reach=50.0)).double()
    with torch.no_grad():
        net.values.copy_(torch.tensor([-500.0, 0.0, 500.0]).expand_as(net.values))  # times 0.1: the identity
        net.strength.fill_(-torch.inf)
    u, v = (random_image(1, 1, 6, 7, seed=s, dtype=torch.float64) for s in (0, 1))
    force = {name: image - net(image) for name, image in (("u", u), ("v", v))}
    assert torch.isclose((force["u"] * v).sum(), (force["v"] * u).sum(), atol=1e-12)
    assert float((force["u"] * u).sum().detach()) > 0


def test_a_variational_network_knows_no_mean_and_its_filters_have_norm_one() -> None:
    net = wild(VariationalNetwork(1, 1, stages=2, filters=6, kernel=3), spread=0.2)
    image = random_image(1, 1, 8, 8)
    assert torch.allclose(net(image + 0.5), net(image) + 0.5, atol=1e-5)
    kernel = net.filters_of(1)
    assert torch.allclose(kernel.flatten(1).norm(dim=1), torch.ones(6)) and kernel.sum((2, 3)).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kernel": 4}, "an odd kernel"),
        ({"filters": 25}, "at most 24 filters"),
        ({"reach": 0.0}, "a reach above 0"),
        ({"outputs": 2}, "as many outputs as inputs"),
    ],
)
def test_wrong_variational_networks(settings, said) -> None:
    with pytest.raises(InputError, match=said):
        VariationalNetwork(1, settings.pop("outputs", 1), **settings)


# -- accelerated gradients -------------------------------------------------------------------------------------


def test_the_energy_falls_as_fast_as_proved() -> None:
    model = md.models.charbonnier(random_image(1, 1, 12, 12, dtype=torch.float64), weight=5.0)
    view = model.view(SmoothEnergy)
    exact = md.minimise(model, stop=md.Stop(1e-12)).image
    least, first = view.energy(exact), model.start()
    solver = AcceleratedGradient(restart=False)
    state = solver.begin(view, md.models.Candidate(first))
    room = 2 * view.lipschitz * float((first - exact).square().sum())
    for k in range(60):
        state = solver.step(view, state)
        assert float(view.energy(state.image) - least) <= room / (k + 2) ** 2


def test_momentum_pays_and_never_exceeds_what_the_condition_allows() -> None:
    model = md.models.charbonnier(random_image(1, 1, 12, 12), weight=10.0)
    steps = {
        solver.title: int(md.minimise(model, solver, stop=md.Stop(1e-4, every=1)).steps.max())
        for solver in (AcceleratedGradient(), GradientDescent())
    }
    assert steps["AcceleratedGradient"] < 0.5 * steps["GradientDescent"]
    linear = md.models.whittaker_tikhonov(random_image(1, 1, 8, 8), weight=1e-9)  # condition 1: no momentum at all
    view, solver = linear.view(SmoothEnergy), AcceleratedGradient()
    state = solver.begin(view, md.models.Candidate(torch.zeros(1, 1, 8, 8)))
    for _ in range(3):
        state = solver.step(view, state)
    assert torch.allclose(state.image, state.extrapolated, atol=1e-6)


def test_wrong_accelerated_gradients() -> None:
    with pytest.raises(InputError, match="a share of 1 / lipschitz"):
        AcceleratedGradient(1.5)
    image, known = random_image(1, 1, 8, 8), md.images.random_mask(8, 8, 0.5, seed=0)
    with pytest.raises(InputError, match="LBFGS"):
        md.minimise(md.models.elastica_inpainting(image, known), AcceleratedGradient())


# -- corrections of a dual field -------------------------------------------------------------------------------


def corrected(solver, **more):
    return Unrolled(solver, 3, [StepSizes(), Extrapolation(), DualCorrection(4, 2, **more)])


@pytest.mark.parametrize("solver", [PrimalDual(), PrimalDual(acceleration=0.0), DualFISTA()])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_fresh_correction_changes_nothing(solver, channels) -> None:
    model = md.models.rof(random_image(2, channels, 7, 9, dtype=torch.float64), weight=0.1)
    ours, plain = corrected(solver).double()(model), Unrolled(solver, 3)(model)
    assert torch.allclose(ours.image, plain.image, atol=1e-12) and torch.allclose(
        ours.dual, plain.dual, atol=1e-12
    )


@pytest.mark.parametrize("solver", [PrimalDual(), DualFISTA()])
def test_whatever_it_learns_the_field_proves_the_distance(solver) -> None:
    weight = torch.tensor([0.05, 0.3], dtype=torch.float64)
    model = md.models.rof(random_image(2, 1, 12, 12, dtype=torch.float64), weight.reshape(2, 1, 1, 1))
    net = wild(corrected(solver)).double()
    answer, exact = md.answer(model, net), md.minimise(model, stop=md.Stop(1e-8)).image
    assert bool((answer.dual.norm(dim=2).amax((1, 2, 3)) <= weight * (1 + 1e-12)).all())
    error = 255 * (answer.image - exact).square().mean((1, 2, 3)).sqrt()
    assert bool((error <= answer.certificate.rms).all()) and float(error.max()) > 1


def test_a_correction_scales_with_image_and_weight() -> None:
    data = random_image(1, 1, 8, 8, dtype=torch.float64)
    net = wild(corrected(PrimalDual(), memory=2)).double()
    one, ten = (net(md.models.rof(c * data, weight=c * 0.1)).image for c in (1.0, 10.0))
    assert torch.allclose(10 * one, ten, atol=1e-10)


def test_corrections_with_nothing_to_correct() -> None:
    with pytest.raises(InputError, match="GradientDescent has none: PrimalDual"):
        Unrolled(GradientDescent(), 2, [DualCorrection()])
    with pytest.raises(InputError, match="needs whole numbers"):
        DualCorrection(depth=1)
    net, image = corrected(PrimalDual()), random_image(1, 1, 6, 6)
    with pytest.raises(ViewError, match="for DualCorrection"):
        net(md.models.tv_l1(image, 0.5))
    with pytest.raises(ViewError, match=r"DualCorrection\(..., components=8\)"):
        net(md.models.rotation_averaged_rof(image, 0.1))


@pytest.mark.slow
def test_a_correction_learns_to_close_the_gap() -> None:
    """A few seconds of training beat the same steps with only their sizes learned."""
    leaves, gaps = md.data.DeadLeaves(4, size=32), {}
    for name, more in (("sizes", []), ("corrected", [DualCorrection(8, 2)])):
        net = Unrolled(PrimalDual(step_size=0.5), 3, [StepSizes(), *more])
        settings = Training(steps=60, batch=4, crop=24, loss=md.learning.GapLoss(), average=None)
        run = md.fit(net, Denoising(), leaves, settings, monitor=None)
        gaps[name] = sum(row["loss"] for row in run.record[-10:])
    assert gaps["corrected"] < 0.7 * gaps["sizes"]


# -- networks and steps ----------------------------------------------------------------------------------------


def test_a_refined_answer_is_the_networks_and_then_the_steps() -> None:
    first = wild(WitnessHead(UNet(1, 2, widths=(4, 4)), InUnitsOfWeight()))
    steps = Unrolled(PrimalDual(step_size=0.1), 3, [StepSizes()])
    net, model = Refined(first, steps), md.models.rof(random_image(1, 1, 10, 11), weight=0.1)
    assert torch.equal(net(model).image, steps(model, first(model)).image)
    bounds = [float(md.answer(model, each).certificate.bound.max()) for each in (first, net)]
    assert bounds[1] < bounds[0]
    with pytest.raises(InputError, match="needs a neural solver"):
        Refined(UNet(1, 1), steps)
    with pytest.raises(InputError, match="needs steps such as"):
        Refined(first, PrimalDual())
    with pytest.raises(ViewError):
        net(md.models.whittaker_tikhonov(random_image(1, 1, 6, 6), weight=1.0))


# -- learned energies ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("modulus", [1.0, 0.1])
def test_a_learned_energy_keeps_its_modulus_and_its_steps_find_its_minimiser(modulus) -> None:
    regulariser = wild(RidgeRegulariser(4, 3, modulus=modulus, steepest=3.0), spread=1.0)
    net = LearnedModel(regulariser, Unrolled(AcceleratedGradient(), 400))
    noisy = md.models.rof(random_image(1, 1, 12, 12), weight=0.1)
    energy = net.learned(noisy)
    view = energy.view(SmoothEnergy)
    assert view.modulus >= modulus - 1e-9
    u, v = (random_image(1, 1, 12, 12, seed=s, dtype=torch.float64) for s in (3, 4))
    along = float(((view.gradient(u) - view.gradient(v)) * (u - v)).sum().detach())
    square = float((u - v).square().sum())
    assert modulus * square <= along <= view.lipschitz * square
    solution = md.minimise(energy, stop=md.Stop(1e-4))
    assert solution.outcome.certified and float(solution.certificate.rms) < 1
    assert torch.allclose(net(noisy).image, solution.image, atol=1e-3)


def test_the_gradient_of_a_learned_energy_is_that_of_its_energy() -> None:
    """The splines of all filters at once, against the formula by magnitudes."""
    model = wild(RidgeRegulariser(4, 3, modulus=0.1), spread=1.0).double()(
        random_image(1, 1, 9, 8, dtype=torch.float64)
    )
    u = random_image(1, 1, 9, 8, seed=5, dtype=torch.float64)
    by_autograd = torch.autograd.functional.jacobian(lambda x: model.energy(x).sum(), u)
    assert torch.allclose(model.view(SmoothEnergy).gradient(u), by_autograd, atol=1e-10)


def test_the_minimiser_of_a_learned_energy_is_differentiated_exactly() -> None:
    """Against differences of two minimisers, whatever the solver did to find them."""
    regulariser = wild(RidgeRegulariser(3, 3, intervals=4, modulus=0.5), spread=0.5).double()
    with torch.no_grad():  # at their bounds slopes are taken as if they could leave
        regulariser.slopes.copy_(torch.linspace(0.9, 0.1, 12, dtype=torch.float64).reshape(3, 4))
    steps = Minimised(AcceleratedGradient(), tolerance=1e-10, derivative=1e-9)
    net = LearnedModel(regulariser, steps)
    noisy = md.models.rof(random_image(1, 1, 9, 8, dtype=torch.float64), weight=0.1)
    goal = random_image(1, 1, 9, 8, seed=4, dtype=torch.float64)
    (net(noisy).image * goal).sum().backward()
    for parameter in (regulariser.kernel, regulariser.slopes):
        way = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        found, ends, h = float((parameter.grad * way).sum()), [], 1e-5
        for sign in (1, -1):
            with torch.no_grad():
                parameter += sign * h * way
                ends.append(float((net(noisy).image * goal).sum()))
                parameter -= sign * h * way
        assert found == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-4)
        assert abs(found) > 1e-6


def test_a_rough_derivative_is_near_the_exact_one() -> None:
    """In the image's own type, where that is enough; as it is trained."""
    noisy = md.models.rof(random_image(2, 1, 24, 24), weight=0.1)
    found = []
    for tolerance, derivative in ((1e-5, 1e-6), (1e-2, 0.1)):
        regulariser = wild(RidgeRegulariser(4, 3, modulus=0.1, steepest=4.0), spread=0.5)
        net = LearnedModel(
            regulariser, Minimised(AcceleratedGradient(), tolerance=tolerance, derivative=derivative)
        )
        net(noisy).image.square().mean().backward()
        found.append(torch.cat([p.grad.flatten() for p in net.parameters()]))
    exact, rough = found
    assert float((rough - exact).norm()) < 0.15 * float(exact.norm())


def test_a_minimiser_that_is_not_reached_is_told() -> None:
    noisy = md.models.rof(random_image(1, 1, 16, 16), weight=0.1)
    net = LearnedModel(RidgeRegulariser(2, 3), Minimised(AcceleratedGradient(), tolerance=1e-6, steps=2))
    with pytest.warns(MindlWarning, match="not within 1e-06 after 2 steps"):
        net(noisy)
    with torch.no_grad():  # a dual field where there is one
        assert Minimised(PrimalDual())(noisy).dual is not None
    with pytest.raises(ViewError, match=r"Implicit\(\) differentiates smooth, strongly monotone models"):
        Minimised(PrimalDual())(noisy)


def test_wrong_learned_models() -> None:
    for wrong in ({"tolerance": 0.0}, {"tolerance": "low"}, {"derivative": 1.0}, {"steps": 0}):
        with pytest.raises(InputError, match=r"needs tolerances in \(0, 1\) and a step"):
            Minimised(AcceleratedGradient(), **wrong)
    steps = Unrolled(AcceleratedGradient(), 2)
    with pytest.raises(InputError, match=r"RidgeRegulariser\(\)"):
        LearnedModel(UNet(1, 1), steps)
    with pytest.raises(InputError, match="an unrolled solver"):
        LearnedModel(RidgeRegulariser(), AcceleratedGradient())
    with pytest.raises(InputError, match="steepest=0"):
        RidgeRegulariser(steepest=0)
    image = random_image(1, 1, 8, 8)
    with pytest.raises(ViewError, match="no half squared data term"):
        LearnedModel(RidgeRegulariser(), steps)(md.models.tv_l1(image, 0.5))


# -- every kind of model ---------------------------------------------------------------------------------------


def test_a_network_that_learns_where_a_flow_comes_to_rest() -> None:
    task, leaves = Inpainting(model_of=md.models.eed_inpainting, known=(0.2, 0.2)), md.data.DeadLeaves(3, size=24)
    problems = solved(task, leaves, count=3, crop=16, stop=md.Stop(1e-2))
    assert bool(problems.certificates["met"].all())
    examine = Validation(task, md.data.DeadLeaves(1, size=24, seed=9), count=1, crop=16, stop=md.Stop(1e-2))
    net = Direct(UNet(2, 1, widths=(4, 4)), Filled())
    settings = Training(steps=3, batch=2, crop=16, loss=SolutionLoss())
    run = md.fit(net, task, problems, settings, validation=examine)
    assert run.finished and 0 < run.record[-1]["excess"] < 2 and run.record[-1]["rms"] == torch.inf
    model = examine.model
    alone, exact = md.answer(model, net), md.answer(model, net, 1e-3, finish=md.neural.finisher(model))
    known = md.models.known_pixels(model)
    assert torch.equal(alone.image[known.mask], known.data[known.mask])
    assert not alone.outcome.met and exact.outcome.met and not exact.outcome.certified
    rest = md.steady_state(model, stop=md.Stop(1e-3)).image
    assert float((exact.image - rest).abs().max()) < 0.05
    with pytest.raises(ViewError, match="eed_inpainting is no Energy"):
        md.fit(net, task, leaves, Training(steps=1, batch=1, crop=16, loss=EnergyLoss()))


def test_a_network_for_elastica_serves_colour_by_channel_and_warns_outside_its_range() -> None:
    net = wild(Direct(UNet(2, 1, widths=(4, 4)), Filled()), spread=0.1)
    net.trained = md.neural.Range(model="elastica_inpainting", known=(0.3, 0.5))
    colour, known = random_image(1, 3, 12, 12), md.images.random_mask(12, 12, 0.4, seed=0)
    model = md.models.elastica_inpainting(colour, known)
    together = md.answer(model, net)
    alone = net(md.models.elastica_inpainting(colour[:, 1:2], known)).image
    assert torch.allclose(together.image[:, 1:2], alone, atol=1e-6)
    finished = md.answer(model, net, finish=md.solvers.LBFGS(), steps=10)
    assert float(model.energy(finished.image)) < float(model.energy(together.image))
    few = md.models.elastica_inpainting(colour, md.images.random_mask(12, 12, 0.1, seed=0))
    with pytest.warns(
        md.core.errors.OutsideRangeWarning, match=r"known pixels of 0\.\d+ \(trained: 0\.3 to 0\.5\)"
    ):
        md.answer(few, net)


def test_a_network_for_the_second_order() -> None:
    """TGV: image and slopes from one network; scaling data and weight scales the answer."""
    data = random_image(1, 1, 10, 9)
    net = wild(Direct(UNet(1, 3, widths=(4, 4)), InUnitsOfWeight()), spread=0.1)
    model = md.models.tgv(data, 0.1)
    one, ten = net(model).image, net(md.models.tgv(10 * data, 1.0)).image
    assert one.shape == (1, 3, 10, 9) and torch.allclose(10 * one, ten, atol=1e-4)
    solution = md.answer(model, net)
    assert solution.image.shape == data.shape
    finished = md.answer(model, net, 1e-2, finish=PrimalDual())
    assert finished.outcome.certified
    with pytest.raises(ViewError, match="does not follow from a dual field: take Direct"):
        WitnessHead(UNet(1, 5, widths=(4, 4)), InUnitsOfWeight())(model)
    with pytest.raises(InputError, match="3 outputs for each channel of tgv, got 1"):
        Direct(UNet(1, 1, widths=(4, 4)), Start())(model)
