"""Sweeps of diffusion flows against plain PyTorch, alone and in a batch, on one core and on two."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import mindl as md
from mindl.calculus import (
    Channelwise,
    Charbonnier,
    DeltaStencil,
    Directional,
    Gradient,
    Huber,
    Joint,
    Periodic,
    PeronaMalik,
    Quadratic,
    Separate,
    Weickert,
)
from mindl.models.data_terms import HalfSquared, KnownPixels
from mindl.models.diffusion import NonlinearDiffusion
from mindl.models.fused_flows import fused_flow
from mindl.models.variational import Variational
from mindl.solvers import AOS, FED, FSI, Explicit
from mindl.solvers.scheme import Moment, Scheme


@pytest.fixture(autouse=True)
def sweeps_for_all_sizes_on_one_core(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("mindl.kernels.choice.SMALLEST", 1)
    with threads(1):
        yield


@contextmanager
def plain() -> Iterator[None]:
    with mock.patch.dict(os.environ, {"MINDL_KERNELS": "off"}):
        yield


@contextmanager
def threads(n: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def rand(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def step(model: Any, scheme: Scheme[Any], image: Tensor) -> Tensor:
    view = model.view(scheme.accepts)
    with torch.no_grad():
        return scheme.over(view, Moment(image, 0.0), scheme.span(view)).image


def agree(model: Any, scheme: Scheme[Any], image: Tensor, units: float = 100) -> Tensor:
    """The image after a step by a sweep, which is that of plain PyTorch but for some units of rounding."""
    assert fused_flow(model.view(scheme.accepts), image) is not None
    before = image.clone()
    found = step(model, scheme, image)
    assert torch.equal(image, before)
    with plain():
        expected = step(model, scheme, image)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    away = float((found - expected).abs().max())
    assert away <= units * torch.finfo(image.dtype).eps * max(1.0, float(image.abs().max())), (model.title, away)
    return found


def contrasts(batch: int) -> Tensor:
    return torch.linspace(0.05, 0.3, batch, dtype=torch.float64).reshape(-1, 1, 1, 1)


def known_pixels(height: int, width: int) -> Tensor:
    known = torch.rand(1, 1, height, width, generator=torch.Generator().manual_seed(7)) < 0.3
    known[..., 0, 0] = True
    return known


def isotropic(data: Tensor) -> list[Any]:
    c = contrasts(len(data))
    return [
        md.models.linear_diffusion(data, grid=0.7),
        md.models.charbonnier_flow(data, c, joint=False),
        md.models.huber_flow(data, 0.1, grid=2.0),
        md.models.nonlinear_diffusion(data, Charbonnier(0.1), presmoothing=1.3, grid=1.5),
        md.models.nonlinear_diffusion(data, PeronaMalik(c), presmoothing=0.0, joint=False),
        md.models.nonlinear_diffusion(data, Weickert(0.1)),
        md.models.nonlinear_diffusion(data, Huber(c)),
    ]


def anisotropic(data: Tensor) -> list[Any]:
    c = contrasts(len(data))
    return [
        md.models.edge_enhancing_diffusion(data, Weickert(c, 2)),
        md.models.edge_enhancing_diffusion(
            data, PeronaMalik(0.1), presmoothing=0.0, stencil=DeltaStencil(0.1, 0.5)
        ),
        md.models.coherence_enhancing_diffusion(data, c, integration=1.5),
        md.models.haar_diffusion(data, Charbonnier(c)),
        md.models.eed_inpainting(data, known_pixels(*data.shape[2:])),
    ]


def energies(data: Tensor) -> list[Variational]:
    c, known = contrasts(len(data)), known_pixels(*data.shape[2:])
    return [
        Variational(HalfSquared(data.flip(3)), PeronaMalik(c), Gradient(grid=1.3), 10 * c, Joint()),
        Variational(HalfSquared(data.flip(3)), Charbonnier(0.1), Gradient(), 2.0, Separate()),
        Variational(KnownPixels(data, known), Weickert(0.1), Gradient(), 1.0, Directional()),
        Variational(KnownPixels(data, known), Huber(c), Gradient(), 1.0, Channelwise()),
        Variational(HalfSquared(data.flip(3)), Quadratic(), Gradient(), 2.0),
    ]


SHAPES = [(1, 1, 1, 1), (1, 3, 1, 8), (2, 1, 9, 1), (1, 1, 2, 2), (2, 3, 13, 18), (1, 2, 40, 31)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("scheme", [Explicit(), FED(7), FSI(7), AOS(4.0)], ids=lambda s: s.title)
def test_sweeps_agree_with_plain_torch(shape: tuple[int, ...], scheme: Scheme[Any]) -> None:
    data = rand(*shape, seed=1)
    split = isinstance(scheme, AOS)
    for model in [*isotropic(data), *([] if split else anisotropic(data))]:
        agree(model, scheme, model.project(rand(*shape, seed=2)))
    if not split and data.shape[2] * data.shape[3] > 1:
        for model in energies(data):
            agree(model, scheme, model.project(rand(*shape, seed=2)))


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    batch=st.integers(1, 2),
    channels=st.integers(1, 3),
    height=st.integers(1, 45),
    width=st.integers(1, 45),
    which=st.integers(0, 11),
    length=st.integers(1, 24),
    scale=st.sampled_from([1e-12, 1e-3, 1.0]),
    cores=st.integers(1, 2),
)
def test_sweeps_agree_for_random_shapes_and_cycles(
    seed: int, batch: int, channels: int, height: int, width: int, which: int, length: int, scale: float,
    cores: int,
) -> None:  # fmt: skip
    data = rand(batch, channels, height, width, seed=seed)
    model = [*isotropic(data), *anisotropic(data)][which]
    image = model.project(data + scale * rand(batch, channels, height, width, seed=seed + 1))
    with threads(cores):
        agree(model, FED(length) if seed % 2 else FSI(length), image, units=2000 * length)


@pytest.mark.parametrize("scheme", [Explicit(), FSI(7)], ids=lambda s: s.title)
def test_float32_agrees_too(scheme: Scheme[Any]) -> None:
    data = rand(1, 3, 17, 21, dtype=torch.float32)
    assert agree(md.models.charbonnier_flow(data, 0.1), scheme, data).dtype == torch.float32


@pytest.mark.parametrize("contrast", [1e-6, 1e-3, 10.0])
def test_diffusivities_that_are_nearly_0_or_1(contrast: float) -> None:
    data = rand(1, 1, 9, 11)
    data[..., 4:] = data[..., 4:5]  # flat: no gradient, and 1 / 0 in the exponent
    rounding = 100 + 1 / contrast**2  # an eigenvalue that should be 0 is of rounding's size, in units of c^2
    for kind in (Huber, Charbonnier, PeronaMalik, Weickert):
        agree(md.models.nonlinear_diffusion(data, kind(contrast)), Explicit(), data)
        agree(md.models.edge_enhancing_diffusion(data, kind(contrast)), Explicit(), data, units=rounding)
    agree(md.models.coherence_enhancing_diffusion(data, contrast), Explicit(), data)


def all_of(data: Tensor, contrast: Any = 0.1) -> list[tuple[Any, Scheme[Any]]]:
    """Each sweep, with a long cycle: several bands and passages."""
    return [
        (md.models.charbonnier_flow(data, contrast), FED(20)),
        (md.models.nonlinear_diffusion(data, Weickert(contrast)), AOS(3.0)),
        (md.models.edge_enhancing_diffusion(data, PeronaMalik(contrast)), FSI(20)),
        (md.models.coherence_enhancing_diffusion(data, contrast, integration=2.0), Explicit()),
        (md.models.eed_inpainting(data, known_pixels(*data.shape[2:])), FED(20)),
    ]


def test_one_core_and_two_give_the_same_bits() -> None:
    data = rand(1, 2, 200, 37)
    for model, scheme in all_of(data):
        found = []
        for n in (1, 2):
            with threads(n):
                found.append(step(model, scheme, model.project(data)))
        assert torch.equal(*found), model.title


def test_an_image_alone_and_in_a_batch_gives_the_same_bits() -> None:
    data, c = rand(3, 2, 30, 19), contrasts(3)
    whole = [step(model, scheme, model.project(data)) for model, scheme in all_of(data, c)]
    for b in range(3):
        for (model, scheme), together in zip(all_of(data[b : b + 1], c[b : b + 1]), whole, strict=True):
            alone = step(model, scheme, model.project(data[b : b + 1]))
            assert torch.equal(alone[0], together[b]), model.title


def test_the_mean_is_kept_and_constants_stay() -> None:
    data = rand(1, 2, 33, 20)
    for model, scheme in all_of(data)[:4]:
        found = step(model, scheme, data)
        assert torch.allclose(found.mean(dim=(2, 3)), data.mean(dim=(2, 3)), rtol=0, atol=1e-14), model.title
        flat = torch.full_like(data, 0.7)
        assert torch.allclose(step(model, scheme, flat), flat, rtol=0, atol=1e-14), model.title


def test_known_pixels_keep_their_bits_and_the_others_come_to_rest() -> None:
    data, known = md.images.disc(20, 24, 6).double(), known_pixels(20, 24)
    model = md.models.eed_inpainting(data, known)
    for scheme in (Explicit(), FED(9), FSI(9)):
        found = step(model, scheme, model.start())
        assert torch.equal(found[known], data[known])
        assert not torch.equal(found, model.start())
    fused = md.steady_state(model, stop=md.Stop(1e-6))
    with plain():
        expected = md.steady_state(model, stop=md.Stop(1e-6))
    assert bool(fused.certificate.relative < 1e-6)
    assert int(fused.steps) == int(expected.steps)
    assert torch.allclose(fused.image, expected.image, rtol=0, atol=1e-10)


def test_what_autograd_follows_goes_the_plain_way() -> None:
    data = rand(1, 1, 6, 7)
    image, contrast = data.clone().requires_grad_(), torch.full((1, 1, 1, 1), 0.1, dtype=torch.float64)
    flow = md.models.nonlinear_diffusion(data, Charbonnier(contrast.requires_grad_()))
    assert fused_flow(flow, image) is None
    assert fused_flow(flow, data) is None
    with torch.no_grad():
        assert fused_flow(flow, image) is not None
    after = FED(3).over(flow, Moment(image, 0.0), 1.0).image
    after.square().sum().backward()
    assert float(image.grad.abs().max()) > 0
    assert float(contrast.grad.abs().max()) > 0


def test_flows_that_no_sweep_knows_go_the_plain_way() -> None:
    class Own(NonlinearDiffusion):
        def diffusivity(self, image: Tensor) -> Tensor:
            return torch.ones_like(image)

    class OwnPenaliser(Charbonnier):
        def diffusivity(self, squared_magnitude: Tensor) -> Tensor:
            return torch.ones_like(squared_magnitude)

    data = rand(1, 1, 6, 7)
    linear = step(md.models.nonlinear_diffusion(data, Quadratic()), Explicit(), data)
    for flow in (Own(data, Charbonnier(0.1)), md.models.nonlinear_diffusion(data, OwnPenaliser(0.1))):
        assert fused_flow(flow, data) is None
        assert torch.allclose(step(flow, Explicit(), data), linear, atol=1e-14)
    wrapped = Variational(HalfSquared(data), Charbonnier(0.1), Gradient(boundary=Periodic()), 1.0)
    assert fused_flow(wrapped.view(Explicit.accepts), data) is None
    assert fused_flow(md.models.mean_curvature_motion(data), data) is None
    assert fused_flow(md.models.linear_diffusion(data), data.half()) is None
