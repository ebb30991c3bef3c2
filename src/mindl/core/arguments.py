"""Arguments of the wrong kind get one sentence each."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, TypeVar

from mindl.core.errors import InputError

T = TypeVar("T")


def whole(value: object, least: int, what: str) -> int:
    """A whole number, at least ``least``.

    Raises:
        InputError: anything else.

    >>> whole(3, 1, "Stream(batch)")
    3
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InputError(f"{what} must be a whole number, at least {least}; got {told(value)}.")
    return value


def number(
    value: object, what: str, *, above: float = -math.inf, below: float = math.inf, least: float | None = None
) -> float:
    """A finite number between two bounds, both excluded unless ``least`` says the lower one.

    Raises:
        InputError: anything else.

    >>> number(0.5, "Adam(momentum)", least=0, below=1)
    0.5
    """
    plain = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    low_enough = plain and (value >= least if least is not None else value > above)  # type: ignore[operator]
    if not low_enough or not value < below:  # type: ignore[operator]
        bounds = [f"at least {least:g}"] if least is not None else [f"above {above:g}"] * (above > -math.inf)
        bounds += [f"below {below:g}"] * (below < math.inf)
        limits = f", {' and '.join(bounds)}" if bounds else ""
        raise InputError(f"{what} must be a number{limits}; got {told(value)}.")
    return float(value)  # type: ignore[arg-type]


def kind(value: object, wanted: Any, what: str, meant: str) -> None:
    """See that a value is of a type.

    Raises:
        InputError: it is of another one.

    >>> kind("a", str, "save(card)", "a text")
    """
    if not isinstance(value, wanted):
        raise InputError(f"{what} must be {meant}; got {told(value)}.")


def path(value: object, what: str) -> Path:
    """A path that is not empty.

    Raises:
        InputError: anything else; an empty one would mean the folder one is in.

    >>> path("runs/a", "fit(folder)").name
    'a'
    """
    if not isinstance(value, str | os.PathLike) or not str(value):
        raise InputError(f"{what} must be a path; got {told(value)}.")
    return Path(value)


def told(value: object) -> str:
    """A value as messages show it: short ones as they are, others by their kind."""
    text = repr(value)
    return text if len(text) <= 60 and "\n" not in text else f"a {type(value).__name__}"
