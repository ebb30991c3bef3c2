"""The power fails at every write, fsync and rename of a run: only steps since the last state are lost."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import mindl as md
from mindl.data import DeadLeaves
from mindl.learning import Cosine, Denoising, Training, fit
from mindl.learning.run_folder import RunFolder, read_checkpoint
from mindl.neural import Direct, Start

LEAVES = DeadLeaves(2, size=12)
SETTINGS = Training(steps=5, batch=2, crop=8, check_every=2, schedule=Cosine(warmup=2))


class PowerCut(BaseException):
    """The machine is off."""


class Torn:
    """A file that is written, each write in one go, or to its half when the power fails."""

    def __init__(self, file: Any, machine: Machine) -> None:
        self._file, self._machine = file, machine

    def write(self, content: Any) -> int:
        try:
            self._machine.does("write")
        except PowerCut:
            if self._machine.failed_just_now:
                self._file.write(content[: len(content) // 2])
                self._file.flush()
            raise
        return self._file.write(content)

    def __enter__(self) -> Torn:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class Machine:
    """Counts what reaches the disk, and fails at operation ``cut`` and ever after; what was not synced is lost."""

    def __init__(self, cut: int | None, folder: Path) -> None:
        self.cut, self.folder = cut, folder
        self.done: list[str] = []
        self.off = self.failed_just_now = False
        self.synced: dict[Path, int] = {}
        self.unsynced: set[Path] = set()
        self.kept = -1

    def does(self, what: str) -> None:
        self.failed_just_now = False
        if self.off:
            raise PowerCut
        if self.cut is not None and len(self.done) == self.cut:
            self.off = self.failed_just_now = True
            raise PowerCut(f"at {what} number {self.cut}")
        self.done.append(what)

    def lose_what_was_not_synced(self) -> None:
        for path in self.unsynced:
            if path.exists():
                os.truncate(path, 0)
        record = self.folder / "record.jsonl"
        if record.exists():
            os.truncate(record, min(record.stat().st_size, self.synced.get(record, 0)))

    def plug_in(self, patch: pytest.MonkeyPatch) -> None:
        def counted(owner: Any, name: str, what: str) -> None:
            real = getattr(owner, name)

            def call(*args: Any, **named: Any) -> Any:
                self.does(what)
                return real(*args, **named)

            patch.setattr(owner, name, call)

        for owner, name in (
            (os, "replace"),
            (tempfile, "mkstemp"),
            (Path, "unlink"),
            (Path, "chmod"),
            (Path, "mkdir"),
        ):
            counted(owner, name, name)
        counted_replace = os.replace

        def replace(old: Any, new: Any) -> None:
            counted_replace(old, new)
            if Path(old) not in self.synced:
                self.unsynced.add(Path(new))

        patch.setattr(os, "replace", replace)
        real_sync, real_open, real_fdopen = os.fsync, Path.open, os.fdopen

        def sync(handle: int) -> None:
            self.does("fsync")
            real_sync(handle)
            path = Path(f"/proc/self/fd/{handle}").readlink()
            self.synced[path] = path.stat().st_size

        def opened(path: Path, mode: str = "r", *args: Any, **named: Any) -> Any:
            file = real_open(path, mode, *args, **named)
            return Torn(file, self) if "a" in mode and path.suffix == ".jsonl" else file

        patch.setattr(os, "fsync", sync)
        patch.setattr(os, "fdopen", lambda *args, **named: Torn(real_fdopen(*args, **named), self))
        patch.setattr(Path, "open", opened)
        real_keep = RunFolder.keep

        def keep(folder: RunFolder, checkpoint: Any) -> None:
            real_keep(folder, checkpoint)
            self.kept = checkpoint.step

        patch.setattr(RunFolder, "keep", keep)


def network() -> Direct:
    return Direct(md.nets.PlainCNN(1, 1, width=2, depth=2), Start())


def trained(folder: Path, *, resume: bool = True) -> Direct:
    net = network()
    assert fit(net, Denoising(), LEAVES, SETTINGS, folder=folder, resume=resume).finished
    return net


@pytest.fixture
def undisturbed(tmp_path: Path) -> Iterator[tuple[Direct, list[str]]]:
    machine = Machine(None, tmp_path / "calm")
    with pytest.MonkeyPatch.context() as patch:
        machine.plug_in(patch)
        net = trained(tmp_path / "calm")
    yield net, machine.done


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_the_power_may_fail_at_any_moment(tmp_path: Path, undisturbed: tuple[Direct, list[str]]) -> None:
    wanted, operations = undisturbed
    assert {"write", "fsync", "replace"} <= set(operations) and len(operations) > 60
    for cut in range(len(operations)):
        folder = tmp_path / f"cut-{cut}"
        machine = Machine(cut, folder)
        with pytest.MonkeyPatch.context() as patch:
            machine.plug_in(patch)
            with pytest.raises(PowerCut):
                trained(folder)
        machine.lose_what_was_not_synced()
        state = folder / "checkpoint" / "state.safetensors"
        if machine.kept >= 0:
            assert read_checkpoint(state).step >= machine.kept, f"cut {cut}, {operations[cut]}"
        net = trained(folder)
        told = f"cut {cut}, {operations[cut]}"
        assert all(torch.equal(a, b) for a, b in zip(net.parameters(), wanted.parameters(), strict=True)), told
        steps = [json.loads(line)["step"] for line in (folder / "record.jsonl").read_text().splitlines()]
        assert steps == [1, 2, 3, 4, 5], told
        stored = md.load(folder / "model")
        assert all(torch.equal(a, b) for a, b in zip(stored.parameters(), wanted.parameters(), strict=True)), told
        left = list(folder.rglob("*.part"))
        assert not left, f"{told}: {left}"


SCRIPT = """
import sys
import mindl as md
from mindl.data import DeadLeaves
from mindl.learning import Denoising, Training

class Told:
    def stepped(self, row, steps):
        print(row["step"], flush=True)
    def skipped(self, name, why): pass

if __name__ == "__main__":
    net = md.neural.Direct(md.nets.PlainCNN(1, 1, width=4, depth=3), md.neural.Start())
    settings = Training(steps=3000, batch=4, crop=16, check_every=5)
    run = md.fit(net, Denoising(), DeadLeaves(3, size=24), settings, folder=sys.argv[1], resume=True, watch=Told())
    print(run)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_fifty_kills_at_random_moments(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)

    def start(folder: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(script), str(tmp_path / folder)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    drawn, reached = random.Random(5), []
    for _ in range(50):
        process = start("killed")
        assert process.stdout is not None
        process.stdout.readline()  # it trains
        time.sleep(drawn.uniform(0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        reached.append(read_checkpoint(tmp_path / "killed/checkpoint/state.safetensors").step)
    assert reached == sorted(reached) and reached[-1] > 50
    for folder in ("killed", "calm"):
        _, err = start(folder).communicate(timeout=600)
        assert not err, err
    states = [read_checkpoint(tmp_path / f / "checkpoint/state.safetensors").tensors for f in ("killed", "calm")]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[1])
