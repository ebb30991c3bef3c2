"""Following flows: the proved error of time steps, adaptive steps, what is refused, batches, stopping times."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_flows import exact_linear, rand
from torch import Tensor

import mindl as md
from mindl.calculus import (
    Charbonnier,
    DeltaStencil,
    PeronaMalik,
    TensorField,
    TotalVariation,
    Weickert,
    WideStencil,
)
from mindl.models.time_steps import error_after
from mindl.parameters import time_by_decorrelation, time_by_discrepancy
from mindl.solvers import (
    AOS,
    FED,
    FSI,
    SCHEMES,
    DuFortFrankel,
    Explicit,
    HaarShrinkage,
    ImplicitEuler,
    SemiImplicit,
)


def grey(one: Tensor, other: Tensor) -> Tensor:
    return 255 * (one - other).double().square().mean(dim=(1, 2, 3)).sqrt()


# Proofs -------------------------------------------------------------------------------------------------------

PROVED = [
    Explicit(),
    Explicit(0.05),
    SemiImplicit(0.3),
    AOS(0.3),
    AOS(3.0),
    FED(4),
    FSI(6),
    ImplicitEuler(0.5),
    DuFortFrankel(0.6),
]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    shape=st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)),
    scheme=st.sampled_from(PROVED),
    time=st.floats(0.01, 6),
    double=st.booleans(),
)
def test_the_bound_holds_for_linear_diffusion(
    seed: int, shape: tuple[int, int, int, int], scheme: object, time: float, double: bool
) -> None:
    data = rand(*shape, seed=seed, dtype=torch.float64 if double else torch.float32)
    result = md.evolve(md.models.linear_diffusion(data), scheme, time)
    truth = exact_linear(data.double(), time)
    assert result.certificate.rigorous
    assert (grey(result.image, truth) <= result.certificate.rms).all()
    assert (255 * (result.image - truth).abs().amax(dim=(1, 2, 3)) <= result.certificate.maximum).all()


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    height=st.integers(1, 7),
    width=st.integers(2, 7),
    scheme=st.sampled_from(PROVED),
    name=st.sampled_from(["charbonnier_flow", "huber_flow"]),
    contrast=st.floats(0.03, 1.0),
)
def test_the_bound_holds_for_nonlinear_flows(
    seed: int, height: int, width: int, scheme: object, name: str, contrast: float
) -> None:
    """Against the explicit scheme with steps so short that its own proved error is added to the comparison."""
    flow = getattr(md.models, name)(rand(1, 2, height, width, seed=seed), contrast)
    step = min(scheme.span(flow), 0.6)
    result = md.evolve(flow, type(scheme)(step) if hasattr(scheme, "step_size") else scheme, 0.6)
    truth = md.evolve(flow, Explicit(flow.stable_step / 40), 0.6)
    assert (grey(result.image, truth.image) <= result.certificate.rms + truth.certificate.rms).all()


def test_the_bound_holds_for_tv_flow_on_a_line_whatever_the_solver_left() -> None:
    step = torch.cat([torch.zeros(5), torch.ones(9)]).double().reshape(1, 1, 1, -1)
    exact = step + torch.where(step == 0, step + 0.4 / 5, -step * 0.4 / 9)
    for tolerance in (0.3, 1e-2, 1e-4, 1e-8):
        result = md.evolve(md.models.tv_flow(step), ImplicitEuler(0.1, tolerance=tolerance), 0.4)
        assert grey(result.image, exact) <= result.certificate.rms
    assert float(result.certificate.rms) < 0.1


def test_the_bound_holds_for_the_gradient_flow_of_a_single_edge() -> None:
    """Two pixels: u' = psi'(u) has the exact solution of tv flow, in the middle of a step too."""
    pair = torch.tensor([[[[0.0, 1.0]]]], dtype=torch.float64)
    for time in (0.1, 0.3, 0.7):
        result = md.evolve(md.models.tv_flow(pair), ImplicitEuler(time / 3, tolerance=1e-10), time)
        low = min(time, 0.5)
        exact = torch.tensor([[[[low, 1 - low]]]], dtype=torch.float64)
        assert grey(result.image, exact) <= result.certificate.rms


def test_the_bound_is_not_much_larger_than_the_error() -> None:
    """A loose proof is worthless: on smoothed noise it is within ten times the truth for Charbonnier's flow."""
    data = md.calculus.smoothed(rand(1, 1, 24, 24), 0.7)
    flow = md.models.charbonnier_flow(data, 0.05)
    truth = md.evolve(flow, Explicit(flow.stable_step / 100), 2.0)
    result = md.evolve(flow, Explicit(), 2.0)
    error = float(grey(result.image, truth.image))
    assert error < float(result.certificate.rms) < 10 * error


