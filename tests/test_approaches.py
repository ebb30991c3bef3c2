"""Training approaches: what each loss is, what it is shown, and that each of them denoises."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import random_image
from torch import nn

import mindl as md
from mindl.core.errors import (
    InputError,
    LeakageError,
    MindlError,
    MindlWarning,
    StoreError,
    TrainingError,
    ViewError,
)
from mindl.core.randomness import generator_for
from mindl.core.sealed import read_sealed
from mindl.data import DeadLeaves, Images, Observed, Phantoms
from mindl.learning import (
    SGD,
    SURE,
    Adam,
    Constant,
    Cosine,
    Denoising,
    EarlyStop,
    EnergyLoss,
    GapLoss,
    Geometric,
    Inpainting,
    Loss,
    Noise2Noise,
    Noise2Self,
    ResidualLoss,
    SolutionLoss,
    Stream,
    SupervisedLoss,
    Training,
    Validation,
    fit,
    rate_range,
    solved,
)
from mindl.learning.blind import _neighbours
from mindl.models import Candidate
from mindl.neural import Direct, Start, StepSizes, Unrolled, WitnessHead
from mindl.recipes import APPROACHES, RECIPES, train

NOISE = 25 / 255


def small(channels: int = 1) -> Direct:
    return Direct(md.nets.PlainCNN(channels, channels, width=6, depth=3), Start(), channels=channels)


def problems(batch: int = 3, size: int = 16, **task: Any) -> dict[str, torch.Tensor]:
    stream = Stream(DeadLeaves(2, size=24), Denoising(**task), batch=batch, crop=size, crops_per_image=8, seed=3)
    return stream.batch(0).problems


class Answers(md.neural.NeuralSolver):
    """Answers with a map of the model's data."""

    accepts = md.Energy

    def __init__(self, of: Any) -> None:
        super().__init__(channels=None)
        self.of = of
        self.seen: list[torch.Tensor] = []
        self.free = nn.Parameter(torch.ones(()))

    def forward(self, model: Any) -> Candidate:
        data = model.data_term.data
        self.seen.append(data)
        return Candidate(self.of(data) * self.free)


def value(loss: Loss, net: Any, drawn: dict[str, torch.Tensor], seed: int = 0) -> torch.Tensor:
    with torch.no_grad():
        return loss.of(net, Denoising(), loss.shown(drawn), generator_for(seed))


# What each loss is


@pytest.mark.parametrize(
    ("loss", "target"), [(SupervisedLoss(), "clean"), (SolutionLoss(), "solution"), (Noise2Noise(), "second")]
)
def test_a_target_is_0_when_met_and_1_at_the_start(loss: Loss, target: str) -> None:
    drawn = problems(second=True)
    drawn["solution"] = md.minimise(Denoising().model(drawn)).image
    assert torch.allclose(value(loss, Answers(lambda f: f), drawn), torch.ones(3, dtype=torch.float64))
    assert torch.equal(value(loss, Answers(lambda f: drawn[target]), drawn), torch.zeros(3, dtype=torch.float64))
    halfway = value(loss, Answers(lambda f: 0.5 * (f + drawn[target])), drawn)
    assert torch.allclose(halfway, torch.full((3,), 0.25, dtype=torch.float64), atol=1e-6)


def test_a_decibel_counts_alike_in_the_logarithm() -> None:
    """Nine tenths of what is left, taken at 0.9 and at 0.36: the plain loss says 0.09 and 0.036, the logarithm the
    same but for what it adds against ln 0."""
    drawn = problems()
    loss = SupervisedLoss(logarithm=True)

    def left(share: float) -> torch.Tensor:
        root = share**0.5
        return value(loss, Answers(lambda f: drawn["clean"] + root * (f - drawn["clean"])), drawn)

    much, little = left(0.9) - left(0.81), left(0.36) - left(0.324)
    assert torch.allclose(much, torch.full_like(much, math.log(1 / 0.9)), rtol=0.02)
    assert torch.allclose(much, little, rtol=0.03)
    assert torch.equal(left(0.0), torch.zeros(3, dtype=torch.float64))


def test_a_second_noisy_image_is_as_good_as_the_clean_one_but_for_the_noise() -> None:
    """E |u - g|^2 = E |u - c|^2 + N sigma^2 where u knows nothing of g."""
    drawn = _large_pair()
    answer = 0.7 * drawn["data"] + 0.1
    to_second = float((answer - drawn["second"]).square().mean())
    to_clean = float((answer - drawn["clean"]).square().mean())
    assert to_second == pytest.approx(to_clean + NOISE**2, rel=0.01)
    own = drawn["second"] - drawn["clean"], drawn["data"] - drawn["clean"]
    assert abs(float((own[0] * own[1]).mean())) < 0.01 * NOISE**2  # independent of the first


def _large_pair() -> dict[str, torch.Tensor]:
    task, photograph = Denoising(second=True), md.images.grey(md.images.coffee())[0, :, :256, :256]
    drawn = [task.draw({"clean": photograph}, generator_for(i)) for i in range(4)]
    return {name: torch.stack([each[name] for each in drawn]) for name in drawn[0]}


