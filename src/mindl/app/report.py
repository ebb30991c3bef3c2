"""What a person sees: one row per result, as a table or as JSON, and progress while they wait."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from mindl.core.arrays import PerImageFlag
    from mindl.models.certificate import Certificate
    from mindl.solvers.solution import Solution
    from mindl.solvers.stop import Stop


@dataclass(frozen=True)
class Row:
    """One result. Distances are in grey levels of 255; None: not known."""

    what: str
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

    @staticmethod
    def of(solution: Solution, what: str, detail: str = "", psnr: float | None = None) -> Row:
        """The row of a solution of one image."""
        certificate = solution.certificate

        def known(value: float) -> float | None:
            return value if value < float("inf") else None

        return Row(
            what=what,
            method=f"{solution.model.title}, {type(solution.solver).__name__}",
            detail=detail,
            outcome=solution.outcome.value,
            certified=solution.outcome.certified,
            psnr=psnr,
            bound=float(certificate.relative.max()),
            rms=known(float(certificate.rms.max())),
            maximum=known(float(certificate.maximum.max())),
            steps=int(solution.steps.max()),
            seconds=solution.seconds,
        )


def print_rows(rows: list[Row], *, as_json: bool, quiet: bool = False) -> None:
    """All rows, on standard output."""
    if as_json:
        sys.stdout.write(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    elif rows and not quiet:
        Console().print(_table(rows))


def _table(rows: list[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    named = any(row.what for row in rows)
    judged = any(row.psnr is not None for row in rows)
    if named:
        table.add_column("image", overflow="fold")
    table.add_column("method", overflow="fold")
    if judged:
        table.add_column("PSNR", justify="right", no_wrap=True)
    table.add_column("proved error*", justify="right", no_wrap=True)
    table.add_column("steps", justify="right", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    if not all(row.certified for row in rows):
        table.add_column("outcome", overflow="fold")
    for row in rows:
        cells = [row.what] if named else []
        cells.append(row.method)
        if judged:
            cells.append("" if row.psnr is None else f"{row.psnr:.2f} dB")
        cells.append(_distance(row))
        cells += [str(row.steps), f"{row.seconds:.2f}"] if row.outcome else ["", ""]
        if not all(row.certified for row in rows):
            cells.append(row.outcome)
        table.add_row(*cells)
    certified = " All certified to the tolerance." if all(row.certified for row in rows) else ""
    table.caption = f"* grey levels of 255 from the model's true solution: rms / maximum.{certified}"
    table.caption_justify = "left"
    return table


def _distance(row: Row) -> str:
    if not row.outcome:
        return ""
    if row.rms is None or row.maximum is None:
        return "nothing proved"
    return f"{row.rms:.2g} / {row.maximum:.2g}" if row.maximum < 100 else f"{row.rms:.2g} / {row.maximum:.0f}"


def say(text: str, *, quiet: bool) -> None:
    """One line for the person, on standard error (standard output is for results)."""
    if not quiet:
        Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(text)


def complain(text: str) -> None:
    """An error, on standard error, also when quiet."""
    sys.stderr.write(f"mindl: {text}\n")


class Progress:
    """A line on the terminal that follows a solver; nothing where there is no terminal."""

    def __init__(self, title: str, *, quiet: bool) -> None:
        self._title = title
        self._line = None if quiet or not sys.stderr.isatty() else Console(stderr=True).status(title)

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
            self._line.update(
                f"{self._title}: step {steps}, {certificate.kind} {far:.1e} (to reach: {stop.tolerance:.0e})"
            )
