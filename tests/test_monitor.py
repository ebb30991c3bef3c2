"""What is written down of a run beside its loss: each number against one that is computed otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from conftest import random_image
from torch import Tensor, nn

import mindl as md
from mindl.core.errors import InputError
from mindl.data import DeadLeaves, Images
from mindl.images import read
from mindl.learning import (
    SGD,
    Adam,
    Constant,
    Denoising,
    EnergyLoss,
    GapLoss,
    Inpainting,
    Monitor,
    SupervisedLoss,
    Training,
    Validation,
    fit,
)
from mindl.learning.answers import compared
from mindl.learning.learner import Learner
from mindl.learning.monitor import described, joined
from mindl.models import Candidate
from mindl.nets.units import Units
from mindl.neural import (
    Direct,
    Extrapolation,
    Filled,
    InUnitsOfWeight,
    Start,
    StepSizes,
    Unrolled,
    WitnessHead,
    profile,
)
from mindl.solvers import GradientDescent, PrimalDual

LEAVES = DeadLeaves(4, size=24)


class Scale(nn.Module):
    """u = u_0 + theta x: a squared loss is a parabola in theta."""

    def __init__(self) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(0.3))

    def forward(self, image: Tensor) -> Tensor:
        return self.theta * image


def looks(net: nn.Module, **changes: object) -> list[dict[str, object]]:
    settings = {"steps": 3, "batch": 4, "crop": 16, "loss": SupervisedLoss(), "schedule": Constant(), "clip": None}
    run = fit(net, Denoising(), LEAVES, Training(**{**settings, **changes}), monitor=Monitor(every=1))
    return [row["look"] for row in run.record]


@pytest.mark.parametrize("share", [0.01, 0.5, 1.0, 1.5])
def test_alpha_is_where_a_step_lands_on_the_parabola(share: float) -> None:
    """With rate = share of the step to the bottom, alpha is share - 1: -1 nowhere, 0 the bottom, 0.5 beyond."""
    steep = looks(Direct(Scale(), Start()), optimiser=SGD(rate=1e-6, momentum=0))[0]
    gradient, update = (steep["blocks"]["network"][name] for name in ("gradient", "update"))
    assert update == pytest.approx(1e-6 * gradient / 0.3, rel=2e-3)
    # The curvature of the first batch, from the loss itself at three places.
    net = Direct(Scale(), Start())
    training = Training(steps=1, batch=4, crop=16, loss=SupervisedLoss())
    problems = (
        md.learning.Stream(LEAVES, Denoising(), batch=4, crop=16, crops_per_image=16, seed=0).batch(0).problems
    )
    losses = Learner(net, training).losses(0, Denoising())
    values = []
    for theta in (-1.0, 0.0, 1.0):
        net.network.theta.data.fill_(theta)
        values.append(float(losses(net, problems).detach().double().mean()))
    curvature = values[0] - 2 * values[1] + values[2]
    look = looks(Direct(Scale(), Start()), optimiser=SGD(rate=share / curvature, momentum=0))[0]
    assert look["alpha"] == pytest.approx(share - 1, abs=2e-3)


def test_gradients_of_blocks_are_those_before_clipping() -> None:
    whole = fit(small(), Denoising(), LEAVES, settings(clip=None), monitor=Monitor(every=1)).record
    clipped = fit(small(), Denoising(), LEAVES, settings(clip=1e-3), monitor=Monitor(every=1)).record
    blocks = [record[0]["look"]["blocks"] for record in (whole, clipped)]
    norm = sum(block["gradient"] ** 2 for block in blocks[0].values()) ** 0.5
    assert norm == pytest.approx(whole[0]["gradient"], rel=1e-3)
    for name, block in blocks[0].items():
        assert blocks[1][name]["gradient"] == pytest.approx(block["gradient"], rel=1e-2, abs=1e-6), name
    assert whole[0]["worst"] >= whole[0]["loss"]


def test_the_gradient_that_is_used_is_that_of_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(look["fresh"] == 0 for look in looks(small()))
    assert all(look["fresh"] < 1e-5 for look in looks(small(batch_norm=True), clip=1e-3))
    slow = settings(optimiser=Adam(rate=1e-9), clip=None)
    norms = [row["gradient"] for row in fit(small(), Denoising(), LEAVES, slow).record]
    monkeypatch.setattr(torch.optim.AdamW, "zero_grad", lambda self, set_to_none=True: None)
    kept = [look["fresh"] for look in looks(small(), optimiser=Adam(rate=1e-9))]
    assert kept[0] == 0 and kept[1] == pytest.approx(norms[0] / norms[1], rel=1e-3), "the one before is added"
    assert kept[2] > kept[1], "and so on"


def test_the_signal_is_large_for_equal_images_and_small_for_noise() -> None:
    class Same(Denoising):
        def draw(self, given: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
            return super().draw(
                {"clean": torch.linspace(0, 1, 256).view(1, 16, 16)}, torch.Generator().manual_seed(1)
            )

    alike = fit(small(), Same(), LEAVES, settings(), monitor=Monitor(every=1)).record
    assert alike[0]["look"]["signal"] is None or alike[0]["look"]["signal"] > 1e6
    assert alike[0]["look"]["batch"]["distinct"] == 0.25
    apart = fit(small(), Denoising(noise=(0.5, 0.5)), LEAVES, settings(steps=30), monitor=Monitor(every=1)).record
    assert apart[-1]["look"]["signal"] < 100 and apart[0]["look"]["batch"]["distinct"] == 1


def test_the_signal_is_that_of_the_halves_by_hand() -> None:
    """The mean gradient is estimated by <a, b> of the halves' gradients, its variance by |a - b|^2 / 4."""
    net = Direct(Scale(), Start())
    look = fit(net, Denoising(), LEAVES, settings(steps=1, clip=None), monitor=Monitor(every=1)).record[0]["look"]
    training = settings(steps=1, clip=None)
    problems = training.stream(LEAVES, Denoising()).batch(0).problems
    losses, slopes = Learner(Direct(Scale(), Start()), training).losses(0, Denoising()), []
    for half in (slice(0, 2), slice(2, 4)):
        fresh = Direct(Scale(), Start())
        losses(fresh, {name: value[half] for name, value in problems.items()}).mean().backward()
        slopes.append(float(fresh.network.theta.grad))
    a, b = slopes
    assert look["signal"] == pytest.approx(a * b / (0.25 * (a - b) ** 2), rel=1e-2)


