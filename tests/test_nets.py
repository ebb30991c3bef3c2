"""Architectures and their description: what every network promises, whatever its weights are."""

from __future__ import annotations

import builtins
import inspect
import json
import math
import socket
from collections.abc import Callable

import numpy as np
import pytest
import torch
from conftest import random_image
from torch import Tensor, nn

from mindl.core.errors import InputError, UnknownNameError, look_up
from mindl.nets import (
    NETWORKS,
    Convolution,
    DenseBlock,
    DiffusionNet,
    DilatedNet,
    DnCNN,
    FFDNetLike,
    PlainCNN,
    ResidualBlock,
    ResNet,
    TransposedConvolution,
    UNet,
    VariationalNetwork,
    describe,
    lipschitz_bound,
)
from mindl.nets.describe import lipschitz_estimate, measured_field
from mindl.nets.equivariance import phantom, right_angle_error, shift_error
from mindl.nets.equivariance import rotation_error as turn
from mindl.nets.trace import Trace

CASES: dict[str, Callable[..., nn.Module]] = {
    "UNet": lambda c, **more: UNet(c, c, widths=(6, 8), **more),
    "PlainCNN": lambda c, **more: PlainCNN(c, c, width=6, depth=3, **more),
    "DnCNN": lambda c, **more: DnCNN(c, c, width=6, depth=4, **more),
    "DnCNN, normalised": lambda c, **more: DnCNN(c, c, width=6, depth=4, batch_norm=True, **more),
    "DnCNN, noise": lambda c, **more: DnCNN(c, 2 * c, width=6, depth=2, residual=False, **more),
    "FFDNetLike": lambda c, **more: FFDNetLike(c, c, width=8, depth=3, **more),
    "ResNet": lambda c, **more: ResNet(c, c, width=6, blocks=2, **more),
    "DilatedNet": lambda c, **more: DilatedNet(c, c, width=6, dilations=[1, 3], blocks=2, **more),
    "DiffusionNet": lambda c, **more: DiffusionNet(c, c, filters=4, blocks=3, kernel=3, **more),
    "DiffusionNet, learnt": lambda c, **more: DiffusionNet(
        c, c, filters=4, blocks=2, kernel=2, knots=5, group=2, monotone=True, **more
    ),
    "VariationalNetwork": lambda c, **more: VariationalNetwork(c, c, stages=2, filters=5, kernel=3, **more),
    "DiffusionNet, free": lambda c, **more: DiffusionNet(
        c, c, filters=4, blocks=2, kernel=3, free=True, correction=True, **more
    ),
}
every = pytest.mark.parametrize("name", CASES)
HERE = set(NETWORKS) - {"VCycle"}
"""A V-cycle has no free channels or widths; it is tested beside the solver that it equals."""

SIZES = [(1, 1), (1, 7), (5, 3), (17, 16)]


def run(net: nn.Module, image: Tensor) -> Tensor:
    """The output; networks that want a noise level get one per image, by its place in the batch."""
    if isinstance(net, FFDNetLike):
        return net(image, 0.1)
    return net(image)


