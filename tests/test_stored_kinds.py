"""Every kind of network survives the disk; what differs between two is named."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import random_image
from typer.testing import CliRunner

import mindl as md
from mindl.app.cli import app
from mindl.core.errors import InputError, StoreError
from mindl.neural import (
    DiffusionTensor,
    Direct,
    DualCorrection,
    Equilibrium,
    Extrapolation,
    Filters,
    ImagePrior,
    InUnitsOfWeight,
    LearnedModel,
    Minimised,
    ModelWeight,
    MultigridNet,
    PlugAndPlay,
    PreconditionedSteps,
    Pyramid,
    RadialPenaliser,
    Refined,
    RidgeRegulariser,
    SplinePenaliser,
    Start,
    StepSizes,
    Tiled,
    Unrolled,
    WithLevel,
    WitnessHead,
)
from mindl.solvers import (
    FED,
    FSI,
    AcceleratedGradient,
    ConjugateGradient,
    Explicit,
    GradientDescent,
    Multigrid,
    PrimalDual,
)
from mindl.store import STORABLE, compare, load_regulariser, transfer
from mindl.store.folder import check, read_config
from mindl.store.parts import built, described


def mixed(net: Any) -> Any:
    """The network with weights that are not the initial ones."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.01 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
    return net


RECONSTRUCTING = {"FFDNetLike": WithLevel()}


def architectures() -> dict[str, Any]:
    small = {"widths": (4, 4), "width": 4, "depth": 3, "blocks": 2, "filters": 2}
    found = {}
    for name, kind in md.nets.NETWORKS.items():
        if name == "VCycle":
            continue
        known = inspect.signature(kind).parameters
        given = {k: v for k, v in small.items() if k in known and not (name == "UNet" and k == "blocks")}
        found[name] = Direct(kind(1, 1, **given), RECONSTRUCTING.get(name, Start()))
    return found


KINDS: dict[str, Any] = {
    **architectures(),
    "batch norm": Direct(md.nets.DnCNN(1, 1, depth=3, width=4, batch_norm=True), Start()),
    "float64": Direct(md.nets.PlainCNN(1, 1, depth=2), Start()).double(),
    "multigrid": MultigridNet(md.nets.VCycle([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], levels=2), 2),
    "plug and play": PlugAndPlay(md.nets.DnCNN(1, 1, depth=3, width=4), 3, penalty=2.0),
    "colour plug and play": PlugAndPlay(md.nets.PlainCNN(3, 3, depth=2), 2),
    "equilibrium": Equilibrium(
        GradientDescent(), [SplinePenaliser(5, shared=True), ModelWeight(shared=True)], steps=30
    ),
    "pyramid": Pyramid(PrimalDual(), [2, 3], [StepSizes()]),
    "primal-dual": Unrolled(
        PrimalDual(acceleration=0.0), 3, [StepSizes(), Extrapolation(shared=True)], title="ten"
    ),
    "refined": Refined(
        WitnessHead(md.nets.UNet(1, 2, widths=(4, 4)), InUnitsOfWeight()), Unrolled(PrimalDual(step_size=0.1), 2)
    ),
    "corrected": Unrolled(PrimalDual(step_size=0.5), 2, [StepSizes(), DualCorrection(4, 2, memory=2)]),
    "learned model": LearnedModel(
        RidgeRegulariser(3, 3, modulus=0.5, steepest=2.0), Unrolled(AcceleratedGradient(), 3)
    ),
    "learned at its minimiser": LearnedModel(
        RidgeRegulariser(3, 3), Minimised(AcceleratedGradient(), tolerance=1e-2, derivative=0.1, steps=50)
    ),
    "preconditioned": PreconditionedSteps(md.nets.UNet(2, 1, widths=(4, 4)), 2),
    "tiled": Tiled(Direct(md.nets.PlainCNN(1, 1, depth=2), Start()), tile=16, overlap=4),
    "image prior": ImagePrior(md.nets.UNet(8, 1, widths=(4, 4)), steps=2),
    "filters": Unrolled(GradientDescent(), 2, [Filters(4, 3, seed=2), RadialPenaliser(5), ModelWeight()]),
    "cycles": Unrolled(FSI(3), 2, [StepSizes(), Extrapolation()]),
    "tensor": Unrolled(FED(3), 2, [DiffusionTensor(5)]),
    "flow": Unrolled(Explicit(), 2, [SplinePenaliser(7, reach=0.3)]),
    "nothing learned": Unrolled(ConjugateGradient(preconditioner=Multigrid(smoothing=1)), 3),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_comes_back_with_its_weights_and_answers(tmp_path: Path, name: str) -> None:
    net = mixed(KINDS[name])
    folder = md.save(net, tmp_path / "stored")
    again = md.load(folder)
    assert repr(again) == repr(net) and type(again) is type(net)
    assert again.state_dict().keys() == net.state_dict().keys()
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in net.state_dict().items())
    assert described(again) == described(net)
    assert check(folder) == 0


