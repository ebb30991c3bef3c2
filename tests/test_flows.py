"""Diffusion filters: exact factors, what is kept, what is bounded, and what does not hold."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import mindl as md
from mindl.calculus import (
    Charbonnier,
    DeltaStencil,
    DirectionalDifferences,
    Huber,
    PeronaMalik,
    TensorField,
    Weickert,
)
from mindl.solvers import AOS, FED, FSI, DuFortFrankel, Explicit, HaarShrinkage, ImplicitEuler, SemiImplicit


def rand(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def mode(n: int, k: int) -> Tensor:
    return torch.cos(math.pi * k * (torch.arange(n, dtype=torch.float64) + 0.5) / n)


def eigenvalue(n: int, k: int) -> float:
    return 4 * math.sin(math.pi * k / (2 * n)) ** 2


def box_filter(signal: Tensor, length: int) -> Tensor:
    """The mean over ``length`` pixels of the mirrored signal, by plain sums."""
    n, half = signal.shape[-1], length // 2
    mirrored = torch.cat([signal, signal.flip(-1)], dim=-1)
    rows = [sum(mirrored[..., (i + j) % (2 * n)] for j in range(-half, half + 1)) / length for i in range(n)]
    return torch.stack(rows, dim=-1)


# Linear diffusion ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 7, 20, 50])
@pytest.mark.parametrize("scheme", [FED, FSI])
def test_a_cycle_on_a_line_is_a_box_filter(scheme: type, n: int) -> None:
    signal = rand(2, 1, 1, 31)
    flow = md.models.linear_diffusion(signal)
    time = 0.5 * (n * n + n) / 3
    result = md.evolve(flow, scheme(n), time)
    assert result.steps == 1
    assert result.work == n
    assert torch.allclose(result.image, box_filter(signal, 2 * n + 1), rtol=0, atol=1e-12)


def test_every_image_within_a_cycle_of_fsi_is_a_box_filter() -> None:
    signal = rand(1, 1, 1, 40)
    flow = md.models.linear_diffusion(signal)
    for k in range(1, 13):
        image = md.evolve(flow, FSI(12), 0.5 * (k * k + k) / 3).image
        assert torch.allclose(image, box_filter(signal, 2 * k + 1), rtol=0, atol=1e-12)


@pytest.mark.parametrize("n", [5, 60, 300])
def test_the_order_of_the_steps_keeps_long_cycles_from_blowing_up(n: int) -> None:
    signal = rand(1, 1, 1, 64)
    image = md.evolve(md.models.linear_diffusion(signal), FED(n), 0.5 * (n * n + n) / 3).image
    assert torch.allclose(image, box_filter(signal, 2 * n + 1), rtol=0, atol=1e-10)


MODES = [(0, 1), (3, 0), (2, 5), (8, 13)]


@pytest.mark.parametrize("k", MODES)
@pytest.mark.parametrize(
    ("scheme", "factor"),
    [
        (Explicit(0.2), lambda x, y: (1 - 0.2 * (x + y)) ** 3),
        (SemiImplicit(0.2, tolerance=1e-14), lambda x, y: (1 + 0.2 * (x + y)) ** -3),
        (ImplicitEuler(0.2, tolerance=1e-12), lambda x, y: (1 + 0.2 * (x + y)) ** -3),
        (AOS(0.2), lambda x, y: (0.5 / (1 + 0.4 * x) + 0.5 / (1 + 0.4 * y)) ** 3),
        (AOS(200.0), lambda x, y: 0.5 / (1 + 1.2 * x) + 0.5 / (1 + 1.2 * y)),
    ],
    ids=["explicit", "semi-implicit", "implicit", "aos", "aos once"],
)
def test_modes_of_the_cosine_transform_are_multiplied(scheme: object, factor: object, k: tuple[int, int]) -> None:
    height, width = 9, 14
    wave = (mode(height, k[0])[:, None] * mode(width, k[1]))[None, None]
    result = md.evolve(md.models.linear_diffusion(wave), scheme, 0.6)
    expected = factor(eigenvalue(width, k[1]), eigenvalue(height, k[0])) * wave
    assert torch.allclose(result.image, expected, rtol=0, atol=1e-12)


def exact_linear(image: Tensor, time: float) -> Tensor:
    """exp(-lambda t) on every mode, by matrices of cosines."""
    for dim in (2, 3):
        n = image.shape[dim]
        modes = torch.stack([mode(n, k) / math.sqrt(n / (2 if k else 1)) for k in range(n)])
        factors = torch.tensor([math.exp(-time * eigenvalue(n, k)) for k in range(n)], dtype=torch.float64)
        image = torch.einsum("ij,...j->...i", (modes.T * factors) @ modes, image.movedim(dim, -1)).movedim(-1, dim)
    return image


def test_the_exact_flow_of_the_tests_is_a_semigroup() -> None:
    u = rand(1, 1, 5, 6)
    assert torch.allclose(exact_linear(exact_linear(u, 0.3), 0.4), exact_linear(u, 0.7), atol=1e-13)


SCHEMES = [
    lambda tau: Explicit(tau),
    lambda tau: SemiImplicit(tau, tolerance=1e-12),
    lambda tau: AOS(tau),
    lambda tau: ImplicitEuler(tau, tolerance=1e-12),
]
NAMES = ["explicit", "semi-implicit", "aos", "implicit"]


@pytest.mark.parametrize("make", SCHEMES, ids=NAMES)
def test_schemes_are_of_first_order_in_time(make: object) -> None:
    data = md.calculus.smoothed(rand(1, 1, 8, 9), 0.7)
    flow = md.models.linear_diffusion(data)
    truth = exact_linear(data, 0.8)
    errors = [float((md.evolve(flow, make(tau), 0.8).image - truth).norm()) for tau in (0.1, 0.05, 0.025)]
    for coarse, fine in itertools.pairwise(errors):
        assert 1.7 < coarse / fine < 2.3


@pytest.mark.parametrize("make", SCHEMES[:3], ids=NAMES[:3])
def test_schemes_are_of_first_order_in_time_for_a_nonlinear_flow(make: object) -> None:
    y, x = torch.meshgrid(*[torch.linspace(0, 3, n, dtype=torch.float64) for n in (9, 11)], indexing="ij")
    data = (0.5 + 0.3 * torch.sin(x) * torch.cos(2 * y))[None, None]
    flow = md.models.nonlinear_diffusion(data, Charbonnier(0.2), presmoothing=0.7)
    images = [md.evolve(flow, make(tau), 1.0).image for tau in (1 / 4, 1 / 8, 1 / 16, 1 / 32)]
    gaps = [float((one - other).norm()) for one, other in itertools.pairwise(images)]
    assert 1.7 < gaps[0] / gaps[1] < 2.3
    assert 1.7 < gaps[1] / gaps[2] < 2.3
    other = md.evolve(flow, Explicit(1 / 64), 1.0).image  # all schemes lead to one image
    assert float((images[-1] - other).norm()) < 2 * gaps[-1]


@pytest.mark.parametrize(
    "make",
    [
        lambda u, h: md.models.linear_diffusion(u, grid=h),
        lambda u, h: md.models.nonlinear_diffusion(u, Charbonnier(4.0), presmoothing=0.0, grid=h),
    ],
    ids=["linear", "nonlinear"],
)
def test_rates_are_of_second_order_in_the_grid_size(make: object) -> None:
    """At every pixel, those of the border too: cos(pi x) has no flux through it."""
    errors = []
    for n in (32, 64, 128):
        x = (torch.arange(n, dtype=torch.float64) + 0.5) / n
        wave, slope = torch.cos(math.pi * x), -math.pi * torch.sin(math.pi * x)
        linear = make(wave.expand(1, 1, 3, n), 1 / n).title == "linear_diffusion"
        g = 1 if linear else (1 + slope**2 / 16) ** -1.5
        exact = -(math.pi**2) * wave * g  # (s g(s^2))' = (1 + s^2 / c^2)^-3/2 for Charbonnier
        away = make(wave.expand(1, 1, 3, n), 1 / n).rate(wave.expand(1, 1, 3, n)) - exact
        errors.append(float(away.abs().max()))
    assert 3.6 < errors[0] / errors[1] < 4.4
    assert 3.6 < errors[1] / errors[2] < 4.4


def test_an_impulse_becomes_a_gaussian_of_variance_2_t() -> None:
    pixel = torch.zeros(1, 1, 41, 41, dtype=torch.float64)
    pixel[..., 20, 20] = 1
    image = md.evolve(md.models.linear_diffusion(pixel), Explicit(0.1), 3.0).image
    x = torch.arange(41, dtype=torch.float64) - 20
    assert float((image * x * x).sum()) == pytest.approx(2 * 3.0, rel=1e-9)


# Nonlinear isotropic diffusion --------------------------------------------------------------------------------

PENALISERS = [Charbonnier(0.1), PeronaMalik(0.1), Weickert(0.1), Huber(0.1)]


def filters(data: Tensor) -> list[md.models.Flow]:
    return [
        md.models.linear_diffusion(data),
        md.models.charbonnier_flow(data, 0.1),
        md.models.huber_flow(data, 0.1),
        *(md.models.nonlinear_diffusion(data, penaliser, presmoothing=0.6) for penaliser in PENALISERS),
        md.models.nonlinear_diffusion(data, PeronaMalik(0.1), presmoothing=0.0, joint=False),
    ]


@pytest.mark.parametrize("which", range(8))
@pytest.mark.parametrize("tau", [None, 0.25, 5.0, 500.0])
def test_mean_and_range_are_kept_and_convex_functions_fall(which: int, tau: float | None) -> None:
    data = rand(2, 3, 7, 9, seed=3)
    flow = filters(data)[which]
    scheme = Explicit() if tau is None else AOS(tau)
    image, time = data, scheme.span(flow)
    for _ in range(4):
        after = md.evolve(flow, scheme, time, start=image).image
        assert torch.allclose(after.mean(dim=(2, 3)), data.mean(dim=(2, 3)), atol=1e-13)
        assert (after.amin(dim=(2, 3)) >= image.amin(dim=(2, 3)) - 1e-13).all()
        assert (after.amax(dim=(2, 3)) <= image.amax(dim=(2, 3)) + 1e-13).all()
        for r in (lambda u: u**2, lambda u: u**4, lambda u: (u - 0.5).abs(), lambda u: torch.special.xlogy(u, u)):
            assert (r(after).sum(dim=(2, 3)) <= r(image).sum(dim=(2, 3)) + 1e-12).all()
        image = after


def test_channels_share_their_diffusivity_or_not() -> None:
    one = rand(1, 1, 7, 8)
    three = md.models.nonlinear_diffusion(one.repeat(1, 3, 1, 1), PeronaMalik(0.1 * math.sqrt(3)))
    alone = md.models.nonlinear_diffusion(one, PeronaMalik(0.1))
    assert torch.allclose(three.rate(three.data), alone.rate(one).expand(1, 3, 7, 8), atol=1e-13)
    data = rand(1, 3, 7, 8)
    apart = md.models.nonlinear_diffusion(data, PeronaMalik(0.1), joint=False).rate(data)
    for c in range(3):
        channel = data[:, c : c + 1]
        assert torch.equal(
            apart[:, c : c + 1], md.models.nonlinear_diffusion(channel, PeronaMalik(0.1)).rate(channel)
        )
    assert not torch.allclose(apart, md.models.nonlinear_diffusion(data, PeronaMalik(0.1)).rate(data))


def test_everything_becomes_the_mean() -> None:
    data = rand(1, 1, 5, 6)
    for flow in filters(data):
        image = md.evolve(flow, AOS(1e6), 2e7).image
        assert torch.allclose(image, data.mean().expand_as(data), atol=1e-6), flow.title


def test_the_steady_state_of_a_filter_is_its_mean() -> None:
    data = rand(1, 1, 6, 6)
    solution = md.steady_state(md.models.nonlinear_diffusion(data), stop=md.Stop(1e-9))
    assert torch.allclose(solution.image, data.mean().expand_as(data), atol=1e-6)


def test_aos_of_nonlinear_diffusion_has_a_local_error_of_second_order() -> None:
    data = md.calculus.smoothed(rand(1, 1, 8, 8), 0.7)
    flow = md.models.nonlinear_diffusion(data, PeronaMalik(0.3), presmoothing=0.8)
    local = []
    for tau in (0.04, 0.02, 0.01):
        truth = md.evolve(flow, Explicit(tau / 256), tau).image
        local.append(float((md.evolve(flow, AOS(tau), tau).image - truth).norm()))
    assert local[0] / local[1] > 3.4
    assert local[1] / local[2] > 3.6


def test_perona_malik_spreads_close_images_but_never_lengthens_one() -> None:
    """The Euclidean norm falls, and yet it is not nonexpansive; Charbonnier's flow is."""
    spread = {PeronaMalik: 0, Charbonnier: 0}
    for seed in range(200):
        u = rand(1, 1, 1, 12, seed=seed)
        v = u + 1e-4 * (rand(1, 1, 1, 12, seed=1000 + seed) - 0.5)
        for kind in spread:

            def step(w: Tensor, kind: type = kind) -> Tensor:
                flow = md.models.haar_diffusion(w, kind(0.1))  # on a line: g of each difference, no smoothing
                return md.evolve(flow, Explicit(0.5), 0.5).image

            assert step(u).norm() <= u.norm() + 1e-14
            spread[kind] += int((step(u) - step(v)).norm() > (u - v).norm() * (1 + 1e-9))
    assert spread[PeronaMalik] > 50
    assert spread[Charbonnier] == 0


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), height=st.integers(1, 6), width=st.integers(1, 6))
def test_convex_flows_never_spread_two_images(seed: int, height: int, width: int) -> None:
    u, v = rand(1, 2, height, width, seed=seed), rand(1, 2, height, width, seed=seed + 1)
    for make in (md.models.linear_diffusion, md.models.charbonnier_flow, md.models.huber_flow):
        ends = [md.evolve(make(w), Explicit(), make(w).stable_step).image for w in (u, v)]
        assert (ends[0] - ends[1]).norm() <= (u - v).norm() * (1 + 1e-12)


