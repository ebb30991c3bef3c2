"""A run on disk: ``config.json``, ``record.jsonl``, ``checkpoint/``, ``images/``. Nothing in it is code."""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import save as pack
from torch import Tensor

from mindl.core import arguments
from mindl.core.arrays import Image
from mindl.core.errors import InputError, MindlWarning, OutputError, StoreError
from mindl.core.files import only_one, write_whole
from mindl.core.records import Row, flat, plain, read_json
from mindl.core.sealed import read_sealed, write_sealed
from mindl.images import write as write_picture

FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """The state after ``step`` steps: tensors by name."""

    step: int
    tensors: dict[str, Tensor]


class Keeper(Protocol):
    """Where a run leaves its record and its states."""

    def last(self) -> Checkpoint | None:
        """The state to go on from, if there is one."""

    def rows(self) -> list[Row]:
        """The record of the steps that are done."""

    def add(self, row: Row) -> None:
        """One more line of the record."""

    def keep(self, checkpoint: Checkpoint) -> None:
        """A state from which the run can go on."""

    def keep_batch(self, problems: dict[str, Tensor], step: int) -> str:
        """The batch that broke the run; what to tell a person about it."""

    def keep_images(self, named: dict[str, Image]) -> None:
        """Pictures of what is validated, by name."""

    def has_image(self, name: str) -> bool:
        """Whether a picture is kept already."""


class Nowhere:
    """A run that leaves nothing on disk."""

    def last(self) -> Checkpoint | None:
        """None."""
        return None

    def rows(self) -> list[Row]:
        """None."""
        return []

    def add(self, row: Row) -> None:
        """Nothing."""

    def keep(self, checkpoint: Checkpoint) -> None:
        """Nothing."""

    def keep_batch(self, problems: dict[str, Tensor], step: int) -> str:
        """Nothing."""
        return "Train into a folder, and the batch is kept there"

    def keep_images(self, named: dict[str, Image]) -> None:
        """Nothing."""

    def has_image(self, name: str) -> bool:
        """It needs none."""
        return True


