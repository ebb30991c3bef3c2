"""How time is taken: first calls, a search for the least effort, then rounds of runs that count."""

from __future__ import annotations

import gc
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
import torch

from mindl.app.speed.contender import ITERATIONS, TOLERANCE, Answer, Contender, Measurement, Trial
from mindl.core.arrays import Image
from mindl.images import psnr

SWITCH = "MINDL_KERNELS"

NOTHING = torch.zeros(1, 1, 1, 1)

Tell = Callable[[str], None]
"""Shows a person what is going on."""


@dataclass(frozen=True)
class Settings:
    """How much is measured.

    Args:
        quick: a sixteenth of every size: to try it out.
        repeat: runs that count, each.
        threads: processor threads of whoever uses more than one.
        limit: seconds; no effort is doubled beyond it.
        data: a folder whose largest photograph is taken instead of the one that ships.
    """

    quick: bool = False
    repeat: int = 5
    threads: int = 2
    limit: float = 60.0
    data: Path | None = None

    def side(self, pixels: int) -> int:
        """A length in pixels, or a sixteenth of it."""
        return max(pixels // 16, 32) if self.quick else pixels


@contextmanager
def swept() -> Iterator[None]:
    """What lives already is no garbage: within it, collecting what a run leaves takes no time."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def plain_torch() -> Iterator[None]:
    """Within it no fused sweep is used."""
    before = os.environ.get(SWITCH)
    os.environ[SWITCH] = "off"
    try:
        yield
    finally:
        if before is None:
            del os.environ[SWITCH]
        else:
            os.environ[SWITCH] = before


@dataclass(frozen=True, eq=False)
class Run:
    """One run: the answer, and how long set-up and solving took."""

    answer: Answer
    setup: float
    solve: float

    @property
    def seconds(self) -> float:
        """The whole wall time."""
        return self.setup + self.solve + self.answer.proof

    def without_image(self) -> Run:
        """The times alone: images of all runs would fill the memory."""
        return replace(self, answer=replace(self.answer, image=NOTHING))


def run(contender: Contender, effort: float) -> Run:
    """Set up and solve, once. What the last proof took is not in ``solve``, nor the collection of garbage."""
    gc.collect()
    begun = time.perf_counter()
    solve = contender.prepare()
    ready = time.perf_counter()
    answer = solve(effort)
    ended = time.perf_counter()
    return Run(answer, ready - begun, ended - ready - answer.proof)


Judge = Callable[[Image], float]
"""The accuracy of an answer; less is better."""


@dataclass(frozen=True)
class Plan:
    """The effort that a contender is to be timed with, and how it was found."""

    contender: Contender
    effort: float
    trials: tuple[Trial, ...]
    compile: float

    def said(self, steps: int | None) -> str:
        """The effort for a person; of a tolerance, the steps that it took."""
        if self.contender.effort == TOLERANCE and steps is not None:
            return ITERATIONS.format(steps)
        return self.contender.effort.format(self.effort)


def plan(contender: Contender, judge: Judge, target: float, settings: Settings, tell: Tell) -> Plan:
    """The least effort that reaches the target; the dearest that was tried where none does."""
    cheapest = contender.efforts[0]
    tell(f"{contender.name}, first call")
    first, second = run(contender, cheapest), run(contender, cheapest)

    def attempt(effort: float) -> Trial:
        tell(f"{contender.name}, trial {contender.effort.format(effort)}")
        found = second if effort == cheapest else run(contender, effort)
        return Trial(effort, found.seconds, judge(found.answer.image))

    trials = search(attempt, contender, target, settings.limit)
    met = [trial.effort for trial in trials if trial.accuracy <= target]
    effort = min(met) if met and contender.effort == ITERATIONS else trials[-1].effort
    longer = first.seconds - second.seconds
    ordered = tuple(sorted(trials, key=lambda trial: trial.seconds))
    return Plan(contender, effort, ordered, longer if longer > 0.3 * second.seconds + 0.05 else 0.0)


def measure(
    plans: Sequence[Plan], judge: Judge, target: float, settings: Settings, tell: Tell, truth: Image | None
) -> list[Measurement]:
    """Time every contender: round after round, so that whatever else the computer does hits all alike."""
    runs: list[list[Run]] = [[] for _ in plans]
    for k in range(settings.repeat):
        for each, done in zip(plans, runs, strict=True):
            tell(f"{each.contender.name}, run {k + 1} of {settings.repeat}")
            done[:] = [*(before.without_image() for before in done), run(each.contender, each.effort)]
    return [_measured(*pair, judge, target, truth) for pair in zip(plans, runs, strict=True)]


def _measured(each: Plan, runs: list[Run], judge: Judge, target: float, truth: Image | None) -> Measurement:
    """What the runs of a contender come to; its last answer is judged."""
    answer = runs[-1].answer
    begun = time.perf_counter()
    accuracy = judge(answer.image)
    judging = time.perf_counter() - begun
    return Measurement(
        contender=each.contender.name,
        effort=each.effort,
        said=each.said(answer.steps),
        accuracy=accuracy,
        reached=accuracy <= target,
        setup=tuple(run.setup for run in runs),
        solve=tuple(run.solve for run in runs),
        proof=median(run.answer.proof for run in runs),
        compile=each.compile,
        judging=judging,
        psnr=None if truth is None else _finite(float(psnr(answer.image.to(truth.dtype), truth))),
        steps=answer.steps,
        note=each.contender.note,
        trials=each.trials,
    )


def search(attempt: Callable[[float], Trial], contender: Contender, target: float, limit: float) -> list[Trial]:
    """Efforts in turn until one reaches the target, none does within the limit, or nothing is gained any more.

    Iterations are then halved in ever smaller shares, until the number is known to an eighth.
    """
    trials: list[Trial] = []
    counted = contender.effort == ITERATIONS
    for effort in contender.efforts:
        trials.append(attempt(effort))
        idle = counted and len(trials) > 2 and trials[-1].accuracy > 0.98 * trials[-3].accuracy
        tired = contender.effort != TOLERANCE and 2 * trials[-1].seconds > limit
        if trials[-1].accuracy <= target or tired or idle:
            break
    if not counted or len(trials) < 2 or trials[-1].accuracy > target:
        return trials
    low, high = trials[-2].effort, trials[-1].effort
    while high > 1.125 * low:
        trials.append(attempt(round(math.sqrt(low * high))))
        low, high = (low, trials[-1].effort) if trials[-1].accuracy <= target else (trials[-1].effort, high)
    return trials


def doubling(first: int, times: int = 14) -> tuple[int, ...]:
    """Efforts for a search: first, 2 first, 4 first, ..."""
    return tuple(first << k for k in range(times))


def copy_bandwidth(settings: Settings) -> float:
    """Bytes read and written in a second when large arrays are copied by all threads.

    The faster of two ways, as a median of 15 each: PyTorch's own threads, and NumPy in as many of Python's.
    """
    count = (1 << 22) if settings.quick else (1 << 26)
    source, target = torch.rand(count), torch.zeros(count)
    a, b = source.numpy(), target.numpy()
    cuts = [count * k // settings.threads for k in range(settings.threads + 1)]
    parts = [slice(*pair) for pair in pairwise(cuts)]
    with ThreadPoolExecutor(settings.threads) as pool:
        ways: tuple[Callable[[], object], ...] = (
            lambda: target.copy_(source),
            lambda: list(pool.map(lambda part: np.copyto(b[part], a[part]), parts)),
        )
        seconds = min(median(seconds_of(way) for _ in range(15)) for way in ways)
    return 2 * source.element_size() * count / seconds


def seconds_of(call: Callable[[], object]) -> float:
    """Wall time of a call."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
