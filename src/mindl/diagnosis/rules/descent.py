"""What the course of the loss tells: out of bounds, up and down, in leaps, or hardly at all."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from mindl.diagnosis import causes
from mindl.diagnosis.course import Course, Curve
from mindl.diagnosis.limits import Limits
from mindl.diagnosis.measures import (
    began,
    below,
    clear,
    ended,
    got_nowhere,
    late,
    lost,
    middle,
    setting,
    smoothed,
    updates,
)
from mindl.diagnosis.rule import Rule
from mindl.diagnosis.symptom import Cause, Symptom

SHORTEST = 20
"""Fewer steps tell nothing of a course."""

SOME = 3
"""So many steps with one bad image are no chance."""

LEAST_CHANGE = 0.03
"""A smaller change of a norm is within the digits that a record keeps."""


def diverging(course: Course, limits: Limits) -> Symptom | None:
    """The loss is no number, ends far above where it began, or far below 0."""
    loss = course.curve("loss")
    first, smooth = began(loss), smoothed(loss)
    broken = loss.steps[~np.isfinite(loss.values)]
    last = ended(loss)
    least = float(smooth.values.min()) if smooth else np.nan
    top = int(np.argmax(smooth.values)) if smooth else 0
    before = float(smooth.values[: top + 1].min()) if smooth else np.nan
    highest = float(smooth.values[top]) if smooth else np.nan
    fallen = last < -limits.risen * abs(first)
    grown = last > limits.grown * abs(first)
    risen = highest > max(limits.risen * abs(before), limits.grown * abs(first))
    back = 0 < least < limits.halved * first and last > limits.lost_again * first
    if not len(broken) and not fallen and not grown and not risen and not back:
        return None
    for_good = len(broken) > 0 and (
        course.steps - broken[-1] < 0.1 * course.steps or len(broken) > 0.2 * len(loss)
    )
    if len(broken):
        title = "The loss is no number." if for_good else "Some losses are no numbers, and the run goes on."
    else:
        title = (
            "What was learned is lost again." if back and not (grown or risen) else "The loss leaves all bounds."
        )
    begins = int(broken[0]) if len(broken) else int(smooth.steps[int(np.argmin(smooth.values[: top + 1]))])
    if back and not (len(broken) or grown or risen):
        begins = int(smooth.steps[int(np.argmin(smooth.values))])
    ratio = max(abs(last), abs(highest)) / abs(first) if first else np.inf
    evidence = {"loss at first": first, "least": least, "highest": highest, "in the end": last}
    return Symptom(
        name="diverging",
        title=title,
        evidence=evidence | ({"steps without a number": float(len(broken))} if len(broken) else {}),
        curve="loss",
        steps=(begins, course.steps),
        confidence=1.0 if len(broken) else clear(ratio, limits.grown),
        causes=_why_upwards(course, begins, limits, downwards=fallen or (first < 0 and last < 3 * first)),
        experiment="Begin anew with a tenth of the learning rate; if it diverges as before, feed the batch of "
        "the first bad step alone to a fresh network.",
        disproof="The loss goes on falling from its highest value to below where it began.",
    )


def _why_upwards(course: Course, begins: int, limits: Limits, *, downwards: bool = False) -> tuple[Cause, ...]:
    """Ranked causes of a loss that rises."""
    found: list[tuple[float, Cause]] = []
    whole = course.curve("loss").values
    if np.isfinite(whole[-max(1, len(whole) // 10) :]).all() and not np.isfinite(whole).all():
        found.append((6, Cause(causes.BAD_DATA, "the network has survived it: only those batches have no number")))
    if downwards:
        found.append((5, Cause(causes.SIGN, "the loss falls below 0 without end, which no distance does")))
    shares = [max(map(max, share.values())) for _, share in course.looks("look.profile.share") if share]
    if shares and max(shares) > limits.beyond:
        found.append((4, Cause(causes.BEYOND, f"a learned step is {max(shares):.2g} times its bound")))
    one = _one_image(course, begins)
    if one is not None and one > 0.6:
        found.append((3, Cause(causes.BAD_DATA, f"one image makes {100 * one:.0f} % of the loss where it begins")))
    first = began(course.curve("loss"))
    if first > 3 and course.has("look"):
        found.append((2.5, Cause(causes.INITIAL, f"the loss begins at {first:.3g}, and doing nothing has 1")))
    alpha = course.curve("look.alpha").finite
    if alpha:
        high = float(np.max(alpha.values))
        found.append((2, Cause(causes.RATE_HIGH, f"steps land beyond the bottom, alpha up to {high:.2g}")))
    else:
        found.append((2, Cause(causes.RATE_HIGH, "the usual cause")))
    found.append((1, Cause(causes.INITIAL, "large weights make large gradients")))
    found.append((0.5, Cause(causes.BAD_DATA, "a single batch can throw a network off")))
    return _distinct(found)


def oscillating(course: Course, limits: Limits) -> Symptom | None:
    """Steps land high on the other side of the valley, look after look."""
    alpha = course.curve("look.alpha").finite
    loss = course.curve("loss").finite
    turn = _turning(loss)
    typical = middle(late(alpha, 0.8))
    by_alpha = (
        len(alpha) >= 5
        and typical > limits.landed
        and course.finished
        and got_nowhere(course, limits) is not False
    )
    by_loss = not alpha and len(loss) >= 50 and turn < limits.turning
    if not by_alpha and not by_loss:
        return None
    return Symptom(
        name="oscillating",
        title="Steps overshoot: the loss along them rises again before they end.",
        evidence={"alpha in the median": typical, "correlation of one loss with the next": turn},
        curve="look.alpha" if by_alpha else "loss",
        steps=(1, course.steps),
        confidence=clear(1 + typical, 1 + limits.landed) if by_alpha else clear(turn, limits.turning),
        causes=(
            Cause(causes.RATE_HIGH, "shorter steps would land nearer to the bottom"),
            *(
                [Cause(causes.BEYOND, "learned steps of a solver overshoot by themselves")]
                * course.has("look.profile")
            ),
            Cause(causes.BAD_DATA, "batches that differ much pull to and fro"),
        ),
        experiment="A third of the learning rate for 200 steps: overshooting ends at once if the rate is the "
        "cause; with batches twice as large it would shrink only if they differ too much.",
        disproof="alpha falls below 0 as the schedule lowers the rate, and the loss goes on falling.",
    )


def spikes(course: Course, limits: Limits) -> Symptom | None:
    """Single steps with a loss far above its neighbours'."""
    loss = course.curve("loss").finite
    calm = loss.smooth(max(9, len(loss) // 20))
    away = loss.values - calm.values
    usual = 1.4826 * middle(np.abs(away))
    high = (away > limits.scatter * max(usual, 1e-12)) & (loss.values > limits.spike * np.abs(calm.values))
    high[: min(5, len(high))] = False
    alone = _alone(course, limits)
    if not high.any() and len(alone) >= SOME:
        high = np.isin(loss.steps, alone)
    if not high.any():
        return None
    where = loss.steps[high]
    ratio = float(np.max(loss.values[high] / np.maximum(np.abs(calm.values[high]), 1e-12)))
    one = _one_image(course, int(where[np.argmax(loss.values[high])]))
    single = one is not None and one > 0.6
    bad = Cause(
        causes.BAD_DATA,
        f"one image of the batch makes {100 * (one or 0):.0f} % of the loss" if single else "the others are calm",
    )
    fast = Cause(causes.RATE_HIGH, "a step too far is mended by the next ones")
    return Symptom(
        name="spikes",
        title=f"{len(where)} step{'s' * (len(where) > 1)} stand out with a loss far above the others.",
        evidence={"highest over its neighbours": ratio, "steps": float(len(where))},
        curve="loss",
        steps=(int(where[0]), int(where[-1])),
        confidence=clear(ratio, limits.spike),
        causes=(bad, fast, Cause(causes.RESUMED, "a run that goes on without its moments leaps once")),
        experiment=f"Look at the images of batch {int(where[0])}: they are the same whenever the run is repeated.",
        disproof="The same network has the same high loss on that batch at the end: it is just hard.",
    )


def jump(course: Course, limits: Limits) -> Symptom | None:
    """From one step to the next the loss has another level."""
    loss = course.curve("loss").finite
    width = min(max(6, len(loss) // 30), 100)
    if len(loss) < 4 * width:
        return _leap(course, limits)
    windows = np.lib.stride_tricks.sliding_window_view(loss.values, width)
    level = np.median(windows, axis=1)
    scatter = 1.4826 * np.median(np.abs(windows - level[:, None]), axis=1) + 1e-3 * np.abs(level)
    # Window i is followed by window i + width; the first width steps of a run may fall as they like.
    before, after = slice(width, len(windows) - width), slice(2 * width, len(windows))
    rise = level[after] - level[before]
    high = (level[after] > limits.jump * np.abs(level[before])) & (rise > 6 * scatter[before])
    leap = windows[after][:, 0] - windows[before][:, -1]
    at_once = (windows[after][:, :3].min(1) > windows[before][:, -3:].max(1)) & (leap > 0.5 * rise)
    ratios = np.where(high & at_once, level[after] / np.maximum(np.abs(level[before]), 1e-12), 0.0)
    best = float(ratios.max(initial=0.0))
    if not best:
        return _leap(course, limits)
    step = int(loss.steps[2 * width + int(np.argmax(ratios))])
    put_back = Cause(causes.RESUMED, "weights, moments, rate or the order of the data were not what they had been")
    fast = Cause(causes.RATE_HIGH, "one step too far; the rate of that step would tell")
    bad = Cause(causes.BAD_DATA, "a batch that threw the network off")
    beyond = bool((course.curve("look.alpha").between(1, step).finite.values > 1).any())
    return Symptom(
        name="jump",
        title="The loss leaps to another level within one step.",
        evidence={"level after over before": best},
        curve="loss",
        steps=(step, step + width),
        confidence=clear(best, limits.jump),
        causes=(fast, put_back, bad) if beyond and _leap(course, limits) is None else (put_back, fast, bad),
        experiment=f"Repeat the run to step {step} without breaking it off: a leap that is gone came from "
        "resuming.",
        disproof="The loss is judged on other data from that step on, by design.",
    )


def _leap(course: Course, limits: Limits) -> Symptom | None:
    """Weights that change by more than all updates together can have moved them."""
    looks = [(step, blocks) for step, blocks in course.looks("look.blocks") if step >= 10]
    best, place, shown = 0.0, (0, 0), ""
    for (start, before), (end, after) in pairwise(looks):
        for name in before.keys() & after.keys():
            ends = [(b.get("weight") or 0.0, b.get("update") or 0.0) for b in (before[name], after[name])]
            reach = (end - start) * max(weight * update for weight, update in ends)
            change = abs(ends[1][0] - ends[0][0])
            if reach > 0 and change > LEAST_CHANGE * max(ends[0][0], ends[1][0]) and change / reach > best:
                best, place, shown = change / reach, (start, end), name
    if not best > limits.leap:
        return None
    return Symptom(
        name="jump",
        title=f"The weights of {shown} change by more than all updates together can have moved them.",
        evidence={"change over the sum of updates": best},
        curve="look.blocks",
        steps=place,
        confidence=clear(best, limits.leap),
        causes=(
            Cause(causes.RESUMED, "they were put back to an earlier state, or replaced"),
            Cause(causes.RATE_HIGH, "or single updates between the looks were much longer"),
        ),
        experiment=f"Look at more steps between {place[0]} and {place[1]}: Monitor(every=1).",
        disproof="The weights are averaged or projected on purpose there.",
    )


def slow(course: Course, limits: Limits) -> Symptom | None:
    """Updates are tiny, the gradient is not, and the loss hardly falls."""
    loss, ratio = course.curve("loss"), updates(course)
    typical, fall = middle(ratio.finite.values), lost(loss)
    if not (typical < limits.crawl and fall < 3 * limits.flat):
        return None
    found: list[tuple[float, Cause]] = [
        (2, Cause(causes.RATE_LOW, f"a step changes the weights by {typical:.1g} of themselves"))
    ]
    clip, gradient = setting(course, "clip"), course.curve("gradient").finite.values
    if clip is not None and len(gradient):
        share = float((gradient > clip).mean())
        if share > 0.9 and middle(gradient) > 10 * clip:
            found.append(
                (3, Cause(causes.CLIPPING, f"{100 * share:.0f} % of the gradients are cut down, to {clip:g}"))
            )
    rate = course.curve("rate").finite.values
    if len(rate) and middle(rate) < limits.spent * float(rate.max()):
        found.append((4, Cause(causes.SCHEDULE, "most steps have a small part of the largest rate")))
    found.append((1, Cause(causes.SCALED_AWAY, "an output that is scaled down hides what is learned")))
    return Symptom(
        name="learning too slowly",
        title="The weights hardly move, and the loss hardly falls.",
        evidence={"update ratio": typical, "part of the loss that is lost": fall},
        curve="look.blocks",
        steps=(1, course.steps),
        confidence=below(max(typical, 1e-12), limits.crawl),
        causes=_distinct(found),
        experiment="Sweep learning rates (mindl train --rates, rate_range): the loss falls fastest far above "
        "this one.",
        disproof="The gradient is as small as at the end of a good run: then it is at the optimum.",
    )


def stalled(course: Course, limits: Limits) -> Symptom | None:
    """The loss stops falling early, far from where it could be."""
    loss, rate = course.curve("loss").finite, course.curve("rate").finite
    if len(rate) >= SHORTEST and float(rate.values.max()) > 0:
        share = rate.values / rate.values.max()
        top = int(np.argmax(share))
        small = np.flatnonzero(share[top:] < limits.spent)
        if len(small) and (top + small[0]) < limits.early * course.planned:
            step = int(rate.steps[top + small[0]])
            left = float(share[-1])
            return Symptom(
                name="stalled",
                title="The learning rate is spent early in the run, and what comes after changes little.",
                evidence={"rate in the end over the largest": left, "spent at": step / course.planned},
                curve="rate",
                steps=(step, course.steps),
                confidence=below(step / course.planned, limits.early),
                causes=(
                    Cause(causes.SCHEDULE, "a schedule counted in other units (epochs, steps), or of another run"),
                    Cause(causes.RATE_LOW, "from there on"),
                ),
                experiment="The same run with a constant rate: the loss goes on falling past that step.",
                disproof="The loss at that step is already as low as that of longer schedules.",
            )
    fall = lost(loss)
    smooth = smoothed(loss)
    lately = float(smooth.values[-1] / smooth.values[len(smooth) // 3]) if smooth.values[len(smooth) // 3] else 1.0
    gradient = course.curve("gradient").finite.values
    if len(loss) < 0.9 * len(course.curve("loss")):
        return None  # what is left of a loss that is no number tells nothing
    flat = fall < limits.flat and abs(lately - 1) < limits.flat and began(loss) > 0
    if not flat or got_nowhere(course, limits) is False:
        return None
    none = len(gradient) and middle(gradient[len(gradient) // 2 :]) < 1e-6 * max(float(gradient.max()), 1e-12)
    why = [Cause(causes.RATE_HIGH, "a first step too far can leave a network where nothing has a gradient")]
    why += [Cause(causes.INITIAL, "units that are off from the beginning")] if none else []
    why += [
        Cause(causes.RATE_LOW, "or it hardly moves"),
        Cause(causes.SCALED_AWAY, "or what it learns is not seen"),
    ]
    return Symptom(
        name="stalled",
        title="The loss does not fall" + (", and there is no gradient left." if none else "."),
        evidence={
            "part of the loss that is lost": fall,
            "gradient": middle(gradient) if len(gradient) else np.nan,
        },
        curve="loss",
        steps=(1, course.steps),
        confidence=clear(1 - fall, 1 - limits.flat),
        causes=tuple(why if none else [why[1], why[0], why[2]] if len(why) > 2 and not none else why),
        experiment="Train on one batch alone, first with a tenth of the rate, then with ten times it.",
        disproof="A classical solver is no better on the same problems: the loss cannot fall.",
    )


def _turning(loss: Curve) -> float:
    """The correlation of the deviations from the running median of one loss and the next."""
    away = loss.values - loss.smooth(max(9, len(loss) // 20)).values if loss else loss.values
    length = float((away**2).sum())
    return float((away[1:] * away[:-1]).sum()) / length if length > 0 else 0.0


def _one_image(course: Course, step: int) -> float | None:
    """The largest share that one image has in the loss of the batch, around a step."""
    worst, loss = course.curve("worst").between(step, step + 2), course.curve("loss").between(step, step + 2)
    batch = setting(course, "batch")
    if batch is None or not worst or len(worst) != len(loss):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = worst.values / (batch * loss.values)
    shares = shares[np.isfinite(shares)]
    return float(shares.max()) if len(shares) else None


def _alone(course: Course, limits: Limits) -> list[float]:
    """Steps at which one image makes most of the loss of its batch."""
    batch, loss, worst = setting(course, "batch"), course.curve("loss"), course.curve("worst")
    if batch is None or batch < 2 or len(worst) != len(loss):
        return []
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = worst.values / (batch * loss.values)
    above = (shares - 1 / batch) / (1 - 1 / batch)
    return [float(step) for step in loss.steps[10:][above[10:] > limits.alone]]


def _distinct(ranked: list[tuple[float, Cause]]) -> tuple[Cause, ...]:
    """Causes by rank, each once."""
    found: dict[str, Cause] = {}
    for _, cause in sorted(ranked, key=lambda pair: -pair[0]):
        found.setdefault(cause.name, cause)
    return tuple(found.values())


RULES = (
    Rule("diverging", "the loss leaves all bounds, or is no number", ("loss",), diverging, least=2),
    Rule("jump", "the loss leaps to another level within one step", ("loss",), jump, least=SHORTEST),
    Rule("spikes", "single steps have a loss far above the others'", ("loss",), spikes, least=SHORTEST),
    Rule("oscillating", "steps land beyond the bottom again and again", ("loss",), oscillating, least=SHORTEST),
    Rule("learning too slowly", "the weights hardly move, nor does the loss", ("look.blocks",), slow, least=4),
    Rule("stalled", "the loss stops falling early", ("loss",), stalled, least=SHORTEST),
)