def test_answers_beside_their_targets() -> None:
    t, first = random_image(2, 1, 9, 7, dtype=torch.float64), torch.zeros(2, 1, 9, 7, dtype=torch.float64)
    found = compared(t.roll(1, 0) + 10 / 255, first, t)
    assert found["other"] == pytest.approx(1) and abs(found["likeness"]) < 0.5
    assert found["shift"] == pytest.approx(10) and found["contrast"] == pytest.approx(1)
    assert compared(3 * t - 1.05, first, t)["outside"] == pytest.approx(
        float(((3 * t - 1.05 < -0.1) | (3 * t - 1.05 > 1.1)).double().mean())
    )
    assert compared(-t, first, t)["along"] == -1 and compared(t / 2, first, t)["sharpness"] == 0.25


def small(*, batch_norm: bool = False) -> Direct:
    body = md.nets.DnCNN(1, 1, width=4, depth=3, batch_norm=batch_norm, residual=False)
    return Direct(body, Start())


def settings(**changes: object) -> Training:
    usual = {"steps": 3, "batch": 4, "crop": 16, "loss": SupervisedLoss(), "check_every": 2}
    return Training(**{**usual, **changes})


@pytest.mark.parametrize("kind", ["batch norm", "dropout", "unrolled"])
def test_a_run_that_is_looked_at_has_the_bits_of_one_that_is_not(kind: str) -> None:
    nets = []
    for monitor in (None, Monitor(every=1)):
        net: md.neural.NeuralSolver = small(batch_norm=kind == "batch norm")
        loss = SupervisedLoss()
        if kind == "dropout":
            net.network.layers.insert(1, nn.Dropout2d(0.5))
        if kind == "unrolled":
            net, loss = Unrolled(PrimalDual(), 3, [StepSizes()]), GapLoss()
        validation = Validation(Denoising(), DeadLeaves(2, size=16, seed=9), count=2, crop=16)
        run = fit(net, Denoising(), LEAVES, settings(steps=5, loss=loss), validation=validation, monitor=monitor)
        assert ("look" in run.record[0]) == (monitor is not None)
        nets.append((net, [row["loss"] for row in run.record], run.record[-1]["excess"]))
    assert nets[0][1:] == nets[1][1:]
    for name, value in nets[0][0].state_dict().items():
        assert torch.equal(value, nets[1][0].state_dict()[name]), name


def test_batch_normalisation_has_another_loss_in_use_and_others_are_not_asked() -> None:
    mode = looks(small(batch_norm=True))[0]["mode"]
    assert mode["use"] != mode["training"]
    assert "mode" not in looks(small())[0]


