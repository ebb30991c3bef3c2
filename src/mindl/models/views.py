r"""The views of a model: what a solver may ask of it.

    Model
    ├── Flow             u_t = rate(u): see mindl.models.flow
    └── Energy           energy(u), a safe (sub)gradient
        ├── SmoothEnergy     gradient, Lipschitz constant, modulus of strong convexity; a Flow too
        │   └── LinearSystem     A d, right-hand side
        │       ├── MonotoneSystem       A is an M-matrix: maximum errors can be proved
        │       └── PolyharmonicSystem   A is a power of the Laplacian: errors in the mean can be proved
        └── SaddlePoint      K, proximal maps of both sides, a duality gap that is a sum of terms >= 0
            └── StronglyConvexSaddlePoint   the dual problem is smooth
                └── SpectralSaddlePoint         K^T K is inverted by a fast transform

A view is a type. A solver declares the one it accepts; ``model.view(kind)`` returns it or explains why the
model does not have it. A model of one's own subclasses ``Energy`` and writes ``energy(u)``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mindl.calculus import Operator
from mindl.calculus.operators import colours
from mindl.core.arrays import Dual, Image, PerImage, PerImageFlag, highest
from mindl.core.errors import InputError, NonFiniteError
from mindl.core.reduce import norm
from mindl.models.flow import Flow
from mindl.models.model import Model

if TYPE_CHECKING:
    from mindl.models.fused_linear import Laplacian


class Energy(Model):
    """A model that is the minimiser of an energy.

    Subclasses write ``energy``; the gradient comes from autograd.

    >>> class Tied(Energy):
    ...     def __init__(self, data):
    ...         self.data = data
    ...     def energy(self, u):
    ...         return (u - self.data).square().sum(dim=(1, 2, 3))
    >>> Tied(torch.zeros(1, 1, 2, 2)).gradient(torch.ones(1, 1, 2, 2)).flatten()
    tensor([2., 2., 2., 2.])
    """

    @abstractmethod
    def energy(self, image: Image) -> PerImage:
        """E(u) of each image, shape (batch,)."""

    def checked_energy(self, image: Image) -> PerImage:
        """``energy``, once its shape is known to be (batch,).

        Raises:
            InputError: another shape; a sum over the whole batch would let images influence each other.
        """
        values = self.energy(image)
        if not isinstance(values, Tensor) or values.shape != (image.shape[0],):
            got = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise InputError(
                f"{self.title}.energy(u) must return one number per image, shape ({image.shape[0]},), got "
                f"{got}: sum over all dimensions but the first, say .sum(dim=(1, 2, 3))."
            )
        return values

    def gradient(self, image: Image) -> Image:
        """A (sub)gradient of E at u, by autograd; differentiable again where u or the model's tensors are.

        Raises:
            NonFiniteError: the derivative is NaN or infinite, as that of ``sqrt`` at 0.
        """
        followed = torch.is_grad_enabled() and image.requires_grad
        differentiable = followed or (torch.is_grad_enabled() and self.checked_energy(image).requires_grad)
        with torch.enable_grad():
            variable = image if followed else image.detach().requires_grad_()
            values = self.checked_energy(variable)
            (gradient,) = torch.autograd.grad(values.sum(), variable, create_graph=differentiable)
        if not bool(torch.isfinite(values).all()):
            raise NonFiniteError(f"{self.title}.energy is NaN or infinite at an image that is to be improved.")
        broken = int((~torch.isfinite(gradient)).sum())
        if broken:
            raise NonFiniteError(
                f"{self.title}.energy has a NaN or infinite derivative at {broken} pixels, as a square root "
                "has at 0: mindl.calculus.safe_sqrt has the subgradient 0 there."
            )
        return gradient


class SmoothEnergy(Energy, Flow):
    r"""A differentiable energy. As a flow it descends: :math:`\partial_t u = -\nabla E(u)`.

    ``lipschitz`` bounds the gradient's Lipschitz constant from above (None: unknown, line search);
    ``modulus`` is a proved modulus of strong convexity mu: the distance to the minimiser is at most
    :math:`|\nabla E(u)| / \mu`. 0 where nothing is proved.
    """

    def rate(self, image: Image) -> Image:
        """Minus the gradient."""
        return -self.gradient(image)

    @property
    def stable_step(self) -> float | None:
        """2 / lipschitz: where the energy is convex, no two solutions move apart up to there."""
        bound = self.lipschitz
        return None if bound is None else 2 / highest(bound)

    @property
    def lipschitz(self) -> float | Tensor | None:
        """Upper bound of |grad E(u) - grad E(v)| / |u - v|."""
        return None

    @property
    def modulus(self) -> float:
        """Proved modulus of strong convexity, of all images of a batch."""
        return 0.0

    @property
    def modulus_per_image(self) -> float | Tensor:
        """The modulus of each image, (batch,), where they differ."""
        return self.modulus

    def hessian(self, image: Image) -> Callable[[Image], Image] | None:
        """d -> H d at an image, without autograd; None where autograd has to find it."""
        return None


class LinearSystem(SmoothEnergy):
    """A quadratic energy: its minimiser solves A u = b with a symmetric positive definite A.

    Where the model fixes pixels, the system is that of the free ones: directions d vanish at the fixed
    pixels, and so does the gradient, which is A u - b there. The energy is a sum of squares (not below 0).
    """

    @property
    def free(self) -> Tensor | None:
        """The pixels that are sought, as a boolean mask; None when all are."""
        return None

    @property
    @abstractmethod
    def right_hand_side(self) -> Image:
        """b. Its norm is the scale of the residual."""

    @property
    def reach(self) -> int | None:
        """How many pixels far A looks along an axis; None: not known, and nobody may take A apart."""
        return None

    @property
    def wraps(self) -> bool:
        """Whether the first row and the last one are neighbours, and so the columns."""
        return False

    @property
    def pattern(self) -> tuple[int, int]:
        """(batch, channel) of what A depends on, as a mask that all images share; what broadcasts is 1."""
        return tuple(self.right_hand_side.shape[:2])  # type: ignore[return-value]

    def colours(self, height: int, width: int) -> Iterator[Tensor]:
        """Sets of pixels that do not see each other through A and cover the image: (height, width) masks."""
        if self.reach is None:
            raise InputError(f"{self.title} does not say how far its matrix looks (LinearSystem.reach).")
        return colours(height, width, self.reach, wraps=self.wraps)

    @abstractmethod
    def apply(self, direction: Image, out: Tensor | None = None, scratch: Tensor | None = None) -> Image:
        """A d. With ``out`` and ``scratch`` (both of the image's shape) nothing is allocated."""

    @property
    def origin(self) -> LinearSystem:
        """The system that A belongs to: where what was made of A is kept."""
        return self

    @cached_property
    def seeks(self) -> PerImageFlag | None:
        """Which images have a free pixel; None: all."""
        return None if self.free is None else self.free.flatten(1).any(dim=1)

    @property
    def laplacian(self) -> Laplacian | None:
        """What A is where fused sweeps know it, a sum of the identity and a power of the Laplacian; else None."""
        return None

    @cached_property
    def norm_of_right_hand_side(self) -> PerImage:
        """The norm of b: what residuals are measured against."""
        return norm(self.right_hand_side.detach())

    def residual_sums(self, image: Image, values: Image | None) -> ResidualSums | None:
        """What residual and witness are judged by, in one passage; None where there is no such short cut."""
        return None


@dataclass(frozen=True, eq=False)
class ResidualSums:
    """What the certificate of a linear system rests on, for each image, in float64.

    Energy, |r|^2, the largest |r|; and for a witness v, which is 0 at known pixels, the least of A v - |r| (or of
    H v - 1) on the free pixels, max v and |v|^2.
    """

    energy: PerImage
    squared: PerImage
    peak: PerImage
    margin: PerImage
    height: PerImage
    values_squared: PerImage


class MonotoneSystem(LinearSystem):
    r"""A linear system whose matrix is an M-matrix: :math:`A^{-1} \ge 0` entry by entry.

    Then every v with :math:`A v \ge |r|`, r = b - A u the residual, proves :math:`|u - u^*| \le v` pixel by
    pixel: :math:`\pm(u^* - u) = \pm A^{-1} r \le A^{-1} |r| \le v`.
    """

    @property
    @abstractmethod
    def inverse_bound(self) -> float:
        r"""A bound of :math:`\|A^{-1}\|_\infty` known beforehand; infinite where there is none."""


class PolyharmonicSystem(LinearSystem):
    r"""Known pixels, and A a power of minus the Laplacian L on the free ones: :math:`A = P L^m P^T`.

    A is no M-matrix for m > 1, and solutions may overshoot. With :math:`H = P L P^T`, the harmonic system of the
    same pixels, every x on the free pixels satisfies :math:`\langle x, L^m x\rangle \ge \langle x, L x\rangle^m`
    for |x| = 1 (Jensen, in the eigenbasis of L). So w with :math:`H w \ge 1` proves
    :math:`\|A^{-1}\| \le \|H^{-1}\|^m \le (\max w)^m`, and :math:`|u - u^*| \le (\max w)^m |r|` (derived for this
    project).
    """

    @property
    @abstractmethod
    def order(self) -> int:
        """m."""

    @property
    @abstractmethod
    def harmonic(self) -> MonotoneSystem:
        """H."""

    @abstractmethod
    def inverse_bound(self, height: PerImage) -> PerImage:
        r"""The bound of the norm of the inverse of A that a w no larger than ``height`` proves."""


@dataclass(frozen=True, eq=False)
class GapSums:
    """What a duality gap is made of, for each image, in float64: the energy, both kinds of terms >= 0, |p|^2, and
    the sum of ``looseness``."""

    energy: PerImage
    field: PerImage
    data: PerImage
    dual_squared: PerImage
    loose: PerImage


class SaddlePoint(Energy):
    r"""A convex model :math:`\min_u D(u) + F(Ku) = \min_u \max_p D(u) + \langle Ku, p\rangle - F^*(p)`."""

    @property
    @abstractmethod
    def operator(self) -> Operator:
        """K."""

    @property
    @abstractmethod
    def modulus(self) -> float:
        r"""mu if D is strongly convex with modulus mu and D* with 1 / mu, as :math:`\tfrac\mu2|u - f|^2` is.

        0 where this does not hold: no distance is proved then.
        """

    @property
    def modulus_of_unknown(self) -> float:
        """The modulus of D in all blocks of the unknown: what a solver may accelerate with."""
        return self.modulus

    @abstractmethod
    def prox_data(self, image: Image, step_size: float, out: Tensor | None = None) -> Image:
        """argmin_v D(v) + |v - u|^2 / (2 step_size)."""

    @abstractmethod
    def prox_dual(
        self,
        dual: Dual,
        step_size: float,
        out: Tensor | None = None,
        scratch: tuple[Tensor, Tensor] | None = None,
    ) -> Dual:
        """argmin_q F*(q) + |q - p|^2 / (2 step_size)."""

    @abstractmethod
    def feasible(self, dual: Dual) -> Dual:
        """A nearby dual field with F*(p) finite, also after rounding."""

    @abstractmethod
    def magnitude(self, dual: Dual) -> Tensor:
        """Magnitudes of the groups that the penaliser couples."""

    @abstractmethod
    def primal_of(self, dual: Dual) -> Image:
        r"""The image that belongs to a dual field, :math:`u_p = \nabla D^*(-K^T p)`; for ROF f + div p."""

    @abstractmethod
    def data_gap(self, image: Image, dual: Dual) -> Image:
        """D(u) + D*(-K^T p) + <K u, p> >= 0, pixel by pixel."""

    @abstractmethod
    def field_gap(self, image: Image, dual: Dual) -> Tensor:
        """F(K u) + F*(p) - <K u, p> >= 0, group by group, for a feasible p."""

    @abstractmethod
    def energy_density(self, image: Image) -> tuple[Tensor, Image]:
        """F(K u) group by group, and D(u) pixel by pixel; both are >= 0."""

    def looseness(self, image: Image, dual: Dual) -> PerImage:
        """What the rounding of K^T p may be multiplied with in the gap; 0 where the data term bounds it itself."""
        return torch.zeros(image.shape[0], dtype=torch.float64, device=image.device)

    def gap_sums(self, image: Image, dual: Dual) -> GapSums | None:
        """The sums of the gap in one passage, for ``feasible(dual)``; None where there is no such short cut."""
        return None

    @abstractmethod
    def data_range(self) -> tuple[Tensor, Tensor] | None:
        """Smallest and largest data value of each image if the minimiser stays between them, else None."""


class StronglyConvexSaddlePoint(SaddlePoint):
    """A saddle point whose data term is strongly convex in all of the unknown: the dual problem is smooth."""


class SpectralSaddlePoint(StronglyConvexSaddlePoint):
    """One whose K^T K is diagonal in the Fourier basis of its boundary."""

    @abstractmethod
    def solve_normal(self, image: Image, zeroth: float, second: float) -> Image:
        """(zeroth + second K^T K)^-1 u."""


class Local(ABC):
    """A model that looks only ``radius`` pixels far: it can be judged and solved strip by strip."""

    @property
    @abstractmethod
    def radius(self) -> int:
        """How many pixels far."""

    @abstractmethod
    def crop(self, top: int, bottom: int, dtype: torch.dtype | None = None) -> Local:
        """The same model on the rows [top, bottom), cut off with reflecting boundaries.

        Rows at least ``radius`` away from a cut see what they saw in the whole image.
        """
