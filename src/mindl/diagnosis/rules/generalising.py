"""What seen and unseen problems tell, and training against use."""

from __future__ import annotations

import numpy as np

from mindl.diagnosis import causes
from mindl.diagnosis.course import Course, Curve
from mindl.diagnosis.limits import Limits
from mindl.diagnosis.measures import clear, ended, late, lost, middle
from mindl.diagnosis.rule import Rule
from mindl.diagnosis.symptom import Cause, Symptom


def mode_gap(course: Course, limits: Limits) -> Symptom | None:
    """The same batch, the same weights, and another loss in use than in training."""
    looks = course.looks("look.mode")
    pairs = [
        (m["use"], m["training"]) for _, m in looks if m.get("use") is not None and m.get("training") is not None
    ]
    # In parts of what was learned: a loss is 1 where nothing is done.
    gaps = np.asarray([(use - training) / max(abs(1 - training), 0.1) for use, training in pairs])
    typical = middle(gaps[-max(1, len(gaps) // 3) :])
    if not (typical > limits.gap or typical < -limits.gained):
        return None
    normalised = any(name.endswith("running_mean") for name in course.shapes)
    statistics = Cause(causes.STATISTICS, "running means and variances are not those of the batches")
    dropout = Cause(causes.DROPOUT, "what is left out in training is there in use, and changes the answer")
    return Symptom(
        name="mode gap",
        title="The network answers worse in use than in training."
        if typical > 0
        else "The network answers much better in use than in training: what is left out there is too much.",
        evidence={"difference in parts of what was learned": typical},
        curve="look.mode.use",
        steps=(looks[-max(1, len(looks) // 3)][0], looks[-1][0]),
        confidence=clear(typical, limits.gap),
        causes=(statistics, dropout) if normalised else (dropout, statistics),
        experiment="Evaluate the batch in training mode: as good as the loss says, only the mode differs.",
        disproof="The running statistics are still young: the gap closes within some dozen steps.",
    )


def overfitting(course: Course, limits: Limits) -> Symptom | None:
    """The loss on unseen problems rises again while that on seen ones falls."""
    unseen, seen = course.curve("unseen.loss").finite, course.curve("unseen.loss_seen").finite
    if len(unseen) < 5:
        return None
    smooth = unseen.smooth(3)
    best = int(np.argmin(smooth.values))
    last = middle(late(smooth, 0.15))
    least = float(smooth.values[best])
    first = float(unseen.values[0])
    unit = max(abs(least), 0.02 * abs(first))
    rise = (last - least) / unit
    falls = not seen or _falls(seen, unseen.steps[best])
    early = smooth.steps[best] <= 0.7 * course.steps
    if not (rise > limits.rise and early and falls):
        return None
    return Symptom(
        name="overfitting",
        title=f"From step {int(smooth.steps[best])} on, unseen problems are answered worse"
        + (", seen ones better." if seen else "."),
        evidence={
            "least unseen loss": least,
            "in the end": last,
            **({"seen loss in the end": middle(late(seen, 0.15))} if seen else {}),
        },
        curve="unseen.loss",
        steps=(int(smooth.steps[best]), course.steps),
        confidence=clear(rise, limits.rise),
        causes=(
            Cause(causes.FEW_IMAGES, "what was seen is learned by heart"),
            Cause(causes.PAIRS, "targets that do not follow from the data can only be learned by heart"),
        ),
        experiment="Twice as many images, or noise drawn anew for each step: the minimum moves to the right.",
        disproof="Another seed of the validation: the rise is gone.",
    )


def _falls(seen: Curve, since: float) -> bool:
    """Whether the seen loss went on falling."""
    before, after = seen.between(0, since), seen.between(since, np.inf)
    return not before or not after or middle(late(after, 0.3)) < 1.02 * float(before.values[-1])


def wrong_target(course: Course, limits: Limits) -> Symptom | None:
    """The training loss falls, and unseen problems are answered worse than not at all."""
    unseen = course.curve("unseen.loss").finite
    loss = course.curve("loss").finite
    if len(unseen) < 3 or len(loss) < 10 or not course.in_units:
        return None
    last, least = ended(unseen, 0.2), float(unseen.values.min())
    # A loss is 1 where nothing is done: training is better than that, and use is worse.
    if not (last > limits.worse and least > 0.85 and ended(loss) < 0.9 and lost(loss) > 0.02):
        return None
    like = middle(late(course.curve("unseen.clean.likeness"), 0.3))
    return Symptom(
        name="wrong target",
        title="What is learned is not what is asked for: the loss falls, and unseen problems are answered badly.",
        evidence={
            "training loss in the end": ended(loss),
            "unseen loss": last,
            "likeness to the clean image": like,
        },
        curve="unseen.loss",
        steps=(int(unseen.steps[0]), course.steps),
        confidence=clear(last, limits.worse),
        causes=(
            Cause(causes.PAIRS, "inputs and targets do not belong together"),
            Cause(causes.GEOMETRY, "a crop, turn or flip of one of them only"),
            Cause(causes.SIGN, "or a loss that rewards what it should punish"),
            Cause(causes.TARGET_IS_INPUT, "or it is compared with what it was given"),
        ),
        experiment="Show one training pair side by side, as the loss gets it.",
        disproof="The training problems are of another kind on purpose.",
    )


RULES = (
    Rule("mode gap", "another answer in use than in training", ("look.mode",), mode_gap, least=3),
    Rule(
        "overfitting",
        "unseen problems get worse while seen ones get better",
        ("unseen.loss",),
        overfitting,
        least=5,
    ),
    Rule(
        "wrong target",
        "the loss falls and unseen problems are not answered",
        ("loss", "unseen.loss"),
        wrong_target,
    ),
)
