"""All rules."""

from __future__ import annotations

from mindl.diagnosis.rule import Rule

RULES: dict[str, Rule] = {}
