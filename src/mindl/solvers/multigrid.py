r"""Multigrid: errors that are smooth on one grid are rough, and so quickly reduced, on a coarser one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from mindl.calculus.stencil import Stencil, coarse_size, prolong, prolong_cells, restrict, restrict_cells
from mindl.core.arrays import Image
from mindl.core.errors import InputError
from mindl.models.views import LinearSystem
from mindl.solvers import dispatch_linear
from mindl.solvers.preconditioner import Correct
from mindl.solvers.stationary import Stationary, anatomy

DAMPING = 0.8


@dataclass(frozen=True, eq=False)
class Level:
    """One grid: its matrix, the smoother's factor omega / D, the free pixels (None: all), and its size."""

    matrix: Callable[[Image], Image]
    factor: Tensor
    free: Tensor | None
    height: int
    width: int

    def fixed_to_zero(self, image: Image) -> Image:
        """The image with 0 where there is no equation."""
        return image if self.free is None else torch.where(self.free, image, 0)


@dataclass(frozen=True)
class Multigrid(Stationary):
    r"""Multigrid with Galerkin coarse grids, for Laplacians and their powers, with or without known pixels.

    On every grid the error is smoothed by a few damped Jacobi steps; what is left is restricted, solved on a
    grid of half the size in the same way, and added:

    .. math:: u \leftarrow u + \tfrac{\omega}{D} (b - A u) \;(\nu_1 \text{ times}), \quad
              u \leftarrow u + P A_c^{-1} P^T (b - A u), \quad \text{smooth again } (\nu_2 \text{ times}).

    P interpolates linearly, with zero rows at known pixels (the error there is 0), and :math:`A_c = P^T A P`
    (Galerkin): an exact variational coarse matrix, whose stencil varies from pixel to pixel, for every size
    and every mask. D is the diagonal, or half the sum of the row's absolute values where that is more: then
    :math:`\rho(D^{-1} A) \le 2`, the smoother converges for every symmetric positive definite matrix, and so
    does the cycle (it minimises the energy over subspaces). The work of a cycle is proportional to the number
    of pixels.

    On its own it suits implicit steps (``whittaker_tikhonov``); around known pixels it is best as
    ``ConjugateGradient(preconditioner=Multigrid())``.

    Args:
        visits: how often each coarser grid is visited in a cycle: 1 is the V-cycle, 2 the W-cycle.
        smoothing: Jacobi steps before and after, each.
        full: full multigrid: the cycle begins on the coarsest grid, and each finer one starts from there.
        cells: pixels of coarser grids are cells of 2 x 2 finer ones, P interpolates between their centres, and one
            number omega / D serves a whole grid. Where the matrix is the same everywhere, and sizes can be halved,
            a cycle is a U-Net with linear layers (``neural.MultigridNet``). Known pixels slow it down.
        levels: at most so many grids; the coarsest is smoothed once. None: down to one pixel.

    Raises:
        InputError: ``visits``, ``smoothing`` or ``levels`` below 1; a matrix that wraps around or does not say how
            far it looks.

    Source: Brandt, Math. Comp. 31 (1977); Trottenberg, Oosterlee and Schueller, Multigrid (2001), sections 2.2-2.6
    and A.4 (Galerkin).

    >>> import mindl as md
    >>> f = torch.rand(1, 1, 33, 50, generator=torch.Generator().manual_seed(0))
    >>> solution = md.minimise(md.models.whittaker_tikhonov(f, weight=1000.0), Multigrid(), stop=md.Stop(every=1))
    >>> bool(solution.steps <= 10)
    True
    """

    visits: int = 1
    smoothing: int = 2
    full: bool = False
    cells: bool = False
    levels: int | None = None

    guarantee = "energy of the error falls in every cycle; second order: at a rate independent of the size"
    cost = "about 4 smoothing / 3 + 2 products with A, in all proportional to the number of pixels"

    def __post_init__(self) -> None:
        whole = isinstance(self.visits, int) and isinstance(self.smoothing, int)
        if not whole or self.visits < 1 or self.smoothing < 1:
            raise InputError(
                f"Multigrid(visits={self.visits}, smoothing={self.smoothing}) needs whole numbers, at least 1."
            )
        if self.levels is not None and (not isinstance(self.levels, int) or self.levels < 1):
            raise InputError(f"Multigrid(levels={self.levels}) must be a whole number, at least 1, or None.")

    @property
    def heavy(self) -> bool:
        """A cycle costs several checks."""
        return True

    def factor(self, diagonal: Tensor, sums: Tensor) -> Tensor:
        r"""omega / D.

        With ``cells`` it is one number for a grid, 2 / (d + s), with the largest sum s of a row of \|A\| and the
        diagonal d in the middle: half-way between the eigenvalues that are to be damped, and below 2 / \|A\|.
        """
        if not self.cells:
            return DAMPING / torch.maximum(diagonal, sums / 2)
        row, column = diagonal.shape[2] // 2, diagonal.shape[3] // 2
        middle = diagonal[..., row : row + 1, column : column + 1]
        return (2 / (middle + sums.amax(dim=(2, 3), keepdim=True))).expand_as(diagonal)

    def prepare(self, view: LinearSystem, like: Image, *, symmetric: bool) -> Correct:
        """The hierarchy, and a cycle that starts from 0. It is symmetric: as many steps after as before."""
        up, down = (prolong_cells, restrict_cells) if self.cells else (prolong, restrict)
        if (symmetric or not self.full) and not self.cells and self.levels is None:
            fused = dispatch_linear.cycles(view, like, self.visits, self.smoothing)
            if fused is not None:
                return fused
        levels = hierarchy(self, view, like)

        def cycle(level: int, residual: Image) -> Image:
            grid = levels[level]
            found = residual * grid.factor
            if level == len(levels) - 1:
                return found
            for _ in range(self.smoothing - 1):
                found = found + (residual - grid.matrix(found)) * grid.factor
            coarse = down(grid.fixed_to_zero(residual - grid.matrix(found)))
            below = cycle(level + 1, coarse)
            for _ in range(self.visits - 1):
                below = below + cycle(level + 1, coarse - levels[level + 1].matrix(below))
            found = found + grid.fixed_to_zero(up(below, grid.height, grid.width))
            for _ in range(self.smoothing):
                found = found + (residual - grid.matrix(found)) * grid.factor
            return found

        def nested(residual: Image) -> Image:
            residuals = [residual]
            for grid in levels[:-1]:
                residuals.append(down(grid.fixed_to_zero(residuals[-1])))
            found = cycle(len(levels) - 1, residuals[-1])
            for k in reversed(range(len(levels) - 1)):
                grid = levels[k]
                found = grid.fixed_to_zero(up(found, grid.height, grid.width))
                found = found + cycle(k, residuals[k] - grid.matrix(found))
            return found

        return nested if self.full and not symmetric else lambda residual: cycle(0, residual)