def test_pixels_that_are_judged_are_never_shown() -> None:
    """What the network sees does not change with them; what it is judged by does."""
    drawn = problems(size=17)
    net = Answers(lambda f: f)
    losses = [value(Noise2Self(spacing=3), net, drawn, seed=4)]
    judged = net.seen[0] != drawn["data"]
    rows = torch.nonzero(judged[0, 0])[:, 0]
    assert set(rows.diff().unique().tolist()) <= {0, 3} and len(rows) in (25, 30, 36)
    moved = {**drawn, "data": torch.where(judged, drawn["data"] + 0.5, drawn["data"])}
    losses.append(value(Noise2Self(spacing=3), net, moved, seed=4))
    assert torch.equal(net.seen[0], net.seen[1])
    assert torch.allclose(losses[0], torch.ones(3, dtype=torch.float64))  # the neighbour itself: the unit
    places = {int(torch.nonzero(_hidden(drawn, seed))[0, 2]) for seed in range(30)}
    assert places == {0, 1, 2, 3}  # a new grid every time


def _hidden(drawn: dict[str, torch.Tensor], seed: int) -> torch.Tensor:
    net = Answers(lambda f: f)
    value(Noise2Self(), net, drawn, seed=seed)
    return net.seen[0] != drawn["data"]


