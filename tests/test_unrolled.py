"""Networks that are solvers: equal at first, stable while they learn, and what does not hold."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import random_image
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import mindl as md
from mindl.calculus import Charbonnier, Gradient, Huber, PeronaMalik
from mindl.calculus.filter_bank import Beside, FilterBank
from mindl.calculus.modulated import LinearFactor, Modulated, RadialFactor
from mindl.calculus.norms import transfer_bound
from mindl.core.errors import InputError, MindlWarning, ViewError
from mindl.models import Candidate
from mindl.neural import (
    DiffusionTensor,
    Extrapolation,
    Filters,
    ModelWeight,
    RadialPenaliser,
    SplinePenaliser,
    StepSizes,
    Unrolled,
)
from mindl.solvers import (
    ADMM,
    AOS,
    FED,
    FSI,
    ConjugateGradient,
    DualFISTA,
    DuFortFrankel,
    Explicit,
    GradientDescent,
    HaarShrinkage,
    Jacobi,
    LaggedDiffusivity,
    Multigrid,
    PrimalDual,
    SemiImplicit,
)

Make = Callable[[Tensor], Any]
MODELS: dict[str, Make] = {
    "charbonnier_flow": lambda f: md.models.charbonnier_flow(f, 0.1),
    "nonlinear_diffusion": lambda f: md.models.nonlinear_diffusion(f, PeronaMalik(0.1)),
    "haar_diffusion": lambda f: md.models.haar_diffusion(f, PeronaMalik(0.2)),
    "eed": lambda f: md.models.edge_enhancing_diffusion(f, PeronaMalik(0.2)),
    "ced": lambda f: md.models.coherence_enhancing_diffusion(f, 0.1),
    "charbonnier": lambda f: md.models.charbonnier(f, weight=2.0, contrast=0.1),
    "perona_malik": lambda f: md.models.perona_malik(f, weight=0.9, contrast=0.1),
    "rof": lambda f: md.models.rof(f, weight=0.1),
    "huber_rof": lambda f: md.models.huber_rof(f, weight=0.1, contrast=0.02),
    "tv_l1": lambda f: md.models.tv_l1(f, weight=0.9),
    "tgv": lambda f: md.models.tgv(f, weight=0.1),
    "whittaker": lambda f: md.models.whittaker_tikhonov(f, weight=3.0),
}

NUMBERS = (StepSizes, Extrapolation)
PSI = (SplinePenaliser, RadialPenaliser)
CASES = [
    (Explicit(), "charbonnier_flow", [StepSizes, *PSI, Filters]),
    (Explicit(0.2), "nonlinear_diffusion", [StepSizes, *PSI]),
    (Explicit(), "haar_diffusion", [StepSizes, *PSI]),
    (Explicit(), "eed", [StepSizes, *PSI, DiffusionTensor]),
    (Explicit(), "ced", [StepSizes, DiffusionTensor]),
    (Explicit(), "perona_malik", [StepSizes, *PSI, ModelWeight, Filters]),
    (GradientDescent(), "charbonnier", [StepSizes, *PSI, ModelWeight, Filters]),
    (GradientDescent(), "perona_malik", [StepSizes, *PSI, ModelWeight, Filters]),
    (DuFortFrankel(0.7), "charbonnier_flow", [Extrapolation, *PSI, Filters]),
    (DuFortFrankel(0.7), "nonlinear_diffusion", [Extrapolation, *PSI]),
    (FED(4), "charbonnier_flow", [StepSizes, *PSI, Filters]),
    (FED(3), "eed", [StepSizes, DiffusionTensor]),
    (FSI(4), "nonlinear_diffusion", [*NUMBERS, *PSI]),
    (SemiImplicit(2.0, tolerance=1e-13), "charbonnier_flow", [StepSizes, *PSI, Filters]),
    (SemiImplicit(2.0, tolerance=1e-13), "eed", [StepSizes, DiffusionTensor]),
    (LaggedDiffusivity(1e-13), "charbonnier", [*PSI, ModelWeight, Filters]),
    (AOS(3.0), "nonlinear_diffusion", [StepSizes, *PSI]),
    (HaarShrinkage(), "haar_diffusion", [StepSizes, *PSI]),
    (PrimalDual(), "rof", [*NUMBERS, *PSI, ModelWeight, Filters]),
    (PrimalDual(), "huber_rof", [*NUMBERS, *PSI, ModelWeight, Filters]),
    (PrimalDual(), "tv_l1", [*NUMBERS, *PSI, ModelWeight]),
    (DualFISTA(), "rof", [*NUMBERS, *PSI, ModelWeight, Filters]),
    (DualFISTA(accelerate=False), "rof", [StepSizes, *PSI, Filters]),
    (ADMM(), "rof", [StepSizes, *PSI, ModelWeight]),
    (PrimalDual(), "tgv", [*NUMBERS]),
    (Jacobi(), "whittaker", []),
    (ConjugateGradient(), "whittaker", []),
    (Multigrid(), "whittaker", []),
]
IDS = [f"{solver.title}-{model}" for solver, model, _ in CASES]
STEPS = 4


def suited(solver: Any, dtype: torch.dtype) -> Any:
    """With a tolerance that the type can reach."""
    return (
        replace(solver, tolerance=1e-6) if isinstance(solver, SemiImplicit) and dtype is torch.float32 else solver
    )


def plain(solver: Any, model: Any, steps: int = STEPS) -> Candidate:
    """The solver's own pure steps from the model's start."""
    view = model.view(solver.accepts)
    state = solver.begin(view, Candidate(model.start()))
    for _ in range(steps):
        state = solver.step(view, state)
    return solver.candidate(view, state)


def rand(*shape: int, seed: int = 0) -> Tensor:
    return random_image(*shape, seed=seed, dtype=torch.float64)


def shaken(net: torch.nn.Module, size: float, seed: int = 0) -> torch.nn.Module:
    """All parameters moved at random."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += size * torch.randn(parameter.shape, generator=generator)
    return net


