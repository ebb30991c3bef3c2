"""Students' own tests, judged by the wrong implementations that they catch.

The tests are run against a right implementation and against several wrong ones (*mutants*), each in the student's
module's place. Tests that fail on the right one prove nothing; else each mutant on which at least one test fails
earns its points. Every implementation is written alike, and the right one is not the first, so that a test has to
look at what the functions do.
"""

from __future__ import annotations

import ast
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mindl_lab import calls
from mindl_lab.checks import Check, Missed, Tier, Verdict
from mindl_lab.sandbox import Guarded, Limits, Sandbox
from mindl_lab.work import Source

ALLOWED = ("numpy", "pytest", "math", "__future__")
"""What a test file may import beside the module that it tests."""

SUSPECT = {"open", "exec", "eval", "compile", "__import__", "globals", "vars", "breakpoint", "input"}


@dataclass(frozen=True)
class Mutant:
    """A wrong implementation: functions that replace those of the right one."""

    check: str
    points: float
    title: str
    code: str
    tier: Tier = Tier.PUBLIC

    def as_check(self) -> Check:
        """The check that it stands for."""
        return Check(self.check, self.points, self.tier, f"Your tests catch: {self.title}", _none)


@dataclass(frozen=True)
class OwnTests:
    """What a unit asks of students' own tests: the file, and the functions under test.

    ``past`` is the module with the right implementations; a mutant's code may call them as ``past.name``.
    """

    file: str
    module: str
    past: str
    functions: tuple[str, ...]
    mutants: tuple[Mutant, ...]

    @property
    def task(self) -> int:
        """The task that they are."""
        return self.mutants[0].as_check().task

    def checks(self, *, hidden: bool) -> list[Check]:
        """One check for each mutant."""
        return [m.as_check() for m in self.mutants if hidden or m.tier is not Tier.HIDDEN]

    def variant(self, mutant: Mutant | None) -> str:
        """The module's text with the mutant's functions, or with the right ones only."""
        lines = ["import numpy as np", f"import {self.past} as past"]
        lines += [f"{name} = past.{name}" for name in self.functions]
        text = "\n".join(lines) + "\n" + (mutant.code if mutant else "")
        return ast.unparse(ast.parse(text)) + "\n"


def _none(*_: object) -> None:
    raise AssertionError("a mutant is judged by the tests of the student")


def refused(tests: OwnTests, source: Source) -> str | None:
    """Why a test file is not run: tests look at what the functions do, and at nothing else."""
    for name in source.imports():
        if name.split(".")[0] not in {*ALLOWED, tests.module}:
            return f"tests import {tests.module}, numpy and pytest; yours imports {name}"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name) and node.id in SUSPECT:
            return f"tests have no use for `{node.id}` (line {node.lineno})"
        if isinstance(node, ast.Attribute) and node.attr.startswith("__"):
            return f"tests have no use for `{node.attr}` (line {node.lineno})"
    if not any(
        isinstance(node, ast.FunctionDef) and node.name.startswith("test") for node in ast.walk(source.tree)
    ):
        return f"{source.name} has no function whose name begins with `test_`"
    return None


def verdicts(
    tests: OwnTests, source: Source | str, box: Sandbox, *, hidden: bool, limits: Limits, seconds: float = 20.0
) -> list[Verdict]:
    """What the mutants say about a student's tests; a text in place of the source says why there is none."""
    asked = [m for m in tests.mutants if hidden or m.tier is not Tier.HIDDEN]
    why = source if isinstance(source, str) else refused(tests, source)
    if why is not None or isinstance(source, str):
        return [m.as_check().failed(str(why)) for m in asked]
    variants: list[Mutant | None] = [None, *asked]
    if isinstance(box, Guarded):  # a process for each: what one run leaves behind tells the next nothing
        random.shuffle(variants)
        met = {v: _run(tests, source, box, [v], limits, seconds)[0] for v in variants}
    else:
        met = dict(zip(variants, _run(tests, source, box, variants, limits, seconds), strict=True))
    right = met[None]
    found = []
    for mutant in asked:
        check = mutant.as_check()
        if right.problem:
            found.append(check.failed(right.problem))
        elif met[mutant].caught:
            found.append(check.passed())
        else:
            found.append(
                check.failed(Missed("none of your tests fails on it", "a failing test", "all tests pass"))
            )
    return found


@dataclass(frozen=True)
class _Met:
    """How the tests met one implementation."""

    problem: str = ""
    caught: bool = False


def _run(
    tests: OwnTests,
    source: Source,
    box: Sandbox,
    variants: Sequence[Mutant | None],
    limits: Limits,
    seconds: float,
) -> list[_Met]:
    request = {
        "kind": "tests",
        "module": tests.module,
        "tests": tests.file,
        "variants": [tests.variant(variant) for variant in variants],
        "seconds": seconds,
    }
    with box.folder() as folder:
        (folder / tests.file).write_bytes(source.text.encode("utf-8"))
        (folder / calls.REQUEST).write_text(json.dumps(request), encoding="utf-8")
        ended = box.run(folder, limits)
        left = "" if ended.itself and calls.finished(folder) else ended.words
        return [_met(folder, index, left) for index in range(len(variants))]


def _met(folder: Path, index: int, left: str) -> _Met:
    said = calls.record(folder / f"tests-{index}.json")
    if left or said is None:
        return _Met(f"your tests did not come to their end: {left or 'they were left before'}")
    counts = {name: said.get(name) for name in ("passed", "failed", "errors")}
    if not all(isinstance(count, int) for count in counts.values()):
        return _Met("the record of your tests is damaged")
    first = str(said.get("first", ""))[:300]
    if counts["errors"]:
        return _Met(f"your tests do not run: {first}", caught=False)
    if counts["failed"]:
        return _Met(f"your tests fail on a right implementation: {first}", caught=True)
    if not counts["passed"]:
        return _Met("your file has no test that runs")
    return _Met()
