"""How well a diagnosis names what was seeded, and how seldom it speaks where nothing was."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from benchmarks.faults import autotrainer
from benchmarks.faults.records import FrozenRun
from mindl.diagnosis import Course, Diagnosis, diagnose

Judge = Callable[[Course], Diagnosis]

JUDGES: dict[str, Judge] = {"mindl": diagnose, "AutoTrainer": autotrainer.diagnose}
"""Who is compared."""

TOP = 3
"""So many causes are looked at."""

RESAMPLES, SEED = 2000, 0
"""Of the bootstrap over operators."""

Z = 1.959964
"""Of an interval of 95 %."""


@dataclass(frozen=True)
class Verdict:
    """A diagnosis beside what was seeded.

    Attributes:
        run: the run.
        symptoms: the names of those that were reported, hints left out.
        causes: the first three distinct ones, through all symptoms by rank.
    """

    run: FrozenRun
    symptoms: tuple[str, ...]
    causes: tuple[str, ...]

    @property
    def symptom_found(self) -> bool:
        """Whether one of the symptoms is acceptable."""
        return bool({*self.symptoms} & {*self.run.meta["symptoms"]})

    @property
    def cause_found(self) -> bool:
        """Whether one of the first causes is acceptable."""
        return bool({*self.causes} & {*self.run.meta["causes"]})

    @property
    def operator(self) -> str:
        """What was seeded."""
        return str(self.run.meta["operator"])


def judged(runs: Iterable[FrozenRun], judge: Judge) -> list[Verdict]:
    """The verdicts on runs."""
    found = []
    for run in runs:
        said = judge(run.course)
        found.append(Verdict(run, tuple(s.name for s in said.symptoms), first_causes(said)))
    return found


def first_causes(said: Diagnosis, most: int = TOP) -> tuple[str, ...]:
    """The first cause of each symptom, then the second ones, ... until there are so many distinct ones."""
    ranks = max((len(symptom.causes) for symptom in said.symptoms), default=0)
    found: dict[str, None] = {}
    for rank in range(ranks):
        for symptom in said.symptoms:
            if rank < len(symptom.causes):
                found.setdefault(symptom.causes[rank].name)
    return tuple(found)[:most]


def parts(runs: list[FrozenRun], half: str) -> tuple[list[FrozenRun], list[FrozenRun]]:
    """The faulty and the healthy runs of a half."""
    there = [run for run in runs if run.meta["half"] == half]
    return (
        [run for run in there if run.meta["kind"] == "faulty"],
        [run for run in there if run.meta["kind"] == "healthy"],
    )


def report(runs: list[FrozenRun], *, held_out: bool = False, by_run: bool = False) -> str:
    """Tables of the development half and, only if asked for, of the held-out half and the other seeds."""
    halves = {"first": "Development half"}
    if held_out:
        halves |= {"second": "Held-out half", "other": "Other seeds of both halves' operators"}
    lines: list[str] = []
    for half, title in halves.items():
        faulty, healthy = parts(runs, half)
        lines += [f"{title}: {len(faulty)} faulty runs, {len(healthy)} healthy ones", ""]
        verdicts = {name: (judged(faulty, judge), judged(healthy, judge)) for name, judge in JUDGES.items()}
        lines += [*_summary(verdicts), "", *_by_operator(verdicts), ""]
        if by_run:
            lines += [*_by_run(*verdicts["mindl"]), ""]
    return "\n".join(lines)


Measure = Callable[[Verdict], float]

OF_FAULTY: dict[str, Measure] = {
    "symptom recall": lambda verdict: verdict.symptom_found,
    f"cause in the first {TOP}": lambda verdict: verdict.cause_found,
    "symptoms a run": lambda verdict: len(verdict.symptoms),
}
OF_HEALTHY: dict[str, Measure] = {"false alarms": lambda verdict: bool(verdict.symptoms)}


def _summary(verdicts: dict[str, tuple[list[Verdict], list[Verdict]]]) -> list[str]:
    lines = [f"{'':12} {'measure':22} {'value':>7}  {'95 %, runs':>15}  {'95 %, operators':>15}"]
    for name, (faulty, healthy) in verdicts.items():
        for measures, group in ((OF_FAULTY, faulty), (OF_HEALTHY, healthy)):
            for title, measure in measures.items():
                lines.append(f"{name:12} {title:22} {_measured(group, measure, share=title != 'symptoms a run')}")
    return lines


def _measured(group: list[Verdict], measure: Measure, *, share: bool) -> str:
    if not group:
        return f"{'-':>7}"
    values = [float(measure(verdict)) for verdict in group]
    mean = sum(values) / len(values)
    over = bootstrap(group, measure)
    if not share:
        return f"{mean:7.2f}  {'':15}  {over[0]:6.2f} to {over[1]:.2f}"
    low, high = wilson(sum(values), len(values))
    return f"{mean:7.1%}  {low:6.1%} to {high:6.1%}  {over[0]:6.1%} to {over[1]:6.1%}"


def wilson(hits: float, count: int) -> tuple[float, float]:
    """Wilson's interval of a share.

    >>> [round(end, 3) for end in wilson(9, 10)]
    [0.596, 0.982]
    """
    share, more = hits / count, Z * Z / count
    middle = share + more / 2
    half = Z * math.sqrt(share * (1 - share) / count + more / (4 * count))
    return max(0.0, (middle - half) / (1 + more)), min(1.0, (middle + half) / (1 + more))


def bootstrap(group: list[Verdict], measure: Measure) -> tuple[float, float]:
    """The interval of a mean over runs when operators, with all their runs, are drawn anew."""
    sums: dict[str, tuple[float, int]] = {}
    for verdict in group:
        total, count = sums.get(verdict.operator, (0.0, 0))
        sums[verdict.operator] = total + float(measure(verdict)), count + 1
    generator, each = random.Random(SEED), list(sums.values())
    means = []
    for _ in range(RESAMPLES):
        drawn = generator.choices(each, k=len(each))
        means.append(sum(total for total, _ in drawn) / sum(count for _, count in drawn))
    means.sort()
    return means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES) - 1]


def _by_operator(verdicts: dict[str, tuple[list[Verdict], list[Verdict]]]) -> list[str]:
    lines = [f"{'operator':20} {'runs':>4}" + "".join(f"  {name + ': symptom, cause':>29}" for name in verdicts)]
    lines[0] += "  most often said"
    faulty = {name: both[0] for name, both in verdicts.items()}
    for operator in dict.fromkeys(verdict.operator for verdict in faulty["mindl"]):
        own = {name: [v for v in all_of_it if v.operator == operator] for name, all_of_it in faulty.items()}
        count = len(own["mindl"])
        cells = "".join(
            f"  {f'{sum(v.symptom_found for v in its)}, {sum(v.cause_found for v in its)} of {count}':>29}"
            for its in own.values()
        )
        lines.append(f"{operator:20} {count:4}{cells}  {_said(own['mindl'])}")
    healthy = verdicts["mindl"][1]
    for operator in dict.fromkeys(verdict.operator for verdict in healthy):
        its = [v for v in healthy if v.operator == operator]
        if any(v.symptoms for v in its):
            lines.append(f"{'healthy, ' + operator:20} {len(its):4}  false alarms: {_said(its)}")
    return lines


def _said(verdicts: list[Verdict], most: int = 3) -> str:
    counts: dict[str, int] = {}
    for verdict in verdicts:
        for name in verdict.symptoms:
            counts[name] = counts.get(name, 0) + 1
    ordered = sorted(counts, key=lambda name: -counts[name])
    return ", ".join(f"{name} ({counts[name]})" for name in ordered[:most]) or "nothing"


def _by_run(faulty: list[Verdict], healthy: list[Verdict]) -> list[str]:
    lines = []
    for verdict in faulty:
        marks = ("S" if verdict.symptom_found else "-") + ("C" if verdict.cause_found else "-")
        said = f"{', '.join(verdict.symptoms) or 'nothing'} | {', '.join(verdict.causes) or 'nothing'}"
        lines.append(f"{marks}  {verdict.run.meta['name']:40} {said}")
    for verdict in healthy:
        marks = "! " if verdict.symptoms else "ok"
        lines.append(f"{marks}  {verdict.run.meta['name']:40} {', '.join(verdict.symptoms) or 'nothing'}")
    return lines
