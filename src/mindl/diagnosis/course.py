"""The record of a run as curves: whatever wrote it, and however far it got."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from mindl.core.errors import InputError, StoreError
from mindl.core.records import Row, read_json
from mindl.diagnosis.shape import in_shape, is_number

Numbers = npt.NDArray[np.float64]

FORMAT = 1
"""The newest format of a run folder that is known here."""

SHORT = 50
"""Values in a short window."""

PLACES = 1000
"""Running medians are computed at so many places at most."""

ALIASES = {
    "step": ("step", "iteration", "iter", "global_step", "epoch"),
    "loss": ("loss", "train_loss", "training_loss", "loss_train"),
    "unseen.loss": ("val_loss", "validation_loss", "valid_loss", "test_loss", "loss_val"),
    "psnr": ("psnr", "val_psnr", "validation_psnr"),
    "rate": ("rate", "lr", "learning_rate"),
    "gradient": ("gradient", "grad_norm", "gradient_norm"),
}
"""What others call the same."""


@runtime_checkable
class Recorded(Protocol):
    """What holds a record, as ``mindl.learning.Run`` does."""

    record: list[Row]
    config: dict[str, Any]
    folder: Path | None


@dataclass(frozen=True, eq=False)
class Curve:
    """One number over the steps where it was written down; NaN where it was no number.

    Attributes:
        steps: from 1.
        values: one for each.
    """

    steps: Numbers
    values: Numbers

    def __len__(self) -> int:
        return len(self.values)

    def __bool__(self) -> bool:
        return len(self.values) > 0

    @property
    def finite(self) -> Curve:
        """Where it is a number."""
        good = np.isfinite(self.values)
        return Curve(self.steps[good], self.values[good])

    def between(self, first: float, last: float) -> Curve:
        """On the steps from ``first`` to ``last``."""
        there = (self.steps >= first) & (self.steps <= last)
        return Curve(self.steps[there], self.values[there])

    def smooth(self, width: int) -> Curve:
        """Running medians over about ``width`` values; the ends have shorter ones."""
        half, count = width // 2, len(self.values)
        # Of long courses at some places only, with straight lines between them.
        places = np.unique(np.linspace(0, max(count - 1, 0), min(count, PLACES)).astype(int))
        # Short windows are sorted faster by Python than by NumPy.
        values = self.values.tolist() if width <= SHORT else self.values
        middle = statistics.median if width <= SHORT else np.median
        medians = [float(middle(values[max(0, i - half) : i + half + 1])) for i in places.tolist()]
        return Curve(self.steps, np.interp(np.arange(count), places, medians) if count else self.values)


@dataclass(frozen=True, eq=False)
class Course:
    """A training run as it was written down.

    Attributes:
        rows: one for each step, in order; ``rows[i]["step"]`` is there.
        config: what the run was founded with; empty where that is not known.
        notes: what was wrong with the record, in sentences.
        folder: where it is, if anywhere.
    """

    rows: list[Row]
    config: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    folder: Path | None = None
    _curves: dict[str, Curve] = field(default_factory=dict, init=False, repr=False)

    @property
    def steps(self) -> int:
        """The last step."""
        return int(self.rows[-1]["step"]) if self.rows else 0

    @property
    def training(self) -> dict[str, Any]:
        """The settings of the training, as far as they are known."""
        found = self.config.get("training")
        return found if isinstance(found, dict) else {}

    @property
    def net(self) -> dict[str, Any]:
        """What is known of the network: ``kind``, ``shapes``, ``frozen``."""
        found = self.config.get("net")
        return found if isinstance(found, dict) else {}

    @property
    def shapes(self) -> dict[str, list[int]]:
        """The shapes of the network's tensors by name, as far as they are known."""
        found = self.net.get("shapes")
        named = found.items() if isinstance(found, dict) else ()
        return {name: shape for name, shape in named if isinstance(shape, list) and all(map(is_number, shape))}

    @property
    def frozen(self) -> set[str]:
        """Names of tensors that are not to learn, as far as they are known."""
        found = self.net.get("frozen")
        return {name for name in found if isinstance(name, str)} if isinstance(found, list) else set()

    @property
    def planned(self) -> int:
        """How many steps there were to be; those that were done where that is not known."""
        planned = self.training.get("steps")
        return planned if isinstance(planned, int) and planned > 0 else self.steps

    @property
    def finished(self) -> bool:
        """Whether all steps were done, as far as is known."""
        return self.steps >= self.planned

    def curve(self, name: str) -> Curve:
        """A number by its dotted name, ``"look.seen.loss"``; empty where it was never written down."""
        if name not in self._curves:
            path = name.split(".")
            there = [(row["step"], _within(row, path, ...)) for row in self.rows]
            found = [(step, _number(value)) for step, value in there if value is not ...]
            steps, values = zip(*found, strict=True) if found else ((), ())
            self._curves[name] = Curve(np.asarray(steps, dtype=np.float64), np.asarray(values, dtype=np.float64))
        return self._curves[name]

    def looks(self, name: str) -> list[tuple[int, Any]]:
        """(step, value) of whatever was written down under a dotted name: a number, a list, a table."""
        path = name.split(".")
        found = [(int(row["step"]), _within(row, path)) for row in self.rows]
        return [(step, value) for step, value in found if value is not None]

    def has(self, name: str) -> bool:
        """Whether anything was written down under a dotted name."""
        return bool(self.looks(name))


