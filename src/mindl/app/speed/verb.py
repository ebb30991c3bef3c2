"""The verb ``bench speed``: works in turn, their tables as they come, files in the end."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from rich.console import Console
from rich.status import Status
from rich.text import Text

from mindl.app.report import say, wide_console
from mindl.app.speed.chapters import Chapter, Contest, Sizes, Stage, Work
from mindl.app.speed.figures import accuracy_figure, size_figure
from mindl.app.speed.measure import SWITCH, Settings
from mindl.app.speed.report import NOTES, goals_of, grid_of, markdown_of, record_of, table_of
from mindl.app.speed.works import HUGE, WORKS
from mindl.core.errors import InputError, OutputError, look_up
from mindl.core.files import write_whole
from mindl.plot import save_figure

CACHE = "NUMBA_CACHE_DIR"


def speed(
    names: Sequence[str], settings: Settings, output: Path | None, *, huge: bool, quiet: bool, as_json: bool
) -> int:
    """Measure, print, write; 0 also where goals are missed, for the table says so."""
    works = chosen(names, huge=huge)
    if os.environ.get(SWITCH, "on").lower() in ("off", "0", "no"):
        raise InputError(f"{SWITCH} is off: unset it, for mindl is to be measured with its kernels.")
    if output is not None:
        _make(output)
    before = torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    chapters: list[Chapter] = []
    try:
        with nullcontext() if settings.quick else _fresh_cache():
            for work in works.values():
                with _Line(quiet=quiet) as line:
                    chapters.append(work(Stage(settings, line.tell)))
                _show(chapters, quiet=quiet, as_json=as_json)
                if output is not None:
                    _write(output, chapters, settings)
    finally:
        torch.set_num_threads(before)
    _conclude(chapters, settings, quiet=quiet, as_json=as_json)
    return 0


def chosen(names: Sequence[str], *, huge: bool) -> dict[str, Work]:
    """The works that were named, or all; what takes much memory only when asked.

    Raises:
        UnknownNameError: there is no such work.
    """
    everything = {**WORKS, **HUGE}
    if not names:
        return everything if huge else WORKS
    found = [look_up(everything, name, "work") for name in names]
    picked = {name: work for name, work in everything.items() if work in found}
    return {**picked, **HUGE} if huge else picked


@contextmanager
def _fresh_cache() -> Iterator[None]:
    """Kernels are compiled anew, so that compilation is measured on a computer that has them already too."""
    before = os.environ.get(CACHE)
    with tempfile.TemporaryDirectory(prefix="mindl-bench-", ignore_cleanup_errors=True) as folder:
        os.environ[CACHE] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ[CACHE]
            else:
                os.environ[CACHE] = before


class _Line:
    """What is being measured, on standard error: one line that changes, where there is a terminal."""

    def __init__(self, *, quiet: bool) -> None:
        self._status: Status | None = None
        if not quiet and sys.stderr.isatty():
            self._status = Console(stderr=True).status(Text("..."))

    def __enter__(self) -> _Line:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def tell(self, what: str) -> None:
        """Show it."""
        if self._status is not None:
            self._status.update(Text(what))


def _show(chapters: list[Chapter], *, quiet: bool, as_json: bool) -> None:
    """The table of the last work, and what was missing for it."""
    chapter = chapters[-1]
    named = {package for each in chapters[:-1] for package in each.missing}
    for package in chapter.missing:
        if package not in named:
            say(f"{package} is not installed, so it is left out: pip install 'mindl[bench]' adds it.", quiet=quiet)
    if quiet or as_json:
        return
    console = wide_console()
    console.print(Text(chapter.title, style="bold"))
    console.print(table_of(grid_of(chapter)))
    for told in chapter.told:
        console.print(Text(told, style="dim"))
    console.print()


def _conclude(chapters: list[Chapter], settings: Settings, *, quiet: bool, as_json: bool) -> None:
    """The goals, or everything as JSON."""
    if as_json:
        sys.stdout.write(json.dumps(record_of(chapters, settings), indent=2, allow_nan=False) + "\n")
        return
    if quiet:
        return
    console = wide_console()
    if any(chapter.verdicts for chapter in chapters):
        console.print(Text("Goals", style="bold"))
        console.print(table_of(goals_of(chapters)))
        if settings.quick:
            console.print(Text("A quick run: sizes are a sixteenth, and no goal is judged.", style="dim"))
        console.print()
    for note in NOTES:
        console.print(Text(note, style="dim"))


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot write into {folder}: {error.strerror or error}.") from error


def _write(folder: Path, chapters: list[Chapter], settings: Settings) -> None:
    """Table, record and figures of what is finished; earlier ones are replaced."""
    write_whole(folder / "table.md", markdown_of(chapters, settings).encode())
    record = json.dumps(record_of(chapters, settings), indent=2, allow_nan=False) + "\n"
    write_whole(folder / "speed.json", record.encode())
    contests = [chapter for chapter in chapters if isinstance(chapter, Contest)]
    if contests:
        save_figure(accuracy_figure(contests), folder / "accuracy.png")
    for chapter in chapters:
        if isinstance(chapter, Sizes) and chapter.name == "growth":
            save_figure(size_figure(chapter), folder / "size.png")
