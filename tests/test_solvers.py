"""The loop, the solvers' contracts, outcomes, derivatives, and what is refused."""

from __future__ import annotations

import inspect
import itertools
import math

import pytest
import torch
from conftest import random_image
from hypothesis import given, settings
from hypothesis import strategies as st

import mindl as md
from mindl.core.errors import InputError, MaskError, NonFiniteError, NotSolvedError, ToleranceError, ViewError
from mindl.core.outcome import Outcome
from mindl.models import Candidate
from mindl.models.model import Model
from mindl.models.views import LinearSystem
from mindl.solvers import Detached, Implicit, Solver, ThroughSteps

MODELS = {**md.models.DENOISING, **md.models.INPAINTING}


def make(name: str, data: torch.Tensor) -> md.models.Variational:
    if name in md.models.INPAINTING:
        mask = md.images.random_mask(*data.shape[2:], 0.3, seed=2)
        mask[..., [0, 0, -1], [0, -1, 0]] = True  # no line: a thin plate needs three corners
        return MODELS[name](data, mask)
    return MODELS[name](data, 0.1)


class Smooth(md.Energy):
    """A user's own energy: nothing but energy(u). Convex, smooth, not quadratic."""

    def __init__(self, data: torch.Tensor) -> None:
        self.data = data

    def energy(self, u: torch.Tensor) -> torch.Tensor:
        dx = u[..., :, 1:] - u[..., :, :-1]
        tied = 0.5 * (u - self.data).square().sum(dim=(1, 2, 3))
        return tied + 0.1 * (1 + (dx / 0.1).square()).sqrt().sum(dim=(1, 2, 3))


# -- contracts over every exported class, by enumeration ------------------------------------------------------


def exported(module: object, base: type) -> list[type]:
    values = [getattr(module, name) for name in module.__all__]
    kinds = [v for v in values if isinstance(v, type) and issubclass(v, base)]
    return [kind for kind in kinds if not inspect.isabstract(kind)]


def test_every_operator_keeps_its_contract() -> None:
    filters = torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for kind in exported(md.calculus, md.calculus.Operator):
        md.testing.check_operator(kind(filters) if kind is md.calculus.MirroredFilters else kind())


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("shape", [(2, 1, 5, 6), (1, 3, 4, 4), (1, 1, 1, 1), (1, 1, 1, 7)])
def test_every_model_keeps_its_contract(name: str, shape: tuple[int, ...]) -> None:
    md.testing.check_model(make(name, random_image(*shape, dtype=torch.float64)))


def test_models_with_one_weight_per_image_keep_the_contract() -> None:
    data = random_image(2, 1, 5, 6, dtype=torch.float64)
    weight = torch.tensor([0.05, 0.4]).reshape(2, 1, 1, 1)
    for build in md.models.DENOISING.values():
        md.testing.check_model(build(data, weight))
        both = md.minimise(build(data, weight), stop=md.Stop(1e-6, steps=1000)).image
        for b in range(2):
            alone = md.minimise(build(data[b : b + 1], float(weight[b])), stop=md.Stop(1e-6, steps=1000)).image
            assert torch.allclose(both[b : b + 1], alone, atol=1e-5)


def test_a_models_own_energy_keeps_the_contract() -> None:
    data = random_image(2, 1, 5, 6, dtype=torch.float64)
    md.testing.check_model(Smooth(data), like=data)


@pytest.mark.parametrize("by", md.solvers.SOLVERS)
@pytest.mark.parametrize("name", MODELS)
def test_every_solver_keeps_its_contract_on_every_model(by, name) -> None:
    model, solver = make(name, random_image(2, 3, 6, 5, dtype=torch.float64)), md.solvers.SOLVERS[by]
    if model.why_not(solver.accepts) is None:
        steps = 45 if isinstance(solver, md.solvers.ConjugateGradient) else 3  # past two true residuals
        md.testing.check_solver(solver, model, steps=steps)
    else:
        with pytest.raises(ViewError, match="accept"):
            md.minimise(model, solver)


@pytest.mark.slow
@pytest.mark.parametrize("by", md.solvers.SOLVERS)
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(2, 3, 6, 5), (1, 1, 1, 1), (1, 1, 9, 1)])
def test_every_solver_keeps_its_contract_at_every_size(by, name, dtype, shape) -> None:
    model, solver = make(name, random_image(*shape, dtype=dtype)), md.solvers.SOLVERS[by]
    if model.why_not(solver.accepts) is None:
        md.testing.check_solver(solver, model, steps=45)


