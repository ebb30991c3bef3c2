"""Several runs on a page: where they differ, and what came of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mindl.core.records import flat
from mindl.diagnosis.course import Course, Curve
from mindl.report.drawing import COLOURS, Chart, Line, charts, lines
from mindl.report.frame import framed
from mindl.report.markup import Html, section, table, tag, told
from mindl.report.pictures import SHOWN, picture_of, slider, still, trio
from mindl.report.subject import Subject
from mindl.report.thinning import smoothed
from mindl.report.words import NONE, duration, short

HIDDEN = ("format", "net.shapes.", "images.sha256")
"""What differs with something else that is shown."""

MOST = 60
"""Rows of the table of differences."""

LONG = 120


def comparison(subjects: Sequence[Subject]) -> str:
    """The page that compares runs, as text."""
    names = distinct([_path_of(subject) for subject in subjects])
    parts = [
        section("verdicts", "Verdicts", *_verdicts(subjects, names)),
        section("numbers", "In the end", _numbers(subjects, names)),
        section("settings", "Where they differ", _differences(subjects, names)),
        section("curves", "Curves", charts(_charts(subjects, names))),
        section("images", "Last answers", *_pictures(subjects, names)),
    ]
    title = " and ".join(names) if len(names) == 2 else f"{len(names)} runs"
    lead = tag("p", f"{len(names)} training runs beside each other", class_="kind")
    return framed(title, f"{title}: comparison", lead, parts)


def distinct(paths: Sequence[tuple[str, ...]]) -> list[str]:
    """Names that are as short as can be and tell paths apart; numbers where nothing else does.

    >>> distinct([("runs", "a", "net"), ("runs", "b", "net")]), distinct([("x",), ("x",)])
    (['a/net', 'b/net'], ['x', 'x (2)'])
    """
    for depth in range(1, max(map(len, paths)) + 1):
        names = ["/".join(path[-depth:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    names = [path[-1] for path in paths]
    seen = [names[:i].count(name) + 1 for i, name in enumerate(names)]
    return [name if count == 1 else f"{name} ({count})" for name, count in zip(names, seen, strict=True)]


def _path_of(subject: Subject) -> tuple[str, ...]:
    folder = subject.course.folder
    if folder is None:
        return (subject.name,) if subject.home is None else (*subject.home.resolve().parts, subject.name)
    return Path(os.path.realpath(folder)).parts


def _verdicts(subjects: Sequence[Subject], names: Sequence[str]) -> list[Html]:
    return [
        tag("p", tag("span", f"{name}: {subject.diagnosis.verdict}"), class_=f"verdict {subject.mood}")
        for subject, name in zip(subjects, names, strict=True)
    ]


def _numbers(subjects: Sequence[Subject], names: Sequence[str]) -> Html:
    def last(curve: Curve) -> float | None:
        return float(curve.finite.values[-1]) if curve.finite else None

    def excess(course: Course) -> str:
        found = last(course.curve("excess"))
        return NONE if found is None else f"{short(100 * found)} %"

    def decibels(course: Course) -> str:
        found = last(course.curve("psnr"))
        return NONE if found is None else f"{found:.2f}"

    measures: dict[str, Callable[[Subject], str]] = {
        "steps": lambda s: f"{s.standing.steps:,}" + (f" of {s.standing.planned:,}" if s.standing.planned else ""),
        "state": lambda s: s.standing.state or NONE,
        "loss": lambda s: short(last(smoothed(s.course.curve("loss"), 20))),
        "loss, unseen": lambda s: short(last(s.course.curve("unseen.loss"))),
        "PSNR in dB": lambda s: decibels(s.course),
        "energy excess": lambda s: excess(s.course),
        "proved rms in grey levels": lambda s: short(last(s.course.curve("rms"))),
        "time per step": lambda s: duration(s.standing.each),
        "time in all": lambda s: duration(s.standing.total),
    }
    rows = [(what, *(measure(subject) for subject in subjects)) for what, measure in measures.items()]
    return table([row for row in rows if set(row[1:]) != {NONE}], head=("", *names))


def _differences(subjects: Sequence[Subject], names: Sequence[str]) -> Html:
    configs = [flat(subject.course.config) for subject in subjects]
    every = list(dict.fromkeys(name for config in configs for name in config))
    rows = []
    for name in every:
        values = [_told(config, name) for config in configs]
        if len(set(values)) > 1 and not name.startswith(HIDDEN):
            rows.append((name, *values))
    if not rows:
        known = all(configs)
        return tag(
            "p", "In nothing that is known." if known else "Settings are not known of all of them.", class_="lead"
        )
    found = table(rows[:MOST], head=("", *names))
    return Html(found + tag("p", f"And {len(rows) - MOST} more.", class_="lead")) if len(rows) > MOST else found


def _told(config: dict[str, Any], name: str) -> str:
    text = told(config[name]) if name in config else NONE
    return text if len(text) <= LONG else f"{text[:LONG]}..."


def _charts(subjects: Sequence[Subject], names: Sequence[str]) -> list[Chart | None]:
    return [
        _overlaid(subjects, names, "loss", "Loss, medians", "loss"),
        _overlaid(subjects, names, "unseen.loss", "Loss on unseen problems", "loss"),
        _overlaid(subjects, names, "psnr", "PSNR on unseen images", "dB", scale="linear"),
        _overlaid(subjects, names, "excess", "Energy excess, unseen images", "0 = solved, 1 = start", scale="log"),
        _overlaid(subjects, names, "gradient", "Norm of the gradient, medians", "norm", scale="log"),
        _overlaid(subjects, names, "look.alpha", "Where the steps landed (alpha)", "alpha", scale="signed"),
    ]  # fmt: skip


def _overlaid(
    subjects: Sequence[Subject], names: Sequence[str], source: str, title: str, unit: str, scale: str = "auto"
) -> Chart | None:
    pieces = [
        Line(
            smoothed(subject.course.curve(source)),
            name,
            COLOURS[i % len(COLOURS)],
            "line" if i % 2 == 0 else "dashed",
        )
        for i, (subject, name) in enumerate(zip(subjects, names, strict=True))
    ]
    levels = [(-1, "hardly moved"), (0, "bottom"), (1, "as high on the other side")] if "alpha" in source else ()
    least = (-1.15, 1.3) if "alpha" in source else None
    last = float(max(subject.course.steps for subject in subjects))
    return lines(
        source.replace(".", "-"),
        title,
        pieces,
        unit=unit,
        scale=scale,
        levels=levels,
        whole=(0.0, last),
        least=least,
    )


def _pictures(subjects: Sequence[Subject], names: Sequence[str]) -> list[Html]:
    rows = []
    for i in range(1, SHOWN + 1):
        images = [picture_of(subject, i, "last") for subject in subjects]
        found = [image for image in images if image is not None]
        if len(found) < len(subjects):
            break
        frames = [
            tag("figure", tag("figcaption", name), still(image, f"last answer of {name}"))
            for image, name in zip(found, names, strict=True)
        ]
        if len(found) == 2 and found[0].shape[2:] == found[1].shape[2:]:
            both = slider(found[0], found[1], (names[0], names[1]))
            frames.append(tag("figure", tag("figcaption", f"{names[0]} | {names[1]}"), both))
        rows.append(trio(frames))
    return rows