def test_the_explicit_scheme_is_refused_above_its_bound_and_blows_up_there() -> None:
    checkerboard = (torch.arange(8)[:, None] + torch.arange(8)).remainder(2).double()[None, None]
    flow = md.models.linear_diffusion(checkerboard)
    with pytest.raises(md.errors.InputError, match=r"Explicit\(step_size=0.26\) is unstable.*bound is 0.25"):
        md.evolve(flow, Explicit(0.26), 1.0)
    u = checkerboard - 0.5
    for _ in range(100):
        u = u + 0.27 * flow.rate(u)
    assert u.norm() > 10 * checkerboard.norm()


@pytest.mark.parametrize("power", [2, 3, 4])
def test_weickerts_constant_and_flux(power: int) -> None:
    known = {2: 2.33666, 3: 2.91830, 4: 3.31488}
    penaliser = Weickert(0.2, power)
    assert penaliser.threshold == pytest.approx(known[power], abs=5e-6)
    s = torch.linspace(0.01, 0.6, 5901, dtype=torch.float64)
    assert float(s[penaliser.flux(s).argmax()]) == pytest.approx(0.2, abs=2e-4)
    slope = (penaliser(s[2:]) - penaliser(s[:-2])) / (s[2:] - s[:-2])
    assert torch.allclose(slope, penaliser.flux(s[1:-1]), atol=2e-6)
    assert float(penaliser(torch.zeros(1, dtype=torch.float64))) == 0
    steep = (penaliser.flux(s[1:]) - penaliser.flux(s[:-1])) / (s[1:] - s[:-1])
    assert float(steep.min()) == pytest.approx(penaliser.smallest_slope, rel=1e-3)