def hierarchy(solver: Multigrid, view: LinearSystem, like: Image) -> list[Level]:
    """The grids, from the image down to one pixel."""
    if view.wraps:
        raise InputError(
            f"Multigrid() needs boundaries that do not wrap around, and those of {view.title} do; "
            "ConjugateGradient() solves it."
        )
    height, width = like.shape[2:]
    diagonal, sums = anatomy(solver, view, like)
    free = None if view.free is None else view.free.expand(*view.pattern, height, width)
    matrix: Callable[[Image], Image] = view.apply
    reach = view.reach or 0
    exact = height * width == 1  # a single pixel is solved exactly
    levels = [Level(matrix, 1 / diagonal if exact else solver.factor(diagonal, sums), free, height, width)]
    while height * width > 1 and len(levels) != solver.levels:
        fine = levels[-1]
        height, width = coarse_size(height), coarse_size(width)
        reach = (reach + 3) // 2 if solver.cells else max(1, (reach + 2) // 2)
        template = like.new_zeros(*view.pattern, height, width)
        stencil = Stencil.of(partial(_galerkin, fine, cells=solver.cells), template, reach)
        present = stencil.diagonal > 0
        row_sums = torch.where(present, stencil.row_sums, 1)
        factor = solver.factor(torch.where(present, stencil.diagonal, 1), row_sums) * present
        if height * width == 1:
            factor = torch.where(present, 1 / torch.where(present, stencil.diagonal, 1), 0)
        levels.append(Level(stencil, factor, None, height, width))
    return levels


def _galerkin(fine: Level, coarse: Image, *, cells: bool) -> Image:
    """P^T A P."""
    up, down = (prolong_cells, restrict_cells) if cells else (prolong, restrict)
    return down(fine.fixed_to_zero(fine.matrix(fine.fixed_to_zero(up(coarse, fine.height, fine.width)))))
