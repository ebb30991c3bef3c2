"""A network's image and dual field as the start of a solver, against the best cold start, by size."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from mindl.app.science.problems import NOISE, WEIGHT_PER_NOISE, Unseen, noisy, square
from mindl.app.science.tables import Table, middle, seconds
from mindl.models import Candidate, Model, rof
from mindl.neural import NeuralSolver, Unrolled
from mindl.neural.neural_solver import in_use
from mindl.solvers import ADMM, PrimalDual, Solver, Stop, cascadic_start, minimise
from mindl.store import load

SIZES = (128, 256, 512, 1024)
TOLERANCE = 1e-4
STEP_SIZES = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0)
PENALTIES = (2.0, 5.0, 10.0)
"""The best of them counts, for the cold start and for the network's."""

METHODS: dict[str, list[Solver[Any, Any]]] = {
    "primal-dual": [PrimalDual(step_size=size) for size in STEP_SIZES],
    "ADMM": [ADMM(penalty=penalty) for penalty in PENALTIES],
}

STARTS = {
    "cold": "the data, dual field 0",
    "coarse": "coarser grids first",
    "image": "image of `unet-rof`, dual field 0",
    "both": "image and dual field of `unet-rof`",
    "steps": "image and dual field of `steps-rof`",
}


def finishing(unseen: Unseen) -> tuple[Table, Table]:
    """Steps on all images; and steps and seconds by size, on the photograph that ships."""
    net, learned = load("unet-rof"), load("steps-rof")
    inside = {"image": _steps_inside(net), "both": _steps_inside(net), "steps": _steps_inside(learned)}
    models = [rof(noisy(unseen.image(i), i), WEIGHT_PER_NOISE * NOISE) for i in range(len(unseen))]
    found = [_steps(net, learned, model) for model in models]
    steps = {
        (start, method): middle([each[start][method] for each in found]) for start in STARTS for method in METHODS
    }
    best = min(steps[start, method] for method in METHODS for start in ("cold", "coarse"))
    rows = []
    for start, told in STARTS.items():
        counted = min(steps[start, method] for method in METHODS) + inside.get(start, 0)
        each = [f"{steps[start, method]:.0f}" for method in METHODS]
        rows.append((told, *each, f"{counted:.0f}", f"{1 - counted / best:+.0%}"))
    sizes = ", ".join(f"{s:g}" for s in STEP_SIZES)
    first = Table(
        "finish",
        "How many steps a start saves",
        ("start", *METHODS, "best, with those inside the network", "saved against the best cold start"),
        rows,
        f"Steps to a gap of {TOLERANCE:g}, total variation denoising, noise 25/255; medians over {unseen.about}, "
        f"checked after every step. For every start the best of the step sizes {sizes} (primal-dual) and of the "
        f"penalties {', '.join(f'{p:g}' for p in PENALTIES)} (ADMM).",
        found,
    )
    return first, _by_size(net)


def _steps(net: NeuralSolver, learned: NeuralSolver, model: Model) -> dict[str, dict[str, int]]:
    with in_use(net), in_use(learned):
        answer, nearer = net(model), learned(model)
    starts = {
        "cold": Candidate(model.start()),
        "coarse": cascadic_start(model),
        "image": Candidate(answer.image),
        "both": answer,
        "steps": nearer,
    }
    return {
        name: {method: min(to_the_end(model, start, s) for s in solvers) for method, solvers in METHODS.items()}
        for name, start in starts.items()
    }


def to_the_end(model: Model, start: Candidate, solver: Solver[Any, Any]) -> int:
    """Steps to the tolerance."""
    stop = Stop(TOLERANCE, steps=500, every=1)
    return int(minimise(model, solver, start, stop=stop).steps.max())


def _by_size(net: NeuralSolver) -> Table:
    return Table(
        "sizes",
        "Time to a certificate, by size",
        ("image", "solver alone", "network", "and then the solver", "both in parts of the solver alone"),
        [_of_size(net, side) for side in SIZES],
        f"To a gap of {TOLERANCE:g}; medians of 5 runs, {torch.get_num_threads()} thread(s).",
    )


def _of_size(net: NeuralSolver, side: int) -> tuple[str, ...]:
    model, stop = rof(noisy(square(side), 0), WEIGHT_PER_NOISE * NOISE), Stop(TOLERANCE)
    with in_use(net):
        begin = net(model)

    def answered() -> float:
        begun = time.perf_counter()
        with in_use(net):
            net(model)
        return time.perf_counter() - begun

    alone = _seconds(lambda: minimise(model, stop=stop).seconds)
    first = _seconds(answered)
    then = _seconds(lambda: minimise(model, PrimalDual(step_size=0.1), begin, stop=stop).seconds)
    return (f"{side} x {side}", seconds(alone), seconds(first), seconds(then), f"{(first + then) / alone:.1f}")


def _seconds(run: Callable[[], float]) -> float:
    """The median of five runs, after one that nobody counts."""
    run()
    return middle([run() for _ in range(5)])


def _steps_inside(net: NeuralSolver) -> int:
    """The solver's steps that belong to the network."""
    unrolled = net if isinstance(net, Unrolled) else getattr(net, "steps", None)
    return unrolled.steps if isinstance(unrolled, Unrolled) else 0
