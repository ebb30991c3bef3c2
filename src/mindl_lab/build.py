"""One source makes everything of a unit: ``python -m mindl_lab.build lab/*.py --units DIR --docs DIR --kit DIR``.

A source is a Python script in the percent format (see jupytext), whose cells say by their tags what they are:

========================  ==============================================================================
raw, ``unit``             number, title, module, hours of work, seconds of computing, tasks; in TOML
text                      the assignment: guide notebook, README, assignment page
code                      an experiment of the guide notebook
code, ``module``          the module; between ``### BEGIN SOLUTION`` and ``### END SOLUTION`` the reference
code, ``tests``           the student's test file, with the same markers
text, ``discussion``      what is to be said about the solution
code, ``checks``          the checks (see `mindl_lab.checks`)
code, ``wrong``           functions in place of the reference's: ``name``, and the checks that it ``fails``
code, ``mutant``          the same for own tests: ``check``, ``points``, ``title``, ``tier``; calls ``past.name``
========================  ==============================================================================

Student folders and checks go into the package, pages into the documentation, references and wrong solutions into
the tutor kit, which is in no wheel. The same source always gives the same bytes.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import textwrap
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mindl_lab.checks import Check, Tier
from mindl_lab.units import Unit, unit_of

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"


class BuildError(ValueError):
    """A source that does not fit together; the message says where."""


@dataclass(frozen=True)
class Cell:
    """A cell of the source: ``kind`` is "text" or its tag, or "code" for an experiment."""

    kind: str
    text: str
    said: dict[str, Any]


@dataclass(frozen=True)
class Wrong:
    """A wrong solution, and the checks that it must fail, and no others."""

    name: str
    fails: tuple[str, ...]
    code: str


class Assignment:
    """A parsed source."""

    def __init__(self, text: str, name: str) -> None:
        """Raises BuildError."""
        import jupytext  # noqa: PLC0415  (only the build needs it)

        self.name = name
        self.cells = [_cell(cell) for cell in jupytext.reads(text, fmt="py:percent").cells]
        self.head = self._head()

    def _head(self) -> dict[str, Any]:
        heads = self.of("unit")
        if len(heads) != 1:
            raise BuildError(f"{self.name} has {len(heads)} cells tagged unit; it needs one")
        head = tomllib.loads(heads[0].text)
        wanted = {"number", "title", "module", "hours", "seconds", "tasks", "past", "tested"}
        if set(head) != wanted:
            raise BuildError(f"{self.name}: the unit's cell has {sorted(head)}, but needs {sorted(wanted)}")
        return head

    def of(self, kind: str) -> list[Cell]:
        """The cells of one kind."""
        return [cell for cell in self.cells if cell.kind == kind]

    def _code(self, kind: str) -> str:
        return "\n\n\n".join(cell.text.strip("\n") for cell in self.of(kind)) + "\n"

    @property
    def reference(self) -> str:
        """The module with its solutions."""
        return _without_markers(self._code("module"))

    @property
    def reference_tests(self) -> str:
        """The tests with their solutions."""
        return _without_markers(self._code("tests"))

    @property
    def template(self) -> str:
        """The module that a student starts from."""
        return _without_solutions(self._code("module"))

    @property
    def template_tests(self) -> str:
        """The test file that a student starts from."""
        return _without_solutions(self._code("tests"))

    @property
    def checks(self) -> str:
        """The checks as a module."""
        return self._code("checks")

    @property
    def wrong(self) -> list[Wrong]:
        """The wrong solutions."""
        return [Wrong(c.said["name"], tuple(c.said["fails"]), c.text) for c in self.of("wrong")]

    def wrong_module(self, wrong: Wrong) -> str:
        """The reference with functions of a wrong solution in place of its own, docstrings kept."""
        right = {node.name: node for node in ast.parse(self.reference).body if isinstance(node, ast.FunctionDef)}
        tree = ast.parse(wrong.code)
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                if node.name not in right:
                    raise BuildError(f"{self.name}: {wrong.name} replaces {node.name}, which is not there")
                if ast.get_docstring(node) is None:
                    node.body.insert(0, right[node.name].body[0])
        return self.reference + "\n\n" + ast.unparse(ast.fix_missing_locations(tree)) + "\n"

    def unit_json(self) -> dict[str, Any]:
        """What `mindl_lab.units` reads."""
        head = self.head
        mutants = [
            {
                "check": c.said["check"],
                "points": c.said["points"],
                "title": c.said["title"],
                "tier": c.said.get("tier", "public"),
                "code": ast.unparse(ast.parse(c.text)) + "\n",
            }
            for c in self.of("mutant")
        ]
        return {
            "name": self.name,
            **{key: head[key] for key in ("number", "title", "module", "hours", "seconds", "tasks")},
            "own_tests": {
                "file": f"test_{head['module']}.py",
                "past": head["past"],
                "functions": head["tested"],
                "mutants": mutants,
            },
        }

    def notebook(self) -> str:
        """The guide, without results; cells are named by their place, so that builds agree."""
        head = self.head
        start = f"# Assignment {head['number']}: {head['title']}"
        cells: list[dict[str, Any]] = [_markdown(start)]
        for cell in self.cells:
            if cell.kind == "text":
                cells.append(_markdown(cell.text))
            elif cell.kind == "code":
                empty: dict[str, Any] = {"cell_type": "code", "execution_count": None, "outputs": []}
                cells.append({**empty, "metadata": {}, "source": cell.text.splitlines(keepends=True)})
        for index, entry in enumerate(cells):
            entry["id"] = f"cell-{index:02d}"
        kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
        book = {
            "cells": [dict(sorted(entry.items())) for entry in cells],
            "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        return json.dumps(book, indent=1, ensure_ascii=False) + "\n"


def _markdown(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": text.splitlines(keepends=True)}


def _cell(cell: Any) -> Cell:
    said = dict(cell.metadata)
    tags = said.pop("tags", [])
    plain = {"markdown": "text", "code": "code", "raw": "raw"}[cell.cell_type]
    return Cell(tags[0] if tags else plain, cell.source, said)


def _without_markers(code: str) -> str:
    return "\n".join(line for line in code.split("\n") if line.strip() not in (BEGIN, END))


def _without_solutions(code: str) -> str:
    """Each solution replaced by an error that names the function; at the top level by nothing."""
    lines: list[str] = []
    function, hidden = "", False
    for line in code.split("\n"):
        defined = re.match(r"def (\w+)", line)
        function = defined[1] if defined and not hidden else function
        if line.strip() == BEGIN:
            hidden = True
            indent = line[: len(line) - len(line.lstrip())]
            if indent:
                lines.append(f'{indent}raise NotImplementedError("{function} is yours to write")')
        elif line.strip() == END:
            hidden = False
        elif not hidden:
            lines.append(line)
    if hidden:
        raise BuildError(f"a solution of {function} begins and does not end")
    return "\n".join(lines).rstrip("\n") + "\n"


# Pages


def rubric(unit: Unit) -> str:
    """The table of checks and points."""
    rows = ["| task | check | seen | points |", "|---|---|---|---|"]
    seen = {Tier.PUBLIC: "by you", Tier.HIDDEN: "on submission", Tier.QUALITY: "by you; reads the source"}
    rows += [f"| {c.name} | {c.title} | {seen[c.tier]} | {_points(c.points)} |" for c in unit.all_checks()]
    return "\n".join([*rows, f"| | | | **{_points(unit.points)}** |"])


def _points(points: float) -> str:
    return f"{points:g}"


def _of_task(checks: Sequence[Check], task: int) -> float:
    return sum(check.points for check in checks if check.task == task)


def readme(unit: Unit) -> str:
    """What lies in the student's folder beside the files to fill in."""
    checks = unit.all_checks()
    tasks = [f"{n}. {title} ({_points(_of_task(checks, n))} points)" for n, title in unit.tasks.items()]
    return f"""# Assignment {unit.number}: {unit.title}

Write the functions of `{unit.file}` and tests of your own in `{unit.own_tests.file}`. The notebook
`{unit.name}.ipynb` is the guide: it says what each function computes, and shows it on a photograph. Only the two
Python files are graded. About {unit.hours:g} hours of work; a check takes up to {unit.seconds:g} seconds.

{chr(10).join(tasks)}

    mindl lab check {unit.number}       says what holds and what does not, as often as you like
    mindl lab submit {unit.number}      packs what you hand in

## Points

{rubric(unit)}

Checks that are seen on submission test the same properties with inputs that you do not know. Checks that read the
source count as soon as another check of their task passes.
"""


