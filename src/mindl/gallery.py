"""Problems with exact solutions: for tests of solvers, one's own too, and for looking at."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mindl.calculus import Gradient, SmoothPenaliser
from mindl.core.arrays import Image, per_image
from mindl.models import (
    anisotropic_rof,
    biharmonic_inpainting,
    charbonnier,
    fourth_order_smoothing,
    harmonic_inpainting,
    huber_rof,
    perona_malik,
    rof,
    rotation_averaged_rof,
    tgv,
    thin_plate_inpainting,
    triharmonic_inpainting,
    tv_inpainting,
    tv_l1,
    whittaker_tikhonov,
)
from mindl.models.model import Model
from mindl.models.variational import Variational


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


def by_subgradient(make: Callable[[Image], Variational], name: str, dtype: torch.dtype = torch.float64) -> Problem:
    """A solution is made up, and the data for it: f = u* + w L^T (g(|L u*|^2) L u*), so that E'(u*) = 0.

    u* has no pixel with a zero gradient but the last corner, so that this holds for total variation too.
    """
    solution = 0.2 + 0.6 * torch.rand(1, 1, 6, 7, dtype=dtype, generator=torch.Generator().manual_seed(8))
    model = make(solution)
    field = model.operator(solution)
    size = model.coupling.magnitude(field)
    if isinstance(model.penaliser, SmoothPenaliser):
        flux = field * model.coupling.spread(model.penaliser.diffusivity(size * size))
    else:  # total variation: the unit vector along the gradient, 0 where there is none
        flux = field / model.coupling.spread(torch.where(size > 0, size, 1))
    data = solution + per_image(model.weight, solution) * model.operator.adjoint(flux)
    return Problem(f"{model.title}, {name}", make(data), solution, "E'(u*) = 0 by the choice of f")


def fourth_order_mode(dtype: torch.dtype = torch.float64) -> Problem:
    """A DCT-II mode, divided by 1 + w lambda^2."""
    mode = tikhonov_mode(dtype)
    data, weight = mode.model.start(), 0.7
    wave = data - 0.5
    eigenvalue = float((Gradient().gram(wave) * wave).sum() / (wave * wave).sum())
    solution = 0.5 + wave / (1 + weight * eigenvalue**2)
    return Problem(
        "fourth_order_smoothing, DCT mode", fourth_order_smoothing(data, weight), solution, "DCT-II modes"
    )


def polyharmonic_polynomial(order: int, dtype: torch.dtype = torch.float64) -> Problem:
    """A polynomial of degree 2 m - 1 that is known on a frame of m pixels: its m-th Laplacian vanishes inside."""
    height, width = 2 * order + 3, 2 * order + 4
    y = torch.linspace(-1, 1, height, dtype=torch.float64)[:, None]
    x = torch.linspace(-1, 1, width, dtype=torch.float64)[None, :]
    polynomial = x**3 - 2 * x * y**2 + y**3 if order == 2 else x**5 - x**2 * y**3 + y**4
    truth = (0.5 + 0.2 * polynomial)[None, None].to(dtype)
    mask = torch.ones(1, 1, height, width, dtype=torch.bool)
    mask[..., order:-order, order:-order] = False
    make = biharmonic_inpainting if order == 2 else triharmonic_inpainting
    model = make(torch.where(mask, truth, 0), mask)
    return Problem(f"{model.title}, polynomial", model, truth, "differences of order 2 m of it are 0")


def thin_plate_plane(dtype: torch.dtype = torch.float64) -> Problem:
    """An affine image, continued from a few pixels to the whole."""
    y, x = torch.arange(5, dtype=dtype)[:, None], torch.arange(6, dtype=dtype)[None, :]
    truth = (0.1 + 0.05 * x + 0.04 * y)[None, None]
    mask = torch.zeros(1, 1, 5, 6, dtype=torch.bool)
    mask[..., [0, 1, 2, 3, 4, 4], [1, 4, 2, 5, 0, 3]] = True
    return Problem(
        "thin_plate_inpainting, plane",
        thin_plate_inpainting(torch.where(mask, truth, 0), mask),
        truth,
        "the kernel of the Hessian",
    )


def tv_between_equals(dtype: torch.dtype = torch.float64) -> Problem:
    """On a line: between equal known values every detour costs."""
    known = [0.2, None, None, 0.2, 0.7, None, 0.7]
    truth = torch.tensor([0.2, 0.2, 0.2, 0.2, 0.7, 0.7, 0.7], dtype=dtype).reshape(1, 1, 1, -1)
    mask = torch.tensor([value is not None for value in known]).reshape(1, 1, 1, -1)
    model = tv_inpainting(torch.where(mask, truth, 0), mask)
    return Problem("tv_inpainting, between equals", model, truth, "the triangle inequality")


def tv_l1_spot(dtype: torch.dtype = torch.float64) -> Problem:
    """A single pixel: its removal costs 1, its perimeter (2 + sqrt 2) w."""
    data = torch.full((1, 1, 6, 7), 0.25, dtype=dtype)
    data[..., 2, 3] = 0.75
    return Problem("tv_l1, spot", tv_l1(data, 0.6), torch.full_like(data, 0.25), "1 < (2 + sqrt 2) w")


def tgv_plane(dtype: torch.dtype = torch.float64) -> Problem:
    """An affine image has no second-order variation at all."""
    y, x = torch.arange(5, dtype=dtype)[:, None], torch.arange(6, dtype=dtype)[None, :]
    data = (0.1 + 0.05 * x + 0.04 * y)[None, None]
    return Problem("tgv, plane", tgv(data, 0.1), data, "TGV of an affine image is 0")


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
    made_up: list[Callable[[Image], Variational]] = [
        lambda f: rotation_averaged_rof(f, 0.05),
        lambda f: huber_rof(f, 0.1, 0.1),
        lambda f: charbonnier(f, 0.8, 0.1),
        lambda f: perona_malik(f, 0.7, 0.1),
    ]
    return [
        rof_step(dtype),
        rof_square(dtype),
        rof_flat(dtype),
        tikhonov_mode(dtype),
        fourth_order_mode(dtype),
        *(by_subgradient(make, "made-up solution", dtype) for make in made_up),
        tgv_plane(dtype),
        tv_l1_spot(dtype),
        tv_between_equals(dtype),
        polyharmonic_polynomial(2, dtype),
        polyharmonic_polynomial(3, dtype),
        thin_plate_plane(dtype),
        harmonic_line(dtype),
        *(harmonic_polynomial(each, name, dtype) for name, each in polynomials.items()),
    ]