# Haar shrinkage -----------------------------------------------------------------------------------------------


def shift_invariant_haar(signal: Tensor, shrink: object) -> Tensor:
    """Both shifts of the one-dimensional Haar transform on a periodic signal, written down plainly."""
    result = torch.zeros_like(signal)
    n = signal.shape[-1]
    for shift in (0, 1):
        s = signal.roll(-shift, -1)
        mean, wave = (s[..., 0::2] + s[..., 1::2]) / math.sqrt(2), (s[..., 0::2] - s[..., 1::2]) / math.sqrt(2)
        wave = shrink(wave)
        back = torch.empty_like(s)
        back[..., 0::2], back[..., 1::2] = (mean + wave) / math.sqrt(2), (mean - wave) / math.sqrt(2)
        result = result + back.roll(shift, -1) / 2
    assert n % 2 == 0
    return result


@pytest.mark.parametrize("penaliser", PENALISERS, ids=lambda p: type(p).__name__)
def test_haar_shrinkage_on_a_line_is_an_explicit_step(penaliser: object) -> None:
    signal = rand(1, 1, 1, 16)
    tau = 0.05
    mirrored = torch.cat([signal, signal.flip(-1)], dim=-1)
    shrunk = shift_invariant_haar(
        mirrored, lambda w: w * (1 - 4 * tau * penaliser.diffusivity((math.sqrt(2) * w) ** 2))
    )
    image = md.evolve(md.models.haar_diffusion(signal, penaliser), Explicit(tau), tau).image
    assert torch.allclose(image, shrunk[..., :16], rtol=0, atol=1e-14)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 7), st.integers(1, 7)),
    alpha=st.sampled_from([0.0, 0.1, 0.25, 0.5]),
)
def test_haar_shrinkage_equals_diffusion_on_the_stencil(
    seed: int, shape: tuple[int, int, int], alpha: float
) -> None:
    flow = md.models.haar_diffusion(rand(2, *shape, seed=seed), PeronaMalik(0.2), alpha=alpha)
    tau = 0.9 * flow.stable_step
    one, other = (md.evolve(flow, scheme(tau), tau).image for scheme in (Explicit, HaarShrinkage))
    assert torch.allclose(one, other, rtol=0, atol=1e-14)


