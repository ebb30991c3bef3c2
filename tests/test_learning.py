"""Training: batches, the loop, what is left on disk, and what happens when something breaks."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from conftest import random_image
from torch import nn

import mindl as md
from mindl.core.errors import InputError, MindlWarning, OutputError, StoreError, TrainingError
from mindl.core.randomness import generator_for
from mindl.data import DeadLeaves, Images, Photographs, Together
from mindl.learning import (
    Adam,
    Cosine,
    Denoising,
    EnergyLoss,
    GapLoss,
    Inpainting,
    Stream,
    Training,
    Validation,
    fit,
)
from mindl.learning.average import Average
from mindl.learning.run_folder import read_checkpoint
from mindl.models import Candidate
from mindl.neural import Direct, InUnitsOfWeight, Start, WitnessHead


def small(seed: int = 0) -> WitnessHead:
    return WitnessHead(md.nets.UNet(1, 2, widths=(4, 6), seed=seed), InUnitsOfWeight())


def stream(source: object, batch: int = 4, crop: int = 8, visits: int = 3, seed: int = 7) -> Stream:
    return Stream(source, Denoising(), batch=batch, crop=crop, crops_per_image=visits, seed=seed)


def tensors(net: nn.Module) -> list[torch.Tensor]:
    return [p.detach().clone() for p in net.parameters()]


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


# Batches

LEAVES = DeadLeaves(3, size=24)
SETTINGS = Training(steps=9, batch=4, crop=16, crops_per_image=3, check_every=4)


def test_batches_are_the_same_for_any_number_of_workers_and_any_beginning() -> None:
    whole = [b.problems for b in stream(LEAVES).batches(0, 5, workers=0)]
    two = [b.problems for b in stream(LEAVES).batches(0, 5, workers=2)]
    late = [b.problems for b in stream(LEAVES).batches(3, 5, workers=1)]
    for one, other in zip(whole + whole[3:], two + late, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_an_epoch_visits_every_image_equally_often_in_an_order_of_its_own() -> None:
    flat = Images([torch.full((1, 1, 8, 8), i / 8) for i in range(5)])
    batches = stream(flat, batch=3, visits=3)
    seen = torch.cat([batches.batch(k).problems["clean"][:, 0, 0, 0] for k in range(10)])
    first, second = (seen[:15] * 8).int().tolist(), (seen[15:] * 8).int().tolist()
    assert sorted(first) == sorted(second) == sorted(list(range(5)) * 3)
    assert first != second
    assert batches.place(5) == (1, 0)


def test_every_epoch_draws_anew() -> None:
    """One image, one place: another noise and another level in each epoch."""
    task = Denoising(noise=(0.01, 0.2))
    once = Stream(Images(random_image(1, 1, 8, 8)), task, batch=1, crop=8, crops_per_image=1, seed=0)
    noises = [once.batch(epoch).problems["data"].double().std() for epoch in range(4)]
    assert len({float(value) for value in noises}) == 4


def test_crops_are_windows_of_the_image_in_eight_orientations() -> None:
    image = random_image(1, 1, 9, 9)
    windows = {}
    for top in range(5):
        for left in range(5):
            part = image[0, :, top : top + 5, left : left + 5]
            for turns in range(4):
                for mirrored in (False, True):
                    turned = torch.rot90(part, turns, (1, 2))
                    turned = turned.flip(2) if mirrored else turned
                    windows[tuple(turned.flatten().tolist())] = (top, left, turns, mirrored)
    batches = stream(Images(image), batch=64, crop=5, visits=64)
    found = [windows[tuple(c.flatten().tolist())] for c in batches.batch(0).problems["clean"]]
    assert {(turns, mirrored) for *_, turns, mirrored in found} == {
        (t, m) for t in range(4) for m in (False, True)
    }
    assert len({(top, left) for top, left, *_ in found}) > 15


def test_noise_comes_after_geometry_and_has_the_drawn_level() -> None:
    task = Denoising(noise=(0.01, 0.2), weight_per_noise=(0.5, 1.0))
    problems = [task.draw({"clean": torch.zeros(1, 64, 64)}, generator_for(i)) for i in range(200)]
    for problem in problems:
        assert float(problem["data"].std()) == pytest.approx(float(problem["noise"]), rel=0.05)
        assert 0.5 <= float(problem["weight"]) / float(problem["noise"]) <= 1.0
    levels = torch.stack([p["noise"] for p in problems])
    assert 0.01 <= float(levels.min()) < 0.013 and 0.15 < float(levels.max()) <= 0.2
    middle = float((levels < (0.01 * 0.2) ** 0.5).float().mean())  # even in the logarithm
    assert 0.4 < middle < 0.6


def test_inpainting_hides_what_is_unknown() -> None:
    problem = Inpainting(known=(0.1, 0.3)).draw({"clean": torch.ones(1, 20, 20)}, generator_for(3))
    assert 40 <= int(problem["mask"].sum()) <= 120
    assert torch.equal(problem["data"] == 1, problem["mask"])


def test_generators_are_independent_of_order_and_global_state() -> None:
    torch.manual_seed(0)
    one = torch.rand(3, generator=generator_for(1, 2))
    torch.manual_seed(1)
    assert torch.equal(one, torch.rand(3, generator=generator_for(1, 2)))
    assert not torch.equal(one, torch.rand(3, generator=generator_for(12)))


@pytest.mark.parametrize("bounds", [(0.0, 0.1), (0.2, 0.1), (0.1, float("inf"))])
def test_tasks_refuse_bounds_out_of_order(bounds: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="must be two numbers in order"):
        Denoising(noise=bounds)
    with pytest.raises(InputError, match="must be two numbers in order"):
        Inpainting(known=bounds)
    with pytest.raises(InputError, match="must be two numbers, the smallest and the largest"):
        Denoising(noise=0.1)


def test_a_task_that_cannot_travel_needs_no_workers() -> None:
    task = Denoising(model_of=lambda f, w: md.models.rof(f, w))
    local = Stream(LEAVES, task, batch=2, crop=8, crops_per_image=1, seed=0)
    assert len(list(local.batches(0, 2, workers=0))) == 2
    with pytest.raises(InputError, match="workers=2 needs a task and images that can be sent"):
        list(local.batches(0, 2, workers=2))


# Sources


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve photographs, two of them in grey, one too small, one that is no image, and a text file."""
    place = tmp_path / "photos"
    place.mkdir()
    for i in range(10):
        md.images.write(place / f"{i}.png", random_image(1, 3 if i % 5 else 1, 20, 18, seed=i))
    md.images.write(place / "small.png", random_image(1, 3, 6, 30))
    (place / "torn.png").write_bytes((place / "3.png").read_bytes()[:200])
    (place / "notes.txt").write_text("no image")
    return place