# Equal at first -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])
@pytest.mark.parametrize(("solver", "name", "learn"), CASES, ids=IDS)
def test_a_network_equals_its_solver_at_first(solver: Any, name: str, learn: list[Any], shared: bool) -> None:
    for dtype, tolerance in ((torch.float32, 1e-6), (torch.float64, 1e-12)):
        model = MODELS[name](random_image(2, 3 if name != "tgv" else 1, 9, 7, dtype=dtype))
        net = Unrolled(suited(solver, dtype), STEPS, [kind(shared=shared) for kind in learn])
        found, wanted = net(model), plain(suited(solver, dtype), model)
        assert found.image.dtype == dtype
        assert torch.allclose(found.image, wanted.image, rtol=0, atol=tolerance), name
        keeps = wanted.dual is not None and Filters not in learn
        assert (found.dual is not None) == keeps
        if keeps:
            assert torch.allclose(found.dual, wanted.dual, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("solver", "name", "learn"),
    [c for c in CASES if c[2]],
    ids=[i for i, c in zip(IDS, CASES, strict=True) if c[2]],
)
def test_every_parameter_is_alive_and_changes_the_answer(solver: Any, name: str, learn: list[Any]) -> None:
    """After one random move each parameter has a derivative, and the answer is another one."""
    model = MODELS[name](rand(1, 1, 11, 10))
    for kind in learn:
        net = Unrolled(solver, STEPS, [kind()])
        before = net(model).image
        shaken(net, 0.05)
        after = net(model).image
        assert torch.isfinite(after).all()
        assert not torch.allclose(before, after, rtol=0, atol=1e-9), kind.__name__
        after.square().sum().backward()
        for label, parameter in net.named_parameters():
            assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), (kind.__name__, label)
            assert parameter.grad.abs().max() > 0, (kind.__name__, label)