@pytest.mark.parametrize("size", [(9, 8), (2, 2), (1, 5), (4, 1)])
def test_a_neighbour_is_never_the_pixel_itself(size: tuple[int, int]) -> None:
    image = torch.arange(2.0 * size[0] * size[1]).reshape(1, 2, *size)
    seen = [_neighbours(image, generator_for(i)) for i in range(40)]
    rows, columns = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij")
    for found in seen:
        place = found[0, 0].long()
        assert torch.equal(found[0, 1], found[0, 0] + size[0] * size[1])  # the same for all channels
        away = torch.maximum((place // size[1] - rows).abs(), (place % size[1] - columns).abs())
        assert bool((away <= 1).all())
        assert min(size) == 1 or bool((away == 1).all())
    if min(size) > 2:
        assert len({int(found[0, 0, 4, 4]) for found in seen}) == 8


def test_stein_s_estimate_is_exact_for_the_noisy_image_and_for_nothing_at_all() -> None:
    drawn = problems(size=24)
    assert torch.allclose(
        value(SURE(), Answers(lambda f: f), drawn), torch.ones(3, dtype=torch.float64), atol=2e-4
    )
    energy = drawn["data"].double().square().mean(dim=(1, 2, 3)) / NOISE**2 - 1
    assert torch.allclose(value(SURE(), Answers(lambda f: 0 * f), drawn), energy, rtol=1e-5)


def test_stein_s_estimate_is_that_of_the_error_without_the_clean_image() -> None:
    """A smoothing filter: its squared error against the clean image, from many noisy ones."""
    drawn, estimates, errors = _large_pair(), [], []
    blur = Answers(lambda f: nn.functional.avg_pool2d(nn.functional.pad(f, (1, 1, 1, 1), mode="replicate"), 3, 1))
    for seed in range(6):
        estimates.append(value(SURE(), blur, drawn, seed=seed))
        errors.append((blur.of(drawn["data"]) - drawn["clean"]).double().square().mean(dim=(1, 2, 3)) / NOISE**2)
    estimate, error = float(torch.stack(estimates).mean()), float(torch.stack(errors).mean())
    assert estimate == pytest.approx(error, rel=0.03)
    assert error > 0.2  # so that the test can tell it from 0


def test_the_residual_is_that_of_the_equation() -> None:
    data = random_image(2, 1, 9, 8, dtype=torch.float64)
    model = md.models.whittaker_tikhonov(data, weight=3.0)
    view = model.view(md.models.LinearSystem)
    u = random_image(2, 1, 9, 8, seed=5, dtype=torch.float64)
    residual = (view.apply(u) - view.right_hand_side).square().sum(dim=(1, 2, 3))
    first = (view.apply(data) - view.right_hand_side).square().sum(dim=(1, 2, 3))
    assert torch.allclose(ResidualLoss()(model, Candidate(u)), residual / first)
    smooth = md.models.charbonnier(data, weight=2.0)
    solution = md.minimise(smooth, stop=md.Stop(1e-10)).image
    assert float(ResidualLoss()(smooth, Candidate(solution)).max()) < 1e-8
    with pytest.raises(ViewError, match="SmoothEnergy"):
        ResidualLoss()(md.models.rof(data, 0.1), Candidate(u))


def test_the_residual_s_derivative_is_right() -> None:
    data = random_image(1, 1, 4, 3, dtype=torch.float64)
    model = md.models.charbonnier(data, weight=2.0)
    u = random_image(1, 1, 4, 3, seed=5, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda w: ResidualLoss()(model, Candidate(w)), u)


# What each is shown


@dataclass(frozen=True)
class Poisoned(Denoising):
    """Whoever looks at the clean image gets NaN."""

    def draw(self, given: Any, generator: Any) -> Any:
        drawn = super().draw(given, generator)
        return {**drawn, "clean": torch.full_like(drawn["clean"], torch.nan)}


SELF_SUPERVISED = [EnergyLoss(), ResidualLoss(), GapLoss(), Noise2Noise(), Noise2Self(), SURE()]


@pytest.mark.parametrize("loss", SELF_SUPERVISED, ids=lambda loss: type(loss).__name__)
def test_no_other_loss_ever_sees_a_clean_image(loss: Loss) -> None:
    """With NaN in the place of the clean images the same bits are learned."""
    model_of = md.models.charbonnier if isinstance(loss, ResidualLoss) else md.models.rof
    found = []
    for kind in (Denoising, Poisoned):
        net = Unrolled(md.solvers.PrimalDual(), 2, [StepSizes()]) if isinstance(loss, GapLoss) else small()
        task = kind(model_of=model_of, second=isinstance(loss, Noise2Noise))
        fit(net, task, DeadLeaves(2, size=16), Training(steps=3, batch=2, crop=12, loss=loss))
        found.append(list(net.parameters()))
    assert all(torch.equal(a, b) and torch.isfinite(a).all() for a, b in zip(*found, strict=True))


class Spy(Denoising):
    """Remembers what the model may be made of."""

    seen: set[str] = set()

    def model(self, problems: Any) -> Any:
        self.seen.update(problems)
        return super().model(problems)


@pytest.mark.parametrize("approach", APPROACHES, ids=lambda approach: approach.name)
def test_a_model_is_made_of_no_more_than_the_loss_needs(approach: Any) -> None:
    task = Spy(model_of=approach.model_of, second=True)
    task.seen.clear()
    leaves = DeadLeaves(2, size=16)
    source = solved(task, leaves, count=4, crop=12) if "solution" in approach.loss.needs else leaves
    task.seen.clear()
    net = RECIPES[f"denoise-{approach.name}"].make()
    fit(net, task, source, Training(steps=1, batch=2, crop=12, loss=approach.loss))
    assert task.seen & {"clean", "second", "solution"} == set(approach.loss.needs)
    assert {"data", "weight", "noise"} <= task.seen


def test_the_supervised_loss_does_see_it() -> None:
    with pytest.raises(TrainingError, match="nan"):
        fit(
            small(), Poisoned(), DeadLeaves(2, size=16), Training(steps=1, batch=2, crop=12, loss=SupervisedLoss())
        )


@pytest.mark.parametrize(
    ("loss", "cure"),
    [
        (SupervisedLoss(), "needs clean images"),
        (Noise2Noise(), r"Denoising\(second=True\)"),
        (SolutionLoss(), r"solved\(task, images\)"),
    ],
)
def test_what_a_loss_needs_and_does_not_get_is_named(loss: Loss, cure: str) -> None:
    noisy = Observed(Images(random_image(3, 1, 16, 16)), noise=NOISE)
    with pytest.raises(InputError, match=cure):
        fit(small(), Denoising(), noisy, Training(steps=1, batch=2, crop=8, loss=loss))


def test_noisy_images_alone_are_enough(tmp_path: Path) -> None:
    noisy = Observed(Images(random_image(3, 1, 16, 16)), noise=NOISE)
    settings = Training(steps=2, batch=2, crop=8, loss=Noise2Self(), check_every=1)
    examine = Validation(
        Denoising(), Observed(Images(random_image(2, 1, 8, 8, seed=9)), noise=NOISE), count=2, crop=8
    )
    run = fit(small(), Denoising(), noisy, settings, validation=examine, folder=tmp_path / "run")
    assert run.finished and math.isnan(run.record[-1]["psnr"]) and math.isfinite(run.record[-1]["excess"])
    for loss in (SURE(), Noise2Self()):
        unknown = Observed(Images(random_image(3, 1, 16, 16)))
        with pytest.raises(InputError, match=r"Observed data need a known noise"):
            fit(small(), Denoising(), unknown, replace(settings, loss=loss))


def test_observed_images_keep_their_noise_and_everything_turns_together() -> None:
    clean = random_image(3, 1, 20, 24)
    source = Observed(
        Images(2 * clean),
        clean=Images(clean),
        second=Images(3 * clean),
        mask=Images((clean > 0.5).float()),
        noise=0.2,
    )
    stream = Stream(source, Denoising(), batch=8, crop=9, crops_per_image=8, seed=1)
    drawn = stream.batch(0).problems
    assert torch.equal(drawn["data"], 2 * drawn["clean"]) and torch.equal(drawn["second"], 3 * drawn["clean"])
    assert torch.equal(drawn["mask"], drawn["clean"] > 0.5)
    assert torch.allclose(drawn["weight"].flatten(), torch.full((8,), 0.15))
    filled = Stream(source, Inpainting(), batch=4, crop=9, crops_per_image=8, seed=1).batch(0).problems
    assert torch.equal(filled["data"], torch.where(filled["mask"], 2 * filled["clean"], 0))


@pytest.mark.parametrize(
    ("beside", "message"),
    [
        ({"clean": Images(torch.zeros(2, 1, 8, 8))}, "belong together"),
        ({"second": Images(torch.zeros(3, 3, 8, 8))}, "belong together"),
        ({"noise": 25.0}, "units of"),
        ({"mask": torch.zeros(3, 1, 8, 8)}, "needs a source"),
    ],
)
def test_observations_that_do_not_fit(beside: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Observed(Images(torch.zeros(3, 1, 8, 8)), **beside)


def test_scenes_that_do_not_fit_are_left_out() -> None:
    data, clean = Images(torch.zeros(2, 1, 8, 8)), Images([torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 9, 8)])
    grey = Images(torch.full((2, 1, 8, 8), 0.5))
    with pytest.raises(InputError, match="several sizes"):
        Observed(data, clean=clean).sample(1)
    with pytest.raises(InputError, match="no mask"):
        Observed(data, mask=grey).sample(0)
    stream = Stream(
        Observed(data, clean=clean, noise=0.1), Denoising(), batch=4, crop=8, crops_per_image=2, seed=0
    )
    assert list(stream.batch(0).skipped) == ["image 1"]


# Each denoises


@pytest.mark.parametrize("approach", APPROACHES, ids=lambda approach: approach.name)
def test_every_approach_denoises(approach: Any) -> None:
    """A short training by the recipe, on smaller crops."""
    recipe = RECIPES[f"denoise-{approach.name}"]
    phantoms = Phantoms(8, size=48)
    settings = replace(recipe.training, steps=40, batch=4, crop=32, schedule=Cosine(warmup=5), average=None)
    source = solved(recipe.task, phantoms, count=64, crop=32) if recipe.solved else phantoms
    net = recipe.make()
    fit(net, recipe.task, source, settings)
    clean = torch.stack([Phantoms(4, size=48, seed=500).image(i) for i in range(4)])
    noisy = clean + NOISE * torch.randn(clean.shape, generator=generator_for(1))
    with torch.no_grad():
        answer = net(approach.model_of(noisy, approach.weight_per_noise * NOISE)).image
    gain = md.images.psnr(answer, clean) - md.images.psnr(noisy, clean)
    assert float(gain.mean()) > 1.0, f"{float(gain.mean()):.2f} dB"


# Solved problems


def test_solutions_are_certified_and_their_certificates_kept(tmp_path: Path) -> None:
    task, leaves = Denoising(), DeadLeaves(3, size=24)
    told: list[tuple[int, int]] = []
    found = solved(task, leaves, count=40, crop=16, folder=tmp_path / "s", watch=lambda *n: told.append(n))
    assert told == [(32, 40), (40, 40)] and len(found) == 40
    assert bool(found.certificates["met"].all())
    for index in (0, 39):
        sample = {name: v[None] for name, v in found.sample(index).items()}
        proof = md.certify(task.model(sample), Candidate(sample["solution"], sample["dual"]), effort=0)
        assert float(proof.bound) == pytest.approx(float(found.certificates["bound"][index]), rel=1e-6, abs=1e-9)
        assert float(proof.rms) <= 0.5
    assert not md.solvers.minimise(task.model(sample)).image.sub(sample["solution"]).abs().max() > 0.02


def test_solved_problems_go_on_where_they_were_broken_off(tmp_path: Path) -> None:
    task, leaves, folder = Denoising(), DeadLeaves(3, size=24), tmp_path / "s"
    whole = solved(task, leaves, count=70, crop=12)

    def stop(done: int, _: int) -> None:
        if done == 64:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        solved(task, leaves, count=70, crop=12, folder=folder, watch=stop)
    files = sorted(folder.glob("*.safetensors"))
    assert len(files) == 2
    before = [file.stat().st_mtime_ns for file in files]
    again = solved(task, leaves, count=70, crop=12, folder=folder)
    assert [file.stat().st_mtime_ns for file in files] == before
    for index in range(70):
        assert all(torch.equal(v, again.sample(index)[k]) for k, v in whole.sample(index).items())
    with pytest.raises(InputError, match=r"made otherwise \(crop differ\)"):
        solved(task, leaves, count=70, crop=10, folder=folder)
    files[0].write_bytes(files[0].read_bytes()[:-70] + b"0" * 70)
    with pytest.raises(StoreError, match="delete it, and it is made again"):
        solved(task, leaves, count=70, crop=12, folder=folder)
    with pytest.raises(StoreError, match="cannot be read"):
        read_sealed(folder / "none", "file", "look")


def test_what_was_not_solved_is_left_out_of_batches() -> None:
    task = Denoising()
    found = solved(task, DeadLeaves(2, size=16), count=6, crop=12, stop=md.Stop(1e-6, steps=300))
    short = solved(task, DeadLeaves(2, size=16), count=6, crop=12, stop=md.Stop(1e-6, steps=1))
    assert bool(found.certificates["met"].all()) and not bool(short.certificates["met"].any())
    with pytest.raises(TrainingError, match="No image can be used"):
        Stream(short, task, batch=2, crop=12, crops_per_image=1, seed=0).batch(0)
    found.certificates["met"][2] = False
    with pytest.raises(TrainingError, match="did not reach the tolerance"):
        found.sample(2)
    batch = Stream(found, task, batch=12, crop=12, crops_per_image=2, seed=0).batch(0)
    assert list(batch.skipped) == ["solved problem 2"] and "solution" in batch.problems
    with pytest.raises(InputError, match="at least 1"):
        solved(task, DeadLeaves(2, size=16), count=0)


def test_leakage_is_seen_through_solved_problems() -> None:
    task, leaves = Denoising(), DeadLeaves(2, size=16)
    found = solved(task, leaves, count=4, crop=12)
    settings = Training(steps=1, batch=2, crop=12, loss=SolutionLoss())
    with pytest.raises(LeakageError, match="solved problem"):
        fit(small(), task, found, settings, validation=Validation(task, leaves, count=1, crop=12))


# Optimisers, rates, stopping


def quadratic() -> tuple[Any, Any, Any, float]:
    """A problem in one number a, with losses of curvature 2 that have minima here and there."""
    net = Answers(lambda f: f)
    with torch.no_grad():
        net.free.fill_(0.5)
    return net, Own(), Images(random_image(4, 1, 8, 8)), 2.0


@dataclass(frozen=True)
class Square(Loss):
    """(a - 1 + scatter * z)^2, a the free number of the network, z a number of the problem's own."""

    scatter: float = 0.0

    def of(self, net: Any, task: Any, problems: Any, generator: Any) -> torch.Tensor:
        return (net.free - 1 + self.scatter * problems["data"][:, 0, 0, 0]) ** 2


@dataclass(frozen=True)
class Own(Denoising):
    """Denoising, as it is."""


def test_steps_are_stable_below_two_over_the_curvature() -> None:
    net, task, images, curvature = quadratic()
    plain = SGD(rate=0.1, momentum=0.0)
    base = Training(batch=1, crop=8, loss=Square(scatter=0.1), optimiser=plain, clip=None)
    found = rate_range(net, task, images, base, smallest=1e-3, largest=1e2, steps=200)
    assert float(net.free.detach()) == 0.5  # a copy was trained
    assert found.diverged and 1 / curvature < found.rates[-1] < 20
    assert found.steepest < 2 / curvature and found.largest < found.rates[-1]
    ratios = [b / a for a, b in zip(found.rates, found.rates[1:], strict=False)]
    assert max(ratios) == pytest.approx(min(ratios)) == pytest.approx(1e5 ** (1 / 199))
    for rate, stable in ((0.99 * 2 / curvature, True), (1.01 * 2 / curvature, False)):
        net, *_ = quadratic()
        settings = replace(
            base, steps=200, loss=Square(), optimiser=replace(plain, rate=rate), schedule=Constant(), average=None
        )
        fit(net, task, images, settings)
        assert (abs(float(net.free.detach()) - 1) < 0.5) is stable


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_the_recursion(nesterov: bool) -> None:
    net, task, images, _ = quadratic()
    optimiser = SGD(rate=0.05, momentum=0.8, nesterov=nesterov, decay=0.1)
    settings = Training(
        steps=5, batch=1, crop=8, loss=Square(), optimiser=optimiser, schedule=Constant(), clip=None, average=None
    )
    fit(net, task, images, settings)
    a, speed = 0.5, 0.0
    for _ in range(5):
        slope = 2 * (a - 1) + 0.1 * a
        speed = 0.8 * speed + slope
        a -= 0.05 * (slope + 0.8 * speed if nesterov else speed)
    assert float(net.free.detach()) == pytest.approx(a, rel=1e-6)


@pytest.mark.parametrize("optimiser", [SGD(rate=0.01), SGD(rate=0.01, momentum=0.0), Adam(decay=0.01)], ids=repr)
def test_every_optimiser_is_resumed_to_the_same_bits(tmp_path: Path, optimiser: Any) -> None:
    class Stops:
        def stepped(self, row: Any, steps: int) -> None:
            if row["step"] == 3:
                raise RuntimeError("power cut")

        def skipped(self, name: str, why: str) -> None: ...

    settings = Training(steps=6, batch=2, crop=12, optimiser=optimiser, check_every=2)
    leaves, whole, broken = DeadLeaves(2, size=16), small(), small()
    fit(whole, Denoising(), leaves, settings)
    with pytest.raises(RuntimeError, match="power cut"):
        fit(broken, Denoising(), leaves, settings, folder=tmp_path / "run", watch=Stops())
    again = small()
    fit(again, Denoising(), leaves, settings, folder=tmp_path / "run", resume=True)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))


