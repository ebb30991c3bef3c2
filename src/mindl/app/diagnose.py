"""The verb ``diagnose``: what a run's record says, in words; with ``--follow`` while it goes on."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live as Screen
from rich.text import Text

from mindl.app.live import Live
from mindl.app.report import say
from mindl.core.errors import InputError, StoreError
from mindl.core.records import plain
from mindl.diagnosis import Course, diagnose, read

PAUSE = 2.0
"""Seconds between two looks at a record that grows."""

SILENCE = 20.0
"""Seconds without a new line after which that is said."""

PATIENCE = 600.0
"""Seconds without a new line after which a run is no longer followed."""


def show(run: Path, *, follow: bool, as_json: bool) -> int:
    """Print the diagnosis; 0 = healthy, 1 = symptoms."""
    if follow and as_json:
        raise InputError("--follow shows curves until the run has ended; --json is for what is there: choose one.")
    if follow:
        _follow(run)
    found = diagnose(run)
    if as_json:
        sys.stdout.write(json.dumps(plain(found.row), indent=2, allow_nan=False) + "\n")
    else:
        sys.stdout.write(f"{found}\n")
    return 0 if found.healthy else 1


def _follow(run: Path) -> None:
    """Show the curves until the run has ended, or Ctrl-C."""
    live = Live()
    with Screen(console=Console(stderr=True), auto_refresh=False, transient=True) as screen:
        size, since, course = -1, time.monotonic(), Course([])
        while True:
            grown = _size(run)
            quiet = time.monotonic() - since
            if grown != size:
                size, since, course = grown, time.monotonic(), _read(run)
            if grown == size or quiet > SILENCE:
                still = f", nothing new for {quiet:.0f} s" if quiet > SILENCE else ""
                head = Text(f"{run}: step {course.steps} of {course.planned}{still} (Ctrl-C leaves)", style="bold")
                screen.update(Group(head, live.view(course.rows, course.config)), refresh=True)
            if _ended(run, course) or quiet > PATIENCE:
                return
            try:
                time.sleep(PAUSE)
            except KeyboardInterrupt:
                say(f"Left at step {course.steps}; the run goes on by itself.", quiet=False)
                return


def _size(run: Path) -> int:
    """Of the record, in bytes; 0 where there is none yet."""
    record = run / "record.jsonl" if run.is_dir() else run
    return record.stat().st_size if record.exists() else 0


def _ended(run: Path, course: Course) -> bool:
    """Whether no more is to come: all steps are done, the network is stored, or nobody says how many there
    will be."""
    done = bool(course.steps) and course.finished and bool(course.config)
    return done or (run / "model" / "config.json").exists() or (run.is_file() and not course.config)


def _read(run: Path) -> Course:
    """What is there; a run that has not begun is waited for."""
    try:
        return read(run)
    except StoreError:
        if (run / "config.json").exists():  # founded, and not begun
            return Course([])
        raise