def wild(net: nn.Module, seed: int = 0) -> nn.Module:
    """Random weights everywhere, so that no block is the identity and no output is small."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            spread = 0.8 / math.sqrt(parameter[0].numel()) if parameter.ndim else 0.1
            parameter += spread * torch.randn(parameter.shape, generator=generator)
        for name, buffer in net.named_buffers():
            if name.endswith("running_var"):
                buffer += torch.rand(buffer.shape, generator=generator)
    return net


def test_every_architecture_is_tested() -> None:
    assert {type(make(1)).__name__ for make in CASES.values()} == HERE
    assert all(name == kind.__name__ for name, kind in NETWORKS.items())


@every
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sizes_channels_and_types(name: str, channels: int, dtype: torch.dtype) -> None:
    net = wild(CASES[name](channels)).to(dtype).eval()
    for height, width in SIZES:
        with torch.no_grad():
            result = run(net, random_image(2, channels, height, width, dtype=dtype))
        assert result.shape == (2, net.outputs, height, width) and result.dtype == dtype
        assert torch.isfinite(result).all()


@every
def test_an_image_does_not_depend_on_its_batch_mates(name: str) -> None:
    net = wild(CASES[name](1)).eval()
    for size in SIZES:
        images = random_image(3, 1, *size)
        with torch.no_grad():
            together, alone = run(net, images), run(net, images[1:2])
        assert torch.allclose(together[1:2], alone, rtol=0, atol=1e-6 * (1 + float(alone.abs().max())))


def test_batch_normalisation_couples_images_only_while_it_trains() -> None:
    images = random_image(3, 1, 8, 8)
    net = wild(CASES["DnCNN, normalised"](1)).train()
    with torch.no_grad():
        assert (net(images)[:1] - net(images[:1])).abs().max() > 1e-3


@every
def test_gradients_reach_every_parameter(name: str) -> None:
    net = wild(CASES[name](3)).train()
    run(net, random_image(2, 3, 12, 10)).square().sum().backward()
    for key, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, key
        assert torch.isfinite(parameter.grad).all(), key


@every
def test_the_configuration_builds_the_same_network(name: str) -> None:
    net = CASES[name](2, seed=5)
    twin = type(net)(**json.loads(json.dumps(net.config)))
    mine, others = net.state_dict(), twin.state_dict()
    assert list(mine) == list(others) and twin.config == net.config
    assert all(torch.equal(mine[key], others[key]) for key in mine)
    assert set(net.config) == set(inspect.signature(type(net).__init__).parameters) - {"self"}
    assert twin.inputs == 2 and twin.outputs == net.outputs


@every
def test_seeds(name: str) -> None:
    """The same one gives the same weights, another one others; the global generator stays as it was."""
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, second = CASES[name](1, seed=3), CASES[name](1, seed=3)
    other = CASES[name](1, seed=4)
    assert torch.equal(torch.get_rng_state(), before)
    random = [key for key, p in first.named_parameters() if p.ndim >= 4 and p.abs().max() > 0]
    assert random
    for key in random:
        assert torch.equal(first.get_parameter(key), second.get_parameter(key))
        assert not torch.equal(first.get_parameter(key), other.get_parameter(key))


@every
def test_building_touches_neither_disk_nor_network(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a network was built, and something was opened")

    monkeypatch.setattr(builtins, "open", refuse)
    monkeypatch.setattr(socket, "socket", refuse)
    CASES[name](1)


@every
def test_exported_programs_serve_all_sizes(name: str) -> None:
    net = wild(CASES[name](1)).eval()
    noise = (torch.full((1, 1, 1, 1), 0.1),) if isinstance(net, FFDNetLike) else ()
    height, width = torch.export.Dim("height", min=16, max=8192), torch.export.Dim("width", min=16, max=8192)
    shapes = ({2: height, 3: width}, *({} for _ in noise))
    program = torch.export.export(net, (random_image(1, 1, 20, 33), *noise), dynamic_shapes=shapes).module()
    for size in [(16, 16), (17, 40)]:
        image = random_image(1, 1, *size)
        with torch.no_grad():
            assert torch.allclose(program(image, *noise), net(image, *noise), atol=1e-6)


@every
def test_the_proved_lipschitz_constant_is_above_the_measured_one(name: str) -> None:
    """Jacobians and difference quotients at random images; odd sizes and borders included."""
    net = wild(CASES[name](1), seed=2).double().eval()
    if name == "UNet":
        assert lipschitz_bound(net) == math.inf
        return
    bound = lipschitz_bound(net)
    assert math.isfinite(bound)
    for seed, size in enumerate([(7, 9), (8, 8)]):
        u = random_image(1, 1, *size, seed=seed, dtype=torch.float64)
        v = u + 0.01 * random_image(1, 1, *size, seed=seed + 9, dtype=torch.float64)
        with torch.no_grad():
            assert (run(net, u) - run(net, v)).norm() <= bound * (u - v).norm() * (1 + 1e-12)
        jacobian = torch.autograd.functional.jacobian(lambda x: run(net, x), u).reshape(-1, u.numel())
        exact = float(torch.linalg.matrix_norm(jacobian, 2))
        assert 0 < exact <= bound * (1 + 1e-12)
        assert lipschitz_estimate(lambda x: run(net, x), u, 200) == pytest.approx(exact, rel=0.02)


def centred(layer: Convolution, *values: float) -> None:
    """Weights that act on each pixel alone."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        middle = layer.inner.weight.shape[-1] // 2
        layer.inner.weight[..., middle, middle] = torch.tensor(values).reshape(layer.inner.weight.shape[:2])