# Anisotropic diffusion ----------------------------------------------------------------------------------------


def random_tensors(height: int, width: int, seed: int) -> TensorField:
    """Positive semidefinite, some of rank one, with eigenvalues in [0, 1]."""
    angle = math.pi * rand(1, 1, height + 1, width + 1, seed=seed)
    big = rand(1, 1, height + 1, width + 1, seed=seed + 1)
    small = (
        big
        * rand(1, 1, height + 1, width + 1, seed=seed + 2)
        * (rand(1, 1, height + 1, width + 1, seed=seed + 3) > 0.5)
    )
    c, s = torch.cos(angle), torch.sin(angle)
    return TensorField(big * c * c + small * s * s, (big - small) * c * s, big * s * s + small * c * c)


def dense(weights: Tensor) -> Tensor:
    """The matrix of an anisotropic diffusion, column by column."""
    height, width = weights.shape[-2:]
    operator = DirectionalDifferences()
    unit = torch.eye(height * width, dtype=torch.float64).reshape(-1, 1, height, width)
    return operator.adjoint(operator(unit) * weights).flatten(1).T


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 100_000),
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    alpha=st.floats(0, 0.5),
    gamma=st.floats(0, 1),
)
def test_the_spectral_bound_holds_for_random_tensor_fields(
    seed: int, height: int, width: int, alpha: float, gamma: float
) -> None:
    stencil, tensors = DeltaStencil(alpha, gamma), random_tensors(height, width, seed)
    matrix = dense(stencil.weights(tensors))
    values = torch.linalg.eigvalsh((matrix + matrix.T) / 2)
    largest = float((tensors.trace / 2 + tensors.radius).max())
    checkerboard = float((tensors.trace - 2 * stencil.delta(tensors)).max())
    assert torch.allclose(matrix, matrix.T, atol=1e-15)
    assert values.min() >= -1e-12
    assert values.max() <= 4 * max(largest, checkerboard) + 1e-12
    assert values.max() <= stencil.bound(largest) + 1e-12
    assert torch.allclose(matrix.sum(dim=1), torch.zeros(len(matrix), dtype=torch.float64), atol=1e-13)