def test_every_solver_is_enlisted() -> None:
    enlisted = {type(s) for s in (*md.solvers.SOLVERS.values(), *md.solvers.SCHEMES.values())}
    assert set(exported(md.solvers, Solver)) - {md.solvers.Stationary, md.solvers.Scheme} == enlisted


def test_a_broken_class_does_not_pass() -> None:
    class Leaky(Smooth):
        def energy(self, u):
            return super().energy(u) + u.mean()

    class Impure(md.solvers.GradientDescent):
        def step(self, view, state):
            state.image.add_(1)
            return state

    data = random_image(2, 1, 4, 4, dtype=torch.float64)
    with pytest.raises(AssertionError, match="batch mates"):
        md.testing.check_model(Leaky(data), like=data)
    with pytest.raises(AssertionError, match="changes its argument"):
        md.testing.check_solver(Impure(), md.models.whittaker_tikhonov(data, 1.0))


# -- a batch is a set of independent images -------------------------------------------------------------------


@pytest.mark.parametrize("by", md.solvers.SOLVERS)
@pytest.mark.parametrize("name", MODELS)
def test_every_solver_gives_an_image_alone_and_in_a_batch_the_same_bits(by, name) -> None:
    data, solver = random_image(2, 3, 7, 9), md.solvers.SOLVERS[by]
    if make(name, data).why_not(solver.accepts) is not None:
        return
    stop = md.Stop(None, steps=4)
    whole = md.minimise(make(name, data), solver, stop=stop).image
    assert torch.equal(whole[1:], md.minimise(make(name, data[1:]), solver, stop=stop).image)


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=8)
@given(st.integers(1, 13), st.integers(1, 13), st.sampled_from([1, 3]), st.integers(0, 9))
def test_an_image_alone_and_in_a_batch_gives_the_same_bits(name, height, width, channels, seed) -> None:
    data = random_image(3, channels, height, width, seed=seed)
    data[1] *= 0.01  # converges at another step than its mates
    stop = md.Stop(1e-4, steps=100, every=5)
    whole = md.minimise(make(name, data), stop=stop)
    for b in range(3):
        alone = md.minimise(make(name, data[b : b + 1]), stop=stop)
        assert torch.equal(whole.image[b : b + 1], alone.image)
        assert whole.steps[b] == alone.steps[0] and whole.outcomes[b] == alone.outcomes[0]
        assert whole.certificate.bound[b] == alone.certificate.bound[0]
        assert whole.certificate.rms[b] == alone.certificate.rms[0] or whole.certificate.rms[b].isinf()


def test_large_images_alone_and_in_a_batch_give_the_same_bits() -> None:
    data = random_image(2, 1, 301, 257)
    whole = md.minimise(md.models.rof(data, 0.1), stop=md.Stop(1e-3))
    alone = md.minimise(md.models.rof(data[1:], 0.1), stop=md.Stop(1e-3))
    assert torch.equal(whole.image[1:], alone.image)
    assert whole.certificate.bound[1] == alone.certificate.bound[0]


def test_a_converged_image_is_frozen() -> None:
    data = torch.cat([torch.full((1, 1, 8, 8), 0.5), random_image(1, 1, 8, 8)])
    solution = md.minimise(md.models.rof(data, 0.1))
    assert solution.steps[0] == 0 < solution.steps[1]
    assert torch.equal(solution.image[0], data[0])


# -- outcomes and certificates --------------------------------------------------------------------------------


def test_a_step_limit_is_told() -> None:
    model = md.models.rof(random_image(2, 1, 20, 20), 0.1)
    solution = md.minimise(model, stop=md.Stop(1e-6, steps=7))
    assert solution.outcomes == (Outcome.STEP_LIMIT,) * 2 and solution.steps.tolist() == [7, 7]
    assert "not certified" in repr(solution)
    with pytest.raises(NotSolvedError, match="not certified for 2 of 2 images") as caught:
        solution.require()
    assert caught.value.solution is solution
    assert md.minimise(model).require().outcome is Outcome.CERTIFIED


