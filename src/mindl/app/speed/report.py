"""What a person sees: a table for each work and one of the goals, on the terminal, as Markdown, as JSON."""

from __future__ import annotations

import math
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from statistics import median
from typing import Any

import torch
from rich.table import Table
from rich.text import Text

import mindl
from mindl.app.speed.chapters import Chapter, Contest, Sizes, Sweeps
from mindl.app.speed.contender import Measurement, quartiles, times
from mindl.app.speed.measure import Settings
from mindl.app.speed.peers import PACKAGES


@dataclass(frozen=True)
class Grid:
    """A table as text: the first column is to the left, the others to the right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def grid_of(chapter: Chapter) -> Grid:
    """The rows of a work."""
    if isinstance(chapter, Contest):
        return _contest(chapter)
    if isinstance(chapter, Sweeps):
        columns = ("", "a step", "quartiles", "bytes a step", "bandwidth", "of the copy's")
        return Grid(
            columns,
            tuple(
                (
                    each.contender,
                    seconds(each.time),
                    _between(each.seconds),
                    f"{chapter.bytes / 1e6:.0f} MB",
                    f"{chapter.bytes / each.time / 1e9:.1f} GB/s",
                    f"{chapter.share(each):.0%}",
                )
                for each in chapter.sweeps
            ),
        )
    return _sizes(chapter)


def _contest(contest: Contest) -> Grid:
    """A column that says nothing of anyone is left out."""
    columns = ("", "effort", contest.measure, "PSNR", "time", "quartiles", "set-up", "proof", "compile", "ratio")
    rows = [_row(contest, each) for each in contest.measurements]
    kept = [k for k in range(len(columns)) if any(row[k] for row in rows)]
    return Grid(tuple(columns[k] for k in kept), tuple(tuple(row[k] for k in kept) for row in rows))


def _row(contest: Contest, each: Measurement) -> tuple[str, ...]:
    ratio = contest.ratio(each)
    accuracy = f"{each.accuracy:.2g}" if math.isfinite(each.accuracy) else "none"

    def part(value: float) -> str:
        return seconds(value) if value > 0.01 * each.total else ""

    return (
        each.contender,
        each.said,
        f"{accuracy}{'' if each.reached else ' *'}",
        "" if each.psnr is None else f"{each.psnr:.2f}",
        seconds(each.total),
        _between(tuple(a + b + each.proof for a, b in zip(each.setup, each.solve, strict=True))),
        part(median(each.setup)),
        part(each.proof),
        part(each.compile),
        "" if ratio is None else f"{'' if each.reached else '> '}{times(ratio)}",
    )


def _sizes(chapter: Sizes) -> Grid:
    remembered = any(each.memory is not None or each.outcome for each in chapter.points)
    columns = ("", "size", "time", "quartiles", "proof", "a pixel", "steps")
    more = ("memory", "outcome") if remembered else ()
    rows = []
    for each in chapter.points:
        memory = "" if each.memory is None else f"{each.memory:.1f} GB"
        rows.append(
            (
                f"{each.model}: {each.contender}",
                f"{each.side} x {each.side}",
                seconds(each.total),
                _between(each.seconds),
                seconds(each.proof) if each.proof > 0.01 * each.total else "",
                f"{1e9 * each.per_pixel:.0f} ns",
                "" if each.steps is None else str(each.steps),
                *((memory, each.outcome) if remembered else ()),
            )
        )
    return Grid((*columns, *more), tuple(rows))


def goals_of(chapters: Sequence[Chapter]) -> Grid:
    """All goals, and whether they are met."""
    rows = []
    for chapter in chapters:
        for verdict in chapter.verdicts:
            told = {None: "-", True: "met", False: "missed"}[verdict.met]
            rows.append((f"{chapter.name}: {verdict.goal}", verdict.asked, verdict.measured, told))
    return Grid(("goal", "asked", "measured", ""), tuple(rows))


NOTES = (
    "time: whole wall time, median; set-up and mindl's own last proof are part of it, compilation is not.",
    "proof: mindl's last proof of its answer; the others prove nothing. All are judged alike, by the certificate.",
    "set-up, proof, compile: left out where they are less than a hundredth of the time.",
    "ratio: to the fastest of mindl's that is accurate enough. * the accuracy asked for was not reached.",
)


def table_of(grid: Grid) -> Table:
    """For the terminal."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for k, column in enumerate(grid.columns):
        table.add_column(column, justify="right" if k else "left", overflow="fold", no_wrap=bool(k))
    for row in grid.rows:
        table.add_row(*map(Text, row))
    return table


