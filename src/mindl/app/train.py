"""The verb ``train``: a recipe, a folder, and a progress bar."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live as Screen
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Table
from rich.text import Text

from mindl.app.live import Live
from mindl.app.report import say
from mindl.core import processes
from mindl.core.errors import InputError, look_up
from mindl.core.records import plain
from mindl.learning import read_record
from mindl.recipes import RECIPES, Recipe, learning_rates
from mindl.recipes import train as run_recipe

INTERRUPTED = 130

VIEWED = 2.0
"""Seconds from one drawing of the curves to the next."""

RECENT = 50
"""Steps over which speed and loss are averaged."""


@dataclass(frozen=True)
class Wish:
    """What was asked on the command line."""

    output: Path | None
    images: Path | None
    steps: int | None
    seed: int
    workers: int
    resume: bool
    note: str
    start: str | None = None
    rates: bool = False
    check: bool = False


def recipes(*, as_json: bool) -> int:
    """List the recipes."""
    if as_json:
        rows = [{"name": r.name, "about": r.about, "steps": r.training.steps} for r in RECIPES.values()]
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return 0
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("recipe", "trains a network for", "steps"):
        table.add_column(column, overflow="fold")
    for recipe in RECIPES.values():
        table.add_row(recipe.name, recipe.about, str(recipe.training.steps))
    Console().print(table)
    Console().print("Train one by: mindl train RECIPE --images DIR -o RUN", highlight=False)
    return 0


def train(name: str, wish: Wish, *, quiet: bool, as_json: bool) -> int:
    """Carry a recipe out; the exit status."""
    recipe = look_up(RECIPES, name, "recipe")
    if wish.rates:
        return _rates(recipe, wish, as_json=as_json)
    quiet, as_json = quiet or not processes.leads(), as_json and processes.leads()
    if wish.output is None:
        raise InputError(f"Name a folder for the run: mindl train {recipe.name} -o RUN.")
    say(f"{recipe.name}: {recipe.about}", quiet=quiet or as_json)
    if wish.images is None:
        say("No --images: training on dead leaves pictures, which are being made.", quiet=quiet or as_json)
    begun = (wish.output / "config.json").exists()
    if wish.resume and not begun:
        say(f"There is no run in {wish.output} yet: it begins.", quiet=quiet or as_json)
    before = read_record(wish.output) if wish.resume and (wish.output / "record.jsonl").exists() else []
    config = {"training": recipe.training.config}
    with TrainingProgress(recipe.name, quiet=quiet, config=config, rows=before) as progress:
        run = run_recipe(
            recipe,
            wish.output,
            images=wish.images,
            steps=wish.steps,
            seed=wish.seed,
            workers=wish.workers,
            resume=wish.resume,
            start=wish.start,
            note=wish.note,
            watch=progress,
            check=wish.check,
        )
    if not run.finished:
        say(
            f"Interrupted after {run.steps} steps; the state is kept. Go on by the same command with --resume.",
            quiet=quiet,
        )
        return INTERRUPTED
    found = next((row for row in reversed(run.record) if "excess" in row), None)
    if as_json:
        result: dict[str, Any] = {"recipe": recipe.name, "steps": run.steps, "model": str(wish.output / "model")}
        result |= {"last": None if found is None else plain(found), "skipped": run.skipped}
        sys.stdout.write(json.dumps(result, indent=2, allow_nan=False) + "\n")
        return 0
    if begun and not progress.stepping:
        say(f"{wish.output} holds the finished run already.", quiet=quiet)
    if found is not None:
        say(f"{recipe.name}: {findings(found)}", quiet=quiet)
    say(
        f"The network is in {wish.output / 'model'}. Use it by --net {shlex.quote(str(wish.output / 'model'))}",
        quiet=quiet,
    )
    return 0


def _rates(recipe: Recipe, wish: Wish, *, as_json: bool) -> int:
    """Sweep learning rates, and say which are good."""
    found = learning_rates(recipe, images=wish.images, seed=wish.seed)
    if as_json:
        sys.stdout.write(json.dumps(asdict(found), indent=2) + "\n")
        return 0
    optimiser = type(recipe.training.optimiser).__name__
    shown = range(0, len(found.rates), max(1, len(found.rates) // 12))
    for i in shown:
        sys.stdout.write(f"{found.rates[i]:9.1e}  loss {found.losses[i]:.4f}\n")
    end = (
        f"out of bounds at {found.rates[-1]:.1e}"
        if found.diverged
        else f"not out of bounds up to {found.rates[-1]:.1e}"
    )
    sys.stdout.write(
        f"The loss falls fastest at {found.steepest:.1e}, is least at {found.largest:.1e}, and is {end}.\n"
        f"The recipe has {recipe.training.optimiser.rate:.1e} ({optimiser}). One sweep, one seed: a guide.\n"
    )
    return 0


def findings(row: dict[str, Any]) -> str:
    """What a validation found, in words."""
    rms = row.get("rms")
    proved = f", proved within {rms:.2g} grey levels rms" if rms is not None and rms < float("inf") else ""
    return (
        f"energy excess {100 * row['excess']:.2f} % (worst {100 * row['worst_excess']:.2f} %), "
        f"PSNR {row['psnr']:.2f} dB (minimiser {row['psnr_of_minimiser']:.2f} dB){proved}"
    )


class TrainingProgress:
    """A bar with loss, energy excess, PSNR, proved distance and time left, under it the curves so far and what is
    wrong with them; a line now and then without a terminal.

    It fits into 80 columns: ``loss 0.4278 excess 0.39 % 25.26 dB ≤1.7/255 -12:30``.
    """

    def __init__(
        self,
        title: str,
        *,
        quiet: bool,
        config: dict[str, Any] | None = None,
        rows: Sequence[dict[str, Any]] = (),
    ) -> None:
        self._title, self._quiet, self._config = title, quiet, config or {}
        self._losses: deque[float] = deque(maxlen=RECENT)
        self._times: deque[float] = deque(maxlen=RECENT + 1)
        self._found = ""
        self._bar: Progress | None = None
        self._screen: Screen | None = None
        self._live: Live | None = None
        self._rows = list(rows)
        self._task: Any = None
        self._drawn = -VIEWED
        if not quiet and sys.stderr.isatty():
            bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=8),
                TextColumn("{task.completed}/{task.total}"),
                TextColumn("{task.fields[told]}"),
                _Left(self),
            )
            self._bar, self._live = bar, Live()
            self._screen = Screen(bar, console=Console(stderr=True), refresh_per_second=4)

    def __enter__(self) -> TrainingProgress:
        if self._screen is not None:
            self._screen.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._screen is not None:
            self._screen.stop()

    def stepped(self, row: dict[str, Any], steps: int) -> None:
        """Show the newest numbers."""
        self._losses.append(row["loss"])
        self._times.append(time.perf_counter())
        examined = "excess" in row
        if examined:
            self._found = _short(row)
        loss = f"loss {sum(self._losses) / len(self._losses):.4f}"
        if self._bar is None:
            if examined:
                say(f"step {row['step']} of {steps}: {loss}, {findings(row)}", quiet=self._quiet)
            return
        if self._task is None:
            self._task = self._bar.add_task(self._title, total=steps, told="")
        self._bar.update(self._task, completed=row["step"], told=f"{loss} {self._found}")
        self._rows.append(row)
        since = self._times[-1] - self._drawn
        if self._screen is not None and self._live is not None and (examined or since > VIEWED):
            self._drawn = self._times[-1]
            settings = self._config | {"training": {**self._config.get("training", {}), "steps": steps}}
            self._screen.update(Group(self._bar, self._live.view(self._rows, settings)))

    def skipped(self, name: str, why: str) -> None:
        """Name an image that is left out."""
        say(f"left out: {why if name in why else f'{name}: {why}'}", quiet=self._quiet)

    @property
    def stepping(self) -> bool:
        """Whether a step was done."""
        return bool(self._times)

    def seconds_a_step(self) -> float | None:
        """The mean over the last steps."""
        if len(self._times) < 2:
            return None
        return (self._times[-1] - self._times[0]) / (len(self._times) - 1)


class _Left(ProgressColumn):
    """The time that is left."""

    max_refresh = 0.5

    def __init__(self, progress: TrainingProgress) -> None:
        super().__init__()
        self._progress = progress

    def render(self, task: Task) -> Text:
        """Minutes and seconds."""
        each = self._progress.seconds_a_step()
        if each is None or task.total is None:
            return Text("")
        minutes, seconds = divmod(round(each * (task.total - task.completed)), 60)
        return Text(f"-{minutes}:{seconds:02d}")


def _short(row: dict[str, Any]) -> str:
    proved = "" if row["rms"] is None or row["rms"] == float("inf") else f" ≤{row['rms']:.2g}/255"
    return f"excess {100 * row['excess']:.2f} % {row['psnr']:.2f} dB{proved}"
