"""What the activations of a network do while it runs: which channels are dead, which entries saturated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten

RECTIFIERS = {
    aten.relu,
    aten.relu_,
    aten.threshold,
    aten.clamp_min,
    aten.leaky_relu,
    aten.gelu,
    aten.silu,
    aten.elu,
}
SIGMOIDS = {aten.tanh: (-1.0, 1.0), aten.tanh_: (-1.0, 1.0), aten.sigmoid: (0.0, 1.0), aten.sigmoid_: (0.0, 1.0)}

LEAST = 16
"""Entries of a channel, over the whole batch, below which nothing is told of it."""

NEAR = 0.015
"""An entry is saturated where it is nearer to an end than this part of the range (tanh: beyond 0.97)."""


@dataclass(frozen=True)
class UnitStatistics:
    """One activation, in one run of a network.

    Attributes:
        name: its number, in the order of evaluation, and its function: ``"3 relu"``.
        dead: the share of channels that are the same at every pixel of every image.
        saturated: the share of entries at an end of the range; 0 for functions without one.
        rms: of all entries.
    """

    name: str
    dead: float
    saturated: float
    rms: float


class Units(TorchDispatchMode):
    r"""While it is entered, watches every activation, below all modules and functions.

    A channel of a rectifier (ReLU and its kin) is *dead* if it does not vary over the whole batch: nothing
    passes it, neither forwards nor backwards. An entry of tanh or of the sigmoid is *saturated* where the
    derivative is below 0.06 of its largest.

    >>> images = torch.linspace(-1, 1, 18).reshape(2, 1, 3, 3)
    >>> with torch.no_grad(), Units() as units:
    ...     result = torch.relu(torch.cat([images, -images.abs() - 1], dim=1))
    >>> [(each.name, each.dead) for each in units.found]
    [('1 relu', 0.5)]
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[UnitStatistics] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Carry out one operation; look at what came out if it is an activation."""
        result = function(*args, **(kwargs or {}))
        packet = function.overloadpacket
        known = packet in RECTIFIERS or packet in SIGMOIDS
        if known and isinstance(result, Tensor) and result.ndim == 4 and result[:, 0].numel() >= LEAST:
            name = f"{len(self.found) + 1} {packet.__name__.rstrip('_')}"
            self.found.append(_statistics(name, result.detach(), SIGMOIDS.get(packet)))
        return result


def _statistics(name: str, values: Tensor, ends: tuple[float, float] | None) -> UnitStatistics:
    size = float(values.float().square().mean().sqrt())
    if ends is None:
        spread = values.amax((0, 2, 3)) - values.amin((0, 2, 3))
        return UnitStatistics(name, float((spread <= 1e-6 * size).float().mean()), 0.0, size)
    low, high = ends
    near = NEAR * (high - low)
    saturated = (values < low + near) | (values > high - near)
    return UnitStatistics(name, 0.0, float(saturated.float().mean()), size)
