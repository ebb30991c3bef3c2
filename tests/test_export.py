"""Networks that leave mindl: what a file answers, what it says of itself, and what cannot leave."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import random_image
from test_cli import run

import mindl as md
from mindl.calculus.pyramid import _filled, pull_push
from mindl.core.errors import InputError, OutputError, StoreError
from mindl.models import Candidate, Model, charbonnier, harmonic_inpainting, linear_diffusion, rof
from mindl.neural import (
    Direct,
    Equilibrium,
    Filled,
    InUnitsOfWeight,
    LearnedModel,
    Minimised,
    MultigridNet,
    NeuralSolver,
    PlugAndPlay,
    Pyramid,
    RidgeRegulariser,
    StepSizes,
    Unrolled,
    WithLevel,
    WithWeight,
)
from mindl.solvers import AcceleratedGradient, DualFISTA, Explicit, GradientDescent, LaggedDiffusivity, PrimalDual
from mindl.store import export

MODULE = sys.modules["mindl.store.export"]
STENCIL = [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]


def shaken(net: NeuralSolver) -> NeuralSolver:
    """With weights that are none of a fresh network's: some of these are zero, and would hide their layers."""
    draws = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=draws)
    return net


def architecture(name: str) -> NeuralSolver:
    kind = md.nets.NETWORKS[name]
    few = {"UNet": {"widths": (4, 4)}, "DilatedNet": {"width": 4}, "DnCNN": {"width": 4, "depth": 3}}
    few |= {
        "PlainCNN": {"width": 4, "depth": 2},
        "ResNet": {"width": 4, "blocks": 1},
        "DiffusionNet": {"blocks": 1},
        "VariationalNetwork": {"stages": 1, "filters": 2, "kernel": 3},
        "FFDNetLike": {"width": 4, "depth": 2},
    }
    inner = kind(STENCIL, levels=2, smoothing=1) if name == "VCycle" else kind(1, 1, **few[name])
    return shaken(Direct(inner, WithLevel() if name == "FFDNetLike" else InUnitsOfWeight()))


def unrolled(solver: object = None, steps: int = 2) -> NeuralSolver:
    return shaken(Unrolled(solver or PrimalDual(), steps, [StepSizes()]))


def answer(net: NeuralSolver, model: Model) -> Candidate:
    with torch.no_grad():
        return net.eval()(model)


