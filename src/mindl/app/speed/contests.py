"""Works in which several ways lead to one answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from mindl.app.speed.chapters import Contest, Stage
from mindl.app.speed.contender import (
    OWN,
    PLAIN,
    TOLERANCE,
    Answer,
    Contender,
    Faster,
    FewSteps,
    Goal,
    Sharper,
    Solve,
)
from mindl.app.speed.measure import Judge, measure, plain_torch, plan, swept
from mindl.app.speed.peers import (
    Peer,
    gather,
    opencv_inpainting,
    pyproximal_rof,
    scikit_image_biharmonic,
    scikit_image_rof,
    sparse_harmonic,
)
from mindl.app.speed.pictures import photograph, sized
from mindl.core.arrays import Image, Mask
from mindl.images import GaussianNoise, random_mask
from mindl.models import Variational, biharmonic_inpainting, harmonic_inpainting, rof
from mindl.models.certificate import DualWitness, verify
from mindl.models.model import Model
from mindl.solvers import ConjugateGradient, Solver, Stop, minimise

SIGMA, WEIGHT = 25 / 255, 0.08
SEED_OF_NOISE, SEED_OF_MASK = 1, 7
PLAIN_CG = "mindl, plain CG"
RESIDUAL = ("Accuracy: the true residual |b - A u| / |b|, in float64.",)
STEPS = 100_000
"""Never the reason to stop."""


@dataclass(frozen=True, eq=False)
class Task:
    """What the contenders of a contest are set, and by whom they are judged."""

    name: str
    title: str
    measure: str
    target: float
    judge: Judge
    told: tuple[str, ...] = ()
    truth: Image | None = None


def hold(
    task: Task,
    own: Sequence[Contender],
    peers: Sequence[Peer],
    goals: Sequence[Goal],
    stage: Stage,
    mine: tuple[str, ...] = (OWN,),
) -> Contest:
    """Find everyone's least effort, then measure all in rounds."""
    others, missing = gather(peers)

    def tell(what: str) -> None:
        stage.tell(f"{task.title}: {what}")

    with swept():
        plans = [plan(each, task.judge, task.target, stage.settings, tell) for each in (*own, *others)]
        found = measure(plans, task.judge, task.target, stage.settings, tell, task.truth)
    measured = {each.contender: each for each in found}
    verdicts = stage.verdicts([goal.judge(measured) for goal in goals])
    told = (*task.told, *(f"{each.contender}: {each.note}." for each in found if each.note))
    head = (task.name, task.title, task.measure, task.target, told)
    return Contest(*head, tuple(found), verdicts, mine, tuple(missing))


