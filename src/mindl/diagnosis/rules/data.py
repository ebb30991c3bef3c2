"""What the data tell: whether they come in time, differ from each other, and are those of the later use."""

from __future__ import annotations

import numpy as np

from mindl.diagnosis import causes
from mindl.diagnosis.course import Course
from mindl.diagnosis.limits import Limits
from mindl.diagnosis.measures import clear, middle
from mindl.diagnosis.rule import Rule
from mindl.diagnosis.symptom import Cause, Symptom

LEAST_NOISE = 1.0
"""Grey levels: less noise than this is none."""


def starving(course: Course, limits: Limits) -> Symptom | None:
    """The network waits for its data."""
    plain = [row for row in course.rows if "look" not in row and "excess" not in row]
    pairs = [
        (row["waited"], row["seconds"]) for row in plain if row.get("waited") is not None and row.get("seconds")
    ]
    if len(pairs) < 5:
        return None
    pairs = pairs[len(pairs) // 2 :]  # at first images are made or read that are kept later
    waited, seconds = np.asarray(pairs).sum(0)
    share = float(waited / seconds)
    if not share > limits.starved:
        return None
    return Symptom(
        name="data starvation",
        title=f"{100 * share:.0f} % of the time of the second half is spent waiting for data.",
        evidence={"share of the time": share, "seconds a step": float(seconds / len(pairs))},
        curve="waited",
        steps=(course.steps // 2, course.steps),
        confidence=clear(share, limits.starved),
        causes=(Cause(causes.LOADING, "decoding, drawing or a slow disk take longer than learning"),),
        experiment="Training(workers=2), or a cache (mindl.data.Memory): waiting falls, the result stays the "
        "same.",
        disproof="The network is so small that any data are slow beside it, and the whole is fast enough.",
    )


def repeated(course: Course, limits: Limits) -> Symptom | None:
    """Images of one batch are the same."""
    distinct = course.curve("look.batch.distinct").finite
    typical = middle(distinct.values)
    if not typical < limits.repeated:
        return None
    seen = distinct.between(1, np.inf)
    return Symptom(
        name="repeated data",
        title="Images of a batch are the same to the last bit.",
        evidence={"share of distinct images": typical},
        curve="look.batch.distinct",
        steps=(int(seen.steps[0]), int(seen.steps[-1])),
        confidence=clear(1 - typical, 1 - limits.repeated),
        causes=(
            Cause(causes.REPEATS, "workers or samples draw from generators with the same seed"),
            Cause(causes.FEW_IMAGES, "or there are fewer problems than a batch has places"),
        ),
        experiment="Look at one batch: mindl.learning.Stream(...).batch(0).",
        disproof="There are fewer images than places in a batch, on purpose (overfitting one batch).",
    )


def unlike(course: Course, limits: Limits) -> Symptom | None:
    """What is learned from differs from what is asked for later, in noise or in known pixels."""
    found = []
    for name, least in (("noise", LEAST_NOISE), ("known", 1e-4)):
        here = course.curve(f"look.batch.{name}").finite.values
        there = course.curve(f"unseen.batch.{name}").finite.values
        if not len(here) or not len(there):
            continue
        use = max(middle(there), least)
        low, high = max(float(here.min()), least), max(float(here.max()), least)
        ratio = max(low / use, use / high)
        found.append((ratio, name, middle(here), use))
    if not found or max(found)[0] <= limits.unlike:
        return None
    ratio, name, learned, use = max(found)
    if name == "noise":
        why = [
            Cause(
                causes.NOISE,
                f"{learned:.3g} grey levels are learned from, {use:.3g} are asked for: 255 apart, units",
            )
        ]
        why += [Cause(causes.RANGE, "the same happens if values were scaled")]
    else:
        reversed_ = Cause(
            causes.REVERSED, f"{100 * learned:.0f} % known are learned from, {100 * use:.0f} % asked for"
        )
        density = Cause(causes.DENSITY, "the task draws other masks than the validation")
        why = [reversed_, density] if abs(learned + use - 1) < 0.05 else [density, reversed_]
    return Symptom(
        name="training unlike use",
        title=f"Training and validation differ in {'noise' if name == 'noise' else 'known pixels'}.",
        evidence={f"{name} learned from": learned, f"{name} asked for": use},
        curve=f"look.batch.{name}",
        steps=(1, course.steps),
        confidence=clear(ratio, limits.unlike),
        causes=tuple(why),
        experiment="Validate on problems of the training task: if they are answered well, only the data differ.",
        disproof="The network is to be tried on what it was not trained for, on purpose.",
    )


def out_of_range(course: Course, limits: Limits) -> Symptom | None:
    """Values are not those of grey values between 0 and 1."""
    spread = middle(course.curve("look.batch.spread").finite.values)
    mean = middle(course.curve("look.batch.mean").finite.values)
    asked = middle(course.curve("unseen.batch.spread").finite.values)
    asked_mean = middle(course.curve("unseen.batch.mean").finite.values)
    off = spread > limits.spread or not -0.25 < mean < 1.25
    apart = spread > 2 * asked or asked > 2 * spread or abs(mean - asked_mean) > 0.35
    if not off and not (apart and spread > 0.45):
        return None
    return Symptom(
        name="wrong range",
        title="The data are not grey values between 0 and 1.",
        evidence={
            "mean": mean,
            "standard deviation": spread,
            "mean in use": asked_mean,
            "deviation in use": asked,
        },
        curve="look.batch.spread",
        steps=(1, course.steps),
        confidence=max(0.6, clear(spread, limits.spread)),
        causes=(
            Cause(causes.RANGE, "0 to 255 instead of 0 to 1, or a normalisation on one side only"),
            Cause(causes.INPUT_SCALE, "what the network is shown is scaled on the way"),
        ),
        experiment="Print least and largest value of one training batch and of one image in use.",
        disproof="Images of another kind, such as maps of height, which are meant to leave [0, 1].",
    )


RULES = (
    Rule("wrong range", "data that are no grey values between 0 and 1", ("look.batch.spread",), out_of_range),
    Rule("training unlike use", "other noise or masks than in use", ("look.batch", "unseen.batch"), unlike),
    Rule("repeated data", "equal images within a batch", ("look.batch.distinct",), repeated, least=2),
    Rule("data starvation", "the network waits for its data", ("waited", "seconds"), starving, least=5),
)
