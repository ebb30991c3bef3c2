"""Solvers whose steps have learned, against as many well-tuned plain ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from rich.console import Console

from mindl.app.science.problems import NOISE, WEIGHT_PER_NOISE, Unseen, noisy
from mindl.app.science.tables import Table, middle
from mindl.data import DeadLeaves
from mindl.learning import Adam, Denoising, EnergyLoss, GapLoss, Loss, Training, fit
from mindl.models import Candidate, Energy, Model, SaddlePoint, charbonnier, rof
from mindl.neural import (
    DualCorrection,
    Extrapolation,
    Freedom,
    NeuralSolver,
    SplinePenaliser,
    StepSizes,
    Unrolled,
)
from mindl.neural.neural_solver import in_use
from mindl.solvers import (
    FSI,
    AcceleratedGradient,
    DualFISTA,
    LaggedDiffusivity,
    PrimalDual,
    Solver,
    Stop,
    minimise,
)
from mindl.store import load, shipped

STEP_SIZES = (0.1, 0.2, 0.3, 0.5, 0.8, 1.5, 3.0)
CONTRAST = 5 / 255
"""Of Charbonnier's penaliser; the weight of total variation times 1 / contrast gives the same slope beyond it."""


@dataclass(frozen=True)
class Contest:
    """Plain solvers, the best of which counts, and what is set free of one of them.

    Attributes:
        name: of the method.
        model_of: makes the model of data and weight.
        weight_per_noise: its weight, in parts of the noise.
        steps: how many; a cycle of FSI counts as its inner steps.
        plain: networks that learned nothing, by name.
        learned: networks to be trained, by what is set free.
        loss: by which they learn.
        stored: weights that ship and belong here, too.
    """

    name: str
    model_of: Callable[..., Model]
    weight_per_noise: float
    steps: int
    plain: dict[str, Unrolled]
    learned: dict[str, Callable[[], Unrolled]]
    loss: Loss
    stored: str | None = None


def _unrolled(solver: Solver[Any, Any], steps: int, *free: Callable[[], Freedom]) -> Callable[[], Unrolled]:
    return lambda: Unrolled(solver, steps, [make() for make in free])


def _smooth(data: Any, weight: Any) -> Model:
    return charbonnier(data, weight, CONTRAST)


CONTESTS = (
    Contest(
        "primal-dual, rof",
        rof,
        WEIGHT_PER_NOISE,
        10,
        {
            **{f"step size {s:g}": Unrolled(PrimalDual(step_size=s), 10) for s in STEP_SIZES},
            "dual FISTA": Unrolled(DualFISTA(), 10),
        },
        {
            "step sizes": _unrolled(PrimalDual(step_size=0.5), 10, StepSizes),
            "and extrapolation": _unrolled(PrimalDual(step_size=0.5), 10, StepSizes, Extrapolation),
            "and dual corrections": _unrolled(
                PrimalDual(step_size=0.5), 10, StepSizes, Extrapolation, DualCorrection
            ),
        },
        GapLoss(),
        "steps-rof",
    ),
    Contest(
        "accelerated gradient, charbonnier",
        _smooth,
        WEIGHT_PER_NOISE / CONTRAST,
        10,
        {"as it is": Unrolled(AcceleratedGradient(), 10)},
        {
            "step sizes and extrapolation": _unrolled(AcceleratedGradient(), 10, StepSizes, Extrapolation),
            "the same, without bounds": _unrolled(
                AcceleratedGradient(), 10, partial(StepSizes, bounded=False), partial(Extrapolation, bounded=False)
            ),
            "one of each for all steps, without bounds": _unrolled(
                AcceleratedGradient(),
                10,
                partial(StepSizes, shared=True, bounded=False),
                partial(Extrapolation, shared=True, bounded=False),
            ),
        },
        EnergyLoss(),
    ),
    Contest(
        "FSI, charbonnier",
        _smooth,
        WEIGHT_PER_NOISE / CONTRAST,
        10,
        {
            "2 cycles of 5": Unrolled(FSI(5), 2),
            "1 cycle of 10": Unrolled(FSI(10), 1),
            "5 cycles of 2": Unrolled(FSI(2), 5),
        },
        {"step sizes and extrapolation": _unrolled(FSI(5), 2, StepSizes, Extrapolation)},
        EnergyLoss(),
    ),
    Contest(
        "lagged diffusivity, charbonnier",
        _smooth,
        WEIGHT_PER_NOISE / CONTRAST,
        5,
        {"as it is": Unrolled(LaggedDiffusivity(), 5)},
        {"diffusivity": _unrolled(LaggedDiffusivity(), 5, SplinePenaliser)},
        EnergyLoss(),
    ),
)