def test_photographs_of_any_kind_become_one_kind(folder: Path) -> None:
    grey, colour = Photographs(folder), Photographs(folder, channels=3)
    assert len(grey) == 12
    assert grey.image(0).shape == (1, 20, 18) and colour.image(0).shape == (3, 20, 18)
    read = md.images.read(folder / "1.png")
    expected = 0.299 * read[:, 0] + 0.587 * read[:, 1] + 0.114 * read[:, 2]
    assert torch.allclose(grey.image(1), expected, atol=1e-6)
    assert grey.image(1) is grey.image(1)  # decoded once


def test_unusable_images_are_left_out_named_and_counted(folder: Path) -> None:
    told: list[str] = []

    class Listens:
        def stepped(self, row: object, steps: int) -> None: ...

        def skipped(self, name: str, why: str) -> None:
            told.append(why)

    (folder / "small.png").unlink()
    run = fit(small(), Denoising(), Photographs(folder), SETTINGS, watch=Listens())
    assert [Path(name).name for name in run.skipped] == ["torn.png"]
    assert len(told) == 1 and "torn.png" in told[0]
    assert run.finished


def test_too_many_unusable_images_stop_the_run_with_the_list(folder: Path) -> None:
    with pytest.raises(TrainingError, match="2 of 12 images cannot be used so far") as caught:
        fit(small(), Denoising(), Photographs(folder), SETTINGS)
    text = str(caught.value)
    assert "torn.png" in text and "small.png: 30 x 6 pixels are less than the crop of 16" in text


def test_no_usable_image_at_all(folder: Path) -> None:
    with pytest.raises(TrainingError, match="No image can be used"):
        fit(small(), Denoising(), Photographs([folder / "torn.png", folder / "small.png"]), SETTINGS)


