"""Flexible conjugate gradients: convergence with any preconditioner, and what a learned one saves."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from conftest import random_image
from torch import Tensor, nn
from torch.nn import functional

import mindl as md
from mindl.core.errors import InputError
from mindl.learning import Adam, Inpainting, Training
from mindl.models import Candidate, LinearSystem
from mindl.neural.learned_preconditioner import NetworkPreconditioner, PreconditionedSteps
from mindl.solvers import ConjugateGradient, GaussSeidel, Jacobi, Multigrid, Preconditioner
from mindl.solvers.flexible_cg import LEAST_CHANGE, FlexibleConjugateGradient, FlexibleState

F64 = torch.float64


@dataclass(frozen=True)
class Map(Preconditioner):
    """Any map of residuals."""

    of: Callable[[Tensor], Tensor]

    def prepare(self, view, like, *, symmetric):
        return self.of


@dataclass(frozen=True)
class Symmetric(Preconditioner):
    """The symmetric version of a stationary method."""

    inner: Preconditioner

    def prepare(self, view, like, *, symmetric):
        return self.inner.prepare(view, like, symmetric=True)


def noise(residual: Tensor) -> Tensor:
    """Another draw in every call, and not 0 at known pixels."""
    return torch.randn(residual.shape, generator=GENERATOR, dtype=residual.dtype)


def half_nan(residual: Tensor) -> Tensor:
    """NaN at one pixel of the first image of a batch."""
    found = residual.clone()
    found[0, 0, 3, 3] = torch.nan
    return found


def rectified(residual: Tensor) -> Tensor:
    """Neither odd nor symmetric, and not 0 at known pixels."""
    return residual * (1.5 + (9 * residual).sin()) + 0.3 * residual.abs().roll(1, 3)


def ramp(residual: Tensor) -> Tensor:
    """The same whatever the residual."""
    return (
        torch.linspace(-1, 2, residual[0].numel(), dtype=residual.dtype).reshape(residual[:1].shape) + 0 * residual
    )


GENERATOR = torch.Generator().manual_seed(0)
ADVERSARIES = {
    "noise": noise,
    "rectified": rectified,
    "one direction for all": ramp,
    "NaN for one image": half_nan,
    "infinite": lambda r: r / 0,
    "minus r": torch.neg,
    "0": torch.zeros_like,
    "huge": lambda r: r * 1e18,
    "beyond the range": lambda r: r.double() * 1e200,
    "almost nothing": lambda r: r * torch.finfo(r.dtype).tiny,
}


def inpainting(*shape: int, dtype: torch.dtype = F64, share: float = 0.05, seed: int = 0):
    mask = md.images.random_mask(*shape[2:], share, seed=seed + 1)
    return md.models.harmonic_inpainting(random_image(*shape, dtype=dtype, seed=seed), mask)


def states(model, solver, steps: int) -> list[FlexibleState]:
    view = model.view(LinearSystem)
    found = [solver.begin(view, Candidate(model.start()))]
    for _ in range(steps):
        found.append(solver.step(view, found[-1]))
    return found


# With a linear, symmetric, positive definite B, and with the identity


@pytest.mark.parametrize("name", ["harmonic_inpainting", "biharmonic_inpainting", "whittaker_tikhonov"])
@pytest.mark.parametrize("inner", [None, Jacobi(), GaussSeidel(), Multigrid()], ids=repr)
def test_a_symmetric_preconditioner_gives_the_iterates_of_conjugate_gradients(inner, name) -> None:
    f = random_image(2, 1, 14, 17, dtype=F64)
    mask = md.images.random_mask(14, 17, 0.1, seed=1)
    model = md.models.whittaker_tikhonov(f, 50.0) if "tik" in name else md.models.INPAINTING[name](f, mask)
    flexible = FlexibleConjugateGradient(Map(torch.clone) if inner is None else Symmetric(inner), refresh=7)
    usual, view = ConjugateGradient(preconditioner=inner, refresh=7), model.view(LinearSystem)
    other = usual.begin(view, Candidate(model.start()))
    for state in states(model, flexible, 15):
        assert torch.allclose(state.unknown, other.unknown, rtol=0, atol=1e-10)
        other = usual.step(view, other)
    assert not state.refused.any() and state.products == 15


def test_more_memory_changes_nothing_where_b_is_symmetric_and_helps_where_it_is_not() -> None:
    model = inpainting(1, 1, 24, 24)
    short, long = (states(model, FlexibleConjugateGradient(Symmetric(Jacobi()), memory=m), 12)[-1] for m in (1, 4))
    assert torch.allclose(short.unknown, long.unknown, atol=1e-12) and len(long.directions) == 4

    def left(memory: int) -> float:
        return float(states(model, FlexibleConjugateGradient(GaussSeidel(), memory=memory), 30)[-1].squared)

    assert left(8) < 0.3 * left(1)


def test_directions_are_conjugate_and_the_residual_is_orthogonal_to_them() -> None:
    state = states(inpainting(1, 1, 12, 12), FlexibleConjugateGradient(Map(rectified), memory=3), 9)[-1]
    for one, other in itertools.combinations(state.directions, 2):
        scale = (one.curvature * other.curvature).sqrt()
        assert ((one.product * other.along).sum() / scale).abs() < 1e-12
    for one in state.directions:
        assert (one.along * state.residual).sum().abs() <= 1e-12 * one.along.norm() * state.squared.sqrt()


# Whatever the preconditioner answers


@pytest.mark.parametrize(
    ("name", "dtype"),
    [*((name, F64) for name in ADVERSARIES), ("huge", torch.float32)],
)
def test_every_preconditioner_ends_with_a_certificate(name, dtype) -> None:
    model = inpainting(2, 1, 16, 14, dtype=dtype)
    stop = md.Stop(1e-3, steps=1000, every=10)
    solution = md.minimise(model, FlexibleConjugateGradient(Map(ADVERSARIES[name])), stop=stop).require()
    assert solution.certificate.rigorous and solution.image.dtype == dtype
    view = model.view(LinearSystem)
    size = view.gradient(solution.image).flatten(1).norm(dim=1)  # said by nobody but the model
    assert (size <= 1.001e-3 * view.norm_of_right_hand_side).all()


@pytest.mark.parametrize("name", ADVERSARIES)
def test_the_error_in_the_energy_norm_falls_as_it_was_proved(name) -> None:
    """Never up, and at least by |r_new - r|^2 / largest eigenvalue, of which the test of a step is a part."""
    model = inpainting(2, 1, 12, 14)
    view = model.view(LinearSystem)
    exact = md.minimise(model, stop=md.Stop(1e-12)).image

    def energetic(image: Tensor) -> Tensor:
        return (image * view.apply(image)).sum(dim=(1, 2, 3))

    all_states = states(model, FlexibleConjugateGradient(Map(ADVERSARIES[name]), refresh=10**6), 16)
    errors = [energetic(state.unknown - exact) for state in all_states]
    for k, (before, after) in enumerate(itertools.pairwise(errors)):
        sure = LEAST_CHANGE**2 * all_states[k].squared / float(view.lipschitz)
        assert (after <= before - sure + 1e-13 * errors[0]).all()


@pytest.mark.parametrize(
    "name", ["NaN for one image", "infinite", "minus r", "0", "almost nothing", "beyond the range"]
)
def test_where_every_answer_is_refused_it_is_plain_conjugate_gradients(name) -> None:
    model, steps = inpainting(2, 1, 16, 16), 20
    usual, view = ConjugateGradient(), model.view(LinearSystem)
    other = usual.begin(view, Candidate(model.start()))
    for _ in range(steps):
        other = usual.step(view, other)
    state = states(model, FlexibleConjugateGradient(Map(ADVERSARIES[name])), steps)[-1]
    assert torch.allclose(state.unknown, other.unknown, atol=1e-10)
    expected = {"NaN for one image": [steps, 0], "minus r": [0, 0]}.get(name, [steps, steps])
    assert state.refused.tolist() == expected and state.products == steps


def test_a_useless_answer_costs_one_more_product_and_is_counted() -> None:
    model = inpainting(1, 1, 48, 48)
    state = states(model, FlexibleConjugateGradient(Map(noise)), 10)[-1]
    assert state.refused.item() >= 8 and state.products == 10 + state.refused.item()
    solution = md.minimise(model, FlexibleConjugateGradient(Map(noise)), stop=md.Stop(None, steps=10))
    assert solution.work > 10


# Images, types and sizes


@pytest.mark.parametrize(
    "inner", [Map(rectified), Multigrid(full=True), GaussSeidel()], ids=lambda each: type(each).__name__
)
def test_contract(inner) -> None:
    solver = FlexibleConjugateGradient(inner, refresh=3)
    for shape, dtype in (((2, 3, 6, 5), torch.float32), ((1, 1, 1, 1), F64), ((1, 3, 1, 7), F64)):
        md.testing.check_solver(solver, inpainting(*shape, dtype=dtype, share=0.2), steps=7)


def test_an_image_alone_and_in_a_batch_is_treated_alike() -> None:
    """Also where its mate is refused and it is not."""
    data = random_image(2, 3, 9, 11)
    mask = md.images.random_mask(9, 11, 0.1, seed=1)

    def fickle(residual: Tensor) -> Tensor:
        return torch.where(residual.sum(dim=(1, 2, 3), keepdim=True) > 0, torch.zeros(()), residual**3)

    solver, stop = FlexibleConjugateGradient(Map(fickle)), md.Stop(None, steps=8)
    both = md.minimise(md.models.harmonic_inpainting(data, mask), solver, stop=stop).image
    for b in range(2):
        alone = md.minimise(md.models.harmonic_inpainting(data[b : b + 1], mask), solver, stop=stop).image
        assert torch.equal(both[b : b + 1], alone)


def test_known_pixels_stay_to_the_bit() -> None:
    model = inpainting(1, 3, 12, 12, dtype=torch.float32, share=0.2)
    image = md.minimise(model, FlexibleConjugateGradient(Map(torch.ones_like)), stop=md.Stop(None, steps=5)).image
    known = ~model.data_term.free.expand_as(image)
    assert torch.equal(image[known], model.data_term.data[known])


def test_an_answer_in_another_type_is_taken_in_the_images_own() -> None:
    model = inpainting(1, 1, 8, 8, dtype=torch.float32)
    state = states(model, FlexibleConjugateGradient(Map(lambda r: r.double())), 3)[-1]
    assert state.residual.dtype == state.directions[0].along.dtype == torch.float32 and not state.refused.any()


def test_the_true_residual_comes_when_it_is_due() -> None:
    model = inpainting(1, 1, 10, 10, dtype=torch.float32)
    view = model.view(LinearSystem)
    for state in states(model, FlexibleConjugateGradient(Jacobi(), refresh=3), 6)[3::3]:
        assert state.unknown.dtype == F64
        assert torch.equal(state.residual, -view.gradient(state.unknown).float())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FlexibleConjugateGradient(None), r"preconditioner\) must be a preconditioner such as Multigrid"),
        (lambda: FlexibleConjugateGradient(Jacobi(), refresh=0), r"refresh\) must be a whole number, at least 1"),
        (lambda: FlexibleConjugateGradient(Jacobi(), memory=1.5), r"memory\) must be a whole number"),
        (lambda: NetworkPreconditioner("unet"), r"network\) must be a torch.nn.Module such as UNet"),
        (lambda: PreconditionedSteps(None), r"network\) must be a torch.nn.Module"),
        (lambda: PreconditionedSteps(nn.Identity(), -1), r"steps\) must be a whole number, at least 0"),
        (lambda: PreconditionedSteps(nn.Identity(), memory=0), r"memory\) must be a whole number, at least 1"),
    ],
)
def test_wrong_arguments_are_refused(make, message) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_wrong_shapes_and_solvers_are_refused_with_a_cure() -> None:
    model = inpainting(1, 1, 6, 6, dtype=torch.float32)
    with pytest.raises(InputError, match=r"keeps the shape \(1, 1, 6, 6\)"):
        md.minimise(model, FlexibleConjugateGradient(Map(lambda r: r[..., 1:])))
    with pytest.raises(InputError, match=r"2 inputs and 1 output, .* UNet\(2, 1\)"):
        md.minimise(model, FlexibleConjugateGradient(NetworkPreconditioner(nn.Identity())))
    with pytest.raises(InputError, match=r"FlexibleConjugateGradient\(NetworkPreconditioner"):
        md.minimise(model, ConjugateGradient(preconditioner=NetworkPreconditioner(md.nets.UNet(2, 1))))


# Networks


class Seen(nn.Module):
    """Keeps what it is shown; answers with a bias that is not 0 at known pixels."""

    def forward(self, features: Tensor) -> Tensor:
        self.features = features
        return features[:, :1] ** 3 + 1


def test_a_network_is_shown_unit_residuals_and_the_mask_and_its_answer_is_homogeneous() -> None:
    model = inpainting(2, 3, 8, 9, share=0.3)
    view, seen = model.view(LinearSystem), Seen()
    residual = -view.gradient(view.start())
    correct = NetworkPreconditioner(seen).prepare(view, residual, symmetric=False)
    answer = correct(residual)
    shown = seen.features.reshape(2, 3, 2, 8, 9)
    assert torch.allclose(shown[:, :, 0].square().mean(dim=(1, 2, 3)), torch.ones(2, dtype=F64))
    free = view.free.expand_as(residual)
    assert torch.equal(shown[:, :, 1], free.double())
    scale = residual.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    assert torch.allclose(answer, torch.where(free, (residual / scale) ** 3 * scale + scale, 0))
    assert torch.allclose(correct(1e-9 * residual), 1e-9 * answer, rtol=1e-12, atol=0)
    assert torch.equal(correct(torch.zeros_like(residual)), free.double())  # not NaN: what the network makes of 0
    everywhere = md.models.whittaker_tikhonov(residual, 3.0)
    NetworkPreconditioner(seen).prepare(everywhere.view(LinearSystem), residual, symmetric=False)(residual)
    assert torch.equal(seen.features[:, 1], torch.ones(6, 8, 9, dtype=F64))


def tiny(seed: int = 0) -> md.nets.UNet:
    return md.nets.UNet(2, 1, widths=(4, 4), seed=seed)


def test_contract_of_the_steps_as_a_network() -> None:
    md.testing.check_network(PreconditionedSteps(tiny(), 2), lambda f: md.models.harmonic_inpainting(f, _mask(f)))
    md.testing.check_network(PreconditionedSteps(Averages(), 2), lambda f: md.models.whittaker_tikhonov(f, 4.0))


def _mask(f: Tensor) -> Tensor:
    return md.images.random_mask(*f.shape[2:], 0.2, seed=1)


def test_the_steps_are_those_of_the_solver() -> None:
    model, net = inpainting(2, 3, 10, 12, dtype=torch.float32), PreconditionedSteps(tiny(), 4, memory=2)
    solver = FlexibleConjugateGradient(NetworkPreconditioner(net.network), memory=2)
    image = md.minimise(model, solver, stop=md.Stop(None, steps=4)).image
    assert torch.allclose(net(model).image, image, atol=1e-6)
    assert torch.equal(PreconditionedSteps(tiny(), 0)(model).image, model.start())
    assert repr(net).startswith("PreconditionedSteps (UNet, 4 steps, ")
    assert repr(solver.preconditioner).startswith("NetworkPreconditioner(UNet, ")


def test_without_derivatives_the_network_is_used_and_left_as_it_was() -> None:
    network = nn.Sequential(nn.Conv2d(2, 1, 3, padding=1), nn.Dropout(0.5))
    model = inpainting(1, 1, 8, 8, dtype=torch.float32)
    solver, stop = FlexibleConjugateGradient(NetworkPreconditioner(network)), md.Stop(None, steps=5)
    one, two = (md.minimise(model, solver, stop=stop).image for _ in range(2))
    assert torch.equal(one, two) and network.training and network[1].training


def test_derivatives_are_those_of_differences_and_finite_where_answers_are_refused() -> None:
    model = inpainting(2, 1, 8, 8)
    net = PreconditionedSteps(nn.Conv2d(2, 1, 3, padding=1).double(), 3)
    with torch.no_grad():
        net.network.weight.copy_(0.1 * random_image(1, 2, 3, 3, dtype=F64))
        net.network.weight[0, 0, 1, 1] += 1

    def energy() -> Tensor:
        return model.energy(net(model).image).sum()

    energy().backward()
    slope, h = net.network.weight.grad[0, 0, 0, 1].item(), 1e-6
    with torch.no_grad():
        values = []
        for sign in (1, -2):
            net.network.weight[0, 0, 0, 1] += sign * h
            values.append(energy().item())
    assert slope == pytest.approx((values[0] - values[1]) / (2 * h), rel=1e-5)
    for bad in (0.0, torch.nan):
        with torch.no_grad():
            net.network.weight.fill_(bad)
            net.network.bias.fill_(0)
        net.zero_grad()
        energy().backward()
        assert all(p.grad.isfinite().all() for p in net.parameters())


class Averages(nn.Module):
    """Weighted averages over squares of 1, 2, 4 and 8 pixels: the identity, until it is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, 0.0, 0.0, 0.0]))

    def forward(self, features: Tensor) -> Tensor:
        residual, levels = features[:, :1], []
        for k, weight in enumerate(self.weight):
            coarse = functional.avg_pool2d(residual, 2**k, ceil_mode=True)
            size = residual.shape[2:]
            levels.append(4**k * weight * functional.interpolate(coarse, size, mode="bilinear"))
        return sum(levels[1:], levels[0])


