"""What a person sees: one row per result, as a table or as JSON, and progress while they wait."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mindl.core.outcome import Outcome

if TYPE_CHECKING:
    from mindl.core.arrays import PerImageFlag
    from mindl.models.certificate import Certificate
    from mindl.solvers.solution import Solution
    from mindl.solvers.stop import Stop

WIDTH = 120
"""Characters of a line in a file."""


@dataclass(frozen=True)
class Row:
    """One result. Distances are in grey levels of 255; None: not known."""

    what: str
    output: str
    method: str
    detail: str
    outcome: str
    certified: bool
    psnr: float | None
    bound: float
    rms: float | None
    maximum: float | None
    steps: int
    seconds: float
    excess: float | None = None
    """(E(u) - E*) / (E(start) - E*)."""

    @property
    def alone(self) -> bool:
        """Whether it is a network's answer that no solver has gone on from."""
        return self.outcome == Outcome.UNFINISHED.value

    @staticmethod
    def given(what: str, psnr: float | None, excess: float | None = None) -> Row:
        """The row of an image that is there for comparison, not an answer to a model."""
        return Row("", "", what, "", "", True, psnr, 0.0, None, None, 0, 0.0, excess)

    @staticmethod
    def of(
        solution: Solution,
        what: str,
        detail: str = "",
        psnr: float | None = None,
        output: str = "",
        excess: float | None = None,
    ) -> Row:
        """The row of a solution of one image."""
        certificate = solution.certificate

        def known(value: float) -> float | None:
            return value if value < float("inf") else None

        return Row(
            what=what,
            output=output,
            method=f"{solution.model.title}, {solution.solver.title}",
            detail=detail,
            outcome=solution.outcome.value,
            certified=solution.outcome.certified,
            psnr=None if psnr is None else known(psnr),
            bound=float(certificate.relative.max()),
            rms=known(float(certificate.rms.max())),
            maximum=known(float(certificate.maximum.max())),
            steps=int(solution.steps.max()),
            seconds=solution.seconds,
            excess=excess,
        )


@dataclass(frozen=True)
class Failure:
    """An input that could not be worked on, and why."""

    what: str
    why: str


def print_rows(rows: list[Row], failed: Sequence[Failure] = (), *, as_json: bool, quiet: bool = False) -> None:
    """All rows, on standard output, and what failed: in the JSON, else on standard error."""
    text = ""
    if as_json:
        results = [{**asdict(row), "input": row.what} for row in rows if row.outcome or row.excess is not None]
        errors = [{"input": each.what, "error": each.why} for each in failed]
        text = json.dumps([*results, *errors], indent=2, allow_nan=False) + "\n"
    elif rows and not quiet:
        console = Console()
        with console.capture() as captured:
            console.print(_table(rows))
            for note in _notes(rows):
                console.print(note, highlight=False)
        text = captured.get()
    with contextlib.suppress(BrokenPipeError):  # whoever read it has seen enough
        sys.stdout.write(text)
        sys.stdout.flush()
    for each in failed:
        complain(each.why if each.what in each.why else f"{each.what}: {each.why}")


def _table(rows: list[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    named = len({row.what for row in rows}) > 1 or any(row.what and row.output for row in rows)
    judged = any(row.psnr is not None for row in rows)
    if named:
        table.add_column("image", overflow="fold")
    table.add_column("method", overflow="fold")
    if judged:
        table.add_column("PSNR", justify="right", no_wrap=True)
    exceeding = any(row.excess is not None for row in rows)
    if exceeding:
        table.add_column("excess**", justify="right", no_wrap=True)
    table.add_column("proved error*", justify="right", no_wrap=True)
    table.add_column("steps", justify="right", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    telling = any(not row.certified and not row.alone for row in rows)
    if telling:
        table.add_column("outcome", overflow="fold")
    for row in rows:
        cells: list[str | Text] = [Text(Path(row.what).name)] if named else []
        cells.append(row.method)
        if judged:
            cells.append("" if row.psnr is None else f"{row.psnr:.2f} dB")
        if exceeding:
            cells.append("" if row.excess is None else f"{100 * row.excess:.2f} %".replace("-0.00", "0.00"))
        cells.append(_distance(row))
        cells += [str(row.steps), f"{row.seconds:.2f}"] if row.outcome else ["", ""]
        if telling:
            cells.append("" if row.certified else row.outcome)
        table.add_row(*cells)
    return table


def _notes(rows: list[Row]) -> list[str]:
    """What the signs in the table mean."""
    promised = [row for row in rows if row.outcome and not row.alone]
    certified = " All others certified." if any(row.alone for row in rows) else " All certified."
    if not promised or not all(row.certified for row in promised):
        certified = ""
    notes = ["* grey levels of 255 from the true solution: rms / maximum."]
    if any(row.outcome and row.certified and row.rms is None for row in rows):
        notes.append("bound only: energy or residual are proved to the tolerance, and no distance follows.")
    if any(row.alone for row in rows):
        notes.append("† a network's answer as it is: not certified to the tolerance.")
    notes[-1] += certified
    if any(row.excess is not None for row in rows):
        notes.append("** (E(u) - E*) / (E(start) - E*): 0 % = the model is solved, 100 % = the data.")
    return notes


def _distance(row: Row) -> str:
    if not row.outcome:
        return ""
    if row.rms is None or row.maximum is None:
        return "bound only" if row.certified else "nothing proved"
    return f"{_short(row.rms)} / {_short(row.maximum)}{' †' if row.alone else ''}"


def _short(value: float) -> str:
    """Two digits, without an exponent where it is a usual number."""
    return f"{value:.0f}" if 99.5 <= value < 1e5 else f"{value:.2g}"


def wide_console() -> Console:
    """As wide as the terminal; in a file wide enough for a table."""
    wide = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console() if wide else Console(width=WIDTH)


def say(text: str, *, quiet: bool) -> None:
    """One line for the person, on standard error (standard output is for results)."""
    if not quiet:
        _tell(text)


def complain(text: str) -> None:
    """An error, on standard error, also when quiet."""
    _tell(f"mindl: {text}")


def _tell(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # a closed or full stream stops no work
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


class Progress:
    """A line on the terminal that follows a solver; nothing where there is no terminal."""

    def __init__(self, title: str, *, quiet: bool) -> None:
        self._title = title
        self._line = None if quiet or not sys.stderr.isatty() else Console(stderr=True).status(Text(title))

    def __enter__(self) -> Progress:
        if self._line is not None:
            self._line.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._line is not None:
            self._line.stop()

    def checked(self, steps: int, certificate: Certificate, done: PerImageFlag, stop: Stop) -> None:
        """Show how far the solver is."""
        if self._line is not None:
            far = float(certificate.relative.max())
            text = f"{self._title}: step {steps}, {certificate.kind} {far:.1e} (to reach: {stop.tolerance:.0e})"
            self._line.update(Text(text))