@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.25, 0.4])
def test_the_spectral_bound_is_sharp_and_steps_just_above_it_blow_up(alpha: float) -> None:
    size = 24
    ones = torch.ones(1, 1, size + 1, size + 1, dtype=torch.float64)
    stencil = DeltaStencil(alpha)
    matrix = dense(stencil.weights(TensorField(ones, 0 * ones, ones)))
    largest = float(torch.linalg.eigvalsh(matrix).max())
    assert 0.98 * stencil.bound(1.0) < largest <= stencil.bound(1.0)
    u = rand(size * size, seed=1)
    tau = 2 / largest * 1.05
    for _ in range(400):
        u = u - tau * matrix @ u
    assert u.norm() > 1e3


def test_a_delta_beyond_half_the_trace_is_not_stable() -> None:
    """Why alpha ends at 1/2: the checkerboard would grow."""
    ones = torch.ones(1, 1, 13, 13, dtype=torch.float64)
    field = TensorField(ones, 0 * ones, ones)
    stencil = DeltaStencil(0.5)
    object.__setattr__(stencil, "alpha", 0.55)
    assert torch.linalg.eigvalsh(dense(stencil.weights(field))).min() < -0.1


def test_the_stencil_is_exact_for_quadratic_images() -> None:
    a, b, c = 0.9, 0.3, 0.5
    y, x = torch.meshgrid(*[torch.arange(n, dtype=torch.float64) for n in (7, 8)], indexing="ij")
    u = (x * x / 2 + 2 * x * y - 1.5 * y * y / 2 + 3 * x)[None, None]
    ones = torch.ones(1, 1, 8, 9, dtype=torch.float64)
    for alpha, gamma in ((0.0, 0.0), (0.1, 1.0), (0.3, 0.5), (0.5, 1.0)):
        operator, weights = (
            DirectionalDifferences(),
            DeltaStencil(alpha, gamma).weights(TensorField(a * ones, b * ones, c * ones)),
        )
        result = -operator.adjoint(operator(u) * weights)[..., 1:-1, 1:-1]
        assert torch.allclose(result, torch.full_like(result, a + 2 * b * 2 - 1.5 * c), atol=1e-12)