def sharp_cases() -> dict[str, tuple[nn.Module, tuple[int, int], float]]:
    """Weights for which the constant is known, and the bound would be wrong if one of its terms were left out."""
    residual, dense = ResidualBlock(1, kernel=1), DenseBlock(1, growth=1, layers=1, kernel=1)
    centred(residual.first, 1.0), centred(residual.second, 1.0)
    centred(dense.layers[0], 1.0), centred(dense.join, 1.0, 1.0)
    denoiser = DnCNN(1, 1, width=1, depth=2)
    centred(denoiser.layers[0], 1.0), centred(denoiser.layers[2], -1.0)
    dilated = DilatedNet(1, 1, width=1, dilations=(2,), blocks=1)
    for layer in (dilated.layers[0], dilated.layers[1].join, dilated.layers[2]):
        centred(layer, 1.0)
    centred(dilated.layers[1].scales[0], 0.1)
    told = FFDNetLike(1, 1, depth=1)
    centred(told.layers[0], *[0.5, 0.5, 0.5, 0.5, 0.0], *15 * [0.0])
    corner = Convolution(1, 1, bias=False, reflecting=True)
    centred(corner, 0.0)
    with torch.no_grad():
        corner.inner.weight[..., 0, 0] = 1.0
    change = DiffusionNet(1, 1, blocks=1, kernel=2, filters=1, contrast=1e3, monotone=True, correction=True)
    with torch.no_grad():
        change.layers[0].weight.copy_(torch.tensor([[-1.0, 1.0], [1.0, -1.0]]))
        change.layers[0].share.fill_(1.0)
    norm = nn.BatchNorm2d(1, eps=0.0).eval()
    with torch.no_grad():
        norm.weight.fill_(3.0), norm.running_var.fill_(4.0)
    return {
        "x + max(0, x)": (residual, (1, 1), 2.0),
        "3 x": (dense, (1, 1), 3.0),
        "u - -max(0, u)": (denoiser, (1, 1), 2.0),
        "x + 0.1 max(0, x)": (dilated, (3, 3), 1.1),
        "one pixel in four phases": (told, (1, 1), 2.0),
        "a corner that is seen four times": (corner, (2, 2), 2.0),
        "a change by the largest step": (change, (8, 8), 2 * math.cos(math.pi / 16) ** 8),
        "batch normalisation": (norm, (1, 1), 1.5),
    }


@pytest.mark.parametrize("name", sharp_cases())
def test_no_term_of_a_lipschitz_bound_can_be_left_out(name: str) -> None:
    net, size, expected = sharp_cases()[name]
    net = net.double()
    u = 0.1 + random_image(1, 1, *size, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda x: run(net, x), u).reshape(u.numel(), -1)
    exact = float(torch.linalg.matrix_norm(jacobian, 2))
    assert exact == pytest.approx(expected, rel=1e-4)
    assert exact <= lipschitz_bound(net) * (1 + 1e-12)
    assert lipschitz_bound(net) < 6 * exact


# One by one


@pytest.mark.parametrize("settings", [{}, {"monotone": True}, {"knots": 6}, {"knots": 6, "group": 2, "kernel": 4}])
def test_diffusion_networks_are_stable_at_any_depth(settings: dict[str, int]) -> None:
    for seed in range(20):
        net = wild(DiffusionNet(3, 3, filters=6, blocks=10, seed=seed, **settings), seed).double()
        u = 10 ** (seed % 5 - 2) * (random_image(2, 3, 9, 8, seed=seed, dtype=torch.float64) - 0.3)
        with torch.no_grad():
            for layer in net.layers:
                after = layer(u)
                assert after.norm() <= u.norm() * (1 + 1e-12)
                drift = (after.mean((2, 3)) - u.mean((2, 3))).abs().max()
                assert drift <= 1e-12 * u.abs().max()
                u = after
    assert lipschitz_bound(net) == 1 if settings.get("monotone") else lipschitz_bound(net) > 1


