"""What gradients and steps tell: whether they are those of the batch, reach every block, and stay in bounds."""

from __future__ import annotations

import numpy as np

from mindl.diagnosis import causes
from mindl.diagnosis.course import Course
from mindl.diagnosis.limits import Limits
from mindl.diagnosis.measures import began, clear, late, middle
from mindl.diagnosis.rule import Rule
from mindl.diagnosis.symptom import Cause, Symptom


def mixed(course: Course, limits: Limits) -> Symptom | None:
    """The gradient that was used is not that of the batch."""
    fresh = course.curve("look.fresh").finite
    later = fresh.between(2, np.inf)
    typical = middle(later.values)
    if not typical > limits.mixed:
        return None
    grows = typical > 2.0 or middle(late(later, 0.3)) > 2 * middle(later.values[: max(1, len(later) // 3)])
    kept = Cause(
        causes.NOT_CLEARED, "it is larger than a gradient of this batch, and grows" if grows else "it is added to"
    )
    other = Cause(causes.OTHER_BATCH, "it is as long as, and another than, that of this batch")
    return Symptom(
        name="mixed gradients",
        title="The gradient that moves the weights is not that of the batch.",
        evidence={"relative distance to the batch's own": typical},
        curve="look.fresh",
        steps=(int(later.steps[0]), int(later.steps[-1])),
        confidence=clear(typical, limits.mixed),
        causes=(kept, other) if grows else (other, kept),
        experiment="Print the norm of a gradient right after it was cleared: it must be 0.",
        disproof="Gradients are gathered over several batches on purpose.",
    )


def unmoved(course: Course, limits: Limits) -> Symptom | None:
    """Blocks that never change, although others do."""
    looks = [blocks for step, blocks in course.looks("look.blocks") if step > 1]
    names = set.intersection(*(set(blocks) for blocks in looks)) if looks else set()
    moves = {name: max((blocks[name].get("update") or 0.0) for blocks in looks) for name in names}
    slopes = {name: max((blocks[name].get("gradient") or 0.0) for blocks in looks) for name in names}
    lively = max(moves.values(), default=0.0)
    still = sorted(n for n in names if moves[n] <= 1e-9 and not _frozen(course, n))
    blind = sorted(n for n in names if slopes[n] == 0.0 and not _frozen(course, n))
    if lively <= 1e-9 or not (still or blind):
        return None
    cut = [name for name in (still or blind) if slopes[name] == 0.0]
    shown = (still or blind)[0]
    left_out = Cause(causes.NOT_OPTIMISED, f"{shown} has a gradient, and does not move")
    cut_off = Cause(causes.CUT_OFF, f"no gradient reaches {(cut or [shown])[0]}")
    return Symptom(
        name="unmoved weights",
        title=f"{len(still or blind)} of {len(names)} blocks learn nothing: {', '.join((still or blind)[:3])}"
        + ("." if len(still or blind) <= 3 else ", ..."),
        evidence={
            "blocks": float(len(still or blind)),
            "largest gradient among them": max(slopes[n] for n in still or blind),
        },
        curve="look.blocks",
        steps=(1, course.steps),
        confidence=0.95,
        causes=(cut_off, left_out) if cut else (left_out, cut_off),
        experiment=f"Compare {shown} before and after one step; list what the optimiser was given.",
        disproof="These blocks are frozen on purpose, by requires_grad_(False).",
    )


def vanishing(course: Course, limits: Limits) -> Symptom | None:
    """Blocks at one end have hardly any gradient beside those at the other."""
    ratios = _ratios(course)
    profile = [(s, v[0] / v[-1]) for s, v in course.looks("look.by_step") if v[-1] and v[0]]
    found = [r for _, r in ratios] or []
    typical = middle(np.asarray(found))
    by_step = middle(np.asarray([r for _, r in profile]))
    low = min((x for x in (typical, by_step) if np.isfinite(x)), default=np.nan)
    if not low < limits.vanished:
        return None
    return Symptom(
        name="vanishing gradients",
        title="What comes first in the network has hardly a gradient.",
        evidence={"gradient of the first over that of the last": low},
        curve="look.blocks" if low == typical else "look.by_step",
        steps=(1, course.steps),
        confidence=clear(limits.vanished / max(low, 1e-12), 1.0),
        causes=(
            Cause(causes.DEEP, "every layer takes its share of the gradient; a skip connection leads around"),
            Cause(causes.INITIAL, "small weights, or activations at their ends, take more"),
            Cause(causes.CUT_OFF, "or something in between lets nothing pass"),
        ),
        experiment="The same network with half the depth, then with larger first weights: the ratio tells which.",
        disproof="The first blocks' weights are as small as their gradient: their update ratio is like the "
        "others'.",
    )


def exploding(course: Course, limits: Limits) -> Symptom | None:
    """Gradients far beyond their usual length."""
    gradient = course.curve("gradient").finite
    if len(gradient) < 5:
        return None
    usual = middle(gradient.values[: max(5, len(gradient) // 5)])
    later = middle(late(gradient, 0.2))
    ratios = [r for _, r in _ratios(course)]
    first = middle(np.asarray(ratios))
    begun = middle(gradient.values[:3])
    # Both are usual at first: a steep loss, and one that is far from 1; together they are not.
    steep = course.in_units and begun > limits.steep and began(course.curve("loss")) > limits.far_off
    huge = later > limits.exploded * max(usual, 1e-12) or steep
    if not huge and not first > limits.exploded:
        return None
    return Symptom(
        name="exploding gradients",
        title="Gradients grow out of proportion."
        if not steep
        else "Gradients are out of proportion from the start.",
        evidence={
            "norm at first": begun,
            "norm early": usual,
            "norm in the end": later,
            "first block over last": first,
        },
        curve="gradient" if huge else "look.blocks",
        steps=(1, course.steps),
        confidence=clear(
            max(later / max(usual, 1e-12), first if np.isfinite(first) else 0, begun / 3), limits.exploded
        ),
        causes=(
            *([Cause(causes.INITIAL, "from the first steps on")] if steep or first > limits.exploded else []),
            Cause(causes.RATE_HIGH, "a step too far, where the loss is steep"),
            Cause(causes.INITIAL, "large weights"),
            *([Cause(causes.BEYOND, "unstable steps lengthen what comes before")] * course.has("look.profile")),
        ),
        experiment="Half of the initial weights of every layer: an explosion by them is gone at once.",
        disproof="The loss is steep only at the beginning, and the norm falls to the usual within some steps.",
    )


def beyond(course: Course, limits: Limits) -> Symptom | None:
    """A learned step size exceeds the bound within which the solver is stable."""
    looks = course.looks("look.profile")
    worst, name, step = 0.0, "", 0
    for at, profile in looks:
        for number, shares in (profile.get("share") or {}).items():
            if max(shares) > worst:
                worst, name, step = max(shares), number, at
    if not worst > limits.beyond:
        return None
    last = looks[-1][1]
    energy, change = last.get("energy") or [], last.get("change") or []
    mended = max((max(s) for s in (last.get("share") or {}).values()), default=0.0) <= limits.beyond
    grows = (len(change) > 2 and change[-1] > 2 * change[0]) or (
        len(energy) > 1 and energy[-1] > 1.02 * min(energy)
    )
    shares = np.maximum((last.get("share") or {}).get(name, [1e-9]), 1e-9)
    sustained = float(np.exp(np.log(shares).mean())) > limits.beyond
    return Symptom(
        name="beyond the stability bound",
        title=f"{name.replace('_', ' ').capitalize()} {worst:.3g} times the largest for which the solver is "
        f"proved stable" + (", and its steps grow." if grows else "."),
        evidence={
            "part of the bound": worst,
            "last change over the first": change[-1] / change[0] if change and change[0] else np.nan,
            "energy after the last step": energy[-1] if energy else np.nan,
        },
        curve="look.profile",
        steps=(step, course.steps),
        confidence=clear(worst, limits.beyond),
        causes=(
            Cause(
                causes.BEYOND,
                "for descent of a smooth energy the bound is 2 / L, for primal-dual steps tau sigma |K|^2 = 1",
            ),
            Cause(causes.RATE_HIGH, "the learned factor was carried past the bound"),
        ),
        experiment="Train with StepSizes(bounded=True): if the energy is as low, nothing is lost by it.",
        disproof="Single long steps among short ones, as in FED, whose product is stable: changes must not grow.",
        hint=(mended or not sustained) and not grows,
    )


def _frozen(course: Course, block: str) -> bool:
    """Whether all weights of a block are not to learn."""
    own = {name for name in course.shapes if name == block or name.startswith(f"{block}.")}
    own = {name for name in own if not name.endswith(("running_mean", "running_var", "num_batches_tracked"))}
    named = {name for name in course.frozen if name == block or name.startswith(f"{block}.")}
    return bool(named) and own <= named


def _ratios(course: Course) -> list[tuple[int, float]]:
    """The gradient of the first block in parts of the last one's, at each look after the first steps."""
    found = []
    for step, blocks in course.looks("look.blocks"):
        norms = [b.get("gradient") or 0.0 for b in blocks.values()]
        if step > 1 and len(norms) > 2 and norms[0] > 0 and norms[-1] > 0:
            found.append((step, norms[0] / norms[-1]))
    return found


RULES = (
    Rule("mixed gradients", "the gradient is not that of the batch", ("look.fresh",), mixed, least=2),
    Rule("unmoved weights", "blocks that learn nothing", ("look.blocks",), unmoved, least=2),
    Rule(
        "beyond the stability bound", "learned steps longer than what is proved stable", ("look.profile",), beyond
    ),
    Rule("vanishing gradients", "the first blocks have hardly a gradient", ("look.blocks",), vanishing, least=2),
    Rule("exploding gradients", "gradients grow out of proportion", ("gradient",), exploding, least=5),
)