def test_the_proof_needs_no_scheme_and_sees_through_wrong_steps() -> None:
    """An image that is no step at all is proved to be far, and truly is."""
    data = rand(1, 1, 6, 6)
    flow = md.models.charbonnier_flow(data, 0.1)
    zero = torch.zeros(1, dtype=torch.float64)
    wrong = data + 0.1
    bound = error_after(flow, data, wrong, 0.2, zero)
    truth = md.evolve(flow, Explicit(0.001), 0.2).image
    assert (wrong - truth).norm() <= bound
    assert bound > 0.5


def test_a_time_far_below_the_span_is_a_step_too() -> None:
    data = rand(1, 1, 8, 8)
    for scheme, time in (
        (AOS(1e12), 100.0),
        (SemiImplicit(1e6), 1e-3),
        (FED(1000), 1e-6),
        (ImplicitEuler(1e9), 0.1),
    ):
        result = md.evolve(md.models.linear_diffusion(data), scheme, time)
        assert result.steps == 1
        assert result.times.tolist() == [0.0, time]
        assert (grey(result.image, exact_linear(data, time)) <= result.certificate.rms).all()


def test_the_proof_of_an_image_does_not_depend_on_its_mates() -> None:
    """One image is proved by the slope at the beginning, another by that at the end."""
    rough, smooth = rand(1, 1, 6, 7, seed=1), 0.5 + 1e-3 * rand(1, 1, 6, 7, seed=2)
    for scheme in (AOS(0.02), SemiImplicit(0.05), Explicit()):
        both = md.evolve(md.models.huber_flow(torch.cat([rough, smooth])), scheme, 0.3).certificate
        for b, image in enumerate((rough, smooth)):
            alone = md.evolve(md.models.huber_flow(image), scheme, 0.3).certificate
            assert torch.equal(both.rms[b : b + 1], alone.rms)


@pytest.mark.parametrize("scheme", [FED(3), FSI(4), SemiImplicit(0.5)], ids=lambda s: s.title)
def test_any_scheme_can_be_made_accurate(scheme: object) -> None:
    flow = md.models.charbonnier_flow(md.calculus.smoothed(rand(1, 1, 8, 8), 0.7), 0.1)
    assert float(md.evolve(flow, scheme, 0.5, accuracy=2.0).certificate.rms) <= 2.0


@pytest.mark.parametrize("time", [0.1, 0.25])
def test_the_bound_of_one_step_of_linear_diffusion_is_known_in_closed_form(time: float) -> None:
    """sqrt(tau / 2) |L (v_1 - v_0)| for explicit and implicit steps; of others, the defect beside it."""
    data = rand(2, 2, 5, 6)
    flow, gradient = md.models.linear_diffusion(data), md.calculus.Gradient()
    for scheme in (Explicit(time), ImplicitEuler(time, tolerance=1e-12)):
        result = md.evolve(flow, scheme, time)
        steep = gradient(result.image - data).square().sum(dim=(1, 2, 3, 4))
        assert torch.allclose(result.certificate.bound, (time / 2 * steep).sqrt(), rtol=1e-5)
    before, after = torch.full((2,), 0.3, dtype=torch.float64), data.flip(3)
    through = []
    for end in (data, after):
        pull = (after - data - time * flow.rate(end)).square().sum(dim=(1, 2, 3)).sqrt()
        grown = time / 2 * gradient(after - data).square().sum(dim=(1, 2, 3, 4))
        through.append((0.09 + grown).sqrt() + pull)
    bound = error_after(flow, data, after, time, before)
    assert torch.allclose(bound, torch.minimum(*through), rtol=1e-10)


def test_errors_never_shrink_and_add_up() -> None:
    result = md.evolve(md.models.charbonnier_flow(rand(2, 1, 6, 6)), Explicit(), 3.0)
    assert result.bounds.shape == (13, 2)
    assert (result.bounds[1:] >= result.bounds[:-1]).all()
    assert torch.equal(result.bounds[-1], result.certificate.rms)
    assert result.times.tolist() == [0.25 * k for k in range(13)]


