"""Numbers that several rules need."""

from __future__ import annotations

import re

import numpy as np

from mindl.diagnosis.course import Course, Curve, Numbers
from mindl.diagnosis.limits import Limits


def clear(value: float, limit: float) -> float:
    """How clearly a value passes a limit: 0.5 at the limit, towards 1 far beyond.

    >>> clear(2.0, 1.0)
    0.875
    """
    if not np.isfinite(value) or value == 0 or limit == 0:
        return 1.0
    return float(1 - 0.5 * min(1.0, abs(limit / value)) ** 2)


def below(value: float, limit: float) -> float:
    """The same for values that are to be small.

    >>> below(0.5, 1.0)
    0.875
    """
    return clear(1 / max(value, 1e-12), 1 / limit)


def smoothed(loss: Curve) -> Curve:
    """Running medians over a twentieth of the course, at least 5 values."""
    return loss.finite.smooth(max(5, len(loss) // 20))


def began(loss: Curve) -> float:
    """The median of the first values: a fiftieth of the course, at least 3."""
    values = loss.finite.values
    return float(np.median(values[: max(3, len(values) // 50)])) if len(values) else np.nan


def ended(loss: Curve, share: float = 0.1) -> float:
    """The median of the last part."""
    values = loss.finite.values
    return float(np.median(values[-max(3, round(share * len(values))) :])) if len(values) else np.nan


def lost(loss: Curve) -> float:
    """The part of where it began that a loss has lost in the end; negative if it has risen."""
    first = began(loss)
    return (first - ended(loss)) / abs(first) if first else 0.0


def late(curve: Curve, share: float = 0.5) -> Numbers:
    """The finite values of the last part of a curve, at least one where there is any."""
    values = curve.finite.values
    return values[-max(1, round(share * len(values))) :] if len(values) else values


def middle(values: Numbers) -> float:
    """The median; NaN of nothing."""
    return float(np.median(values)) if len(values) else np.nan


def left(course: Course) -> tuple[float, str]:
    """What is left of the way from the start to the solver's answer, and the curve that shows it.

    For clean targets it is the part of the solver's gain in dB that is missing, otherwise the energy excess;
    NaN where neither is known.
    """
    if target(course) == "clean":
        start = middle(course.curve("unseen.psnr_of_start").finite.values)
        gain = middle(late(course.curve("psnr"), 0.3)) - start
        solver = middle(late(course.curve("psnr_of_minimiser"))) - start
        if solver > 0.5:
            return 1 - gain / solver, "psnr"
    return middle(late(course.curve("excess"), 0.3)), "excess"


def got_nowhere(course: Course, limits: Limits) -> bool | None:
    """Whether the answers in the end are far from the solver's, or not nearer than at first; None: not known."""
    missing, curve = left(course)
    if not np.isfinite(missing):
        return None
    if curve == "psnr":
        return missing > limits.behind
    first = float(course.curve("excess").finite.values[0])
    return missing > limits.unsolved or (missing > limits.little and missing > limits.progress * first)


def silent(course: Course) -> bool:
    """Whether there is hardly a gradient left in the second half."""
    gradient = course.curve("gradient").finite.values
    return len(gradient) >= 20 and middle(gradient[len(gradient) // 2 :]) < 1e-6 * float(gradient.max())


def falling(course: Course) -> bool:
    """Whether the loss still falls in the end, by 4 % over the last tenth."""
    smooth = smoothed(course.curve("loss"))
    if len(smooth) < 20:
        return False
    last, before = float(smooth.values[-1]), float(smooth.values[-max(3, len(smooth) // 10)])
    return float(smooth.values[0]) > last > 0 and before - last > 0.04 * before


def updates(course: Course) -> Curve:
    """The update ratio of all weights together, at each look."""
    steps, values = [], []
    for step, blocks in course.looks("look.blocks"):
        rows = [b for b in blocks.values() if b.get("update") is not None and b.get("weight")]
        length = sum(b["weight"] ** 2 for b in rows)
        if length > 0:
            steps.append(step)
            values.append((sum((b["update"] * b["weight"]) ** 2 for b in rows) / length) ** 0.5)
    return Curve(np.asarray(steps, dtype=np.float64), np.asarray(values, dtype=np.float64))


def weight(course: Course) -> Curve:
    """The norm of all weights, at each look."""
    found = [
        (s, sum((b.get("weight") or 0.0) ** 2 for b in blocks.values()) ** 0.5)
        for s, blocks in course.looks("look.blocks")
    ]
    steps, values = zip(*found, strict=True) if found else ((), ())
    return Curve(np.asarray(steps, dtype=np.float64), np.asarray(values, dtype=np.float64))


def setting(course: Course, name: str, inner: str | None = None) -> float | None:
    """A number among the settings of a run; ``inner``: within an object's text, as in ``Adam(rate=0.1)``."""
    value = course.training.get(name)
    if inner is not None and isinstance(value, str):
        found = re.search(rf"\b{inner}=([-+0-9.e]+)", value)
        return float(found.group(1)) if found else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def parameters(course: Course) -> int | None:
    """How many numbers the network has, as the run was founded."""
    return sum(int(np.prod(shape)) for shape in course.shapes.values()) if course.shapes else None


def target(course: Course) -> str:
    """What the answers are to be like: ``clean`` images, or the model's ``solution``."""
    loss = str(course.training.get("loss", ""))
    learns_images = loss.startswith(("SupervisedLoss", "Noise2Noise", "Noise2Self", "SURE"))
    return "clean" if learns_images and course.has("unseen.clean") else "solution"