# Derivatives --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("solver", "name", "kind"),
    [
        (Explicit(), "charbonnier_flow", SplinePenaliser),
        (Explicit(), "eed", DiffusionTensor),
        (SemiImplicit(2.0, tolerance=1e-14), "charbonnier_flow", StepSizes),
        (SemiImplicit(2.0, tolerance=1e-14), "charbonnier_flow", SplinePenaliser),
        (LaggedDiffusivity(1e-14), "charbonnier", ModelWeight),
        (GradientDescent(), "charbonnier", Filters),
        (PrimalDual(), "rof", StepSizes),
        (FSI(3), "nonlinear_diffusion", Extrapolation),
    ],
    ids=lambda value: getattr(value, "title", getattr(value, "__name__", value)),
)
def test_derivatives_are_those_of_differences(solver: Any, name: str, kind: Any) -> None:
    model = MODELS[name](rand(1, 1, 6, 5, seed=3))
    net = shaken(Unrolled(solver, 3, [kind()]), 0.05).double()
    with torch.no_grad():  # inside of all bounds, where differences are two-sided
        if kind is Filters:
            net.learn[0].gains += 0.4 - net.learn[0].gains.round()
        elif kind in (SplinePenaliser, DiffusionTensor):
            net.learn[0].values -= 0.3
    wanted = rand(1, 1, 6, 5, seed=4)

    def loss() -> Tensor:
        return ((net(model).image - wanted) ** 2).sum()

    generator = torch.Generator().manual_seed(1)
    directions = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in net.parameters()]
    grads = torch.autograd.grad(loss(), list(net.parameters()))
    slope = sum(float((g * d).sum()) for g, d in zip(grads, directions, strict=True))
    values, h, ends = [p.detach().clone() for p in net.parameters()], 1e-6, []
    with torch.no_grad():
        for sign in (-1, 1):
            for p, v, d in zip(net.parameters(), values, directions, strict=True):
                p.copy_(v + sign * h * d)
            ends.append(float(loss()))
    assert slope == pytest.approx((ends[1] - ends[0]) / (2 * h), rel=1e-6, abs=1e-8)


def test_dual_steps_without_momentum_are_projected_gradients() -> None:
    """ISTA on the dual, written out: p <- P(p + tau K (f - K^T p)) with tau = 1 / |K|^2 and |p| <= w."""
    data, gradient = rand(1, 1, 7, 6, seed=2), Gradient()
    p = torch.zeros(1, 1, 2, 7, 6, dtype=torch.float64)
    for _ in range(5):
        p = p + gradient(data - gradient.adjoint(p)) / gradient.norm_squared(7, 6)
        p = p / (p.square().sum(dim=2, keepdim=True).sqrt() / 0.1).clamp(min=1)
    solver = DualFISTA(accelerate=False)
    found = Unrolled(solver, 5)(md.models.rof(data, weight=0.1))
    assert torch.allclose(found.dual, p, atol=1e-14)
    assert torch.allclose(found.image, data - gradient.adjoint(p), atol=1e-14)
    md.testing.check_solver(solver, md.models.rof(data, weight=0.1))


def test_a_semi_implicit_step_has_the_derivative_of_a_dense_solve() -> None:
    """(I + tau A(f)) u = f on a small image, A probed column by column, differentiated by torch's own solver."""
    data = rand(1, 1, 3, 4, seed=5).requires_grad_()
    weights = rand(12, seed=6)
    for make in (lambda f: md.models.charbonnier_flow(f, 0.3), lambda f: md.models.edge_enhancing_diffusion(f)):
        flow = make(data)
        found = Unrolled(SemiImplicit(0.8, tolerance=1e-14), 1)(flow).image
        frozen = flow.frozen(data)
        units = torch.eye(12, dtype=torch.float64).reshape(12, 1, 3, 4)
        matrix = torch.stack([frozen.gradient(unit[None]).flatten() for unit in units], dim=1)
        dense = torch.linalg.solve(torch.eye(12, dtype=torch.float64) + 0.8 * matrix, data.flatten())
        assert torch.allclose(found.flatten(), dense, atol=1e-12)
        one, other = (
            torch.autograd.grad((u.flatten() * weights).sum(), data, retain_graph=True)[0] for u in (found, dense)
        )
        assert torch.allclose(one, other, atol=1e-10)


