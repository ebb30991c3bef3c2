"""The verbs ``weights list``, ``show``, ``check`` and ``export``: networks that are stored."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mindl.app.report import complain
from mindl.core.errors import InputError, MindlError, look_up
from mindl.models import DENOISING, INPAINTING
from mindl.neural import Range
from mindl.store import export as export_network
from mindl.store import load
from mindl.store.folder import TOLERANCE, WEIGHTS, find, read_card, read_config, shipped
from mindl.store.folder import check as check_folder


def show_all(*, as_json: bool) -> None:
    """One line for each network that comes with mindl."""
    rows = [_row(folder) for folder in shipped().values()]
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("network", "channels", "trained for"):
        table.add_column(column, overflow="fold")
    table.add_column("size", justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row["name"],
            "any" if row["channels"] is None else str(row["channels"]),
            row["trained"],
            f"{row['kilobytes']} kB",
        )
    Console().print(table)


def show(name: str, *, as_json: bool) -> None:
    """The card, or the configuration as JSON."""
    folder = find(name)
    text = json.dumps(read_config(folder), indent=2) if as_json else read_card(folder).rstrip()
    sys.stdout.write(text + "\n")


def check(names: list[str]) -> int:
    """Check every named network, or all that ship; 1 if one is not as it was."""
    status = 0
    for name in names or list(shipped()):
        try:
            folder = find(name)
            difference = check_folder(folder)
        except MindlError as error:
            complain(str(error))
            status = 1
            continue
        if not difference <= TOLERANCE:
            complain(
                f"{name}: unaltered, but its probe differs by {difference:.1e} here (at most {TOLERANCE:.0e})."
            )
            status = 1
        else:
            sys.stdout.write(f"{name}: complete and unaltered; its probe differs by {difference:.1e}\n")
    return status


def export(name: str, output: Path, model: str | None, *, overwrite: bool) -> None:
    """Write a network to a file that runs without mindl; the model is what it was trained for, unless named."""
    net = load(name)
    title = model or (net.trained and net.trained.model)
    if not title:
        raise InputError(f"It is not recorded what {net.title} was trained for: name a model, --model rof.")
    exported = export_network(
        net, output, look_up({**DENOISING, **INPAINTING}, title, "model"), overwrite=overwrite
    )
    sys.stdout.write(f"{exported}\n")


def _row(folder: Path) -> dict[str, Any]:
    config = read_config(folder)
    trained = Range() if config["trained"] is None else Range.of(config["trained"])
    return {
        "name": config["name"],
        "channels": config["channels"],
        "trained": trained.about,
        "kilobytes": round((folder / WEIGHTS).stat().st_size / 1000),
    }
