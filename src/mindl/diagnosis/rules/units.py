"""What activations tell: whether anything passes them."""

from __future__ import annotations

import numpy as np

from mindl.diagnosis import causes
from mindl.diagnosis.course import Course
from mindl.diagnosis.limits import Limits
from mindl.diagnosis.measures import clear, got_nowhere
from mindl.diagnosis.rule import Rule
from mindl.diagnosis.symptom import Cause, Symptom


def dead(course: Course, limits: Limits) -> Symptom | None:
    """Channels that are the same everywhere, so that nothing passes them."""
    found = _worst(course, "dead")
    looks = course.looks("look.units")
    means = [float(np.mean([unit.get("dead") or 0.0 for unit in units.values()])) for _, units in looks if units]
    everywhere = float(np.median(means[len(means) // 2 :])) if means else 0.0
    if found is None or (found[0] <= limits.dead and everywhere <= limits.dead_everywhere):
        return None
    share, name, step, first = found
    at_first = step <= first
    reason = "they are dead from the first look on" if at_first else f"they die by step {step}"
    initial = Cause(causes.INITIAL, f"biases far below 0, or weights: {reason}")
    fast = Cause(causes.RATE_HIGH, f"one long step carries biases where nothing passes: {reason}")
    return Symptom(
        name="dead units",
        title=f"{100 * share:.0f} % of the channels of activation {name} are dead.",
        evidence={"share of its channels": share, "share of all": everywhere},
        curve="look.units",
        steps=(step, course.steps),
        confidence=0.9 if share > limits.dead else clear(everywhere, limits.dead_everywhere),
        causes=(initial, fast) if at_first else (fast, initial),
        experiment="Look at a fresh network (step 0): dead there, it is the initial weights; alive, the rate.",
        disproof="The answers are as good as a solver's: what is left is wide enough, or skips lead around.",
        hint=everywhere <= limits.dead_everywhere and got_nowhere(course, limits) is False,
    )


def saturated(course: Course, limits: Limits) -> Symptom | None:
    """Entries at the ends of tanh or of the sigmoid, where the derivative is almost 0."""
    found = _worst(course, "saturated")
    if found is None or found[0] <= limits.saturated:
        return None
    share, name, step, _ = found
    most = course.curve("look.batch.most").finite.values
    large = len(most) > 0 and float(np.median(most)) > 5
    scale = Cause(
        causes.INPUT_SCALE,
        f"the data reach {float(np.median(most)):.3g}" if large else "what it is shown is large",
    )
    initial = Cause(causes.INITIAL, "large weights drive it to its ends")
    return Symptom(
        name="saturated units",
        title=f"{100 * share:.0f} % of the entries of activation {name} are at its ends.",
        evidence={"share of entries": share},
        curve="look.units",
        steps=(step, course.steps),
        confidence=clear(share, limits.saturated),
        causes=(scale, initial) if large else (initial, scale),
        experiment="Divide what the network is shown by its standard deviation; then halve the first weights.",
        disproof="A gate that is meant to be open or closed.",
    )


def _worst(course: Course, kind: str) -> tuple[float, str, int, int] | None:
    """The typical share in the second half of the worst activation, its name, the first look at which it is
    so, and the first look of all."""
    looks = course.looks("look.units")
    later = looks[len(looks) // 2 :]
    names = set.intersection(*(set(units) for _, units in later)) if later else set()
    shares = {name: float(np.median([units[name].get(kind) or 0.0 for _, units in later])) for name in names}
    if not shares:
        return None
    name = max(shares, key=lambda n: shares[n])
    since = next(
        (s for s, units in looks if (units.get(name, {}).get(kind) or 0.0) >= 0.9 * shares[name]), looks[0][0]
    )
    return shares[name], name, since, looks[0][0]


RULES = (
    Rule("dead units", "rectifiers that nothing passes", ("look.units",), dead),
    Rule("saturated units", "activations at their ends", ("look.units",), saturated),
)
