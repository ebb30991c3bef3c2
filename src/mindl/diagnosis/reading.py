"""From files, rows or a ``Run`` to a course: whatever wrote them, and however far it got."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from mindl.core.errors import InputError, StoreError
from mindl.core.records import Row, read_json
from mindl.diagnosis.course import Course
from mindl.diagnosis.shape import as_number, in_shape

FORMAT = 1
"""The newest format of a run folder that is known here."""

LONGEST = 10**7
"""Characters of a field of a CSV file."""

ALIASES = {
    "loss": ("loss", "train_loss", "training_loss", "loss_train", "train/loss"),
    "unseen.loss": ("val_loss", "validation_loss", "valid_loss", "test_loss", "loss_val", "val/loss"),
    "psnr": ("psnr", "val_psnr", "validation_psnr", "val/psnr"),
    "rate": ("rate", "lr", "learning_rate"),
    "gradient": ("gradient", "grad_norm", "gradient_norm"),
}
"""What others call the same; whatever their case."""

STEPS = ("step", "iteration", "iter", "global_step", "epoch")
"""What others call a step."""


@runtime_checkable
class Recorded(Protocol):
    """What holds a record, as ``mindl.learning.Run`` does."""

    record: list[Row]
    config: dict[str, Any]
    folder: Path | None


def read(source: str | os.PathLike[str] | Course | Recorded | Iterable[Mapping[str, Any]]) -> Course:
    """A run from its folder, from a record (``.jsonl``, or ``.csv`` with a line of names), from a ``Run`` of
    ``fit``, or from rows in memory.

    Records of other programs are read by their names for step, loss, learning rate, ... (``ALIASES``); rows of
    the same step are joined. A last line that was torn, lines that are no records, and a newer format are
    named in ``notes``; the rest counts.

    Raises:
        StoreError: there is no such file, nothing in it can be read, or it is a stored network.
        InputError: something else.

    >>> read([{"loss": 3.0}, {"loss": 2.0}]).curve("loss").values
    array([3., 2.])
    """
    if isinstance(source, Course):
        return source
    if isinstance(source, str | os.PathLike):
        return _from_disk(Path(source))
    if isinstance(source, Recorded):
        return Course(told(source.record), source.config, folder=source.folder)
    rows = list(source) if isinstance(source, Iterable) else [source]
    if not all(isinstance(row, Mapping) for row in rows):
        raise InputError(
            f"A run is a folder, a record, a Run, or rows such as {{'loss': 1.0}}; got {source!r:.60}."
        )
    return Course(told([dict(row) for row in rows]))


def _from_disk(path: Path) -> Course:
    folder = path if path.is_dir() else path.parent if path.name == "record.jsonl" else None
    record = path / "record.jsonl" if path.is_dir() else path
    if folder is not None and (folder / "model.safetensors").exists():
        raise StoreError(f"{folder} holds a stored network; its run is the folder that it was made in.")
    notes: list[str] = []
    try:
        text = record.read_text(encoding="utf-8-sig", errors="replace")
    except FileNotFoundError:
        begun = (path / "config.json").exists()
        why = "the run has no record" if begun else "that is no folder of a run, and no record"
        raise StoreError(f"{record} is missing: {why}.") from None
    except OSError as error:
        raise StoreError(f"{record} cannot be read: {error.strerror or error}.") from error
    table = record.suffix.lower() == ".csv"
    rows = _from_csv(text, record) if table else _from_lines(text, notes)
    if text.strip() and not rows:
        wanted = (
            "a .csv begins with a line of names, separated by commas: step,loss"
            if table
            else 'a line is a JSON object such as {"step": 1, "loss": 0.5}'
        )
        raise StoreError(f"{record} holds no record: {wanted}.")
    return Course(told(rows), _config(folder, notes), tuple(notes), folder)


def _config(folder: Path | None, notes: list[str]) -> dict[str, Any]:
    """What the run was founded with, as far as it can be read."""
    if folder is None:
        return {}
    try:
        config = read_json(folder / "config.json")
    except (StoreError, RecursionError) as error:
        notes.append(f"What the run was founded with is not known: {error}")
        return {}
    form = as_number(config.get("format", 0))
    if form is None or form > FORMAT:
        notes.append("The run was written by a newer mindl: what is new there is not looked at.")
    return config


def _from_lines(text: str, notes: list[str]) -> list[Row]:
    rows, bad = [], []
    lines = text.split("\n")  # other ends of lines may stand within a text
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            rows.append(row)
        elif line.strip():
            bad.append(number)
    if bad and bad[-1] == len(lines):
        notes.append("The last line is torn, as after a crash or while it is being written: it is left out.")
        bad.pop()
    if bad:
        count = "1 line is no record and is" if len(bad) == 1 else f"{len(bad)} lines are no records and are"
        notes.append(f"{count} left out, the first of them line {bad[0]}.")
    return rows


def _from_csv(text: str, path: Path) -> list[Row]:
    csv.field_size_limit(LONGEST)
    try:
        lines = list(csv.DictReader(io.StringIO(text)))
    except csv.Error as error:
        raise StoreError(f"{path} cannot be read: {error}.") from error
    rows = [{name: as_number(value) for name, value in line.items() if name} for line in lines]
    found = [{name: value for name, value in row.items() if value is not None} for row in rows]
    return [row for row in found if row]


def told(rows: list[Row]) -> list[Row]:
    """Rows by the names that are used here, in the order of their steps; rows of the same step are joined."""
    named = [_renamed(row) for row in rows]
    steps = [_step(row) for row in named]
    losses = [step for step, row in zip(steps, named, strict=True) if step is not None and "loss" in row]
    several = "step" not in (named[0] if named else {}) and len(losses) > len(set(losses))
    joined: dict[float, Row] = {}
    for number, (row, step) in enumerate(zip(named, steps, strict=True), start=1):
        place = (
            float(number) if step is None or several else step
        )  # several losses of an epoch are steps of their own
        joined[place] = joined.get(place, {}) | row | {"step": int(place) if place == int(place) else place}
    return [joined[place] for place in sorted(joined)]


def _step(row: Row) -> float | None:
    """The step of a row, by whatever name; None where it has none."""
    for name in STEPS:
        value = row.get(name)
        if value is not None and math.isfinite(value):
            return float(value)
    return None


def _renamed(row: Row) -> Row:
    found = in_shape(row)
    lower = {name.strip().lower(): name for name in found if isinstance(name, str)}
    for name in STEPS:
        if name in lower and lower[name] != name:
            found[name] = found[lower[name]]
    for name, others in ALIASES.items():
        given = next((lower[other] for other in others if other in lower), None)
        if given is None or given == name or not isinstance(found[given], int | float):
            continue
        outer, _, inner = name.rpartition(".")
        if outer:
            found[outer] = {inner: found[given], **found.get(outer, {})}
        else:
            found.setdefault(name, found[given])
    return found
