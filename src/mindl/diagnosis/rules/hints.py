"""Worth knowing, but no faults."""

from __future__ import annotations

import numpy as np

from mindl.diagnosis import causes
from mindl.diagnosis.course import Course
from mindl.diagnosis.limits import Limits
from mindl.diagnosis.measures import falling, setting, smoothed
from mindl.diagnosis.rule import Rule
from mindl.diagnosis.symptom import Cause, Symptom


def too_short(course: Course, limits: Limits) -> Symptom | None:
    """The loss still falls in the end."""
    if not (course.finished and falling(course)):
        return None
    smooth = smoothed(course.curve("loss"))
    tenth = float(smooth.values[-max(3, len(smooth) // 10)])
    return Symptom(
        name="still learning",
        title="The loss still falls in the end: a longer run would come further.",
        evidence={"fall over the last tenth": (tenth - float(smooth.values[-1])) / tenth},
        curve="loss",
        steps=(int(0.9 * course.steps), course.steps),
        confidence=0.6,
        causes=(Cause(causes.SHORT, "the run ends before it is done"),),
        experiment="Twice the steps.",
        disproof="Unseen problems are answered no better for it.",
        hint=True,
    )


def clipped(course: Course, limits: Limits) -> Symptom | None:
    """Most gradients are cut down."""
    clip, gradient = setting(course, "clip"), course.curve("gradient").finite
    late = gradient.values[len(gradient) // 5 :]
    if clip is None or not len(late) or float((late > clip).mean()) <= 0.5:
        return None
    share = float((late > clip).mean())
    return Symptom(
        name="mostly clipped",
        title=f"{100 * share:.0f} % of the gradients are cut down to {clip:g}: clipping works as a learning rate.",
        evidence={"share of steps": share, "norm in the median": float(np.median(late))},
        curve="gradient",
        steps=(int(gradient.steps[len(gradient) // 5]), course.steps),
        confidence=0.6,
        causes=(
            Cause(causes.CLIPPING, "the limit (1 unless said otherwise) lies below the usual norm"),
            Cause(causes.RATE_HIGH, "or steps are long"),
        ),
        experiment="A limit at the 90th percentile of the norm.",
        disproof="The loss falls as fast without it.",
        hint=True,
    )


RULES = (
    Rule("still learning", "the loss still falls in the end", ("loss",), too_short, least=40),
    Rule("mostly clipped", "most gradients are cut down", ("gradient",), clipped, least=40),
)
