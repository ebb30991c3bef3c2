"""One page for each student: what holds, what does not, and by how much; a single file that needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from mindl_lab.checks import Tier, Verdict
from mindl_lab.collecting import Student
from mindl_lab.gradebook import Grade
from mindl_lab.units import Unit

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #b3261e; --soft: #6b7280; }
@media (prefers-color-scheme: dark) { :root { --good: #56d364; --bad: #ff8b82; --soft: #9ca3af; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .3rem; }
.points { float: right; font-variant-numeric: tabular-nums; }
.total { font-size: 1.2rem; margin: .3rem 0 1rem; } .soft { color: var(--soft); }
.check { border-top: 1px solid var(--line); padding: .45rem 0 .45rem 1.6rem; position: relative; }
.check::before { position: absolute; left: 0; font-weight: bold; }
.good::before { content: "\\2713"; color: var(--good); } .bad::before { content: "\\2717"; color: var(--bad); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; margin: .2rem 0; }
dt { color: var(--soft); } dd { margin: 0; font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
.why { margin: .1rem 0; overflow-wrap: anywhere; }
.problem { border-left: 4px solid var(--bad); padding: .2rem .8rem; }
"""


def page(unit: Unit, student: Student, grade: Grade, *, share: float) -> str:
    """The page as HTML. ``share`` of the points passes."""
    passed = grade.points >= share * unit.points
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Assignment {unit.number}: {escape(student.name)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>Assignment {unit.number}: {escape(unit.title)}</h1>",
        f'<p class="soft">{escape(student.name)} ({escape(student.student)})'
        + (f", submission {escape(grade.folder)}" if grade.folder else "")
        + "</p>",
        f'<p class="total"><strong>{grade.points:g}</strong> of {unit.points:g} points: '
        f"{'passed' if passed else f'not passed yet ({share * unit.points:g} points pass)'}</p>",
    ]
    parts += [f'<p class="problem">{escape(problem)}</p>' for problem in grade.report.problems]
    for task, title in unit.tasks.items():
        found = [v for v in grade.report.verdicts if v.task == task]
        if found:
            points = f"{sum(v.points for v in found):g} / {sum(v.of for v in found):g}"
            parts.append(f'<h2>{task}. {escape(title)}<span class="points">{points}</span></h2>')
            parts += [_verdict(v) for v in found]
    if grade.manual:
        parts.append("<h2>By hand</h2>")
        parts += [
            f'<div class="check {"good" if m.points >= 0 else "bad"}"><span class="points">{m.points:+g}</span>'
            f"{escape(m.why)}</div>"
            for m in grade.manual
        ]
    return "\n".join([*parts, "</body></html>"]) + "\n"


def _verdict(v: Verdict) -> str:
    kind = "good" if v.passed else "bad"
    seen = ' <span class="soft">(ran on submission)</span>' if v.tier is Tier.HIDDEN else ""
    lines = [f'<div class="check {kind}"><span class="points">{v.points:g} / {v.of:g}</span>']
    lines.append(f"{escape(v.check)} {escape(v.title)}{seen}")
    if not v.passed:
        lines.append(f'<p class="why">{escape(v.message)}</p>')
        rows = details(v)
        if rows:
            lines.append("<dl>" + "".join(f"<dt>{a}</dt><dd>{escape(b)}</dd>" for a, b in rows) + "</dl>")
    return "".join([*lines, "</div>"])


def details(v: Verdict) -> list[tuple[str, str]]:
    """What was expected, what came, and the gap between, as far as a check says it."""
    rows = [("expected", v.expected), ("got", v.actual)]
    if v.gap is not None:
        allowed = f" (allowed: {v.allowed:.3g})" if v.allowed is not None else ""
        rows.append(("gap", f"{v.gap:.3g}{allowed}"))
    return [(name, text) for name, text in rows if text]


def lines(verdicts: Sequence[Verdict]) -> list[str]:
    """The verdicts of a failed check list as plain lines for a terminal."""
    found = []
    for v in verdicts:
        found.append(f"  {'✓' if v.passed else '✗'} {v.check:<4} {v.title}  {v.points:g}/{v.of:g}")
        if not v.passed:
            found.append(f"         {v.message}")
            found += [f"         {name + ':':<10}{text}" for name, text in details(v)]
    return found
