"""Which fused sweeps serve which linear system: conjugate gradient steps and cycles of multigrid.

Each function returns None where no sweep serves, and plain PyTorch goes on; both agree to rounding. Kernels are
imported when the first is needed, since that loads Numba.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from mindl.core.arrays import Image, PerImage
from mindl.kernels.choice import serves
from mindl.models.fused_linear import Laplacian, laplacian_of
from mindl.models.views import LinearSystem
from mindl.solvers.dispatch import array
from mindl.solvers.preconditioner import Correct

if TYPE_CHECKING:
    from mindl.kernels.hierarchy import Cycle

# ruff: noqa: PLC0415


def served(view: LinearSystem, image: Image) -> Laplacian | None:
    """What the matrix of a system is, where sweeps may work on images like this one."""
    if not serves(image):
        return None
    system = laplacian_of(view)
    if system is None or system.followed or system.data.dtype != image.dtype or system.data.shape != image.shape:
        return None
    return system


class ConjugateSteps:
    """Conjugate gradient steps in place, on the tensors of a state."""

    def __init__(self, system: Laplacian, unknown: Tensor, residual: Image, direction: Image) -> None:
        from mindl.kernels.conjugate_gradient import Workspace

        width, threads = direction.shape[3], torch.get_num_threads()
        self.system, self.residual, self.height = system, residual, direction.shape[2]
        self.images: list[tuple[Any, ...]] = []
        for b, (data, free) in enumerate(system.rows()):
            own = [array(t[b].view(-1, width)) for t in (unknown, residual, direction)]
            space = Workspace(own[2], system.identity, system.share_of(b), system.order, threads)
            self.images.append((space, *own, array(data), array(free)))

    def _run(self, count: int, steps: int, refresh: int, turning: bool) -> None:
        rest = self.height, self.system.right, count, steps, refresh, turning
        for space, *tensors in self.images:
            space.advance(*tensors, *rest)
        self.system.tally(max(steps, 1))

    def _numbers(self, place: int) -> PerImage:
        return torch.tensor([float(space.numbers[place]) for space, *_ in self.images], dtype=torch.float64)

    def begin(self) -> tuple[PerImage, PerImage]:
        """The true residual, its square, and that of the image."""
        from mindl.kernels.conjugate_gradient import SIZE, SQUARED

        self._run(0, 0, 1, True)
        return self._numbers(SQUARED), self._numbers(SIZE)

    def advance(
        self,
        squared: PerImage,
        energetic: PerImage,
        floor: PerImage,
        count: int,
        steps: int,
        refresh: int,
        correct: Correct | None,
    ) -> tuple[PerImage, PerImage]:
        """``steps`` steps after ``count``: <r, r> and <r, B r> then."""
        from mindl.kernels.conjugate_gradient import ENERGETIC, SQUARED

        for b, (space, *_) in enumerate(self.images):
            space.numbers[:3] = float(squared[b]), float(energetic[b]), float(floor[b])
        if correct is None:
            self._run(count, steps, refresh, True)
            return self._numbers(SQUARED), self._numbers(ENERGETIC)
        buffer = torch.empty_like(self.residual)  # nothing is allocated in a step
        for done in range(steps):
            self._run(count + done, 1, refresh, False)
            if isinstance(correct, FusedCycles):
                towards = correct(self.residual, buffer)
            else:
                towards = correct(self.residual).contiguous()
            self._turn(towards)
        return self._numbers(SQUARED), self._numbers(ENERGETIC)

    def _turn(self, towards: Image) -> None:
        for b, (space, _, residual, direction, *_) in enumerate(self.images):
            space.turn(residual, array(towards[b].view(residual.shape)), direction)

    def first(self, correct: Correct | None) -> PerImage:
        """The first direction, in the place of zeros, and <r, B r>."""
        from mindl.kernels.conjugate_gradient import ENERGETIC

        towards = self.residual if correct is None else correct(self.residual).contiguous()
        self._turn(towards)
        return self._numbers(ENERGETIC)


def conjugate_steps(
    view: LinearSystem, unknown: Tensor, residual: Image, direction: Image
) -> ConjugateSteps | None:
    """Steps on the tensors of a state."""
    system = served(view, residual)
    tensors = (unknown, residual, direction)
    if system is None or not all(t.is_contiguous() for t in tensors):
        return None
    return ConjugateSteps(system, *tensors)


class FusedCycles:
    """Cycles of multigrid that begin with 0: B r for each image and channel, symmetric."""

    def __init__(self, system: Laplacian, like: Image, visits: int, smoothing: int) -> None:
        from mindl.kernels.hierarchy import Cycle

        height, width = like.shape[2:]
        kind = array(like).dtype.type
        self.cycle: Cycle = Cycle(height, width, kind, visits, smoothing, torch.get_num_threads())
        self.free = system.free_pixels()
        shares = system.share.shape[0] if isinstance(system.share, Tensor) else 1
        self.pattern = max(shares, self.free.shape[0]), self.free.shape[1]
        self.hierarchies = {
            (b, c): self.cycle.hierarchy(self._plane(self.free, b, c), system.identity, system.share_of(b))
            for b in range(min(self.pattern[0], like.shape[0]))
            for c in range(self.pattern[1])
        }

    def _plane(self, tensor: Tensor, b: int, c: int) -> Any:
        return array(tensor[b % tensor.shape[0], c % tensor.shape[1]])

    def __call__(self, residual: Image, out: Tensor | None = None) -> Image:
        """B r."""
        residual = residual.contiguous()
        out = torch.empty_like(residual) if out is None else out
        for b, c in self._planes(residual):
            free, own = self._plane(self.free, b, c), self.hierarchies[b % self.pattern[0], c % self.pattern[1]]
            self.cycle(array(residual[b, c]), array(out[b, c]), free, own)
        return out

    def _planes(self, image: Image) -> Iterator[tuple[int, int]]:
        return ((b, c) for b in range(image.shape[0]) for c in range(image.shape[1]))


_MADE: WeakKeyDictionary[LinearSystem, dict[tuple[object, ...], FusedCycles]] = WeakKeyDictionary()
"""The cycles that were made for a system: a proof uses those of the solver."""


def cycles(view: LinearSystem, like: Image, visits: int, smoothing: int) -> FusedCycles | None:
    """The cycles of ``Multigrid(visits, smoothing)`` for a five-point matrix."""
    system = served(view, like)
    if system is None or system.order != 1:
        return None
    made, key = _MADE.setdefault(view.origin, {}), (like.shape, like.dtype, visits, smoothing)
    if key not in made:
        made[key] = FusedCycles(system, like, visits, smoothing)
    return made[key]
