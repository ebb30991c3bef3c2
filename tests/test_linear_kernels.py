"""Fused sweeps for linear systems: the numbers of plain PyTorch, whatever the shape, the batch and the threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from conftest import random_image
from hypothesis import given, settings
from hypothesis import strategies as st

import mindl as md
from mindl.kernels import choice, conjugate_gradient, five_point
from mindl.models import LinearSystem
from mindl.models.certificate import residual_sums
from mindl.solvers import dispatch_linear
from mindl.solvers.correction import Correction, Counted, iterates
from mindl.solvers.multigrid import hierarchy

F64 = torch.float64


@contextmanager
def sweeps(smallest: int = 1) -> Iterator[None]:
    """Images of that many pixels are served by sweeps; by default all."""
    before, choice.SMALLEST = choice.SMALLEST, smallest
    try:
        yield
    finally:
        choice.SMALLEST = before


NEVER = 1 << 60


@st.composite
def systems(draw, order: int | None = None):
    """Models whose systems sweeps serve: any size, colour, weights, masks, both orders."""
    height, width = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    batch, channels = draw(st.sampled_from([(1, 1), (2, 1), (2, 3)]))
    f = random_image(batch, channels, height, width, seed=draw(st.integers(0, 99)), dtype=F64)
    power = draw(st.sampled_from([1, 2])) if order is None else order
    grid = draw(st.sampled_from([1.0, 0.5]))
    operator = md.calculus.Polyharmonic(2, grid=grid) if power == 2 else md.calculus.Gradient(grid=grid)
    weight = draw(st.sampled_from([0.3, 20.0, torch.linspace(0.5, 4, batch, dtype=F64).reshape(-1, 1, 1, 1)]))
    if draw(st.booleans()):
        term = md.models.HalfSquared(f)
    else:
        shape = draw(st.sampled_from([(1, 1), (batch, 1), (1, channels), (batch, channels)]))
        mask = random_image(*shape, height, width, seed=draw(st.integers(0, 99))) < 0.2
        mask[..., height // 2, width // 2] = True
        term = md.models.KnownPixels(f, mask)
    return md.models.Variational(term, md.calculus.Quadratic(), operator, weight)


def close(one: torch.Tensor, other: torch.Tensor, tolerance: float = 1e-11) -> bool:
    return bool((one - other).abs().max() <= tolerance * max(1.0, float(other.abs().max())))


@given(systems(), st.booleans())
@settings(max_examples=40)
def test_steps_in_place_by_sweeps_are_the_plain_steps(model, preconditioned) -> None:
    solver = md.solvers.ConjugateGradient(2, md.solvers.Multigrid() if preconditioned else None)
    view, start = model.view(LinearSystem), md.Candidate(model.start())
    with sweeps(NEVER):
        plain = solver.begin(view, start)
        for _ in range(3):
            plain = solver.step(view, plain)
        image = solver.candidate(view, plain).image
    with sweeps():
        state = solver.begin(view, start)
        assert dispatch_linear.conjugate_steps(view, state.unknown, state.residual, state.direction)
        fused = solver.advance(view, solver.advance(view, state, 2), 1)
        assert close(solver.candidate(view, fused).image, image, 1e-9)
    scale = plain.squared.max().item() + 1e-12
    assert close(fused.squared / scale, plain.squared / scale, 1e-6) and fused.count == plain.count
    assert close(fused.floor, plain.floor) and close(fused.unknown, plain.unknown, 1e-9)


def test_products_are_kept_or_computed_again(monkeypatch) -> None:
    """Large images have no room for them: the same bits."""
    f = random_image(1, 2, 21, 17, dtype=F64)
    view = md.models.biharmonic_inpainting(f, md.images.random_mask(21, 17, 0.1, seed=3)).view(LinearSystem)
    solver, found = md.solvers.ConjugateGradient(4), []
    for room in (1 << 22, 0):
        monkeypatch.setattr(conjugate_gradient, "KEPT", room)
        with sweeps():
            state = solver.advance(view, solver.begin(view, md.Candidate(view.start())), 9)
        found.append((state.unknown, state.residual, state.squared))
    assert all(torch.equal(kept, again) for kept, again in zip(*found, strict=True))


@given(systems())
@settings(max_examples=40)
def test_sums_of_certificates_are_the_plain_sums(model) -> None:
    view = model.view(LinearSystem)
    image = model.project(random_image(*model.image_shape, seed=5, dtype=F64))
    values = random_image(*model.image_shape, seed=6, dtype=F64)
    if view.free is not None:
        values = torch.where(view.free, values, 0)
    with sweeps():
        fused = view.residual_sums(image, values)
        norm = model.view(LinearSystem).norm_of_right_hand_side
    plain = residual_sums(view, image, values)
    assert close(norm, md.core.reduce.norm(view.right_hand_side))
    for name in ("squared", "peak", "height", "values_squared", "energy"):
        assert close(getattr(fused, name), getattr(plain, name)), name
    proving = not (isinstance(model.operator, md.calculus.Polyharmonic) and view.free is None)
    assert not proving or torch.allclose(fused.margin, plain.margin, rtol=1e-11, atol=1e-9)


@pytest.mark.parametrize("make", [md.models.harmonic_inpainting, md.models.biharmonic_inpainting])
def test_sums_of_float32_images_are_taken_in_float64(make) -> None:
    """Differences of such pixels are rounded in float32; 40 rows are more than are added at once."""
    f, mask = random_image(1, 2, 40, 21) * 0.7, md.images.random_mask(40, 21, 0.1, seed=3)
    view = make(f, mask).view(LinearSystem)
    image = view.project(random_image(*f.shape, seed=5) * 0.7)
    values = torch.where(view.free, random_image(*f.shape, seed=6).double(), 0)
    with sweeps():
        fused = view.residual_sums(image, values)
    plain = residual_sums(view, image, values)
    for name in ("energy", "squared", "peak", "margin", "height", "values_squared"):
        assert torch.allclose(getattr(fused, name), getattr(plain, name), rtol=1e-13, atol=0), name


def test_a_changed_known_pixel_has_infinite_energy() -> None:
    f, mask = random_image(1, 1, 4, 5, dtype=F64), md.images.random_mask(4, 5, 0.3, seed=0)
    model = md.models.harmonic_inpainting(f, mask)
    with sweeps():
        assert torch.isinf(model.view(LinearSystem).residual_sums(model.start() + 0.1, None).energy)
        assert torch.isinf(md.certify(model, model.start() + 0.1).rms)


@given(systems(order=1), st.sampled_from([(1, 2, False), (2, 1, False), (2, 3, False), (1, 1, True)]))
@settings(max_examples=40)
def test_cycles_by_sweeps_are_the_plain_cycles_and_symmetric(model, kind) -> None:
    visits, smoothing, full = kind
    solver = md.solvers.Multigrid(visits, smoothing, full)
    view = model.view(LinearSystem)
    residuals = [random_image(*model.image_shape, seed=seed, dtype=F64) for seed in (1, 2)]
    if view.free is not None:
        residuals = [torch.where(view.free, residual, 0) for residual in residuals]
    with sweeps(NEVER):
        plain = solver.prepare(view, residuals[0], symmetric=True)
    with sweeps():
        fused = solver.prepare(view, residuals[0], symmetric=True)
    assert isinstance(fused, dispatch_linear.FusedCycles)
    one, other = (fused(residual) for residual in residuals)
    assert close(one, plain(residuals[0])) and close(other, plain(residuals[1]))
    inner = md.core.reduce.inner
    assert close(inner(one, residuals[1]), inner(residuals[0], other), 1e-10)
    assert bool((inner(one, residuals[0]) >= 0).all())


@pytest.mark.parametrize(("height", "width"), [(9, 14), (12, 5), (1, 7), (8, 1)])
def test_coarse_matrices_are_those_of_galerkin(height, width) -> None:
    """The five stored entries and the smoother's factor against P^T A P by probing."""
    f, mask = random_image(1, 1, height, width, dtype=F64), md.images.random_mask(height, width, 0.2, seed=4)
    view = md.models.harmonic_inpainting(f, mask).view(LinearSystem)
    plain = hierarchy(md.solvers.Multigrid(), view, f)
    with sweeps():
        fused = md.solvers.Multigrid().prepare(view, f, symmetric=True)
    matrices = fused.hierarchies[0, 0][0]
    for level, (h, w, begin, _) in zip(plain[1:], fused.cycle.grids[1:], strict=True):
        planes = torch.from_numpy(matrices[begin : begin + 6 * h * w].reshape(6, h, w))
        assert torch.allclose(planes[:5], level.matrix.entries[0, 0, 4:], atol=1e-12)
        assert torch.allclose(planes[5], level.factor[0, 0], atol=1e-12)


