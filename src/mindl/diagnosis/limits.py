"""The numbers that rules compare with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Thresholds of the rules."""


LIMITS = Limits()
"""Set on the first half of ``benchmarks/faults`` and left alone."""