def test_a_fixed_point_is_the_solution_and_has_its_derivative() -> None:
    """Against the minimiser, against many layers, and against implicit differentiation of the energy."""
    data = rand(1, 1, 7, 6, seed=7).requires_grad_()
    model = md.models.charbonnier(data, weight=0.5, contrast=0.2)
    learn = [SplinePenaliser(5, shared=True), ModelWeight(shared=True)]
    net = md.neural.Equilibrium(GradientDescent(), tolerance=1e-13, steps=2000)
    exact = md.minimise(model, md.solvers.Newton(), stop=md.Stop(1e-12), differentiate=md.solvers.Implicit()).image
    found = net(model).image
    assert torch.allclose(found, exact, atol=1e-11)
    weights = rand(1, 1, 7, 6, seed=8)
    one, other = (torch.autograd.grad((u * weights).sum(), data)[0] for u in (found, exact))
    assert torch.allclose(one, other, atol=1e-9)

    model = md.models.charbonnier(data.detach(), weight=0.5, contrast=0.2)
    deep = md.neural.Equilibrium(GradientDescent(), learn, tolerance=1e-12, steps=2000)
    with torch.no_grad():  # on its bound the derivative of each layer would be one-sided
        shaken(deep, 0.05).learn[0].values -= 0.3
    long = Unrolled(GradientDescent(), 400, [SplinePenaliser(5, shared=True), ModelWeight(shared=True)])
    long.load_state_dict(deep.state_dict())
    for net in (deep, long):
        (net(model).image * weights).sum().backward()
    for p, q in zip(deep.parameters(), long.parameters(), strict=True):
        assert torch.allclose(p.grad, q.grad, rtol=1e-5, atol=1e-7)


def test_an_implicit_step_of_a_flow_is_a_fixed_point() -> None:
    data = rand(2, 1, 6, 7, seed=9)
    flow = md.models.charbonnier_flow(data, 0.2)
    wanted = md.evolve(flow, md.solvers.ImplicitEuler(3.0, tolerance=1e-11), 3.0).image
    found = md.neural.Equilibrium(GradientDescent(), tolerance=1e-13, steps=4000)(
        flow.implicit_step(data, 3.0)
    ).image
    assert torch.allclose(found, wanted, atol=1e-7)


# Stable while it learns ---------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)),
    which=st.sampled_from(["charbonnier_flow", "nonlinear_diffusion", "haar_diffusion", "eed"]),
    size=st.floats(0.01, 30.0),
)
def test_no_step_makes_an_image_larger_whatever_was_learned(
    seed: int, shape: tuple[int, int, int, int], which: str, size: float
) -> None:
    """|u_k+1| <= |u_k| for 0 <= g <= G and tau <= 2 / (G |K|^2), with arbitrary parameters."""
    flow = MODELS[which](rand(*shape, seed=seed) - 0.5)
    kinds = {
        "charbonnier_flow": [StepSizes(), SplinePenaliser(7), Filters(6, 3, seed=seed)],
        "nonlinear_diffusion": [StepSizes(), RadialPenaliser(7)],
        "haar_diffusion": [StepSizes(), SplinePenaliser(7)],
        "eed": [StepSizes(), SplinePenaliser(7), DiffusionTensor(7)],
    }
    net = shaken(Unrolled(Explicit(), 5, kinds[which]), size, seed)
    sizes = [float(flow.data.norm())]
    with torch.no_grad():
        for steps in range(1, 6):
            net.steps = steps
            sizes.append(float(net(flow).image.norm()))
    assert all(b <= a * (1 + 1e-12) + 1e-15 for a, b in pairwise(sizes)), sizes


@pytest.mark.parametrize("solver", [Explicit(), FED(3), FSI(3), DuFortFrankel(), SemiImplicit()], ids=repr)
@pytest.mark.parametrize(
    "which", ["linear_diffusion", "charbonnier_flow", "haar_diffusion", "edge_enhancing_diffusion"]
)
def test_a_diffusivity_that_learned_to_be_0_moves_nothing(which: str, solver: Any) -> None:
    flow = md.models.FLOWS[which](rand(1, 1, 6, 7))
    if flow.why_not(solver.accepts) is not None:
        pytest.skip(f"{solver.title} does not serve {which}")
    net = Unrolled(solver, 3, [SplinePenaliser(5)])
    with torch.no_grad():
        net.freedoms[0].values.fill_(-1)
        assert torch.allclose(net(flow).image, flow.data, atol=1e-6)


def test_training_hard_against_the_bounds_does_not_break_them() -> None:
    """An optimiser that is paid for making the image larger does not succeed."""
    flow = md.models.charbonnier_flow(rand(1, 1, 12, 12) - 0.5, 0.1)
    net = Unrolled(Explicit(), 3, [StepSizes(), SplinePenaliser(7), Filters(6, 3)])
    optimiser = torch.optim.Adam(net.parameters(), lr=0.3)
    for _ in range(40):
        optimiser.zero_grad()
        image = net(flow).image
        assert float(image.detach().norm()) <= float(flow.data.norm()) * (1 + 1e-12)
        (-image.square().sum()).backward()
        optimiser.step()
    free = Unrolled(Explicit(), 3, [StepSizes(bounded=False)])
    free.learn[0].values["step_size"].data.fill_(2.0)
    optimiser = torch.optim.Adam(free.parameters(), lr=0.3)
    for _ in range(40):
        optimiser.zero_grad()
        image = free(flow).image
        (-image.square().sum()).backward()
        optimiser.step()
    assert float(image.detach().norm()) > float(flow.data.norm()), "without the bounds it does"