def test_the_factor_of_the_smoother_counts_all_nine_entries() -> None:
    """With large entries beside the diagonal half the sum of the row decides; Laplacians rarely get there."""
    from mindl.kernels.galerkin import _factor_row
    from mindl.kernels.hierarchy import DAMPING

    h, w = 4, 5
    planes = random_image(6, h, w, seed=2, dtype=F64) - 0.2
    right, lower_left, below, lower_right = planes[1:5]
    right[:, -1] = lower_right[:, -1] = lower_left[:, 0] = 0
    below[-1] = lower_left[-1] = lower_right[-1] = 0
    sums = planes[:5].abs().sum(dim=0)
    sums[:, 1:] += right[:, :-1].abs()
    sums[1:] += below[:-1].abs()
    sums[1:, 1:] += lower_right[:-1, :-1].abs()
    sums[1:, :-1] += lower_left[:-1, 1:].abs()
    centre = planes[0]
    wanted = torch.where(centre > 0, DAMPING / torch.maximum(centre, sums / 2), 0)
    matrix = planes.reshape(6 * h, w).numpy()
    for y in range(h):
        _factor_row(matrix, y, DAMPING)
    assert (wanted > 0).any() and (sums / 2 > centre).any() and (centre < 0).any()
    assert torch.allclose(planes[5], wanted, atol=1e-14)