@pytest.mark.parametrize("accuracy", [3.0, 0.5])
@pytest.mark.parametrize("scheme", [Explicit(), AOS(2.0), ImplicitEuler(2.0)], ids=lambda s: s.title)
def test_adaptive_steps_meet_the_accuracy(scheme: object, accuracy: float) -> None:
    data = rand(2, 1, 8, 8) * torch.tensor([1.0, 0.2]).reshape(2, 1, 1, 1).double()
    flow = md.models.linear_diffusion(data)
    result = md.evolve(flow, scheme, 1.0, accuracy=accuracy)
    assert (result.certificate.rms <= accuracy).all()
    assert (grey(result.image, exact_linear(data, 1.0)) <= result.certificate.rms).all()
    assert result.times[-1] == 1.0
    assert (result.times[1:] > result.times[:-1]).all()
    assert (result.times[1:] - result.times[:-1]).max() <= scheme.span(flow) * (1 + 1e-12)


def test_adaptive_steps_are_those_of_each_image_alone() -> None:
    data = rand(2, 1, 8, 8) * torch.tensor([1.0, 0.1]).reshape(2, 1, 1, 1).double()
    contrast = torch.tensor([0.1, 0.02], dtype=torch.float64).reshape(2, 1, 1, 1)
    both = md.evolve(md.models.charbonnier_flow(data, contrast), Explicit(), 1.0, accuracy=1.0)
    for b in range(2):
        alone = md.models.charbonnier_flow(data[b : b + 1], float(contrast[b]))
        assert torch.equal(md.evolve(alone, Explicit(), 1.0, accuracy=1.0).image, both.image[b : b + 1])


def test_adaptive_steps_grow_as_the_image_calms_down() -> None:
    result = md.evolve(md.models.linear_diffusion(rand(1, 1, 12, 12)), ImplicitEuler(1e3), 20.0, accuracy=5.0)
    lengths = result.times[1:] - result.times[:-1]
    assert float(lengths[-2]) > 5 * float(lengths[0])


def test_an_accuracy_beyond_the_type_is_refused() -> None:
    data = rand(1, 1, 8, 8, dtype=torch.float32)
    with pytest.raises(md.errors.InputError, match=r"out of reach.*float64"):
        md.evolve(md.models.linear_diffusion(data), Explicit(), 0.01, accuracy=1e-9)


# Entry --------------------------------------------------------------------------------------------------------


def flows(data: Tensor) -> dict[str, md.models.Flow]:
    mask = rand(1, 1, *data.shape[2:], seed=8) > 0.6
    mask[..., 0, 0] = True
    return {
        "linear": md.models.linear_diffusion(data),
        "charbonnier": md.models.charbonnier_flow(data),
        "huber": md.models.huber_flow(data),
        "tv": md.models.tv_flow(data),
        "nonlinear": md.models.nonlinear_diffusion(data),
        "weickert": md.models.nonlinear_diffusion(data, Weickert(0.1), joint=False),
        "eed": md.models.edge_enhancing_diffusion(data),
        "ced": md.models.coherence_enhancing_diffusion(data),
        "curvature": md.models.mean_curvature_motion(data),
        "haar": md.models.haar_diffusion(data),
        "eed inpainting": md.models.eed_inpainting(data, mask),
        "amle": md.models.amle_inpainting(data, mask),
        "energy": md.models.charbonnier(data, 2.0),
    }


