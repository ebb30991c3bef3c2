"""What the parts of a record look like. Whatever has another form is left out before a rule sees it."""

from __future__ import annotations

import math
import numbers
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
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def as_number(value: object) -> float | None:
    """A number from what stands for one: a text of digits, an array or tensor of one entry; None from anything
    else.

    >>> as_number("1e-3"), as_number("high"), as_number(True)
    (0.001, None, None)
    """
    if not is_number(value) and not isinstance(value, str):
        value = value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else None
    if value is None or isinstance(value, bool):
        return None
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        return None


def in_shape(row: Row) -> Row:
    """A line with all that is as it should be.

    >>> in_shape({"step": 1, "loss": "high", "rate": "0.1", "look": {"alpha": 0.5, "blocks": [1]}})
    {'step': 1.0, 'rate': 0.1, 'look': {'alpha': 0.5}}
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
        found = as_number(value)
        return None if value is None else ... if found is None else found
    if shape == "list":
        whole = isinstance(value, list) and bool(value) and all(is_number(v) and math.isfinite(v) for v in value)
        return [float(v) for v in value] if whole else ...
    if shape == "gaps":
        whole = isinstance(value, list) and bool(value) and all(v is None or is_number(v) for v in value)
        return value if whole else ...
    inner: Shape = {"*": "number"} if shape == "numbers" else {"*": "numbers"}
    return _fitting(value, inner)
