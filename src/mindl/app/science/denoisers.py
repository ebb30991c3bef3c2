"""Learned models: what they remove of the noise, with how many parameters, and what is certified of it."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

from mindl.app.science.problems import NOISE, WEIGHT_PER_NOISE, Unseen, noisy
from mindl.app.science.tables import Table, seconds
from mindl.core.errors import OutsideRangeWarning
from mindl.images import psnr
from mindl.models import rof
from mindl.neural import LearnedModel, NeuralSolver, answer
from mindl.solvers import Stop, minimise
from mindl.store import load, shipped
from mindl.store.folder import CONFIG

EXACT = Stop(1e-4, steps=5000)


def denoisers(unseen: Unseen, weights: Path | None) -> Table:
    """PSNR of every stored network that learned images; of learned energies the certified minimiser, too."""
    folders = [path.parent for path in sorted(weights.glob(f"*/{CONFIG}"))] if weights is not None else []
    nets = [load(name) for name in shipped()] + [load(folder) for folder in folders]
    rows: list[tuple[str, ...]] = []
    raw: list[dict[str, Any]] = []
    noise = [noisy(unseen.image(i), i) for i in range(len(unseen))]
    clean = [unseen.image(i) for i in range(len(unseen))]
    models = [rof(data, WEIGHT_PER_NOISE * NOISE) for data in noise]

    def told(name: str, count: str, images: list[Any], took: float, proved: str) -> None:
        found = sum(float(psnr(u, c)) for u, c in zip(images, clean, strict=True)) / len(clean)
        rows.append((name, count, f"{found:.2f} dB", proved, seconds(took / len(clean))))
        raw.append({"name": name, "psnr": found})

    told("noisy", "", noise, 0.0, "")
    begun = time.perf_counter()
    solutions = [minimise(model, stop=EXACT) for model in models]
    rms = max(float(s.certificate.rms) for s in solutions)
    told("`rof`", "1", [s.image for s in solutions], time.perf_counter() - begun, f"certified, {rms:.2g}")
    for net in nets:
        if not learned_images(net):
            continue
        count = f"{sum(parameter.numel() for parameter in net.parameters()):,}"
        begun = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OutsideRangeWarning)
            answers = [answer(model, net, steps=0).image for model in models]
        told(f"`{net.title}`", count, answers, time.perf_counter() - begun, "nothing")
        if isinstance(net, LearnedModel):
            begun = time.perf_counter()
            solutions = [minimise(net.learned(model), stop=EXACT) for model in models]
            rms = max(float(s.certificate.rms) for s in solutions)
            said = "certified" if all(s.outcome.certified for s in solutions) else "not all certified"
            images = [s.image for s in solutions]
            told(f"`{net.title}`, its minimiser", count, images, time.perf_counter() - begun, f"{said}, {rms:.2g}")
    return Table(
        "denoisers",
        "Models that were learned",
        ("model", "parameters", "PSNR", "proved, worst rms", "an image"),
        rows,
        f"Noise of 25/255, neither rounded nor clipped; means over {unseen.about}.",
        raw,
    )


def learned_images(net: NeuralSolver) -> bool:
    """Whether a network learned what images look like rather than a model's solution."""
    return net.trained is not None and net.trained.model is None