def test_with_no_tensor_and_no_delta_the_stencil_is_the_laplacian() -> None:
    u = rand(1, 1, 5, 6)
    ones = torch.ones(1, 1, 6, 7, dtype=torch.float64)
    weights = DeltaStencil(0.0).weights(TensorField(ones, 0 * ones, ones))
    operator = DirectionalDifferences()
    assert torch.allclose(operator.adjoint(operator(u) * weights), md.calculus.Gradient().gram(u), atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("contrast", [1e-6, 1 / 255, 0.02, 0.1])
def test_tensors_that_a_rule_makes_are_never_refused(dtype: torch.dtype, contrast: float) -> None:
    """Rank one, nearly parallel to an axis, and of rounding's size: all positive semidefinite, up to rounding."""
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    tilted = ((0.92 * x + 0.39 * y) > 10).to(dtype)[None, None]
    for image in (tilted, md.images.disc(16, 16, 5).to(dtype), rand(1, 3, 16, 16, dtype=dtype), 1e-6 * tilted):
        for penaliser in (Weickert(contrast), PeronaMalik(contrast), Charbonnier(contrast)):
            flow = md.models.edge_enhancing_diffusion(image, penaliser)
            assert torch.isfinite(md.evolve(flow, Explicit(), 2.0).image).all()


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e4])
def test_anisotropic_diffusion_knows_no_units(scale: float) -> None:
    """Data and contrast scaled, the rate is scaled: in float32 too, where fourth powers of gradients vanish."""
    data = rand(1, 1, 9, 9, dtype=torch.float32)
    one = md.models.edge_enhancing_diffusion(data, PeronaMalik(0.02)).rate(data)
    other = md.models.edge_enhancing_diffusion(data * scale, PeronaMalik(0.02 * scale)).rate(data * scale)
    assert torch.allclose(other / scale, one, atol=2e-4)


def anisotropic(data: Tensor) -> list[md.models.TensorDiffusion]:
    return [
        md.models.edge_enhancing_diffusion(data, PeronaMalik(0.1)),
        md.models.edge_enhancing_diffusion(data, Charbonnier(0.05), presmoothing=1.0, stencil=DeltaStencil(0.1)),
        md.models.coherence_enhancing_diffusion(data, 0.01, integration=1.5),
    ]


@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize(
    "scheme", [Explicit(), FED(7), FSI(7), SemiImplicit(3.0, tolerance=1e-12)], ids=lambda s: s.title
)
def test_anisotropic_diffusion_keeps_the_mean_and_loses_energy(which: int, scheme: object) -> None:
    data = rand(2, 3, 9, 7, seed=5)
    flow = anisotropic(data)[which]
    image = data
    for _ in range(3):
        after = md.evolve(flow, scheme, scheme.span(flow), start=image).image
        assert torch.allclose(after.mean(dim=(2, 3)), data.mean(dim=(2, 3)), atol=1e-12)
        assert (after.square().sum(dim=(1, 2, 3)) <= image.square().sum(dim=(1, 2, 3)) + 1e-12).all()
        image = after


def test_anisotropic_diffusion_leaves_the_range_for_oblique_tensors() -> None:
    """What does not hold: a maximum-minimum principle on 3 x 3 pixels."""
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    data = ((x * math.cos(0.4) + y * math.sin(0.4)) > 18).double()[None, None]
    flow = md.models.edge_enhancing_diffusion(data, PeronaMalik(0.02), presmoothing=0.7, stencil=DeltaStencil(0.1))
    image = md.evolve(flow, Explicit(), 1.0).image
    assert float(image.max()) > 1 + 1e-3 or float(image.min()) < -1e-3


def test_a_cycle_leaves_the_range_where_diffusivities_vary() -> None:
    """What does not hold: a maximum-minimum principle for FED and FSI."""
    data = (rand(124, seed=54)[24:].reshape(1, 1, 10, 10) > 0.7).double()  # the worst of 150 drawn at random
    flow = md.models.nonlinear_diffusion(data, PeronaMalik(0.02), presmoothing=0.0)
    for scheme in (FED(4), FSI(4)):
        image = md.evolve(flow, scheme, scheme.span(flow)).image
        assert float(image.max()) > 1.02 or float(image.min()) < -0.02


def test_du_fort_frankel_is_the_classical_form_on_a_line() -> None:
    """(1 + 2 r) u_i' = (1 - 2 r) u_i'' + 2 r (u_i+1 + u_i-1), written out with mirrored ends."""
    data = rand(1, 1, 1, 12, seed=7)
    flow = md.models.linear_diffusion(data)
    assert torch.equal(md.evolve(flow, DuFortFrankel(), 3.0).image, md.evolve(flow, Explicit(), 3.0).image)
    for tau in (0.3, 0.5, 2.0):
        before, image = data, md.evolve(flow, DuFortFrankel(tau), tau).image
        assert torch.allclose(image, data + min(tau, 0.5) * flow.rate(data), atol=1e-14)
        for steps in range(2, 6):
            wide = torch.cat([image[..., :1], image, image[..., -1:]], dim=3)
            neighbours = wide[..., 2:] + wide[..., :-2]
            before, image = image, ((1 - 2 * tau) * before + 2 * tau * neighbours) / (1 + 2 * tau)
            found = md.evolve(flow, DuFortFrankel(tau), steps * tau).image
            assert torch.allclose(found, image, rtol=0, atol=1e-13), (tau, steps)