def assignment_page(source: Assignment, unit: Unit) -> str:
    """The assignment as a page of the documentation."""
    parts = [f"# Assignment {unit.number}: {unit.title}", _intro(unit)]
    parts += [cell.text for cell in source.cells if cell.kind == "text"]
    return "\n\n".join([*parts, "## Points", rubric(unit)]) + "\n"


def _intro(unit: Unit) -> str:
    text = (
        f"*About {unit.hours:g} hours; {_points(unit.points)} points. `mindl lab start {unit.number}` lays the "
        f"folder, `mindl lab check {unit.number}` says what holds. The week's notes: "
        f"[unit {unit.number}](unit-{unit.number:02d}.md). The [discussed solution]"
        f"(unit-{unit.number:02d}-solution.md) is for afterwards.*"
    )
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def solution_page(source: Assignment, unit: Unit) -> str:
    """The reference with what is to be said about it, task by task."""
    parts = [
        f"# Discussed solution {unit.number}: {unit.title}",
        f"The solutions of [assignment {unit.number}](unit-{unit.number:02d}-assignment.md), and the thoughts\n"
        "behind them. Read it when you have handed in your own.",
    ]
    for cell in source.cells:
        if cell.kind == "text":
            parts += re.findall(r"^## .*$", cell.text, re.MULTILINE)
        elif cell.kind == "discussion":
            parts.append(cell.text)
        elif cell.kind in ("module", "tests"):
            parts.append(f"```python\n{_without_markers(cell.text).strip()}\n```")
    return "\n\n".join(parts) + "\n"