@pytest.mark.slow
def test_a_briefly_trained_network_saves_steps() -> None:
    """Trained on crops of 32 x 32, used at 48 x 40 with another mask, for more steps than in training."""
    net = PreconditionedSteps(Averages(), 3)
    model, stop = inpainting(1, 1, 48, 40, dtype=torch.float32, seed=5), md.Stop(1e-5)

    def steps() -> int:
        solver = FlexibleConjugateGradient(NetworkPreconditioner(net.network))
        return int(md.minimise(model, solver, stop=stop).require().steps)

    before = steps()
    assert before > 40  # the identity
    training = Training(steps=10, batch=2, crop=32, average=None, optimiser=Adam(rate=0.1))
    task, images = Inpainting(known=(0.05, 0.1)), md.data.DeadLeaves(2, size=32)
    record = md.fit(net, task, images, training, monitor=None).record
    assert record[-1]["loss"] < record[0]["loss"]
    assert steps() < 0.7 * before


@pytest.mark.slow
def test_a_nonsymmetric_cycle_saves_steps() -> None:
    model, stop = inpainting(1, 3, 24, 20), md.Stop(1e-8, every=1)
    plain = md.minimise(model, ConjugateGradient(), stop=stop).require()
    cycles = md.minimise(model, FlexibleConjugateGradient(Multigrid(full=True)), stop=stop).require()
    assert cycles.steps.item() < 0.25 * plain.steps.item()


def test_hyperparameters_are_kept() -> None:
    solver = FlexibleConjugateGradient(Jacobi())
    assert (solver.refresh, solver.memory, solver.heavy) == (20, 1, True)
    assert replace(solver, memory=2) != solver and solver.title == "FlexibleConjugateGradient(Jacobi)"
