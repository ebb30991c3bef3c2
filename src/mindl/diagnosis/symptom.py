"""What a diagnosis says: symptoms, each with evidence, causes, and what would tell them apart."""

from __future__ import annotations

import textwrap
from dataclasses import asdict, dataclass
from typing import Any

WIDTH = 100

FEW = 6
"""Where fewer symptoms can be judged, a run is not called healthy in words."""


@dataclass(frozen=True)
class Cause:
    """What may be behind a symptom.

    Attributes:
        name: of the cause, the same wherever it is meant: ``"rate too high"``.
        why: what speaks for it here.
    """

    name: str
    why: str


@dataclass(frozen=True)
class Symptom:
    """One thing that is wrong with a run.

    Attributes:
        name: of the symptom, as in the table of ``docs/monitoring.md``.
        title: a sentence.
        evidence: numbers by what they are.
        curve: the curve that shows it, by its name in the record.
        steps: (first, last) step of the part that shows it.
        confidence: from 0 to 1: how clearly the threshold is passed. Not a probability.
        causes: the likeliest first.
        experiment: the cheapest that tells the causes apart.
        disproof: what would show that there is nothing wrong.
        hint: whether it is worth knowing but no fault.
    """

    name: str
    title: str
    evidence: dict[str, float]
    curve: str
    steps: tuple[int, int]
    confidence: float
    causes: tuple[Cause, ...]
    experiment: str
    disproof: str
    hint: bool = False

    def __str__(self) -> str:
        first, last = self.steps
        place = f"step {first}" if first == last else f"steps {first} to {last}"
        told = ", ".join(f"{what} {value:.4g}" for what, value in self.evidence.items())
        lines = [f"{self.name}: {self.title}", f"  seen at    {self.curve}, {place}", f"  evidence   {told}"]
        for rank, cause in enumerate(self.causes, start=1):
            lines.append(f"  {'cause' if rank == 1 else '     '} {rank}    {cause.name}: {cause.why}")
        lines += [f"  try        {self.experiment}", f"  disproof   {self.disproof}"]
        indent = " " * 13
        return "\n".join(
            textwrap.fill(line, WIDTH, subsequent_indent=indent, break_long_words=False) for line in lines
        )


@dataclass(frozen=True)
class Diagnosis:
    """What a run's record says about it.

    Attributes:
        symptoms: what is wrong, the clearest first.
        hints: worth knowing, but no faults.
        judged: names of the symptoms that were looked for.
        missing: symptoms that could not be looked for, and what would be needed.
        notes: what is to be known of the record itself.
        steps: of the run.
    """

    symptoms: tuple[Symptom, ...]
    hints: tuple[Symptom, ...]
    judged: tuple[str, ...]
    missing: dict[str, str]
    notes: tuple[str, ...]
    steps: int

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong as far as could be judged."""
        return not self.symptoms

    @property
    def verdict(self) -> str:
        """One sentence."""
        if not self.judged:
            return f"Nothing can be said of {self.steps} step{'s' * (self.steps != 1)}."
        if self.symptoms:
            names = ", ".join(symptom.name for symptom in self.symptoms)
            return f"{len(self.symptoms)} symptom{'s' * (len(self.symptoms) > 1)}: {names}."
        if self.missing:
            all_of_them = len(self.judged) + len(self.missing)
            if len(self.judged) < FEW:
                return (
                    f"Nothing wrong is seen, but only {len(self.judged)} of {all_of_them} symptoms can be judged."
                )
            return f"Healthy: none of the {len(self.judged)} symptoms (of {all_of_them}) that can be judged."
        return f"Healthy: none of {len(self.judged)} symptoms."

    def __str__(self) -> str:
        parts = [self.verdict, *self.notes, *map(str, self.symptoms)]
        if self.hints:
            parts += ["No faults, but worth knowing:", *map(str, self.hints)]
        if self.missing:
            needs: dict[str, list[str]] = {}
            for name, need in self.missing.items():
                needs.setdefault(need, []).append(name)
            told = [f"  {', '.join(names)}: {need}" for need, names in needs.items()]
            parts.append(
                "\n".join(["Not judged:", *(textwrap.fill(t, WIDTH, subsequent_indent="    ") for t in told)])
            )
        return "\n\n".join(parts)

    @property
    def row(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"healthy": self.healthy, "verdict": self.verdict}
