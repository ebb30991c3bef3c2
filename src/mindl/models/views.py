r"""The views of a model: what a solver may ask of it.

    Model
    └── Energy           energy(u), a safe (sub)gradient
        ├── SmoothEnergy     gradient, Lipschitz constant, modulus of strong convexity
        │   └── LinearSystem     A d, right-hand side
        │       └── MonotoneSystem   A is an M-matrix: maximum errors can be proved
        └── SaddlePoint      K, proximal maps of both sides, a duality gap that is a sum of terms >= 0

A view is a type. A solver declares the one it accepts; ``model.view(kind)`` returns it or explains why the
model does not have it. A model of one's own subclasses ``Energy`` and writes ``energy(u)``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeVar

import torch
from torch import Tensor

from mindl.calculus import Operator
from mindl.core.arrays import Dual, Image, PerImage, PerImageFlag
from mindl.core.errors import InputError, NonFiniteError, ViewError

V = TypeVar("V", bound="Model")


class Model(ABC):
    """What is sought: an immutable record that never knows how it is solved."""

    @property
    def title(self) -> str:
        """The name by which messages and tables call the model."""
        return type(self).__name__

    def view(self, kind: type[V]) -> V:
        """The model as a ``kind``.

        Raises:
            ViewError: the model has no such view; the message says why.
        """
        if isinstance(self, kind):
            return self
        raise ViewError(f"{self.title} is no {kind.__name__}: {self.why_not(kind)}.")

    def why_not(self, kind: type[Model]) -> str | None:
        """The reason why the model has no view ``kind``, as half a sentence; None if it has it."""
        if isinstance(self, kind):
            return None
        return f"it is defined as {_article(type(self).__mro__[1].__name__)} and offers nothing more"

    def start(self) -> Image:
        """The image from which a solver begins when it is told nothing else.

        Raises:
            InputError: the model names none.
        """
        raise InputError(f"{self.title} names no start: pass one, or define start(self) in the model.")

    @property
    def image_shape(self) -> torch.Size | None:
        """The shape that candidates must have; None where the model names no start to tell it."""
        try:
            start = self.start()
        except InputError:
            return None
        if not isinstance(start, Tensor):
            raise InputError(
                f"{self.title}.start() must return a tensor (batch, channel, height, width), got "
                f"{type(start).__name__}."
            )
        return start.shape

    def admissible(self, image: Image) -> PerImageFlag:
        """Which images satisfy the model's hard constraints (by default all)."""
        return torch.ones(image.shape[0], dtype=torch.bool, device=image.device)

    def project(self, image: Image) -> Image:
        """The nearest admissible image (by default the image itself)."""
        return image

    def move(self, image: Image, step: Image) -> tuple[Image, Image]:
        """The image after a step, made admissible, and the step that was really made.

        Where the projection does nothing this is ``step`` itself, free of the rounding of a difference.
        """
        raw = image + step
        moved = self.project(raw)
        return moved, torch.where(moved == raw, step, moved - image)


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


class SmoothEnergy(Energy):
    r"""A differentiable energy.

    ``lipschitz`` bounds the gradient's Lipschitz constant from above (None: unknown, line search);
    ``modulus`` is a proved modulus of strong convexity mu: the distance to the minimiser is at most
    :math:`|\nabla E(u)| / \mu`. 0 where nothing is proved.
    """

    @property
    def lipschitz(self) -> float | Tensor | None:
        """Upper bound of |grad E(u) - grad E(v)| / |u - v|."""
        return None

    @property
    def modulus(self) -> float:
        """Proved modulus of strong convexity."""
        return 0.0


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

    @abstractmethod
    def apply(self, direction: Image, out: Tensor | None = None, scratch: Tensor | None = None) -> Image:
        """A d. With ``out`` and ``scratch`` (both of the image's shape) nothing is allocated."""


class MonotoneSystem(LinearSystem):
    r"""A linear system whose matrix is an M-matrix: :math:`A^{-1} \ge 0` entry by entry.

    Then every v with :math:`A v \ge |r|`, r = b - A u the residual, proves :math:`|u - u^*| \le v` pixel by
    pixel: :math:`\pm(u^* - u) = \pm A^{-1} r \le A^{-1} |r| \le v`.
    """

    @property
    @abstractmethod
    def inverse_bound(self) -> float:
        r"""A bound of :math:`\|A^{-1}\|_\infty` known beforehand; infinite where there is none."""


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

    @abstractmethod
    def data_range(self) -> tuple[Tensor, Tensor] | None:
        """Smallest and largest data value of each image if the minimiser stays between them, else None."""


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


def _article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "AEIOU" else f"a {noun}"
