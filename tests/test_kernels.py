"""Fused sweeps: what plain PyTorch computes, to rounding, whatever the size, the bands and the company."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from conftest import random_image
from torch import Tensor

import mindl as md
from mindl.core.outcome import Outcome
from mindl.kernels import choice
from mindl.models.candidate import Candidate
from mindl.models.certificate import gap_sums
from mindl.models.views import SaddlePoint
from mindl.solvers import dispatch

SHAPES = ((1, 1, 37, 29), (2, 3, 13, 11), (1, 1, 1, 9), (1, 2, 50, 1), (1, 3, 1, 1), (1, 1, 2, 2), (1, 1, 70, 3))


@pytest.fixture(autouse=True)
def _sweeps_for_all_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "SMALLEST", 1)
    monkeypatch.delenv("MINDL_KERNELS", raising=False)


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> object:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def models(f: Tensor) -> list[md.models.SaddlePoint]:
    mask = random_image(1, 1, *f.shape[2:], seed=1) < 0.3
    mask[..., 0, 0] = True
    weight = 0.05 + 0.1 * random_image(f.shape[0], 1, 1, 1, seed=2, dtype=f.dtype)
    return [
        md.models.rof(f, weight=weight),
        md.models.rof(f, weight=0.1, joint=False),
        md.models.anisotropic_rof(f, weight=0.1),
        md.models.anisotropic_rof(f, weight=weight, joint=False),
        md.models.huber_rof(f, weight=0.1, contrast=0.03 * weight),
        md.models.whittaker_tikhonov(f, weight=2.0),
        md.models.tv_l1(f, weight=0.8),
        md.models.tv_inpainting(f, mask),
        md.models.tv_inpainting(f, (random_image(*f.shape, seed=3) < 0.5) | mask),
        md.models.tgv(f, weight=weight),
        md.models.tgv(f, weight=0.1, joint=False),
    ]


def begun(model: object, solver: md.solvers.PrimalDual) -> tuple[SaddlePoint, object]:
    view = model.view(SaddlePoint)
    start = view.start()
    dual = 0.05 * torch.randn(
        view.operator.field_shape(start.shape), generator=torch.Generator().manual_seed(5), dtype=start.dtype
    )
    return view, solver.begin(view, Candidate(start, dual))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_sweep_equals_the_steps(shape: tuple[int, ...], threads: int) -> None:
    """Also from a dual field that lives where no difference is, with bands that meet, and with a grid size."""
    f = random_image(*shape, dtype=torch.float64)
    coarse = md.models.rof(f, weight=0.1).coarser()
    for model in [*models(f), *([] if coarse is None else [coarse])]:
        for solver in (md.solvers.PrimalDual(), md.solvers.PrimalDual(acceleration=0.0, step_size=0.3)):
            view, state = begun(model, solver)
            stepped = state
            for _ in range(7):
                stepped = solver.step(view, stepped)
            swept = solver.advance(view, state, 7)
            assert (stepped.image - swept.image).abs().max() < 1e-12, model.title
            assert (stepped.dual - swept.dual).abs().max() < 1e-12, model.title


def test_the_models_above_are_swept() -> None:
    """None of them silently takes the plain path."""
    for model in models(random_image(1, 3, 9, 9)):
        view = model.view(SaddlePoint)
        solver = md.solvers.PrimalDual()
        state = solver.begin(view, Candidate(view.start()))
        relaxed = dispatch.relaxed_primal_dual(view, state.image, state.dual)
        accelerated = dispatch.accelerated_primal_dual(view, state.image, state.extrapolated, state.dual)
        assert relaxed is not None, model.title
        assert (accelerated is not None) == bool(view.modulus_of_unknown), model.title
    rotated = md.models.rotation_averaged_rof(random_image(1, 1, 9, 9), weight=0.1).view(SaddlePoint)
    assert dispatch.relaxed_primal_dual(rotated, rotated.start(), rotated.operator(rotated.start())) is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_sums_of_a_gap_are_those_of_the_strips(
    shape: tuple[int, ...], dtype: torch.dtype, threads: int
) -> None:
    """For images and fields that have nothing to do with the solution, so that every term counts.

    Both are computed in float64 whatever the type; 0.7 sees that differences of pixels are rounded in float32.
    """
    for model in models(random_image(*shape, dtype=dtype) * 0.7):
        if dtype == torch.float32 and model.title == "tgv":
            continue  # kernels of its own, in the slow test below
        view = model.view(SaddlePoint)
        image = random_image(*view.start().shape, seed=7, dtype=dtype) * 0.7
        dual = torch.randn(view.operator.field_shape(image.shape), dtype=dtype) * 0.3
        swept, plain = view.gap_sums(image, dual), gap_sums(view, image, dual)
        if swept is None:  # quadratic: its proof is the residual; separate slopes: one factor for all channels
            assert model.title in ("whittaker_tikhonov", "tgv"), model.title
            continue
        for name in ("energy", "field", "data", "dual_squared", "loose"):
            ours, theirs = getattr(swept, name), getattr(plain, name)
            scale = theirs.abs() + (plain.energy if name in ("field", "data") else 0)
            if name == "loose" and model.title in ("tv_l1", "tv_inpainting"):
                # The plain sum takes the largest value of all channels, a sweep that of each problem.
                assert (ours <= theirs * (1 + 1e-12)).all() and (ours > 0.1 * theirs).all() == (theirs > 0).all()
                continue
            assert ((ours - theirs).abs() <= 1e-12 * scale).all(), (model.title, name)


@pytest.mark.parametrize(
    "make",
    [
        lambda f: md.models.rof(f, weight=0.1),
        # Each compiles kernels of its own.
        pytest.param(lambda f: md.models.tv_l1(f, weight=0.8), marks=pytest.mark.slow),
        pytest.param(lambda f: md.models.tgv(f, weight=0.1), marks=pytest.mark.slow),
    ],
    ids=["rof", "tv_l1", "tgv"],
)
def test_float32_colour_certifies_alike(make: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole road in the type of photographs: the same steps, the same certificate to rounding."""
    model, stop = make(random_image(2, 3, 40, 33)), md.Stop(1e-3)
    swept = md.minimise(model, md.solvers.PrimalDual(), stop=stop)
    monkeypatch.setenv("MINDL_KERNELS", "off")
    plain = md.minimise(model, md.solvers.PrimalDual(), stop=stop)
    assert swept.outcome is plain.outcome is Outcome.CERTIFIED
    assert (swept.steps - plain.steps).abs().max() <= 10
    assert torch.allclose(swept.image, plain.image, atol=2e-3)


