"""The demo's second half: a network learns to solve a model in about a minute."""

from __future__ import annotations

from pathlib import Path

from mindl.app.report import Row, say
from mindl.app.train import TrainingProgress
from mindl.core.arrays import Image
from mindl.data import DeadLeaves
from mindl.images import GaussianNoise, grey, psnr, write
from mindl.learning import (
    Adam,
    Cosine,
    Denoising,
    EnergyLoss,
    Training,
    Validation,
    best_linear_filter,
    energy_excess,
    fit,
)
from mindl.models import rof
from mindl.nets import UNet
from mindl.neural import InUnitsOfWeight, NeuralSolver, WitnessHead, answer, finisher
from mindl.plot import Panel
from mindl.solvers import PrimalDual, Solution, Stop, minimise, write_answer
from mindl.store import load, save, shipped

SIGMA, RATIO = 25 / 255, 0.75
"""Noise, and the weight in parts of it."""

TOLERANCE, EXACT = 1e-4, 1e-6

LEAVES, LEAF_SIZE = 32, 128
TRAINING = Training(
    steps=1000,
    batch=12,
    crop=48,
    loss=EnergyLoss(),
    optimiser=Adam(rate=8e-3),
    schedule=Cosine(warmup=50),
    average=0.98,
    check_every=200,
)


def teach(photo: Image, folder: Path, *, quiet: bool) -> tuple[list[Row], list[Panel]]:
    """Train on dead leaves, store, load again, and answer on the grey photograph; rows and panels.

    The network sees neither the photograph nor a solution of the model: its loss is the model's energy.
    """
    net = load(save(_trained(quiet), folder / "net", overwrite=True))
    clean = grey(photo)
    noisy = GaussianNoise(SIGMA)(clean, seed=1)
    model = rof(noisy, RATIO * SIGMA)
    exact = minimise(model, PrimalDual(), stop=Stop(EXACT)).image

    def row(solution: Solution) -> Row:
        excess = energy_excess(model, solution.image, exact)
        return Row.of(solution, "", "grey", float(psnr(solution.image, clean)), excess=excess)

    linear = best_linear_filter(model).image
    solved = minimise(model, PrimalDual(), stop=Stop(TOLERANCE))
    answered = answer(model, net, TOLERANCE)
    given = Row.given("grey, best linear filter", float(psnr(linear, clean)), energy_excess(model, linear, exact))
    rows = [
        given,
        row(solved),
        row(answered),
        row(answer(model, net, TOLERANCE, finish=finisher(model))),
        row(answer(model, load(shipped()["unet-rof"]), TOLERANCE)),
    ]
    write(folder / "network.png", answered.image)
    write_answer(folder / "network.answer.npz", answered)
    return rows, [
        Panel(linear, "best linear filter", _caption(given)),
        Panel(answered.image, "network of the demo", _caption(rows[2])),
        Panel(solved.image, "rof, primal-dual", _caption(rows[1])),
    ]


def _trained(quiet: bool) -> NeuralSolver:
    task = Denoising(noise=(SIGMA, SIGMA), weight_per_noise=(RATIO, RATIO))
    net = WitnessHead(UNet(1, 2, widths=(16, 24), blocks=1), InUnitsOfWeight(), title="demo-net")
    say(f"training {net!r} on dead leaves by the model's energy alone: about a minute", quiet=quiet)
    validation = Validation(task, DeadLeaves(2, size=LEAF_SIZE, seed=LEAVES), count=2, crop=LEAF_SIZE)
    with TrainingProgress("training", quiet=quiet) as progress:
        run = fit(net, task, DeadLeaves(LEAVES, size=LEAF_SIZE), TRAINING, validation=validation, watch=progress)
    if not run.finished:
        raise KeyboardInterrupt
    return run.net


def _caption(row: Row) -> str:
    assert row.excess is not None
    return f"PSNR {row.psnr:.2f} dB, energy excess {100 * row.excess:.2f} %"