def test_results_do_not_depend_on_the_bands_of_the_threads(monkeypatch) -> None:
    """A band has thousands of pixels by default; here a few rows will do."""
    monkeypatch.setattr(five_point, "GRAIN", 64)
    f = random_image(1, 2, 50, 17, dtype=F64)
    model = md.models.harmonic_inpainting(f, md.images.random_mask(50, 17, 0.05, seed=1))
    view, solver = model.view(LinearSystem), md.solvers.Multigrid()
    residual = torch.where(view.free, random_image(*f.shape, seed=1, dtype=F64), 0)
    threads = torch.get_num_threads()
    results = []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            with sweeps():
                results.append(solver.prepare(view, residual, symmetric=True)(residual))
                for inner in (None, solver):
                    stop = md.Stop(None, steps=7)
                    for problem in (model, md.models.biharmonic_inpainting(f, model.data_term.mask)):
                        answer = md.minimise(problem, md.solvers.ConjugateGradient(3, inner), stop=stop)
                        results.append(answer.image)
    finally:
        torch.set_num_threads(threads)
    with sweeps(NEVER):
        assert close(results[0], solver.prepare(view, residual, symmetric=True)(residual))
    for k, one in enumerate(results[:5]):
        assert torch.equal(one, results[5 + k])


def test_steps_in_float32() -> None:
    """One specialisation more: without its certificate, since every sweep takes seconds to compile."""
    f, mask = random_image(2, 3, 21, 16), md.images.random_mask(21, 16, 0.1, seed=1)
    view, solver = md.models.harmonic_inpainting(f, mask).view(LinearSystem), md.solvers.ConjugateGradient(5)
    images = []
    for smallest in (NEVER, 1):
        with sweeps(smallest):
            state = solver.begin(view, md.Candidate(view.start()))
            state = solver.advance(view, state, 120)
            images.append(solver.candidate(view, state).image)
    assert images[1].dtype == torch.float32 and close(*images, 2e-6)
    assert float(view.gradient(images[1].double()).abs().max()) < 1e-6


@pytest.mark.parametrize("preconditioner", [None, md.solvers.Multigrid()], ids=repr)
def test_an_image_has_the_same_bits_alone_and_in_a_batch(preconditioner) -> None:
    f, mask = random_image(2, 3, 40, 33, dtype=F64), md.images.random_mask(40, 33, 0.1, seed=1)
    solver, stop = md.solvers.ConjugateGradient(20, preconditioner), md.Stop(1e-5)
    with sweeps():
        both = md.minimise(md.models.harmonic_inpainting(f, mask), solver, stop=stop)
        other = md.minimise(
            md.models.harmonic_inpainting(f.to(memory_format=torch.channels_last), mask), solver, stop=stop
        )
        alone = [md.minimise(md.models.harmonic_inpainting(f[b : b + 1], mask), solver, stop=stop) for b in (0, 1)]
    assert both.outcome.certified and torch.equal(both.image, torch.cat([one.image for one in alone]))
    assert torch.equal(both.certificate.maximum, torch.cat([one.certificate.maximum for one in alone]))
    assert torch.equal(both.image, other.image)


