r"""Systems A d = g with a model's matrix and another right-hand side: for proofs and derivatives."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mindl.core.arrays import Image, PerImage
from mindl.core.reduce import inner, norm
from mindl.models.candidate import Candidate
from mindl.models.fused_linear import Laplacian, laplacian_of
from mindl.models.views import LinearSystem, SmoothEnergy
from mindl.solvers.conjugate_gradient import ConjugateGradient, ConjugateGradientState
from mindl.solvers.multigrid import Multigrid

Map = Callable[..., Tensor]

ROUGH = 1e-3
"""Residuals from here on are reached in the image's own type, in half the time."""


@dataclass(frozen=True, eq=False)
class Correction(LinearSystem):
    r"""A d = g for directions d (which vanish at fixed pixels); its energy is ½⟨d, A d⟩ - ⟨g, d⟩.

    ``of`` is the system whose matrix it is, if that may be taken apart.
    """

    matrix: Map
    right: Image
    of: LinearSystem | None = None

    @property
    def free(self) -> Tensor | None:
        """The free pixels of the system."""
        return None if self.of is None else self.of.free

    @property
    def reach(self) -> int | None:
        """How far A looks."""
        return None if self.of is None else self.of.reach

    @property
    def wraps(self) -> bool:
        """Whether A looks around the image."""
        return self.of is not None and self.of.wraps

    @property
    def pattern(self) -> tuple[int, int]:
        """(batch, channel) of what A depends on."""
        return super().pattern if self.of is None else self.of.pattern

    @property
    def origin(self) -> LinearSystem:
        """That of the system, if it has its matrix."""
        return self if self.of is None or self.matrix != self.of.apply else self.of.origin

    @property
    def laplacian(self) -> Laplacian | None:
        """What the matrix is, where sweeps know it, with g as the right-hand side."""
        known = laplacian_of(self.matrix)
        return None if known is None else replace(known, data=self.right, right=True)

    @property
    def right_hand_side(self) -> Image:
        """g."""
        return self.right

    def apply(self, direction: Image, out: Tensor | None = None, scratch: Tensor | None = None) -> Image:
        """A d."""
        return self.matrix(direction, out, scratch)

    def gradient(self, image: Image) -> Image:
        """A d - g."""
        return self.matrix(image) - self.right

    def energy(self, image: Image) -> PerImage:
        """½⟨d, A d⟩ - ⟨g, d⟩."""
        return inner(image, self.matrix(image)) / 2 - inner(self.right, image)


@dataclass(eq=False)
class Counted:
    """A matrix that counts the products with it."""

    matrix: Map
    products: int = 0

    def __call__(self, direction: Image, out: Tensor | None = None, scratch: Tensor | None = None) -> Image:
        """The product."""
        self.products += 1
        return self.matrix(direction, out, scratch)

    def add(self, products: int) -> None:
        """Count products that a sweep has taken."""
        self.products += products

    @property
    def laplacian(self) -> Laplacian | None:
        """That of the matrix."""
        known = laplacian_of(self.matrix)
        return None if known is None else replace(known, tally=self.add)


def iterates(system: Correction, steps: int) -> Iterator[tuple[ConjugateGradientState, PerImage]]:
    """Conjugate gradients from 0: (state, relative residual of each image) after every few steps.

    With multigrid as preconditioner where the matrix may be taken apart.
    """
    multigrid = system.reach is not None and not system.wraps
    solver, every = ConjugateGradient(preconditioner=Multigrid() if multigrid else None), 1 if multigrid else 10
    state = solver.begin(system, Candidate(torch.zeros_like(system.right)))
    scale = state.squared  # the residual of 0
    for done in range(0, steps, every):
        state = solver.advance(system, state, min(every, steps - done))
        relative = torch.where(scale > 0, state.squared / torch.where(scale > 0, scale, 1), 0).sqrt()
        yield state, relative


