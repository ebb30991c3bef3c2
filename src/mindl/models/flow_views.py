r"""The views of a flow: what a time-stepping scheme may ask of it.

    Flow                 u_t = rate(u)
    ├── Quasilinear          the rate is b - A(u) u with a symmetric A(u) >= 0
    │   └── Splittable           A(u) is a sum of chains of pixels along the axes
    └── ConvexFlow           minus a subgradient of F(L u), F convex: distances do not grow

Every ``SmoothEnergy`` is a ``Flow`` too: its rate is minus the gradient.
"""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor

from mindl.calculus import Operator
from mindl.core.arrays import Dual, Image
from mindl.models.flow import Flow
from mindl.models.views import Energy, LinearSystem


class Quasilinear(Flow):
    r"""A flow with the rate :math:`b - A(u) u`, A(u) symmetric and positive semidefinite.

    Where there is an energy, its gradient is minus the rate, and the quadratic with A frozen at u lies above the
    energy and touches it at u.
    """

    @abstractmethod
    def frozen(self, image: Image) -> LinearSystem:
        """The system with the matrix A(image); its products are what counts."""

    def rate(self, image: Image) -> Image:
        """b - A(u) u."""
        return -self.frozen(image).gradient(image)


class Splittable(Quasilinear):
    """A quasilinear flow in which every pixel exchanges grey values with its four neighbours only."""

    @abstractmethod
    def conductances(self, image: Image) -> tuple[Tensor, Tensor]:
        """How much flows, for a difference of 1, between a pixel and its right and its lower neighbour; >= 0.

        (batch, 1 or channel, height, width) each; the last column, and the last row, count for nothing.
        """


class ConvexFlow(Flow):
    r"""Steepest descent of a convex energy, :math:`-\partial_t u \in \partial E(u)` with :math:`E(u) = F(L u)`.

    Two solutions never move apart. A dual field p with F*(p) finite is a witness: L^T p is nearly a subgradient
    of E where ``field_gap(u, p)`` is small (``models.time_steps``).
    """

    @property
    @abstractmethod
    def operator(self) -> Operator:
        """L."""

    @abstractmethod
    def energy(self, image: Image) -> Tensor:
        """E(u) of each image."""

    @abstractmethod
    def slope(self, image: Image) -> Dual:
        """A subgradient p of F at L u: minus the rate is L^T p."""

    @abstractmethod
    def feasible(self, dual: Dual) -> Dual:
        """A nearby dual field with F*(p) finite, also after rounding."""

    @abstractmethod
    def field_gap(self, image: Image, dual: Dual) -> Tensor:
        """F(L u) + F*(p) - <L u, p> >= 0, group by group, for a feasible p."""

    @abstractmethod
    def only(self, index: int) -> ConvexFlow:
        """The flow of one image of the batch."""

    @abstractmethod
    def implicit_step(self, image: Image, duration: float) -> Energy:
        """The model whose minimiser is one implicit step: ½|v - u|^2 + duration E(v)."""
