"""Networks on several grids, and plug-and-play: equal to the solvers they are."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from conftest import random_image
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import mindl as md
from mindl.calculus import Gradient
from mindl.calculus.stencil import coarse_size, prolong_cells, restrict_cells
from mindl.core.errors import InputError, ViewError
from mindl.models import Candidate
from mindl.nets import VCycle
from mindl.neural import MultigridNet, PlugAndPlay, Pyramid, StepSizes
from mindl.solvers import GradientDescent, Multigrid, PrimalDual
from mindl.solvers.cascadic import grids, onto


def rand(*shape: int, seed: int = 0) -> Tensor:
    return random_image(*shape, seed=seed, dtype=torch.float64)


@given(height=st.integers(1, 9), width=st.integers(1, 9), seed=st.integers(0, 99))
def test_grid_transfer_between_cells(height: int, width: int, seed: int) -> None:
    """The adjoint is exact; constants stay; straight lines stay away from the borders."""
    coarse = rand(1, 2, coarse_size(height), coarse_size(width), seed=seed)
    fine = rand(1, 2, height, width, seed=seed + 1)
    up = prolong_cells(coarse, height, width)
    assert torch.allclose((up * fine).sum(), (coarse * restrict_cells(fine)).sum(), rtol=1e-12)
    assert torch.allclose(prolong_cells(torch.ones_like(coarse), height, width), torch.ones_like(fine))
    line = torch.arange(coarse_size(width), dtype=torch.float64).expand(1, 1, 1, -1)
    wanted = (torch.arange(width, dtype=torch.float64) - 0.5) / 2
    assert torch.allclose(prolong_cells(line, 1, width)[0, 0, 0, 1 : width - 2], wanted[1 : width - 2])


@pytest.mark.parametrize("weight", [1.0, 100.0, 10_000.0])
def test_the_rate_of_multigrid_on_cells_does_not_depend_on_the_size(weight: float) -> None:
    steps = []
    for n in (16, 64, 100):
        model = md.models.whittaker_tikhonov(rand(1, 1, n, n), weight=weight)
        solution = md.minimise(model, Multigrid(cells=True), stop=md.Stop(1e-8, every=1))
        assert solution.outcome.certified
        steps.append(int(solution.steps))
    assert max(steps) <= 17, steps


def test_multigrid_on_cells_solves_around_known_pixels_too() -> None:
    image, mask = rand(1, 1, 21, 30), md.images.random_mask(21, 30, 0.2, seed=0)
    model = md.models.harmonic_inpainting(image, mask)
    for solver in (Multigrid(cells=True), md.solvers.ConjugateGradient(preconditioner=Multigrid(cells=True))):
        assert md.minimise(model, solver, stop=md.Stop(1e-8)).outcome.certified


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
@pytest.mark.parametrize("smoothing", [1, 2])
def test_a_v_cycle_is_a_u_net(levels: int, smoothing: int) -> None:
    """Convolutions against the Galerkin hierarchy of the solver, which is found by probing."""
    shape = (5 << (levels - 1), 6 << (levels - 1))
    for dtype, tolerance in ((torch.float32, 1e-6), (torch.float64, 1e-12)):
        model = md.models.whittaker_tikhonov(random_image(2, 3, *shape, dtype=dtype), weight=8.0)
        net = MultigridNet.of(model, levels=levels, smoothing=smoothing, cycles=2)
        if dtype is torch.float64:
            kernel = net.network.kernel  # in full: the weights of a network are rounded to float32
            net = MultigridNet(VCycle(kernel, levels=levels, smoothing=smoothing, dtype=dtype), net.cycles)
        solver = Multigrid(cells=True, levels=levels, smoothing=smoothing)
        view = model.view(solver.accepts)
        state = solver.begin(view, Candidate(model.start()))
        for _ in range(2):
            state = solver.step(view, state)
        wanted = solver.candidate(view, state).image
        assert torch.allclose(net(model).image, wanted, rtol=0, atol=tolerance), (levels, dtype)


def test_a_v_cycle_can_learn_and_does_not_get_worse() -> None:
    model = md.models.whittaker_tikhonov(rand(2, 1, 16, 16).float(), weight=30.0)
    exact = md.minimise(model, stop=md.Stop(1e-6)).image
    net = MultigridNet.of(model, levels=3, cycles=1)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)
    losses = []
    for _ in range(40):
        optimiser.zero_grad()
        loss = (net(model).image - exact).square().sum()
        losses.append(float(loss.detach()))
        loss.backward()
        optimiser.step()
    assert losses[-1] < 0.5 * losses[0]


def test_any_size_goes_through_a_v_cycle() -> None:
    net = VCycle([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], levels=3)
    for shape in ((1, 1), (1, 5), (7, 3), (12, 8)):
        assert net(random_image(2, 3, *shape)).shape == (2, 3, *shape)


def test_a_pyramid_is_a_cascade_of_the_solvers_steps() -> None:
    model = md.models.rof(rand(2, 1, 33, 40), weight=0.3)
    solver, steps = PrimalDual(), [3, 4, 5]
    levels = grids(model)[:3]
    assert len(levels) == 3
    found: Candidate | None = None
    for k in (2, 1, 0):
        start = Candidate(levels[k].start()) if found is None else onto(levels[k], found.image, found.dual)
        view = levels[k].view(solver.accepts)
        state = solver.begin(view, start)
        for _ in range(steps[k]):
            state = solver.step(view, state)
        found = solver.candidate(view, state)
    net = Pyramid(solver, steps, learn=[StepSizes()])
    answer = net(model)
    assert torch.allclose(answer.image, found.image, rtol=0, atol=1e-12)
    assert torch.allclose(answer.dual, found.dual, rtol=0, atol=1e-12)
    answer.image.sum().backward()
    assert all(p.grad is not None for p in net.parameters())


class Smoother(nn.Module):
    """The proximal map of weight |grad u|^2 / 2 with step 1 / rho: an exact solve."""

    def __init__(self, weight: float, rho: float) -> None:
        super().__init__()
        self.share = weight / rho

    def forward(self, image: Tensor) -> Tensor:
        return Gradient().solve(image, 1.0, self.share)


@pytest.mark.parametrize("penalty", [0.3, 1.0, 4.0])
def test_plug_and_play_with_a_proximal_map_solves_the_model(penalty: float) -> None:
    data = rand(2, 1, 9, 12)
    model = md.models.whittaker_tikhonov(data, weight=2.0)
    wanted = md.minimise(model, stop=md.Stop(1e-12)).image
    found = PlugAndPlay(Smoother(2.0, penalty), steps=150, penalty=penalty)(model).image
    assert torch.allclose(found, wanted, atol=1e-8)
    mask = md.images.random_mask(9, 12, 0.5, seed=0)
    model = md.models.harmonic_inpainting(data, mask)
    wanted = md.minimise(model, stop=md.Stop(1e-10)).image
    found = PlugAndPlay(Smoother(1.0, penalty), steps=3000, penalty=penalty)(model).image
    assert torch.allclose(found, wanted, atol=1e-5)
    assert torch.equal(found[mask.expand_as(found)], data[mask.expand_as(data)])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: VCycle([[1.0, 2.0]], levels=2), "odd square"),
        (lambda: VCycle([[0.0]], levels=2), "positive"),
        (lambda: VCycle([[1.0]], levels=0), "one or more levels"),
        (lambda: MultigridNet(VCycle([[1.0]]), -1), "at least 0"),
        (lambda: Multigrid(levels=0), "levels=0"),
        (lambda: Pyramid(PrimalDual(), []), "one grid or more"),
        (lambda: Pyramid(PrimalDual(), [3], learn=StepSizes()), "a list of what is set free"),
        (lambda: PlugAndPlay(lambda u: u), "torch.nn.Module"),
        (lambda: PlugAndPlay(nn.Identity(), -1), "0 steps or more"),
        (lambda: PlugAndPlay(nn.Identity(), penalty=0.0), "penalty above 0"),
        (lambda: PlugAndPlay(nn.Conv2d(1, 2, 1))(md.models.rof(rand(1, 1, 4, 4), 1.0)), "keeps the shape"),
    ],
)
def test_wrong_things_are_named(make: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        make()


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            lambda: md.models.harmonic_inpainting(rand(1, 1, 9, 9), md.images.random_mask(9, 9, 0.3, seed=0)),
            "known pixels",
        ),
        (lambda: md.models.whittaker_tikhonov(rand(1, 1, 3, 9), weight=1.0), "too few"),
        (lambda: md.models.rof(rand(1, 1, 9, 9), weight=1.0), "LinearSystem"),
    ],
)
def test_a_matrix_that_varies_is_no_network(model: Any, said: str) -> None:
    with pytest.raises(ViewError, match=said):
        MultigridNet.of(model())


def test_the_contract_of_networks() -> None:
    whittaker = lambda f: md.models.whittaker_tikhonov(f, weight=3.0)  # noqa: E731
    big = whittaker(rand(1, 1, 16, 16))
    md.testing.check_network(MultigridNet.of(big, levels=3), whittaker)
    md.testing.check_network(Pyramid(GradientDescent(), [2], learn=[StepSizes()]), whittaker)


def test_no_sweep_stands_in_for_other_grids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweeps know one kind of transfer, down to one pixel: large images must not get it unasked."""
    model = md.models.whittaker_tikhonov(random_image(1, 1, 160, 128), weight=20.0)
    view = model.view(md.models.LinearSystem)
    for solver in (Multigrid(cells=True), Multigrid(levels=2)):
        answers = []
        for switch in ("on", "off"):
            monkeypatch.setenv("MINDL_KERNELS", switch)
            state = solver.step(view, solver.begin(view, Candidate(model.start())))
            answers.append(solver.candidate(view, state).image)
        assert torch.equal(*answers), solver


def test_an_exported_v_cycle_serves_all_sizes() -> None:
    net = VCycle([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], levels=3).eval()
    height, width = torch.export.Dim("height", min=16, max=8192), torch.export.Dim("width", min=16, max=8192)
    shapes = ({2: height, 3: width},)
    program = torch.export.export(net, (random_image(1, 1, 20, 33),), dynamic_shapes=shapes).module()
    for size in [(16, 16), (17, 40)]:
        image = random_image(1, 1, *size)
        with torch.no_grad():
            assert torch.allclose(program(image), net(image), atol=1e-6)
    again = VCycle(**net.config)
    assert [p.shape for p in again.parameters()] == [p.shape for p in net.parameters()]