def test_a_fixed_number_of_steps() -> None:
    model = md.models.rof(random_image(1, 1, 9, 9), 0.1)
    solution = md.minimise(model, stop=md.Stop(None, steps=13))
    assert solution.outcome is Outcome.FIXED and solution.steps.tolist() == [13]
    view, solver = model.view(md.models.SaddlePoint), md.solvers.PrimalDual()
    state = solver.begin(view, Candidate(model.start()))
    for _ in range(13):
        state = solver.step(view, state)
    assert torch.allclose(state.image, solution.image, atol=1e-6)
    assert md.minimise(model, stop=md.Stop(None, steps=0)).image.equal(model.start())


def test_the_trace_and_the_work() -> None:
    solution = md.minimise(md.models.rof(random_image(2, 1, 20, 20), 0.1), stop=md.Stop(1e-4, every=5))
    trace = solution.trace
    assert trace.steps.tolist() == list(range(0, int(solution.steps.max()) + 1, 5))
    assert trace.bound.shape == (len(trace.steps), 2)
    assert (trace.seconds[1:] >= trace.seconds[:-1]).all()
    assert solution.work == 2 * int(solution.steps.max())


def test_float32_cg_reaches_a_true_residual_where_plain_cg_stalls() -> None:
    photo = md.images.coffee()[:, :1, :200, :200]
    model = md.models.harmonic_inpainting(photo, md.images.random_mask(200, 200, 0.01, seed=1))
    solution = md.minimise(model, md.solvers.ConjugateGradient(), stop=md.Stop(1e-6))
    assert solution.outcome is Outcome.CERTIFIED
    view = model.view(LinearSystem)
    u = model.start()  # the textbook's, all in float32
    r = -view.gradient(u)
    d = r.clone()
    for _ in range(4 * int(solution.steps)):
        q, before = view.apply(d), (r * r).sum()
        alpha = before / (d * q).sum()
        u, r = u + alpha * d, r - alpha * q
        d = r + (r * r).sum() / before * d
    plain = md.models.verify(model, u).relative.item()
    assert float(r.norm() / view.right_hand_side.norm()) < 1e-6  # it believes to be there
    assert plain > 2e-6 > solution.certificate.relative.item()


def test_rounding_that_hides_progress_is_told_as_stalled() -> None:
    photo = md.images.coffee()[:, :1, :128, :128]
    model = md.models.harmonic_inpainting(photo, md.images.random_mask(128, 128, 0.001, seed=1))
    solution = md.minimise(model, stop=md.Stop(1e-6))
    assert solution.outcome is Outcome.STALLED and int(solution.steps) < 5000
    better = md.models.harmonic_inpainting(photo.double(), model.data_term.mask)
    assert md.minimise(better, stop=md.Stop(1e-6)).outcome is Outcome.CERTIFIED


def test_divergence_keeps_the_last_finite_image() -> None:
    class Unstable(md.solvers.GradientDescent):
        def step(self, view, state):
            following = super().step(view, state)
            return type(state)(following.image * 1e20, following.step_size, 0)

    data = random_image(1, 1, 4, 4)
    solution = md.minimise(md.models.whittaker_tikhonov(data, 1.0), Unstable(), stop=md.Stop(1e-4, every=1))
    assert solution.outcome is Outcome.DIVERGED
    assert torch.isfinite(solution.image).all()


def test_gradient_descent_on_total_variation_is_honest() -> None:
    data = random_image(1, 1, 16, 16)
    solution = md.minimise(md.models.rof(data, 0.1), md.solvers.GradientDescent(), stop=md.Stop(1e-4, steps=50))
    assert not solution.outcome.certified
    truth = md.minimise(md.models.rof(data.double(), 0.1), stop=md.Stop(1e-10, steps=20000)).image
    error = 255 * (solution.image - truth).square().mean().sqrt()
    assert error <= solution.certificate.rms.item()


def test_who_chooses_says_why() -> None:
    data = random_image(1, 1, 6, 6)
    cases = {
        "rof": (md.models.rof(data, 0.1), md.solvers.PrimalDual, "saddle-point"),
        "tikhonov": (md.models.whittaker_tikhonov(data, 0.1), md.solvers.ConjugateGradient, "linear system"),
        "own": (Smooth(data), md.solvers.GradientDescent, "energy and nothing more"),
    }
    for model, kind, words in cases.values():
        solution = md.minimise(model, start=data)
        assert isinstance(solution.solver, kind) and words in solution.why
    assert md.minimise(cases["rof"][0], md.solvers.PrimalDual()).why == ""


