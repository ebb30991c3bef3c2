"""The verb ``bench science``: every table of ``docs/science.md``, measured again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console

from mindl.app.science.denoisers import denoisers
from mindl.app.science.finishing import finishing
from mindl.app.science.problems import Unseen
from mindl.app.science.solving import solving
from mindl.app.science.steps import steps
from mindl.app.science.tables import Table
from mindl.core.errors import look_up

TABLES = ("solving", "steps", "denoisers", "finish")
"""What may be asked for; ``solving`` and ``finish`` make two tables each."""


def science(
    names: list[str],
    images: Path | None,
    weights: Path | None,
    *,
    training: int,
    timed: int,
    output: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Measure the tables that are named, or all, and print them as Markdown or JSON."""
    wanted = [look_up({name: name for name in TABLES}, name, "table") for name in names] or list(TABLES)
    unseen, console = Unseen.of(images), Console(stderr=True, quiet=quiet)
    made: list[Table] = []
    for name in wanted:
        console.print(f"{name} ...", highlight=False)
        if name == "solving":
            made += solving(unseen, timed, weights)
        elif name == "steps":
            made.append(steps(unseen, training, console))
        elif name == "denoisers":
            made.append(denoisers(unseen, weights))
        else:
            made += finishing(unseen)
    text = "\n".join(table.markdown for table in made)
    sys.stdout.write(json.dumps({t.name: t.raw or t.rows for t in made}, indent=2) + "\n" if as_json else text)
    if output is not None:
        output.write_text(text, encoding="utf-8")