def test_free_diffusion_networks_have_twice_the_kernels_and_the_same_beginning() -> None:
    image = random_image(1, 1, 12, 11)
    symmetric, free = DiffusionNet(1, 1), DiffusionNet(1, 1, free=True)
    assert torch.allclose(symmetric(image), free(image), atol=1e-6)
    kernels = [sum(p.numel() for p in net.parameters() if p.ndim == 4) for net in (symmetric, free)]
    assert kernels[1] == 2 * kernels[0] == 2 * 8 * 16 * 25
    change = DiffusionNet(1, 1, correction=True)
    assert torch.allclose(change(image) + image, symmetric(image), atol=1e-6)


def test_a_denoiser_subtracts_what_its_layers_compute() -> None:
    image = random_image(2, 1, 9, 9)
    whole, noise = (wild(DnCNN(1, 1, width=5, depth=3, residual=r)) for r in (True, False))
    assert torch.allclose(whole(image), image - noise(image), atol=1e-6)
    assert (DnCNN(1, 1)(image) - image).abs().mean() < 0.1


def test_the_sizes_of_the_papers() -> None:
    """17 layers with 64 channels: 556,097 numbers, as in published copies of the weights."""
    paper = DnCNN(1, 1, depth=17, width=64, batch_norm=True)
    by_hand = (9 * 64 + 64) + 15 * (9 * 64 * 64 + 2 * 64) + (9 * 64 + 1)
    assert sum(p.numel() for p in paper.parameters()) == by_hand == 556_097


def test_the_noise_level_matters_and_comes_in_three_shapes() -> None:
    net = wild(FFDNetLike(1, 1, width=6, depth=2)).eval()
    images = random_image(2, 1, 5, 15)
    with torch.no_grad():
        plain = net(images, 0.2)
        assert torch.allclose(net(images, torch.full((2, 1, 1, 1), 0.2)), plain, atol=1e-6)
        assert torch.allclose(net(images, torch.full((1, 1, 5, 15), 0.2)), plain, atol=1e-6)
        each = net(images, torch.tensor([0.0, 0.3]).reshape(2, 1, 1, 1))
        assert torch.allclose(net(images[:1], noise=0), each[:1], atol=1e-6)
        assert not torch.allclose(net(images, 0.3), plain, atol=1e-3)
        varying = torch.full((1, 1, 5, 15), 0.2)
        varying[..., 8:] = 0.6
        there = net(images, varying)
    assert torch.allclose(there[..., :4], plain[..., :4], atol=1e-6)
    assert not torch.allclose(there[..., 8:], plain[..., 8:], atol=1e-3)


def test_pixels_of_one_phase_are_told_apart() -> None:
    """Unshuffling loses nothing: with layers that copy the phases, the network is the identity, odd sizes too."""
    net = FFDNetLike(1, 1, depth=1)
    with torch.no_grad():
        inner = net.layers[0].inner
        inner.weight.zero_()
        for phase in range(4):
            inner.weight[phase, phase, 1, 1] = 1
    for size in SIZES:
        image = random_image(2, 1, *size)
        assert torch.equal(net(image, 0.1), image)


def test_mirrored_windows_keep_constants() -> None:
    layer = Convolution(1, 1, kernel=5, dilation=2, reflecting=True)
    image = torch.full((1, 1, 3, 4), 2.0)
    with torch.no_grad():
        layer.inner.weight /= layer.inner.weight.sum()
        assert torch.allclose(layer(image), image, atol=1e-5)
    one = Convolution(1, 1, reflecting=True)
    near = random_image(1, 1, 6, 5)
    wide = np.pad(near[0, 0].numpy(), 1, mode="symmetric")
    with torch.no_grad():
        expected = nn.functional.conv2d(torch.tensor(wide)[None, None], one.inner.weight)
        assert torch.allclose(one(near), expected, atol=1e-6)


