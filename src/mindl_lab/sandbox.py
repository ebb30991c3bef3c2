"""Where student's work runs: `Plain` for a student's own machine, `Guarded` for grading work of others.

Both take a folder with a request (see `calls`) and limits, and say how the process ended. Neither ever imports
what a student wrote: that happens in the process they start.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

FIRST_USER = 61184
"""User numbers from here on belong to nobody by the systems' convention; each worker takes one."""

_HERE = Path(__file__).parent


class GuardError(RuntimeError):
    """The guard itself failed: no statement about the student's work, and nothing is graded."""


@dataclass(frozen=True)
class Limits:
    """Seconds on the clock for one process, and bytes of address space."""

    seconds: float = 30.0
    memory: int = 4 * 2**30


@dataclass(frozen=True)
class Ended:
    """How a process ended: by itself ("ended"), or by a limit ("time", "size"), or abruptly ("killed")."""

    outcome: str
    status: int
    seconds: float

    @property
    def itself(self) -> bool:
        """Whether nobody had to end it."""
        return self.outcome == "ended"

    @property
    def words(self) -> str:
        """For the student."""
        return {
            "ended": "the process ended before this call",
            "time": f"the process was ended: it took longer than {self.seconds:.0f} s",
            "size": "the process was ended: it wrote too much",
            "killed": f"the process ended abruptly (status {self.status}): a crash, an exit, or a limit",
        }[self.outcome]


class Sandbox(ABC):
    """Runs the request of a folder in a process of its own."""

    @abstractmethod
    def run(self, folder: Path, limits: Limits) -> Ended:
        """Run it, and return when nothing of it is alive."""

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A fresh folder, removed afterwards."""
        place = Path(tempfile.mkdtemp(prefix="mindl-lab-"))
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)


def _environment(home: str) -> dict[str, str]:
    """Nothing of the caller's environment but what Python needs to start; one thread for linear algebra."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "WINDIR") if name in os.environ}
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
    return {**kept, **threads, "PATH": os.defpath, "LANG": "C.UTF-8", "HOME": home, "TMPDIR": home, "TEMP": home}


class Plain(Sandbox):
    """A process with a time limit: enough for one's own work on one's own machine, on any system."""

    def run(self, folder: Path, limits: Limits) -> Ended:
        """See `Sandbox`."""
        command = [sys.executable, "-I", "-B", str(_HERE / "caller.py"), str(folder)]
        with (folder / "printed.txt").open("wb") as printed:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=_environment(str(folder)),
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
            )
            try:
                status = process.wait(limits.seconds)
            except subprocess.TimeoutExpired:
                return Ended("time", 0, limits.seconds)
            finally:
                process.kill()
                process.wait()
        return Ended("ended" if status == 0 else "killed", status, 0.0)


class Guarded(Sandbox):
    """Processes behind the walls of `mindl_lab.guard`. Linux only.

    A context manager. ``missing`` says which walls this system does not offer. ``slot`` tells workers that grade
    at the same time apart. Raises GuardError where the guard does not start.
    """

    def __init__(self, slot: int = 0, hidden: tuple[Path, ...] = (), warm: tuple[str, ...] = ()) -> None:
        """``hidden``: paths that no student's process may read, beside the checks; ``warm``: modules that are
        imported once, before the processes start.
        """
        if sys.platform != "linux":
            raise GuardError("grading needs Linux: on another system only `check` works, for one's own work")
        self._user = FIRST_USER + slot
        self._warm = warm
        self._hidden = [str(_HERE), *(str(path) for path in hidden)]
        self._readable: list[str] = []
        self._listed: list[str] = []
        self._process: subprocess.Popen[str] | None = None
        self.missing: list[str] = []

    def __enter__(self) -> Guarded:
        from mindl_lab.guard import listed, readable  # noqa: PLC0415  (its constants are Linux's)

        self._readable = [*readable(self._hidden), *_open_files()]
        self._listed = [path for path in listed() if Path(path).is_dir()]
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", str(_HERE / "guard.py"), *self._warm],
            env=_environment("/nonexistent"),
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        greeting = self._process.stdout.readline()
        if not greeting:
            self._stop()
            raise GuardError("the guard of the sandbox did not start; `python -m mindl_lab.guard` shows why")
        self.missing = list(json.loads(greeting)["missing"])

    def _stop(self) -> None:
        if self._process is not None:
            assert self._process.stdin is not None and self._process.stdout is not None
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                pipe.close()
            self._process = None

    def run(self, folder: Path, limits: Limits) -> Ended:
        """See `Sandbox`."""
        if os.getuid() == 0:
            for path in (folder, *folder.iterdir()):
                os.chown(path, self._user, self._user)
        request = {
            "folder": str(folder.resolve()),
            "seconds": limits.seconds,
            "memory": limits.memory,
            "user": self._user,
            "readable": self._readable,
            "listed": self._listed,
        }
        if self._process is None or self._process.poll() is not None:
            self._stop()
            self._start()
        assert self._process is not None and self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            line = ""
        reply: dict[str, Any] = json.loads(line) if line else {"outcome": "guard", "why": "it was ended"}
        if reply["outcome"] == "guard":
            self._stop()
            raise GuardError(f"the guard of the sandbox failed ({reply['why']}); grade again")
        return Ended(reply["outcome"], reply["status"], reply["seconds"])


def _open_files() -> list[str]:
    """Of this package only what past weeks give to the next, and the empty package file."""
    return [str(_HERE / name) for name in ("__init__.py", "past")]