LONG = {"VCycle", "DiffusionNet", "DilatedNet"}
"""Architectures whose programs take seconds to make."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in sorted(md.nets.NETWORKS)]
)
def test_every_architecture_leaves_as_a_program(tmp_path: Path, name: str) -> None:
    net = architecture(name)
    exported = export(net, tmp_path / "net.pt2", rof)
    assert exported.inputs == ("data", "weight") and exported.outputs == ("image",)
    program = torch.export.load(tmp_path / "net.pt2").module()
    for shape in [(1, 1, 7, 8), (4, 1, 23, 10)]:
        data, weight = random_image(*shape, seed=3), torch.full((shape[0], 1, 1, 1), 0.3)
        (image,) = program(data=data, weight=weight)
        assert torch.allclose(image, answer(net, rof(data, weight)).image, atol=1e-6)


def says_what_it_is(path: Path) -> None:
    import onnx

    proto = onnx.load(path)
    onnx.checker.check_model(proto)
    stored = json.loads((md.store.shipped()["unet-rof"] / "config.json").read_text())
    assert (proto.producer_name, proto.producer_version) == ("mindl", md.__version__)
    assert {entry.key: entry.value for entry in proto.metadata_props} == {
        "producer": "mindl",
        "version": md.__version__,
        "network": "unet-rof",
        "model": "rof",
        "trained": md.load("unet-rof").trained.about,
        "weights_sha256": stored["sha256"]["model.safetensors"],
    }
    axes = {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*proto.graph.input, *proto.graph.output)
    }
    assert axes == {
        "data": ["batch", 1, "height", "width"],
        "weight": ["batch", 1, 1, 1],
        "image": ["batch", 1, "height", "width"],
        "dual": ["batch", 1, 2, "height", "width"],
    }
    assert str(Path(md.__file__).parent) not in str(proto)  # nothing of this machine


WITHOUT_TORCH = """
import sys
for name in ("torch", "mindl"):
    sys.modules[name] = None
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1])
answers = session.run(None, dict(np.load(sys.argv[2])))
np.savez(sys.argv[3], **{value.name: a for value, a in zip(session.get_outputs(), answers)})
"""


def test_a_shipped_network_answers_without_torch(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    net = md.load("unet-rof")
    before, filters = [p.clone() for p in net.parameters()], list(warnings.filters)
    exported = export(net, tmp_path / "net.onnx", rof)
    assert capfd.readouterr() == ("", "") and warnings.filters == filters
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert logging.getLogger(MODULE._CHATTER[0]).level == logging.NOTSET
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))
    assert 0 < exported.difference < 1e-5
    assert repr(exported).endswith(
        f"data, weight -> image, dual; largest difference {exported.difference:.1e} on 3 problems"
    )
    assert [p.name for p in tmp_path.iterdir()] == ["net.onnx"]
    says_what_it_is(tmp_path / "net.onnx")
    for shape in [(1, 1, 1, 1), (2, 1, 40, 33)]:
        data, weight = random_image(*shape, seed=5), torch.linspace(0.05, 0.1, shape[0]).reshape(-1, 1, 1, 1)
        np.savez(tmp_path / "in.npz", data=data.numpy(), weight=weight.numpy())
        words = [sys.executable, "-c", WITHOUT_TORCH, *(tmp_path / n for n in ("net.onnx", "in.npz", "out.npz"))]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        wanted = answer(net, rof(data, weight))
        with np.load(tmp_path / "out.npz") as found:
            assert np.allclose(found["image"], wanted.image, atol=2e-6)
            assert np.allclose(found["dual"], wanted.dual, atol=2e-6)


def test_a_program_says_what_it_is(tmp_path: Path) -> None:
    export(architecture("PlainCNN"), tmp_path / "net.pt2", rof)
    extra = {MODULE.RECORD: ""}
    torch.export.load(tmp_path / "net.pt2", extra_files=extra)
    about = json.loads(extra[MODULE.RECORD])
    assert about["producer"] == "mindl" and about["trained"] == "not recorded" and about["model"] == "rof"


def test_a_flow_needs_data_only(tmp_path: Path) -> None:
    assert export(unrolled(Explicit(), 1), tmp_path / "net.pt2", linear_diffusion).inputs == ("data",)


def test_a_weight_may_be_fixed(tmp_path: Path) -> None:
    net = shaken(Direct(md.nets.PlainCNN(2, 1, width=4, depth=2), WithWeight()))
    assert export(net, tmp_path / "net.pt2", partial(charbonnier, weight=0.5)).inputs == ("data",)


def test_an_unrolled_solver_in_colour_runs_in_onnx(tmp_path: Path) -> None:
    import onnxruntime

    net = unrolled(steps=1)
    exported = export(net, tmp_path / "net.onnx", rof, channels=3)
    assert exported.outputs == ("image", "dual")
    data, weight = random_image(2, 3, 12, 7, seed=2), torch.tensor([0.05, 0.2]).reshape(2, 1, 1, 1)
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    image, _ = session.run(None, {"data": data.numpy(), "weight": weight.numpy()})
    assert np.allclose(image, answer(net, rof(data, weight)).image, atol=2e-6)


def test_the_pyramid_of_a_program_is_the_usual_one() -> None:
    for height, width in [(1, 1), (1, 9), (13, 17), (64, 50), (130, 7)]:
        values = random_image(2, 2, height, width)
        known = random_image(2, 2, height, width, seed=1) < torch.tensor([0.1, 0.0]).reshape(2, 1, 1, 1)
        known[:, :, 0, 0] = True
        assert torch.equal(_filled(values, known, 2), pull_push(values, known))


@pytest.mark.parametrize(
    ("net", "reason"),
    [
        (Equilibrium(GradientDescent()), "a program has a fixed number of steps"),
        (LearnedModel(RidgeRegulariser(2, 3), Minimised(AcceleratedGradient())), "until the image is near enough"),
        (Pyramid(PrimalDual(), steps=[1, 1]), "how many grids"),
        pytest.param(
            Unrolled(LaggedDiffusivity(), 1),
            "depend on the values or on the size of an image",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_cannot_leave_says_why(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], net: NeuralSolver, reason: str
) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        export(net, tmp_path / "net.onnx", charbonnier)
    assert str(caught.value).count("\n") == 0
    assert not list(tmp_path.iterdir()) and capfd.readouterr() == ("", "")


def stubbed(monkeypatch: pytest.MonkeyPatch, run: Callable[[dict[str, torch.Tensor]], list[torch.Tensor]]) -> None:
    """Exports that take no time: files hold one word, and answer as said."""
    monkeypatch.setattr(MODULE, "_program", lambda whole, example: None)
    for suffix in (".pt2", ".onnx"):
        monkeypatch.setitem(MODULE._FORMATS, suffix, (lambda *_: b"program", lambda _: run))


def alike(problem: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    return [answer(architecture("PlainCNN"), rof(**problem)).image]


@pytest.mark.parametrize("suffix", ["pt2", "onnx"])
@pytest.mark.parametrize("wrong", [0.01, float("nan")])
def test_a_program_that_answers_otherwise_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, wrong: float
) -> None:
    stubbed(monkeypatch, lambda problem: [alike(problem)[0] + wrong])
    net = architecture("PlainCNN")
    path = tmp_path / f"net.{suffix}"
    with pytest.raises(StoreError, match=r"differs from the network by .* nothing was written"):
        export(net, path, rof)
    assert not list(tmp_path.iterdir())
    path.write_bytes(b"what was there")
    with pytest.raises(StoreError):
        export(net, path, rof, overwrite=True)
    assert path.read_bytes() == b"what was there" and len(list(tmp_path.iterdir())) == 1


def test_a_program_that_fails_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def torn(problem: dict[str, torch.Tensor]) -> list[torch.Tensor]:
        raise RuntimeError("Guard failed")

    stubbed(monkeypatch, torn)
    with pytest.raises(StoreError, match="fails on an image 1 x 1 x 9 x 14, so that nothing was written: Guard"):
        export(architecture("PlainCNN"), tmp_path / "net.pt2", rof)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "model_of", "net", "error", "message"),
    [
        ("net.pt", rof, None, InputError, r"end in .pt2 or .onnx, got 'net.pt'"),
        ("net.ONNX", rof, None, InputError, r"got 'net.ONNX'"),
        ("nowhere/net.onnx", rof, None, OutputError, "does not exist"),
        ("net.onnx", lambda image: rof(image, 0.1), None, InputError, "a function of data"),
        ("net.onnx", "rof", None, InputError, "a function of data"),
        ("net.onnx", rof, torch.nn.Conv2d(1, 1, 3), InputError, "needs a neural solver"),
        ("net.onnx", harmonic_inpainting, None, md.errors.ViewError, "half squared data term"),
    ],
)
def test_what_is_refused(
    tmp_path: Path, name: str, model_of: object, net: object, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        export(net or architecture("PlainCNN"), tmp_path / name, model_of)
    assert not list(tmp_path.iterdir())


def test_an_existing_file_is_kept_unless_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stubbed(monkeypatch, alike)
    path = tmp_path / "net.pt2"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists already"):
        export(architecture("PlainCNN"), path, rof)
    assert path.read_bytes() == b"old"
    assert export(architecture("PlainCNN"), path, rof, overwrite=True).difference < 1e-6
    assert path.read_bytes() == b"program"


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stubbed(monkeypatch, alike)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "onnxruntime" else name)
    with pytest.raises(InputError, match=r'need onnxruntime: pip install "mindl\[export\]"'):
        export(architecture("PlainCNN"), tmp_path / "net.onnx", rof)
    export(architecture("PlainCNN"), tmp_path / "net.pt2", rof)


def test_the_command_line(capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mindl.app import weights as verb

    stubbed(monkeypatch, alike)
    folder = md.save(architecture("PlainCNN"), tmp_path / "tiny")
    status, _, err = run(capsys, "weights", "export", folder, "-o", tmp_path / "a.pt2")
    assert status == 2 and "name a model, --model rof" in err
    status, out, _ = run(capsys, "weights", "export", folder, "-o", tmp_path / "a.pt2", "--model", "ROF")
    assert status == 0 and "data, weight -> image; largest difference" in out
    status, _, err = run(capsys, "weights", "export", folder, "-o", tmp_path / "a.pt2", "--model", "rof")
    assert status == 2 and "exists already" in err
    asked = []
    monkeypatch.setattr(verb, "export_network", lambda net, path, model_of, **rest: asked.append((model_of, rest)))
    run(capsys, "weights", "export", "unet-harmonic", "-o", tmp_path / "b.onnx", "--overwrite")
    assert asked == [(harmonic_inpainting, {"overwrite": True})]


@pytest.mark.slow
def test_a_shipped_network_for_inpainting_runs_in_onnx(tmp_path: Path) -> None:
    import onnxruntime

    net = md.load("unet-harmonic")
    exported = export(net, tmp_path / "net.onnx", harmonic_inpainting)
    assert exported.inputs == ("data", "mask") and exported.outputs == ("image",)
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    for shape in [(1, 1, 1, 1), (1, 1, 3, 200), (2, 1, 150, 141)]:
        data = random_image(*shape, seed=1)
        mask = random_image(*shape, seed=2) < 0.05
        mask[:, :, 0, 0] = True
        (image,) = session.run(None, {"data": data.numpy(), "mask": mask.numpy()})
        assert np.allclose(image, answer(net, harmonic_inpainting(data, mask)).image, atol=2e-6)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["pt2", "onnx"])
@pytest.mark.parametrize(
    ("net", "model_of"),
    [
        (unrolled(DualFISTA()), rof),
        (unrolled(), md.models.tgv),
        (unrolled(), md.models.tv_inpainting),
        (unrolled(GradientDescent()), charbonnier),
        (unrolled(Explicit()), lambda data: md.models.nonlinear_diffusion(data)),
        (Direct(md.nets.PlainCNN(2, 1, width=4, depth=2), Filled()), harmonic_inpainting),
        (PlugAndPlay(md.nets.PlainCNN(1, 1, width=4, depth=2), 2), rof),
        (MultigridNet(md.nets.VCycle(STENCIL, levels=2)), md.models.whittaker_tikhonov),
    ],
    ids=lambda value: getattr(value, "__name__", None) or getattr(value, "about", str(value)),
)
def test_many_kinds_leave(tmp_path: Path, suffix: str, net: NeuralSolver, model_of: Callable[..., Model]) -> None:
    if suffix == "onnx" and model_of is md.models.tgv:
        pytest.skip("torch.onnx gets the shapes of what is written in place wrong")
    assert export(net, tmp_path / f"net.{suffix}", model_of).difference < 1e-4


@pytest.mark.slow
def test_what_onnx_lacks_is_refused(tmp_path: Path) -> None:
    """DiffusionNet proves a norm of its filters in every run, by eigenvalues."""
    with pytest.raises(InputError, match="cannot be exported to \\.onnx"):
        export(architecture("DiffusionNet"), tmp_path / "net.onnx", rof)
    with pytest.raises(StoreError, match="nothing was written"):  # torch.onnx gets shapes wrong
        export(unrolled(GradientDescent()), tmp_path / "net.onnx", md.models.thin_plate_inpainting)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(md.nets.NETWORKS) - {"DiffusionNet"}))
def test_every_architecture_runs_in_onnx(tmp_path: Path, name: str) -> None:
    assert export(architecture(name), tmp_path / "net.onnx", rof).difference < 1e-5