def test_a_warm_start_with_its_dual_needs_fewer_steps() -> None:
    photo = md.images.coffee()[:, :1, :128, :128]
    model = md.models.rof(md.images.GaussianNoise(25 / 255)(photo, seed=1), 0.0735)
    cold = md.minimise(model)
    near = md.minimise(model, stop=md.Stop(None, steps=40))
    warm = md.minimise(model, start=Candidate(near.image, near.dual))
    assert int(warm.steps) < int(cold.steps)
    again = md.minimise(model, start=Candidate(cold.image, cold.dual))
    assert int(again.steps) == 0 and torch.equal(again.image, cold.image)


# -- an energy of one's own -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_energy_of_ones_own_is_minimised(dtype) -> None:
    from scipy.optimize import minimize

    data = random_image(2, 1, 5, 6, dtype=dtype)
    model = Smooth(data)
    solution = md.minimise(model, md.solvers.GradientDescent(), data)
    assert solution.outcome is Outcome.STATIONARY
    exact = Smooth(data.double())
    for b in range(2):
        one = Smooth(data[b : b + 1].double())

        def f(x, one=one):
            u = torch.from_numpy(x).reshape(1, 1, 5, 6)
            return one.energy(u).item(), one.gradient(u).numpy().ravel()

        truth = minimize(f, torch.zeros(30, dtype=torch.float64).numpy(), jac=True, tol=1e-12).x
        error = (solution.image[b].double().flatten() - torch.from_numpy(truth)).abs().max()
        assert error < 1e-3
    assert (exact.energy(solution.image.double()) <= exact.energy(data.double())).all()


def test_line_search_descends_at_every_step() -> None:
    data = random_image(1, 1, 8, 8)
    model, solver = Smooth(data), md.solvers.GradientDescent()
    state = solver.begin(model, Candidate(data))
    energies = [model.energy(state.image).item()]
    for _ in range(30):
        state = solver.step(model, state)
        energies.append(model.energy(state.image).item())
    assert all(after <= before + 1e-5 for before, after in itertools.pairwise(energies))
    assert solver.work(state, 30) >= 60


def test_an_energy_with_start_needs_none() -> None:
    class WithStart(Smooth):
        def start(self):
            return self.data

    data = random_image(1, 1, 4, 4)
    assert md.minimise(WithStart(data)).outcome is Outcome.STATIONARY
    with pytest.raises(InputError, match="names no start: pass one"):
        md.minimise(Smooth(data))


def test_hard_constraints_of_ones_own_are_kept() -> None:
    class Box(Smooth):
        def admissible(self, u):
            return ((u >= 0.4) & (u <= 0.6)).flatten(1).all(dim=1)

        def project(self, u):
            return u.clamp(0.4, 0.6)

    data = random_image(1, 1, 6, 6)
    solution = md.minimise(Box(data), start=data)
    assert solution.image.min() >= 0.4 and solution.image.max() <= 0.6


def test_an_energy_that_returns_a_scalar_is_refused() -> None:
    class Scalar(Smooth):
        def energy(self, u):
            return super().energy(u).sum()

    with pytest.raises(InputError, match=r"shape \(2,\), got \(\): sum over all dimensions but the first"):
        md.minimise(Scalar(random_image(2, 1, 3, 3)), start=random_image(2, 1, 3, 3))


def test_an_energy_with_a_bare_square_root_is_explained() -> None:
    class Bare(Smooth):
        def energy(self, u):
            return (u[..., 1:] - u[..., :-1]).square().sum(dim=1).sqrt().sum(dim=(1, 2))

    with pytest.raises(NonFiniteError, match="safe_sqrt"):
        md.minimise(Bare(torch.zeros(1, 1, 3, 3)), start=torch.zeros(1, 1, 3, 3))


# -- derivatives ----------------------------------------------------------------------------------------------


def difference_quotient(f, x: torch.Tensor, direction: torch.Tensor, h: float = 1e-6) -> float:
    return ((f(x + h * direction) - f(x - h * direction)) / (2 * h)).item()