def by_minimising(
    name: str,
    model: Callable[[], Model],
    efforts: tuple[float, ...],
    solver: Solver[Any, Any] | None = None,
    *,
    within: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Contender:
    """``minimise`` as a user calls it; efforts are tolerances. ``within`` may switch the fused sweeps off."""

    def prepare() -> Solve:
        with within():
            problem = model()

        def solve(effort: float) -> Answer:
            begun = time.perf_counter()
            with within():
                solution = minimise(problem, solver, stop=Stop(effort, steps=STEPS))
            wall = time.perf_counter() - begun
            return Answer(solution.image, int(solution.steps.max()), wall - solution.seconds)

        return solve

    return Contender(name, prepare, efforts, TOLERANCE)


def denoise(stage: Stage) -> Contest:
    """ROF on 512 x 512 pixels to a relative gap of 1e-4."""
    side = stage.settings.side(512)
    photo = sized(photograph(stage.settings), side, side)
    noisy = GaussianNoise(SIGMA)(photo, seed=SEED_OF_NOISE)
    title = f"ROF, {side} x {side}, sigma 25, weight {WEIGHT}"
    stage.tell(f"{title}: reference")
    judge, proved = gap_to_reference(rof(noisy.double(), WEIGHT))

    def model() -> Model:
        return rof(noisy, WEIGHT)

    efforts = (1e-2, 1e-3, 1e-4)
    own = [by_minimising(OWN, model, efforts), by_minimising(PLAIN, model, efforts, within=plain_torch)]
    goals = [
        Faster("scikit-image, Chambolle", 100),
        Faster("PyProximal, tuned", 100),
        Faster("PyProximal, constant", 100),
        Faster(PLAIN, 5),
    ]
    told = (f"Accuracy: relative duality gap with one reference dual, whose own gap is {proved:.1e}.",)
    task = Task("rof", title, "gap", 1e-4, judge, told, photo)
    return hold(task, own, [scikit_image_rof(noisy, WEIGHT), pyproximal_rof(noisy, WEIGHT)], goals, stage)


def gap_to_reference(model: Variational) -> tuple[Judge, float]:
    """A bound of (E(u) - E*) / E(u) by a dual field found to 1e-8, and the gap that this was found with."""
    reference = minimise(model, stop=Stop(1e-8, steps=STEPS, every=50)).require()
    assert reference.dual is not None
    witness = DualWitness(reference.dual)
    return (
        lambda image: float(verify(model, image.double(), witness).relative.max()),
        float(reference.certificate.relative.max()),
    )


def true_residual(model: Variational) -> Judge:
    """|b - A u| / |b| in float64; infinite where a known pixel was changed."""
    return lambda image: float(verify(model, image.double()).relative.max())


def inpaint(stage: Stage) -> Contest:
    """Harmonic inpainting of 512 x 512 pixels, 5 % known, to a true residual of 1e-6."""
    task, photo, mask = _filling(stage, "harmonic", 512, 0.05)
    goals = [Faster("PyAMG", 30), Faster("SciPy, direct", 100), Faster(PLAIN, 5)]
    own = [_harmonic(photo, mask), _harmonic(photo, mask, name=PLAIN, within=plain_torch)]
    return hold(task, own, sparse_harmonic(photo, mask, task.target), goals, stage)


def inpaint_large(stage: Stage) -> Contest:
    """The same on 2048 x 2048 pixels, against methods that are known for their speed."""
    task, photo, mask = _filling(stage, "large", 2048, 0.05)
    goals = [Faster("OpenCV, Telea", 5), Sharper("OpenCV, Telea")]
    peers = [opencv_inpainting(photo, mask, stage.settings.threads)]
    return hold(task, [_harmonic(photo, mask)], peers, goals, stage)


def inpaint_sparse(stage: Stage) -> Contest:
    """The same with 0.1 % known, where multigrid matters; to 1e-5, since in float32 rounding hides less."""
    task, photo, mask = _filling(stage, "sparse", 2048, 0.001, 1e-5)
    efforts = (1e-3, 1e-5)
    own = [_harmonic(photo, mask, efforts), _harmonic(photo, mask, efforts, PLAIN_CG, ConjugateGradient())]
    return hold(task, own, [], [Faster(PLAIN_CG, 5), FewSteps(15)], stage)


def inpaint_biharmonic(stage: Stage) -> Contest:
    """Biharmonic inpainting of 256 x 256 pixels, 5 % known, in float64 to a true residual of 1e-8."""
    side, known = stage.settings.side(256), 0.05
    photo = sized(photograph(stage.settings), side, side).double()
    mask = random_mask(side, side, known, seed=SEED_OF_MASK)
    title = f"biharmonic inpainting, {side} x {side}, {100 * known:g} % known, float64"

    def model() -> Model:
        return biharmonic_inpainting(photo, mask)

    efforts = (1e-4, 1e-6, 1e-8)
    own = [by_minimising(OWN, model, efforts), by_minimising(PLAIN, model, efforts, within=plain_torch)]
    judge = true_residual(biharmonic_inpainting(photo, mask))
    task = Task("biharmonic", title, "residual", 1e-8, judge, RESIDUAL, photo)
    peers = [scikit_image_biharmonic(photo, mask)]
    return hold(task, own, peers, [Faster("scikit-image, biharmonic", 20)], stage)


def _filling(stage: Stage, name: str, pixels: int, known: float, target: float = 1e-6) -> tuple[Task, Image, Mask]:
    """A task of harmonic inpainting, its photograph and its mask."""
    side = stage.settings.side(pixels)
    photo = sized(photograph(stage.settings), side, side)
    mask = random_mask(side, side, known, seed=SEED_OF_MASK)
    title = f"harmonic inpainting, {side} x {side}, {100 * known:g} % known"
    judge = true_residual(harmonic_inpainting(photo.double(), mask))
    return Task(name, title, "residual", target, judge, RESIDUAL, photo), photo, mask


def _harmonic(
    photo: Image,
    mask: Mask,
    efforts: tuple[float, ...] = (1e-2, 1e-4, 1e-6),
    name: str = OWN,
    solver: Solver[Any, Any] | None = None,
    *,
    within: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Contender:
    return by_minimising(name, lambda: harmonic_inpainting(photo, mask), efforts, solver, within=within)
