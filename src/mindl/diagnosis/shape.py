"""What the parts of a record look like. Whatever has another form is left out before a rule sees it."""

from __future__ import annotations

import math
from typing import Any

from mindl.core.records import Row

Shape = str | dict[str, Any]
"""``number``, ``numbers`` (a table of one row), ``table`` (of several), ``list``, ``gaps`` (a list in which some
may be missing); or a record of these by name."""

LISTS: dict[str, Any] = {"*": "list"}

LOOK: dict[str, Any] = {
    "blocks": "table",
    "units": "table",
    "mode": "numbers",
    "seen": "numbers",
    "batch": "numbers",
    "by_step": "list",
    "profile": {"energy": "list", "change": "list", "numbers": LISTS, "share": LISTS},
    "*": "number",
}

UNSEEN: dict[str, Any] = {
    "solution": "numbers",
    "clean": "numbers",
    "terms": "numbers",
    "batch": "numbers",
    "excess": "gaps",
    "rms": "gaps",
    "errors": "list",
    "*": "number",
}

ROW: dict[str, Any] = {"look": LOOK, "unseen": UNSEEN, "skipped": "any", "*": "number"}
"""A line; ``*`` stands for all other names."""


def is_number(value: object) -> bool:
    """Whether a value is a number; infinite ones are, too."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def in_shape(row: Row) -> Row:
    """A line with all that is as it should be.

    >>> in_shape({"step": 1, "loss": "high", "look": {"alpha": 0.5, "blocks": [1]}})
    {'step': 1, 'look': {'alpha': 0.5}}
    """
    found: Row = _fitting(row, ROW) or {}
    return found


def _fitting(value: Any, shape: Shape) -> Any:
    """The value, or what of it has the shape; ``...`` where nothing has."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return ...
        others: Shape = shape.get("*", "number")
        parts = {name: _fitting(part, shape.get(name, others)) for name, part in value.items()}
        return {name: part for name, part in parts.items() if part is not ...}
    if shape == "any":
        return value
    if shape == "number":
        return value if value is None or is_number(value) else ...
    if shape == "list":
        whole = isinstance(value, list) and bool(value) and all(is_number(v) and math.isfinite(v) for v in value)
        return [float(v) for v in value] if whole else ...
    if shape == "gaps":
        whole = isinstance(value, list) and bool(value) and all(v is None or is_number(v) for v in value)
        return value if whole else ...
    inner: Shape = {"*": "number"} if shape == "numbers" else {"*": "numbers"}
    return _fitting(value, inner)
