"""The frozen records of all runs: how they are made, kept and read."""

from __future__ import annotations

import io
import json
import multiprocessing
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.faults.healthy import HEALTHY
from benchmarks.faults.operators import OPERATORS
from benchmarks.faults.setting import Written, run
from mindl.core.records import Row, rounded
from mindl.diagnosis import Course

FROZEN = Path(__file__).parent / "records.tar.xz"
"""All of them, made once."""

SEEDS = {"first": 0, "second": 1}
"""The seed of the runs that a half is judged by."""

DIGITS = 6
"""That are kept of numbers in a record: far more than any threshold has."""


@dataclass(frozen=True, eq=False)
class FrozenRun:
    """A run as it was written down.

    Attributes:
        rows: its record.
        config: what it was founded with.
        meta: what it is: ``name``, ``kind`` (``faulty`` or ``healthy``), ``operator``, ``architecture``, ``task``,
            ``seed``, ``half`` (``first``, ``second`` or, of faulty runs with the other half's seed, ``other``),
            acceptable ``symptoms`` and ``causes``.
    """

    rows: list[Row]
    config: dict[str, Any]
    meta: dict[str, Any]

    @property
    def course(self) -> Course:
        """What a diagnosis reads."""
        return Course(self.rows, self.config)


def names() -> dict[str, dict[str, Any]]:
    """What every run is, by its name."""
    found: dict[str, dict[str, Any]] = {}
    for operator in OPERATORS.values():
        for seed in SEEDS.values():
            half = operator.half if seed == SEEDS[operator.half] else "other"
            for architecture, task in operator.places:
                name = f"{operator.name}-{architecture}-{task}-{seed}"
                found[name] = {
                    "name": name,
                    "kind": "faulty",
                    "operator": operator.name,
                    "architecture": architecture,
                    "task": task,
                    "seed": seed,
                    "half": half,
                    "symptoms": sorted(operator.symptoms),
                    "causes": sorted(operator.causes),
                }
    for healthy in HEALTHY.values():
        for architecture, task, seed in healthy.runs:
            name = f"healthy-{healthy.name}-{architecture}-{task}-{seed}"
            found[name] = {
                "name": name,
                "kind": "healthy",
                "operator": healthy.name,
                "architecture": architecture,
                "task": task,
                "seed": seed,
                "half": "second" if seed % 2 else "first",
                "symptoms": [],
                "causes": [],
            }
    return found


def made(name: str) -> Written:
    """Carry out the run of this name."""
    torch.set_num_threads(1)
    what = names()[name]
    place = what["architecture"], what["task"], what["seed"]
    if what["kind"] == "faulty":
        return run(OPERATORS[what["operator"]].faulty(*place))
    return HEALTHY[what["operator"]].made(*place)


def make(chosen: Iterable[str], file: Path = FROZEN, processes: int = 1) -> Iterator[str]:
    """Carry out runs and put them into a file, beside those that are there; their names as they are done."""
    every = names()
    kept = {run.meta["name"]: run for run in load(file)} if file.exists() else {}
    kept = {name: run for name, run in kept.items() if name in every}
    chosen = list(chosen)
    try:
        for name, written in _each(chosen, processes):
            kept[name] = FrozenRun(_read(written.record), written.config, every[name])
            yield name
    finally:  # what is done is kept, also when it is broken off
        _write([kept[name] for name in every if name in kept], file)


def _each(chosen: list[str], processes: int) -> Iterator[tuple[str, Written]]:
    if processes == 1:
        yield from ((name, made(name)) for name in chosen)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap_unordered(_named, chosen)


def _named(name: str) -> tuple[str, Written]:
    return name, made(name)


def _read(record: str) -> list[Row]:
    return [rounded(json.loads(line), DIGITS) for line in record.splitlines()]


def load(file: Path = FROZEN) -> list[FrozenRun]:
    """All runs that were made."""
    found: dict[str, dict[str, bytes]] = {}
    with tarfile.open(file, "r:xz") as archive:
        for member in archive:
            folder, _, part = member.name.partition("/")
            content = archive.extractfile(member)
            assert content is not None  # there are no folders in it
            found.setdefault(folder, {})[part] = content.read()
    return [
        FrozenRun(
            json.loads(b"[" + b",".join(parts["record.jsonl"].splitlines()) + b"]"),
            json.loads(parts["config.json"]),
            json.loads(parts["meta.json"]),
        )
        for parts in found.values()
    ]


def _write(runs: list[FrozenRun], file: Path) -> None:
    """Runs of one operator lie beside each other: what is alike is packed together."""
    with tarfile.open(file, "w:xz", preset=9) as archive:
        for one in runs:
            parts = {
                "record.jsonl": "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in one.rows),
                "config.json": json.dumps(one.config),
                "meta.json": json.dumps(one.meta),
            }
            for name, text in parts.items():
                content = text.encode()
                info = tarfile.TarInfo(f"{one.meta['name']}/{name}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