NAMES = list(flows(rand(1, 1, 4, 4)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_image_in_a_batch_is_treated_as_alone(name: str, dtype: torch.dtype) -> None:
    data = rand(3, 2, 5, 6, dtype=dtype)
    together, alone = flows(data)[name], flows(data[1:2])[name]
    for scheme in SCHEMES.values():
        if together.why_not(scheme.accepts) is None and (
            together.view(scheme.accepts).stable_step or scheme == ImplicitEuler()
        ):
            time = 0.3
            whole, single = md.evolve(together, scheme, time), md.evolve(alone, scheme, time)
            assert torch.equal(whole.image[1:2], single.image), scheme
            assert torch.equal(whole.certificate.rms[1:2], single.certificate.rms), scheme
            assert whole.image.dtype == dtype


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (6, 1), (3, 4)])
def test_every_flow_takes_every_size_and_scheme_it_accepts(name: str, shape: tuple[int, int]) -> None:
    data = rand(2, 3, *shape)
    model = flows(data)[name]
    ran = 0
    for scheme in SCHEMES.values():
        if model.why_not(scheme.accepts) is not None or (
            model.view(md.models.Flow).stable_step == 0 and scheme != ImplicitEuler()
        ):
            continue
        view = model.view(scheme.accepts)
        state = scheme.begin(view, md.Candidate(model.start()))
        before = state.image.clone()
        after = scheme.step(view, state)
        assert torch.equal(state.image, before)  # a step is pure
        assert torch.isfinite(after.image).all()
        assert model.admissible(after.image).all()
        assert after.time == pytest.approx(scheme.span(view))
        ran += 1
    assert ran


@pytest.mark.parametrize("name", NAMES)
def test_time_zero_returns_the_start(name: str) -> None:
    model = flows(rand(1, 1, 4, 5))[name]
    result = md.evolve(model, None, 0.0)
    assert torch.equal(result.image, model.start())
    assert result.steps == 0
    assert float(result.certificate.rms) == 0


@pytest.mark.parametrize("name", NAMES)
def test_without_a_scheme_one_is_chosen_with_a_reason(name: str) -> None:
    result = md.evolve(flows(rand(1, 1, 6, 5))[name], time=0.1)
    assert result.why
    assert "at time 0.1" in repr(result)


def test_constants_stay() -> None:
    data = torch.full((1, 3, 5, 6), 0.4, dtype=torch.float64)
    for name, model in flows(data).items():
        assert torch.allclose(md.evolve(model, time=1.0).image, data, atol=1e-12), name


def test_the_descent_of_an_energy_ends_in_its_minimiser() -> None:
    model = md.models.charbonnier(rand(1, 1, 6, 7), 2.0, 0.1)
    least = md.minimise(model, stop=md.Stop(1e-10)).image
    for scheme in (Explicit(), FED(5), SemiImplicit(2.0)):
        assert torch.allclose(md.evolve(model, scheme, 40.0).image, least, atol=1e-5), scheme
    assert torch.allclose(md.steady_state(model, stop=md.Stop(1e-9)).image, least, atol=1e-5)
    assert torch.allclose(md.steady_state(model, FED(5), stop=md.Stop(1e-9)).image, least, atol=1e-5)


def test_a_step_at_the_printed_bound_is_legal() -> None:
    for contrast in (0.1, 0.3, 0.7, 1e-3):
        md.evolve(md.models.huber_flow(F, contrast), Explicit(contrast / 4), contrast)


def test_a_smooth_energy_is_certified_whoever_led_it_to_rest() -> None:
    model = md.models.charbonnier(rand(1, 1, 8, 8), 2.0)
    solution = md.steady_state(model, Explicit(), stop=md.Stop(1e-6))
    assert solution.outcome.certified
    assert float(solution.certificate.rms) < 0.1


def test_a_warm_start_is_measured_against_the_cold_one() -> None:
    known = md.images.random_mask(12, 12, 0.4, seed=0)
    for make in (md.models.eed_inpainting, md.models.amle_inpainting):
        model = make(rand(1, 1, 12, 12), known)
        first = md.steady_state(model, stop=md.Stop(1e-4))
        again = md.steady_state(model, start=first.image)
        assert again.outcome.met and int(again.steps) == 0


def test_gradients_of_nearly_flat_images_are_finite() -> None:
    u = torch.full((1, 1, 8, 8), 0.4)
    u[..., 4:] += 1.2e-7
    u[..., 3, 3] = 0.9
    for penaliser in (Weickert(0.1), PeronaMalik(0.1), Charbonnier(0.1)):
        for make in (md.models.edge_enhancing_diffusion, md.models.nonlinear_diffusion):
            for image in (u, torch.full_like(u, 0.4), u * 1e-8):
                x = image.clone().requires_grad_()
                (slope,) = torch.autograd.grad(make(image, penaliser).rate(x).square().sum(), x)
                assert torch.isfinite(slope).all(), penaliser