def solve(system: Correction, tolerance: float, steps: int = 5000) -> Image:
    """d with a relative residual of at most ``tolerance``, or the best after ``steps``."""
    found = torch.zeros_like(system.right)
    done = torch.zeros(found.shape[0], dtype=torch.bool, device=found.device)
    for state, relative in iterates(system, steps):
        now = ~done & (relative <= tolerance)  # each image stops on its own
        if bool(now.any()):
            found = torch.where(now.reshape(-1, 1, 1, 1), state.unknown.to(found.dtype), found)
        done = done | now
        if bool(done.all()):
            return found
    return torch.where(done.reshape(-1, 1, 1, 1), found, state.unknown.to(found.dtype))


def solve_followed(system: Correction, tolerance: float, steps: int = 5000) -> Image:
    r"""``solve``, and autograd may differentiate the solution: d of A(theta) d = g(theta).

    The derivative is :math:`A^{-1} (dg - dA\, d)`, so that going back takes one more system, and no memory for the
    steps of either.
    """
    with torch.no_grad():
        found = solve(system, tolerance, steps)
    if not torch.is_grad_enabled():
        return found
    rest = system.gradient(found)
    return found - inverse(rest, system, tolerance) if rest.requires_grad else found


def inverse(rest: Image, system: Correction, tolerance: float) -> Image:
    """0, with the derivative :math:`A^{-1} d(rest)` for autograd: what a Newton step would correct."""
    zero: Image = _Inverse.apply(rest, system, tolerance)  # type: ignore[no-untyped-call]
    return zero


class _Inverse(torch.autograd.Function):
    """Forward 0 (the solution is not moved), backward A^-1."""

    @staticmethod
    def forward(ctx: Any, rest: Tensor, system: Correction, tolerance: float) -> Tensor:
        ctx.system, ctx.tolerance = system, tolerance
        return torch.zeros_like(rest)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *incoming: Any) -> Any:
        (upstream,) = incoming
        if ctx.system.free is not None:
            upstream = torch.where(ctx.system.free, upstream, 0)
        exact = ctx.tolerance < ROUGH  # which float32 cannot reach
        system: Correction = replace(ctx.system, right=upstream.double() if exact else upstream)
        found = solve(system, ctx.tolerance)
        rest, scale = norm(system.gradient(found)), norm(system.right)
        if bool((rest > 2 * ctx.tolerance * scale).any()):
            reached = float((rest / scale.clamp(min=1e-300)).max())
            warnings.warn(
                f"The system of a derivative was solved to a relative residual of {reached:.1e} only, not "
                f"{ctx.tolerance:g}: the derivative is that inexact.",
                stacklevel=2,
            )
        return found.to(upstream.dtype), None, None


def hessian(view: SmoothEnergy, image: Image) -> Map:
    """d -> H d at an image: what the view says, or by differentiating twice, the gradient once and a product
    with it once more.

    Not by symmetry, H d = H^T d: at fixed pixels the gradient is 0 whatever the image, and the transposed
    product is not.
    """
    graphs: dict[torch.dtype, tuple[Tensor, Tensor]] = {}
    own = {image.dtype: view.hessian(image.detach())}

    def graph(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        if dtype not in graphs:
            with torch.enable_grad():
                variable = image.detach().to(dtype).requires_grad_()
                probe = torch.zeros_like(variable, requires_grad=True)
                (transposed,) = torch.autograd.grad(view.gradient(variable), variable, probe, create_graph=True)
            graphs[dtype] = transposed, probe
        return graphs[dtype]

    def product(direction: Tensor, out: Tensor | None = None, scratch: Tensor | None = None) -> Tensor:
        dtype = direction.dtype
        if dtype not in own:
            own[dtype] = view.hessian(image.detach().to(dtype))
        known = own[dtype]
        if known is not None:
            with torch.no_grad():
                result = known(direction)
            return result if out is None else out.copy_(result)
        transposed, probe = graph(dtype)
        (result,) = torch.autograd.grad(transposed, probe, direction, retain_graph=True)
        return result if out is None else out.copy_(result)

    return product
