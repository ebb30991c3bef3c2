"""What one batch tells before a long training: every fault is found, good settings are let through."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import mindl as md
from mindl.core.errors import InputError, TrainingError
from mindl.data import DeadLeaves, Images, Source
from mindl.diagnosis import causes
from mindl.learning import (
    Adam,
    Denoising,
    EnergyLoss,
    GapLoss,
    Inpainting,
    Noise2Noise,
    SupervisedLoss,
    Task,
    Training,
    fit,
    rehearse,
)
from mindl.learning.rehearsal import CHECKS
from mindl.neural import Direct, Filled, InUnitsOfWeight, NeuralSolver, Start, StepSizes, Unrolled, WitnessHead
from mindl.solvers import PrimalDual

LEAVES = DeadLeaves(4, size=24)
SETTINGS = Training(batch=4, crop=16, loss=SupervisedLoss(), optimiser=Adam(rate=5e-3))
Parts = tuple[NeuralSolver, Task, Source, Training]


def plain(inputs: int = 1) -> Direct:
    return Direct(md.nets.UNet(inputs, 1, widths=(4, 6)), Start() if inputs == 1 else Filled())


def changed(**changes: object) -> Training:
    return Training(**{**vars(SETTINGS), **changes})


@pytest.mark.parametrize(
    ("net", "task", "loss"),
    [
        (plain(), Denoising(), SupervisedLoss()),
        (plain(2), Inpainting(known=(0.3, 0.3)), EnergyLoss()),
        (WitnessHead(md.nets.UNet(1, 2, widths=(4, 6)), InUnitsOfWeight()), Denoising(), GapLoss()),
        (Unrolled(PrimalDual(), 4, [StepSizes()]), Denoising(), GapLoss()),
    ],
    ids=["supervised", "inpainting", "gap", "unrolled"],
)
def test_good_settings_are_let_through(net: NeuralSolver, task: Task, loss: md.learning.Loss) -> None:
    """The unrolled solver has so few parameters that it cannot learn a batch by heart; it need not."""
    before = {name: value.clone() for name, value in net.state_dict().items()}
    found = rehearse(net, task, LEAVES, changed(loss=loss))
    assert found.healthy and found.judged == tuple(check.__name__.replace("_", " ") for check in CHECKS), found
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert net.training and all(weight.grad is None for weight in net.parameters())


class Cut(nn.Module):
    """The first layer gets no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return 0.1 * self.second(self.first(x).detach())


class Mixes(nn.Module):
    """Every answer holds the mean over the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) + 0.1 * (x.mean(0, keepdim=True) - x)


class Draws(nn.Module):
    """Dropout that ignores eval()."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(self.layer(x), 0.5, training=True)


class Lies(torch.autograd.Function):
    """A derivative that is five times too large."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x * 0.2

    @staticmethod
    def backward(ctx: object, g: Tensor) -> Tensor:
        return g


class Wrong(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return Lies.apply(self.layer(x))


class Loud(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return 10 * self.layer(x)


class Heavy(nn.Module):
    """A weight so large that no step changes it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.big = nn.Conv2d(1, 1, 3, padding=1), nn.Parameter(torch.tensor(1e12))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) * (self.big * 1e-12)