@pytest.mark.parametrize("name", MODELS)
def test_derivatives_through_the_steps(name: str) -> None:
    data = random_image(2, 1, 4, 5, dtype=torch.float64)
    probe = random_image(2, 1, 4, 5, dtype=torch.float64, seed=1)
    stop = md.Stop(None, steps=4)  # conjugate gradients end after a few on so small an image

    def f(x: torch.Tensor) -> torch.Tensor:
        return (md.minimise(make(name, x), stop=stop, differentiate=ThroughSteps()).image * probe).sum()

    x = data.clone().requires_grad_()
    f(x).backward()
    direction = random_image(2, 1, 4, 5, dtype=torch.float64, seed=3) - 0.5
    assert (x.grad * direction).sum().item() == pytest.approx(difference_quotient(f, data, direction), abs=1e-6)


def test_derivatives_with_respect_to_the_weight() -> None:
    data = random_image(1, 1, 4, 5, dtype=torch.float64)
    for build in md.models.DENOISING.values():
        for strategy in (ThroughSteps(), Implicit()):
            if isinstance(strategy, Implicit) and build is not md.models.whittaker_tikhonov:
                continue

            def f(w: torch.Tensor, strategy=strategy, build=build) -> torch.Tensor:
                stop = md.Stop(1e-12) if isinstance(strategy, Implicit) else md.Stop(None, steps=30)
                return md.minimise(build(data, w), stop=stop, differentiate=strategy).image.square().sum()

            w = torch.full((1, 1, 1, 1), 0.2, dtype=torch.float64, requires_grad=True)
            f(w).backward()
            one = torch.ones_like(w)
            assert w.grad.item() == pytest.approx(difference_quotient(f, w.detach(), one), abs=1e-6)


@pytest.mark.parametrize("name", ["whittaker_tikhonov", "harmonic_inpainting"])
def test_implicit_derivatives(name: str) -> None:
    data = random_image(2, 1, 5, 6, dtype=torch.float64)
    probe = random_image(2, 1, 5, 6, dtype=torch.float64, seed=1)

    def f(x: torch.Tensor) -> torch.Tensor:
        return (md.minimise(make(name, x), stop=md.Stop(1e-12), differentiate=Implicit()).image * probe).sum()

    x = data.clone().requires_grad_()
    f(x).backward()
    direction = random_image(2, 1, 5, 6, dtype=torch.float64, seed=3) - 0.5
    assert (x.grad * direction).sum().item() == pytest.approx(difference_quotient(f, data, direction), abs=1e-6)


def test_implicit_derivatives_of_a_smooth_energy_of_ones_own() -> None:
    class Strong(md.models.SmoothEnergy):
        modulus = 1.0

        def __init__(self, data):
            self.data = data

        def energy(self, u):
            return (0.5 * (u - self.data).square() + 0.1 * u**4).sum(dim=(1, 2, 3))

        def start(self):
            return self.data.detach()

    data = random_image(1, 1, 3, 4, dtype=torch.float64)

    def f(x: torch.Tensor) -> torch.Tensor:
        return md.minimise(Strong(x), stop=md.Stop(1e-10), differentiate=Implicit()).image.square().sum()

    x = data.clone().requires_grad_()
    f(x).backward()
    # u + 0.4 u^3 = x pointwise, so du/dx = 1 / (1 + 1.2 u^2).
    u = md.minimise(Strong(data), stop=md.Stop(1e-10)).image
    assert torch.allclose(x.grad, 2 * u / (1 + 1.2 * u * u), atol=1e-8)
    assert md.minimise(Strong(data)).outcome is Outcome.CERTIFIED  # modulus 1 proves it


def test_nothing_is_differentiated_unless_asked() -> None:
    x = random_image(1, 1, 4, 4).requires_grad_()
    assert not md.minimise(md.models.rof(x, 0.1)).image.requires_grad
    assert not md.minimise(md.models.rof(x, 0.1), differentiate=Detached()).image.requires_grad
    with pytest.raises(ViewError, match=r"Implicit\(\) .* rof is not one; ThroughSteps"):
        md.minimise(md.models.rof(x, 0.1), differentiate=Implicit())


# -- what is refused ------------------------------------------------------------------------------------------

OK = torch.zeros(1, 1, 4, 4)


