"""Learned models: what they remove of the noise, with how many parameters, and what is certified of it."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mindl.app.science.problems import NOISE, WEIGHT_PER_NOISE, Unseen, noisy, stored
from mindl.app.science.tables import Table, seconds
from mindl.core.arrays import Image
from mindl.core.errors import OutsideRangeWarning
from mindl.images import psnr
from mindl.models import Model, rof
from mindl.neural import LearnedModel, NeuralSolver, answer
from mindl.solvers import Solution, Stop, minimise

LEVELS = (15 / 255, NOISE, 50 / 255)
"""Noise at which networks are judged, each where it was trained for it."""

EXACT = Stop(1e-4, steps=5000)


def denoisers(unseen: Unseen, weights: Path | None) -> Table:
    """PSNR of every stored network that learned images; of learned energies the certified minimiser, too."""
    contest = _Contest(unseen)
    contest.enter("noisy", None, lambda model: model.start())
    contest.enter("`rof`", 1, lambda model: minimise(model, stop=EXACT))
    for net in sorted(filter(learned_images, stored(weights)), key=_size):
        contest.enter(f"`{net.title}`", _size(net), _answers(net), net)
        if isinstance(net, LearnedModel):
            contest.enter(f"`{net.title}`, its minimiser", _size(net), _solves(net), net)
    return contest.table()


def learned_images(net: NeuralSolver) -> bool:
    """Whether a network learned what images look like rather than a model's solution."""
    return net.trained is not None and net.trained.model is None


def _size(net: NeuralSolver) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def _answers(net: NeuralSolver) -> Callable[[Model], Image]:
    def of(model: Model) -> Image:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OutsideRangeWarning)  # a range of one level has rounding at its ends
            return answer(model, net, steps=0).image

    return of


def _solves(net: LearnedModel) -> Callable[[Model], Solution]:
    return lambda model: minimise(net.learned(model), stop=EXACT)


class _Contest:
    """Everyone on all images at all levels that it knows."""

    def __init__(self, unseen: Unseen) -> None:
        self._about = unseen.about
        self._clean = [unseen.image(i) for i in range(len(unseen))]
        self._rows: list[tuple[str, ...]] = []
        self._raw: list[dict[str, Any]] = []

    def enter(
        self,
        name: str,
        count: int | None,
        solve: Callable[[Model], Image | Solution],
        net: NeuralSolver | None = None,
    ) -> None:
        """Judge one."""
        found = {level: self._judge(solve, level) for level in LEVELS if net is None or _knows(net, level)}
        cells = [f"{found[level][0]:.2f} dB" if level in found else "" for level in LEVELS]
        solutions = [solution for _, _, solved in found.values() for solution in solved]
        proved = ""
        if solutions:
            said = "" if all(s.outcome.certified for s in solutions) else ", not all of them"
            proved = f"{max(float(s.certificate.rms) for s in solutions):.2g}{said}"
        took = max((taken for _, taken, _ in found.values()), default=0.0)
        size = "" if count is None else f"{count:,}"
        self._rows.append((name, size, *cells, proved, "" if count is None else seconds(took)))
        decibels = {f"{255 * level:g}": found[level][0] for level in found}
        self._raw.append({"name": name, "parameters": count, "psnr": decibels, "proved": proved})

    def _judge(
        self, solve: Callable[[Model], Image | Solution], level: float
    ) -> tuple[float, float, list[Solution]]:
        """Mean PSNR, seconds for an image, and the solutions where there are some."""
        total, taken, solutions = 0.0, 0.0, []
        for index, clean in enumerate(self._clean):
            model = rof(noisy(clean, index, level), WEIGHT_PER_NOISE * level)
            begun = time.perf_counter()
            found = solve(model)
            taken += time.perf_counter() - begun
            if isinstance(found, Solution):
                solutions.append(found)
            total += float(psnr(found.image if isinstance(found, Solution) else found, clean))
        return total / len(self._clean), taken / len(self._clean), solutions

    def table(self) -> Table:
        """Of everyone who was judged."""
        levels = [f"noise {255 * level:g}" for level in LEVELS]
        return Table(
            "denoisers",
            "Models that were learned",
            ("model", "parameters", *levels, "certified, worst rms", "an image"),
            self._rows,
            "PSNR at noise of so many 255ths, neither rounded nor clipped, where a network was trained for it. "
            f"Certified: distance to the model's minimiser in grey levels. Means over {self._about}.",
            self._raw,
        )


def _knows(net: NeuralSolver, level: float) -> bool:
    known = None if net.trained is None else net.trained.noise
    return known is None or known[0] * 0.999 <= level <= known[1] * 1.001
