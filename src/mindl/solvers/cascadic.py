r"""A start from coarser grids: the large structures first, where they are cheap."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional

from mindl.core.arrays import Image
from mindl.models.candidate import Candidate
from mindl.models.model import Model
from mindl.models.variational import Variational
from mindl.solvers.entry import minimise
from mindl.solvers.solver import Solver
from mindl.solvers.stop import Stop

SMALLEST = 8
"""Pixels of the shorter side of the coarsest grid."""

ROUGHLY = Stop(1e-3, steps=200)
"""How well the coarse problems are solved: their solutions differ from the fine one by more than that."""


def cascadic_start(model: Model, solver: Solver[Any, Any] | None = None, *, stop: Stop = ROUGHLY) -> Candidate:
    """A start for ``minimise``, from the same model on grids of half the size, a quarter, and so on.

    The coarsest problem is solved first; each solution, interpolated linearly, starts the next finer one, and
    so does its dual field, whose magnitudes mean the same on every grid. Nothing is corrected from fine to
    coarse (that is multigrid): it serves nonlinear models as an initialisation, and the certificate knows
    nothing of it.

    Args:
        model: a variational model; one whose operator knows no grid size gets its usual start.
        solver: how the coarse problems are solved; by default it is chosen.
        stop: how well.

    Source: Bornemann and Deuflhard, Numer. Math. 75 (1996): the cascadic principle.

    >>> import torch, mindl as md
    >>> f = torch.rand(1, 1, 40, 40, generator=torch.Generator().manual_seed(0))
    >>> model = md.models.tv_inpainting(f, md.images.random_mask(40, 40, 0.1, seed=0))
    >>> start = md.solvers.cascadic_start(model)
    >>> start.image.shape, start.dual.shape
    (torch.Size([1, 1, 40, 40]), torch.Size([1, 1, 2, 40, 40]))
    """
    coarse = model.coarser() if isinstance(model, Variational) else None
    if not isinstance(model, Variational) or coarse is None or min(coarse.image_shape[2:]) < SMALLEST:
        return Candidate(model.start())
    found = minimise(coarse, solver, cascadic_start(coarse, solver, stop=stop), stop=stop)
    height, width = model.image_shape[2:]
    dual = None if found.dual is None else _repeated(found.dual, height, width)
    return Candidate(model.project(_interpolated(found.image, height, width)), dual)


def _interpolated(image: Image, height: int, width: int) -> Image:
    size = [2 * n for n in image.shape[2:]]
    return functional.interpolate(image, size=size, mode="bilinear", align_corners=False)[..., :height, :width]


def _repeated(dual: Tensor, height: int, width: int) -> Tensor:
    twice = dual.repeat_interleave(2, dim=3).repeat_interleave(2, dim=4)
    return twice[..., :height, :width].contiguous()
