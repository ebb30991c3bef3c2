"""Hierarchies of grids for ``kernels.multigrid``: matrices, the order of a cycle's operations, its scratch."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from mindl.kernels import five_point
from mindl.kernels.compiled import Array, Flags, run
from mindl.kernels.galerkin import DAMPING, PLANES, coarsen
from mindl.kernels.multigrid import ADD, BACK, COPY, CORRECT, FIRST, FORTH, KEEP, RESTRICT, SCALE, cycle

Operation = tuple[int, int, int]
"""Which, on which grid, and whether what is kept begins anew."""


def program(levels: int, visits: int, smoothing: int) -> np.ndarray[Any, Any]:
    """The operations of a cycle of ``Multigrid(visits, smoothing)``."""

    def smooth(level: int, start: list[Operation], more: int, spare: bool) -> list[Operation]:
        """``more`` steps after the start, whose result lies in the spare buffer or in f; in the end in f."""
        made = list(start)
        for _ in range(more):
            made.append((BACK if spare else FORTH, level, 0))
            spare = not spare
        return [*made, (COPY, level, 0)] if spare else made

    def one(level: int) -> list[Operation]:
        if level == levels - 1:
            return [(SCALE, level, 0)]
        begin = (SCALE if smoothing == 1 else FIRST, level, 0)
        made = [*smooth(level, [begin], max(smoothing - 2, 0), False), (RESTRICT, level, 0)]
        made += one(level + 1)
        for visit in range(visits - 1):
            made += [(KEEP, level + 1, int(visit == 0)), *one(level + 1)]
        if visits > 1:
            made.append((ADD, level + 1, 0))
        return made + smooth(level, [(CORRECT, level, 0)], smoothing - 1, True)

    return np.array(one(0), np.int64)


class Cycle:
    """The hierarchies of planes of one size, and what a cycle on one of them needs."""

    def __init__(
        self, height: int, width: int, kind: type[np.floating[Any]], visits: int, smoothing: int, threads: int
    ) -> None:
        sizes = [(height, width)]
        while sizes[-1] != (1, 1):
            sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
        kept = 3 if visits > 1 else 2
        pixels = np.array([0, 0, *(h * w for h, w in sizes[1:])][: len(sizes) + 1], np.int64)
        begins = np.cumsum(pixels)
        self.grids = np.array(
            [(h, w, PLANES * b, kept * b) for (h, w), b in zip(sizes, begins, strict=False)], np.int64
        )
        self.total, self.kind, self.threads = int(sum(h * w for h, w in sizes[1:])), kind, threads
        self.vectors = np.empty(kept * self.total, kind)
        self.spare = np.empty(height * width, kind)
        self.rings, self.nothing = (
            np.empty((five_point.shares(height, width, threads, 1), 8 * width), kind),
            np.zeros(width, kind),
        )
        self.passages = self._together(program(len(sizes), visits, smoothing))

    def hierarchy(self, free: Flags, identity: float, share: float) -> tuple[Array, Array, Array]:
        """The coarse matrices of a plane, the finest factors, and c, k, 1/2."""
        matrices = np.empty(PLANES * self.total, self.kind)
        views = [matrices[w : w + PLANES * h * v].reshape(PLANES * h, v) for h, v, w, _ in self.grids[1:]]
        for level, coarse in enumerate(views):
            fine = views[level - 1] if level > 0 else coarse
            coarsen(fine, free, level == 0, identity, share, coarse, self.threads)
        beside = np.full(free.shape[1], 2)
        beside[0] -= 1
        beside[-1] -= 1
        diagonal = identity + share * (np.arange(3)[:, None] + beside)
        damping = DAMPING if len(self.grids) > 1 else 1.0
        factors = damping / np.where(diagonal > 0, diagonal, 1)
        return matrices, factors.astype(self.kind), np.array([identity, share, 0.5], self.kind)

    def __call__(self, r: Array, f: Array, free: Flags, hierarchy: tuple[Array, Array, Array]) -> None:
        """f = B r for a plane."""
        matrices, factors, scalars = hierarchy
        for parts, operations in self.passages:
            run(
                cycle, parts, r, f, self.spare, free, factors, matrices, self.vectors, self.grids, operations,
                scalars, self.rings, self.nothing, parts,
            )  # fmt: skip

    def _together(self, operations: np.ndarray[Any, Any]) -> list[tuple[int, np.ndarray[Any, Any]]]:
        """The operations one after the other, cut where the number of threads changes: small grids stay in one."""
        sizes = self.grids[operations[:, 1], 0] * self.grids[operations[:, 1], 1]
        parts = np.clip(sizes // five_point.GRAIN, 1, len(self.rings))
        cuts = [0, *(np.flatnonzero(np.diff(parts)) + 1), len(parts)]
        return [(int(parts[a]), operations[a:b]) for a, b in itertools.pairwise(cuts)]
