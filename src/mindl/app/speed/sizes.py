"""Works on memory and size: one sweep at 4K, and growth from 256 x 256 to 8192 x 8192 pixels."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from statistics import median

from mindl.app.speed.chapters import Point, Sizes, Stage, Sweep, Sweeps
from mindl.app.speed.contender import OWN, PLAIN, Contender, Verdict
from mindl.app.speed.contests import SEED_OF_MASK, SEED_OF_NOISE, SIGMA, WEIGHT, by_minimising
from mindl.app.speed.measure import copy_bandwidth, plain_torch, run, swept
from mindl.app.speed.peers import gather, scikit_image_rof, sparse_harmonic
from mindl.app.speed.pictures import photograph, sized
from mindl.core.arrays import Image
from mindl.images import GaussianNoise, random_mask
from mindl.models import Candidate, SaddlePoint, harmonic_inpainting, rof
from mindl.solvers import PrimalDual

BYTES = 36
"""Of one primal-dual step, a grey pixel in float32: p (2), u, its extrapolation and the data are read, the first
four are written."""

SWEEPS = 20
"""Steps that are timed together."""

LARGEST_OF_OTHERS = 2048
ITERATIONS = 700
"""What scikit-image needs for the photograph that ships, at 512 x 512 and with the noise here."""

ASKED_SHARE, ASKED_GROWTH = 0.6, 1.3
FROM, TO = 2048, 8192


def sweep(stage: Stage) -> Sweeps:
    """Primal-dual steps on 3840 x 2160 pixels, beside a copy of memory."""
    settings = stage.settings
    height, width = settings.side(2160), settings.side(3840)
    title = f"ROF sweep, {width} x {height}, float32"
    noisy = GaussianNoise(SIGMA)(sized(photograph(settings), height, width), seed=SEED_OF_NOISE)
    model = rof(noisy, WEIGHT)
    view, solver = model.view(SaddlePoint), PrimalDual()
    stage.tell(f"{title}: copy bandwidth")
    before = copy_bandwidth(settings)
    ways: tuple[tuple[str, Callable[[], AbstractContextManager[None]]], ...] = (
        (OWN, nullcontext),
        (PLAIN, plain_torch),
    )
    states = {name: solver.begin(view, Candidate(model.start())) for name, _ in ways}
    taken: dict[str, list[float]] = {name: [] for name, _ in ways}
    for k in range(settings.repeat + 1):
        for name, within in ways:
            stage.tell(f"{title}: {name}, run {k} of {settings.repeat}")
            with within():
                begun = time.perf_counter()
                states[name] = solver.advance(view, states[name], SWEEPS)
                taken[name].append((time.perf_counter() - begun) / SWEEPS)
    found = [Sweep(name, tuple(times[1:])) for name, times in taken.items()]
    copy = max(before, copy_bandwidth(settings))
    told = (
        f"{BYTES} bytes a pixel and step: p, u, extrapolated u and data are read, all but the data written.",
        f"Copy bandwidth of {settings.threads} threads in this run: {copy / 1e9:.1f} GB/s read and written.",
        "Above 100 %: several steps share one passage through memory.",
    )
    result = Sweeps("sweep", title, told, tuple(found), BYTES * height * width, copy, ())
    share = result.share(found[0])
    verdict = Verdict("copy bandwidth used by a sweep", f"{ASKED_SHARE:.0%}", f"{share:.0%}", share >= ASKED_SHARE)
    return replace(result, verdicts=stage.verdicts([verdict]))


def grow(stage: Stage) -> Sizes:
    """Time of ROF (relative gap 1e-4) and of harmonic inpainting (residual 1e-6, 5 % known) by size."""
    settings = stage.settings
    photo = photograph(settings)
    sides = (32, 64) if settings.quick else (256, 512, 1024, 2048, 4096, 8192)
    points: list[Point] = []
    missing: dict[str, None] = {}
    for model, make in (("ROF", _denoisers), ("harmonic inpainting", _inpainters)):
        tired: set[str] = set()
        for side in sides:
            contenders, absent = make(sized(photo, side, side))
            missing.update(dict.fromkeys(absent))
            for contender in contenders:
                if contender.name in tired or (contender.name != OWN and side > LARGEST_OF_OTHERS):
                    continue
                stage.tell(f"{model} at {side} x {side}: {contender.name}")
                points.append(_point(model, contender, side, settings.repeat))
                if contender.name != OWN and 4 * points[-1].total > settings.limit:
                    tired.add(contender.name)
    told = (
        "Own times are those of whole calls, last proof included. The others end at 2048 x 2048, or where a run "
        "would exceed the limit.",
        f"scikit-image takes {ITERATIONS} iterations at every size.",
    )
    verdicts = [_growth(points, model) for model in ("ROF", "harmonic inpainting")]
    return Sizes("growth", "time by size", told, tuple(points), stage.verdicts(verdicts), tuple(missing))


def _point(model: str, contender: Contender, side: int, repeat: int) -> Point:
    with swept():
        run(contender, contender.efforts[0])
        runs = [run(contender, contender.efforts[0]).without_image() for _ in range(repeat)]
    proof = median(each.answer.proof for each in runs)
    return Point(model, contender.name, side, tuple(each.seconds for each in runs), proof, runs[-1].answer.steps)


def _denoisers(photo: Image) -> tuple[list[Contender], list[str]]:
    noisy = GaussianNoise(SIGMA)(photo, seed=SEED_OF_NOISE)
    own = [
        by_minimising(OWN, lambda: rof(noisy, WEIGHT), (1e-4,)),
        by_minimising(PLAIN, lambda: rof(noisy, WEIGHT), (1e-4,), within=plain_torch),
    ]
    others, missing = gather([scikit_image_rof(noisy, WEIGHT)])
    return [*own, *(replace(each, efforts=(ITERATIONS,)) for each in others[:1])], missing


def _inpainters(photo: Image) -> tuple[list[Contender], list[str]]:
    mask = random_mask(photo.shape[2], photo.shape[3], 0.05, seed=SEED_OF_MASK)
    own = [
        by_minimising(OWN, lambda: harmonic_inpainting(photo, mask), (1e-6,)),
        by_minimising(PLAIN, lambda: harmonic_inpainting(photo, mask), (1e-6,), within=plain_torch),
    ]
    others, missing = gather(sparse_harmonic(photo, mask, 1e-6, direct=False))
    return [*own, *(replace(each, efforts=(1e-6,)) for each in others)], missing


def _growth(points: list[Point], model: str) -> Verdict:
    """By how much a pixel costs more in the largest image."""
    own = {each.side: each.per_pixel for each in points if each.model == model and each.contender == OWN}
    goal, asked = f"{model}, time a pixel at {TO} / {FROM}", f"< {ASKED_GROWTH:g} x"
    if not {FROM, TO} <= set(own):
        return Verdict(goal, asked, "not measured", None)
    growth = own[TO] / own[FROM]
    return Verdict(goal, asked, f"{growth:.2f} x", growth < ASKED_GROWTH)