def test_du_fort_frankel_stays_bounded_with_huge_steps() -> None:
    data = rand(1, 1, 16, 15, seed=8)
    found = md.evolve(md.models.linear_diffusion(data), DuFortFrankel(50.0), 20_000.0).image
    assert found.square().sum() <= 4 * data.square().sum()
    assert torch.allclose(found.mean(), data.mean(), atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 5, 12])
def test_a_cycle_of_fed_and_one_of_fsi_are_the_same(n: int) -> None:
    data = rand(2, 3, 8, 9, seed=4)
    for flow in (*filters(data), *anisotropic(data)):
        time = 0.8 * FED(n).span(flow)
        one, other = (md.evolve(flow, scheme(n), time).image for scheme in (FED, FSI))
        assert torch.allclose(one, other, rtol=0, atol=1e-12), flow.title


@pytest.mark.parametrize("integration", [0.0, 1.5])
def test_structure_tensors_see_the_mirrored_image(integration: float) -> None:
    """What lies beyond the border is the mirror image, whose xy has the other sign."""
    u = rand(1, 2, 8, 9)
    wide = torch.cat([u.flip(3), u, u.flip(3)], dim=3)
    tiled = torch.cat([wide.flip(2), wide, wide.flip(2)], dim=2)
    one = md.calculus.structure_tensor(u, integration)
    other = md.calculus.structure_tensor(tiled, integration)
    for entry in ("xx", "xy", "yy"):
        middle = getattr(other, entry)[..., 8:17, 9:19]
        assert torch.allclose(getattr(one, entry), middle, atol=1e-14), entry


@pytest.mark.parametrize("which", range(3))
def test_anisotropic_diffusion_turns_with_the_image(which: int) -> None:
    data = rand(1, 2, 8, 11, seed=9)
    flow = anisotropic(data)[which]
    turned = flow.rate(torch.rot90(data, 1, (2, 3)))
    assert torch.allclose(turned, torch.rot90(flow.rate(data), 1, (2, 3)), atol=1e-13)
    assert torch.allclose(flow.rate(data.flip(3)), flow.rate(data).flip(3), atol=1e-13)


def test_colour_shares_its_tensor() -> None:
    """An edge in one channel protects the others: the structure tensors add up."""
    grey = md.images.step(8, 12).double() * 0.8
    flat = 0.02 * rand(1, 1, 8, 12)
    both = torch.cat([grey, flat], dim=1)
    flow = md.models.edge_enhancing_diffusion(both, PeronaMalik(0.05))
    assert flow.tensor(both).xx.shape[1] == 1
    alone = md.models.edge_enhancing_diffusion(flat, PeronaMalik(0.05)).tensor(flat).xx[0, 0, 4, 6]
    assert float(flow.tensor(both).xx[0, 0, 4, 6]) < 0.05 < float(alone)
    # Three equal channels are one of sqrt 3 times the contrast.
    three = md.models.edge_enhancing_diffusion(grey.repeat(1, 3, 1, 1), PeronaMalik(0.1 * math.sqrt(3)))
    one = md.models.edge_enhancing_diffusion(grey, PeronaMalik(0.1))
    assert torch.allclose(three.rate(three.data)[:, :1], one.rate(grey), atol=1e-12)


def test_coherence_enhancing_diffusion_closes_a_gap_in_a_line() -> None:
    line = torch.zeros(1, 1, 25, 41, dtype=torch.float64)
    line[..., 11:14, :] = 1
    line[..., 19:22] = 0
    image = md.evolve(md.models.coherence_enhancing_diffusion(line, 0.02, integration=4.0), FED(10), 60.0).image
    assert float(image[..., 12, 20]) > 0.4
    assert float(image[..., 6, :].max()) < 0.05


# Total variation flow and mean curvature motion ---------------------------------------------------------------


def test_tv_flow_on_a_line_is_exact_in_one_step_and_in_many() -> None:
    step = torch.cat([torch.zeros(5), torch.ones(9)]).double().reshape(1, 1, 1, -1)
    flow, time = md.models.tv_flow(step), 0.4
    exact = step + torch.where(step == 0, step + time / 5, -step * time / 9)
    for steps in (1, 4):
        result = md.evolve(flow, ImplicitEuler(time / steps, tolerance=1e-11), time)
        assert torch.allclose(result.image, exact, rtol=0, atol=1e-6)
        assert bool(result.certificate.rms < 1e-2)