def test_folders_without_images(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no image"):
        Photographs(tmp_path)
    with pytest.raises(InputError, match="There is no folder"):
        Photographs(tmp_path / "nowhere")
    with pytest.raises(InputError, match="empty"):
        Photographs([])


def test_sources_of_other_channels_are_refused() -> None:
    with pytest.raises(InputError, match="one number of channels"):
        Together(DeadLeaves(1, size=8), DeadLeaves(1, size=8, channels=3))
    with pytest.raises(InputError, match="one number of channels"):
        Images([torch.zeros(1, 1, 8, 8), torch.zeros(1, 3, 8, 8)])
    with pytest.raises(
        InputError, match=r"is for images of 1 channel\(s\), and these have 3: make the images with channels=1"
    ):
        fit(small(), Denoising(), DeadLeaves(1, size=16, channels=3), SETTINGS)


def test_fingerprints_tell_images_apart(folder: Path) -> None:
    before = Photographs(folder).fingerprint()
    assert Photographs(folder).fingerprint() == before
    md.images.write(folder / "0.png", random_image(1, 1, 20, 18, seed=99))
    assert Photographs(folder).fingerprint() != before
    assert DeadLeaves(2, size=8).fingerprint() != DeadLeaves(2, size=8, seed=1).fingerprint()


# Losses and what moves the weights


def test_the_losses_are_the_energy_and_the_certificate() -> None:
    model = md.models.rof(random_image(2, 1, 9, 7), torch.tensor([0.1, 0.3]).reshape(2, 1, 1, 1))
    image, dual = random_image(2, 1, 9, 7, seed=1), random_image(2, 1, 2, 9, 7, seed=2) * 0.05
    first = model.energy(model.start())
    assert torch.allclose(EnergyLoss()(model, Candidate(image)), model.energy(image) / first)
    certificate = md.certify(model, image, dual=dual, effort=0)
    assert torch.allclose(GapLoss()(model, Candidate(image, dual)) * first, certificate.bound, rtol=1e-5)
    with pytest.raises(InputError, match="needs a network that gives a dual field"):
        GapLoss()(model, Candidate(image))


def test_a_constant_image_does_not_outweigh_the_others() -> None:
    data = random_image(4, 1, 8, 8)
    data[0] = 0.5
    model = md.models.rof(data, 0.1)
    off = Candidate(data + 0.01 * random_image(4, 1, 8, 8, seed=1))
    losses = EnergyLoss()(model, off)
    assert bool(torch.isfinite(losses).all()) and float(losses[0]) < 10
    assert EnergyLoss()(
        md.models.rof(torch.zeros(1, 1, 4, 4), 0.1), Candidate(torch.zeros(1, 1, 4, 4))
    ).tolist() == [0]


def test_the_running_average_is_the_formula() -> None:
    line = nn.Linear(1, 1, bias=False)
    average = Average(line, 0.5)
    expected = float(line.weight.detach())
    for step, value in enumerate([1.0, -2.0, 5.0, 3.0, 8.0, 1.0, 4.0, 9.0, 7.0]):
        with torch.no_grad():
            line.weight.fill_(value)
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    assert float(average.net.weight) == pytest.approx(expected, rel=1e-6)


def test_the_schedule_rises_and_falls() -> None:
    factors = [Cosine(warmup=10, floor=0.01).factor(k, 100) for k in range(101)]
    assert factors[:10] == pytest.approx([(k + 1) / 10 for k in range(10)])
    assert all(a >= b for a, b in pairwise(factors[10:]))
    assert factors[100] == pytest.approx(0.01) and factors[55] == pytest.approx(0.505)


def test_the_rate_of_the_record_is_that_of_the_schedule() -> None:
    settings = Training(steps=4, batch=2, crop=8, optimiser=Adam(rate=0.01), schedule=Cosine(warmup=2))
    record = fit(small(), Denoising(), LEAVES, settings).record
    assert [row["rate"] for row in record] == [0.01 * Cosine(warmup=2).factor(k, 4) for k in range(4)]


@pytest.mark.parametrize(
    "wrong", [{"steps": -1}, {"batch": 0}, {"crop": 1.5}, {"clip": 0.0}, {"average": 1.0}, {"workers": -1}]
)
def test_settings_out_of_range(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=f"Training\\({next(iter(wrong))}\\)"):
        Training(**wrong)
    with pytest.raises(InputError, match=r"Adam\(rate\) must be a number, above 0; got -1"):
        Adam(rate=-1)


# Learning


class Charbonnier(md.Energy):
    """An energy of one's own, with a free form of the data term's name."""

    def __init__(self, data: torch.Tensor, weight: torch.Tensor) -> None:
        self.data, self.weight = data, weight

    def start(self) -> torch.Tensor:
        return self.data

    def energy(self, u: torch.Tensor) -> torch.Tensor:
        dx, dy = u[..., :-1, 1:] - u[..., :-1, :-1], u[..., 1:, :-1] - u[..., :-1, :-1]
        edges = ((dx.square() + dy.square() + 1e-4).sqrt() - 1e-2).sum((1, 2, 3))
        return 0.5 * (u - self.data).square().sum((1, 2, 3)) + self.weight.flatten() * edges


@pytest.mark.parametrize(
    ("net", "model_of", "loss"),
    [
        (WitnessHead(md.nets.UNet(1, 2, widths=(8, 12)), InUnitsOfWeight()), md.models.rof, EnergyLoss()),
        (WitnessHead(md.nets.UNet(1, 2, widths=(8, 12)), InUnitsOfWeight()), md.models.rof, GapLoss()),
        (Direct(md.nets.UNet(1, 1, widths=(8, 12)), Start()), Charbonnier, EnergyLoss()),
    ],
    ids=["energy", "gap", "own energy"],
)
def test_a_network_learns_to_solve_from_the_energy_alone(net: object, model_of: object, loss: object) -> None:
    """Unseen problems, no solution shown; 1 is the data, and the best linear filter is at about 0.1."""
    task = Denoising(model_of=model_of, noise=(0.1, 0.1))
    validation = Validation(
        task, DeadLeaves(2, size=48, seed=500), count=2, crop=48, stop=md.Stop(1e-4, steps=400)
    )
    settings = Training(
        steps=140, batch=4, crop=32, loss=loss, optimiser=Adam(rate=1e-2), schedule=Cosine(warmup=20), average=0.95
    )
    before = validation(net).row
    run = fit(net, task, DeadLeaves(4, size=48), settings, validation=validation)
    after = run.record[-1]
    assert before["excess"] > 0.9
    assert after["excess"] < 0.15
    assert after["psnr"] > before["psnr"] + 2
    assert (after["rms"] < 15) == (model_of is md.models.rof)
    assert net.trained.noise == (0.1, 0.1) and not net.training


def test_validation_is_0_at_the_solution_and_1_at_the_start() -> None:
    validation = Validation(Denoising(), DeadLeaves(2, size=24), count=2, crop=24)

    class Answers(WitnessHead):
        def forward(self, model: md.Energy) -> Candidate:
            return Candidate(self.image)

    net = Answers(md.nets.UNet(1, 2), InUnitsOfWeight())
    for image, excess in ((validation.minimiser, 0.0), (validation.model.start(), 1.0)):
        net.image = image
        assert torch.allclose(validation(net).excess, torch.full((2,), excess, dtype=torch.float64), atol=1e-12)
    assert torch.equal(
        validation(net).psnr, md.images.psnr(validation.model.start(), validation.problems["clean"])
    )
    with pytest.raises(InputError, match="has only 24 x 24 pixels"):
        Validation(Denoising(), DeadLeaves(2, size=24), count=1, crop=25)


def test_the_best_linear_filter_is_the_best() -> None:
    clean = md.images.dead_leaves(40, 40, seed=3)
    model = md.models.rof(md.images.GaussianNoise(0.1)(clean, seed=1), 0.075)
    found = md.learning.best_linear_filter(model)
    least = float(model.energy(found.image))
    for weight in torch.logspace(-2, 2, 25).tolist():
        other = md.minimise(md.models.whittaker_tikhonov(model.start(), weight), stop=md.Stop(1e-5)).image
        assert least <= float(model.energy(other)) * (1 + 1e-4)
    exact = md.minimise(model, stop=md.Stop(1e-6)).image
    assert 0.02 < md.learning.energy_excess(model, found.image, exact) < 0.3
    with pytest.raises(InputError, match="judges one image, got a batch of 2"):
        md.learning.energy_excess(model, found.image.expand(2, -1, -1, -1), exact)


# Breaking off and going on


class Stops:
    """Breaks the run off after a step, as a crash would."""

    def __init__(self, after: int) -> None:
        self.after = after

    def stepped(self, row: dict[str, object], steps: int) -> None:
        if row["step"] == self.after:
            raise KeyboardInterrupt

    def skipped(self, name: str, why: str) -> None: ...


@pytest.mark.parametrize("average", [None, 0.9])
def test_a_run_that_broke_off_twice_ends_in_the_same_bits(tmp_path: Path, average: float | None) -> None:
    """Nine steps with batches of 4 from epochs of 9: it breaks off in the middle of epochs."""
    settings = Training(**{**vars(SETTINGS), "average": average})
    undisturbed = small()
    fit(undisturbed, Denoising(), LEAVES, settings)
    for after, workers in ((6, 0), (8, 2)):
        with pytest.raises(KeyboardInterrupt):
            fit(
                small(),
                Denoising(),
                LEAVES,
                Training(**{**vars(settings), "workers": workers}),
                folder=tmp_path / "run",
                resume=after > 6,
                watch=Stops(after),
            )
    net = small()
    run = fit(net, Denoising(), LEAVES, settings, folder=tmp_path / "run", resume=True)
    assert run.finished and [row["step"] for row in run.record] == list(range(1, 10))
    assert same(tensors(net), tensors(undisturbed))
    lines = (tmp_path / "run/record.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, 10))


def test_a_finished_run_is_returned_as_it_is(tmp_path: Path) -> None:
    net = small()
    fit(net, Denoising(), LEAVES, SETTINGS, folder=tmp_path / "run")
    again = small(seed=5)
    run = fit(again, Denoising(), LEAVES, SETTINGS, folder=tmp_path / "run", resume=True)
    assert run.finished and len(run.record) == run.steps == 9
    kept = read_checkpoint(tmp_path / "run/checkpoint/state.safetensors").tensors
    for name, weight in net.state_dict().items():  # what is handed over is the average, not the last step
        assert torch.equal(weight, kept[f"mean.{name}"]) and not torch.equal(weight, kept[f"net.{name}"])
    assert same(tensors(net), tensors(again))


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    fit(small(), Denoising(), LEAVES, SETTINGS, folder=tmp_path / "run")
    with pytest.raises(InputError, match=r"There is a run in .* already"):
        fit(small(), Denoising(), LEAVES, SETTINGS, folder=tmp_path / "run")
    with pytest.raises(InputError, match=r"training.crop was 16, is 12"):
        other = Training(**{**vars(SETTINGS), "crop": 12})
        fit(small(), Denoising(), LEAVES, other, folder=tmp_path / "run", resume=True)
    with pytest.raises(InputError, match="task was"):
        fit(small(), Denoising(noise=(0.1, 0.1)), LEAVES, SETTINGS, folder=tmp_path / "run", resume=True)
    with pytest.raises(InputError, match=r"images were '3 dead leaves.* are '2 dead leaves"):
        fit(small(), Denoising(), DeadLeaves(2, size=24), SETTINGS, folder=tmp_path / "run", resume=True)


def test_a_damaged_or_newer_run_is_refused(tmp_path: Path) -> None:
    fit(small(), Denoising(), LEAVES, SETTINGS, folder=tmp_path / "run")
    state = tmp_path / "run/checkpoint/state.safetensors"
    content = bytearray(state.read_bytes())
    content[len(content) // 2] ^= 1
    state.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged"):
        fit(small(), Denoising(), LEAVES, SETTINGS, folder=tmp_path / "run", resume=True)
    config = json.loads((tmp_path / "run/config.json").read_text())
    (tmp_path / "run/config.json").write_text(json.dumps({**config, "format": 99}))
    with pytest.raises(StoreError, match="newer mindl"):
        fit(small(), Denoising(), LEAVES, SETTINGS, folder=tmp_path / "run", resume=True)


SCRIPT = """
import sys, time
import mindl as md
from mindl.data import DeadLeaves
from mindl.learning import Denoising, Training
from mindl.neural import InUnitsOfWeight, WitnessHead

class Slow:
    def stepped(self, row, steps):
        print(row["step"], flush=True)
        time.sleep(float(sys.argv[3]))
    def skipped(self, name, why): pass

class Drawing(Denoising):
    def draw(self, given, generator):
        time.sleep(float(sys.argv[4]))
        return super().draw(given, generator)

if __name__ == "__main__":
    net = WitnessHead(md.nets.UNet(1, 2, widths=(4, 6)), InUnitsOfWeight())
    settings = Training(steps=12, batch=4, crop=16, crops_per_image=3, check_every=2, workers=int(sys.argv[2]))
    run = md.fit(net, Drawing(), DeadLeaves(3, size=24), settings, folder=sys.argv[1], resume=True, watch=Slow())
    print(run)
"""


def start(script: Path, folder: Path, workers: int, pause: float, drawing: float = 0) -> subprocess.Popen[str]:
    """Train in another process, with a pause after each step and one in each drawn sample."""
    command = [sys.executable, str(script), str(folder), str(workers), str(pause), str(drawing)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def until(process: subprocess.Popen[str], step: int) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == str(step):
            return
    raise AssertionError(process.communicate()[1])


def test_killed_twice_and_resumed_with_other_workers_the_bits_are_the_same(tmp_path: Path) -> None:
    """kill -9 in the middle of training; the state and the record are those of an undisturbed run."""
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    calm = start(script, tmp_path / "calm", 0, 0)
    for workers, step in ((0, 3), (2, 7)):
        process = start(script, tmp_path / "killed", workers, 0.2)
        until(process, step)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        process.stderr.close()
    last = start(script, tmp_path / "killed", 0, 0)
    for process in (calm, last):
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0 and "12 steps, finished" in out, err
    states = [read_checkpoint(tmp_path / name / "checkpoint/state.safetensors") for name in ("calm", "killed")]
    assert states[0].step == states[1].step == 12
    assert states[0].tensors.keys() == states[1].tensors.keys()
    assert all(torch.equal(states[0].tensors[k], states[1].tensors[k]) for k in states[0].tensors)
    records = [
        [json.loads(line) for line in (tmp_path / name / "record.jsonl").read_text().splitlines()]
        for name in ("calm", "killed")
    ]
    for one, other in zip(*records, strict=True):
        assert {k: one[k] for k in ("step", "loss", "gradient")} == {
            k: other[k] for k in ("step", "loss", "gradient")
        }


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("workers", [0, 1])
def test_ctrl_c_keeps_the_step_that_was_reached(tmp_path: Path, workers: int) -> None:
    """As a terminal sends it: to all processes of the group; with a worker, while a batch is waited for."""
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    process = start(script, tmp_path / "run", workers, 0 if workers else 0.3, 0.1 * workers)
    until(process, 5)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and "interrupted" in out, err
    step = read_checkpoint(tmp_path / "run/checkpoint/state.safetensors").step
    assert step in (5, 6)
    assert len((tmp_path / "run/record.jsonl").read_text().splitlines()) == step


def test_who_looks_on_slowly_is_no_waiting_for_data() -> None:
    class Slow:
        def stepped(self, row: dict[str, object], steps: int) -> None:
            time.sleep(0.05)

        def skipped(self, name: str, why: str) -> None: ...

    record = fit(small(), Denoising(), LEAVES, Training(steps=4, batch=2, crop=12), watch=Slow()).record
    assert max(row["waited"] for row in record[1:]) < 0.05


def test_a_torn_last_line_of_the_record_is_cut_off(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(small(), Denoising(), LEAVES, SETTINGS, folder=tmp_path / "run", watch=Stops(6))
    with (tmp_path / "run/record.jsonl").open("a") as file:
        file.write('{"step": 7, "lo')
    fit(small(), Denoising(), LEAVES, SETTINGS, folder=tmp_path / "run", resume=True)
    lines = (tmp_path / "run/record.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, 10))


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.replace
    calls = {"left": 4}

    def full(source: object, target: object) -> None:
        if str(target).endswith("state.safetensors"):
            calls["left"] -= 1
            if calls["left"] < 2:
                raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match=r"No space left.*checkpoint before is kept.*--resume"):
        fit(small(), Denoising(), LEAVES, SETTINGS, folder=tmp_path / "run")
    monkeypatch.undo()
    assert read_checkpoint(tmp_path / "run/checkpoint/state.safetensors").step == 4
    assert not list((tmp_path / "run/checkpoint").glob("*.part"))
    net, calm = small(), small()
    fit(net, Denoising(), LEAVES, SETTINGS, folder=tmp_path / "run", resume=True)
    fit(calm, Denoising(), LEAVES, SETTINGS)
    assert same(tensors(net), tensors(calm))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_at_a_line_of_the_record(tmp_path: Path) -> None:
    class Fills:
        """After step 5 the record has no room."""

        def stepped(self, row: dict[str, object], steps: int) -> None:
            if row["step"] == 5:
                record = tmp_path / "run/record.jsonl"
                record.rename(tmp_path / "record")
                record.symlink_to("/dev/full")

        def skipped(self, name: str, why: str) -> None: ...

    with pytest.raises(OutputError, match="The last checkpoint is kept"):
        fit(small(), Denoising(), LEAVES, SETTINGS, folder=tmp_path / "run", watch=Fills())
    (tmp_path / "record").replace(tmp_path / "run/record.jsonl")
    assert fit(small(), Denoising(), LEAVES, SETTINGS, folder=tmp_path / "run", resume=True).finished


def test_what_cannot_be_trained_leaves_no_folder_behind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot answer"):
        fit(small(), Denoising(model_of=md.models.whittaker_tikhonov), LEAVES, SETTINGS, folder=tmp_path / "run")
    with pytest.raises(TrainingError, match="No image can be used"):
        settings = Training(**{**vars(SETTINGS), "crop": 99})
        fit(small(), Denoising(), LEAVES, settings, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_layers_that_draw_are_resumed_exactly_too(tmp_path: Path) -> None:
    """Dropout draws from the global generator: it is a function of (seed, step), and left as it was."""

    def drops() -> WitnessHead:
        return WitnessHead(nn.Sequential(nn.Dropout(0.3), md.nets.UNet(1, 2, widths=(4, 6))), InUnitsOfWeight())

    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    calm, net = drops(), drops()
    fit(calm, Denoising(), LEAVES, SETTINGS)
    assert torch.equal(torch.random.get_rng_state(), before)
    with pytest.raises(KeyboardInterrupt):
        fit(drops(), Denoising(), LEAVES, SETTINGS, folder=tmp_path / "run", watch=Stops(6))
    torch.manual_seed(2)
    with pytest.warns(MindlWarning, match=r"not made of parts that mindl can store: .* holds no model/"):
        fit(net, Denoising(), LEAVES, SETTINGS, folder=tmp_path / "run", resume=True)
    assert same(tensors(calm), tensors(net))


def test_signal_handlers_are_put_back() -> None:
    kinds = [signal.SIGINT, signal.SIGCHLD]
    before = [signal.getsignal(kind) for kind in kinds]
    fit(small(), Denoising(), LEAVES, Training(**{**vars(SETTINGS), "steps": 2, "workers": 1}))
    assert [signal.getsignal(kind) for kind in kinds] == before


def test_weights_that_are_no_numbers_are_not_kept(tmp_path: Path) -> None:
    settings = Training(**{**vars(SETTINGS), "check_every": 1, "clip": None, "optimiser": Adam(rate=1e38)})
    with pytest.raises(TrainingError, match="training stops"):
        fit(small(), Denoising(), LEAVES, settings, folder=tmp_path / "run")
    state = read_checkpoint(tmp_path / "run/checkpoint/state.safetensors")
    assert all(bool(torch.isfinite(t).all()) for t in state.tensors.values())


def test_skipped_images_are_remembered_when_the_run_goes_on(tmp_path: Path) -> None:
    place = tmp_path / "photos"
    place.mkdir()
    for i in range(4):
        md.images.write(place / f"{i}.png", random_image(1, 1, 20, 18, seed=i))
    (place / "0.png").write_bytes(b"no image")
    with pytest.raises(KeyboardInterrupt):
        fit(small(), Denoising(), Photographs(place), SETTINGS, folder=tmp_path / "run", watch=Stops(8))
    run = fit(small(), Denoising(), Photographs(place), SETTINGS, folder=tmp_path / "run", resume=True)
    assert [Path(name).name for name in run.skipped] == ["0.png"]


@pytest.mark.parametrize("workers", [0, 1])
def test_pictures_that_cannot_fail_do_not_hide_files_that_do(tmp_path: Path, workers: int) -> None:
    """Dead leaves do not count: all the photographs that were given are damaged."""
    files = [tmp_path / f"{i}.png" for i in range(7)]
    for file in files:
        file.write_bytes(b"no image")
    source = Together(DeadLeaves(20, size=16), Photographs(files))
    with pytest.raises(TrainingError, match=r"^\d of 7 images cannot be used so far, more than the 1"):
        fit(small(), Denoising(), source, Training(steps=40, batch=4, crop=8, workers=workers))


def test_a_reference_that_is_not_exact_is_said() -> None:
    with pytest.warns(md.errors.MindlWarning, match="reference of the validation is not exact"):
        Validation(Denoising(), DeadLeaves(1, size=24), count=1, crop=24, stop=md.Stop(1e-6, steps=3))


def test_another_number_of_threads_is_said(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(small(), Denoising(), LEAVES, SETTINGS, folder=tmp_path / "run", watch=Stops(6))
    config = json.loads((tmp_path / "run/config.json").read_text())
    (tmp_path / "run/config.json").write_text(json.dumps({**config, "threads": 99}))
    with pytest.warns(md.errors.MindlWarning, match="threads was 99"):
        fit(small(), Denoising(), LEAVES, SETTINGS, folder=tmp_path / "run", resume=True)


class Poisoned(md.Energy):
    """Rof, until a weight above a bound makes the energy NaN."""

    def __init__(self, data: torch.Tensor, weight: torch.Tensor) -> None:
        self.data, self.weight = data, weight

    def start(self) -> torch.Tensor:
        return self.data

    def energy(self, u: torch.Tensor) -> torch.Tensor:
        energy = (u - 0.5 * self.data).square().sum((1, 2, 3))
        return torch.where(self.weight.flatten() > 0.0957, torch.nan, energy)


def test_a_loss_that_is_nan_stops_and_keeps_batch_and_state(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    task = Denoising(model_of=Poisoned, noise=(0.1, 0.1), weight_per_noise=(0.5, 1.0))
    settings = Training(steps=40, batch=2, crop=8, check_every=1)
    net = Direct(md.nets.UNet(1, 1, widths=(4, 6)), Start())
    with pytest.raises(TrainingError, match=r"The loss of step \d+ is nan.*bad-batch.safetensors.*smaller rate"):
        fit(net, task, LEAVES, settings, folder=tmp_path / "run")
    batch = load_file(tmp_path / "run/bad-batch.safetensors")
    assert set(batch) == {"clean", "data", "noise", "weight"} and float(batch["weight"].max()) > 0.0957
    state = read_checkpoint(tmp_path / "run/checkpoint/state.safetensors")
    steps = len((tmp_path / "run/record.jsonl").read_text().splitlines())
    assert state.step == steps >= 1
    assert all(bool(torch.isfinite(t).all()) for t in state.tensors.values())
    assert all(bool(torch.isfinite(p).all()) for p in net.parameters())


def test_two_processes_do_not_train_into_one_folder(tmp_path: Path) -> None:
    """Here: from within the first one's step. When it has ended, however it did, the folder is free."""

    class Intrudes:
        def stepped(self, row: dict[str, object], steps: int) -> None:
            with pytest.raises(OutputError, match="Another process is training in"):
                fit(small(), Denoising(), LEAVES, SETTINGS, folder=tmp_path / "run", resume=True)
            raise KeyboardInterrupt

        def skipped(self, name: str, why: str) -> None: ...

    with pytest.raises(KeyboardInterrupt):
        fit(small(), Denoising(), LEAVES, SETTINGS, folder=tmp_path / "run", watch=Intrudes())
    assert fit(small(), Denoising(), LEAVES, SETTINGS, folder=tmp_path / "run", resume=True).finished


def test_a_run_that_did_no_step_is_begun_anew(tmp_path: Path) -> None:
    fit(small(), Denoising(), LEAVES, Training(steps=0), folder=tmp_path / "run")
    assert fit(small(), Denoising(), LEAVES, SETTINGS, folder=tmp_path / "run").finished


def test_a_checkpoint_that_is_gone(tmp_path: Path) -> None:
    fit(small(), Denoising(), LEAVES, SETTINGS, folder=tmp_path / "run")
    (tmp_path / "run/checkpoint/state.safetensors").unlink()
    with pytest.raises(StoreError, match="is gone"):
        fit(small(), Denoising(), LEAVES, SETTINGS, folder=tmp_path / "run", resume=True)


def test_a_finished_run_holds_its_network(tmp_path: Path) -> None:
    net = small()
    fit(net, Denoising(), LEAVES, SETTINGS, folder=tmp_path / "run")
    assert same(tensors(md.load(tmp_path / "run/model")), tensors(net))


UNGUARDED = """
import mindl as md
from mindl.data import DeadLeaves
from mindl.learning import Denoising, Training
from mindl.neural import InUnitsOfWeight, WitnessHead
net = WitnessHead(md.nets.UNet(1, 2, widths=(4, 6)), InUnitsOfWeight())
md.fit(net, Denoising(), DeadLeaves(2, size=24), Training(steps=3, batch=2, crop=16, workers=1))
"""


def test_a_script_without_a_guard_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(UNGUARDED)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "train.py")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert (
        done.stderr.rstrip().splitlines()[-1].startswith("mindl.core.errors.TrainingError: A process that makes")
    )
    assert '__name__ == "__main__"' in done.stderr and "bootstrapping" not in done.stderr


class Detached(Charbonnier):
    def energy(self, u: torch.Tensor) -> torch.Tensor:
        return super().energy(u.detach())


class Startless(Charbonnier):
    def start(self) -> torch.Tensor:
        return None  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"net": md.nets.UNet(1, 2)}, r"fit\(net\) needs a neural solver"),
        ({"task": Denoising}, r"fit\(task\) needs a task such as Denoising\(\)"),
        ({"images": "photos"}, r"fit\(images\) needs a source of images"),
        ({"images": torch.zeros(1, 1, 9, 9)}, r"fit\(images\) needs a source of images"),
        ({"training": 100}, r"fit\(training\) needs settings"),
        ({"validation": LEAVES}, r"fit\(validation\) needs a Validation"),
        ({"resume": True}, "name it by folder="),
        ({"task": Denoising(model_of=Detached)}, "does not depend on the network"),
        ({"task": Denoising(model_of=Startless)}, r"Startless.start\(\) must return a tensor"),
    ],
)
def test_wrong_arguments_of_fit(change: dict[str, object], message: str) -> None:
    own = Direct(md.nets.UNet(1, 1, widths=(4, 6)), Start())
    right = {"net": own, "task": Denoising(), "images": LEAVES, "training": SETTINGS}
    with pytest.raises(InputError, match=message):
        fit(**{**right, **change})


def test_settings_are_objects() -> None:
    for wrong in ({"loss": "gap"}, {"loss": EnergyLoss}, {"optimiser": "adam"}, {"schedule": None}):
        with pytest.raises(InputError, match="must be an object such as"):
            Training(**wrong)
    with pytest.raises(InputError, match="must make a model"):
        Denoising(model_of="rof")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Cannot make the folder"):
        fit(small(), Denoising(), LEAVES, SETTINGS, folder=tmp_path / "file" / "run")


def test_the_run_folder_holds_no_code(tmp_path: Path) -> None:
    fit(small(), Denoising(), LEAVES, SETTINGS, folder=tmp_path / "run")
    files = {str(p.relative_to(tmp_path / "run")) for p in (tmp_path / "run").rglob("*") if p.is_file()}
    kept = {"config.json", "record.jsonl", "checkpoint/state.safetensors", "checkpoint/lock"}
    model = {
        f"model/{name}" for name in ("config.json", "model.safetensors", "probe.npz", "README.md", "record.jsonl")
    }
    assert files == kept | model
    config = json.loads((tmp_path / "run/config.json").read_text())
    assert config["training"]["seed"] == 0 and len(config["images"]["sha256"]) == 64


def test_training_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    fit(small(), Denoising(), LEAVES, SETTINGS)
    assert torch.equal(torch.random.get_rng_state(), before)