def test_steps_can_be_differentiated() -> None:
    data = rand(1, 1, 4, 4)
    for flow, scheme in (
        (md.models.nonlinear_diffusion, Explicit(0.2)),
        (md.models.nonlinear_diffusion, AOS(1.0)),
        (md.models.edge_enhancing_diffusion, FED(3)),
        (md.models.haar_diffusion, HaarShrinkage(0.2)),
        (md.models.mean_curvature_motion, Explicit(0.2)),
    ):
        view = flow(data)

        def after(u: Tensor, view: object = view, scheme: object = scheme) -> Tensor:
            return scheme.step(view, scheme.begin(view, md.Candidate(u))).image

        assert torch.autograd.gradcheck(after, data.clone().requires_grad_(), atol=1e-5), scheme


def test_a_watcher_sees_every_step() -> None:
    seen: list[tuple[float, float]] = []
    flow = md.models.charbonnier_flow(rand(1, 1, 6, 6))
    md.evolve(flow, Explicit(0.2), 1.0, watch=lambda t, u: seen.append((round(t, 6), float(flow.energy(u)))))
    assert [t for t, _ in seen] == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert all(b < a for (_, a), (_, b) in itertools.pairwise(seen))


# What is refused ----------------------------------------------------------------------------------------------

F = rand(1, 1, 6, 6)
KNOWN = torch.ones(1, 1, 6, 6, dtype=torch.bool)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: md.evolve(md.models.tv_flow(F), time=-1.0), r"time=-1.0\) needs a time of at least 0"),
        (lambda: md.evolve(md.models.tv_flow(F), time=math.nan), "needs a time"),
        (lambda: md.evolve(md.models.tv_flow(F)), "needs a time"),
        (lambda: md.evolve("photo", time=1.0), "needs a flow"),
        (lambda: md.evolve(md.models.tv_flow(F), md.solvers.PrimalDual(), 1.0), "needs a time-stepping scheme"),
        (lambda: md.evolve(md.models.tv_flow(F), Explicit(), 1.0), r"its rate jumps. ImplicitEuler\(\) serves it"),
        (lambda: md.evolve(md.models.linear_diffusion(F), Explicit(0.3), 1.0), r"unstable.*the bound is 0.25"),
        (
            lambda: md.evolve(md.models.edge_enhancing_diffusion(F), Explicit(0.6), 1.0),
            r"unstable.*the bound is 0.5",
        ),
        (lambda: md.evolve(md.models.haar_diffusion(F), HaarShrinkage(0.6), 1.0), r"unstable.*the bound is 0.5"),
        (lambda: md.evolve(md.models.amle_inpainting(F, KNOWN), Explicit(1.5), 1.0), r"unstable.*the bound is 1"),
        (lambda: md.evolve(md.models.linear_diffusion(F), Explicit(1e-9), 1.0), "more than 1000000"),
        (lambda: md.evolve(md.models.linear_diffusion(F), Explicit(), 1.0, accuracy=0.0), "above 0 grey levels"),
        (lambda: md.evolve(md.models.nonlinear_diffusion(F), Explicit(), 1.0, accuracy=1.0), "convex flows only"),
        (lambda: md.evolve(md.models.linear_diffusion(F), time=1.0, start=F[..., 1:]), "data's shape"),
        (lambda: Explicit(0.0), "above 0"),
        (lambda: AOS(-1.0), "above 0"),
        (lambda: SemiImplicit(1.0, tolerance=2.0), "between 0 and 1"),
        (lambda: ImplicitEuler(1.0, tolerance=0.0), "between 0 and 1"),
        (lambda: FED(0), "from 1 to 1000"),
        (lambda: FSI(2.5), "from 1 to 1000"),
        (lambda: DeltaStencil(0.6), r"alpha=0.6\) must lie between 0 and 1/2"),
        (lambda: DeltaStencil(-0.1), "between 0 and 1/2"),
        (lambda: DeltaStencil(0.1, 1.5), r"gamma=1.5\) must lie between 0 and 1"),
        (
            lambda: DeltaStencil().weights(TensorField(F, 2 * F, F)),
            "positive semidefinite.*smallest eigenvalue is -",
        ),
        (lambda: DeltaStencil().weights(TensorField(-F, 0 * F, F)), "positive semidefinite"),
        (lambda: DeltaStencil().weights(TensorField(F, math.nan * F, F)), "positive semidefinite"),
        (lambda: PeronaMalik(0.0), "contrast"),
        (lambda: Weickert(-1.0), "contrast"),
        (lambda: Weickert(0.1, power=1), "from 2 to 32"),
        (lambda: md.models.charbonnier_flow(F, -0.1), "contrast"),
        (lambda: md.models.coherence_enhancing_diffusion(F, 0.0), "contrast"),
        (lambda: md.models.coherence_enhancing_diffusion(F, integration=-1.0), "at least 0"),
        (lambda: md.models.coherence_enhancing_diffusion(F, least=1.0), "between 0 and 1"),
        (lambda: md.models.nonlinear_diffusion(F, presmoothing=-0.5), r"presmoothing=-0.5\) must be at least 0"),
        (lambda: md.models.edge_enhancing_diffusion(F, presmoothing=-0.5), "presmoothing=-0.5"),
        (lambda: md.models.nonlinear_diffusion(F, TotalVariation()), r"Huber\(0.02\)"),
        (lambda: md.models.edge_enhancing_diffusion(F, TotalVariation()), "smooth penaliser"),
        (lambda: md.models.nonlinear_diffusion(F, Charbonnier(torch.ones(3, 1, 1, 1))), "contrast"),
        (lambda: md.models.linear_diffusion(F, grid=0.0), "grid"),
        (lambda: md.models.mean_curvature_motion(F, floor=0.0), "floor"),
        (lambda: md.models.nonlinear_diffusion(F * math.nan), "NaN"),
        (lambda: md.models.amle_inpainting(F, ~KNOWN), "without any known pixel"),
        (lambda: md.models.eed_inpainting(F, KNOWN[..., 1:]), "one size"),
        (lambda: md.models.elastica_inpainting(F, KNOWN, length=0.0), r"length=0.0\) must be above 0"),
        (lambda: md.models.elastica_inpainting(F, KNOWN, curvature=-1.0), "at least 0"),
        (lambda: WideStencil(0.5), "between 1 and 64"),
        (lambda: md.minimise(md.models.eed_inpainting(F, KNOWN)), r"steady_state\(model\) to its rest"),
        (
            lambda: md.minimise(md.models.eed_inpainting(F, KNOWN), md.solvers.LaggedDiffusivity()),
            "needs an energy",
        ),
        (lambda: md.steady_state(md.models.amle_inpainting(F, KNOWN), AOS()), "needs a Splittable"),
        (lambda: md.steady_state(F), "needs a flow"),
        (lambda: md.evolve(md.models.rof(F, 0.1), Explicit(), 1.0), "needs a Flow.*kink at 0"),
    ],
)
def test_wrong_input_is_refused_with_the_reason(wrong: object, message: str) -> None:
    with pytest.raises(md.errors.InputError, match=message):
        wrong()