def test_blocks_start_as_the_identity_and_keep_sizes() -> None:
    x = random_image(2, 4, 1, 6)
    for block in (ResidualBlock(4, kernel=5), DenseBlock(4)):
        assert torch.equal(block(x), x)
        assert not torch.allclose(wild(block)(x), x, atol=1e-2)
        assert block.lipschitz() > 1
    assert Convolution(4, 2, stride=3)(x).shape == (2, 2, 1, 2)
    assert TransposedConvolution(4, 2, factor=3, kernel=5)(x).shape == (2, 2, 3, 18)


@pytest.mark.parametrize("block", [ResidualBlock(2), DenseBlock(2, growth=3), Convolution(2, 2, kernel=1)])
def test_blocks_amplify_no_more_than_they_prove(block: nn.Module) -> None:
    block = wild(block).double()
    x = random_image(1, 2, 5, 6, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(block, x).reshape(60, 60)
    assert float(torch.linalg.matrix_norm(jacobian, 2)) <= lipschitz_bound(block)


# Descriptions


def brute_field(net: nn.Module, side: int = 40) -> int:
    """The rows that matter for a pixel, by changing one row after the other: no derivative, no formula."""
    net = net.double().eval()
    with torch.no_grad():
        for p in net.parameters():
            if p.ndim > 1:
                p.copy_((0.5 + torch.rand(p.shape, dtype=p.dtype)) / p[0].numel())
        image = torch.rand(1, 1, side, side, dtype=torch.float64)
        rows = torch.arange(side)
        changed = image.repeat(side, 1, 1, 1)
        changed[rows, 0, rows] += 0.5
        apart = (run(net, changed) - run(net, image)).abs().amax((1, 3))  # (changed row, row of the output)
    offsets = [int(a) - b for b in range(12, side - 12) for a in apart[:, b].nonzero()]
    return max(offsets) - min(offsets) + 1


@pytest.mark.parametrize(
    ("net", "expected"),
    [
        (PlainCNN(1, 1, width=3, depth=4, kernel=5), 17),
        (DnCNN(1, 1, width=3, depth=3), 7),
        (ResNet(1, 1, width=3, blocks=2), 13),
        (DilatedNet(1, 1, width=3, dilations=(1, 3), blocks=1), 11),
        (DiffusionNet(1, 1, filters=2, blocks=2, kernel=3), 9),
        (FFDNetLike(1, 1, width=4, depth=2), 11),
        (UNet(1, 1, widths=(3, 4)), None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_receptive_fields(net: nn.Module, expected: int | None) -> None:
    """By formula, by derivatives and by brute force."""
    told = describe(net, 24, (0.1,) if isinstance(net, FFDNetLike) else ())
    torch.manual_seed(0)
    brute = brute_field(net)
    assert told.field == told.measured_field == (brute, brute)
    assert expected is None or brute == expected


def test_receptive_fields_of_pieces() -> None:
    """Overlapping windows of a stride, by brute force; margins that are added and cut off again do not count."""
    strided = nn.Sequential(nn.Conv2d(1, 2, 4, 2, padding=1), nn.ConvTranspose2d(2, 1, 4, 2, padding=1))
    image = torch.zeros(1, 1, 8, 8)
    with torch.no_grad(), Trace(image) as trace:
        down, along = trace.reach(strided(image))
    assert (down.before, down.after) == (along.before, along.after) == (3, 3)
    assert brute_field(strided) == 7 and measured_field(strided, 1, (7, 7), 2) == (7, 7)
    image = torch.zeros(1, 1, 9, 9)
    with torch.no_grad(), Trace(image) as trace:
        there = nn.functional.pad(image, (3, 0, 2, 1))
        back = there[:, :, 2:-1, 3:]
    down, along = trace.reach(there)
    assert (down.before, down.after, along.before, along.after) == (2, -2, 3, -3)
    down, along = trace.reach(back)
    assert (down.before, down.after, along.before, along.after) == (0, 0, 0, 0)


def test_what_is_not_known_reaches_everywhere() -> None:
    class Mean(nn.Module):
        inputs = 1

        def forward(self, image: Tensor) -> Tensor:
            return image + image.mean((2, 3), keepdim=True)

    told = describe(Mean(), 16)
    assert told.field == (math.inf, math.inf) and told.measured_field == (160, 160)
    assert told.lipschitz == math.inf and told.lipschitz_estimate == pytest.approx(2, rel=1e-3)
    assert "all x all pixels (measured: 160 x 160)" in str(told)


def test_counts() -> None:
    """Multiply-adds and memory of a chain that can be counted by hand."""
    told = describe(PlainCNN(2, 1, width=5, depth=3), 20)
    assert told.parameters == (9 * 2 * 5 + 5) + (9 * 5 * 5 + 5) + (9 * 5 + 1)
    assert told.multiply_adds == 9 * 2 * 5 + 9 * 5 * 5 + 9 * 5
    assert told.memory == 2 + 2 * 5  # the image, and what is before and behind a layer
    strided = nn.Sequential(nn.Conv2d(1, 4, 2, stride=2), nn.ConvTranspose2d(4, 3, 2, stride=2))
    image = torch.zeros(1, 1, 8, 8)
    with torch.no_grad(), Trace(image) as trace:
        result = strided(image)
    assert trace.multiply_adds == 64 * 4 + 64 * 3 * 4 and result.shape == (1, 3, 8, 8)
    assert trace.peak == 64 + 64 + 3 * 64


def test_a_description_leaves_the_network_alone() -> None:
    net = wild(DnCNN(1, 1, width=4, depth=3, batch_norm=True)).train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    state = torch.get_rng_state()
    first, second = describe(net, 16), describe(net, 16)
    assert net.training and all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in net.parameters())
    assert torch.equal(torch.get_rng_state(), state)
    same = {key for key in vars(first) if vars(first)[key] == vars(second)[key]}
    assert set(vars(first)) - same <= {"seconds"}
    assert str(first).startswith("DnCNN\n  parameters          ") and "proved" in str(first)


def test_equivariance_errors_of_maps_that_are_known() -> None:
    """Pointwise maps commute with everything, a derivative along the rows with shifts only, a window with none."""
    size = 33

    def derivative(u: Tensor) -> Tensor:
        return nn.functional.pad(u[..., 1:] - u[..., :-1], (0, 1))

    def gradient_squared(u: Tensor) -> Tensor:
        along, down = ((u.roll(-1, k) - u.roll(1, k)) / 2 for k in (3, 2))
        return along.square() + down.square()

    def window(u: Tensor) -> Tensor:
        return u * torch.linspace(0, 1, size, dtype=u.dtype)

    for channels in (1, 3):
        errors = [
            (shift_error(f, size, channels, 3), right_angle_error(f, size, channels), turn(f, size, channels, 3))
            for f in (torch.square, derivative, gradient_squared, window)
        ]
        assert max(errors[0]) < 1e-12
        assert errors[1][0] < 1e-12 and min(errors[1][1:]) > 0.3
        assert max(errors[2][:2]) < 1e-12 and 1e-4 < errors[2][2] < 0.1
        assert min(errors[3]) > 0.01


def test_phantoms_move_exactly() -> None:
    u = phantom(15)
    assert torch.allclose(phantom(15, shift=2.0)[..., :-2], u[..., 2:], atol=1e-12)
    for k in (1, 2, 3):
        assert torch.allclose(phantom(15, angle=k * math.pi / 2), torch.rot90(u, k, (2, 3)), atol=1e-12)
    assert 0.1 < float(u.std()) < 2 and phantom(9, 3).shape == (1, 3, 9, 9)


def test_measured_fields_see_every_phase_of_a_stride() -> None:
    net = UNet(1, 1, widths=(2, 2, 2))
    assert measured_field(net, 1, (60, 60), 4) == describe(net, 16).field


# Bad input


class Halved(nn.MaxPool2d):
    def __init__(self) -> None:
        super().__init__(2)
        self.inputs = 1


@pytest.mark.parametrize("name", sorted(HERE))
def test_every_network_says_which_channels_it_needs(name: str) -> None:
    net = CASES[name](3)
    for shape in ((1, 1, 8, 8), (3, 8, 8)):
        with pytest.raises(InputError, match=rf"{name}\(inputs=3\) needs \(batch, 3, height, width\), got"):
            run(net, torch.zeros(shape))


@pytest.mark.parametrize("name", sorted(HERE - {"UNet"}))
def test_settings_are_keywords_and_at_least_one(name: str) -> None:
    kind = NETWORKS[name]
    with pytest.raises(TypeError):
        kind(1, 1, 8)
    for setting, default in inspect.signature(kind).parameters.items():
        if type(default.default) is int and setting not in ("seed", "knots"):
            with pytest.raises(InputError, match=rf"{name}\({setting}=0\) needs a whole number of at least [123]"):
                kind(1, 1, **{setting: 0})
    with pytest.raises(InputError, match=rf"{name}\(inputs=0\)"):
        kind(0, 0)
    with pytest.raises(TypeError, match="frobnicate"):
        kind(1, 1, frobnicate=3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: DnCNN(1, 2), "as many outputs as inputs; with residual=False"),
        (lambda: DnCNN(1, 1, depth=1), r"DnCNN\(depth=1\) needs a whole number of at least 2"),
        (lambda: PlainCNN(1, 1, kernel=4), "needs an odd kernel such as 3"),
        (lambda: PlainCNN(1, 1, depth=2.5), r"PlainCNN\(depth=2.5\) needs a whole number"),
        (lambda: ResNet(1, 1, blocks=True), r"ResNet\(blocks=True\) needs a whole number"),
        (lambda: DilatedNet(1, 1, dilations=()), "needs at least one, such as"),
        (lambda: DilatedNet(1, 1, dilations=2), "needs at least one, such as"),
        (lambda: DilatedNet(1, 1, dilations=(1, 0)), r"DilatedNet\(dilations=0\)"),
        (lambda: DiffusionNet(1, 2), "as many outputs as inputs. Another network, such as ResNet"),
        (lambda: DiffusionNet(1, 1, filters=5, group=2), "such as 6"),
        (lambda: DiffusionNet(1, 1, kernel=1), r"kernel=1\) needs a whole number of at least 2"),
        (lambda: DiffusionNet(1, 1, contrast=-1.0), "must be above 0"),
        (lambda: DiffusionNet(1, 1, knots=-1), "at least 0"),
        (lambda: FFDNetLike(1, 1)(torch.zeros(1, 1, 4, 4)), r"needs the noise level: net\(image, noise=0.1\)"),
        (lambda: FFDNetLike(1, 1)(torch.zeros(1, 1, 4, 4), -0.1), r"noise=-0.1\) must be at least 0"),
        (
            lambda: FFDNetLike(1, 1)(torch.zeros(1, 1, 4, 4), math.nan),
            r"noise=nan\) must be at least 0 and finite",
        ),
        (lambda: FFDNetLike(1, 1)(torch.zeros(2, 1, 4, 4), torch.ones(2)), r"one per image \(batch, 1, 1, 1\)"),
        (lambda: FFDNetLike(1, 1)(torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 5)), r"got \(1, 1, 4, 5\) for an"),
        (lambda: describe(nn.ReLU()), r"a network with a number of inputs such as UNet\(1, 1\)"),
        (lambda: describe(Halved(), 16), r"keeps the size.*\(1, 1, 8, 8\) for \(1, 1, 16, 16\)"),
        (lambda: describe(UNet(1, 1), 8), "at least 16 pixels"),
    ],
)
def test_bad_input(call: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


def test_unknown_architectures() -> None:
    with pytest.raises(UnknownNameError, match=r"no network 'DnCN'\. Did you mean 'DnCNN'"):
        look_up(NETWORKS, "DnCN", "network")
    with pytest.raises(UnknownNameError, match=r"Did you mean 'DnCNN'"):
        look_up(NETWORKS, "dncn", "network")
    assert look_up(NETWORKS, "ffdnet-like", "network") is FFDNetLike
