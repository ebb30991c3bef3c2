"""From a folder of one student's files to verdicts: the module's checks, then the student's own tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mindl_lab import judging, owntests, work
from mindl_lab.checks import Tier, Verdict
from mindl_lab.sandbox import Limits, Sandbox
from mindl_lab.units import Unit

LIMITS = Limits(seconds=60.0)
"""For one process, which is one task: several times what the reference takes on a slow machine."""


@dataclass(frozen=True)
class Report:
    """What the checks say about one student's files, in the order of tasks."""

    verdicts: list[Verdict]
    problems: list[str]
    """Files that could not be read, and why."""

    @property
    def points(self) -> float:
        """What was earned."""
        return sum(verdict.points for verdict in self.verdicts)

    @property
    def of(self) -> float:
        """What could be earned by the checks that ran."""
        return sum(verdict.of for verdict in self.verdicts)


def graded(unit: Unit, folder: Path, box: Sandbox, *, seed: str | None, limits: Limits = LIMITS) -> Report:
    """Judge the files in ``folder``; without ``seed`` the hidden checks are left out.

    Whatever is wrong with the files becomes a verdict. Raises GuardError where the sandbox fails.
    """
    problems: list[str] = []
    hidden = seed is not None

    def read(name: str) -> work.Source | str:
        try:
            return work.read(folder / name)
        except work.UnreadableError as error:
            problems.append(f"{error}{_instead(folder, name)}")
            return problems[-1]

    module = read(unit.file)
    if isinstance(module, str):
        asked = [check for check in unit.checks if hidden or check.tier is not Tier.HIDDEN]
        found = [check.failed(module) for check in asked]
    else:
        found = judging.verdicts(unit.checks, module, box, seed=seed, limits=limits)
    tests = unit.own_tests
    found += owntests.verdicts(tests, read(tests.file), box, hidden=hidden, limits=limits)
    return Report(sorted(found, key=lambda verdict: verdict.task), problems)


def _instead(folder: Path, name: str) -> str:
    """What lies there in place of a missing file, for the message."""
    if (folder / name).exists():
        return ""
    there = sorted(path.name for path in folder.glob("*") if path.suffix in (".py", ".ipynb", ".txt", ".zip"))
    others = ", ".join(there[:5])
    if any(path.endswith(".ipynb") for path in there) and not any(path.endswith(".py") for path in there):
        return f" (there is {others}: a notebook is the guide and is not graded)"
    return f" (there is {others})" if there else ""