def read(source: str | os.PathLike[str] | Course | Recorded | Iterable[Mapping[str, Any]]) -> Course:
    """A run from its folder, from a record (``.jsonl``, or ``.csv`` with a line of names), from a ``Run`` of
    ``fit``, or from rows in memory.

    Records of other programs are read by their names for step, loss, learning rate, ... (``ALIASES``). A last
    line that was torn, lines that are no records, and a newer format are named in ``notes``; the rest counts.

    Raises:
        StoreError: there is no such file, or nothing in it can be read.
        InputError: something else.

    >>> read([{"loss": 3.0}, {"loss": 2.0}]).curve("loss").values
    array([3., 2.])
    """
    if isinstance(source, Course):
        return source
    if isinstance(source, str | os.PathLike):
        return _from_disk(Path(source))
    if isinstance(source, Recorded):
        return Course(_told(source.record), source.config, folder=source.folder)
    rows = list(source) if isinstance(source, Iterable) else [source]
    if not all(isinstance(row, Mapping) for row in rows):
        raise InputError(
            f"A run is a folder, a record, a Run, or rows such as {{'loss': 1.0}}; got {source!r:.60}."
        )
    return Course(_told([dict(row) for row in rows]))


def _from_disk(path: Path) -> Course:
    folder = path if path.is_dir() else path.parent if path.name == "record.jsonl" else None
    record = path / "record.jsonl" if path.is_dir() else path
    notes: list[str] = []
    try:
        text = record.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        begun = (path / "config.json").exists()
        why = "the run has no record" if begun else "that is no folder of a run, and no record"
        raise StoreError(f"{record} is missing: {why}.") from None
    except OSError as error:
        raise StoreError(f"{record} cannot be read: {error.strerror or error}.") from error
    rows = _from_csv(text) if record.suffix.lower() == ".csv" else _from_lines(text, notes)
    if text.strip() and not rows:
        raise StoreError(f'{record} holds no record: a line is a JSON object such as {{"step": 1, "loss": 0.5}}.')
    config: dict[str, Any] = {}
    if folder is not None:
        try:
            config = read_json(folder / "config.json")
        except StoreError as error:
            notes.append(f"What the run was founded with is not known: {error}")
    if config.get("format", 0) > FORMAT:
        notes.append("The run was written by a newer mindl: what is new there is not looked at.")
    return Course(_told(rows), config, tuple(notes), folder)


def _from_lines(text: str, notes: list[str]) -> list[Row]:
    rows, bad = [], []
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if isinstance(row, dict):
            rows.append(row)
        elif line.strip():
            bad.append(number)
    if bad and bad[-1] == len(lines) and not text.endswith("\n"):
        notes.append("The last line is torn, as after a crash or while it is being written: it is left out.")
        bad.pop()
    if bad:
        notes.append(f"{len(bad)} lines are no records and are left out, the first of them line {bad[0]}.")
    return rows


def _from_csv(text: str) -> list[Row]:
    def number(value: str | None) -> Any:
        try:
            return float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return None

    rows = [{k: number(v) for k, v in row.items() if k and v} for row in csv.DictReader(io.StringIO(text))]
    return [row for row in rows if any(value is not None for value in row.values())]


def _told(rows: list[Row]) -> list[Row]:
    """Rows by the names that are used here, in the order of their steps; the last of equal steps counts."""
    named = [_renamed(row, number) for number, row in enumerate(rows, start=1)]
    by_step = {row["step"]: row for row in named}
    return [by_step[step] for step in sorted(by_step)]


def _renamed(row: Row, number: int) -> Row:
    found = in_shape(row)
    for name, others in ALIASES.items():
        given = next((other for other in others if is_number(found.get(other))), None)
        if given is None or given == name:
            continue
        outer, _, inner = name.rpartition(".")
        if outer:
            found[outer] = {inner: found[given], **found.get(outer, {})}
        else:
            found.setdefault(name, found[given])
    step = found.get("step")
    if step is None or not math.isfinite(step):
        found["step"] = number
    return found


def _within(row: Any, path: Sequence[str], missing: Any = None) -> Any:
    for name in path:
        if not isinstance(row, dict) or name not in row:
            return missing
        row = row[name]
    return row


def _number(value: object) -> float:
    """NaN for null, which stands for NaN and infinity."""
    return float(value) if is_number(value) else math.nan  # type: ignore[arg-type]