def test_everything_storable_is_stored_by_a_test() -> None:
    seen: set[str] = set()

    def collect(part: Any) -> None:
        for value in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            collect(value)
        if isinstance(part, dict) and "kind" in part:
            seen.add(part["kind"])

    for net in KINDS.values():
        collect(described(net))
    networks = {name for name in STORABLE if name in md.nets.NETWORKS or name in md.neural.NEURAL_SOLVERS}
    assert networks <= seen
    assert set(md.neural.FREEDOMS) <= seen


@pytest.mark.parametrize("solver", [*md.solvers.SOLVERS.values(), *md.solvers.SCHEMES.values()], ids=repr)
def test_every_solver_is_described_by_its_numbers(solver: Any) -> None:
    text = json.dumps(described(solver), allow_nan=False)
    assert built(json.loads(text)) == solver


def test_every_exported_solver_can_be_stored() -> None:
    exported = [getattr(md.solvers, name) for name in md.solvers.__all__]
    kinds = {
        k
        for k in exported
        if isinstance(k, type) and issubclass(k, md.solvers.Solver) and not inspect.isabstract(k)
    }
    assert kinds <= set(STORABLE.values())


def test_a_probe_asks_for_the_model_that_was_trained_for(tmp_path: Path) -> None:
    net = Unrolled(PrimalDual(), 2, [StepSizes()])
    net.trained = md.neural.Range(model="huber_rof")
    assert read_config(md.save(net, tmp_path / "net"))["probe"] == "huber_rof"


def test_a_regulariser_is_stored_and_makes_the_same_model(tmp_path: Path) -> None:
    regulariser = mixed(RidgeRegulariser(4, 3, intervals=5, modulus=0.5))
    folder = md.save(regulariser, tmp_path / "ridge")
    data = random_image(1, 1, 8, 8)
    assert torch.equal(load_regulariser(folder)(data, 0.5).energy(data), regulariser(data, 0.5).energy(data))
    with pytest.raises(StoreError, match="load_regulariser makes it again"):
        md.load(folder)
    with pytest.raises(StoreError, match=r"mindl.load makes it again"):
        load_regulariser("unet-rof")


def test_a_folder_of_the_first_format_is_read(tmp_path: Path) -> None:
    """What was stored before solvers could be: names of solver, reading and network side by side."""
    net = mixed(WitnessHead(md.nets.UNet(1, 2, widths=(4, 4)), InUnitsOfWeight(), title="old"))
    folder = md.save(net, tmp_path / "old")
    config = json.loads((folder / "config.json").read_text())
    inside = config.pop("net")
    config |= {"format": 1, "solver": "WitnessHead", "reading": "InUnitsOfWeight", "network": inside["network"]}
    for new in ("probe", "checksum"):
        del config[new]
    from mindl.store.folder import _checksum

    (folder / "config.json").write_text(json.dumps({**config, "checksum": _checksum(config)}))
    again = md.load(folder)
    assert repr(again) == repr(net) and check(folder) == 0


def test_a_run_stores_the_unrolled_solver_that_it_trained(tmp_path: Path) -> None:
    net = Unrolled(PrimalDual(), 3, [StepSizes()])
    settings = md.learning.Training(steps=2, batch=2, crop=12, loss=md.learning.GapLoss())
    md.fit(net, md.learning.Denoising(), md.data.DeadLeaves(2, size=16), settings, folder=tmp_path / "run")
    again = md.load(tmp_path / "run" / "model")
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))
    assert again.trained is not None and again.trained.model == "rof"


def test_a_card_has_the_header_that_hubs_read(tmp_path: Path) -> None:
    folder = md.save(KINDS["cycles"], tmp_path / "net", card="# mine\n")
    header = "---\nlibrary_name: mindl\npipeline_tag: image-to-image\ntags:\n- image-restoration\n- mindl\n---\n"
    assert (folder / "README.md").read_text() == header + "# mine\n"
    assert md.store.folder.read_card(folder) == "# mine\n"
    once = md.save(KINDS["cycles"], tmp_path / "again", card=header + "# mine\n")
    assert (once / "README.md").read_text() == header + "# mine\n"
    assert {p.name for p in folder.iterdir()} == {"model.safetensors", "config.json", "README.md", "probe.npz"}