@pytest.mark.parametrize("name", ["harmonic_inpainting", "biharmonic_inpainting"])
def test_solutions_are_those_of_a_direct_solver(name) -> None:
    from scipy import sparse
    from scipy.sparse.linalg import spsolve

    n, m = 37, 26
    f, mask = random_image(1, 1, n, m, dtype=F64), md.images.random_mask(n, m, 0.1, seed=3)
    with sweeps():
        answer = md.minimise(
            md.models.INPAINTING[name](f, mask), md.solvers.ConjugateGradient(), stop=md.Stop(1e-11)
        )
    chains = [sparse.diags_array([1.0] * (k - 1), offsets=1, shape=(k, k)) for k in (n, m)]
    chains = [sparse.diags_array(np.asarray((c + c.T).sum(axis=0)).ravel()) - c - c.T for c in chains]
    matrix = sparse.csr_array(sparse.kron(chains[0], np.eye(m)) + sparse.kron(np.eye(n), chains[1]))
    matrix = matrix @ matrix if name == "biharmonic_inpainting" else matrix
    known, data = mask.flatten().numpy(), f.flatten().numpy()
    theirs = spsolve(matrix[~known][:, ~known].tocsc(), -(matrix[~known][:, known] @ data[known]))
    assert answer.outcome.certified
    assert np.abs(answer.image.flatten().numpy()[~known] - theirs).max() < 1e-7


def test_proofs_find_their_witnesses_by_sweeps() -> None:
    """The prover's systems: the matrix of a model with another right-hand side, and a mask that a batch shares."""
    f, mask = random_image(2, 3, 19, 23, dtype=F64), md.images.random_mask(19, 23, 0.1, seed=3)
    for make in (md.models.harmonic_inpainting, md.models.biharmonic_inpainting):
        model = make(f, mask)
        with sweeps(NEVER):
            plain = md.certify(model, model.start(), effort=500)
        with sweeps():
            fused = md.certify(model, model.start(), effort=500)
        assert bool((fused.rms < 1e6).all()) and torch.allclose(fused.rms, plain.rms, rtol=1e-6)
    view = md.models.harmonic_inpainting(f, mask).view(LinearSystem)
    right = torch.where(view.free, f, 0)
    counted = Counted(view.apply)
    with sweeps():
        assert dispatch_linear.served(Correction(lambda *given: view.apply(*given), right, view), right) is None
        system = Correction(counted, right, view)
        assert dispatch_linear.served(system, right) is not None
        for state, _ in iterates(system, 40):
            pass
    assert close(view.apply(state.unknown), right, 1e-8) and counted.products >= 40


def test_semi_implicit_steps_of_linear_diffusion_take_the_sweep(monkeypatch) -> None:
    flow = md.models.linear_diffusion(random_image(1, 1, 14, 9, dtype=F64))
    with sweeps(NEVER):
        plain = md.evolve(flow, md.solvers.SemiImplicit(3.0, 1e-10), 6.0).image
    made = []
    init = dispatch_linear.ConjugateSteps.__init__
    monkeypatch.setattr(
        dispatch_linear.ConjugateSteps, "__init__", lambda self, *given: (made.append(1), init(self, *given))[1]
    )
    with sweeps():
        assert close(md.evolve(flow, md.solvers.SemiImplicit(3.0, 1e-10), 6.0).image, plain, 1e-8)
    assert made


def test_derivatives_are_not_taken_through_a_sweep() -> None:
    f = random_image(1, 1, 8, 9, dtype=F64).requires_grad_()
    model = md.models.whittaker_tikhonov(f, 4.0)
    answers = []
    for smallest in (NEVER, 1):
        with sweeps(smallest):
            image = md.minimise(
                model,
                md.solvers.ConjugateGradient(preconditioner=md.solvers.Multigrid()),
                stop=md.Stop(None, steps=4),
                differentiate=md.solvers.ThroughSteps(),
            ).image
            answers.append(torch.autograd.grad(image.square().sum(), f)[0])
    assert torch.equal(*answers)
