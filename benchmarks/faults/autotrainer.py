"""The baseline: the published rules of AutoTrainer, in words of our own, asked of the same records.

Source: Zhang, Zhai, Ma and Shen, "AutoTrainer: an automatic DNN training problem detection and repair system",
ICSE 2021. Its rules are for classifiers in Keras; what has to be read otherwise here, always in its favour:

- accuracy does not exist in restoration. Every loss here is 1 for what a solver would start from and 0, or a
  little above, for a perfect answer: max(0, 1 - loss) takes its place;
- an epoch is the interval from one examination to the next;
- it counts entries of gradients that are exactly 0; the record has the share of channels that are dead, through
  which no gradient passes;
- gradients are the norms of whole layers, and of the weights there is the root mean square of them all;
- its problems are put into the symptoms' words, and its repairs into those of causes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from mindl.diagnosis import Cause, Course, Diagnosis, Symptom

VANISHING_RATIO, VANISHING = 1e-3, 1e-4
EXPLODING_RATIO, LARGEST_WEIGHT, LARGEST_LOSS = 70.0, 5.0, 1e3
DYING = 0.7
SWING, SWINGING = 0.03, 0.2
STEP = 0.01
GAP = 0.1
FROM = 0.3
"""Of the epochs must be done before it judges."""

CAUSES = {
    "vanishing gradients": ("initial weights", "too deep without skips", "learning rate too low"),
    "exploding gradients": ("learning rate too high", "initial weights", "input scale"),
    "diverging": ("learning rate too high", "initial weights", "a bad image or batch"),
    "dead units": ("initial weights", "learning rate too high"),
    "oscillating": ("learning rate too high", "a bad image or batch"),
    "learning too slowly": ("learning rate too low", "initial weights"),
    "overfitting": ("too few images",),
}
"""What its repairs amount to: other initial weights, normalisation or another activation, a smaller or a larger
rate, clipping, another size of batches, dropout."""


def diagnose(course: Course) -> Diagnosis:
    """What AutoTrainer's rules find in a record; nothing before 30 % of the epochs are done."""
    found = [
        _symptom(name, evidence, course)
        for name, rule in RULES.items()
        if course.steps >= FROM * course.planned or name in ("diverging", "exploding gradients")
        for evidence in [rule(course)]
        if evidence is not None
    ]
    return Diagnosis(
        symptoms=tuple(found), hints=(), judged=tuple(RULES), missing={}, notes=course.notes, steps=course.steps
    )


def _symptom(name: str, evidence: float, course: Course) -> Symptom:
    return Symptom(
        name=name,
        title=f"AutoTrainer: {name}",
        evidence={"measured": evidence},
        curve="loss",
        steps=(1, course.steps),
        confidence=0.5,
        causes=tuple(Cause(cause, "one of its repairs") for cause in CAUSES[name]),
        experiment="",
        disproof="",
    )


def _layers(course: Course) -> list[list[dict[str, float]]]:
    """Of each look from 30 % of the run on, the layers from the first to the last."""
    return [list(blocks.values()) for step, blocks in course.looks("look.blocks") if step >= FROM * course.planned]


def _vanishing(course: Course) -> float | None:
    for layers in _layers(course):
        first, last = layers[0]["gradient"], layers[-1]["gradient"]
        if first is not None and last and first / last < VANISHING_RATIO and first < VANISHING:
            return first
    return None


def _exploding(course: Course) -> float | None:
    for layers in _layers(course):
        first, last = layers[0]["gradient"], layers[-1]["gradient"]
        if first is None or last is None or (last and first / last > EXPLODING_RATIO):
            return math.inf if not first or not last else first / last
    weight = max((_size(layers, course) for layers in _layers(course)), default=0.0)
    return weight if weight > LARGEST_WEIGHT else None


def _size(layers: list[dict[str, float]], course: Course) -> float:
    """The root mean square of all weights; 0 where their number is not known."""
    shapes: dict[str, list[int]] = course.config.get("net", {}).get("shapes", {})
    count = sum(math.prod(shape) for shape in shapes.values())
    return math.hypot(*(layer["weight"] or 0.0 for layer in layers)) / math.sqrt(count) if count else 0.0


def _diverging(course: Course) -> float | None:
    loss = course.curve("loss").values
    worst = float(np.max(np.nan_to_num(loss, nan=np.inf))) if len(loss) else 0.0
    return worst if worst > LARGEST_LOSS else None


def _dying(course: Course) -> float | None:
    for step, units in course.looks("look.units"):
        dead = [unit["dead"] for unit in units.values()]
        if step >= FROM * course.planned and dead and sum(dead) / len(dead) >= DYING:
            return sum(dead) / len(dead)
    return None


def _accuracies(course: Course) -> Any:
    """max(0, 1 - mean loss) of each epoch."""
    ends = [step for step, _ in course.looks("excess")] or [course.steps]
    means = []
    for before, end in zip([0, *ends], ends, strict=False):
        values = course.curve("loss").between(before + 1, end).finite.values
        means.append(max(0.0, 1 - float(values.mean())) if len(values) else 0.0)
    return np.asarray(means)


def _oscillating(course: Course) -> float | None:
    accuracy = _accuracies(course)
    if len(accuracy) < 3:
        return None
    turns = [i for i in range(1, len(accuracy) - 1) if _turns(*accuracy[i - 1 : i + 2])]
    ends = [0, *turns, len(accuracy) - 1]
    swings = [a for a, b in zip(turns, ends[2:], strict=False) if abs(accuracy[a] - accuracy[b]) >= SWING]
    share = len(swings) / len(accuracy)
    return share if share >= SWINGING else None


def _turns(before: float, here: float, after: float) -> bool:
    return (here - before) * (after - here) < 0


def _slow(course: Course) -> float | None:
    steps = np.diff(_accuracies(course))
    return float(steps.max()) if len(steps) and steps.max() < STEP else None


def _overfitting(course: Course) -> float | None:
    unseen, seen = (course.curve(f"unseen.{name}").finite.values for name in ("loss", "loss_seen"))
    if not len(unseen) or not len(seen):
        return None
    gap = max(0.0, 1 - seen[-1]) - max(0.0, 1 - unseen[-1])
    return float(gap) if gap >= GAP else None


RULES: dict[str, Callable[[Course], float | None]] = {
    "exploding gradients": _exploding,
    "diverging": _diverging,
    "dead units": _dying,
    "vanishing gradients": _vanishing,
    "oscillating": _oscillating,
    "learning too slowly": _slow,
    "overfitting": _overfitting,
}