def test_just_above_the_bound_there_is_a_counterexample() -> None:
    """The worst image of a linear step: the checkerboard; 2 per cent beyond 2 / |K|^2 it grows."""
    y, x = torch.meshgrid(torch.arange(40), torch.arange(40), indexing="ij")
    board = ((x + y) % 2 * 2 - 1).double()[None, None]
    flow = md.models.linear_diffusion(board)
    wild = Unrolled(Explicit(), 1, [StepSizes(bounded=False)])
    tame = Unrolled(Explicit(), 1, [StepSizes()])
    with torch.no_grad():
        for net in (wild, tame):
            net.learn[0].values["step_size"].fill_(0.02)
        assert float(wild(flow).image.norm()) > float(board.norm()) >= float(tame(flow).image.norm())


def test_nonexpansive_exactly_where_theory_says_so() -> None:
    """Monotone flux (Charbonnier): distances do not grow. Perona and Malik's: a pair that moves apart."""
    generator = torch.Generator().manual_seed(0)
    worst = {}
    for name, psi in (("charbonnier", Charbonnier(0.1)), ("perona_malik", PeronaMalik(0.1))):
        one = torch.rand(2000, 1, 1, 4, generator=generator, dtype=torch.float64)
        other = one + 1e-3 * torch.randn(one.shape, generator=generator, dtype=torch.float64)
        made = [
            md.models.nonlinear_diffusion(u, psi, presmoothing=0.0) if name == "x" else _forward(u, psi)
            for u in (one, other)
        ]
        net = Unrolled(Explicit(), 1)
        apart = (net(made[0]).image - net(made[1]).image).flatten(1).norm(dim=1)
        worst[name] = float((apart / (one - other).flatten(1).norm(dim=1)).max())
    assert worst["charbonnier"] <= 1 + 1e-12
    assert worst["perona_malik"] > 1.01


def _forward(u: Tensor, psi: Any) -> Any:
    """The flow of psi on forward differences, also where psi is not convex."""
    flow = md.models.charbonnier_flow(u)
    return type(flow)(u, psi, flow.gradient, flow.coupling, "flow")


