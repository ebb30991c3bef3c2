"""What the answers look like beside what was given and what is wanted."""

from __future__ import annotations

import numpy as np

from mindl.diagnosis import causes
from mindl.diagnosis.course import Course
from mindl.diagnosis.limits import Limits
from mindl.diagnosis.measures import (
    began,
    below,
    clear,
    ended,
    falling,
    got_nowhere,
    late,
    left,
    lost,
    middle,
    parameters,
    setting,
    silent,
    smoothed,
    target,
    updates,
    weight,
)
from mindl.diagnosis.rule import Rule
from mindl.diagnosis.symptom import Cause, Symptom

YOUNG = 100
"""A run of fewer steps whose loss still falls is not called underfitted."""

FEW = 500
"""Parameters: a network with fewer, that is no unrolled solver, is small."""


def identity(course: Course, limits: Limits) -> Symptom | None:
    """The answers are what was given."""
    name = f"unseen.{target(course)}.moved"
    moved = course.curve(name).finite
    typical = middle(late(moved, 0.3))
    if not typical < limits.identity:
        return None
    fall, ratio = lost(course.curve("loss")), middle(updates(course).finite.values)
    tiny = ratio < limits.crawl
    same = Cause(
        causes.TARGET_IS_INPUT,
        "the loss falls, although nothing is changed"
        if fall > 0.3
        else "or it is compared with what it was given",
    )
    scaled = Cause(
        causes.SCALED_AWAY,
        "the weights move and the answers do not" if not tiny else "or what it learns is not seen",
    )
    slow = Cause(causes.RATE_LOW, "the weights hardly move" if tiny else "or it needs more or longer steps")
    order = [same, scaled, slow] if fall > 0.3 else [slow, scaled, same] if tiny else [scaled, same, slow]
    if silent(course):
        order = [Cause(causes.RATE_HIGH, "no gradient is left: a long step may have led there"), *order]
    return Symptom(
        name="identity",
        title="The answers are what was given, almost unchanged.",
        evidence={"part of the way": typical, "part of the loss that is lost": fall, "update ratio": ratio},
        curve=name,
        steps=(int(moved.steps[-max(1, round(0.3 * len(moved)))]), course.steps),
        confidence=below(max(typical, 1e-9), limits.identity),
        causes=tuple(order),
        experiment="Train on one batch with a target that is certainly another (the negative): it must be "
        "learned.",
        disproof="The data are clean already: the solver changes them as little.",
    )


def collapse(course: Course, limits: Limits) -> Symptom | None:
    """The answers have hardly any contrast: a mean of what could be."""
    name = f"unseen.{target(course)}.contrast"
    contrast = course.curve(name).finite
    typical = middle(late(contrast, 0.3))
    if not typical < limits.contrast:
        return None
    return Symptom(
        name="collapse",
        title="The answers are almost flat.",
        evidence={"contrast over that of the targets": typical},
        curve=name,
        steps=(int(contrast.steps[-max(1, round(0.3 * len(contrast)))]), course.steps),
        confidence=below(max(typical, 1e-9), limits.contrast),
        causes=(
            Cause(causes.PAIRS, "where nothing follows from the data, the mean is the best answer"),
            Cause(causes.RATE_HIGH, "a long first step left a constant"),
            Cause(causes.DECAY, "weights that are drawn to 0 answer 0"),
        ),
        experiment="Train on a single pair: a flat answer to one pair is no mean of several.",
        disproof="The solutions themselves are flat, as with a very large weight of the model.",
    )


def strange_values(course: Course, limits: Limits) -> Symptom | None:
    """Answers that are no grey values of a photograph, or shifted."""
    kind = target(course)
    shift = middle(np.abs(late(course.curve(f"unseen.{kind}.shift"), 0.3)))
    outside = middle(late(course.curve(f"unseen.{kind}.outside"), 0.3))
    contrast = middle(late(course.curve(f"unseen.{kind}.contrast"), 0.3))
    ratios = {"shift": shift / limits.shift, "outside": outside / limits.outside, "contrast": contrast / 2}
    name = max(ratios, key=lambda n: ratios[n] if np.isfinite(ratios[n]) else -1)
    if not ratios[name] > 1:
        return None
    return Symptom(
        name="strange values",
        title="The answers are no grey values of a photograph: shifted, stretched, or beyond black and white.",
        evidence={
            "mean error in grey levels": shift,
            "share outside": outside,
            "contrast over the targets'": contrast,
        },
        curve=f"unseen.{kind}.{name}",
        steps=(1, course.steps),
        confidence=clear(ratios[name], 1.0),
        causes=(
            Cause(causes.RANGE, "learned from values in another range than those in use"),
            Cause(causes.RATE_HIGH, "or thrown off by long steps"),
            Cause(causes.PAIRS, "or the targets are of another kind than the data"),
        ),
        experiment="Print least, largest and mean value of data, target and answer of one problem.",
        disproof="The solver's solutions have the same values.",
    )


