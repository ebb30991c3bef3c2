"""What a check asks of a student's module, on its way to another process and back: JSON and arrays, no pickle.

A `Call` names a function and its arguments; `write` lays a list of them down in a folder; `caller.py` makes the
calls in a process of its own; `read` takes the results back. Nothing is unpickled, followed, or believed on the
way back: a result is a regular file whose size agrees with its header, of bools, integers or floats, or is none.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

REQUEST = "request.json"
ARRAYS = "arguments.npz"
LARGEST = 64 * 2**20
"""Bytes of one array that comes back, at most."""

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Matrix:
    """A linear map u -> A u on images, handed over as a Python function; A is (pixels, pixels)."""

    values: np.ndarray


@dataclass(frozen=True)
class Own:
    """Another function of the student's module, by name, handed over as an argument."""

    name: str


@dataclass(frozen=True, init=False)
class Call:
    """One call of a student's function.

    ``returns`` is the shape of the array that must come back, ``()`` for a number, a list of shapes for a tuple,
    or None where any arrays will do. ``refuses`` names the exception that must be raised instead.
    """

    function: str
    arguments: tuple[Any, ...]
    returns: Shape | list[Shape] | None = None
    refuses: str | None = None

    def __init__(
        self,
        function: str,
        *arguments: Any,
        returns: Shape | list[Shape] | None = None,
        refuses: str | None = None,
    ) -> None:
        """The function's name, then its positional arguments."""
        for name, value in (
            ("function", function),
            ("arguments", arguments),
            ("returns", returns),
            ("refuses", refuses),
        ):
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Result:
    """What one call gave: arrays, or the reason why there are none."""

    values: tuple[np.ndarray, ...] = ()
    error: str | None = None
    kind: str = ""
    changed: tuple[int, ...] = field(default=())


def write(folder: Path, module: str, calls: Sequence[Call], seconds: float) -> None:
    """Lay the calls down for ``caller.py``; each may take ``seconds``."""
    arrays: list[np.ndarray] = []
    listed = [
        {"function": call.function, "arguments": [_encoded(a, arrays) for a in call.arguments]} for call in calls
    ]
    named: dict[str, Any] = {str(i): array for i, array in enumerate(arrays)}
    np.savez(folder / ARRAYS, **named)
    request = {"kind": "calls", "module": module, "calls": listed, "seconds": seconds}
    (folder / REQUEST).write_text(json.dumps(request), encoding="utf-8")


def _encoded(value: Any, arrays: list[np.ndarray]) -> dict[str, Any]:
    if isinstance(value, Matrix | np.ndarray):
        arrays.append(value.values if isinstance(value, Matrix) else value)
        return {"matrix" if isinstance(value, Matrix) else "array": len(arrays) - 1}
    if isinstance(value, Own):
        return {"own": value.name}
    if isinstance(value, tuple | list):
        return {"tuple": [_encoded(entry, arrays) for entry in value]}
    if value is None or isinstance(value, bool | int | float | str):
        return {"plain": value}
    raise TypeError(f"a check hands over arrays, numbers, strings and tuples of them, not {type(value).__name__}")


def finished(folder: Path) -> bool:
    """Whether ``caller.py`` came to its own end; a process that was left before (``os._exit``) did not."""
    return record(folder / "done.json") is not None


def read(folder: Path, calls: Sequence[Call], ended: str) -> list[Result]:
    """The results that the process left; ``ended`` says in words how it ended, for calls without a result."""
    broken = record(folder / "module.json")
    if broken is not None and broken.get("error"):
        return [Result(error=_text(broken, "error"), kind=_text(broken, "kind")) for _ in calls]
    return [_result(folder, i, call, ended) for i, call in enumerate(calls)]


def _result(folder: Path, index: int, call: Call, ended: str) -> Result:
    said = record(folder / f"{index}.json")
    if said is None:
        return Result(error=ended, kind="none")
    listed = said.get("changed")
    changed = tuple(i for i in listed if isinstance(i, int))[:20] if isinstance(listed, list) else ()
    if said.get("error"):
        return Result(error=_text(said, "error"), kind=_text(said, "kind"), changed=changed)
    count = said.get("values")
    if not isinstance(count, int) or not 0 <= count <= 20:
        return Result(error="the record of the result is damaged", kind="none")
    try:
        values = tuple(array(folder / f"{index}-{k}.npy") for k in range(count))
    except ValueError as error:
        return Result(error=str(error), kind="none")
    wrong = _form(call, values, several=bool(said.get("several")))
    return Result(error=wrong, kind="form") if wrong else Result(values, changed=changed)


def _form(call: Call, values: tuple[np.ndarray, ...], *, several: bool) -> str | None:
    """What is wrong with number, shape and range of the values, in words."""
    if call.returns is None:
        wanted = None
    elif isinstance(call.returns, list):
        wanted = call.returns
        if not several or len(values) != len(wanted):
            got = f"{len(values)} values" if several else "one value"
            return f"`{call.function}` returned {got}; expected {len(wanted)}, as a tuple"
    else:
        wanted = [call.returns]
        if several:
            return f"`{call.function}` returned a tuple; expected {_named(call.returns)}"
    for value, shape in zip(values, wanted or [v.shape for v in values], strict=True):
        if value.shape != shape:
            return f"`{call.function}` returned {_named(value.shape)}; expected {_named(shape)}"
        if np.isnan(value).any():
            count = int(np.isnan(value).sum())
            return f"`{call.function}` returned NaN (not a number) in {count} of {value.size} values"
    return None


def _named(shape: Shape) -> str:
    return "a number" if shape == () else f"an array of shape {shape}"


def _opened(path: Path, largest: int) -> bytes | None:
    """The bytes of a regular file, or None; links, pipes and what is too large are not read."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > largest:
            return None
        return file.read(largest + 1)


def record(path: Path) -> dict[str, Any] | None:
    """A small JSON object that another process wrote, or None."""
    content = _opened(path, 2**16)
    try:
        found = json.loads(content.decode("utf-8")) if content else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _text(said: dict[str, Any], key: str) -> str:
    return str(said.get(key, ""))[:2000]


def array(path: Path) -> np.ndarray:
    """One array from a ``.npy`` file that is not trusted, as float64.

    Raises ValueError unless it is a regular file of bools, integers or floats whose size agrees with its header.
    """
    content = _opened(path, LARGEST)
    if content is None:
        raise ValueError(f"a result is missing, or larger than {LARGEST // 2**20} MB")
    try:
        length = int.from_bytes(content[8:10], "little")
        if content[:8] != b"\x93NUMPY\x01\x00" or length > 1000:
            raise ValueError
        header = json.loads(_as_json(content[10 : 10 + length].decode("ascii")))
        kind, shape = np.dtype(str(header["descr"])), tuple(int(n) for n in header["shape"])
        body = content[10 + length :]
        if kind.kind not in "biuf" or header["fortran_order"] or any(n < 0 for n in shape) or len(shape) > 8:
            raise ValueError
        if len(body) != kind.itemsize * int(np.prod([int(n) for n in shape], dtype=object)):
            raise ValueError
        return np.frombuffer(body, kind).reshape(shape).astype(np.float64)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise ValueError("a result is no plain array of numbers") from None


def _as_json(header: str) -> str:
    """NumPy's header is a Python literal of one known form."""
    text = header.strip().replace("'", '"').replace("False", "false").replace("True", "true")
    return text.replace("(", "[").replace(",)", "]").replace(")", "]").replace(", }", "}").replace(",}", "}")
