"""Works that follow a flow to a time: at the accuracy of the explicit scheme, in how much less time?"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from mindl.app.speed.chapters import Contest, Stage
from mindl.app.speed.contender import Answer, Contender, Faster, Solve
from mindl.app.speed.contests import SEED_OF_NOISE, SIGMA, Task, hold
from mindl.app.speed.measure import Judge, plain_torch
from mindl.app.speed.pictures import photograph, sized
from mindl.calculus import PeronaMalik
from mindl.core.arrays import GREY_LEVELS, Image
from mindl.images import GaussianNoise
from mindl.models import Flow, edge_enhancing_diffusion, nonlinear_diffusion
from mindl.solvers import AOS, FED, FSI, Explicit, Scheme, SemiImplicit, evolve

PLAIN_EXPLICIT = "plain torch, explicit"
FINE = 16
"""Steps of the reference for each of the largest stable size."""
LENGTHS = (20, 14, 10, 7, 5, 4, 3, 2, 1)
STEPS = (4.0, 1.0, 0.25)


def diffuse(stage: Stage) -> Contest:
    """Nonlinear isotropic diffusion by Perona and Malik."""

    def flow(image: Image) -> Flow:
        return nonlinear_diffusion(image, PeronaMalik(4 / 255))

    extra = {"mindl, AOS": (AOS, STEPS), "mindl, semi-implicit": (SemiImplicit, STEPS)}
    return _follow(stage, "diffusion", "nonlinear diffusion", flow, 10.0, extra)


def enhance_edges(stage: Stage) -> Contest:
    """Edge-enhancing diffusion."""
    return _follow(stage, "eed", "edge-enhancing diffusion", edge_enhancing_diffusion, 10.0, {})


def _follow(
    stage: Stage,
    name: str,
    what: str,
    flow: Callable[[Image], Flow],
    until: float,
    extra: Mapping[str, tuple[Callable[[Any], Scheme[Any]], tuple[float, ...]]],
) -> Contest:
    side = stage.settings.side(512)
    photo = sized(photograph(stage.settings), side, side)
    noisy = GaussianNoise(SIGMA)(photo, seed=SEED_OF_NOISE)
    title = f"{what} to time {until:g}, {side} x {side}, sigma 25"
    stage.tell(f"{title}: reference")
    judge = distance_to_reference(flow(noisy.double()), until)

    def by(
        scheme: Callable[[Any], Scheme[Any]],
        efforts: tuple[float, ...],
        label: str,
        effort: str,
        within: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> Contender:
        def prepare() -> Solve:
            problem = flow(noisy)

            def solve(effort: float) -> Answer:
                with within():
                    found = evolve(problem, scheme(effort), until)
                return Answer(found.image, found.steps)

            return solve

        return Contender(label, prepare, efforts, effort)

    plain = by(lambda _: Explicit(), (1,), PLAIN_EXPLICIT, "", plain_torch)
    stage.tell(f"{title}: accuracy of the explicit scheme")
    target = judge(plain.prepare()(1).image) * 1.001  # other roundings are no other accuracy
    own = [
        by(lambda _: Explicit(), (1,), "mindl, explicit", ""),
        by(lambda n: FED(int(n)), LENGTHS, "mindl, FED", "cycles of {:g}"),
        by(lambda n: FSI(int(n)), LENGTHS, "mindl, FSI", "cycles of {:g}"),
        *(by(scheme, efforts, label, "steps of {:g}") for label, (scheme, efforts) in extra.items()),
    ]
    mine = tuple(each.name for each in own)
    stable = flow(noisy).stable_step
    told = (
        f"Accuracy: rms distance in grey levels to a reference in float64: explicit steps of {stable}/{FINE} and "
        f"twice that, extrapolated to 0. To reach: that of explicit steps of {stable}, the largest stable ones.",
    )
    task = Task(name, title, "rms", target, judge, told, photo)
    return hold(task, [*own, plain], [], [Faster(PLAIN_EXPLICIT, 20, mine)], stage, mine)


def distance_to_reference(flow: Flow, until: float) -> Judge:
    """Rms distance in grey levels to the flow's image, found with steps so fine that their error is negligible."""
    stable = flow.stable_step
    assert stable
    fine, coarse = (evolve(flow, Explicit(share * stable / FINE), until).image for share in (1, 2))
    reference = 2 * fine - coarse  # the error of explicit steps is proportional to their size

    def judge(image: Image) -> float:
        return GREY_LEVELS * math.sqrt(float((image.double() - reference).square().mean()))

    return judge
