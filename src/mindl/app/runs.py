"""The verb ``report``: a page about a run, or one that compares several."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from mindl.app.report import say
from mindl.core.errors import InputError


def report(
    runs: list[Path], output: Path | None, *, tensorboard: Path | None, quiet: bool, as_json: bool, overwrite: bool
) -> int:
    """Write the page, and events of TensorBoard where they are asked for; the exit status.

    The page in the folder of a run is made anew each time, as it is while a run goes on; others are kept.
    """
    from mindl.report.events import tensorboard as convert
    from mindl.report.page import COMPARED, write
    from mindl.report.subject import Subject

    if not 1 <= len(runs) <= COMPARED:
        raise InputError(f"`mindl report` takes one run, or compares up to {COMPARED}; got {len(runs)}.")
    subjects = [Subject.of(run) for run in runs]
    own = output is None and len(runs) == 1 and (runs[0] / "config.json").exists()
    page = write(subjects, output=output, overwrite=overwrite or own)
    if tensorboard is not None:
        for run, subject in zip(runs, subjects, strict=True):
            convert(run, tensorboard if len(runs) == 1 else tensorboard / subject.name)
    if as_json:
        told = [{"run": str(run), **_row(subject)} for run, subject in zip(runs, subjects, strict=True)]
        row = {"page": str(page), **_row(subjects[0])} if len(runs) == 1 else {"page": str(page), "runs": told}
        sys.stdout.write(json.dumps(row, indent=2, allow_nan=False) + "\n")
        return 0
    if not quiet:
        for run, subject in zip(runs, subjects, strict=True):
            sys.stdout.write(f"{f'{run}: ' if len(runs) > 1 else ''}{subject.diagnosis.verdict}\n")
    say(f"The page is {page}.", quiet=quiet)
    if tensorboard is not None:
        say(f"TensorBoard shows the curves: tensorboard --logdir {tensorboard}", quiet=quiet)
    return 0


def _row(subject: Any) -> dict[str, Any]:
    return {"verdict": subject.diagnosis.verdict, "healthy": subject.diagnosis.healthy}
