"""Networks that solve a model: how near they come, and against the solver at equal energy."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from mindl.app.break_even import BreakEven, break_even
from mindl.app.race import courses, everyone
from mindl.app.science.problems import POSED, Unseen, stored
from mindl.app.science.tables import Table, middle, seconds
from mindl.models import UNPROVED_INPAINTING, Energy, Model
from mindl.neural import NeuralSolver
from mindl.neural.neural_solver import in_use
from mindl.solvers import Stop, certify, choose, steady_state

EXACT, ROUGH = Stop(1e-5, steps=3000), Stop(1e-3, steps=1000)
"""What the reference is asked for: of models with a certificate, and of those that are slow."""

SIDE = 256
"""Images of slow models are cut to this side, from their middle."""

TOLERANCE = 1e-3
"""To which networks are finished, and solvers run alone, where time is taken."""


def networks(weights: Path | None) -> Iterator[tuple[str, NeuralSolver]]:
    """What ships, or is stored there, and was trained to solve a model, with the model's name."""
    for net in stored(weights):
        if net.trained is not None and net.trained.model in POSED:
            yield net.trained.model, net


def solving(unseen: Unseen, timed: int, weights: Path | None) -> tuple[Table, Table]:
    """How near, on all images; and in what time, on the first few."""
    near: list[tuple[str, ...]] = []
    pays: list[tuple[str, ...]] = []
    raw_near: list[dict[str, Any]] = []
    raw_pays: list[dict[str, Any]] = []
    for name, net in networks(weights):
        found = [_judged(net, _posed(name, unseen, i)) for i in range(len(unseen))]
        excess, rms = ([each[k] for each in found] for k in (0, 1))
        count = sum(parameter.numel() for parameter in net.parameters())
        proved = f"{middle(rms):.2f}" if middle(rms) < math.inf else "nothing"
        near.append((net.title, name, f"{count:,}", f"{middle(excess):.3%}", f"{max(excess):.3%}", proved))
        raw_near.append({"net": net.title, "model": name, "excess": excess, "rms": rms})
        if _posed(name, unseen, 0).why_not(Energy) is None:
            duels = [_duel(net, name, _posed(name, unseen, i)) for i in range(min(timed, len(unseen)))]
            pays.append(_row(duels))
            raw_pays += [duel.record() for duel in duels]
    about = f"{unseen.about}; noise of 25/255 and weight 0.75 times the noise, or 5 % of the pixels known."
    first = Table(
        "solving",
        "How near a network comes to the model that it solves",
        ("network", "model", "parameters", "energy excess, median", "worst", "proved rms, median"),
        near,
        "Energy excess is (E(u) - E*) / (E(start) - E*), below 0 where the solver stops at a worse stationary "
        f"point; for EED the same of squared distances. Proved: grey levels, without any solver's step. {about}",
        raw_near,
    )
    second = Table(
        "time",
        "When it pays",
        (
            "network",
            "model",
            "network alone",
            "solver to the same energy",
            f"network, then solver, to {TOLERANCE:g}",
            f"solver alone to {TOLERANCE:g}",
            "pays",
        ),
        pays,
        f"Medians over {min(timed, len(unseen))} images, {torch.get_num_threads()} thread(s). {about}",
        raw_pays,
    )
    return first, second


def _posed(name: str, unseen: Unseen, index: int) -> Model:
    clean = unseen.image(index)
    if name in UNPROVED_INPAINTING:
        top, left = (max(n - SIDE, 0) // 2 for n in clean.shape[2:])
        clean = clean[..., top : top + SIDE, left : left + SIDE]
    return POSED[name](clean, index)


def _judged(net: NeuralSolver, model: Model) -> tuple[float, float]:
    """Excess and proved distance of the network's answer."""
    stop = ROUGH if model.title in UNPROVED_INPAINTING else EXACT
    reference = steady_state(model, stop=stop)
    with in_use(net):
        candidate = net(model)
    if model.why_not(Energy) is not None:
        first = model.start()
        away = [float((u - reference.unknown).double().square().sum()) for u in (candidate.image, first)]
        return away[0] / away[1], math.inf
    energy = model.view(Energy).checked_energy
    with torch.no_grad():
        here, least, begin = (float(energy(u)) for u in (candidate.image, reference.unknown, model.start()))
    return (here - least) / (begin - least), float(certify(model, candidate, effort=0).rms)


def _duel(net: NeuralSolver, name: str, model: Model) -> BreakEven:
    solver, _ = choose(model)
    found = everyone(model, name, [net], {solver.title: solver}, TOLERANCE, quiet=True)
    methods = list(zip(found, courses(found, model), strict=True))
    alone = next(method for each, method in methods if each.alone)
    cold = next(method for each, method in methods if each.net is None)
    finished = next(method for each, method in methods if each.first is not None)
    shape = model.start().shape
    size = (shape[3], shape[2])
    return break_even(name, size, torch.get_num_threads(), [cold], alone, finished, TOLERANCE)


def _row(duels: list[BreakEven]) -> tuple[str, ...]:
    times = [
        middle([duel.alone.seconds for duel in duels]),
        middle([duel.alone.solver_seconds for duel in duels]),
        middle([duel.duels[-1].seconds for duel in duels]),
        middle([duel.duels[-1].solver_seconds for duel in duels]),
    ]
    told = ["never" if math.isinf(t) else seconds(t) for t in times]
    share = sum(duel.pays for duel in duels)
    return (duels[0].net, duels[0].model, *told, f"{share} of {len(duels)}")
