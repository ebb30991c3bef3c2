"""A run as a report sees it: its record, its diagnosis, and how far it is."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mindl.diagnosis import Course, Diagnosis, diagnose, read
from mindl.diagnosis.reading import Recorded
from mindl.diagnosis.symptom import FEW

Source = str | os.PathLike[str] | Course | Recorded | Iterable[Mapping[str, Any]]
"""Whatever holds a record."""

PATIENCE = 120.0
"""A run whose record has not grown for so many seconds has broken off, unless its steps take long."""

STEPS_OF_PATIENCE = 20

CLEAR = 0.75
"""Symptoms of that confidence are called clear: they pass their threshold twofold."""

RECENT = 200
"""Steps that the time left is reckoned from."""


@dataclass(frozen=True)
class Standing:
    """How far a run is.

    Attributes:
        state: ``finished``, ``ended early`` (by an early stop), ``goes on``, ``broke off``, or empty where
            that cannot be known.
        steps: done.
        planned: None where that is not known.
        each: seconds of a step, in the mean over the last ones.
        total: seconds of all steps.
        left: seconds of the steps that are to come, while it goes on.
        written: when the record was last written to, in seconds since 1970.
    """

    state: str
    steps: int
    planned: int | None
    each: float | None
    total: float | None
    left: float | None
    written: float | None

    @property
    def date(self) -> str:
        """The day and the minute of the last line, in UTC."""
        return "" if self.written is None else f"{datetime.fromtimestamp(self.written, UTC):%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, eq=False)
class Subject:
    """A run that is reported on.

    Attributes:
        name: of its folder or file.
        course: its record.
        diagnosis: what follows from that.
        standing: how far it is.
        home: the folder that its report belongs to, if any.
    """

    name: str
    course: Course
    diagnosis: Diagnosis
    standing: Standing
    home: Path | None

    @classmethod
    def of(cls, source: Source) -> Subject:
        """Read a run and judge it.

        Raises:
            StoreError: there is no such file, or nothing in it can be read.
            InputError: something else than a record.

        >>> Subject.of([{"loss": 2.0}, {"loss": 1.0}]).standing.steps
        2
        """
        course = read(source)
        record = course.folder / "record.jsonl" if course.folder is not None else None
        home = course.folder
        if isinstance(source, str | os.PathLike) and course.folder is None:
            record = Path(source)
            home = record.parent
        name = home.resolve().name if course.folder is not None and home is not None else "training run"
        if record is not None and course.folder is None:
            name = record.name
        return cls(name or "training run", course, diagnose(course), _standing(course, record), home)

    @property
    def mood(self) -> str:
        """``good``, ``warn``, ``bad``, or ``none`` where nothing can be judged."""
        return mood(self.diagnosis)


def mood(diagnosis: Diagnosis) -> str:
    """How bad it is: ``bad`` where a symptom is clear."""
    if diagnosis.symptoms:
        return "bad" if max(symptom.confidence for symptom in diagnosis.symptoms) >= CLEAR else "warn"
    return "good" if len(diagnosis.judged) >= FEW else "none"


def _standing(course: Course, record: Path | None) -> Standing:
    planned = course.training.get("steps")
    planned = planned if isinstance(planned, int) and planned > 0 else None
    times = course.curve("seconds").finite.values
    each = float(times[-RECENT:].mean()) if len(times) else None
    written = _written(record)
    state = _state(course, planned, written, each)
    left = (
        each * (planned - course.steps)
        if each is not None and planned is not None and state == "goes on"
        else None
    )
    return Standing(state, course.steps, planned, each, float(times.sum()) if len(times) else None, left, written)


def _state(course: Course, planned: int | None, written: float | None, each: float | None) -> str:
    if planned is None:
        return ""
    if course.steps >= planned:
        return "finished"
    if course.folder is not None and (course.folder / "model" / "config.json").exists():
        return "ended early"
    if written is None:
        return ""
    longest = float(course.curve("seconds").finite.values.max(initial=0.0))
    patience = max(PATIENCE, STEPS_OF_PATIENCE * (each or 0), 3 * longest)
    return "goes on" if time.time() - written < patience else "broke off"


def _written(record: Path | None) -> float | None:
    try:
        return None if record is None else record.stat().st_mtime
    except OSError:
        return None