def test_schedules() -> None:
    assert [Constant(warmup=4).factor(k, 9) for k in range(5)] == [0.25, 0.5, 0.75, 1, 1]
    assert [Geometric(16.0).factor(k, 3) for k in range(3)] == pytest.approx([1, 4, 16])
    for wrong in (lambda: Geometric(0.0), lambda: Constant(warmup=-1), lambda: Cosine(warmup=0.5)):
        with pytest.raises(InputError):
            wrong()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(rate=0), r"SGD\(rate\) must be a number, above 0; got 0"),
        (lambda: SGD(momentum=1.0), r"at least 0 and below 1; got 1.0"),
        (lambda: EarlyStop(patience=0), "at least 1"),
        (lambda: EarlyStop(measure="loss"), "psnr"),
        (lambda: Training(early_stop=3), "EarlyStop"),
        (lambda: Training(precision="float16"), "bfloat16"),
        (lambda: Training(optimiser="adam"), "object such as Adam"),
        (lambda: Noise2Self(spacing=1), "at least 2"),
        (lambda: SURE(step=0), "above 0"),
        (
            lambda: rate_range(small(), Denoising(), DeadLeaves(1, size=8), smallest=1.0, largest=0.1),
            "below 0.1; got 1.0",
        ),
    ],
)
def test_settings_out_of_range(make: Any, message: str) -> None:
    with pytest.raises(MindlError, match=message):
        make()