# Filters ------------------------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(
    filters=st.integers(1, 5),
    components=st.integers(1, 3),
    size=st.sampled_from([1, 3, 5]),
    seed=st.integers(0, 1000),
    single=st.booleans(),
)
def test_the_bound_of_filters_is_one(filters: int, components: int, size: int, seed: int, single: bool) -> None:
    """Against the singular values of the dense matrix, which the bound must not undercut."""
    generator = torch.Generator().manual_seed(seed)
    kernel = torch.randn(filters, components, size, size, generator=generator, dtype=torch.float64)
    if single:
        kernel *= torch.zeros(size, size).index_fill(0, torch.tensor([0]), 1.0)
    gains = torch.rand(filters, generator=generator, dtype=torch.float64)
    n = 12
    units = torch.eye(components * n * n, dtype=torch.float64).reshape(-1, components, n, n)
    rows = torch.nn.functional.conv2d(units, kernel, padding=size // 2) * gains.sqrt()[:, None, None]
    norm = float(torch.linalg.matrix_norm(rows.flatten(1), 2)) ** 2
    bound = float(transfer_bound(kernel, gains))
    assert norm <= bound * (1 + 1e-12)
    # Nor does it exceed what a fine grid, which holds the coarse one, shows by more than the coarse one needs.
    spectrum = torch.fft.fft2(kernel, s=(192, 192)).permute(2, 3, 0, 1) * gains.sqrt()[:, None]
    seen = float(torch.linalg.svdvals(spectrum).amax()) ** 2
    assert norm <= seen * 1.01
    assert bound <= seen * math.cos(math.pi / 16) ** -4 * (1 + 1e-9)


def test_filters_have_their_exact_adjoint_and_bounded_norm() -> None:
    kernel = torch.randn(5, 2, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    bank = FilterBank(Gradient(), kernel)
    u, p = rand(2, 3, 6, 7, seed=1), rand(2, 3, 5, 6, 7, seed=2)
    assert torch.allclose((bank(u) * p).sum(), (u * bank.adjoint(p)).sum(), rtol=1e-12)
    units = torch.eye(42, dtype=torch.float64).reshape(42, 1, 6, 7)
    norm = float(torch.linalg.matrix_norm(bank(units).flatten(1), 2)) ** 2
    assert norm <= bank.norm_squared(6, 7)
    assert bank(torch.ones(1, 1, 6, 7, dtype=torch.float64)).abs().max() < 1e-15
    coupling = Beside(md.calculus.Joint(), 2)
    field = bank(u)
    size = coupling.magnitude(field)
    assert torch.allclose(size[:, :, :1], md.calculus.Joint().magnitude(field[:, :, :2]))
    assert torch.allclose(size[:, :, 1:], field[:, :, 2:].square().sum(dim=1, keepdim=True).sqrt())
    assert coupling.spread(size).shape[2] == 5


@pytest.mark.parametrize("psi", [Charbonnier(0.2), PeronaMalik(0.2), Huber(0.2)], ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("factor", [LinearFactor, RadialFactor])
def test_a_modulated_penaliser_is_the_integral_of_its_flux(psi: Any, factor: Any) -> None:
    values = torch.tensor([[1.0, 0.3, 0.8, 0.1]], dtype=torch.float64)
    learned = Modulated(psi, factor(values - 1 if factor is RadialFactor else values, 1.0))
    smooth = factor is LinearFactor and not isinstance(psi, Huber)
    s = torch.linspace(0, 2.0, 4001, dtype=torch.float64).reshape(1, 1, 1, 1, -1)
    flux = learned.flux(s).flatten()
    wanted = torch.cat([torch.zeros(1), (flux[1:] + flux[:-1]).cumsum(0) * (0.5 * 2.0 / 4000)])
    assert torch.allclose(learned(s).flatten(), wanted, atol=1e-6 if smooth else 0.02 * float(wanted.max()))
    assert (learned.diffusivity(s * s) <= float(psi.largest_diffusivity) + 1e-15).all()
    assert learned(s).flatten()[0] == 0


# Dual fields, answers, training -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0.1, 3.0])
def test_a_learned_shrinkage_keeps_the_dual_field_a_witness(size: float) -> None:
    model = MODELS["rof"](rand(1, 1, 9, 8))
    net = shaken(Unrolled(PrimalDual(), 5, [StepSizes(), SplinePenaliser(7), ModelWeight()]), size)
    net.learn[2].values.data.clamp_(max=0)  # a larger weight is another model
    with torch.no_grad():
        answer = net(model)
    assert (answer.dual.square().sum(dim=2).sqrt() <= 0.1 * (1 + 1e-6)).all()
    proved = md.certify(model, answer.image, dual=answer.dual, effort=0)
    exact = md.minimise(model, stop=md.Stop(1e-9)).image
    assert 255 * float((answer.image - exact).square().mean().sqrt()) <= float(proved.rms)


def test_an_unrolled_network_is_trained_and_answers_like_any_other() -> None:
    net = Unrolled(PrimalDual(), 6, [StepSizes(), Extrapolation()])
    task = md.learning.Denoising()
    model = md.models.rof(md.images.GaussianNoise(25 / 255)(RAMP, seed=1), weight=0.75 * 25 / 255)
    before = md.certify(model, net(model).image, dual=net(model).dual, effort=0).bound
    training = md.learning.Training(
        steps=30, batch=4, crop=24, loss=md.learning.GapLoss(), optimiser=md.learning.Adam(0.1)
    )
    run = md.fit(net, task, md.data.DeadLeaves(8, size=32), training)
    assert run.finished
    after = md.certify(model, net(model).image, dual=net(model).dual, effort=0).bound
    assert float(after) < 0.95 * float(before)
    solution = md.answer(model, net, finish=PrimalDual())
    assert solution.outcome.value == "certified"


RAMP = torch.linspace(0.2, 0.8, 32).expand(1, 1, 32, 32).contiguous()


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 3), (16, 17)])
def test_any_size(shape: tuple[int, int]) -> None:
    for name, net in (
        ("charbonnier_flow", Unrolled(Explicit(), 3, [StepSizes(), SplinePenaliser(5), Filters(5, 3)])),
        ("rof", Unrolled(PrimalDual(), 3, [StepSizes(), Filters(5, 3)])),
        ("eed", Unrolled(FSI(3), 2, [Extrapolation(), DiffusionTensor(5)])),
    ):
        shaken(net, 0.05)
        for channels in (1, 3):
            both = random_image(2, channels, *shape)
            model = MODELS[name](both)
            found = net(model).image
            assert found.shape == both.shape and torch.isfinite(found).all()
            alone = net(MODELS[name](both[1:])).image
            assert torch.allclose(alone, found[1:], atol=1e-6)


