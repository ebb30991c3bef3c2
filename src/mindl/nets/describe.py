"""What a network costs, how far it looks, how much it can amplify, and what it commutes with."""

from __future__ import annotations

import copy
import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mindl.core.errors import InputError
from mindl.core.randomness import generator_for
from mindl.nets.equivariance import Map, phantom, right_angle_error, rotation_error, shift_error
from mindl.nets.lipschitz import lipschitz_bound
from mindl.nets.trace import Trace

WIDEST = 160
"""Side of the largest image on which a field is measured."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """A network in numbers; ``print`` shows them with their units."""

    name: str
    parameters: int
    """Numbers that are learnt."""
    multiply_adds: float
    """Of convolutions, per pixel."""
    field: tuple[float, float]
    """Receptive field (rows, columns) by computation: no pixel farther away matters. Infinite where one may."""
    measured_field: tuple[int, int]
    """The extent of derivatives that are not 0, with random weights: what does matter."""
    memory: float
    """Floats in activations at the worst moment without gradients, per pixel."""
    lipschitz: float
    """Proved upper bound of the Lipschitz constant for the present weights; infinite where none is known."""
    lipschitz_estimate: float
    """Estimate from below: the norm of the Jacobian at one image, by power iteration."""
    shift_error: float
    """Relative, for a shift by one pixel, away from the borders."""
    right_angle_error: float
    """Relative, the largest for turns by 90, 180 and 270 degrees."""
    rotation_error: float
    """Relative, for a turn by 36.9 degrees, away from the borders."""
    seconds: float
    """Per megapixel, the median of three runs in float32 with the present number of threads."""

    def __str__(self) -> str:
        rows = [
            ("parameters", f"{self.parameters:,}"),
            ("multiply-adds", f"{self.multiply_adds:,.0f} per pixel"),
            ("receptive field", f"{_sides(self.field)} pixels (measured: {_sides(self.measured_field)})"),
            ("memory", f"{self.memory:.1f} floats per pixel at the peak"),
            (
                "Lipschitz constant",
                f"<= {self.lipschitz:.4g} (proved), about {self.lipschitz_estimate:.4g} or more",
            ),
            ("shift by a pixel", f"{self.shift_error:.1e} relative error inside"),
            ("right angles", f"{self.right_angle_error:.1e}"),
            ("36.9 degrees", f"{self.rotation_error:.1e} inside"),
            ("time", f"{self.seconds:.3g} s per megapixel"),
        ]
        return "\n".join([self.name, *(f"  {what:<20}{number}" for what, number in rows)])


def describe(net: nn.Module, size: int = 64, given: Sequence[Any] = ()) -> Description:
    """Measure and bound a network; it is left as it is.

    Everything but the time and the memory is found on copies in float64, in evaluation, on a smooth phantom or
    with random weights, with fixed seeds. The errors of equivariance and the Lipschitz constant belong to the
    present weights; a fresh network that is almost zero shows little of them.

    Args:
        net: a network with ``inputs``, the number of its input channels.
        size: side of the images in pixels, at least 16. Larger ones give a steadier time.
        given: what the network is called with besides the image, such as ``(0.1,)`` for the noise of
            ``FFDNetLike``.

    Raises:
        InputError: something else than such a network, one that changes the size, or too small an image.

    >>> from mindl.nets import PlainCNN
    >>> told = describe(PlainCNN(1, 1, width=4, depth=3), size=24)
    >>> told.parameters, told.multiply_adds, told.field, told.measured_field
    (225, 216.0, (7, 7), (7, 7))
    """
    inputs = getattr(net, "inputs", None)
    if not isinstance(net, nn.Module) or not isinstance(inputs, int):
        raise InputError(f"describe needs a network with a number of inputs such as UNet(1, 1), got {net!r}.")
    if size < 16:
        raise InputError(f"describe(size={size}) needs at least 16 pixels a side.")
    net = copy.deepcopy(net).eval().requires_grad_(False)
    exact = copy.deepcopy(net).double()
    image = phantom(size, inputs, dtype=torch.float32)

    with torch.no_grad(), Trace(image) as trace:
        result = net(image, *given)
        rows, columns = trace.reach(result)
    if result.shape[2:] != image.shape[2:]:
        raise InputError(
            f"describe needs a network that keeps the size of its image, got {tuple(result.shape)} for "
            f"{tuple(image.shape)}."
        )
    field = (rows.before + rows.after + 1, columns.before + columns.after + 1)
    seen = measured_field(exact, inputs, field, int(trace.coarsest), given)

    def run(u: Tensor) -> Tensor:
        result: Tensor = exact(u, *given)
        return result

    odd = size | 1
    margin = min(odd // 4, math.ceil(max(field) / 2) if math.isfinite(max(field)) else odd)
    with torch.no_grad():
        errors = shift_error(run, odd, inputs, margin), right_angle_error(run, odd, inputs)
        turned = rotation_error(run, odd, inputs, margin)
    return Description(
        name=type(net).__name__,
        parameters=sum(p.numel() for p in net.parameters()),
        multiply_adds=trace.multiply_adds / size**2,
        field=(field[0], field[1]) if math.isinf(max(field)) else (int(field[0]), int(field[1])),
        measured_field=seen,
        memory=trace.peak / size**2,
        lipschitz=lipschitz_bound(exact),
        lipschitz_estimate=lipschitz_estimate(run, phantom(min(size, 32), inputs)),
        shift_error=errors[0],
        right_angle_error=errors[1],
        rotation_error=turned,
        seconds=_seconds(net, image, given) * 1e6 / size**2,
    )


def measured_field(
    net: nn.Module, inputs: int, field: tuple[float, float], phases: int, given: Sequence[Any] = ()
) -> tuple[int, int]:
    """Rows and columns in which the derivative of an output by the image is not 0, over all phases of a stride.

    Weights are drawn positive in a copy in float64, so that no rectifier is closed and little cancels out.
    ``field`` says how large an image is needed; beyond ``WIDEST`` pixels nothing is seen.
    """
    drawn = generator_for(0)
    net = copy.deepcopy(net).double()
    for weight in net.parameters():
        if weight.ndim > 1:
            weight.data.copy_((0.5 + torch.rand(weight.shape, generator=drawn)) / weight[0].numel())
    step = 4 * phases
    side = min(WIDEST, math.ceil((max(field) + 2 * phases) / step) * step if max(field) < WIDEST else WIDEST)
    image = torch.rand(1, inputs, side, side, generator=drawn, dtype=torch.float64).requires_grad_()
    low, high = [0, 0], [0, 0]
    result = net(image, *given)
    for phase in range(phases):
        place = side // 2 + phase
        (slope,) = torch.autograd.grad(result[0, :, place, place].sum(), image, retain_graph=True)
        for axis in (0, 1):
            seen = slope[0].abs().sum(0).sum(1 - axis).nonzero() - place
            if len(seen):
                low[axis] = min(low[axis], int(seen.min()))
                high[axis] = max(high[axis], int(seen.max()))
    return high[0] - low[0] + 1, high[1] - low[1] + 1


def lipschitz_estimate(net: Map, image: Tensor, steps: int = 20) -> float:
    """The norm of the Jacobian J at an image, from below: power iteration on J^T J.

    An estimate: there may be images with a larger one, and few steps may miss the largest singular value.
    """
    image = image.detach().requires_grad_()
    with torch.enable_grad():
        result = net(image)
        if not result.requires_grad:
            return 0.0
        probe = torch.zeros_like(result).requires_grad_()
        # J^T p is linear in p: its derivative in the direction v is J v.
        (back,) = torch.autograd.grad(result, image, probe, create_graph=True)
        direction = torch.randn(image.shape, generator=generator_for(1), dtype=image.dtype)
        norm = 0.0
        for _ in range(steps):
            direction = direction / direction.norm()
            (there,) = torch.autograd.grad(back, probe, direction, retain_graph=True)
            norm = float(there.norm())
            (direction,) = torch.autograd.grad(result, image, there, retain_graph=True)
            if not float(direction.norm()):
                break
    return norm


def _seconds(net: nn.Module, image: Tensor, given: Sequence[Any]) -> float:
    times = []
    with torch.no_grad():
        net(image, *given)
        for _ in range(3):
            start = time.perf_counter()
            net(image, *given)
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def _sides(field: tuple[float, float]) -> str:
    return " x ".join("all" if math.isinf(side) else f"{side:.0f}" for side in field)
