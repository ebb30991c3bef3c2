"""Problems with exact solutions: for tests of solvers, one's own too, and for looking at."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mindl.core.arrays import Image
from mindl.models import anisotropic_rof, harmonic_inpainting, rof, whittaker_tikhonov
from mindl.models.views import Model


@dataclass(frozen=True, eq=False)
class Problem:
    """A model and its true solution.

    Attributes:
        name: what it is.
        model: the model.
        solution: u*, to rounding.
        source: why this is the solution.
    """

    name: str
    model: Model
    solution: Image
    source: str


def rof_step(dtype: torch.dtype = torch.float64) -> Problem:
    """A step of height 1 on a line: w / n1 is lost on its left side, w / n2 on its right."""
    left, right, weight = 5, 9, 0.3
    data = torch.cat([torch.zeros(left, dtype=dtype), torch.ones(right, dtype=dtype)]).reshape(1, 1, 1, -1)
    solution = torch.where(data == 0, data + weight / left, data - weight / right)
    return Problem("rof, step on a line", rof(data, weight), solution, "calibrable sets: h - w P(S) / |S|")


def rof_square(dtype: torch.dtype = torch.float64) -> Problem:
    """Anisotropic: a square of width n and height 1 loses 4 w / n; the ground gains what is lost."""
    width, size, weight = 8, 24, 0.15
    data = torch.zeros(1, 1, size, size, dtype=dtype)
    data[..., 6 : 6 + width, 7 : 7 + width] = 1
    ground = weight * 4 * width / (size * size - width * width)
    solution = torch.where(data == 1, data - 4 * weight / width, data + ground)
    return Problem(
        "anisotropic rof, square",
        anisotropic_rof(data, weight),
        solution,
        "calibrable sets: h - w P(S) / |S|",
    )


def rof_flat(dtype: torch.dtype = torch.float64) -> Problem:
    """A weight above the dual norm of f - mean f: the solution is the mean."""
    data = torch.rand(1, 1, 6, 7, dtype=dtype, generator=torch.Generator().manual_seed(4))
    return Problem(
        "rof, flat", rof(data, 10.0), torch.full_like(data, float(data.mean())), "u = mean f, p feasible"
    )


def tikhonov_mode(dtype: torch.dtype = torch.float64) -> Problem:
    """A DCT-II mode: an eigenvector of the Laplacian, divided by 1 + w lambda."""
    height, width, k, m, weight = 9, 14, 2, 5, 3.0
    y = torch.cos(math.pi * k * (torch.arange(height, dtype=torch.float64) + 0.5) / height)
    x = torch.cos(math.pi * m * (torch.arange(width, dtype=torch.float64) + 0.5) / width)
    data = (0.5 + 0.4 * y[:, None] * x[None, :])[None, None].to(dtype)
    eigenvalue = 4 * math.sin(math.pi * k / (2 * height)) ** 2 + 4 * math.sin(math.pi * m / (2 * width)) ** 2
    solution = 0.5 + (data - 0.5) / (1 + weight * eigenvalue)
    return Problem("whittaker_tikhonov, DCT mode", whittaker_tikhonov(data, weight), solution, "DCT-II modes")


def harmonic_polynomial(
    polynomial: Callable[[Tensor, Tensor], Tensor], name: str, dtype: torch.dtype = torch.float64
) -> Problem:
    """A discrete harmonic polynomial, known on the frame of the image only."""
    height, width = 11, 13
    y = torch.linspace(-1, 1, height, dtype=torch.float64)[:, None] * (height - 1) / (width - 1)
    x = torch.linspace(-1, 1, width, dtype=torch.float64)[None, :]
    truth = (0.5 + 0.2 * polynomial(x.expand(height, -1), y.expand(-1, width)))[None, None].to(dtype)
    mask = torch.ones(1, 1, height, width, dtype=torch.bool)
    mask[..., 1:-1, 1:-1] = False
    data = torch.where(mask, truth, 0)
    return Problem(
        f"harmonic_inpainting, {name}",
        harmonic_inpainting(data, mask),
        truth,
        "discrete Laplacian of it is 0",
    )


def harmonic_line(dtype: torch.dtype = torch.float64) -> Problem:
    """On a line: linear between known points, constant beyond the outermost."""
    data = torch.zeros(1, 1, 1, 12, dtype=dtype)
    data[..., 2], data[..., 7], data[..., 9] = 0.25, 0.75, 0.5
    mask = torch.zeros(1, 1, 1, 12, dtype=torch.bool)
    mask[..., [2, 7, 9]] = True
    line = [0.25, 0.25, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.625, 0.5, 0.5, 0.5]
    solution = torch.tensor(line, dtype=dtype).reshape(1, 1, 1, -1)
    return Problem("harmonic_inpainting, line", harmonic_inpainting(data, mask), solution, "u'' = 0")


def problems(dtype: torch.dtype = torch.float64) -> list[Problem]:
    """All problems.

    >>> [problem.name for problem in problems()][:2]
    ['rof, step on a line', 'anisotropic rof, square']
    """
    polynomials: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "x": lambda x, y: x,
        "xy": lambda x, y: x * y,
        "x^2 - y^2": lambda x, y: x * x - y * y,
        "x^3 - 3 x y^2": lambda x, y: x**3 - 3 * x * y * y,
    }
    return [
        rof_step(dtype),
        rof_square(dtype),
        rof_flat(dtype),
        tikhonov_mode(dtype),
        harmonic_line(dtype),
        *(harmonic_polynomial(each, name, dtype) for name, each in polynomials.items()),
    ]