@pytest.mark.parametrize("name", ["rof", "charbonnier"])
def test_the_contract_of_networks(name: str) -> None:
    solver, learn = (
        (PrimalDual(), [StepSizes(), SplinePenaliser(5)])
        if name == "rof"
        else (GradientDescent(), [Filters(5, 3)])
    )
    md.testing.check_network(shaken(Unrolled(solver, 3, learn), 0.02), MODELS[name])


class Own(md.Energy):
    """An energy without a Lipschitz constant."""

    def start(self) -> Tensor:
        return torch.zeros(1, 1, 3, 3)

    def energy(self, image: Tensor) -> Tensor:
        return image.square().sum(dim=(1, 2, 3))


# Wrong things -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Unrolled("pdhg", 3), "needs a solver"),
        (lambda: Unrolled(PrimalDual(), -1), "at least 0"),
        (lambda: Unrolled(PrimalDual(), 2.5), "whole number"),
        (lambda: Unrolled(PrimalDual(), 3, ["steps"]), "lists what is set free"),
        (lambda: Unrolled(PrimalDual(), 3, StepSizes()), "lists what is set free"),
        (lambda: Unrolled(PrimalDual(), 3)(rand(1, 1, 4, 4)), "got a Tensor"),
        (lambda: Unrolled(PrimalDual(), 3, [StepSizes(), StepSizes()]), "StepSizes more than once"),
        (lambda: Unrolled(LaggedDiffusivity(), 3, [StepSizes()]), "of LaggedDiffusivity are: none at all"),
        (lambda: Unrolled(Explicit(), 3, [Extrapolation()]), "of Explicit are: step_size"),
        (lambda: Unrolled(md.solvers.Newton(), 3, [SplinePenaliser()]), "searches its steps"),
        (lambda: Unrolled(md.solvers.LBFGS(), 3, [SplinePenaliser()]), "searches its steps"),
        (lambda: Unrolled(GradientDescent(), 3, [StepSizes()])(Own()), "searches its step sizes for Own"),
        (lambda: Filters(1, 5), "at least as many filters"),
        (lambda: Filters(8, 4), "odd size"),
        (lambda: SplinePenaliser(1), "2 knots"),
        (lambda: SplinePenaliser(5, reach=0.0), "reach above 0"),
        (lambda: DiffusionTensor(1), "2 knots"),
        (lambda: md.neural.Equilibrium(PrimalDual()), "remembers more"),
        (lambda: md.neural.Equilibrium(DuFortFrankel()), "remembers more"),
        (lambda: md.neural.Equilibrium(GradientDescent(), tolerance=2.0), "tolerance in"),
        (lambda: Unrolled(Explicit(2.0), 3)(MODELS["charbonnier_flow"](rand(1, 1, 4, 4))), "unstable"),
    ],
)
def test_wrong_things_are_named(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        make()


def test_a_part_belongs_to_one_network() -> None:
    part = StepSizes()
    Unrolled(PrimalDual(), 3, [part])
    with pytest.raises(InputError, match="belongs to another network"):
        Unrolled(PrimalDual(), 3, [part])


@pytest.mark.parametrize(
    ("net", "name", "said"),
    [
        (
            Unrolled(Explicit(), 2, [DiffusionTensor()]),
            "charbonnier_flow",
            "it has no rule.*it has: coupling, operator",
        ),
        (Unrolled(Explicit(), 2, [Filters()]), "nonlinear_diffusion", "it has: penaliser"),
        (Unrolled(Explicit(), 2, [ModelWeight()]), "charbonnier_flow", "it has no weight"),
        (Unrolled(PrimalDual(), 2, [Filters(components=3)]), "rof", "say Filters\\(..., components=2\\)"),
        (Unrolled(PrimalDual(), 2), "perona_malik", "needs a SaddlePoint"),
    ],
)
def test_a_model_without_the_part_says_what_it_has(net: Unrolled, name: str, said: str) -> None:
    with pytest.raises(ViewError, match=said):
        net(MODELS[name](rand(1, 1, 4, 4)))


def test_a_fixed_point_that_is_not_reached_is_told() -> None:
    model = MODELS["charbonnier"](rand(1, 1, 6, 6))
    with pytest.warns(MindlWarning, match="still moves"):
        md.neural.Equilibrium(GradientDescent(), tolerance=1e-9, steps=3)(model)


def test_the_page_on_solvers_as_networks_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[1] / "docs" / "solvers-as-networks.md").read_text(encoding="utf-8")
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(block, "solvers-as-networks.md", "exec"), {})
    said = capsys.readouterr().out
    assert "Unrolled (PrimalDual, 10 steps, 30 parameters)" in said