def test_dead_and_saturated_units_wherever_they_are_computed() -> None:
    class Odd(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            x = nn.functional.relu(torch.cat([x, -x - 10], 1))
            return torch.tanh(1000 * (x - 0.25)) + torch.sigmoid(x)

    with torch.no_grad(), Units() as units:
        Odd()(torch.tensor([0.0, 0.5, 1.0, 0.75]).reshape(2, 1, 1, 2).repeat(1, 1, 4, 4))
    assert [(each.name, each.dead) for each in units.found] == [("1 relu", 0.5), ("2 tanh", 0), ("3 sigmoid", 0)]
    assert [each.saturated for each in units.found] == [0, 1, 0]
    net = md.nets.ResNet(1, 1, width=4, blocks=1)
    with torch.no_grad(), Units() as units:
        net(random_image(2, 1, 8, 8))
    assert units.found and all(each.dead < 1 for each in units.found)


def test_the_profile_is_what_the_solver_does() -> None:
    model = md.models.rof(random_image(1, 1, 9, 12), 0.1)
    found = profile(Unrolled(PrimalDual(), 4, [StepSizes()]), model)
    first = float(model.energy(model.start()))
    before = model.start()
    for k in range(4):
        after = md.minimise(model, PrimalDual(), stop=md.Stop(1e-6, steps=k + 1)).image
        assert found.energy[k] == pytest.approx(float(model.energy(after)) / first, rel=1e-5)
        assert found.change[k] == pytest.approx(255 * float((after - before).square().mean().sqrt()), rel=1e-3)
        before = after
    smooth = md.models.whittaker_tikhonov(random_image(1, 1, 9, 12), 1.0)
    lipschitz = smooth.view(md.models.SmoothEnergy).lipschitz
    for share in (0.5, 1.5):
        rate = GradientDescent(step_size=1e-3)
        net = Unrolled(rate, 2, [StepSizes(bounded=False)])
        with torch.no_grad():
            for values in net.parameters():
                values.fill_(float(torch.log(torch.as_tensor(share * 2 / lipschitz / 1e-3))))
        assert profile(net, smooth).share["step_size"] == pytest.approx([share, share], rel=1e-4)


def test_gradients_of_each_step_are_told_apart() -> None:
    net = Unrolled(PrimalDual(), 5, [StepSizes()])
    run = fit(net, Denoising(), LEAVES, settings(loss=GapLoss(), clip=None), monitor=Monitor(every=1))
    look = run.record[0]["look"]
    shared = Unrolled(PrimalDual(), 5, [StepSizes(shared=True)])
    both = Unrolled(PrimalDual(), 5, [StepSizes(shared=True), Extrapolation()])
    for other, told in ((shared, False), (both, True)):
        run_of_other = fit(other, Denoising(), LEAVES, settings(loss=GapLoss()), monitor=Monitor(every=1))
        assert ("by_step" in run_of_other.record[0]["look"]) == told
    assert len(look["by_step"]) == 5
    assert sum(g * g for g in look["by_step"]) ** 0.5 == pytest.approx(run.record[0]["gradient"], rel=1e-3)


@pytest.mark.parametrize("loss", [EnergyLoss(), GapLoss()])
def test_terms_add_up_to_the_loss(loss: object) -> None:
    model = md.models.rof(random_image(2, 1, 12, 12), 0.1)
    net = WitnessHead(md.nets.UNet(1, 2, widths=(4, 4)), InUnitsOfWeight())
    candidate = net(model)
    candidate = Candidate(candidate.image.detach(), candidate.dual.detach())
    assert sum(loss.terms(model, candidate).values()) == pytest.approx(
        float(loss(model, candidate).mean()), rel=1e-6
    )
    assert EnergyLoss().terms(Plain(), candidate) == {}


class Plain(md.Energy):
    def start(self) -> Tensor:
        return torch.zeros(1, 1, 2, 2)

    def energy(self, u: Tensor) -> Tensor:
        return u.square().sum((1, 2, 3))


def test_examinations_tell_spreads_and_pictures_are_kept(tmp_path: Path) -> None:
    validation = Validation(Denoising(), DeadLeaves(2, size=24, seed=9), count=2, crop=24)
    task, folder = Denoising(), tmp_path / "run"
    run = fit(small(), task, LEAVES, settings(steps=4), validation=validation, folder=folder)
    row = run.record[-1]
    unseen = row["unseen"]
    assert unseen["excess"][-1] == pytest.approx(row["worst_excess"], rel=1e-3) and len(unseen["excess"]) == 5
    start = md.images.psnr(validation.model.start(), validation.problems["clean"]).mean()
    assert unseen["psnr_of_start"] == pytest.approx(float(start), abs=0.01)
    assert sum(unseen["errors"]) == 2 * 24 * 24 and 0 < unseen["ssim"] < 1
    # loss: |u - c|^2 / |f - c|^2 in the mean; moved: the root of |u - f|^2 / |c - f|^2 over all.
    with torch.no_grad():
        image = run.net(validation.model).image
    clean, data = validation.problems["clean"], validation.problems["data"]
    squares = (image - clean).square().sum((1, 2, 3)) / (data - clean).square().sum((1, 2, 3))
    assert unseen["loss"] == pytest.approx(float(squares.mean()), rel=1e-3)
    moved = ((image - data).square().sum() / (clean - data).square().sum()).sqrt()
    assert unseen["clean"]["moved"] == pytest.approx(float(moved), rel=1e-3)
    assert unseen["loss_seen"] > 0 and unseen["batch"]["told"] == pytest.approx(25, rel=1e-3)
    names = {path.stem for path in (folder / "images").glob("*.png")}
    assert names == {f"{i}-{name}" for i in (1, 2) for name in ("data", "clean", "solution", "first", "last")}
    assert (read(folder / "images/2-clean.png") - clean[1:]).abs().max() <= 0.5 / 255 + 1e-6
    assert (read(folder / "images/1-last.png") - image[:1].clamp(0, 1)).abs().max() <= 0.5 / 255 + 1e-6
    assert (read(folder / "images/1-first.png") - image[:1].clamp(0, 1)).abs().max() > 0.5 / 255
    kept = json.loads((folder / "record.jsonl").read_text().splitlines()[-1])
    assert kept["unseen"] == unseen


def test_without_a_monitor_the_record_is_as_short_as_it_was() -> None:
    validation = Validation(Inpainting(), DeadLeaves(1, size=16, seed=9), count=1, crop=16)
    net = Direct(md.nets.PlainCNN(2, 1, width=2, depth=2), Filled())
    run = fit(net, Inpainting(), LEAVES, settings(loss=EnergyLoss()), validation=validation, monitor=None)
    assert run.record[-1].keys() == {
        *("step", "loss", "worst", "gradient", "rate", "epoch", "waited", "seconds"),
        *("excess", "worst_excess", "psnr", "psnr_of_minimiser", "rms"),
    }


def test_the_data_in_numbers() -> None:
    data = torch.tensor([[[[0.0, 0.5], [1.0, 9.0]]]]).repeat(1, 1, 8, 8)
    mask = torch.tensor([[[[True, True], [True, False]]]]).repeat(1, 1, 8, 8)
    found = described({"data": data, "mask": mask})
    assert "known" not in described({"data": data[..., :8], "mask": mask[..., :8]}), "too small to tell"
    assert described({"data": data, "mask": torch.zeros_like(mask)}) == {}
    assert found["mean"] == 0.5 and found["most"] == 1.0 and found["known"] == 0.75
    noisy = 0.5 + 0.1 * torch.randn(4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    assert described({"data": noisy})["noise"] == pytest.approx(25.5, rel=0.05)


def test_a_task_of_ones_own_may_call_its_data_otherwise(tmp_path: Path) -> None:
    class Own(Denoising):
        def draw(self, given: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
            problem = super().draw(given, generator)
            return {"seen": problem["data"], "weight": problem["weight"]}

        def model(self, problems: dict[str, Tensor]) -> md.Energy:
            return md.models.rof(problems["seen"], problems["weight"])

    validation = Validation(Own(), DeadLeaves(1, size=16, seed=9), count=1, crop=16)
    change = {"loss": EnergyLoss(), "steps": 2}
    run = fit(small(), Own(), LEAVES, settings(**change), validation=validation, folder=tmp_path / "run")
    assert run.record[0]["look"]["batch"] == {} and (tmp_path / "run/images/1-last.png").exists()
    assert md.diagnose(run).missing["repeated data"] == "needs 'look.batch.distinct' in the record"


def test_blocks_of_deep_networks_are_joined() -> None:
    names = [f"body.{i}.{j}.weight" for i in range(10) for j in range(5)]
    assert (
        len(set(joined(names))) == 10 and len(set(joined(names, 60))) == 50 and set(joined(names, 9)) == {"body"}
    )


@pytest.mark.parametrize("every", [0, -1, 1.5, "often"])
def test_a_monitor_that_makes_no_sense(every: object) -> None:
    with pytest.raises(InputError, match=r"Monitor\(every\)"):
        Monitor(every=every)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"fit\(monitor\) must be a Monitor"):
        fit(small(), Denoising(), LEAVES, settings(), monitor=every)  # type: ignore[arg-type]


def test_an_image_of_nothing_is_looked_at_too() -> None:
    """A constant image with a loss of 0 everywhere: no signal, no direction, no error."""
    run = fit(
        Unrolled(PrimalDual(), 2, [StepSizes()]),
        Denoising(),
        Images(torch.zeros(2, 1, 16, 16)),
        settings(loss=GapLoss(), optimiser=Adam(rate=1e-9)),
        monitor=Monitor(every=1),
    )
    assert json.dumps(run.record[0]["look"]["alpha"]) is not None