def test_images_alone_in_company_and_on_more_threads_are_the_same() -> None:
    """To the bit, certificates included."""
    f = random_image(3, 1, 70, 41)
    mask = random_image(1, 1, 70, 41, seed=1) < 0.3
    for make in (lambda f: md.models.rof(f, weight=0.1), lambda f: md.models.tv_inpainting(f, mask)):
        together = md.minimise(make(f), md.solvers.PrimalDual(), stop=md.Stop(1e-3))
        torch.set_num_threads(2)
        alone = md.minimise(make(f[1:2]), md.solvers.PrimalDual(), stop=md.Stop(1e-3))
        torch.set_num_threads(1)
        assert torch.equal(alone.image[0], together.image[1])
        assert torch.equal(alone.certificate.bound[0], together.certificate.bound[1])
        assert alone.steps[0] == together.steps[1]


def test_known_pixels_keep_their_value_and_the_rest_the_range() -> None:
    """Over-relaxed steps may leave both for a moment; answers do not."""
    f = random_image(1, 1, 30, 31)
    mask = random_image(1, 1, 30, 31, seed=1) < 0.2
    for start in (None, torch.rand(1, 1, 30, 31)):
        image = md.minimise(md.models.tv_inpainting(f, mask), md.solvers.PrimalDual(), start).image
        assert torch.equal(image[mask], f[mask])
        assert image.max() <= f[mask].max() and image.min() >= f[mask].min()


def test_relaxed_steps_find_the_accelerated_answer() -> None:
    """Two iterations, one minimiser."""
    f = random_image(1, 1, 24, 21, dtype=torch.float64)
    model = md.models.rof(f, weight=0.1)
    answers = [
        md.minimise(model, md.solvers.PrimalDual(0.5, acceleration), stop=md.Stop(1e-9, steps=20000)).image
        for acceleration in (0.0, 0.5)
    ]
    assert (answers[0] - answers[1]).abs().max() < 1e-4


def test_sweeps_stay_away_where_they_must(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small images, other types, the switch, and whoever differentiates."""
    image = random_image(1, 1, 20, 20)
    assert choice.serves(image)
    assert not choice.serves(image.half()) and not choice.serves(image.clone().requires_grad_())
    monkeypatch.setattr(choice, "SMALLEST", 401)
    assert not choice.serves(image)
    monkeypatch.setattr(choice, "SMALLEST", 1)
    for off in ("off", "OFF", "0", "no"):
        monkeypatch.setenv("MINDL_KERNELS", off)
        assert not choice.serves(image)


def test_a_view_of_other_memory_is_served() -> None:
    """Transposed photographs and channels-last batches are not contiguous."""
    f = random_image(1, 3, 31, 40)
    for data in (f.transpose(2, 3), f.contiguous(memory_format=torch.channels_last)):
        ours = md.minimise(md.models.rof(data, weight=0.1)).image
        assert torch.equal(ours, md.minimise(md.models.rof(data.contiguous(), weight=0.1)).image)


def test_numba_is_loaded_when_it_is_needed_only() -> None:
    """Its import takes half a second, which `--help` and small images need not pay."""
    code = (
        "import sys, torch, mindl as md; md.minimise(md.models.rof(torch.rand(1, 1, 9, 9), weight=0.1));"
        "sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_was_compiled_is_said_once(tmp_path: object) -> None:
    """By a logger that can be silenced; a later process finds the code on disk and says nothing."""
    code = (
        "import numpy as np; from mindl.kernels import compiled;"
        "double = compiled.part(lambda x: 2 * x); print(double(2.0), double(3))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["4.0", "6"]
    assert ran.stderr.count("compiles its kernels") == 1