class Rated(Validation):
    """Finds what it is told to find."""

    def __init__(self, values: list[float]) -> None:
        super().__init__(Denoising(), DeadLeaves(1, size=12, seed=77), count=1, crop=12)
        self.values, self.nets = iter(values), []

    def __call__(self, net: Any) -> Any:
        found = super().__call__(net)
        self.nets.append([p.clone() for p in net.parameters()])
        return replace(found, psnr=torch.tensor([next(self.values)]))


def test_an_early_stop_keeps_the_best_network(tmp_path: Path) -> None:
    settings = Training(
        steps=20, batch=1, crop=12, check_every=2, early_stop=EarlyStop(patience=3), average=0.5, loss=Noise2Self()
    )
    examine = Rated([20.0, 22.0, 21.0, 22.0, 21.9, 30.0])
    net = small()
    run = fit(net, Denoising(), DeadLeaves(2, size=16), settings, validation=examine, folder=tmp_path / "run")
    assert run.finished and run.steps == 10 and len(run.record) == 10
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), examine.nets[1], strict=True))
    stored = md.load(tmp_path / "run" / "model")
    assert all(torch.equal(a, b) for a, b in zip(stored.parameters(), examine.nets[1], strict=True))
    again = small()
    same = fit(
        again,
        Denoising(),
        DeadLeaves(2, size=16),
        settings,
        validation=Rated([]),
        folder=tmp_path / "run",
        resume=True,
    )
    assert same.finished and same.steps == 10
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), net.parameters(), strict=True))
    assert EarlyStop(patience=1).best([{"psnr": math.nan}, {"psnr": 3.0}, {"psnr": None}, {}]) == 1
    assert not EarlyStop(patience=1).over([{"psnr": math.nan}, {"psnr": 3.0}, {"psnr": None}])
    with pytest.raises(InputError, match="give fit a validation"):
        fit(small(), Denoising(), DeadLeaves(2, size=16), settings)


