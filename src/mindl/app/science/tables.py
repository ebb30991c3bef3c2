"""Tables as Markdown, with the sentence that belongs to each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Table:
    """One table of the page.

    Attributes:
        name: for the option ``--table`` and for JSON.
        title: its heading.
        head: of the columns.
        rows: cells as they are printed.
        note: what was measured, on what.
        raw: the numbers behind the cells, for JSON.
    """

    name: str
    title: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    note: str
    raw: Sequence[dict[str, Any]] = field(default_factory=list)

    @property
    def markdown(self) -> str:
        """Heading, table and note."""
        lines = [f"## {self.title}", "", f"| {' | '.join(self.head)} |", f"|:--|{'--:|' * (len(self.head) - 1)}"]
        lines += [f"| {' | '.join(row)} |" for row in self.rows]
        return "\n".join([*lines, "", self.note, ""])


def middle(values: Sequence[float]) -> float:
    """The median; NaN of none."""
    return median(values) if values else float("nan")


def seconds(value: float) -> str:
    """Two digits, in milliseconds below a fifth of a second.

    >>> seconds(0.0234), seconds(0.14), seconds(2.345)
    ('23 ms', '140 ms', '2.3 s')
    """
    if value < 0.2:
        return f"{float(f'{1000 * value:.1e}'):g} ms"
    return f"{float(f'{value:.1e}'):g} s"
