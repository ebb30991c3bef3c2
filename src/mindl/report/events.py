"""Records as event files of TensorBoard."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mindl.core.errors import InputError, OutputError
from mindl.core.records import Row
from mindl.report.pictures import SHOWN, picture_of
from mindl.report.subject import Source, Subject

KINDS = ("data", "first", "last", "solution", "clean")
QUANTILES = ("least", "lower_quartile", "median", "upper_quartile", "largest")
LEFT_OUT = ("step", "errors", "skipped")
"""What is no curve."""


class TensorBoard:
    """Writes the record of a run to event files while it goes on: ``fit(..., watch=TensorBoard("logs"))``.

    Scalars are named as in the record, with slashes: ``loss``, ``unseen/loss``, ``look/blocks/NAME/update``. A run
    that goes on from a checkpoint replaces what was written of the steps that are done again.

    Args:
        folder: of the event files; made if need be.

    Raises:
        InputError: the package ``tensorboard`` is missing.
        OutputError: the folder cannot be made.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        self._writer: Any = None
        _writer_class()
        _made(self._folder)

    def stepped(self, row: Row, steps: int) -> None:
        """The numbers of a step."""
        writer = self._open(int(row["step"]))
        for tag, value in scalars(row):
            writer.add_scalar(tag, value, int(row["step"]))
        if "excess" in row or row["step"] >= steps:
            writer.flush()

    def skipped(self, name: str, why: str) -> None:
        """An image that was left out."""
        self._open(0).add_text("skipped", f"    {name}: {why}")

    def close(self) -> None:
        """Write what is left; the end of the program does so, too."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _open(self, step: int) -> Any:
        if self._writer is None:
            self._writer = _opened(self._folder, step)
            weakref.finalize(self, self._writer.close)
        return self._writer


def tensorboard(run: Source, folder: str | os.PathLike[str]) -> Path:
    """Convert the record of a run to event files of TensorBoard: scalars, validated images, the diagnosis as text.

    What was converted to the same folder before counts no more. Times are those of the run, as far as it has told
    them.

    Args:
        run: its folder, or whatever else ``mindl.diagnosis.read`` takes.
        folder: made if need be; ``tensorboard --logdir FOLDER`` shows it.

    Raises:
        InputError: the package ``tensorboard`` is missing.
        StoreError: there is no record, or nothing in it can be read.
        OutputError: the folder cannot be written to.
    """
    _writer_class()
    subject = Subject.of(run)
    place = Path(folder)
    _made(place)
    writer = _opened(place, 0)
    try:
        clock = (subject.standing.written or 0.0) - (subject.standing.total or 0.0)
        for row in subject.course.rows:
            seconds = row.get("seconds")
            clock += seconds if isinstance(seconds, int | float) else 0.0
            for tag, value in scalars(row):
                writer.add_scalar(tag, value, int(row["step"]), walltime=clock)
        for i in range(1, SHOWN + 1):
            for kind in KINDS:
                image = picture_of(subject, i, kind)
                if image is not None:
                    writer.add_image(
                        f"images/{i}/{kind}", image[0].clamp(0, 1).numpy(), subject.course.steps, clock
                    )
        text = "\n".join(f"    {line}" for line in str(subject.diagnosis).splitlines())
        writer.add_text("diagnosis", text, subject.course.steps, clock)
    except OSError as error:
        raise OutputError(f"Cannot write events to {place}: {error.strerror or error}.") from error
    finally:
        writer.close()
    return place


def scalars(row: Row) -> Iterator[tuple[str, float]]:
    """(tag, number) of all that is a finite number in a line of the record.

    >>> dict(scalars({"step": 3, "loss": 0.5, "rms": None, "unseen": {"excess": [1, 2, 3, 4, 5], "errors": [7]}}))
    {'loss': 0.5, 'unseen/excess/least': 1.0, 'unseen/excess/lower_quartile': 2.0, 'unseen/excess/median': 3.0,
     'unseen/excess/upper_quartile': 4.0, 'unseen/excess/largest': 5.0}
    """
    for name, value in row.items():
        if name not in LEFT_OUT:
            yield from _numbers(str(name), value)


def _numbers(tag: str, value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name not in LEFT_OUT:
                yield from _numbers(f"{tag}/{name}", inner)
    elif isinstance(value, list):
        names = (
            QUANTILES if tag in ("unseen/excess", "unseen/rms") else [f"{k:02d}" for k in range(1, len(value) + 1)]
        )
        for name, inner in zip(names, value, strict=False):
            yield from _numbers(f"{tag}/{name}", inner)
    elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf"):
        yield tag, float(value)


def _opened(folder: Path, step: int) -> Any:
    """A writer; what was written before of the steps from ``step`` on counts no more."""
    try:
        return _writer_class()(str(folder), purge_step=step, flush_secs=10)
    except OSError as error:
        raise OutputError(f"Cannot write events to {folder}: {error.strerror or error}.") from error


def _made(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot make the folder {folder}: {error.strerror or error}.") from error


def _writer_class() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - an extra, and heavy
    except ImportError:
        raise InputError("TensorBoard files need the package tensorboard: pip install 'mindl[track]'.") from None
    return SummaryWriter