# Everything together


def build(path: Path, units: Path, docs: Path | None = None, kit: Path | None = None) -> Unit:
    """Write what ``path`` makes. Raises BuildError where it does not fit together."""
    source = Assignment(path.read_text(encoding="utf-8"), path.stem)
    folder = units / source.name
    written = source.unit_json()
    _write(folder / "unit.json", json.dumps(written, indent=1, ensure_ascii=False) + "\n")
    _write(folder / "checks.py", source.checks)
    unit = unit_of(folder)
    _consistent(source, unit)
    _write(unit.student / unit.file, source.template)
    _write(unit.student / unit.own_tests.file, source.template_tests)
    _write(unit.student / f"{unit.name}.ipynb", source.notebook())
    _write(unit.student / "README.md", readme(unit))
    if docs is not None:
        _write(docs / f"unit-{unit.number:02d}-assignment.md", assignment_page(source, unit))
        _write(docs / f"unit-{unit.number:02d}-solution.md", solution_page(source, unit))
    if kit is not None:
        place = kit / source.name
        _write(place / "reference" / unit.file, source.reference)
        _write(place / "reference" / unit.own_tests.file, source.reference_tests)
        _write(place / "solution.md", solution_page(source, unit))
        _write(place / "wrong.json", json.dumps({w.name: w.fails for w in source.wrong}, indent=1) + "\n")
        for wrong in source.wrong:
            _write(place / "wrong" / f"{wrong.name}.py", source.wrong_module(wrong))
    return unit


def _consistent(source: Assignment, unit: Unit) -> None:
    names = [check.name for check in unit.all_checks()]
    if len(set(names)) < len(names):
        raise BuildError(f"{source.name}: two checks share a name")
    if {check.task for check in unit.all_checks()} != set(unit.tasks):
        raise BuildError(f"{source.name}: the tasks with checks are not those of the unit's cell")
    for wrong in source.wrong:
        if missing := set(wrong.fails) - set(names):
            raise BuildError(f"{source.name}: {wrong.name} fails {sorted(missing)}, which are no checks")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8"))


def main() -> None:
    """The command line of the build."""
    parser = argparse.ArgumentParser(prog="python -m mindl_lab.build", description="Build units from sources.")
    parser.add_argument("sources", nargs="+", type=Path, metavar="SOURCE")
    parser.add_argument("--units", type=Path, required=True, metavar="DIR", help="student folders and checks")
    parser.add_argument("--docs", type=Path, metavar="DIR", help="assignment and solution pages")
    parser.add_argument("--kit", type=Path, metavar="DIR", help="the tutor kit: references and wrong solutions")
    given = parser.parse_args()
    for path in given.sources:
        unit = build(path, given.units, given.docs, given.kit)
        print(f"{path.name}: unit {unit.number}, {len(unit.all_checks())} checks, {unit.points:g} points")


if __name__ == "__main__":
    main()
