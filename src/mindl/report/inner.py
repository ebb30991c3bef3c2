"""What goes on within a network while it learns: gradients, steps, units, unrolled solvers, time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mindl.diagnosis.course import Course, Curve, Numbers
from mindl.report.drawing import BLUE, COLOURS, GREY, ORANGE, PURPLE, SKY, Chart, Line, lines, stacked
from mindl.report.heat import gathered, heat
from mindl.report.learned import number, span

PARTS = 60
"""Of the course of the time per step."""

Shade = tuple[int, int] | None


def stepping(course: Course) -> list[Chart | None]:
    """Gradients and what the steps make of them."""
    return [
        alpha(course),
        _signal(course),
        blocks(course, "update"),
        blocks(course, "gradient"),
    ]


def units(course: Course) -> list[Chart | None]:
    """Units that do nothing."""
    return [idle(course, "dead"), idle(course, "saturated")]


def unrolled(course: Course) -> list[Chart | None]:
    """The steps of an unrolled solver."""
    return [energies(course), changes(course), shares(course), by_step(course)]


def effort(course: Course) -> list[Chart | None]:
    """Time and memory."""
    return [_time(course), _memory(course)]


def alpha(course: Course, name: str = "alpha", shade: Shade = None) -> Chart | None:
    """Where the steps landed."""
    return lines(
        name,
        "Where the steps landed (alpha)",
        [Line(course.curve("look.alpha"), colour=BLUE)],
        unit="alpha",
        whole=span(course),
        scale="signed",
        least=(-1.15, 1.3),
        levels=[(-1, "hardly moved"), (0, "bottom of the valley"), (1, "as high on the other side")],
        shade=shade,
        reading="Between -1 and 0 the steps are on the safe side; about 1 and above they are too long.",
    )


def _signal(course: Course) -> Chart | None:
    curve = course.curve("look.signal")
    positive = curve.finite.values
    return lines(
        "signal",
        "Signal in the gradient",
        [Line(curve, colour=PURPLE)],
        unit="squared mean / variance",
        whole=span(course),
        scale="auto" if len(positive) and positive.min() > 0 else "signed",
        levels=[(1, "as much noise as signal")],
        reading="Below 1 most of a step is noise: larger batches or a smaller rate take it further.",
    )


def blocks(course: Course, what: str, name: str = "", shade: Shade = None) -> Chart | None:
    """``update`` or ``gradient`` of each block as colours."""
    titles = {"update": "Update of each block", "gradient": "Gradient of each block"}
    readings = {
        "update": "Change of a step in parts of the weights: about 10⁻³ is usual; dark rows stand still. Grey: 0.",
        "gradient": "Rows should have similar colours: darker and darker from block to block, gradients vanish.",
    }
    table = gathered(course.looks("look.blocks"), _entry(what))
    units_ = {"update": "‖Δθ‖/‖θ‖", "gradient": "norm"}
    return heat(
        name or f"blocks-{what}",
        titles[what],
        table,
        unit=units_[what],
        reading=readings[what],
        log=True,
        shade=shade,
    )


def idle(course: Course, what: str, name: str = "", shade: Shade = None) -> Chart | None:
    """Shares of ``dead`` or ``saturated`` units as colours; None where there was never one, unless it is asked for
    with a shade."""
    table = gathered(course.looks("look.units"), _entry(what))
    if not np.nansum(table[2]) > 0 and shade is None:
        return None
    reading = {
        "dead": "Share of channels that are the same at every pixel of a fixed batch: no gradient passes them.",
        "saturated": "Share of values on the flat part of their activation, where gradients are lost.",
    }[what]
    return heat(
        name or f"units-{what}",
        f"{what.capitalize()} units",
        table,
        unit="share",
        reading=reading,
        shade=shade,
    )


def never_idle(course: Course) -> bool:
    """Whether units were looked at, and all of them did something."""
    looks = course.looks("look.units")
    found = [gathered(looks, _entry(what)) for what in ("dead", "saturated")]
    return all(table[2].size > 0 and float(np.nansum(table[2])) == 0 for table in found)


def energies(course: Course) -> Chart | None:
    """The energy after each step."""
    return _by_look(
        course, "look.profile.energy", "Energy along the steps", "E(u_k) / E(start)",
        "It should fall from step to step; what hardly changes at the end could be left out.",
    )  # fmt: skip


def changes(course: Course) -> Chart | None:
    """How far each step moves."""
    return _by_look(
        course, "look.profile.change", "Change by each step", "rms, grey levels of 255",
        "How far each step moves the image.",
    )  # fmt: skip


def by_step(course: Course, name: str = "by-step") -> Chart | None:
    """The gradient that reaches each step."""
    return _by_look(
        course, "look.by_step", "Gradient by step", "norm",
        "How much each step has to learn: the first ones get little where gradients vanish on their way back.",
        name,
    )  # fmt: skip


def shares(course: Course, name: str = "shares") -> Chart | None:
    """Step sizes in parts of their bound, at the first and the last look."""
    looks = [(step, value) for step, value in course.looks("look.profile.share") if isinstance(value, dict)]
    if not looks:
        return None
    pieces = []
    for i, size in enumerate(looks[-1][1]):
        colour, words = COLOURS[i % len(COLOURS)], size.replace("_", " ")
        first, last = _along(looks[0][1].get(size)), _along(looks[-1][1][size])
        pieces += [Line(first, "", colour, "dotted")] if len(looks) > 1 else []
        pieces.append(Line(last, words, colour))
    told = f"Solid: step {looks[-1][0]:,}" + (f"; dotted: step {looks[0][0]:,}" if len(looks) > 1 else "")
    return lines(
        name,
        "Step sizes in parts of their bound",
        pieces,
        unit="parts of the largest stable value",
        scale="linear",
        levels=[(1.0, "bound of the proof")],
        across="step of the solver",
        reading=f"{told}. Above 1 a step lies beyond what is proved to be stable.",
    )


def _entry(what: str) -> Callable[[Any], Any]:
    return lambda entry: entry.get(what)


def _by_look(course: Course, source: str, title: str, unit: str, reading: str, name: str = "") -> Chart | None:
    """A list for each look, at the first, a middle and the last one."""
    looks = [(step, _along(value)) for step, value in course.looks(source)]
    looks = [(step, curve) for step, curve in looks if curve.finite]
    if not looks:
        return None
    picked = sorted({0, (len(looks) - 1) // 2, len(looks) - 1})
    hues = ((GREY, "dotted"), (SKY, "dashed"), (BLUE, "line"))[-len(picked) :]
    pieces = [Line(looks[i][1], f"step {looks[i][0]:,}", *hue) for i, hue in zip(picked, hues, strict=True)]
    return lines(
        name or source.replace(".", "-").replace("_", "-"), title, pieces, unit=unit, reading=reading,
        across="step of the solver",
    )  # fmt: skip


def _along(values: Any) -> Curve:
    found = np.asarray([number(value) for value in values] if isinstance(values, list) else [], dtype=np.float64)
    return Curve(np.arange(1.0, len(found) + 1), found)


def _time(course: Course) -> Chart | None:
    seconds, waited = course.curve("seconds"), course.curve("waited")
    if not seconds.finite:
        return None
    times = 1000 * np.nan_to_num(seconds.values)
    waits = np.minimum(1000 * np.nan_to_num(waited.values), times) if len(waited) == len(seconds) else 0 * times
    rest = times - waits
    examined = np.isin(seconds.steps, course.curve("excess").steps)
    usual = float(np.median(rest[~examined])) if (~examined).any() else 0.0
    learned = np.where(examined & bool((~examined).any()), np.minimum(rest, usual), rest)
    groups = np.array_split(np.arange(len(times)), min(PARTS, len(times)))
    steps = np.asarray([seconds.steps[group].mean() for group in groups])

    def means(values: Numbers) -> Numbers:
        return np.asarray([values[group].mean() for group in groups])

    parts = [("learning", learned, BLUE), ("waiting for data", waits, ORANGE), ("examining", rest - learned, GREY)]
    share = 100 * float(waits.sum()) / max(float(times.sum()), 1e-9)
    return stacked(
        "time",
        "Time per step",
        steps,
        [(label, means(values), colour) for label, values, colour in parts if values.any()],
        "ms",
        f"{share:.0f} % of the time went by waiting for data; where it is much, more workers help.",
    )


def _memory(course: Course) -> Chart | None:
    return lines(
        "memory",
        "Memory",
        [Line(course.curve("look.memory"), colour=PURPLE)],
        unit="MiB, the most so far",
        whole=span(course),
        scale="linear",
        reading="It should come to rest; steady growth is a leak.",
    )