@pytest.mark.parametrize("build", md.models.DENOISING.values())
@pytest.mark.parametrize(
    ("data", "weight", "words"),
    [
        (OK, 0.0, "weight above 0"),
        (OK, -1.0, "weight above 0"),
        (OK, math.nan, "weight above 0"),
        (OK, math.inf, "weight above 0"),
        (OK, torch.ones(2, 1, 1, 1), "one per|number or a tensor"),
        (OK, torch.zeros(1, 1, 1, 1), "weight above 0"),
        (OK[0], 0.1, r"needs an image \(batch, channel, height, width\)"),
        (torch.zeros(1, 1, 0, 4), 0.1, "at least one pixel"),
        (OK.to(torch.uint8), 0.1, "float32 or float64"),
        (OK.half(), 0.1, "float32 or float64"),
        (torch.full((1, 1, 2, 2), math.nan), 0.1, "4 that are NaN or infinite"),
        (torch.full((1, 1, 2, 2), math.inf), 0.1, "NaN or infinite"),
        ([[1]], 0.1, "from_numpy"),
    ],
)
def test_data_and_weights_that_are_refused(build, data, weight, words: str) -> None:
    with pytest.raises(InputError, match=words):
        build(data, weight)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (torch.zeros(1, 1, 4, 4, dtype=torch.bool), "without any known pixel"),
        (torch.ones(1, 1, 4, 5, dtype=torch.bool), "mask is 5 x 4 pixels, and the image 4 x 4"),
        (torch.ones(4, 4, dtype=torch.bool), "does not fit"),
        (torch.full((1, 1, 4, 4), 0.5), "nothing between"),
        (torch.full((1, 1, 4, 4), math.nan), "nothing between"),
        (torch.ones(1, 3, 4, 4, dtype=torch.bool), "does not fit"),
        ("mask.png", "must be a tensor"),
    ],
)
def test_masks_that_are_refused(mask, words: str) -> None:
    with pytest.raises(MaskError, match=words):
        md.models.harmonic_inpainting(OK, mask)


def test_a_colour_channel_without_a_known_pixel_is_refused() -> None:
    mask = torch.ones(1, 3, 4, 4, dtype=torch.bool)
    mask[:, 2] = False
    with pytest.raises(MaskError, match="channel without any known pixel"):
        md.models.harmonic_inpainting(torch.zeros(1, 3, 4, 4), mask)


def test_what_is_behind_the_mask_counts_for_nothing() -> None:
    f = random_image(1, 1, 6, 6)
    mask = md.images.random_mask(6, 6, 0.4, seed=0)
    holes = torch.where(mask, f, torch.nan)
    one = md.minimise(md.models.harmonic_inpainting(holes, mask)).image
    assert torch.equal(one, md.minimise(md.models.harmonic_inpainting(f, mask)).image)
    assert torch.equal(one, md.minimise(md.models.harmonic_inpainting(f, mask.float())).image)


def test_solvers_that_do_not_accept_the_model_say_which_do() -> None:
    rof = md.models.rof(OK, 0.1)
    with pytest.raises(
        ViewError,
        match=r"ConjugateGradient needs a LinearSystem, and rof is none: its penaliser "
        r"TotalVariation is not quadratic\. PrimalDual, DualFISTA, ADMM and GradientDescent accept it",
    ):
        md.minimise(rof, md.solvers.ConjugateGradient())
    with pytest.raises(ViewError, match="rof is no LinearSystem"):
        md.solve_linear(rof)
    with pytest.raises(ViewError, match="PrimalDual needs a SaddlePoint, and Smooth is none"):
        md.minimise(Smooth(OK), md.solvers.PrimalDual(), OK)
    with pytest.raises(InputError, match="needs a solver such as"):
        md.minimise(rof, "primal-dual")
    with pytest.raises(InputError, match="needs a model such as"):
        md.minimise(OK)


def test_tolerances_and_starts_that_are_refused() -> None:
    rof = md.models.rof(OK, 0.1)
    with pytest.raises(ToleranceError, match=r"finer than torch.float32 can reach, which is 1e-06. Use float64"):
        md.minimise(rof, stop=md.Stop(1e-7))
    with pytest.raises(ToleranceError, match="1e-12"):
        md.minimise(md.models.rof(OK.double(), 0.1), stop=md.Stop(1e-13))
    for bad in (0, -1, math.nan, math.inf):
        with pytest.raises(InputError, match="tolerance"):
            md.Stop(bad)
    for bad in ({"steps": -1}, {"every": 0}):
        with pytest.raises(InputError, match="steps >= 0"):
            md.Stop(1e-4, **bad)
    for start in (torch.zeros(1, 1, 4, 5), OK.double(), torch.full((1, 1, 4, 4), math.nan)):
        with pytest.raises(InputError, match=r"minimise\(start\)"):
            md.minimise(rof, start=start)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: md.solvers.PrimalDual(step_size=0), "above 0"),
        (lambda: md.solvers.PrimalDual(step_size=math.nan), "above 0"),
        (lambda: md.solvers.PrimalDual(acceleration=1.5), "strong convexity"),
        (lambda: md.solvers.PrimalDual(balance=1.01), "may not exceed 1"),
        (lambda: md.solvers.ConjugateGradient(refresh=0), "at least 1"),
        (lambda: md.solvers.GradientDescent(step_size=-1), "above 0"),
    ],
)
def test_hyperparameters_that_are_refused(build, words: str) -> None:
    with pytest.raises(InputError, match=words):
        build()


