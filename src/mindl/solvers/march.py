"""Time steps one after the other: all of one length, or as short as a proved error asks for."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import torch

from mindl.core.arrays import GREY_LEVELS, Image, PerImage, finite
from mindl.core.errors import InputError, NonFiniteError
from mindl.models.candidate import Candidate
from mindl.models.flow import Flow
from mindl.models.flow_views import ConvexFlow
from mindl.models.time_steps import error_after
from mindl.solvers.scheme import Moment, Scheme

MOST_STEPS = 1_000_000
"""More steps than this are a mistake in the units of time."""

ATTEMPTS = 12
"""How often a march is begun again with finer steps."""

Watcher = Callable[[float, Image], None]


@dataclass(frozen=True, eq=False)
class March:
    """Where a flow has come: the image, the proved error (2-norm), the times, and the errors there."""

    image: Image
    error: PerImage
    times: list[float]
    errors: list[PerImage]
    work: int

    @property
    def steps(self) -> int:
        """How many steps."""
        return len(self.times) - 1


def covering(view: Flow, scheme: Scheme[Any], time: float) -> tuple[int, float]:
    """How many steps of one length cover a time, and that length.

    Raises:
        InputError: more than a million.
    """
    span = scheme.span(view)
    if time > span * MOST_STEPS:
        raise InputError(
            f"{scheme!r} covers {span:g} with a step of {view.title}: the time {time:g} would take more than "
            f"{MOST_STEPS} of them."
        )
    steps = max(math.ceil(time / span - 1e-9), 1) if time else 0
    return steps, time / max(steps, 1)


def march(view: Flow, scheme: Scheme[Any], first: Image, time: float, watch: Watcher) -> March:
    """Steps of one length; the error is infinite where the flow is not convex."""
    steps, duration = covering(view, scheme, time)
    moment = scheme.begin(view, Candidate(first))
    error = torch.zeros(first.shape[0], dtype=torch.float64, device=first.device)
    times, errors = [0.0], [error]
    watch(0.0, moment.image)
    for k in range(steps):
        following = replace(_finite(view, scheme, moment, duration), time=duration * (k + 1))
        if isinstance(view, ConvexFlow):
            error = error_after(view, moment.image, following.image, duration, error, following.dual)
        else:
            error = torch.full_like(error, torch.inf)
        moment = following
        times.append(moment.time)
        errors.append(error)
        watch(moment.time, moment.image)
    return March(moment.image, error, times, errors, moment.work)


def march_accurately(
    view: ConvexFlow, scheme: Scheme[Any], first: Image, time: float, accuracy: float, watch: Watcher | None
) -> March:
    r"""Steps that keep the proved error below ``accuracy`` grey levels rms, those of each image on their own.

    A step may enlarge the square of the error by a fixed share. An increase goes with the third power of the
    step, so that equal shares make the fewest steps for a given sum. The sum is not known before: where it
    turns out too large, the march is begun again with a smaller share.

    Raises:
        InputError: the accuracy is out of reach for the type of the image, or for the tolerance of the scheme.
    """
    goal = accuracy / GREY_LEVELS * math.sqrt(first[0].numel())
    marches = []
    for b in range(first.shape[0]):
        marches.append(_one(view.only(b), scheme, first[b : b + 1], time, goal, accuracy, keep=watch is not None))
        for t, image in marches[-1].seen:
            cast(Watcher, watch)(t, image)
        marches[-1].seen.clear()
    longest = max(marches, key=lambda each: each.steps)
    return March(
        torch.cat([each.image for each in marches]),
        torch.tensor([each.errors[-1] for each in marches], dtype=torch.float64, device=first.device),
        longest.times,
        [torch.tensor([each.error_at(t) for each in marches], dtype=torch.float64) for t in longest.times],
        max(each.work for each in marches),
    )


@dataclass(frozen=True, eq=False)
class _Single:
    """The march of one image; ``seen`` holds its images for a watcher, if there is one."""

    image: Image
    times: list[float]
    errors: list[float]
    seen: list[tuple[float, Image]]
    work: int

    @property
    def steps(self) -> int:
        return len(self.times) - 1

    def error_at(self, time: float) -> float:
        """The bound at the end of the step in which a time lies."""
        return self.errors[bisect_left(self.times, time)]


def _one(
    view: ConvexFlow, scheme: Scheme[Any], first: Image, time: float, goal: float, accuracy: float, *, keep: bool
) -> _Single:
    share = goal * goal / 64
    for _ in range(ATTEMPTS):
        found, steps = _controlled(view, scheme, first, time, share, goal, keep=keep)
        if found is not None:
            return found
        if share == 0 or not math.isfinite(steps):
            break
        # The number of steps goes with the third root of the share: so that steps times share meet the goal.
        share *= min(0.8 * (goal * goal / (share * steps)) ** 1.5, 0.5)
    raise InputError(
        f"evolve(accuracy={accuracy:g}) is out of reach: rounding, or what {scheme!r} leaves unsolved, costs more "
        "however short the steps are. float64 images (image.double()) or a finer tolerance of the scheme may help."
    )


def _controlled(
    view: ConvexFlow, scheme: Scheme[Any], first: Image, time: float, share: float, goal: float, *, keep: bool
) -> tuple[_Single | None, float]:
    """One attempt; None, and a guess of its steps, once the goal is missed; infinite: no length helps."""
    span, moment = scheme.span(view), scheme.begin(view, Candidate(first))
    error = torch.zeros(1, dtype=torch.float64, device=first.device)
    times, errors = [0.0], [0.0]
    seen = [(0.0, moment.image)] if keep else []
    length, refused = min(span, time), math.inf
    while moment.time < time:
        left = time - moment.time
        length = left if left <= 1.001 * length else min(length, left / 2) if left < 2 * length else length
        following = _finite(view, scheme, moment, length)
        further = error_after(view, moment.image, following.image, length, error, following.dual)
        increase = float(further * further - error * error)
        ratio = 0.9 * (share / increase) ** (1 / 3) if increase > 0 else 2.0
        if increase > share:
            # An increase should fall with the third power of the step; where it does not, it is rounding.
            if increase > 0.95 * refused or length < time / MOST_STEPS:
                return None, math.inf
            length, refused = length * min(max(ratio, 0.2), 0.9), increase
            continue
        if float(further) > goal or len(times) > MOST_STEPS:
            return None, len(times) * math.sqrt(time / (moment.time + length))  # later steps are longer
        last = left == length
        refused = math.inf
        moment, error = replace(following, time=time if last else moment.time + length), further
        times.append(moment.time)
        if keep:
            seen.append((moment.time, moment.image))
        errors.append(float(error))
        length = min(length * min(max(ratio, 0.5), 2.0), span)
    return _Single(moment.image, times, errors, seen, moment.work), float(len(times))


def _finite(view: Flow, scheme: Scheme[Any], moment: Moment, duration: float) -> Moment:
    following = scheme.over(view, moment, duration)
    if not bool(finite(following.image).all()):
        raise NonFiniteError(
            f"{view.title} by {scheme!r} is not finite any more at time {moment.time + duration:g}: a smaller "
            "step size may help."
        )
    return following
