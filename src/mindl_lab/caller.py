"""Runs what a student wrote, in a process of its own: ``python -I caller.py FOLDER``.

It knows NumPy, pytest and the standard library, and neither checks nor expected results. It reads
``request.json``, imports the module that lies beside it, makes the calls one after the other, and writes down each
result at once, so that a call that never returns costs only itself and those after it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np


class _TooLong(BaseException):
    """Raised in a student's function when its time is over; no `except Exception` catches it."""


def main(folder: Path) -> None:
    """Do what the folder's request asks for."""
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    sys.path.insert(0, str(folder))
    if request["kind"] == "tests":
        _tests(folder, request)
    else:
        _calls(folder, request)
    _write(folder / "done.json", {"done": True})


def _calls(folder: Path, request: dict[str, Any]) -> None:
    with np.load(folder / "arguments.npz", allow_pickle=False) as stored:
        arrays = {int(name): stored[name] for name in stored.files}
    try:
        with _time(request["seconds"]):
            module = _loaded(folder, request["module"])
    except BaseException as error:
        _write(folder / "module.json", _described(error, "importing your module", folder, request))
        return
    for index, call in enumerate(request["calls"]):
        arguments = [_decoded(value, arrays, module) for value in call["arguments"]]
        before = [np.array(value) if isinstance(value, np.ndarray) else None for value in arguments]
        record: dict[str, Any] = {}
        try:
            function = getattr(module, call["function"], None)
            if not callable(function):
                raise AttributeError(f"the module has no function `{call['function']}`")
            with _time(request["seconds"]):
                record = _kept(folder, index, call["function"], function(*arguments))
        except BaseException as error:
            record = _described(error, f"`{call['function']}`", folder, request)
        pairs = enumerate(zip(before, arguments, strict=True))
        record["changed"] = [i for i, (old, new) in pairs if old is not None and not _alike(old, new)]
        _write(folder / f"{index}.json", record)


def _loaded(folder: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _decoded(value: dict[str, Any], arrays: dict[int, np.ndarray], module: ModuleType) -> Any:
    if "array" in value:
        return arrays[value["array"]].copy()
    if "matrix" in value:
        matrix = arrays[value["matrix"]].copy()
        return lambda u: (matrix @ np.ravel(u)).reshape(np.shape(u))
    if "own" in value:
        return getattr(module, value["own"], None)
    if "tuple" in value:
        return tuple(_decoded(entry, arrays, module) for entry in value["tuple"])
    return value["plain"]


def _alike(old: np.ndarray, new: np.ndarray) -> bool:
    """Whether no bit differs; a NaN is like itself."""
    return (old.shape, old.dtype, old.tobytes()) == (new.shape, new.dtype, new.tobytes())


def _kept(folder: Path, index: int, function: str, value: Any) -> dict[str, Any]:
    several = type(value) in (tuple, list)
    values = list(value) if several else [value]
    for k, entry in enumerate(values[:20]):
        if not isinstance(entry, np.ndarray | np.generic | bool | int | float):
            raise TypeError(
                f"returned {'None (is a `return` missing?)' if entry is None else 'a ' + type(entry).__name__}; "
                "expected NumPy arrays or numbers"
            )
        plain = np.array(entry, order="C", copy=True, subok=False)
        if plain.dtype.kind not in "biuf":
            raise TypeError(f"returned an array of the type {plain.dtype}; expected real numbers")
        if plain.dtype.kind == "f" and plain.dtype.itemsize > 8:
            plain = plain.astype(np.float64)
        with (folder / f"{index}-{k}.npy").open("wb") as file:
            np.lib.format.write_array(file, plain, version=(1, 0), allow_pickle=False)
    return {"values": len(values), "several": several}


def _described(error: BaseException, what: str, folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    kind = type(error).__name__
    if isinstance(error, _TooLong):
        return {"error": f"{what} did not end within {request['seconds']:g} s", "kind": "time"}
    if isinstance(error, SystemExit | KeyboardInterrupt):
        return {"error": f"{what} tried to end the process", "kind": "exit"}
    try:
        text = str(error)[:500]
    except BaseException:
        text = ""
    if isinstance(error, SyntaxError):
        return {"error": f"{what} failed: {kind} in line {error.lineno}: {error.msg}", "kind": kind}
    own = str(folder)
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(own)]
    where = f" (line {lines[-1]})" if lines else ""
    return {"error": f"{what} raised {kind}{where}: {text}", "kind": kind}


def _write(path: Path, record: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        path.write_text(json.dumps(record), encoding="utf-8")


@contextlib.contextmanager
def _time(seconds: float) -> Any:
    """Interrupt Python code after ``seconds``, where the system has a signal for it."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def over(*_: Any) -> None:
        raise _TooLong

    signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


class _Outcomes:
    """A plugin of pytest that counts, and keeps the first failure in one line."""

    def __init__(self) -> None:
        self.passed = self.failed = self.errors = 0
        self.first = ""

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Called by pytest after each phase of each test."""
        if report.failed and report.when == "call":
            self.failed += 1
        elif report.failed:
            self.errors += 1
        elif report.passed and report.when == "call":
            self.passed += 1
        if report.failed and not self.first:
            self.first = f"{report.nodeid.split('::')[-1]}: {_last_line(report)}"

    def pytest_collectreport(self, report: Any) -> None:
        """Called by pytest after a file was read."""
        if report.failed:
            self.errors += 1
            self.first = self.first or _last_line(report)


def _last_line(report: Any) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash else str(report.longrepr)
    lines = [line for line in text.splitlines() if line.strip()]
    return (lines[0] if crash else lines[-1])[:300] if lines else ""


def _tests(folder: Path, request: dict[str, Any]) -> None:
    """Run the tests against each variant of the module, in turn; ``tests-3.json`` says what variant 3 met."""
    import pytest  # noqa: PLC0415  (only students' own tests need it)

    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:faulthandler", "-c", str(folder / "pytest.ini")]
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    module, tests = request["module"], Path(request["tests"])
    for index, text in enumerate(request["variants"]):
        (folder / f"{module}.py").write_text(text, encoding="utf-8")
        for name in (module, tests.stem):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        outcomes = _Outcomes()
        try:
            with _time(request["seconds"]):
                pytest.main([*options, "--rootdir", str(folder), str(folder / tests)], plugins=[outcomes])
        except BaseException as error:
            outcomes.errors += 1
            late = isinstance(error, _TooLong)
            why = f"took longer than {request['seconds']:g} s" if late else "tried to end the process"
            outcomes.first = outcomes.first or f"the tests {why}"
        record = {
            "passed": outcomes.passed,
            "failed": outcomes.failed,
            "errors": outcomes.errors,
            "first": outcomes.first,
        }
        _write(folder / f"tests-{index}.json", record)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main(Path(sys.argv[1]))
