"""The page of a run, and where it is written."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mindl.core.errors import InputError
from mindl.core.files import write_whole
from mindl.core.records import flat, plain
from mindl.report import inner, learned
from mindl.report.comparison import comparison
from mindl.report.drawing import charts
from mindl.report.frame import facts, framed, verdict
from mindl.report.markup import Html, folded, joined, section, table, tag, told
from mindl.report.pictures import pictures
from mindl.report.subject import Source, Subject
from mindl.report.symptoms import diagnosis
from mindl.report.thinning import smoothed
from mindl.report.words import NONE, duration, short

LONG = 400
"""More characters of a value of the configuration are not shown."""

COMPARED = 8
"""At most so many runs on a page."""


def report(*runs: Source, output: str | os.PathLike[str] | None = None, overwrite: bool = True) -> Path:
    """Write a page of HTML about a training run, or one that compares several; the path of the page.

    The page is made from the record alone, also while the run goes on, and holds all that it shows: it needs no
    network. It has the diagnosis of the run, the curves that its record holds, the validated images, and the
    configuration.

    Args:
        runs: folders of runs, or whatever else ``mindl.diagnosis.read`` takes.
        output: the file; by default ``report.html`` in the folder of the run, and ``comparison.html`` in the
            present folder for several.
        overwrite: whether a file that is there is replaced.

    Raises:
        InputError: no run or more than eight; rows in memory, and no ``output``.
        StoreError: there is no record, or nothing in it can be read.
        OutputError: the page cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = report([{"loss": 1 / k} for k in range(1, 30)], output=folder + "/page.html")
    ...     page.read_text().startswith("<!doctype html>")
    True
    """
    if not 1 <= len(runs) <= COMPARED:
        raise InputError(f"report(*runs) tells of one run, or compares up to {COMPARED}; got {len(runs)}.")
    return write([Subject.of(run) for run in runs], output=output, overwrite=overwrite)


def write(
    subjects: Sequence[Subject], *, output: str | os.PathLike[str] | None = None, overwrite: bool = True
) -> Path:
    """The page of one subject, or the comparison of several; see ``report``."""
    text = page(subjects[0]) if len(subjects) == 1 else comparison(subjects)
    return write_whole(_place(subjects, output), text.encode("utf-8"), overwrite=overwrite)


def page(subject: Subject) -> str:
    """The page of one run, as text."""
    course = subject.course
    parts = [
        diagnosis(subject),
        section("learning", "Learning", charts(learned.learning(course))),
        section("unseen", "Unseen problems", charts(learned.answering(course))),
        pictures(subject),
        section("steps", "Gradients and steps", charts(inner.stepping(course))),
        section("units", "Units", *_units(subject)),
        section("unrolled", "Steps of the solver", charts(inner.unrolled(course))),
        section("time", "Time and memory", charts(inner.effort(course))),
        section("record", "Settings and record", *_settings(subject)),
    ]
    return framed(subject.name, f"{subject.name}: training report", _head(subject), parts)


def _place(subjects: Sequence[Subject], output: str | os.PathLike[str] | None) -> Path:
    if output is not None:
        return Path(output)
    if len(subjects) > 1:
        return Path("comparison.html")
    if subjects[0].home is None:
        raise InputError("report(rows) belongs to no folder: name a file by output='report.html'.")
    return subjects[0].home / "report.html"


def _head(subject: Subject) -> Html:
    course, standing = subject.course, subject.standing
    net, task = course.config.get("net"), course.config.get("task")
    kind = net.get("kind") if isinstance(net, dict) else net
    lines = [tag("p", str(what), class_="kind") for what in (kind, task) if what]
    notes = tag("ul", *(tag("li", note) for note in course.notes), class_="notes") if course.notes else ""
    if not course.rows:
        lines.append(tag("p", "The record is empty: no step is done yet.", class_="kind"))
    told_facts = [
        _progress(subject),
        ("State", standing.state or "not known", standing.date and f"last line {standing.date}"),
        ("Time per step", duration(standing.each), ""),
        ("Time in all", duration(standing.total), _left(subject)),
        *_numbers(subject),
    ]
    shown = [fact for fact in told_facts if fact[1] != NONE]
    return joined([*lines, verdict(subject), facts(shown), notes])


def _progress(subject: Subject) -> tuple[str, object, object]:
    standing = subject.standing
    if standing.planned is None:
        return "Steps", f"{standing.steps:,}", ""
    share = min(100.0, 100 * standing.steps / standing.planned)
    bar = tag(
        "div", tag("i", style=f"width:{share:.1f}%"), class_="bar", role="img", aria_label=f"{share:.0f} % done"
    )
    return "Steps", f"{standing.steps:,}", joined([f"of {standing.planned:,}", bar])


def _left(subject: Subject) -> str:
    return "" if subject.standing.left is None else f"about {duration(subject.standing.left)} left"


def _numbers(subject: Subject) -> list[tuple[str, object, object]]:
    """The last of those that a run is judged by."""
    course = subject.course
    found: list[tuple[str, object, object]] = []
    loss = smoothed(course.curve("loss"), 20)
    if loss:
        found.append(("Loss", short(float(loss.values[-1])), "median of the last steps"))
    last = {name: course.curve(name).finite for name in ("psnr", "psnr_of_minimiser", "excess", "rms")}
    if last["psnr"]:
        best = last["psnr_of_minimiser"]
        note = f"exact solution {best.values[-1]:.2f} dB" if best else ""
        found.append(("PSNR", f"{last['psnr'].values[-1]:.2f} dB", note))
    if last["excess"]:
        note = f"within {short(last['rms'].values[-1], 2)} grey levels rms" if last["rms"] else "in the median"
        found.append(("Energy excess", f"{short(100 * last['excess'].values[-1])} %", note))
    return found


def _units(subject: Subject) -> list[Html]:
    drawn = charts(inner.units(subject.course))
    if drawn or not inner.never_idle(subject.course):
        return [drawn]
    return [tag("p", "No unit was dead or saturated at any look.", class_="lead")]


def _settings(subject: Subject) -> list[Html]:
    course = subject.course
    values = flat(course.config)
    shapes = {name: value for name, value in values.items() if name.startswith("net.shapes.")}
    rows = [(name, _cut(told(value))) for name, value in values.items() if name not in shapes]
    found = []
    if rows:
        inside: list[Html] = [table(rows)]
        if shapes:
            weights = [(name.removeprefix("net.shapes."), told(value)) for name, value in shapes.items()]
            inside.append(folded(f"Shapes of {len(weights)} weights", table(weights)))
        found.append(folded("Configuration", *inside))
    if course.rows:
        found.append(folded("Last line of the record", _lines(course.rows[-1])))
        examined = next((row for row in reversed(course.rows) if "excess" in row), None)
        if examined is not None and examined is not course.rows[-1]:
            found.append(folded(f"Last examination (step {examined['step']:,})", _lines(examined)))
    return found


def _lines(row: dict[str, Any]) -> Html:
    text = json.dumps(plain(row), indent=1, ensure_ascii=False, default=str)
    return tag("pre", text, tabindex="0")


def _cut(text: str) -> str:
    return text if len(text) <= LONG else f"{text[:LONG]}... ({len(text):,} characters)"