def steps(unseen: Unseen, training: int, console: Console) -> Table:
    """Train what learns, and compare with the best of the plain ones."""
    rows: list[tuple[str, ...]] = []
    raw: list[dict[str, Any]] = []
    for contest in CONTESTS:
        models = [
            contest.model_of(noisy(unseen.image(i), i), contest.weight_per_noise * NOISE)
            for i in range(len(unseen))
        ]
        judge = _judge(contest.loss, models)
        plain = {name: judge(net) for name, net in contest.plain.items()}
        best = min(plain, key=lambda name: plain[name])
        rows.append((contest.name, f"plain, {best}", "0", f"{contest.steps}", f"{plain[best]:.3%}", "1"))
        raw.append({"contest": contest.name, "plain": plain})
        nets: dict[str, NeuralSolver] = {}
        for name, make in contest.learned.items():
            console.print(f"{contest.name}, {name}: {training} steps of training", highlight=False)
            nets[f"learned: {name}"] = _trained(make(), contest, training)
        if contest.stored in shipped():
            nets[f"`{contest.stored}`"] = load(contest.stored)
        for name, net in nets.items():
            found = judge(net)
            count = sum(parameter.numel() for parameter in net.parameters())
            rows.append(("", name, f"{count:,}", f"{contest.steps}", f"{found:.3%}", f"{plain[best] / found:.1f}"))
            raw.append({"contest": contest.name, "net": name, "found": found})
    return Table(
        "steps",
        "So many steps, plain and learned",
        ("method", "what is learned", "parameters", "steps", "gap or excess", "times smaller"),
        rows,
        f"Primal-dual: the duality gap in parts of the energy of the data; others: energy excess. Medians over "
        f"{unseen.about}. Learned here: {training} steps on 8 crops of 48 x 48 of dead leaves.",
        raw,
    )


def _judge(loss: Loss, models: Sequence[Model]) -> Callable[[NeuralSolver], float]:
    """The median gap, or the median excess."""
    if isinstance(loss, GapLoss):
        return lambda net: middle([_gap(net, model) for model in models])
    exact = [_energy(model, minimise(model, stop=Stop(1e-5, steps=3000)).image) for model in models]
    first = [_energy(model, model.start()) for model in models]

    def excess(net: NeuralSolver) -> float:
        found = []
        for model, least, begin in zip(models, exact, first, strict=True):
            with in_use(net):
                found.append((_energy(model, net(model).image) - least) / (begin - least))
        return middle(found)

    return excess


def _gap(net: NeuralSolver, model: Model) -> float:
    view: SaddlePoint = model.view(SaddlePoint)
    with in_use(net):
        found: Candidate = net(model)
        dual = found.dual
        assert dual is not None
        dual = view.feasible(dual)
        gap = view.data_gap(found.image, dual).sum() + view.field_gap(found.image, dual).sum()
    return float(gap) / _energy(model, model.start())


def _energy(model: Model, image: Any) -> float:
    with torch.no_grad():
        return float(model.view(Energy).checked_energy(image))


def _trained(net: Unrolled, contest: Contest, training: int) -> Unrolled:
    ratio = (contest.weight_per_noise, contest.weight_per_noise)
    task = Denoising(model_of=contest.model_of, weight_per_noise=ratio)
    settings = Training(
        steps=training, batch=8, crop=48, loss=contest.loss, optimiser=Adam(rate=1e-2), average=0.98
    )
    fit(net, task, DeadLeaves(32, size=96), settings, monitor=None)
    return net