@pytest.mark.parametrize(
    ("solver", "name"),
    [(s, n) for s, n, learn in CASES if learn and n != "tgv"],
    ids=[i for i, (_, n, learn) in zip(IDS, CASES, strict=True) if learn and n != "tgv"],
)
def test_derivatives_by_the_data_are_those_through_the_solver(solver: Any, name: str) -> None:
    """Autograd through the solver's own pure steps, against autograd through the network."""
    data, weights = rand(1, 1, 6, 5, seed=11).requires_grad_(), rand(1, 1, 6, 5, seed=12)
    model = MODELS[name](data)
    learn = next(kinds for s, n, kinds in CASES if s is solver and n == name)
    found = Unrolled(solver, 3, [kind() for kind in learn])(model).image
    one, other = (
        torch.autograd.grad((image * weights).sum(), data, retain_graph=True)[0]
        for image in (found, plain(solver, model, 3).image)
    )
    assert torch.allclose(one, other, rtol=1e-9, atol=1e-9)


def test_making_a_network_touches_neither_disk_nor_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a network was made, and something was opened")

    before = torch.random.get_rng_state()
    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr("socket.socket", refuse)
    for solver, _, learn in CASES:
        Unrolled(solver, 2, [kind() for kind in learn])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_what_was_learned_means_what_it_says() -> None:
    """Half the step size is Explicit with half of it; a weight times 2 is that of another model."""
    flow = MODELS["charbonnier_flow"](rand(1, 1, 7, 8))
    net = Unrolled(Explicit(0.2), 3, [StepSizes()]).double()
    net.learn[0].values["step_size"].data.fill_(-0.6931471805599453)
    assert torch.allclose(net(flow).image, md.evolve(flow, Explicit(0.1), 0.3).image, atol=1e-14)
    net = Unrolled(PrimalDual(), 5, [ModelWeight()]).double()
    net.learn[0].values.data.fill_(0.6931471805599453)
    one, other = (md.models.rof(rand(1, 1, 7, 8), weight) for weight in (0.1, 0.2))
    assert torch.allclose(net(one).image, plain(PrimalDual(), other, 5).image, atol=1e-14)


def test_learned_numbers_that_bound_each_other_stay_within_the_bounds() -> None:
    """tau sigma |K|^2 <= 1 whatever both learned: the second is confined by what the first one has become."""
    model = md.models.rof(random_image(2, 1, 9, 12), 0.1)
    net = Unrolled(PrimalDual(), 4, [StepSizes(), Extrapolation()])
    with torch.no_grad():
        for values in net.parameters():
            values.copy_(torch.linspace(2, -1, values.numel()).view_as(values))
    found = md.neural.profile(net, model)
    norm = model.operator.norm_squared(9, 12)
    products = [
        norm * a * b for a, b in zip(*map(found.numbers.get, ("step_size", "dual_step_size")), strict=True)
    ]
    assert max(products) <= 1 + 1e-6 and found.numbers["step_size"][0] > 5
    assert max(found.share["dual_step_size"]) <= 1 + 1e-6 and max(found.share["extrapolation"]) <= 1