@pytest.mark.parametrize("radius", [8, 12])
def test_a_disc_sinks_with_the_speed_2_over_r(radius: int) -> None:
    size = 4 * radius
    disc = md.images.disc(size, size, radius).double()
    time = 0.1 * radius
    result = md.evolve(md.models.tv_flow(disc), ImplicitEuler(time / 2, tolerance=1e-6), time)
    # On a bounded image what the disc loses spreads over the ground; the middle itself sinks by 2 t / R.
    sunk = 1 - float(result.image[..., size // 2, size // 2])
    assert sunk == pytest.approx(2 * time / radius, rel=0.04)


def test_one_implicit_step_of_tv_flow_is_not_the_flow_beyond_lines_and_discs() -> None:
    """What does not hold: that the flow at time t is the denoising model with weight t."""
    data = rand(1, 1, 8, 8)
    flow = md.models.tv_flow(data)
    once = md.evolve(flow, ImplicitEuler(0.2, tolerance=1e-8), 0.2)
    often = md.evolve(flow, ImplicitEuler(0.01, tolerance=1e-8), 0.2)
    apart = 255 * (once.image - often.image).square().mean().sqrt()
    assert float(apart) > 1
    assert float(apart) <= float(once.certificate.rms + often.certificate.rms)


def circle_error(h: float) -> float:
    """The radius of a shrunk circle, of which the distance function is the image, against sqrt(r^2 - 2 t)."""
    n = round(4 / h)
    x = (torch.arange(n, dtype=torch.float64) + 0.5) * h - 2
    distance = (x[:, None] ** 2 + x**2).sqrt()[None, None]
    radius, time = 1.2, 0.3
    flow = md.models.mean_curvature_motion(distance, grid=h, floor=1e-8)
    image = md.evolve(flow, Explicit(0.2 * h * h), time).image
    # Under the flow a cone's level line of radius r becomes one of radius sqrt(r^2 - 2 t): read off along a row.
    row = image[0, 0, n // 2, n // 2 :]
    target = math.sqrt(radius**2 - 2 * time)
    k = int((row < radius).sum())
    where = x[n // 2 :]
    share = (radius - row[k - 1]) / (row[k] - row[k - 1])
    crossing = where[k - 1] + share * h
    y = float(x[n // 2])
    return abs(math.hypot(float(crossing), y) - target)


def test_a_circle_shrinks_by_its_curvature_with_second_order() -> None:
    errors = [circle_error(h) for h in (0.2, 0.1, 0.05)]
    assert errors[2] < 2e-3
    assert errors[0] / errors[2] > 8


def test_areas_shrink_at_the_rate_of_2_pi_whatever_their_shape() -> None:
    n = 96
    x = torch.arange(n, dtype=torch.float64) - n / 2 + 0.5
    ellipse = ((x[:, None] / 16) ** 2 + (x / 28) ** 2).sqrt()[None, None]
    times, areas = (0.0, 40.0), []
    flow = md.models.mean_curvature_motion(ellipse, floor=1e-8)
    for time in times:
        image = md.evolve(flow, Explicit(), time).image
        areas.append(float((0.5 - (image - 1) * 20).clamp(0, 1).sum()))
    assert (areas[0] - areas[1]) / (times[1] - times[0]) == pytest.approx(2 * math.pi, rel=0.02)


def test_mean_curvature_motion_leaves_straight_lines_and_grey_shifts_alone() -> None:
    y, x = torch.meshgrid(*[torch.arange(n, dtype=torch.float64) for n in (9, 8)], indexing="ij")
    plane = (0.3 * x - 0.2 * y)[None, None]
    flow = md.models.mean_curvature_motion(plane)
    assert float(flow.rate(plane)[..., 1:-1, 1:-1].abs().max()) < 1e-14
    u = rand(1, 1, 8, 9)
    assert torch.allclose(flow.rate(u + 0.3), flow.rate(u), atol=1e-10)


def test_a_summit_has_no_direction_and_moves_by_half_its_laplacian() -> None:
    y, x = torch.meshgrid(*[torch.arange(n, dtype=torch.float64) - 4 for n in (9, 9)], indexing="ij")
    summit = -(0.3 * x * x + 0.1 * y * y)[None, None]
    rate = md.models.mean_curvature_motion(summit).rate(summit)
    assert float(rate[..., 4, 4]) == pytest.approx(-(0.6 + 0.2) / 2)


def test_central_differences_of_mean_curvature_motion_leave_the_range() -> None:
    """What does not hold: a discrete maximum-minimum principle."""
    left = 0
    for seed in range(20):
        data = (rand(1, 1, 12, 12, seed=seed) > 0.5).double()
        image = md.evolve(md.models.mean_curvature_motion(data), Explicit(), 1.0).image
        left += int(float(image.max()) > 1 + 1e-6 or float(image.min()) < -1e-6)
    assert left > 0