def test_images_on_both_sides_are_refused_unless_on_purpose() -> None:
    leaves, settings = DeadLeaves(3, size=16), Training(steps=1, batch=1, crop=8)
    shared = Validation(Denoising(), DeadLeaves(1, size=16, seed=2), count=1, crop=8)
    with pytest.raises(LeakageError, match=r"seed 2 would be trained on and validated on"):
        fit(small(), Denoising(), leaves, settings, validation=shared)
    on_purpose = Validation(Denoising(), DeadLeaves(1, size=16, seed=2), count=1, crop=8, seen=True)
    assert fit(small(), Denoising(), leaves, settings, validation=on_purpose).finished


def test_half_precision_inside_leaves_weights_and_answers_whole() -> None:
    found = {}
    for precision in ("float32", "bfloat16"):
        net = WitnessHead(md.nets.UNet(1, 2, widths=(4, 4)), md.neural.InUnitsOfWeight())
        settings = Training(steps=8, batch=2, crop=16, loss=GapLoss(), precision=precision, average=None)
        run = fit(net, Denoising(), DeadLeaves(2, size=24), settings)
        assert net.autocast is None and all(p.dtype == torch.float32 for p in net.parameters())
        found[precision] = [row["loss"] for row in run.record]
    assert found["float32"] != found["bfloat16"]
    assert found["float32"] == pytest.approx(found["bfloat16"], rel=0.02)
    with pytest.raises(InputError, match="keep their precision"):
        fit(
            Unrolled(md.solvers.PrimalDual(), 2, [StepSizes()]),
            Denoising(),
            DeadLeaves(2, size=24),
            Training(steps=1, batch=2, crop=16, precision="bfloat16"),
        )


def test_a_reference_that_is_not_exact_is_still_said() -> None:
    with pytest.warns(MindlWarning, match="not exact"):
        Validation(Denoising(), DeadLeaves(1, size=16), count=1, crop=12, stop=md.Stop(1e-6, steps=1))


# What does not go together, and what must be said


LEAVES = DeadLeaves(3, size=24)
SHORT = Training(steps=1, batch=2, crop=12)


def noisy(count: int = 3, **beside: Any) -> Observed:
    return Observed(Images(random_image(count, 1, 16, 16)), noise=0.2, **beside)


def test_solutions_of_another_task_are_refused() -> None:
    found = solved(Denoising(), LEAVES, count=4, crop=12)
    for task in (Denoising(model_of=md.models.huber_rof), Denoising(noise=(0.4, 0.4)), Inpainting()):
        with pytest.raises(InputError, match="posed by another task"):
            fit(small(), task, found, replace(SHORT, loss=SolutionLoss()))


def test_a_network_knows_the_noise_that_it_was_trained_on() -> None:
    net = small()
    source = md.data.Together(noisy(2), noisy(3))
    fit(net, Denoising(), source, replace(SHORT, loss=Noise2Self()))
    assert net.trained is not None and net.trained.noise == (0.2, 0.2)
    assert net.trained.weight == pytest.approx((0.15, 0.15))
    fit(net, Denoising(), LEAVES, SHORT)
    assert net.trained.noise == (NOISE, NOISE)


