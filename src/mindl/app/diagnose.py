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
from mindl.core.errors import StoreError
from mindl.core.records import plain
from mindl.diagnosis import Course, diagnose, read

PAUSE = 2.0
"""Seconds between two looks at a record that grows."""

PATIENCE = 600.0
"""Seconds without a new line after which a run is no longer followed."""


def show(run: Path, *, follow: bool, as_json: bool) -> int:
    """Print the diagnosis; 0 = healthy, 1 = symptoms."""
    if follow and not as_json:
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
        seen, since = -1, time.monotonic()
        while True:
            course = _read(run)
            if course.steps > seen:
                seen, since = course.steps, time.monotonic()
                head = Text(f"{run}: step {course.steps} of {course.planned}", style="bold")
                screen.update(Group(head, live.view(course.rows, course.config)), refresh=True)
            if (course.steps and course.finished and course.config) or time.monotonic() - since > PATIENCE:
                return
            try:
                time.sleep(PAUSE)
            except KeyboardInterrupt:
                say(f"Left at step {course.steps}; the run goes on by itself.", quiet=False)
                return


def _read(run: Path) -> Course:
    """What is there; a run that has not begun is waited for."""
    try:
        return read(run)
    except StoreError:
        if run.is_dir():
            return Course([])
        raise
