"""What was learned: losses and rates over the steps, and how unseen problems are answered."""

from __future__ import annotations

from typing import Any

import numpy as np

from mindl.diagnosis.course import Course, Curve
from mindl.report.drawing import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, Band, Chart, Line, bars, lines
from mindl.report.thinning import smoothed

BINS, FAR = 31, 64.0
"""Of the histogram of errors, in grey levels."""


def learning(course: Course) -> list[Chart | None]:
    """Losses, rate and the like."""
    return [_loss(course), _generalising(course), _gradient(course), _rate(course), _modes(course)]


def answering(course: Course) -> list[Chart | None]:
    """How problems are answered that are not learned from."""
    return [_psnr(course), _excess(course), _rms(course), _answers(course), _errors(course)]


def quantiles(course: Course, name: str) -> list[Curve]:
    """Least, quartiles and largest of what is examined; none where they are not in the record."""
    found = [(step, value) for step, value in course.looks(name) if isinstance(value, list) and len(value) == 5]
    steps = np.asarray([step for step, _ in found], dtype=np.float64)
    return [Curve(steps, np.asarray([number(value[k]) for _, value in found])) for k in range(5)] if found else []


def span(course: Course) -> tuple[float, float]:
    """What the horizontal axes of all curves show, so that they can be read below each other."""
    return 0.0, float(course.steps)


def number(value: Any) -> float:
    """NaN for what is none."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")


def _loss(course: Course) -> Chart | None:
    loss = course.curve("loss")
    many = len(loss) > 100
    return lines(
        "loss",
        "Loss",
        [
            Line(course.curve("worst"), "worst of the batch", ORANGE, "faint"),
            Line(loss, "each step" if many else "loss", BLUE, "faint" if many else "line"),
            *([Line(smoothed(loss), "its course (medians)")] if many else []),
        ],
        unit="loss",
        whole=span(course),
        reading="It should fall steeply, then ever more slowly; the worst of the batch should fall with it.",
    )


def _generalising(course: Course) -> Chart | None:
    unseen = course.curve("unseen.loss")
    if not unseen.finite:
        return None
    seen = course.curve("unseen.loss_seen")
    return lines(
        "generalising",
        "Loss on seen and unseen problems",
        [
            Line(seen if seen.finite else smoothed(course.curve("loss")), "learned from", GREY, "dashed"),
            Line(unseen, "not learned from", BLUE),
        ],
        unit="loss",
        whole=span(course),
        reading="Both should fall together; where the unseen one rises while the other falls, it learns by heart.",
    )


def _gradient(course: Course) -> Chart | None:
    curve = course.curve("gradient")
    many = len(curve) > 100
    clip = course.training.get("clip")
    return lines(
        "gradient",
        "Norm of the gradient",
        [
            Line(curve, "each step" if many else "", BLUE, "faint" if many else "line"),
            *([Line(smoothed(curve), "its course (medians)")] if many else []),
        ],
        unit="norm",
        whole=span(course),
        scale="log",
        levels=[(clip, "cut off here")] if isinstance(clip, int | float) and clip > 0 else (),
        reading="Single peaks are batches that stand out; growth without end comes before divergence."
        + " Zeros lie below the axis: no gradient is left." * bool((curve.finite.values == 0).any()),
    )


def _rate(course: Course) -> Chart | None:
    return lines(
        "rate",
        "Learning rate",
        [Line(course.curve("rate"), colour=PURPLE)],
        unit="rate",
        whole=span(course),
        scale="linear",
        reading="What the schedule has asked for; kinks in other curves at the same step come from here.",
    )


def _modes(course: Course) -> Chart | None:
    return lines(
        "modes",
        "Layers as in training and as in use",
        [
            Line(course.curve("look.mode.training"), "as in training", GREY, "dashed"),
            Line(course.curve("look.mode.use"), "as in use", BLUE),
        ],
        unit="loss of a fixed batch",
        whole=span(course),
        reading="Both should be close: a gap comes from batch statistics or dropout.",
    )


def _psnr(course: Course) -> Chart | None:
    return lines(
        "psnr",
        "PSNR on unseen images",
        [
            Line(course.curve("unseen.psnr_of_start"), "start (what is given)", GREY, "dotted"),
            Line(course.curve("psnr_of_minimiser"), "exact solution of the model", GREEN, "dashed"),
            Line(course.curve("look.seen.psnr"), "network, on seen images", SKY, "dashed"),
            Line(course.curve("psnr"), "network", BLUE),
        ],
        unit="dB",
        whole=span(course),
        scale="linear",
        reading="It should rise from the start to the solution; above the solution it solves another model.",
    )


def _excess(course: Course) -> Chart | None:
    spread = quantiles(course, "unseen.excess")
    return lines(
        "excess",
        "Energy excess on unseen images",
        [
            *([Band(spread[1], spread[3], "middle half of the images")] if spread else []),
            Line(course.curve("worst_excess"), "worst image", ORANGE, "dotted"),
            Line(course.curve("excess"), "median", BLUE),
        ],
        unit="(E(u) - E*) / (E(start) - E*)",
        whole=span(course),
        scale="log",
        levels=[(1.0, "no better than the start")],
        reading="0 is solved, 1 is no better than the start; it should fall.",
    )


def _rms(course: Course) -> Chart | None:
    spread = quantiles(course, "unseen.rms")
    return lines(
        "rms",
        "Proved distance to the solution",
        [
            *(
                [Band(spread[0], spread[4], "all images", SKY), Band(spread[1], spread[3], "middle half")]
                if spread
                else []
            ),
            Line(course.curve("rms"), "median", BLUE),
        ],
        unit="rms, grey levels of 255",
        whole=span(course),
        scale="log",
        reading="The answers are at most so far from the exact solution, whatever the network has learned.",
    )


def _answers(course: Course) -> Chart | None:
    kind = "solution" if course.has("unseen.solution") else "clean"
    named = {
        "moved": ("way from the start", BLUE, "line"),
        "along": ("part of it towards the target", SKY, "dashed"),
        "contrast": ("contrast", ORANGE, "line"),
        "sharpness": ("sharpness", GREEN, "line"),
        "likeness": ("correlation", PURPLE, "dotted"),
    }
    pieces = [Line(course.curve(f"unseen.{kind}.{name}"), *how) for name, how in named.items()]
    target = "the exact solutions" if kind == "solution" else "the clean images"
    return lines(
        "answers",
        f"Answers beside {target}",
        pieces,
        unit="in parts of the target's",
        whole=span(course),
        scale="linear",
        levels=[(1.0, "as the target")],
        reading="All should come to 1: no way is the identity, no contrast a collapse, low sharpness a blur.",
    )


def _errors(course: Course) -> Chart | None:
    found = [
        (step, np.asarray([number(count) for count in counts]))
        for step, counts in course.looks("unseen.errors")
        if isinstance(counts, list) and len(counts) == BINS
    ]
    found = [(step, counts) for step, counts in found if np.isfinite(counts).all() and counts.sum() > 0]
    if not found:
        return None
    shown = [found[0], found[-1]] if len(found) > 1 else found
    return bars(
        "errors",
        "Errors on unseen images",
        np.linspace(-FAR, FAR, BINS + 1),
        [(f"step {step:,}", counts) for step, counts in shown],
        "error in grey levels (beyond 64: outermost bins)",
        "Narrow and centred at 0 is good; a shifted peak is a shift of brightness.",
    )
