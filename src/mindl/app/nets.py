"""The verbs ``nets`` and ``bench nets``: architectures described, and compared at equal training budget."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from mindl.app.report import wide_console
from mindl.core.errors import look_up
from mindl.data import DeadLeaves, Photographs
from mindl.data.source import Source, Together
from mindl.images.photographs import COFFEE
from mindl.learning import Adam, Denoising, EnergyLoss, Training, Validation, fit
from mindl.nets import (
    NETWORKS,
    Description,
    DiffusionNet,
    DilatedNet,
    DnCNN,
    FFDNetLike,
    PlainCNN,
    ResNet,
    UNet,
    VariationalNetwork,
    VCycle,
    describe,
)
from mindl.neural import Direct, InUnitsOfWeight, Reading, Start

NOISE = 25 / 255
LAPLACE = [[0.0, -1.0, 0.0], [-1.0, 5.0, -1.0], [0.0, -1.0, 0.0]]
"""One implicit step of diffusion: where a linear V-cycle begins."""


class Grey(nn.Module):
    """A network for grey images, with what it is told besides, the same for every image (its noise level)."""

    def __init__(self, network: nn.Module, *told: float) -> None:
        super().__init__()
        self.network, self.told, self.inputs = network, told, 1

    def forward(self, image: Tensor) -> Tensor:
        """The network's output."""
        result: Tensor = self.network(image, *self.told)
        return result


@dataclass(frozen=True)
class Contender:
    """An architecture in the comparison, and when to use it."""

    name: str
    make: Callable[[], nn.Module]
    when: str
    reading: Reading = field(default_factory=InUnitsOfWeight)
    """What it is shown: networks that return images, or their change, see them in the units of their answer."""


CONTENDERS = [
    Contender("PlainCNN", lambda: PlainCNN(1, 1), "to begin with: the simplest thing that learns"),
    Contender("DnCNN", lambda: DnCNN(1, 1, residual=False), "noise of one strength, enough time for depth"),
    Contender("FFDNetLike", lambda: Grey(FFDNetLike(1, 1), NOISE), "many strengths of noise, told; fast"),
    Contender("ResNet", lambda: ResNet(1, 1), "depth without trouble; the general choice at full resolution"),
    Contender("DilatedNet", lambda: DilatedNet(1, 1), "a wide field with few parameters"),
    Contender("UNet", lambda: UNet(1, 1), "large structures: inpainting, strong smoothing"),
    Contender(
        "VCycle", lambda: Grey(VCycle(LAPLACE, levels=4)), "linear models; it is multigrid at first", Start()
    ),
    Contender(
        "DiffusionNet", lambda: DiffusionNet(1, 1, correction=True), "when stability must be proved", Start()
    ),
    Contender(
        "DiffusionNet, free",
        lambda: DiffusionNet(1, 1, correction=True, free=True),
        "the same with twice the weights, and nothing proved",
        Start(),
    ),
    Contender(
        "DiffusionNet, free, half",
        lambda: DiffusionNet(1, 1, correction=True, free=True, filters=8),
        "for comparison: as many weights as the symmetric one",
        Start(),
    ),
    Contender(
        "VariationalNetwork",
        lambda: VariationalNetwork(1, 1, correction=True),
        "few parameters that can be looked at: filters and their functions",
        Start(),
    ),
    Contender(
        "DiffusionNet, coupled",
        lambda: DiffusionNet(1, 1, correction=True, group=2),
        "when results should turn with the image",
        Start(),
    ),
]


@dataclass(frozen=True)
class Row:
    """What was found of one architecture; quality is that of solving total variation denoising."""

    name: str
    when: str
    seconds: float
    excess: float
    worst: float
    psnr: float
    described: Description