def markdown_of(chapters: Sequence[Chapter], settings: Settings) -> str:
    """The whole as a page."""
    lines = [f"{_machine(settings)}", ""]
    for chapter in chapters:
        lines += [f"### {chapter.title}", "", *_markdown(grid_of(chapter)), ""]
        lines += [*(f"{told}  " for told in chapter.told), ""] if chapter.told else []
    lines += ["### Goals", "", *_markdown(goals_of(chapters)), "", *(f"- {note}" for note in NOTES), ""]
    return "\n".join(lines)


def _markdown(grid: Grid) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("*", "\\*") for cell in cells) + " |"

    rule = "|" + "|".join([":--", *["--:"] * (len(grid.columns) - 1)]) + "|"
    return [line(grid.columns), rule, *(line(row) for row in grid.rows)]


def record_of(chapters: Sequence[Chapter], settings: Settings) -> dict[str, Any]:
    """Everything, for programs; what is not finite is null."""
    works = []
    for chapter in chapters:
        work = {"kind": type(chapter).__name__.lower(), **asdict(chapter)}
        if isinstance(chapter, Contest):
            for row, each in zip(work["measurements"], chapter.measurements, strict=True):
                row.update(total=each.total, bare=each.bare, ratio=chapter.ratio(each))
        if isinstance(chapter, Sweeps):
            for row, sweep in zip(work["sweeps"], chapter.sweeps, strict=True):
                row.update(time=sweep.time, share=chapter.share(sweep))
        if isinstance(chapter, Sizes):
            for row, point in zip(work["points"], chapter.points, strict=True):
                row.update(total=point.total, per_pixel=point.per_pixel)
        works.append(work)
    found: dict[str, Any] = _finite({"machine": machine(settings), "settings": asdict(settings), "works": works})
    return found


def machine(settings: Settings) -> dict[str, str | int]:
    """What the figures depend on beside the code."""
    facts: dict[str, str | int] = {
        "mindl": mindl.__version__,
        "processor": processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "threads": settings.threads,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    for package in ("numba", *dict.fromkeys(PACKAGES.values())):
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "not installed"
    return facts


def processor() -> str:
    """The processor's name, where the system says it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or "unknown"


def _machine(settings: Settings) -> str:
    facts = machine(settings)
    start = f"{facts.pop('threads')} threads of {facts.pop('processor')}, {facts.pop('system')}"
    return f"{start}; medians of {settings.repeat} runs; " + ", ".join(f"{k} {v}" for k, v in facts.items()) + "."


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def seconds(value: float) -> str:
    """A duration with two or three digits.

    >>> seconds(0.00213), seconds(0.213), seconds(2.13), seconds(213.4)
    ('2.1 ms', '213 ms', '2.1 s', '213 s')
    """
    if not math.isfinite(value):
        return "-"
    if value < 0.9995:
        return f"{1000 * value:.0f} ms" if value >= 0.00995 else f"{1000 * value:.2g} ms"
    return f"{value:.0f} s" if value >= 9.95 else f"{value:.1f} s"


def _between(values: tuple[float, ...]) -> str:
    if len(values) < 2:
        return ""
    low, high = (seconds(value) for value in quartiles(values))
    (a, unit), (b, other) = low.split(" "), high.split(" ")
    return f"{a}-{b} {other}" if unit == other else f"{low}-{high}"
