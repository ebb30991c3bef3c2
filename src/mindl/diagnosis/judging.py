"""From a record to what can be concluded from it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from mindl.core.arguments import kind
from mindl.diagnosis.course import Course
from mindl.diagnosis.limits import LIMITS, Limits
from mindl.diagnosis.reading import Recorded, read
from mindl.diagnosis.rules import RULES
from mindl.diagnosis.symptom import Diagnosis, Symptom


def diagnose(
    source: str | os.PathLike[str] | Course | Recorded | Iterable[Mapping[str, Any]], limits: Limits = LIMITS
) -> Diagnosis:
    """What the record of a training run says about it, while it goes on or afterwards.

    Every rule of ``RULES`` is asked whose numbers the record holds; what cannot be judged is named. A record needs
    nothing but a loss for the first few of them.

    Args:
        source: the folder of a run, its ``record.jsonl``, a ``.csv`` of another program, a ``Run``, or rows.
        limits: the thresholds.

    Raises:
        StoreError: there is no such file, or nothing in it can be read.
        InputError: something else than a record.

    >>> print(diagnose([{"step": k, "loss": 1 / k} for k in range(1, 101)]).verdict)
    Healthy: none of the 6 symptoms (of 26) that can be judged.
    """
    kind(limits, Limits, "diagnose(limits)", "thresholds, Limits()")
    course = read(source)
    found: list[Symptom] = []
    judged, missing = [], {}
    for rule in RULES.values():
        lack = rule.lacks(course)
        if lack is not None:
            missing[rule.name] = lack
            continue
        judged.append(rule.name)
        symptom = rule.judge(course, limits)
        if symptom is not None:
            found.append(symptom)
    return Diagnosis(
        symptoms=tuple(symptom for symptom in found if not symptom.hint),
        hints=tuple(symptom for symptom in found if symptom.hint),
        judged=tuple(judged),
        missing=missing,
        notes=course.notes,
        steps=course.steps,
    )
