"""Networks in tiles: the same answer as at once, in bounded memory."""

from __future__ import annotations

import inspect
from functools import partial

import pytest
import torch
from conftest import random_image
from conftest import wild as spread_out
from torch import nn

import mindl as md
from mindl.core.errors import InputError, ViewError
from mindl.nets.trace import Trace
from mindl.neural import (
    Direct,
    Filled,
    InUnitsOfWeight,
    Refined,
    Start,
    StepSizes,
    Unrolled,
    WithLevel,
    WitnessHead,
)
from mindl.neural.tiled import Tiled
from mindl.testing import check_network

wild = partial(spread_out, size=1.5)
"""Random weights everywhere, so that no block is the identity."""


def slanted(*shape: int, seed: int = 0) -> torch.Tensor:
    """Noise on a ramp: every tile has a mean of its own."""
    ramp = torch.linspace(0, 1, shape[3]) + torch.linspace(0, 2, shape[2])[:, None]
    return 0.5 * random_image(*shape, seed=seed) + ramp


def rof(data: torch.Tensor) -> md.Energy:
    return md.models.rof(data, 0.1)


def harmonic(data: torch.Tensor) -> md.Energy:
    return md.models.harmonic_inpainting(data, md.images.random_mask(*data.shape[2:], 0.3, seed=1))


def unet(inputs: int, outputs: int) -> nn.Module:
    return wild(md.nets.UNet(inputs, outputs, widths=(3, 4, 4)))


def refined() -> Refined:
    net = Refined(witness(), Unrolled(md.solvers.PrimalDual(step_size=0.1), 3, [StepSizes()]))
    with torch.no_grad():
        for parameter in net.steps.parameters():
            parameter.add_(0.1)
    return net


def witness() -> WitnessHead:
    return WitnessHead(unet(1, 2), InUnitsOfWeight())


def direct() -> Direct:
    return Direct(unet(2, 1), Filled())


FAR = 25
"""How far these U-Nets look."""