def test_a_flow_of_ones_own_that_blows_up_says_when() -> None:
    class Growing(md.models.Flow):
        def rate(self, u: Tensor) -> Tensor:
            return u * u

    with pytest.raises(md.errors.InputError, match="does not say which steps are stable"):
        md.evolve(Growing(), Explicit(), 1.0, start=F)
    with pytest.raises(md.errors.NonFiniteError, match="not finite any more at time"):
        md.evolve(Growing(), Explicit(1.0), 100.0, start=1 + F)


# Contracts and stopping times ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*md.models.FLOWS, *md.models.UNPROVED_INPAINTING])
@pytest.mark.parametrize("shape", [(2, 1, 4, 5), (1, 3, 1, 6), (2, 2, 3, 1)])
def test_every_flow_keeps_its_contract(name: str, shape: tuple[int, ...]) -> None:
    data = rand(*shape, seed=6)
    if name in md.models.FLOWS:
        flow = md.models.FLOWS[name](data)
    else:
        known = rand(1, 1, *shape[2:], seed=1) > 0.5
        known[..., 0, 0] = True
        flow = md.models.UNPROVED_INPAINTING[name](data, known)
    md.testing.check_flow(flow)


@pytest.mark.parametrize("grid", [0.5, 3.0])
@pytest.mark.parametrize("name", ["linear_diffusion", "charbonnier_flow", "nonlinear_diffusion"])
def test_flows_on_other_grids_keep_their_contract(name: str, grid: float) -> None:
    flow = md.models.FLOWS[name](rand(2, 2, 4, 5), grid=grid)
    md.testing.check_flow(flow)
    assert flow.stable_step == pytest.approx(grid**2 / 4)


