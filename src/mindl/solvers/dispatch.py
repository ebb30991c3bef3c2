"""Which fused sweep serves which model: the one place where solvers meet the kernels.

Each function returns None where no sweep serves, and plain PyTorch goes on; both agree to rounding. Kernels are
imported when the first is needed, since that loads Numba.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from mindl.core.arrays import Dual, Image
from mindl.kernels.choice import serves
from mindl.models.fused import Fused, Piece, fused
from mindl.models.fused_tgv import tgv_pieces
from mindl.models.model import Model
from mindl.models.tgv import TotalGeneralisedVariation
from mindl.models.variational import Variational

# ruff: noqa: PLC0415


def array(tensor: Tensor) -> np.ndarray[Any, Any]:
    """The tensor's memory as an array."""
    return cast("np.ndarray[Any, Any]", tensor.detach().numpy())


def plan_of(view: Model, image: Image) -> Fused | None:
    """How sweeps see the model behind a view; None where none serves it, or images like this one."""
    model = getattr(view, "model", None)
    if not isinstance(model, Variational) or not serves(image) or image.dtype != model.data_term.data.dtype:
        return None
    return fused(model)


def _ready(*tensors: Tensor) -> bool:
    """Whether sweeps may write into these."""
    return all(t.is_contiguous() for t in tensors)


def accelerated_primal_dual(
    view: Model, image: Image, ahead: Image, dual: Dual
) -> Callable[[Sequence[tuple[float, float, float]]], None] | None:
    """Steps with (tau, sigma, theta), in place."""
    plan = plan_of(view, image)
    if plan is None or plan.kind != 0 or not _ready(image, ahead, dual):
        return None
    from mindl.kernels import primal_dual as kernel

    def advance(steps: Sequence[tuple[float, float, float]]) -> None:
        for piece in plan.pieces():
            ratio, slope = _penalty(plan, piece)
            rows = [
                (sigma / plan.grid, 1 + sigma * ratio, tau / plan.grid, 1 / (1 + tau), theta)
                for tau, sigma, theta in steps
            ]
            u = array(piece.of(image))
            kernel.advance(
                u,
                array(piece.of(ahead)),
                array(piece.data),
                array(piece.of(dual)),
                np.array(rows, u.dtype),
                slope,
                plan.isotropic,
                torch.get_num_threads(),
            )

    return advance


def relaxed_primal_dual(
    view: Model, image: Image, dual: Dual
) -> Callable[[float, float, float, int], None] | None:
    """n steps with tau, sigma and rho, in place."""
    if isinstance(view, TotalGeneralisedVariation):
        return _tgv(view, image, dual)
    plan = plan_of(view, image)
    if plan is None or not _ready(image, dual):
        return None
    from mindl.kernels import relaxed_primal_dual as kernel

    def advance(tau: float, sigma: float, rho: float, n: int) -> None:
        for piece in plan.pieces():
            ratio, slope = _penalty(plan, piece)
            u, p = array(piece.of(image)), array(piece.of(dual))
            scalars = [sigma / plan.grid, 1 + sigma * ratio, slope, tau / plan.grid, tau, 1 / (1 + tau), rho]
            kernel.advance(
                u,
                array(piece.data),
                array(piece.known),
                p,
                array(piece.low).astype(u.dtype),
                array(piece.high).astype(u.dtype),
                np.array(scalars, u.dtype),
                plan.isotropic,
                plan.kind,
                n,
                torch.get_num_threads(),
            )

    return advance


def _tgv(
    model: TotalGeneralisedVariation, image: Image, dual: Dual
) -> Callable[[float, float, float, int], None] | None:
    if tgv_pieces(model, image, dual) is None:
        return None
    from mindl.kernels import tgv as kernel

    def advance(tau: float, sigma: float, rho: float, n: int) -> None:
        for piece in tgv_pieces(model, image, dual) or ():
            u = array(piece.image)
            scalars = [sigma, 1 / piece.first, 1 / piece.second, rho, math.sqrt(0.5), tau, 1 / (1 + tau)]
            kernel.advance(
                u,
                array(piece.along_x),
                array(piece.along_y),
                array(piece.data),
                array(piece.dual),
                np.array(scalars, u.dtype),
                n,
                torch.get_num_threads(),
            )

    return advance


def _penalty(plan: Fused, piece: Piece) -> tuple[float, float]:
    """c / w and 1 / w: fields are divided by max(1 + sigma c / w, |p| / w); the quadratic has the first only."""
    if plan.quadratic:
        return 1 / piece.weight, 0.0
    return piece.contrast / piece.weight, 1 / piece.weight
