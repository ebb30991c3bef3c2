"""Images of 16384 x 16384 pixels, each in a process of its own, whose peak of memory is read in its end."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from mindl.app.speed.chapters import Point, Sizes, Stage
from mindl.app.speed.contender import OWN, Verdict
from mindl.app.speed.contests import SEED_OF_MASK, SEED_OF_NOISE, SIGMA, WEIGHT
from mindl.app.speed.measure import Settings
from mindl.app.speed.pictures import photograph, sized
from mindl.images import GaussianNoise, random_mask
from mindl.models import Variational, harmonic_inpainting, rof

SIDE = 16384
ASKED = 24.0
"""GB."""

MODELS = {"ROF": "relative gap 1e-4", "harmonic inpainting": "5 % known, true residual 1e-4"}


def fill_memory(stage: Stage) -> Sizes:
    """One run of each model."""
    side = stage.settings.side(SIDE)
    points = []
    for model in MODELS:
        stage.tell(f"{model} at {side} x {side}, in a process of its own")
        points.append(_apart(model, side, stage.settings))
    told = tuple(f"{model}: {what}." for model, what in MODELS.items())
    verdicts = [_fits(point) for point in points]
    return Sizes("huge", f"{side} x {side} pixels", told, tuple(points), stage.verdicts(verdicts))


def _fits(point: Point) -> Verdict:
    goal, asked = f"{point.model}: peak of memory", f"< {ASKED:g} GB"
    if point.memory is None:
        return Verdict(goal, asked, point.outcome or "not known on this system", None)
    return Verdict(goal, asked, f"{point.memory:.1f} GB", point.memory < ASKED and point.outcome == "certified")


def _apart(model: str, side: int, settings: Settings) -> Point:
    """Solve in a child, which prints a line of JSON; a child that was ended says so in the outcome."""
    words = [model, str(side), str(settings.threads), str(settings.data or "")]
    done = subprocess.run(
        [sys.executable, "-m", "mindl.app.speed.huge", *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        return Point(
            model, OWN, side, (float("nan"),), outcome=f"ended with status {done.returncode} {last}".strip()
        )
    facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return Point(
        model,
        OWN,
        side,
        (facts["seconds"],),
        facts["proof"],
        facts["steps"],
        facts["memory"],
        facts["outcome"],
    )


def _child(name: str, side: int, threads: int, data: str) -> None:
    """What happens in the child."""
    from pathlib import Path

    import torch

    from mindl.solvers import Stop, minimise

    torch.set_num_threads(threads)
    model = _model(name, side, Settings(threads=threads, data=Path(data) if data else None))
    begun = time.perf_counter()
    solution = minimise(model, stop=Stop(1e-4))
    wall = time.perf_counter() - begun
    facts = {
        "seconds": wall,
        "proof": wall - solution.seconds,
        "steps": int(solution.steps.max()),
        "memory": peak(),
        "outcome": solution.outcome.value,
    }
    sys.stdout.write(json.dumps(facts) + "\n")


def _model(name: str, side: int, settings: Settings) -> Variational:
    photo = sized(photograph(settings), side, side)
    if name == "ROF":
        return rof(GaussianNoise(SIGMA)(photo, seed=SEED_OF_NOISE), WEIGHT)
    return harmonic_inpainting(photo, random_mask(side, side, 0.05, seed=SEED_OF_MASK))


def peak() -> float | None:
    """The most memory that this process has held, in GB; None where the system does not say."""
    try:
        import resource
    except ImportError:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e9 if sys.platform == "darwin" else most * 1024 / 1e9


if __name__ == "__main__":
    _child(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