def test_what_is_shared_by_parts_of_scenes_is_leakage() -> None:
    """The noisy images are the same; what is known besides is not."""
    second, clean = (Images(random_image(3, 1, 16, 16, seed=seed)) for seed in (1, 2))
    examine = Validation(Denoising(), noisy(clean=clean), count=2, crop=12)
    with pytest.raises(LeakageError):
        fit(small(), Denoising(), noisy(second=second), replace(SHORT, loss=Noise2Noise()), validation=examine)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": Noise2Self(spacing=13)}, "leaves no pixel to judge in crops of 12"),
        ({"task": Inpainting(), "loss": Noise2Self()}, "in inpainting most are not known"),
        ({"task": Inpainting(), "loss": SURE()}, "SURE needs the level of the noise"),
        ({"loss": GapLoss()}, "GapLoss needs a network that gives a dual field"),
        ({"loss": ResidualLoss()}, "SmoothEnergy"),
        ({"net": Unrolled(md.solvers.PrimalDual(), 2)}, "has nothing to learn"),
        (
            {"net": Unrolled(md.solvers.PrimalDual(), 2, [StepSizes()]), "precision": "bfloat16"},
            "keep their precision",
        ),
        ({"task": Denoising(model_of=lambda f, w: md.models.rof(f, w)), "workers": 1}, "top level of a module"),
        ({"validation": Validation(Denoising(), DeadLeaves(1, size=12, channels=3), count=1, crop=12)}, "channel"),
        (
            {
                "validation": Validation(Denoising(), noisy(1), count=1, crop=12),
                "early_stop": EarlyStop(1),
            },
            "needs a validation with clean images",
        ),
        ({"watch": print}, "stepped"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_trained_leaves_nothing_behind(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    net, task = change.pop("net", small()), change.pop("task", Denoising())
    given = {name: change.pop(name) for name in ("validation", "watch") if name in change}
    with pytest.raises((InputError, ViewError), match=message):
        fit(net, task, DeadLeaves(3, size=24), replace(SHORT, **change), folder=tmp_path / "run", **given)
    assert not list(tmp_path.iterdir())


def test_frozen_parts_and_first_weights_belong_to_a_run(tmp_path: Path) -> None:
    class Stops:
        def stepped(self, row: Any, steps: int) -> None:
            raise RuntimeError("power cut")

        def skipped(self, name: str, why: str) -> None: ...

    def frozen(start: Direct | None = None) -> Direct:
        net = small()
        next(net.parameters()).requires_grad_(False)
        if start is not None:
            md.store.transfer(net, start)
        return net

    other = Direct(md.nets.PlainCNN(1, 1, width=6, depth=3, seed=4), Start(), title="the other")
    settings, folder = replace(SHORT, steps=3, check_every=1), tmp_path / "run"
    with pytest.raises(RuntimeError, match="power cut"):
        fit(frozen(other), Denoising(), LEAVES, settings, folder=folder, watch=Stops())
    with pytest.raises(InputError, match=r"net.begun_with was 'the other', is None"):
        fit(frozen(), Denoising(), LEAVES, settings, folder=folder, resume=True)
    free = frozen(other)
    next(free.parameters()).requires_grad_(True)
    with pytest.raises(InputError, match=r"net.frozen was \['network"):
        fit(free, Denoising(), LEAVES, settings, folder=folder, resume=True)
    net = frozen(other)
    assert fit(net, Denoising(), LEAVES, settings, folder=folder, resume=True).finished
    assert torch.equal(next(net.parameters()), next(other.parameters()))


def test_with_an_early_stop_the_validation_belongs_to_a_run(tmp_path: Path) -> None:
    unseen = DeadLeaves(1, size=12, seed=50)
    settings = replace(SHORT, steps=2, check_every=1)
    for early, refused in ((None, False), (EarlyStop(5), True)):
        folder = tmp_path / str(early)
        examine = [Validation(Denoising(), unseen, count=1, crop=12, seed=seed) for seed in (0, 1)]
        changed = replace(settings, early_stop=early)
        fit(small(), Denoising(), LEAVES, changed, folder=folder, validation=examine[0])
        if refused:
            with pytest.raises(InputError, match=r"validation.seed was 0, is 1"):
                fit(small(), Denoising(), LEAVES, changed, folder=folder, validation=examine[1], resume=True)
        else:
            fit(small(), Denoising(), LEAVES, changed, folder=folder, validation=examine[1], resume=True)


def test_a_stored_network_is_not_taken_for_a_run(tmp_path: Path) -> None:
    stored = md.save(small(), tmp_path / "net")
    before = sorted(path.name for path in stored.iterdir())
    with pytest.raises(InputError, match="a stored network"):
        fit(small(), Denoising(), LEAVES, SHORT, folder=stored)
    assert sorted(path.name for path in stored.iterdir()) == before
    with pytest.raises(InputError, match="holds something else than solved problems"):
        (tmp_path / "photos").mkdir()
        (tmp_path / "photos" / "a.png").write_bytes(b"")
        solved(Denoising(), LEAVES, count=2, crop=12, folder=tmp_path / "photos")
    with pytest.raises(TrainingError, match="No image can be used"):
        solved(Denoising(), LEAVES, count=2, crop=99, folder=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_more_problems_go_on_from_fewer(tmp_path: Path) -> None:
    few = solved(Denoising(), LEAVES, count=33, crop=8, folder=tmp_path / "s")
    more = solved(Denoising(), LEAVES, count=65, crop=8, folder=tmp_path / "s")
    assert all(torch.equal(few.sample(i)["solution"], more.sample(i)["solution"]) for i in range(33))
    assert few.fingerprint() != more.fingerprint() and few.digest(4) == more.digest(4) in {
        LEAVES.digest(i) for i in range(3)
    }


@pytest.mark.parametrize(
    "make",
    [
        lambda: Images(None),
        lambda: Images(torch.rand(1, 1, 4, 4) * 255),
        lambda: md.data.Together([LEAVES, LEAVES]),
        lambda: Observed(torch.rand(500, 1, 8, 8)),
        lambda: Observed(LEAVES, noise="0.1"),
        lambda: DeadLeaves("3"),
        lambda: Phantoms(2.5),
        lambda: md.data.Memory("4"),
        lambda: md.data.Mapped(5),
        lambda: md.data.find(""),
        lambda: md.data.inspect(["a.png"], crop="64"),
        lambda: md.data.split(LEAVES, {"train": 1.0}),
        lambda: Training(clip="a"),
        lambda: Training(average="x"),
        lambda: Training(batch=True),
        lambda: Adam(rate="x"),
        lambda: Adam(decay=float("nan")),
        lambda: SGD(nesterov="no"),
        lambda: SURE(step="a"),
        lambda: EarlyStop(measure=[]),
        lambda: Denoising(noise=("a", "b")),
        lambda: Validation(LEAVES, Denoising()),
        lambda: Validation(Denoising(), LEAVES, crop=-5),
        lambda: solved(LEAVES, Denoising()),
        lambda: solved(Denoising(), LEAVES, crop=-1),
        lambda: solved(Denoising(), LEAVES, solver="pd"),
        lambda: solved(Denoising(), LEAVES, folder=5),
        lambda: rate_range(Denoising(), small(), LEAVES),
        lambda: rate_range(small(), Denoising(), LEAVES, smallest="a"),
        lambda: rate_range(Unrolled(md.solvers.PrimalDual(), 2), Denoising(), LEAVES),
        lambda: fit(small(), Denoising(), LEAVES, SHORT, folder=5),
        lambda: fit(small(), Denoising(), LEAVES, SHORT, folder=""),
        lambda: Stream(LEAVES, Denoising(), batch="2", crop=8, crops_per_image=1, seed=0),
        lambda: Stream("odd", Denoising(), batch=2, crop=8, crops_per_image=1, seed=0),
        lambda: md.save(small(), 5),
        lambda: md.save(small(), ""),
        lambda: md.save(small(), "unet-rof"),
        lambda: md.save(small(), "x", card=5),
        lambda: md.save(small(), "x", record="rows"),
        lambda: md.store.transfer(small(), {"weight": torch.zeros(500)}),
        lambda: md.store.export(md.models.rof, "x.pt2", small()),
        lambda: md.store.export(small(), 5, md.models.rof),
    ],
)
def test_wrong_arguments_get_one_short_sentence(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        make()
    assert len(str(caught.value)) < 320 and "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_run_that_is_begun_anew_begins_with_its_own_weights(tmp_path: Path) -> None:
    """Of the one before, which did no step, nothing is left."""
    fit(small(), Denoising(), LEAVES, replace(SHORT, steps=0), folder=tmp_path / "run")
    nets = [Direct(md.nets.PlainCNN(1, 1, width=6, depth=3, seed=9), Start()) for _ in range(2)]
    fit(nets[0], Denoising(), LEAVES, SHORT)
    fit(nets[1], Denoising(), LEAVES, SHORT, folder=tmp_path / "run")
    assert all(torch.equal(a, b) for a, b in zip(*(net.parameters() for net in nets), strict=True))


@pytest.mark.parametrize(
    ("loss", "model"), [(SupervisedLoss(), None), (SURE(), None), (Noise2Self(), None), (EnergyLoss(), "rof")]
)
def test_what_learned_images_is_trained_for_no_model(loss: Loss, model: str | None) -> None:
    """Or it would be taken for a poor solver of the model that its problems were posed in."""
    net = Direct(md.nets.UNet(1, 1, widths=(4, 4)), Start())
    md.fit(net, Denoising(), DeadLeaves(2, size=24), Training(steps=1, batch=1, crop=16, loss=loss), monitor=None)
    assert net.trained is not None and net.trained.model == model and net.trained.noise is not None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The reference of the validation is not exact")
@pytest.mark.parametrize("name", sorted(set(RECIPES) - {f"denoise-{approach.name}" for approach in APPROACHES}))
def test_every_recipe_trains_stores_and_is_loaded(name: str, tmp_path: Path) -> None:
    recipe = RECIPES[name]
    settings = replace(recipe.training, steps=2, batch=1, crop=32, crops_per_image=1, check_every=2)
    brief = replace(recipe, training=settings, leaves=2, solved=min(recipe.solved, 2))
    run = train(brief, tmp_path / "run")
    assert run.finished and all(p.isfinite().all() for p in run.net.parameters())
    assert recipe.about[1:] in (tmp_path / "run" / "model" / "README.md").read_text()
    again = md.load(tmp_path / "run" / "model")
    assert repr(again) == repr(run.net) and again.trained == run.net.trained
    assert (again.trained.model is None) == recipe.training.loss.learns_images
