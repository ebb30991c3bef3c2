"""Every error that mindl raises on purpose.

    MindlError
    ├── InputError (ValueError)            an argument is wrong
    │   ├── ImageFileError                 a file is missing, no image, or of a kind that is refused
    │   ├── LeakageError                   images that are to be kept apart are (nearly) the same
    │   ├── MaskError                      a mask of another size, with greys, without a known pixel
    │   ├── ToleranceError                 finer than the floating-point type can reach
    │   ├── UnknownNameError (LookupError) no such model, solver, ...; carries the nearest names
    │   └── ViewError (TypeError)          a solver does not accept the model
    ├── StoreError (ValueError)            a model folder or checkpoint is incomplete, altered or too new
    ├── TrainingError (ArithmeticError)    a loss is NaN or infinite; the batch and the last good state are kept
    ├── OutputError (OSError)              a result could not be written; nothing was left behind
    ├── NonFiniteError (ArithmeticError)   a user's energy or its gradient is NaN or infinite
    └── NotSolvedError                     ``solution.require()``: the answer is not certified

    MindlWarning (UserWarning)
    ├── OutsideRangeWarning                a network is asked for what it was not trained for
    └── ProbeWarning                       a stored network does not answer as it did when it was stored

Each message names the call, the constraint, the value it got, and the cure.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")


class MindlError(Exception):
    """Base of all errors that mindl raises on purpose."""


class InputError(MindlError, ValueError):
    """An argument breaks a stated constraint."""


class ImageFileError(InputError):
    """A file is missing, is no image, is damaged, or is of a kind that mindl refuses."""


class LeakageError(InputError):
    """Images that are to be kept apart, such as for training and validation, are the same or nearly so."""


class MaskError(InputError):
    """A mask does not fit the image, has values between known and unknown, or knows nothing."""


class ToleranceError(InputError):
    """The tolerance is below what the floating-point type can reach."""


class UnknownNameError(InputError, LookupError):
    """A name is not in a table; the message offers the nearest ones."""


class ViewError(InputError, TypeError):
    """The model does not have the view that was asked of it."""


class StoreError(MindlError, ValueError):
    """A model folder or a checkpoint is incomplete, altered, or written by a newer version."""


class TrainingError(MindlError, ArithmeticError):
    """A training run cannot go on; what was reached is kept."""


class OutputError(MindlError, OSError):
    """A result could not be written; what was there before is untouched."""


class NonFiniteError(MindlError, ArithmeticError):
    """An energy or its gradient is NaN or infinite."""


class NotSolvedError(MindlError):
    """The answer is not certified. ``error.solution`` holds what was reached."""

    def __init__(self, message: str, solution: object) -> None:
        super().__init__(message)
        self.solution = solution


class MindlWarning(UserWarning):
    """Base of all warnings that mindl gives on purpose."""


class OutsideRangeWarning(MindlWarning):
    """A network is asked for what it was not trained for."""


class ProbeWarning(MindlWarning):
    """A stored network does not answer as it did when it was stored."""


def nearest(name: str, known: Iterable[str]) -> str:
    """``'rof', 'tgv'``: the known names most like ``name``, or all of them when none is alike."""
    names = {each.lower(): each for each in sorted(known)}
    alike = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.5)
    return ", ".join(repr(names[each]) for each in alike or names)


def look_up(table: Mapping[str, T], name: str, kind: str) -> T:
    """``table[name]``; case, underscores and hyphens count for nothing.

    Raises:
        UnknownNameError: no such name; the nearest ones are offered.

    >>> look_up({"rof": 1, "whittaker_tikhonov": 2}, "Whittaker-Tikhonov", "model")
    2
    """
    if not isinstance(name, str):
        raise UnknownNameError(f"A {kind} is named by a string ({nearest('', table)}), got {name!r}.")
    for known, value in table.items():
        if _plain(known) == _plain(name):
            return value
    raise UnknownNameError(f"There is no {kind} {name!r}. Did you mean {nearest(name, table)}?")


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