def underfitting(course: Course, limits: Limits) -> Symptom | None:
    """After most of the run the answers are far from what a solver does."""
    if course.steps < 0.3 * course.planned:
        return None
    missing, curve = left(course)
    if not got_nowhere(course, limits):
        return None
    found: list[tuple[float, Cause]] = []
    count = parameters(course)
    if count is not None and count < FEW and "Unrolled" not in str(course.net.get("kind", "")):
        found.append((4, Cause(causes.SMALL, f"it has {count} parameters")))
    decay, norms = setting(course, "optimiser", "decay"), weight(course).finite.values
    shrunk = float(norms[-1] / norms[0]) if len(norms) > 1 and norms[0] > 0 else 1.0
    if decay and (shrunk < 0.7 or decay > 1):
        found.append((5, Cause(causes.DECAY, f"the weights have shrunk to {shrunk:.2g} of their length")))
    ratio, fall = middle(updates(course).finite.values), lost(course.curve("loss"))
    if ratio < 10 * limits.crawl:
        found.append((3.5, Cause(causes.RATE_LOW, f"a step changes the weights by {ratio:.1g} of themselves")))
    first = began(course.curve("loss"))
    if first > 3:
        found.append((3.7, Cause(causes.INITIAL, f"the loss begins at {first:.3g}, and doing nothing has 1")))
    rate = course.curve("rate").finite.values
    if len(rate) > 20 and middle(rate) < limits.spent * float(rate.max()):
        found.append((3.6, Cause(causes.SCHEDULE, "most steps have a small part of the largest rate")))
    alpha, least = course.curve("look.alpha").finite.values, smoothed(course.curve("loss")).values
    if silent(course):
        found.append((5.5, Cause(causes.RATE_HIGH, "no gradient is left: a long step may have led there")))
    elif len(least) and ended(course.curve("loss")) > 2 * float(least.min()) > 0:
        found.append((5.2, Cause(causes.RATE_HIGH, "the loss was less than half of what it is in the end")))
    elif middle(alpha) > 0.5 * limits.landed:
        found.append((3, Cause(causes.RATE_HIGH, f"steps overshoot, alpha {middle(alpha):.2g}")))
    elif fall < 0 and not ratio < 10 * limits.crawl:
        found.append((3, Cause(causes.RATE_HIGH, "the loss has risen")))
    rising = falling(course)
    if rising:
        found.append((4.5, Cause(causes.SHORT, f"the loss still falls, after {course.steps} steps")))
    found.append((1.5, Cause(causes.PAIRS, "or the targets do not follow from the data")))
    found.append((1.2, Cause(causes.SMALL, "or the network cannot do better")))
    found.append((1, Cause(causes.RATE_LOW, "or it has not learned enough yet")))
    ranked = {c.name: c for _, c in sorted(found, key=lambda pair: -pair[0])}
    return Symptom(
        name="underfitting",
        title="The answers are far from what a classical solver does.",
        evidence={"part that is left": missing, "part of the loss that is lost": fall},
        curve=curve,
        steps=(round(0.3 * course.planned), course.steps),
        confidence=clear(missing, limits.behind if curve == "psnr" else limits.unsolved),
        causes=tuple(ranked.values()),
        experiment="Train on one batch alone: if that is answered well, it is the budget; if not, the network "
        "or a bug.",
        disproof="A solver does no better on the same problems, by the same measure.",
        hint=rising and course.steps < YOUNG,
    )


RULES = (
    Rule("strange values", "answers that are no grey values", ("unseen",), strange_values),
    Rule("identity", "answers that are what was given", ("unseen",), identity, least=3),
    Rule("collapse", "answers that are almost flat", ("unseen",), collapse, least=3),
    Rule("underfitting", "answers far from those of a solver", ("excess",), underfitting, least=3),
)