CASES = {
    "witness": (witness, rof, FAR),
    "direct": (direct, harmonic, FAR),
    "half resolution": (lambda: Direct(wild(md.nets.FFDNetLike(1, 1, width=4, depth=2)), WithLevel()), rof, 4),
    "colour": (lambda: Direct(unet(3, 3), Start(), channels=3), rof, FAR),
    "refined": (refined, rof, FAR),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("tile", [40, 27])
def test_tiles_with_enough_overlap_give_the_answer_of_the_whole(name: str, tile: int) -> None:
    """Odd sizes, tiles that are no multiples of the coarsest step; with hardly any overlap there are seams."""
    make, model_of, far = CASES[name]
    net = make().double()
    model = model_of(slanted(2, net.channels, 63, 85).double())
    with torch.no_grad():
        whole = net(model)
        found = Tiled(net, tile=tile, overlap=far)(model)
        seams = (Tiled(net, tile=tile, overlap=1)(model).image - whole.image).abs().max()
    scale = whole.image.abs().max()
    assert (found.image - whole.image).abs().max() <= 1e-12 * scale
    assert seams > 0.01 * scale
    assert (found.dual is None) == (whole.dual is None)
    if whole.dual is not None:
        assert torch.allclose(found.dual, whole.dual, atol=1e-12)


def test_the_overlap_is_as_wide_as_it_says() -> None:
    """A network that looks exactly 3 pixels far: 3 are enough, 2 are not."""
    net = Direct(nn.Conv2d(1, 1, 7, padding=3), Start())
    model = rof(slanted(1, 1, 50, 1))
    with torch.no_grad():
        whole = net(model).image
        apart = [(Tiled(net, tile=9, overlap=n)(model).image - whole).abs().max() for n in (2, 3)]
    assert apart[0] > 1e-3 and apart[1] < 1e-6


def test_an_image_no_larger_than_a_tile_is_answered_to_the_bit() -> None:
    net = witness()
    model = rof(slanted(2, 1, 30, 41))
    with torch.no_grad():
        whole, found = net(model), Tiled(net, tile=41, overlap=0)(model)
    assert torch.equal(found.image, whole.image) and torch.equal(found.dual, whole.dual)


def test_a_grey_network_takes_separate_channels_one_by_one() -> None:
    net = witness()
    model = md.models.rof(slanted(2, 3, 40, 50), 0.1, joint=False)
    with torch.no_grad():
        whole, found = net(model), Tiled(net, tile=20, overlap=FAR)(model)
    assert torch.allclose(found.image, whole.image, atol=2e-6)


@pytest.mark.parametrize("more", [(1, 128), (4, 64)], ids=["pixels", "images"])
def test_memory_is_that_of_a_tile(more: tuple[int, int]) -> None:
    """Four times the pixels: the network alone needs above 20 floats for each more, in tiles a few are left."""
    net = Direct(wild(md.nets.UNet(1, 1, widths=(8, 8))), Start())

    def grows(solver: md.neural.NeuralSolver) -> float:
        peaks = []
        for batch, side in ((1, 64), more):
            model = rof(random_image(batch, 1, side, side))
            with torch.no_grad(), Trace(model.start()) as trace:
                solver(model)
            peaks.append(trace.peak)
        return (peaks[1] - peaks[0]) / (3 * 64**2)

    assert grows(net) > 20
    assert grows(Tiled(net, tile=32, overlap=8)) < 4


def test_gradients_flow_through_the_tiles() -> None:
    net = witness().double()
    data = slanted(1, 1, 40, 46).double().requires_grad_()
    found = []
    for solver in (net, Tiled(net, tile=17, overlap=FAR)):
        loss = solver(rof(data)).image.square().sum()
        found.append(torch.autograd.grad(loss, [data, *net.parameters()]))
    assert all(torch.allclose(a, b, rtol=1e-8, atol=1e-10) for a, b in zip(*found, strict=True))


def test_what_is_shown_to_find_the_grid_leaves_no_trace() -> None:
    """In training every tile is seen by the batch normalisation, and nothing else."""
    net = Direct(md.nets.DnCNN(1, 1, depth=3, width=2, batch_norm=True), Start())
    Tiled(net, tile=10, overlap=2).train()(rof(random_image(1, 1, 20, 30)))
    (normal,) = (m for m in net.modules() if isinstance(m, nn.BatchNorm2d))
    assert int(normal.num_batches_tracked) == 6


@pytest.mark.parametrize("name", ["witness", "direct", "refined"])
def test_contract(name: str) -> None:
    make, model_of, _ = CASES[name]
    check_network(Tiled(make(), tile=8, overlap=4), model_of)


@pytest.mark.parametrize("name", ["unet-rof", "unet-harmonic"])
def test_shipped_networks_have_no_seams(name: str) -> None:
    photograph = md.images.grey(md.images.coffee())[..., :300, :260]
    if name == "unet-rof":
        noise = torch.randn(photograph.shape, generator=torch.Generator().manual_seed(0))
        model = md.models.rof(photograph + 0.1 * noise, 0.07)
    else:
        model = md.models.harmonic_inpainting(photograph, md.images.random_mask(300, 260, 0.1, seed=0))
    net = md.load(name)
    tiled = Tiled(net, tile=128)
    with torch.no_grad():
        assert (tiled(model).image - net(model).image).abs().max() < 1e-5
    assert tiled.trained == net.trained is not None


def test_it_keeps_its_arguments() -> None:
    net = witness()
    made = {"net": net, "tile": 20, "overlap": 3, "title": "mine"}
    tiled = Tiled(**made)
    assert {name: getattr(tiled, name) for name in inspect.signature(Tiled).parameters} == made
    assert repr(tiled).startswith("mine (UNet, in tiles of 20 + 2 x 3, ")


@pytest.mark.parametrize(
    ("net", "arguments", "message"),
    [
        (
            Unrolled(md.solvers.PrimalDual(), 3),
            {},
            r"Unrolled \(PrimalDual, 3 steps\) reads none.*the whole image",
        ),
        (md.neural.PlugAndPlay(nn.Identity(), 3), {}, "PlugAndPlay .* reads none"),
        (
            Refined(Unrolled(md.solvers.PrimalDual(), 3), Unrolled(md.solvers.PrimalDual(), 2)),
            {},
            r"Unrolled \(PrimalDual, 3 steps\) reads none",
        ),
        (md.nets.UNet(1, 1), {}, r"Tiled\(net\) needs a neural solver"),
        (witness(), {"tile": 0}, r"Tiled\(tile=0\) needs a whole number of at least 1"),
        (witness(), {"tile": 32.0}, r"Tiled\(tile=32.0\) needs a whole number"),
        (witness(), {"overlap": -1}, r"Tiled\(overlap=-1\) needs a whole number of at least 0"),
    ],
)
def test_what_it_refuses(net: md.neural.NeuralSolver, arguments: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Tiled(net, **arguments)


def test_models_and_networks_that_do_not_fit() -> None:
    with pytest.raises(ViewError, match="Tiled cannot answer rof: it has no mask of known pixels"):
        Tiled(direct())(rof(random_image(1, 1, 8, 8)))
    with pytest.raises(InputError, match="Tiled knows 1 channel, and the image has 3 channels"):
        Tiled(witness())(rof(random_image(1, 3, 8, 8)))
    with pytest.raises(InputError, match="must keep the size"):
        Tiled(Direct(nn.Conv2d(1, 1, 3), Start()), tile=8)(rof(random_image(1, 1, 20, 8)))


def test_large_images_are_answered_in_tiles_without_being_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the one-line function: no seam, the same solution, and the finish has the last word."""
    import mindl.restore as room

    noisy = random_image(1, 1, 150, 140)
    whole = md.denoise(noisy, net="unet-rof", noise=0.1)
    answered: list[str] = []

    def counting(model: md.Model, net: md.neural.NeuralSolver, *rest: object, **more: object) -> object:
        answered.append(type(net).__name__)
        return md.answer(model, net, *rest, **more)

    monkeypatch.setattr(room, "answer", counting)
    monkeypatch.setattr(room, "LARGE", 100 * 100)
    in_tiles = md.denoise(noisy, net="unet-rof", noise=0.1)
    assert answered == ["Tiled"] and float((whole - in_tiles).abs().max()) < 1e-3