def test_the_contract_sees_what_is_wrong() -> None:
    class Unfair(md.models.Flow):
        def rate(self, u: Tensor) -> Tensor:
            return u - u.mean()

    with pytest.raises(AssertionError, match="batch mates"):
        md.testing.check_flow(Unfair(), rand(2, 1, 4, 4))


def test_every_flow_is_enlisted() -> None:
    """Whoever adds a flow finds it in the tables, and so in these tests and on the page that chooses."""
    made = {name for name in md.models.__all__ if name.endswith(("_flow", "_diffusion", "_motion"))}
    assert made == set(md.models.FLOWS)
    inpainting = {name for name in md.models.__all__ if name.endswith("_inpainting")}
    assert inpainting == {*md.models.INPAINTING, *md.models.UNPROVED_INPAINTING}
    schemes = {
        value
        for value in vars(md.solvers).values()
        if isinstance(value, type) and issubclass(value, md.solvers.Scheme)
    }
    assert schemes - {md.solvers.Scheme} == {type(scheme) for scheme in SCHEMES.values()}


@pytest.mark.parametrize(
    "name", ["linear_diffusion", "nonlinear_diffusion", "edge_enhancing_diffusion", "tv_flow"]
)
def test_the_discrepancy_principle_stops_at_the_noise(name: str) -> None:
    clean = md.images.disc(48, 48, 15).double()
    noisy = md.images.GaussianNoise(0.1)(clean, seed=0)
    found = md.parameters.time_by_discrepancy(md.models.FLOWS[name](noisy), noise=0.1)
    assert float((found.image - noisy).square().mean().sqrt()) == pytest.approx(0.1, rel=0.02)
    assert f"{found.time:.4g}" in found.why
    assert "25.5/255 (given)" in found.why
    # The image belongs to the time: steps of the same kind lead there.
    scheme = ImplicitEuler(found.time / 20) if name == "tv_flow" else Explicit()
    again = md.evolve(md.models.FLOWS[name](noisy), scheme, found.time).image
    assert float((again - found.image).square().mean().sqrt()) < 0.01


def test_decorrelation_needs_no_noise_level_and_is_nearly_the_best_time() -> None:
    clean = md.images.grey(md.images.coffee())[..., 60:188, 180:308].double()
    noisy = md.images.GaussianNoise(25 / 255)(clean, seed=3)
    flow = md.models.nonlinear_diffusion(noisy, PeronaMalik(4 / 255))
    found = md.parameters.time_by_decorrelation(flow)
    quality: dict[float, float] = {}
    md.evolve(
        flow,
        Explicit(),
        2 * found.time,
        watch=lambda t, u: quality.update({t: float((u - clean).square().mean())}),
    )
    best = min(quality.values())
    assert float((found.image - clean).square().mean()) < 1.25 * best  # less than 1 dB
    assert found.time > 1


def test_a_longest_time_is_kept() -> None:
    noisy = md.images.GaussianNoise(0.1)(md.images.step(16, 32), seed=0)
    flow = md.models.nonlinear_diffusion(noisy)
    for longest in (0.1, 0.5, 0.6):
        assert 0 < time_by_decorrelation(flow, longest=longest).time <= longest * (1 + 1e-12)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            lambda: time_by_discrepancy(md.models.tv_flow(F), noise=0.0),
            "noise, which must be above 0",
        ),
        (lambda: time_by_discrepancy(md.models.tv_flow(F), noise=0.1, share=-1), "share=-1"),
        (
            lambda: time_by_discrepancy(md.models.linear_diffusion(F), noise=5.0),
            "never removes so much",
        ),
        (lambda: time_by_discrepancy(md.models.rof(F, 0.1), noise=0.1), "no Flow"),
        (lambda: time_by_discrepancy(md.models.tv_flow(F), 0.1, AOS()), "needs a Splittable"),
        (lambda: time_by_decorrelation(md.models.linear_diffusion(0 * F)), "not constant"),
        (lambda: time_by_decorrelation(md.models.linear_diffusion(F), longest=0.0), "longest=0.0"),
        (
            lambda: time_by_decorrelation(md.models.linear_diffusion(F), "aos"),
            "time-stepping scheme",
        ),
    ],
)
def test_wrong_questions_for_a_time_are_refused(wrong: object, message: str) -> None:
    with pytest.raises(md.errors.InputError, match=message):
        wrong()
