r"""Penalisers with a part that is learned: what they were, times a factor that is 1 to begin with."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from mindl.calculus.coupling import Coupling
from mindl.calculus.penalisers import ConvexPenaliser, Penaliser, SmoothPenaliser
from mindl.calculus.safe import confined, safe_sqrt
from mindl.core.arrays import Weight, highest, per_image
from mindl.core.errors import InputError

LEAST_GAIN = 1e-12
"""Gains below count as this: dual fields are divided by them."""

QUADRATURE = 8
"""Points of Gauss and Legendre between two knots."""

LEAST = 1e-6
"""The bound of factors that are 0 everywhere: an image that nothing moves has no largest stable step."""


@dataclass(frozen=True, eq=False)
class Factor(ABC):
    """m(s) of magnitudes (batch, channel, group, height, width), or (batch, channel, height, width).

    There is a row of ``values`` for each further group (``calculus.Beside``), and a first one for all others.
    Knots are equidistant from 0 to ``reach``, a number or one per image.
    """

    values: Tensor
    reach: Weight

    @abstractmethod
    def __call__(self, magnitude: Tensor) -> Tensor:
        """m(s)."""

    @property
    @abstractmethod
    def largest(self) -> float:
        """An upper bound of |m|."""

    @property
    def knots(self) -> int:
        """How many."""
        return self.values.shape[1]

    def row(self, magnitude: Tensor) -> Tensor:
        """Which row belongs to each group, shaped to index with a place."""
        if magnitude.ndim == 4:
            return torch.zeros(1, 1, 1, 1, dtype=torch.long, device=magnitude.device)
        groups = magnitude.shape[2]
        index = torch.arange(groups, device=magnitude.device) - (groups - self.values.shape[0])
        return index.clamp(min=0).reshape(1, 1, -1, 1, 1)


class LinearFactor(Factor):
    """Linear between the values at the knots, constant beyond the last.

    >>> factor = LinearFactor(torch.tensor([[1.0, 0.5, 0.0]]), 2.0)
    >>> factor(torch.tensor([0.0, 0.5, 2.0, 9.0]).reshape(1, 1, 1, 4)).flatten().tolist()
    [1.0, 0.75, 0.0, 0.0]
    """

    def __call__(self, magnitude: Tensor) -> Tensor:
        """Interpolation."""
        table, last = self.values.to(magnitude.dtype), self.knots - 1
        place = (magnitude / per_image(self.reach, magnitude)).clamp(max=1) * last
        index = place.detach().long().clamp(max=max(last - 1, 0))
        row = self.row(magnitude)
        low, high = table[row, index], table[row, (index + 1).clamp(max=last)]
        return low + (place - index) * (high - low)

    @property
    def largest(self) -> float:
        """That of a knot."""
        return float(self.values.detach().abs().max())


class RadialFactor(Factor):
    r"""1 plus a sum of Gaussians about the knots, one knot's distance wide, confined to [0, 1]; constant beyond.

    .. math:: m(s) = 1 + \sum_j v_j \exp\big(-(s - s_j)^2 / 2 \delta^2\big)

    >>> float(RadialFactor(torch.tensor([[0.0, -0.5, 0.0]]), 2.0)(torch.ones(1, 1, 1, 1)))
    0.5
    """

    def __call__(self, magnitude: Tensor) -> Tensor:
        """The sum."""
        table = self.values.to(magnitude.dtype)
        place = (magnitude / per_image(self.reach, magnitude)).clamp(max=1) * (self.knots - 1)
        row, total = self.row(magnitude), torch.ones_like(magnitude)
        for j in range(self.knots):
            total = total + table[row, j] * torch.exp(-((place - j).square()) / 2)
        return confined(total, 0.0, 1.0)

    @property
    def largest(self) -> float:
        """1."""
        return 1.0


@dataclass(frozen=True, eq=False)
class Modulated(SmoothPenaliser):
    r"""A smooth penaliser whose diffusivity is multiplied, :math:`g_i(s^2) = a_i\, m_i(s)\, g(s^2)` in group i.

    Where :math:`0 \le a_i, m_i \le 1` it is nowhere larger than it was, so that steps that were stable for g still
    are: the sum of squares does not grow. g need not fall any more, nor psi be convex: what rests on that, as
    that lagged diffusivity lowers the energy, is not promised.

    Args:
        base: the penaliser that it was.
        factor: m; None: 1.
        gains: a, one for the groups of the model and one for each further group; None: 1.
    """

    base: SmoothPenaliser
    factor: Factor | None = None
    gains: Tensor | None = None

    smallest_slope = -math.inf

    @property
    def contrast(self) -> Weight | None:  # type: ignore[override]
        """That of the base."""
        return self.base.contrast

    @property
    def largest_diffusivity(self) -> float | Tensor:  # type: ignore[override]
        """An upper bound; never 0, since stable steps are divided by it."""
        gain = 1.0 if self.gains is None else float(self.gains.detach().max())
        whole = gain * (1.0 if self.factor is None else self.factor.largest)
        return highest(self.base.largest_diffusivity) * max(whole, LEAST)

    def diffusivity(self, squared_magnitude: Tensor) -> Tensor:
        """a m(s) g(s^2)."""
        g = self.base.diffusivity(squared_magnitude)
        if self.factor is not None:
            g = g * self.factor(safe_sqrt(squared_magnitude))
        return g if self.gains is None else g * _by_group(self.gains, g)

    def __call__(self, magnitude: Tensor) -> Tensor:
        """The integral of s a m(s) g(s^2), by Gauss and Legendre's rule between each two knots.

        Exact to about 1e-8 where g is smooth and m linear between the knots; a kink inside (Huber's, or a radial
        factor that reaches 0 or 1) costs some per cent of that piece.
        """
        psi = self.base(magnitude)
        if self.factor is not None:
            psi = self._integral(self.factor, magnitude)
        return psi if self.gains is None else psi * _by_group(self.gains, psi)

    def _integral(self, factor: Factor, magnitude: Tensor) -> Tensor:
        reach = per_image(factor.reach, magnitude)
        ends = [magnitude.clamp(max=reach * (j / (factor.knots - 1))) for j in range(factor.knots)]
        nodes, shares = np.polynomial.legendre.leggauss(QUADRATURE)
        total = torch.zeros_like(magnitude)
        for low, high in pairwise(ends):
            for node, share in zip(nodes, shares, strict=True):
                s = low + (high - low) * ((1 + node) / 2)
                total = total + s * self.base.diffusivity(s * s) * factor(s) * (high - low) * (share / 2)
        beyond = self.base(magnitude) - self.base(ends[-1])
        return total + factor(torch.maximum(magnitude, ends[-1])) * beyond


@dataclass(frozen=True, eq=False)
class ModulatedShrinkage(ConvexPenaliser):
    r"""A convex penaliser with gains, :math:`F(q) = w \sum_i a_i \psi(|q_i|)`; its dual proximal map is
    multiplied:

    .. math:: p \mapsto m\big(|p| / w a\big) \operatorname{prox}_{\sigma F^*}(p), \qquad 0 \le m \le 1 .

    The field stays feasible, so it remains a witness for the model as it was. A map with a factor of its own
    belongs to no energy in general: its penaliser cannot be evaluated.

    Args:
        base, factor, gains: as for ``Modulated``.
    """

    base: ConvexPenaliser
    factor: Factor | None = None
    gains: Tensor | None = None

    @property
    def contrast(self) -> Weight | None:  # type: ignore[override]
        """That of the base."""
        return self.base.contrast

    def __call__(self, magnitude: Tensor) -> Tensor:
        """a psi(s)."""
        self._has_energy()
        psi = self.base(magnitude)
        return psi if self.gains is None else psi * _by_group(self.gains, psi)

    def proximal(self, magnitude: Tensor, step_size: float | Tensor) -> Tensor:
        """That of a psi."""
        self._has_energy()
        return self.base.proximal(magnitude, step_size * self._gain(magnitude))

    def dual_proximal(
        self,
        dual: Tensor,
        step_size: float | Tensor,
        weight: Weight,
        coupling: Coupling,
        out: Tensor | None = None,
        scratch: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """The base's, in units of the gains, times the factor."""
        gain = self._gain_of_field(dual, coupling)
        step = step_size / self._gain(coupling.magnitude(dual[..., :1, :1]))
        found = self.base.dual_proximal(dual / gain, step, weight, coupling)
        if self.factor is not None:
            size = coupling.magnitude(dual / gain) / per_image(weight, dual)
            found = found * coupling.spread(self.factor(size))
        result = found * gain
        return result if out is None else out.copy_(result)

    def feasible(self, dual: Tensor, weight: Weight, coupling: Coupling) -> Tensor:
        """The base's, in units of the gains."""
        gain = self._gain_of_field(dual, coupling)
        return self.base.feasible(dual / gain, weight, coupling) * gain

    def fenchel_young(self, field: Tensor, dual: Tensor, weight: Weight, coupling: Coupling) -> Tensor:
        """a times the base's."""
        self._has_energy()
        found = self.base.fenchel_young(field, dual / self._gain_of_field(dual, coupling), weight, coupling)
        return found * self._gain(found)

    def _gain(self, like: Tensor) -> float | Tensor:
        """a for each group of magnitudes."""
        return 1.0 if self.gains is None else _by_group(self.gains.clamp(min=LEAST_GAIN), like)

    def _gain_of_field(self, dual: Tensor, coupling: Coupling) -> float | Tensor:
        if self.gains is None:
            return 1.0
        return coupling.spread(_by_group(self.gains.clamp(min=LEAST_GAIN), coupling.magnitude(dual[..., :1, :1])))

    def _has_energy(self) -> None:
        if self.factor is not None:
            raise InputError("A learned shrinkage belongs to no energy: its penaliser cannot be evaluated.")


def modulated(base: Penaliser, factor: Factor | None, gains: Tensor | None, *, dual: bool) -> Penaliser:
    """The penaliser with a factor and gains; ``dual``: for a method that works on the dual field.

    Raises:
        InputError: the penaliser has a kink, and the method needs its derivative; or the other way round.
    """
    if dual and isinstance(base, ConvexPenaliser):
        return ModulatedShrinkage(base, factor, gains)
    if not dual and isinstance(base, SmoothPenaliser):
        return Modulated(base, factor, gains)
    kind = "convex penaliser" if dual else "smooth penaliser"
    raise InputError(f"A learned part needs a {kind} here, and {type(base).__name__} is none.")


def _by_group(gains: Tensor, like: Tensor) -> Tensor:
    """One gain for each group of ``like``: the first for all groups that the model had."""
    if like.ndim == 4:
        return gains[0].to(like.dtype)
    groups = like.shape[2]
    index = (torch.arange(groups, device=like.device) - (groups - gains.shape[0])).clamp(min=0)
    return gains.to(like.dtype)[index].reshape(1, 1, -1, 1, 1)