class Second(Denoising):
    """The second image is the first one."""

    def draw(self, given: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        problem = super().draw(given, generator)
        return problem | {"second": problem["data"]}


class Bytes(Denoising):
    """From 0 to 255."""

    def draw(self, given: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        return super().draw({"clean": 255 * given["clean"]}, generator)


def body(module: nn.Module) -> Parts:
    return Direct(module, Start()), Denoising(), LEAVES, SETTINGS


FAULTS: list[tuple[str, Callable[[], Parts], str]] = [
    ("unmoved weights", lambda: body(Cut()), causes.CUT_OFF),
    ("unmoved weights", lambda: body(Heavy()), causes.NOT_OPTIMISED),
    ("images mixed", lambda: body(Mixes()), causes.STATISTICS),
    ("not repeatable", lambda: body(Draws()), causes.DROPOUT),
    ("wrong derivative", lambda: body(Wrong()), causes.CUT_OFF),
    ("begins far off", lambda: body(Loud()), causes.INITIAL),
    ("target is given", lambda: (plain(), Second(), LEAVES, changed(loss=Noise2Noise())), causes.TARGET_IS_INPUT),
    (
        "wrong range",
        lambda: (plain(), Bytes(), LEAVES, SETTINGS),
        causes.RANGE,
    ),
    (
        "does not learn one batch",
        lambda: (plain(), Denoising(), LEAVES, changed(optimiser=Adam(rate=1e-9))),
        causes.RATE_HIGH,
    ),
]


@pytest.mark.parametrize(("symptom", "parts", "cause"), FAULTS, ids=[name for name, _, _ in FAULTS])
def test_faults_are_found(symptom: str, parts: Callable[[], Parts], cause: str) -> None:
    found = rehearse(*parts())
    named = {each.name: each for each in found.symptoms}
    assert symptom in named, found
    assert named[symptom].causes[0].name == cause


def test_a_loss_that_is_no_number() -> None:
    net = plain()
    with torch.no_grad():
        next(iter(net.parameters())).fill_(float("nan"))
    assert rehearse(net, Denoising(), LEAVES, SETTINGS).symptoms[0].name == "loss is no number"


@pytest.mark.parametrize("loss", [EnergyLoss(), SupervisedLoss()])
def test_an_unrolled_solver_that_starts_on_its_bounds_is_let_through(loss: md.learning.Loss) -> None:
    net = Unrolled(PrimalDual(), 5, [StepSizes()])
    found = rehearse(net, Denoising(), LEAVES, changed(loss=loss, optimiser=Adam(rate=0.02)))
    assert found.healthy, found


def test_a_network_that_has_learned_already_is_let_through() -> None:
    """It need not get better by 2 % on one batch, being better than a linear filter."""
    net = plain()
    fit(net, Denoising(), LEAVES, changed(steps=60))
    early = md.learning.EarlyStop()
    found = rehearse(net, Denoising(), LEAVES, changed(optimiser=Adam(rate=1e-7), early_stop=early))
    assert found.healthy, found


def test_what_cannot_be_copied_is_said_and_flat_images_have_an_adjoint() -> None:
    net = plain()
    net.kept = 2 * next(iter(net.parameters()))  # a result, as old ways to normalise weights keep one
    with pytest.raises(InputError, match="cannot be copied"):
        rehearse(net, Denoising(), LEAVES, SETTINGS)
    flat = Images(torch.full((2, 1, 16, 16), 0.5))
    found = rehearse(plain(2), Inpainting(known=(0.3, 0.3)), flat, changed(loss=EnergyLoss()))
    assert "no adjoint" not in [symptom.name for symptom in found.symptoms]


def test_an_adjoint_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    right = md.calculus.Gradient.adjoint
    monkeypatch.setattr(md.calculus.Gradient, "adjoint", lambda self, field: 1.01 * right(self, field))
    found = {each.name: each for each in rehearse(plain(), Denoising(), LEAVES, SETTINGS).symptoms}
    assert found["no adjoint"].causes[0].name == causes.ADJOINT


def test_what_is_behind_a_linear_filter_is_a_hint() -> None:
    found = rehearse(plain(), Denoising(), LEAVES, changed(optimiser=Adam(rate=3e-4)))
    assert found.healthy and "behind a linear filter" in [hint.name for hint in found.hints]


def test_hints_do_not_stop_a_training() -> None:
    same = Images(torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(1)).expand(4, -1, -1, -1))
    found = rehearse(plain(2), Inpainting(known=(0.9, 0.9)), same, changed(loss=EnergyLoss()))
    assert "mostly known" in [hint.name for hint in found.hints]


def test_fit_begins_only_what_is_healthy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net, task, images, training = body(Cut())
    with pytest.raises(TrainingError, match=r"nothing was begun(.|\n)*unmoved weights(.|\n)*first.weight"):
        fit(net, task, images, training, folder=tmp_path / "run", check=True)
    assert not (tmp_path / "run").exists()
    good = changed(steps=2)
    run = fit(plain(), task, images, good, folder=tmp_path / "run", check=True)
    assert run.finished
    with monkeypatch.context() as patch:
        patch.setattr(
            sys.modules["mindl.learning.fit"], "rehearse", None
        )  # what is gone on with is not checked again
        again = fit(plain(), task, images, good, folder=tmp_path / "run", resume=True, check=True)
    assert again.finished
    with pytest.raises(InputError, match=r"rehearse\(net\)"):
        rehearse("net", task, images, good)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"rehearse\(training\)"):
        rehearse(plain(), task, images, "good")  # type: ignore[arg-type]
