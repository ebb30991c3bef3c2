"""Bounds, activations and symmetric blocks: theorems, checked by dense matrices and by counterexamples."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from mindl.calculus import (
    Charbonnier,
    Huber,
    PeronaMalik,
    Quadratic,
    SmoothPenaliser,
    TotalVariation,
    Weickert,
    confined,
    norm_bound,
)
from mindl.core.errors import InputError
from mindl.nets import (
    Activation,
    Convolution,
    Coupled,
    Flux,
    FreeBlock,
    SplineActivation,
    SymmetricBlock,
    TransposedConvolution,
    lipschitz_bound,
    normalised,
    zero_mean,
)
from mindl.nets.equivariance import rotation_error

F64 = torch.float64


def normal(*shape: int, seed: int = 0, size: float = 1.0) -> Tensor:
    return size * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def dense(kernel: np.ndarray, height: int, width: int, *, padded: bool) -> np.ndarray:
    """The matrix of the correlation with zeros around the image, or of its windows inside; entry by entry."""
    out, inputs, rows, columns = kernel.shape
    down, along = ((rows - 1) // 2, (columns - 1) // 2) if padded else (0, 0)
    high = height if padded else height - rows + 1
    wide = width if padded else width - columns + 1
    matrix = np.zeros((out, high, wide, inputs, height, width))
    for y in range(high):
        for x in range(wide):
            for i in range(rows):
                for j in range(columns):
                    yy, xx = y + i - down, x + j - along
                    if 0 <= yy < height and 0 <= xx < width:
                        matrix[:, y, x, :, yy, xx] += kernel[:, :, i, j]
    return matrix.reshape(out * high * wide, -1)


def supremum(kernel: np.ndarray, points: int = 240) -> float:
    """The largest singular value over a fine grid of frequencies: at most the norm, and almost the norm."""
    transfer = np.fft.fft2(kernel, s=(points, points)).transpose(2, 3, 0, 1)
    return float(np.linalg.norm(transfer, 2, axis=(2, 3)).max())


# The norm

shapes = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.integers(1, 4))


@given(seed=st.integers(0, 10**6), shape=shapes, padded=st.booleans(), size=st.sampled_from([1e-6, 1.0, 1e4]))
def test_no_convolution_matrix_has_a_larger_norm(
    seed: int, shape: tuple[int, int, int, int], padded: bool, size: float
) -> None:
    kernel = normal(*shape, seed=seed, size=size)
    norm = np.linalg.norm(dense(kernel.numpy(), 6, 7, padded=padded), 2)
    for exact in (kernel, kernel.float()):
        assert norm <= float(norm_bound(exact)) * (1 + 1e-12 if exact is kernel else 1 + 1e-6)


@given(seed=st.integers(0, 10**6), shape=shapes, spare=st.integers(1, 30))
def test_the_bound_holds_between_the_points_of_every_grid(
    seed: int, shape: tuple[int, int, int, int], spare: int
) -> None:
    """Also of grids that are hardly finer than the degree; and the factor is the one that is promised."""
    kernel = normal(*shape, seed=seed)
    exact = supremum(kernel.numpy())
    assert exact <= float(norm_bound(kernel, grid=max(shape[2:]) - 1 + spare)) * (1 + 1e-12)
    assert float(norm_bound(kernel)) <= exact * 1.0401


@pytest.mark.parametrize("points", [3, 5, 9, 15])
def test_the_enlargement_is_needed_and_cannot_be_smaller(points: int) -> None:
    """A difference is largest at the frequency pi, half a step off an odd grid: the factor is attained."""
    kernel = torch.tensor([[[[1.0, -1.0]]]], dtype=F64)
    on_grid = abs(np.fft.fft([1.0, -1.0], n=points)).max()
    assert on_grid == pytest.approx(2 * math.cos(math.pi / (2 * points)), rel=1e-12)
    assert float(norm_bound(kernel, grid=points)) == pytest.approx(2, rel=1e-12)


def test_the_bound_is_close_for_larger_images() -> None:
    kernel = normal(3, 2, 3, 3, seed=3)
    norm = np.linalg.norm(dense(kernel.numpy(), 16, 16, padded=True), 2)
    assert norm <= float(norm_bound(kernel)) <= 1.07 * norm
    assert float(norm_bound(kernel, grid=200)) <= 1.03 * norm


def test_known_norms() -> None:
    """A difference has norm 2, a mean 1, a 1 x 1 kernel that of its matrix; the last one exactly."""
    assert float(norm_bound(torch.tensor([[[[1.0, -1.0]]]]), grid=1000)) == pytest.approx(2, rel=1e-5)
    assert float(norm_bound(torch.full((1, 1, 3, 3), 1 / 9), grid=1000)) == pytest.approx(1, rel=1e-4)
    matrix = normal(5, 4, 1, 1)
    assert float(norm_bound(matrix)) == pytest.approx(np.linalg.norm(matrix[..., 0, 0], 2), rel=1e-12)
    assert float(norm_bound(torch.zeros(2, 3, 3, 3))) == 0


def test_strides_dilations_and_transposes_have_no_larger_norm() -> None:
    for layer in (
        Convolution(2, 3, stride=2, bias=False),
        Convolution(2, 3, dilation=2, bias=False),
        Convolution(2, 3, dilation=2, bias=False, reflecting=True),
        Convolution(2, 3, kernel=5, bias=False, reflecting=True),
        TransposedConvolution(2, 3, kernel=4, bias=False),
    ):
        basis = torch.eye(2 * 6 * 7, dtype=F64).reshape(-1, 2, 6, 7)
        with torch.no_grad():
            matrix = layer.double()(basis).flatten(1)
        assert np.linalg.norm(matrix.numpy(), 2) <= layer.lipschitz()


def test_the_derivative_of_the_norm() -> None:
    for shape in ((1, 1, 3, 3), (3, 1, 3, 2), (2, 3, 3, 3)):
        assert torch.autograd.gradcheck(norm_bound, normal(*shape, seed=5).requires_grad_())
    kernel = torch.zeros(2, 1, 3, 3, requires_grad=True)
    norm_bound(kernel).backward()
    assert torch.equal(kernel.grad, torch.zeros_like(kernel))


@given(seed=st.integers(0, 10**6), shape=shapes, size=st.floats(-3, 3), bound=st.floats(0.01, 10))
def test_normalised_kernels(seed: int, shape: tuple[int, int, int, int], size: float, bound: float) -> None:
    kernel = normal(*shape, seed=seed, size=10**size)
    result = normalised(kernel, bound)
    assert supremum(result.numpy(), 60) <= bound * (1 + 1e-12)
    if float(norm_bound(kernel)) <= bound:
        assert torch.equal(result, kernel)
    else:  # no more than the bound's own excess is lost
        assert supremum(result.numpy()) >= bound / 1.0401


def test_legal_kernels_keep_their_bits() -> None:
    kernel = normal(2, 2, 3, 3, size=0.1).float()
    for bound in torch.linspace(3, 4, 101).tolist():
        assert torch.equal(normalised(kernel, bound), kernel)


def test_normalising_nothing() -> None:
    kernel = torch.zeros(1, 1, 3, 3, requires_grad=True)
    normalised(kernel).sum().backward()
    assert torch.equal(kernel.grad, torch.ones_like(kernel))


def test_filters_without_a_mean() -> None:
    kernel = zero_mean(normal(4, 3, 3, 5))
    assert kernel.sum((2, 3)).abs().max() < 1e-14
    constants = torch.tensor([1.0, -7.0, 100.0], dtype=F64).reshape(1, 3, 1, 1).expand(1, 3, 9, 9)
    assert nn.functional.conv2d(constants, kernel).abs().max() < 1e-12


# Confined parameters


def test_a_parameter_on_or_beyond_its_bound_can_come_back() -> None:
    x = torch.tensor([-3.0, 0.0, 0.4, 1.0, 8.0], requires_grad=True)
    y = confined(x, 0.0, 1.0)
    assert torch.equal(y.detach(), torch.tensor([0.0, 0.0, 0.4, 1.0, 1.0]))
    (up,) = torch.autograd.grad(y.sum(), x, retain_graph=True)  # descent goes down
    (down,) = torch.autograd.grad(-y.sum(), x)  # descent goes up
    assert up.tolist() == [0, 0, 1, 1, 1]
    assert down.tolist() == [-1, -1, -1, 0, 0]


@pytest.mark.parametrize("start", [-4.0, 0.0, 0.5, 1.0, 6.0])
@pytest.mark.parametrize("goal", [-2.0, 0.3, 3.0])
def test_descent_finds_the_nearest_legal_value_from_everywhere(start: float, goal: float) -> None:
    x = torch.tensor(start, requires_grad=True)
    optimiser = torch.optim.SGD([x], lr=0.2)
    for _ in range(200):
        optimiser.zero_grad()
        (confined(x, 0.0, 1.0) - goal).square().backward()
        optimiser.step()
    assert float(confined(x.detach(), 0.0, 1.0)) == pytest.approx(min(max(goal, 0), 1), abs=1e-4)


# Activations

PENALISERS = (Quadratic(), Charbonnier(0.3), Huber(0.5), PeronaMalik(0.2), Weickert(0.4))


def activations(seed: int) -> list[Activation]:
    """One of each kind, learnable ones with wild parameters."""
    drawn = torch.Generator().manual_seed(seed)
    some: list[Activation] = [Flux(penaliser, 0.5 + (seed % 7)) for penaliser in PENALISERS]
    for monotone in (False, True):
        spline = SplineActivation(2, knots=1 + seed % 9, reach=0.1 + seed % 5, bound=1.7, monotone=monotone)
        with torch.no_grad():
            spline.shares.copy_(1 + 3 * torch.randn(spline.shares.shape, generator=drawn))
        some.append(spline.double())
    return some


def along_a_line(activation: Activation, s: Tensor) -> Tensor:
    with torch.no_grad():
        return activation(s.expand(1, 2, 1, -1))[0, :, 0]


@given(seed=st.integers(0, 10**6))
def test_secants_are_between_0_and_the_bound_and_slopes_within_theirs(seed: int) -> None:
    s = torch.cat([torch.logspace(-9, 4, 200, dtype=F64), torch.linspace(0.01, 8, 400, dtype=F64)]).sort().values
    for activation in activations(seed):
        value = along_a_line(activation, s)
        secant = value / s
        assert secant.min() >= -1e-12 and secant.max() <= activation.bound * (1 + 1e-12)
        assert torch.equal(along_a_line(activation, -s), -value)
        least, most = activation.slopes()
        slope = value.diff(dim=1) / s.diff()
        assert slope.min() >= least - 1e-6 and slope.max() <= most + 1e-6
        assert float(along_a_line(activation, torch.zeros(1, dtype=F64)).abs().max()) == 0


@given(seed=st.integers(0, 10**6))
def test_monotone_splines_rise(seed: int) -> None:
    *_, free, monotone = activations(seed)
    assert monotone.slopes()[0] >= 0 and monotone.slopes()[1] <= monotone.bound
    value = along_a_line(monotone, torch.linspace(-9, 9, 500, dtype=F64))
    assert (value.diff(dim=1) >= -1e-12).all()
    assert isinstance(free, SplineActivation) and not free.monotone


def test_a_spline_may_fall_where_it_is_not_monotone() -> None:
    spline = SplineActivation(1, knots=8, reach=1.0, start=PeronaMalik(0.2))
    assert spline.slopes()[0] < -0.05 and Flux(PeronaMalik(0.2)).slopes() == (-0.125, 1.0)


@pytest.mark.parametrize("monotone", [True, False])
@pytest.mark.parametrize("penaliser", PENALISERS, ids=lambda p: type(p).__name__)
def test_splines_start_as_the_flux(penaliser: SmoothPenaliser, monotone: bool) -> None:
    """At the knots exactly, between them closer the more there are; the identity everywhere."""
    if monotone and penaliser.smallest_slope < 0:
        with pytest.raises(InputError, match="monotone=False"):
            SplineActivation(2, monotone=True, bound=2.0, start=penaliser)
        return
    apart = []
    for knots in (16, 64):
        spline = SplineActivation(
            2, knots=knots, reach=2.0, bound=2.0, monotone=monotone, start=penaliser
        ).double()
        at = torch.arange(knots + 1, dtype=F64) * (2.0 / knots)
        assert (along_a_line(spline, at) - along_a_line(Flux(penaliser), at)).abs().max() < 1e-6
        inside = torch.linspace(0, 2, 999, dtype=F64)
        apart.append(float((along_a_line(spline, inside) - along_a_line(Flux(penaliser), inside)).abs().max()))
    assert apart[1] < max(0.3 * apart[0], 1e-6)
    beyond = torch.tensor([-50.0, 3.0, 1e9], dtype=F64)
    assert torch.allclose(along_a_line(SplineActivation(2, monotone=monotone).double(), beyond), beyond)


def test_derivatives_of_activations() -> None:
    s = normal(1, 2, 3, 3, size=0.4).requires_grad_()
    for activation in activations(5):
        assert torch.autograd.gradcheck(activation, s)
        assert torch.autograd.gradcheck(Coupled(Flux(PeronaMalik(0.2))), s)
    spline = SplineActivation(2, knots=4, start=PeronaMalik(0.2)).double()

    def of(shares: Tensor) -> Tensor:
        return torch.func.functional_call(spline, {"shares": shares}, s.detach())

    assert torch.autograd.gradcheck(of, spline.shares.detach().clone().requires_grad_())


@given(seed=st.integers(0, 10**6), group=st.integers(1, 4), size=st.floats(-3, 3))
def test_rotations_of_groups_commute_with_coupled_activations(seed: int, group: int, size: float) -> None:
    field = normal(2, 3 * group, 3, 4, seed=seed, size=10**size)
    rotation = torch.linalg.qr(normal(group, group, seed=seed + 1))[0]
    turned = torch.einsum("ij,bgjyx->bgiyx", rotation, field.unflatten(1, (3, group))).flatten(1, 2)
    spline = SplineActivation(3, start=PeronaMalik(0.2)).double()
    with torch.no_grad():
        spline.shares += normal(3, 16, seed=seed, size=0.3)
        for inner in (Flux(PeronaMalik(0.2)), Flux(Charbonnier(0.2)), spline):
            coupled = Coupled(inner, group)
            result = torch.einsum("ij,bgjyx->bgiyx", rotation, coupled(field).unflatten(1, (3, group)))
            assert torch.allclose(coupled(turned), result.flatten(1, 2), rtol=1e-9, atol=1e-9 * 10**size)
            assert (coupled(field).abs() <= coupled.bound * field.abs() * (1 + 1e-12)).all()


def test_a_group_of_one_is_no_coupling() -> None:
    field = normal(1, 3, 4, 4)
    assert torch.allclose(Coupled(Flux(PeronaMalik(0.2)), 1)(field), Flux(PeronaMalik(0.2))(field), rtol=1e-12)
    assert not torch.allclose(Coupled(Flux(PeronaMalik(0.2)), 3)(field), Flux(PeronaMalik(0.2))(field), rtol=0.1)


# Symmetric blocks


def block_of(seed: int, activation: Activation, channels: int = 1, filters: int = 2) -> SymmetricBlock:
    """Weights of any size, a kernel of any side, a step that asks for less than nothing or for too much."""
    drawn = np.random.default_rng(seed)
    block = SymmetricBlock(
        channels, filters, activation, kernel=int(drawn.integers(2, 5)), keeps_mean=bool(drawn.integers(2))
    ).double()
    with torch.no_grad():
        block.weight.copy_(normal(*block.weight.shape, seed=seed, size=10 ** drawn.uniform(-3, 3)))
        block.share.fill_(drawn.uniform(-0.5, 3))
    return block


def test_the_norm_never_grows_for_thousands_of_weights_and_images() -> None:
    drawn = np.random.default_rng(0)
    expanding = 0
    for seed in range(300):
        for activation in activations(seed):
            block = block_of(seed, activation)
            u = normal(3, 1, 5, 6, seed=seed, size=10 ** drawn.uniform(-3, 3))
            with torch.no_grad():
                before, after = u.flatten(1).norm(dim=1), block(u).flatten(1).norm(dim=1)
            assert (after <= before * (1 + 1e-12)).all(), (seed, activation)
            expanding += int((after < 0.999 * before).any())
    assert expanding > 1000  # they do something


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_the_norm_never_grows_while_an_optimiser_pushes_against_it(dtype: torch.dtype) -> None:
    """Ascent on |out| / |in| by large steps; without the bound it succeeds at once (the free block does)."""
    for kind in (SymmetricBlock, FreeBlock):
        for k, optimiser in enumerate((torch.optim.SGD, torch.optim.Adam)):
            torch.manual_seed(k)
            activation = SplineActivation(4, knots=6, bound=1.5)
            block = kind(2, 4, activation, share=1.0, keeps_mean=False).to(dtype)
            u = normal(4, 2, 7, 7).to(dtype).requires_grad_()
            steps = optimiser([*block.parameters(), u], lr=0.3)
            ratios = []
            for _ in range(40):
                steps.zero_grad()
                ratio = (block(u).flatten(1).norm(dim=1) / u.flatten(1).norm(dim=1)).mean()
                ratios.append(float(ratio.detach()))
                (-ratio).backward()
                steps.step()
            slack = 16 * torch.finfo(dtype).eps
            assert max(ratios) <= 1 + slack if kind is SymmetricBlock else max(ratios) > 2


def test_just_above_the_bound_some_image_grows() -> None:
    """tau = 1.05 * 2 / (G |K|^2), phi(s) = G s, and the worst image: the factor is 1 - 2.1. Exact K, dense."""
    gain, kernel = 1.7, normal(3, 1, 3, 3, seed=2)
    matrix = dense(kernel.numpy(), 16, 15, padded=False)
    _, values, images = np.linalg.svd(matrix)
    worst, norm = torch.tensor(images[0]).reshape(1, 1, 16, 15), values[0]
    block = SymmetricBlock(1, 3, Flux(Quadratic(), gain), share=1.0, keeps_mean=False).double()
    with torch.no_grad():
        block.weight.copy_(kernel)
        inside = block(worst)
        tau = 1.05 * 2 / (gain * norm**2)
        step = float(block.step_size())
        beyond = worst + (inside - worst) * tau / step
    assert 0.7 < float(inside.norm()) <= 1  # near the bound, and on its right side
    assert float(beyond.norm()) == pytest.approx(1.1, rel=1e-6)
    assert step <= 2 / (gain * norm**2) <= 1.2 * step


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_step_is_the_share_of_the_largest_one(share: float) -> None:
    """A kernel of one entry has exactly its norm: the largest step turns u into -u, and no farther."""
    block = SymmetricBlock(1, 1, Flux(Quadratic(), 3.0), kernel=1, share=share, keeps_mean=False).double()
    u = normal(1, 1, 3, 4)
    assert torch.allclose(block(u), (1 - 2 * share) * u, rtol=1e-12, atol=1e-12)
    assert float(block(u).detach().norm()) <= float(u.norm())


def test_a_block_is_a_gradient_step_on_its_energy() -> None:
    """The energy is the sum of psi(|Ku|), its gradient by automatic differentiation through a dense K."""
    for penaliser in PENALISERS:
        for group in (1, 2):
            activation = Coupled(Flux(penaliser), group)
            block = SymmetricBlock(2, 4, activation, kernel=3).double()
            kernel = block.kernel().detach()
            matrix = torch.tensor(dense(kernel.numpy(), 6, 5, padded=False))
            u = normal(1, 2, 6, 5, size=0.5).requires_grad_()
            responses = (matrix @ u.flatten()).reshape(4 // group, group, -1)
            energy = penaliser(responses.square().sum(1).sqrt()).sum()
            (gradient,) = torch.autograd.grad(energy, u)
            assert torch.allclose(block(u), u - block.step_size() * gradient, atol=1e-10)


@given(seed=st.integers(0, 10**6))
def test_monotone_blocks_bring_images_closer(seed: int) -> None:
    spline = SplineActivation(2, knots=5, bound=1.7, monotone=True).double()
    with torch.no_grad():
        spline.shares.copy_(1 + 2 * normal(2, 5, seed=seed))
    for activation in (Flux(Quadratic()), Flux(Charbonnier(0.3)), Flux(Huber(0.5), 3.0), spline):
        block = block_of(seed, activation)
        u = normal(8, 1, 5, 6, seed=seed)
        v = u + normal(8, 1, 5, 6, seed=seed + 1, size=10 ** (seed % 5 - 4))
        with torch.no_grad():
            apart = (block(u) - block(v)).flatten(1).norm(dim=1) / (u - v).flatten(1).norm(dim=1)
        assert apart.max() <= 1 + 1e-9
        assert block.lipschitz() == 1


def test_perona_malik_blocks_tear_some_images_apart() -> None:
    """Where the slope is -1/8, at sqrt(3) contrasts, a difference grows; by no more than what is proved."""
    block = SymmetricBlock(1, 1, Flux(PeronaMalik(0.1)), kernel=2, share=1.0).double()
    with torch.no_grad():
        block.weight.copy_(torch.tensor([[-1.0, 1.0], [-1.0, 1.0]], dtype=F64))
        edge = 0.1 * math.sqrt(3) / 2  # two rows add up
        u = torch.tensor([[0.0, edge], [0.0, edge]], dtype=F64)[None, None]
        v = torch.tensor([[0.0, edge + 1e-6], [0.0, edge + 1e-6]], dtype=F64)[None, None]
        u, v = u - u.mean(), v - v.mean()
        growth = float((block(u) - block(v)).norm() / (u - v).norm())
        assert 1.05 < growth <= block.lipschitz() == 1.25
        assert block(u).norm() <= u.norm() and block(v).norm() <= v.norm()


@given(seed=st.integers(0, 10**6))
def test_jacobians_stay_below_the_proved_constant(seed: int) -> None:
    for activation in activations(seed)[3:]:
        for coupled in (activation, Coupled(activation, 1)):
            block = block_of(seed, coupled)
            u = normal(1, 1, 4, 5, seed=seed)
            jacobian = torch.autograd.functional.jacobian(lambda x, b=block: b(x), u).reshape(20, 20)
            assert float(torch.linalg.matrix_norm(jacobian, 2)) <= block.lipschitz() * (1 + 1e-9)
            assert torch.allclose(jacobian, jacobian.T, atol=1e-8)


def test_constants_and_means_stay() -> None:
    for kind in (SymmetricBlock, FreeBlock):
        block = kind(3, 5, Flux(PeronaMalik(2.0)), kernel=4).double()
        with torch.no_grad():
            for parameter in block.parameters():
                parameter.copy_(normal(*parameter.shape, seed=8) if parameter.ndim else torch.tensor(0.7))
            u = normal(2, 3, 9, 8)
            assert torch.allclose(block(u).mean((2, 3)), u.mean((2, 3)), atol=1e-12)
            constant = u[..., :1, :1].expand(2, 3, 9, 8)
            assert torch.allclose(block(constant), constant, atol=1e-12)
            assert not torch.allclose(block(u), u, atol=1e-2)


def test_a_free_block_starts_as_the_symmetric_one_with_twice_the_weights() -> None:
    made = []
    for kind in (SymmetricBlock, FreeBlock):
        torch.manual_seed(3)
        made.append(kind(1, 6, Flux(Charbonnier(0.1)), share=0.8).double())
    symmetric, free = made
    u = normal(2, 1, 8, 9)
    with torch.no_grad():
        assert torch.allclose(symmetric(u), free(u), rtol=0, atol=1e-6)
    kernels = [sum(p.numel() for p in block.parameters() if p.ndim == 4) for block in made]
    assert kernels[1] == 2 * kernels[0]
    assert lipschitz_bound(free) > 1 == lipschitz_bound(symmetric)


def test_extreme_kernels_do_no_harm() -> None:
    for size in (0.0, 1e-30, 1e-12, 1e15):
        block = SymmetricBlock(1, 2, Flux(PeronaMalik(0.1)), share=1.0)
        with torch.no_grad():
            block.weight.mul_(size)
        u = normal(1, 1, 6, 6).float().requires_grad_()
        result = block(u)
        result.square().sum().backward()
        assert torch.isfinite(result).all() and result.norm() <= u.norm() * (1 + 1e-6)
        assert all(torch.isfinite(p.grad).all() for p in block.parameters())


def test_coupling_makes_a_diffusion_step_rotation_invariant() -> None:
    """Derivatives of a Gaussian as filters; the change of the image, turned by 36.9 degrees, not resampled."""
    axis = torch.arange(-3, 4, dtype=F64)
    bell = torch.exp(-axis.square() / 2)
    across = (axis * bell)[None, :] * bell[:, None]
    errors = []
    for activation in (Flux(PeronaMalik(0.3)), Coupled(Flux(PeronaMalik(0.3)))):
        block = SymmetricBlock(1, 2, activation, kernel=7, share=1.0).double()
        with torch.no_grad():
            block.weight.copy_(torch.stack([across, across.T])[:, None] / across.abs().sum())

            def change(u: Tensor, b: SymmetricBlock = block) -> Tensor:
                return b(u) - u

            errors.append(rotation_error(change, 65, 1, margin=8))
    assert errors[1] < errors[0] / 4, errors
    assert errors[1] < 0.02


# Bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: norm_bound(torch.zeros(3, 3)), r"real kernel \(out, in, height, width\), got \(3, 3\)"),
        (lambda: norm_bound(torch.zeros(1, 1, 2, 2, dtype=torch.int64)), "real kernel"),
        (lambda: norm_bound(torch.zeros(0, 1, 2, 2)), "real kernel"),
        (lambda: norm_bound(torch.zeros(1, 1, 3, 3), grid=2), "take a grid of at least 3, or leave it out"),
        (lambda: normalised(torch.zeros(1, 1, 3, 3), 0.0), "bound above 0"),
        (lambda: Flux(TotalVariation()), "smooth penaliser such as Charbonnier"),
        (lambda: Flux(Charbonnier(torch.ones(2, 1, 1, 1))), "one contrast for all images"),
        (lambda: Flux(Quadratic(), gain=0.0), "gain above 0"),
        (lambda: SplineActivation(0), "at least one channel"),
        (lambda: SplineActivation(1, reach=-1.0), "reach and bound above 0"),
        (lambda: SplineActivation(1, bound=0.5), "cannot start as the identity.*larger bound"),
        (lambda: SplineActivation(3)(torch.zeros(1, 2, 4, 4)), r"needs \(batch, 3, height, width\), got \(1, 2"),
        (lambda: Coupled(nn.ReLU()), "needs an activation such as"),
        (lambda: Coupled(Flux(Quadratic()), 0), "at least one channel in a group"),
        (lambda: Coupled(Flux(Quadratic()))(torch.zeros(1, 3, 4, 4)), "multiple of 2 channels"),
        (lambda: SymmetricBlock(1, 2, Flux(Quadratic()), share=1.1), "beyond the step .* unstable"),
        (lambda: SymmetricBlock(1, 2, nn.ReLU()), "SymmetricBlock needs an activation"),
        (lambda: SymmetricBlock(1, 2, Flux(Quadratic()), kernel=1), "take a larger kernel"),
        (lambda: SymmetricBlock(1, 0, Flux(Quadratic())), r"SymmetricBlock\(filters=0\)"),
        (lambda: FreeBlock(1, 2, Flux(Quadratic()))(torch.zeros(1, 2, 4, 4)), "as many inputs"),
        (lambda: SymmetricBlock(1, 2, Flux(Quadratic()))(torch.zeros(1, 4, 4)), r"image\[None\]"),
        (lambda: Convolution(1, 1, kernel=2), "an even window has no centre"),
        (lambda: Convolution(1, 1, stride=0), r"Convolution\(stride=0\) needs a whole number"),
        (lambda: TransposedConvolution(1, 1, kernel=3), "needs a kernel of 2, 4, 6"),
    ],
)
def test_bad_input(call: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