class RunFolder:
    """A folder that a run can be resumed from, whenever it was broken off.

    Files are written whole or not at all; a line of the record is flushed before the next step begins. On
    resuming, the record is cut to the steps that the checkpoint has done, so that it reads as if nothing had
    happened.

    Args:
        folder: made if need be.
        config: what the result depends on.
        resume: whether a run that is there already is to be gone on with.

    Raises:
        InputError: there is a run already and ``resume`` is false, or it was another run: the message says
            what differs.
        StoreError: its files are damaged or of a newer version.
        OutputError: the folder cannot be written to.
    """

    def __init__(self, folder: str | os.PathLike[str], config: dict[str, Any], *, resume: bool) -> None:
        check_place(folder, resume=resume)
        self.folder = Path(folder)
        self._record = self.folder / "record.jsonl"
        try:
            (self.folder / "checkpoint").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"Cannot make the folder {self.folder}: {error.strerror or error}.") from error
        self._lock = only_one(self.folder / "checkpoint" / "lock", f"training in {self.folder}")
        for place in (self.folder, *(self.folder / name for name in ("checkpoint", "model", "images"))):
            for rest in place.glob(".*.part"):  # of a process that was killed while it wrote
                rest.unlink(missing_ok=True)
        try:
            self._open(config, resume)
        except BaseException:
            self.close()
            raise

    def _open(self, config: dict[str, Any], resume: bool) -> None:
        if not self._begun():
            self._found(config)
        else:
            _check_same(config, self.config(), self.folder)

    def _begun(self) -> bool:
        """Whether a run is there that has done a step; one that has not is founded anew."""
        if not (self.folder / "config.json").exists():
            return False
        self.config()  # a newer one is refused before its state is looked at
        return not self._state.exists() or read_checkpoint(self._state).step > 0

    def _found(self, config: dict[str, Any]) -> None:
        founded = (self.folder / "config.json").exists()
        if not founded and self._record.exists() and self._record.stat().st_size:
            raise OutputError(f"{self.folder} holds a record.jsonl of something else: name a new folder.")
        # config.json comes last: a folder with one is a run.
        self._state.unlink(missing_ok=True)
        write_whole(self._record, b"")
        text = json.dumps({"format": FORMAT, **config}, indent=2)
        write_whole(self.folder / "config.json", text.encode())

    def close(self) -> None:
        """Let other processes train here."""
        self._lock.close()

    def config(self) -> dict[str, Any]:
        """What the run was founded with."""
        config = read_json(self.folder / "config.json")
        if config.get("format", 0) > FORMAT:
            raise StoreError(f"The run in {self.folder} was written by a newer mindl: update mindl.")
        return config

    @property
    def _state(self) -> Path:
        return self.folder / "checkpoint" / "state.safetensors"

    def last(self) -> Checkpoint | None:
        """The last state, with the record cut to its steps; None where nothing is done yet.

        Raises:
            StoreError: the state is damaged, or gone although the record goes on.
        """
        if not self._state.exists():
            if self._record.exists() and self._record.stat().st_size:
                raise StoreError(f"The checkpoint {self._state} is gone: begin again in a new folder.")
            return None
        checkpoint = read_checkpoint(self._state)
        lines = self._record.read_text(encoding="utf-8").splitlines() if self._record.exists() else []
        kept = [line for line in lines if _step_of(line) <= checkpoint.step]
        write_whole(self._record, "".join(f"{line}\n" for line in kept).encode())
        return checkpoint

    def rows(self) -> list[Row]:
        """The record."""
        return read_record(self.folder) if self._record.exists() else []

    def add(self, row: Row) -> None:
        """One line, flushed.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            with self._record.open("a", encoding="utf-8") as file:
                file.write(json.dumps(plain(row)) + "\n")
        except OSError as error:
            raise OutputError(
                f"Cannot write {self._record}: {error.strerror or error}. The last checkpoint is kept: "
                "make room and go on with --resume."
            ) from error

    def keep(self, checkpoint: Checkpoint) -> None:
        """Replace the last state by a newer one, in one piece.

        Raises:
            OutputError: it cannot be written; the state before is kept.
        """
        self._flush_record()
        try:
            write_sealed(self._state, {**checkpoint.tensors, "step": torch.tensor(checkpoint.step)})
        except OutputError as error:
            raise OutputError(
                f"{error} The checkpoint before is kept: make room and go on with --resume."
            ) from error

    def _flush_record(self) -> None:
        """The record reaches the disk before the state that counts on it."""
        try:
            with self._record.open("ab") as file:
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(f"Cannot write {self._record}: {error.strerror or error}.") from error

    def keep_batch(self, problems: dict[str, Tensor], step: int) -> str:
        """Write the batch to ``bad-batch.safetensors``."""
        path = self.folder / "bad-batch.safetensors"
        tensors = {name: value.contiguous() for name, value in problems.items()}
        write_whole(path, pack(tensors, metadata={"step": str(step)}))
        return f"The batch is kept in {path}, the last good state in {self._state.parent}"

    def keep_images(self, named: dict[str, Image]) -> None:
        """Write pictures to ``images/``, each whole or not at all; values are clipped to [0, 1].

        Raises:
            OutputError: they cannot be written.
        """
        if not named:
            return
        folder = self.folder / "images"
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(f"Cannot make the folder {folder}: {error.strerror or error}.") from error
        for name, image in named.items():
            write_picture(folder / f"{name}.png", torch.nan_to_num(image.detach()).clamp(0, 1))

    def has_image(self, name: str) -> bool:
        """Whether it is in ``images/``."""
        return (self.folder / "images" / f"{name}.png").exists()


def check_place(folder: str | os.PathLike[str], *, resume: bool) -> None:
    """See that a run may begin in a folder, or go on; nothing is written.

    Raises:
        InputError: there is a run already that is not to be gone on with, or something else.
        StoreError: the run that is there is damaged or of a newer version.
    """
    place = arguments.path(folder, "The folder of a run")
    if not (place / "config.json").exists():
        return
    if not (place / "checkpoint").is_dir():
        raise InputError(f"{place} holds a config.json of something else (a stored network?): name a new folder.")
    if read_json(place / "config.json").get("format", 0) > FORMAT:
        raise StoreError(f"The run in {place} was written by a newer mindl: update mindl.")
    state = place / "checkpoint" / "state.safetensors"
    if not resume and state.exists() and read_checkpoint(state).step > 0:
        raise InputError(
            f"There is a run in {place} already: resume=True (--resume) goes on with it, or name a new folder."
        )


def read_record(folder: str | os.PathLike[str]) -> list[Row]:
    """The record of a run, one row for each step.

    Raises:
        StoreError: there is none, or it is damaged.
    """
    path = Path(folder) / "record.jsonl"
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise StoreError(f"The record {path} cannot be read: {error}.") from error


def read_checkpoint(path: Path) -> Checkpoint:
    """A state from its file.

    Raises:
        StoreError: it is not what was written.
    """
    tensors = read_sealed(path, "checkpoint", "begin again in a new folder")
    step = int(tensors.pop("step"))
    return Checkpoint(step, tensors)


def _check_same(new: dict[str, Any], old: dict[str, Any], folder: Path) -> None:
    """A run goes on as it began, as far as its result depends on it."""
    mine, theirs = (flat(json.loads(json.dumps(config))) for config in (new, old))
    free = FREE if new["training"]["early_stop"] == "None" else tuple(name for name in FREE if name not in JUDGES)
    differ = sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))
    bits = [name for name in differ if name in ("torch", "threads", "processes")]
    told = [name for name in differ if name not in bits and not name.startswith(free)]
    if "net.kind" in told or "net.reading" in told:
        told = [name for name in told if not name.startswith("net.shapes")]
    if told:
        changes = "; ".join(_change(name, theirs, mine) for name in told[:4])
        raise InputError(
            f"The run in {folder} was begun otherwise: {changes}. Resume it as it began, or name a new folder."
        )
    if bits:
        changes = "; ".join(f"{name} was {theirs.get(name)!r}, is {mine.get(name)!r}" for name in bits)
        warnings.warn(
            MindlWarning(f"The run in {folder} goes on, but not to the same bits: {changes}."), stacklevel=5
        )


def _change(name: str, old: dict[str, Any], new: dict[str, Any]) -> str:
    """One difference, in words."""
    if name == "images.sha256":
        was, now = old.get("images.about"), new.get("images.about")
        return f"images were {was!r}, are {now!r}" + (" with other contents" if was == now else "")
    return f"{name} was {old.get(name)!r}, is {new.get(name)!r}"


JUDGES = ("validation", "training.check_every")
"""What decides with an early stop which weights are kept."""

FREE = ("format", "mindl", "images.about", "validation", "training.check_every")
"""What may differ when a run goes on: it does not change the weights."""


def _step_of(line: str) -> float:
    """The step of a line; a line that was torn by a crash comes after all others."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")