def test_an_unstable_step_size_is_refused_with_its_bound() -> None:
    model = md.models.whittaker_tikhonov(random_image(1, 1, 30, 30), 1.0)
    bound = 2 / (1 + md.calculus.Gradient().norm_squared(30, 30))
    with pytest.raises(InputError, match=rf"the bound is {bound:g}"):
        md.minimise(model, md.solvers.GradientDescent(step_size=bound))
    assert md.minimise(model, md.solvers.GradientDescent(step_size=0.99 * bound)).outcome.certified


def test_views_that_a_model_lacks_are_explained() -> None:
    class Bare(Model):
        pass

    with pytest.raises(ViewError, match="Bare is no Energy: it is defined as a Model"):
        Bare().view(md.Energy)
    with pytest.raises(ViewError, match="has a kink at 0"):
        md.models.rof(OK, 0.1).view(md.models.SmoothEnergy)
    with pytest.raises(ViewError, match="dual field is infinite"):
        md.models.biharmonic_inpainting(OK, torch.ones(1, 1, 4, 4)).view(md.models.SaddlePoint)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("name", MODELS)
def test_a_cuda_device_gives_the_same_answer(name: str) -> None:
    data = random_image(2, 3, 40, 33)
    here = md.minimise(make(name, data), stop=md.Stop(1e-5))
    there = md.minimise(make(name, data.cuda()), stop=md.Stop(1e-5))
    assert there.image.is_cuda and there.outcome is Outcome.CERTIFIED
    assert (there.image.cpu() - here.image).abs().max() < 1e-2


def test_a_fixed_number_of_steps_is_done_even_when_solved() -> None:
    model = md.models.whittaker_tikhonov(random_image(1, 1, 4, 4), 1.0)
    solution = md.minimise(model, stop=md.Stop(None, steps=100))
    assert solution.steps.tolist() == [100] and torch.isfinite(solution.image).all()


def test_derivatives_respect_no_grad_and_the_solvers_view() -> None:
    x = random_image(1, 1, 4, 4).requires_grad_()
    with torch.no_grad():
        assert not md.minimise(md.models.rof(x, 0.1), differentiate=ThroughSteps()).image.requires_grad
    tikhonov = md.models.whittaker_tikhonov(x, 1.0)
    by_saddle_point = md.minimise(tikhonov, md.solvers.PrimalDual(), differentiate=Implicit()).image
    by_saddle_point.square().sum().backward()
    assert torch.isfinite(x.grad).all() and x.grad.abs().max() > 0


def test_an_inexact_implicit_derivative_is_told() -> None:
    x = random_image(1, 1, 1, 900).requires_grad_()
    model = md.models.whittaker_tikhonov(x, 1e9)
    image = md.minimise(model, stop=md.Stop(None, steps=1), differentiate=Implicit(1e-14)).image
    with pytest.warns(UserWarning, match="solved to a relative residual of"):
        image[..., :7].sum().backward()


def test_duals_to_start_from_are_checked() -> None:
    model = md.models.rof(OK, 0.1)
    for dual in (torch.zeros(1, 1, 2, 4, 5), torch.zeros(1, 1, 4, 4), torch.full((1, 1, 2, 4, 4), math.nan)):
        with pytest.raises(InputError, match="finite dual field"):
            md.minimise(model, start=Candidate(OK, dual))


def test_an_infinite_energy_is_refused() -> None:
    class Wall(Smooth):
        def energy(self, u):
            return torch.full((u.shape[0],), math.inf) + 0 * u.sum(dim=(1, 2, 3))

    with pytest.raises(NonFiniteError, match="NaN or infinite"):
        md.minimise(Wall(OK), start=OK)
