"""Stopping before the last step, when examinations no longer get better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mindl.core.arguments import whole
from mindl.core.errors import InputError
from mindl.core.records import Row

MEASURES = {"excess": -1, "worst_excess": -1, "psnr": 1}
"""What may be watched, and whether more is better."""


@dataclass(frozen=True)
class EarlyStop:
    """Stops a run after so many examinations without a better one, and keeps the network of the best.

    It needs a ``Validation``, whose images decide then how long is trained: state results on images that neither
    training nor validation has seen.

    Args:
        patience: examinations in a row that may be no better than the best before.
        measure: what is looked at: ``psnr``, ``excess`` or ``worst_excess``.

    Raises:
        InputError: a patience below 1, or an unknown measure.

    >>> stop = EarlyStop(patience=2)
    >>> [stop.over([{"psnr": value} for value in values]) for values in ([3, 2], [3, 2, 3], [3, 2, 4, 1])]
    [False, True, False]
    """

    patience: int = 10
    measure: str = "psnr"

    def __post_init__(self) -> None:
        whole(self.patience, 1, "EarlyStop(patience)")
        if not isinstance(self.measure, str) or self.measure not in MEASURES:
            raise InputError(f"EarlyStop(measure={self.measure!r}) must be one of {', '.join(MEASURES)}.")

    def best(self, record: Sequence[Row]) -> int | None:
        """The row of the best examination, the first of equals; None before the first."""
        values = {i: row[self.measure] for i, row in enumerate(record) if self._judges(row)}
        if not values:
            return None
        return max(values, key=lambda i: (MEASURES[self.measure] * values[i], -i))

    def over(self, record: Sequence[Row]) -> bool:
        """Whether so many examinations after the best were no better."""
        best = self.best(record)
        if best is None:
            return False
        return sum(self._judges(row) for row in record[best + 1 :]) >= self.patience

    def _judges(self, row: Row) -> bool:
        """Whether an examination found a number; without clean images there is no PSNR."""
        found = row.get(self.measure)
        return found is not None and math.isfinite(found)
