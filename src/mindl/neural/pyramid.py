"""Coarse to fine: a solver's steps on every grid of a pyramid, each the start of the next."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from torch import nn

from mindl.core.errors import InputError
from mindl.models import Candidate, Model
from mindl.neural.freedom import Freedom
from mindl.neural.neural_solver import NeuralSolver
from mindl.neural.unrolled import Unrolled
from mindl.solvers.cascadic import grids, onto
from mindl.solvers.solver import Solver


class Pyramid(NeuralSolver):
    r"""The cascadic method as a network: an ``Unrolled`` solver on each of a few grids, the coarsest first.

    Between two grids the image is interpolated and the dual field repeated, as a cascadic start does it. With
    nothing learned it equals the solver's steps on each grid in turn. A grid has steps and parameters of its own.

    Args:
        solver: any solver that ``Unrolled`` takes.
        steps: on each grid, the finest first; as many numbers as grids. Where an image is too small for all of
            them, the finest ones are used.
        learn: what is set free, as for ``Unrolled``; every grid has a copy of its own.
        title: the name in messages and tables.

    Raises:
        InputError: no grid; and as for ``Unrolled``.

    Source: Bornemann and Deuflhard, Numer. Math. 75 (1996).

    >>> import torch, mindl as md
    >>> net = Pyramid(md.solvers.PrimalDual(), steps=[5, 10], learn=[md.neural.StepSizes()])
    >>> net(md.models.rof(torch.rand(1, 1, 32, 32), weight=0.3)).image.shape
    torch.Size([1, 1, 32, 32])
    """

    def __init__(
        self,
        solver: Solver[Any, Any],
        steps: Sequence[int],
        learn: Sequence[Freedom] = (),
        *,
        title: str | None = None,
    ) -> None:
        super().__init__(channels=None, title=title)
        if not isinstance(steps, Sequence) or not steps or not isinstance(learn, Sequence):
            raise InputError(
                f"Pyramid(steps={steps}, learn={learn!r}) needs steps for one grid or more, such as [5, 10], and "
                "a list of what is set free, such as [StepSizes()]."
            )
        self.levels = nn.ModuleList(Unrolled(solver, count, copy.deepcopy(list(learn))) for count in steps)
        self.solver, self.steps, self.accepts = solver, list(steps), solver.accepts

    @property
    def learn(self) -> list[Freedom]:
        """What is set free, on the finest grid."""
        return self._of(0).freedoms

    def why_not(self, model: Model) -> str | None:
        """What is set free must be there."""
        return self._of(0).why_not(model)

    def forward(self, model: Model) -> Candidate:
        """The candidate of the finest grid."""
        self.check(model)
        used = grids(model)[: len(self.levels)]
        found: Candidate | None = None
        for k in reversed(range(len(used))):
            start = None if found is None else onto(used[k], found.image, found.dual)
            found = self._of(k)(used[k], start)
        assert found is not None
        return found

    def _of(self, level: int) -> Unrolled:
        net = self.levels[level]
        assert isinstance(net, Unrolled)
        return net

    @property
    def about(self) -> str:
        """Solver and steps."""
        return f"{self._of(0).solver.title}, {self.steps} steps"
