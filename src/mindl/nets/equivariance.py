r"""How far a network is from commuting with shifts and rotations, measured without interpolation."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Map = Callable[[Tensor], Tensor]


def phantom(
    size: int, channels: int = 1, *, shift: float = 0.0, angle: float = 0.0, dtype: torch.dtype = torch.float64
) -> Tensor:
    r"""A smooth image given by a formula, so that it can be shifted and turned exactly; values of order 1.

    Blobs and waves of a few pixels to a quarter of the image. Pixel (x, y) from the centre shows the formula at
    :math:`R_\alpha (x + t, y)`.

    Args:
        size: rows and columns.
        channels: each with other phases.
        shift: t, in pixels along the rows.
        angle: alpha, in radians.
        dtype: of the result.

    >>> turned = phantom(9, angle=math.pi / 2)
    >>> torch.allclose(turned, torch.rot90(phantom(9), 1, (2, 3)))
    True
    """
    axis = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    across, down = axis[None, :] + shift, axis[:, None]
    x = math.cos(angle) * across - math.sin(angle) * down
    y = math.sin(angle) * across + math.cos(angle) * down
    planes = []
    for c in range(channels):
        plane = torch.zeros(size, size, dtype=torch.float64)
        for k, (cx, cy, radius) in enumerate([(0.2, 0.1, 0.15), (-0.2, 0.15, 0.1), (0.05, -0.25, 0.2)]):
            squares = (x / size - cx) ** 2 + (y / size - cy) ** 2
            plane += (-1) ** k * torch.exp(-squares / (2 * radius * radius))
        plane += 0.3 * torch.sin(0.5 * x + 0.2 * y + c) + 0.2 * torch.cos(0.15 * x - 0.45 * y + 2 * c)
        planes.append(plane)
    return torch.stack(planes)[None].to(dtype)


def shift_error(net: Map, size: int, channels: int, margin: int) -> float:
    """|N(shifted u) - shifted N(u)| / |N(u)| for one pixel, ``margin`` pixels away from the borders."""
    here, there = net(phantom(size, channels)), net(phantom(size, channels, shift=1.0))
    inside = slice(margin, size - 1 - margin)
    apart = there[..., :-1] - here[..., 1:]
    return _ratio(apart[..., inside, inside], here)


def right_angle_error(net: Map, size: int, channels: int) -> float:
    """|N(u turned) - N(u) turned| / |N(u)| for 90 degrees, the largest of three turns."""
    u = phantom(size, channels)
    result = net(u)
    turns = (net(torch.rot90(u, k, (2, 3))) - torch.rot90(result, k, (2, 3)) for k in (1, 2, 3))
    return max(_ratio(apart, result) for apart in turns)


def rotation_error(net: Map, size: int, channels: int, margin: int) -> float:
    r"""The same for the angle with cosine 4/5 and sine 3/5 (36.9 degrees), where no value is interpolated.

    This rotation takes a fifth of the grid, the points with 4 x - 3 y divisible by 5, to points of the grid:
    there the result for the turned phantom is compared with the result for the phantom. Only points
    that stay ``margin`` pixels away from the borders count.

    Args:
        net: outputs are taken as images, not as components of a field that would turn as well.
        size: odd, so that a pixel is the centre.
        channels: of the phantom.
        margin: as above.
    """
    turned, result = net(phantom(size, channels, angle=math.atan2(3, 4))), net(phantom(size, channels))
    centre = size // 2
    y, x = torch.meshgrid(*2 * [torch.arange(size) - centre], indexing="ij")
    far = centre - margin
    meets = ((4 * x - 3 * y) % 5 == 0) & ((3 * x + 4 * y) % 5 == 0)
    px, py = (4 * x - 3 * y) // 5, (3 * x + 4 * y) // 5
    for place in (x, y, px, py):
        meets &= place.abs() <= far
    apart = turned[..., meets] - result[..., centre + py[meets], centre + px[meets]]
    return _ratio(apart, result)


def _ratio(apart: Tensor, whole: Tensor) -> float:
    """The root mean square of one over that of the other; 0 where both vanish."""
    size = float(whole.square().mean().sqrt())
    error = float(apart.square().mean().sqrt())
    return error / size if size else (0.0 if not error else math.inf)
