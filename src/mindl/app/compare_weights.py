"""The verb ``weights compare``: two stored networks beside each other."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from mindl.store.compare import Comparison, compare

ROWS = 12
"""Tensors that are listed; the ones that differ most come first."""


def show(first: str, second: str, *, as_json: bool) -> None:
    """What differs, or that nothing does."""
    found = compare(first, second)
    if as_json:
        sys.stdout.write(json.dumps({"equal": found.equal, **asdict(found)}, indent=2) + "\n")
        return
    if found.equal:
        sys.stdout.write(f"{first} and {second}: the same settings and weights\n")
        return
    console = Console()
    _settings(found, console, first, second)
    _tensors(found, console, first, second)
    if found.answers is not None:
        told = f"Answers to {found.asked} on a noisy photograph differ by {found.answers:.3g} grey levels rms."
        console.print(told, highlight=False)
    else:
        console.print("They answer no model in common, so that answers are not compared.", highlight=False)


def _settings(found: Comparison, console: Console, first: str, second: str) -> None:
    if not found.settings:
        console.print("The same settings.", highlight=False)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("setting", first, second):
        table.add_column(column, overflow="fold")
    for name, (one, other) in found.settings.items():
        table.add_row(name, _told(one), _told(other))
    console.print(table)


def _told(value: object) -> str:
    return "-" if value is None else str(value)


def _tensors(found: Comparison, console: Console, first: str, second: str) -> None:
    for name, only in ((first, found.only_first), (second, found.only_second)):
        if only:
            console.print(f"Only {name} has {', '.join(sorted(only))}.", highlight=False)
    for tensor, (one, other) in found.reshaped.items():
        console.print(f"{tensor} is {one} in {first} and {other} in {second}.", highlight=False)
    moved = {name: difference for name, difference in found.tensors.items() if difference.largest > 0}
    if not moved:
        console.print(f"The {len(found.tensors)} tensors that both have are the same.", highlight=False)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("tensor", overflow="fold")
    table.add_column("relative difference", justify="right")
    table.add_column("largest difference", justify="right")
    ordered = sorted(moved, key=lambda name: -moved[name].relative)
    for name in ordered[:ROWS]:
        table.add_row(name, f"{moved[name].relative:.2e}", f"{moved[name].largest:.2e}")
    console.print(table)
    if len(ordered) > ROWS:
        console.print(
            f"and {len(ordered) - ROWS} more; {len(found.tensors) - len(moved)} are the same", highlight=False
        )