# Into another architecture


def two() -> tuple[Direct, Direct]:
    narrow = mixed(Direct(md.nets.PlainCNN(1, 1, width=4, depth=3), Start()))
    deeper = Direct(md.nets.PlainCNN(1, 1, width=4, depth=4, seed=5), Start())
    return narrow, deeper


def test_every_missing_and_extra_tensor_is_named(tmp_path: Path) -> None:
    narrow, deeper = two()
    folder = md.save(narrow, tmp_path / "narrow")
    own, stored = set(deeper.state_dict()), set(narrow.state_dict())
    before = {k: v.clone() for k, v in deeper.state_dict().items()}
    with pytest.raises(StoreError, match=r"partial=True\) takes over what fits") as caught:
        transfer(deeper, folder)
    assert all(name in str(caught.value) for name in own ^ stored)
    assert all(torch.equal(v, before[k]) for k, v in deeper.state_dict().items())
    found = transfer(deeper, folder, partial=True)
    assert set(found.missing) == own - stored and set(found.extra) == stored - own
    fits = {n for n in own & stored if narrow.state_dict()[n].shape == before[n].shape}
    assert set(found.taken) == fits and set(found.reshaped) == own & stored - fits
    for name in own:
        wanted = narrow.state_dict()[name] if name in fits else before[name]
        assert torch.equal(deeper.state_dict()[name], wanted)


def test_a_transfer_between_equal_architectures_is_whole() -> None:
    narrow, _ = two()
    other = Direct(md.nets.PlainCNN(1, 1, width=4, depth=3), Start())
    assert transfer(other, narrow).complete
    assert all(torch.equal(a, b) for a, b in zip(other.parameters(), narrow.parameters(), strict=True))


def test_weights_of_something_else_altogether() -> None:
    net = Unrolled(PrimalDual(), 2, [StepSizes()])
    with pytest.raises(StoreError, match="0 tensors taken over"):
        transfer(net, "unet-rof", partial=True)
    with pytest.raises(InputError, match="needs a network"):
        transfer("unet-rof", "unet-rof")


# Side by side


def test_a_copy_is_equal_and_a_moved_weight_is_found(tmp_path: Path) -> None:
    net = two()[0]
    first, second = md.save(net, tmp_path / "a"), md.save(net, tmp_path / "b")
    assert compare(first, second).equal
    name = next(name for name in net.state_dict() if name.endswith("bias"))
    with torch.no_grad():
        net.state_dict()[name][1] += 0.25
    found = compare(first, md.save(net, tmp_path / "c"))
    moved = [n for n, difference in found.tensors.items() if difference.largest > 0]
    assert not found.equal and moved == [name] and not found.settings
    assert found.tensors[name].largest == pytest.approx(0.25, abs=1e-6)
    assert found.answers is not None and found.answers > 0


def test_answers_are_compared_where_architectures_differ(tmp_path: Path) -> None:
    same = [Unrolled(PrimalDual(), steps) for steps in (3, 4)]
    first, second = (md.save(net, tmp_path / str(i)) for i, net in enumerate(same))
    found = compare(first, second)
    assert found.settings == {"net.steps": (3, 4)} and found.asked == "rof"
    photograph = md.images.GaussianNoise(25 / 255)(md.images.grey(md.images.coffee()), seed=0)
    model = md.models.rof(photograph, 0.1)
    apart = same[0](model).image.double() - same[1](model).image.double()
    assert found.answers == pytest.approx(255 * float(apart.square().mean().sqrt()), rel=1e-6)


def test_what_differs_is_printed(tmp_path: Path) -> None:
    narrow, deeper = two()
    first, second = str(md.save(narrow, tmp_path / "a")), str(md.save(deeper, tmp_path / "b"))
    told = CliRunner().invoke(app, ["weights", "compare", first, second])
    assert told.exit_code == 0 and "net.network.depth" in told.output and "grey levels rms" in told.output
    assert "the same settings and weights" in CliRunner().invoke(app, ["weights", "compare", first, first]).output
    answer = CliRunner().invoke(app, ["weights", "compare", first, second, "--json"])
    assert json.loads(answer.output)["settings"]["net.network.depth"] == [3, 4]
    assert CliRunner().invoke(app, ["weights", "compare", first, "unet-rot"]).exit_code != 0
