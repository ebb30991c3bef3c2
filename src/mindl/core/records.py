"""Records on disk: JSON, one file or one line each."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from mindl.core.errors import StoreError

Row = dict[str, Any]
"""One line of a record: of a training run ``step``, ``loss``, ... and, where the network was examined, what was
found."""


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that holds one record.

    Raises:
        StoreError: it is missing, or not JSON.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StoreError(f"{path} is missing.") from None
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read: {error}.") from error
    if not isinstance(value, dict):
        raise StoreError(f"{path} holds no record.")
    return value


def flat(record: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested records as one, with dotted names.

    >>> flat({"a": {"b": 1}, "c": 2})
    {'a.b': 1, 'c': 2}
    """
    found: dict[str, Any] = {}
    for name, value in record.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def plain(row: Row) -> Row:
    """Numbers that JSON knows: NaN and infinity become null, however deep.

    >>> plain({"a": float("nan"), "b": [1, float("inf")]})
    {'a': None, 'b': [1, None]}
    """
    return {k: _plain(v) for k, v in row.items()}


def rounded(value: Any, digits: int = 4) -> Any:
    """All numbers within a value, to so many digits that count: what is looked at, not gone on with.

    >>> rounded({"a": [0.123456, 12], "b": 1234567.0})
    {'a': [0.1235, 12], 'b': 1235000.0}
    """
    if isinstance(value, dict):
        return {k: rounded(v, digits) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(v, digits) for v in value]
    return float(f"{value:.{digits - 1}e}") if isinstance(value, float) else value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return plain(value)
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