def show(names: list[str], size: int, *, as_json: bool) -> None:
    """Every architecture as it is made by default, or those that are named."""
    kinds = [look_up(NETWORKS, name, "architecture").__name__ for name in names] or list(NETWORKS)
    known = {contender.name: contender.make for contender in CONTENDERS}
    found = {kind: describe(known[kind](), size) for kind in kinds}
    if as_json:
        sys.stdout.write(json.dumps({kind: _plain(asdict(each)) for kind, each in found.items()}, indent=2) + "\n")
        return
    if names:
        for kind, each in found.items():
            sys.stdout.write(str(each).replace(each.name, kind, 1) + "\n")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("architecture", no_wrap=True)
    for column in ("parameters", "multiply-adds\na pixel", "field", "floats\na pixel", "s a\nmegapixel"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("when to use it", overflow="fold")
    why = {contender.name: contender.when for contender in CONTENDERS}
    for kind, each in found.items():
        table.add_row(
            kind,
            f"{each.parameters:,}",
            f"{each.multiply_adds:,.0f}",
            _number(each.field[0]),
            f"{each.memory:.0f}",
            f"{each.seconds:.2g}",
            why[kind],
        )
    wide_console().print(table)


def compare(steps: int, output: Path | None, *, quiet: bool, as_json: bool) -> None:
    """Train every contender for as many steps, and say how near it comes to the model's solution."""
    torch.set_num_threads(1)  # the same for all, and other work may go on beside it
    console = Console(stderr=True, quiet=quiet)
    examine, leaves = _examination(), DeadLeaves(64, size=96)
    for index in range(len(leaves)):  # they are kept: making them is not learning
        leaves.image(index)
    rows = []
    for contender in CONTENDERS:
        console.print(f"{contender.name}: {steps} steps", highlight=False)
        rows.append(_measured(contender, steps, leaves, examine))
    if as_json:
        sys.stdout.write(json.dumps([_plain(asdict(row)) for row in rows], indent=2) + "\n")
    else:
        sys.stdout.write(page(rows))
    if output is not None:
        output.write_text(page(rows), encoding="utf-8")


def page(rows: list[Row]) -> str:
    """The table in Markdown."""
    head = (
        "architecture",
        "parameters",
        "multiply-adds",
        "field",
        "training",
        "energy excess, median (worst)",
        "PSNR",
        "Lipschitz, proved (seen)",
        "turned by 90, by 36.9 degrees",
        "s a megapixel",
    )
    lines = [f"| {' | '.join(head)} |", f"|:--|{'--:|' * (len(head) - 1)}"]
    for row in rows:
        d = row.described
        cells = (
            row.name,
            f"{d.parameters:,}",
            f"{d.multiply_adds:,.0f}",
            _number(d.field[0]),
            f"{row.seconds:.0f} s",
            f"{row.excess:.1%} ({row.worst:.1%})",
            f"{row.psnr:.2f}",
            f"{'none' if math.isinf(d.lipschitz) else _number(d.lipschitz)} ({d.lipschitz_estimate:.2g})",
            f"{d.right_angle_error:.1e}, {d.rotation_error:.1e}",
            f"{d.seconds:.2g}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _examination() -> Validation:
    task = Denoising(noise=(NOISE, NOISE))
    unseen = Together(Photographs([COFFEE]), DeadLeaves(7, seed=10_000))
    return Validation(task, unseen, count=8, crop=96)


def _measured(contender: Contender, steps: int, leaves: Source, examine: Validation) -> Row:
    task = Denoising(noise=(NOISE, NOISE))
    settings: dict[str, Any] = {
        "batch": 8,
        "crop": 48,
        "loss": EnergyLoss(),
        "optimiser": Adam(rate=4e-3),
        "average": None,
    }
    net = Direct(contender.make(), contender.reading, title=contender.name)
    begun = time.perf_counter()
    fit(net, task, leaves, Training(steps=steps, **settings))
    took = time.perf_counter() - begun
    found = examine(net).row
    return Row(
        name=contender.name,
        when=contender.when,
        seconds=took,
        excess=found["excess"],
        worst=found["worst_excess"],
        psnr=found["psnr"],
        described=describe(net.network),
    )


def _number(value: float) -> str:
    return "any" if math.isinf(value) else f"{value:.4g}"


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Without infinities, which JSON does not have."""
    return {
        key: _plain(value)
        if isinstance(value, dict)
        else None
        if isinstance(value, float) and not math.isfinite(value)
        else value
        for key, value in values.items()
    }
