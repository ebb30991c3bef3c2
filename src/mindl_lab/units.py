"""The units of the course as they ship: what a student receives, and what judges it.

A unit is a folder with ``unit.json``, ``checks.py`` and ``student/``; `mindl_lab.build` makes it from one source.
The folder named by the environment variable ``MINDL_LAB_UNITS`` comes first, so that a lecturer can change a unit
or add one without touching the package.
"""

from __future__ import annotations

import importlib.util
import json
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mindl_lab.checks import Check, Checks, Tier
from mindl_lab.owntests import Mutant, OwnTests

SHIPPED = Path(__file__).parent / "units"
OWN = "MINDL_LAB_UNITS"


class UnitError(ValueError):
    """A unit that is not there or does not fit together; the message says which there are."""


@dataclass(frozen=True)
class Unit:
    """One assignment."""

    name: str
    number: int
    title: str
    module: str
    hours: float
    seconds: float
    tasks: dict[int, str]
    folder: Path = field(repr=False)
    own_tests: OwnTests = field(repr=False)

    @property
    def student(self) -> Path:
        """The folder that a student starts from."""
        return self.folder / "student"

    @property
    def file(self) -> str:
        """The file that is graded."""
        return f"{self.module}.py"

    @property
    def files(self) -> tuple[str, str]:
        """The files that are graded: the module, and the student's own tests."""
        return self.file, self.own_tests.file

    @cached_property
    def checks(self) -> Checks:
        """The checks of the module. They are this package's or the lecturer's code, never a student's."""
        path = self.folder / "checks.py"
        spec = importlib.util.spec_from_file_location(f"mindl_lab_{self.name}_checks", path)
        if spec is None or spec.loader is None:
            raise UnitError(f"{path} cannot be loaded")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        checks: Checks = module.checks
        return checks

    def all_checks(self, *, hidden: bool = True) -> list[Check]:
        """Every check in the order of tasks; without the hidden ones, if wished."""
        shown = [check for check in self.checks if hidden or check.tier is not Tier.HIDDEN]
        return sorted([*shown, *self.own_tests.checks(hidden=hidden)], key=lambda check: check.task)

    @property
    def points(self) -> float:
        """What the whole unit is worth."""
        return sum(check.points for check in self.all_checks())


def folders() -> list[Path]:
    """Where units are looked for, the lecturer's own first."""
    own = os.environ.get(OWN)
    return [*([Path(own)] if own else []), SHIPPED]


def units() -> list[Unit]:
    """All units in the order of their numbers. Of two with the same number the lecturer's own counts."""
    found: dict[int, Unit] = {}
    for folder in folders():
        for path in sorted(folder.glob("*/unit.json")):
            read = unit_of(path.parent)
            found.setdefault(read.number, read)
    return [found[number] for number in sorted(found)]


def unit(number: int) -> Unit:
    """The unit of a week. Raises UnitError."""
    there = {u.number: u for u in units()}
    if number not in there:
        raise UnitError(f"there is no unit {number}; there are {', '.join(map(str, there)) or 'none'}")
    return there[number]


def unit_of(folder: Path) -> Unit:
    """The unit in a folder. Raises UnitError."""
    path = folder / "unit.json"
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return _unit(folder, said)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnitError(f"{path} is no unit ({type(error).__name__}: {error}); build it again") from None


def _unit(folder: Path, said: dict[str, Any]) -> Unit:
    tested = said["own_tests"]
    mutants = tuple(Mutant(**{**m, "tier": Tier(m["tier"])}) for m in tested["mutants"])
    return Unit(
        name=str(said["name"]),
        number=int(said["number"]),
        title=str(said["title"]),
        module=str(said["module"]),
        hours=float(said["hours"]),
        seconds=float(said["seconds"]),
        tasks={int(number): str(title) for number, title in said["tasks"].items()},
        folder=folder,
        own_tests=OwnTests(
            file=tested["file"],
            module=said["module"],
            past=tested["past"],
            functions=tuple(tested["functions"]),
            mutants=mutants,
        ),
    )
