"""Records on disk: JSON, one file or one line each."""

from __future__ import annotations

import json
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
    """Numbers that JSON knows: NaN and infinity become null."""
    return {k: None if isinstance(v, float) and not abs(v) < float("inf") else v for k, v in row.items()}
