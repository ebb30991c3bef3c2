"""Parts of the model that are set free: diffusivity or shrinkage, weight, diffusion tensor."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mindl.calculus.modulated import Factor, LinearFactor, RadialFactor, modulated
from mindl.calculus.safe import confined
from mindl.core.arrays import Weight
from mindl.core.errors import InputError
from mindl.models import Model
from mindl.models.anisotropic import TensorRule
from mindl.neural.freedom import Freedom, M
from mindl.neural.parts import lacking, parts, with_parts
from mindl.solvers.solver import Solver

FAR = 8.0
"""Contrasts up to which a diffusivity is learned, where nothing else is said."""

ORDINARY = 0.5
"""The same in the units of the image, for penalisers without a contrast."""

RADII = 2.0
"""Up to how many radii of the feasible ball a shrinkage is learned."""


class FreePenaliser(Freedom):
    """The diffusivity of the model's penaliser, or the shrinkage of its dual field, times a learned factor."""

    values: nn.Parameter

    def __init__(self, knots: int, *, reach: float | None, shared: bool, bounded: bool) -> None:
        super().__init__(shared=shared, bounded=bounded)
        if not isinstance(knots, int) or knots < 2 or (reach is not None and not 0 < reach < float("inf")):
            raise InputError(
                f"{type(self).__name__}(knots={knots}, reach={reach}) needs 2 knots or more, and a reach above 0."
            )
        self.knots, self.reach = knots, reach

    def why_not(self, model: Model) -> str | None:
        """It needs a penaliser."""
        return lacking(model, "penaliser")

    def on_model(self, model: M, step: int, *, dual: bool) -> M:
        """The penaliser with the factor."""
        base = parts(model)["penaliser"]
        reach: Weight | None = self.reach
        if reach is None:
            reach = RADII if dual else ORDINARY if base.contrast is None else FAR * base.contrast
        factor = self.factor(self.of_step(self.values, step), reach)
        return with_parts(model, penaliser=modulated(base, factor, None, dual=dual))

    @abstractmethod
    def factor(self, values: Tensor, reach: Weight) -> Factor:
        """m, from the parameters of a step."""


class SplinePenaliser(FreePenaliser):
    r"""The penaliser, by a piecewise linear factor m(s) of its diffusivity: :math:`m(s)\, g(s^2)`.

    In a network this is the activation function :math:`\varphi(s) = m(s)\, g(s^2)\, s`. Bounded, m stays in
    [0, 1], so that no diffusivity is larger than the model's: :math:`\|u_{k+1}\| \le \|u_k\|` stays proved for
    explicit steps without a data term. It may become nonmonotone, and steps are nonexpansive no longer.

    For methods that work on the dual field m multiplies the shrinkage of the field instead, as a function of
    :math:`|p| / w`; bounded, the field stays feasible.

    Args:
        knots: how many, evenly from 0 to ``reach``; beyond it m is constant.
        reach: in the units of the field; None: 8 contrasts, 0.5 for penalisers without one, 2 for the dual field.
        shared: one for all steps, or one for each (the default). With ``Filters`` each filter has its own.
        bounded: keep m in [0, 1].

    Raises:
        InputError: fewer than 2 knots, a reach that is not positive.

    Source: Chen and Pock, IEEE Trans. Pattern Anal. Mach. Intell. 39 (2017) for learned flux functions; the bounds
    are derived here.

    >>> import torch, mindl as md
    >>> flow = md.models.charbonnier_flow(torch.rand(1, 1, 8, 8))
    >>> net = md.neural.Unrolled(md.solvers.Explicit(), steps=3, learn=[SplinePenaliser(5)])
    >>> torch.allclose(net(flow).image, md.evolve(flow, md.solvers.Explicit(), 0.75).image)
    True
    """

    def __init__(
        self, knots: int = 31, *, reach: float | None = None, shared: bool = False, bounded: bool = True
    ) -> None:
        super().__init__(knots, reach=reach, shared=shared, bounded=bounded)

    def _make(self, solver: Solver[Any, Any], copies: int, further: int) -> None:
        self.values = nn.Parameter(torch.ones(copies, 1 + further, self.knots))

    def factor(self, values: Tensor, reach: Weight) -> Factor:
        """Linear between the values."""
        return LinearFactor(confined(values, 0.0, 1.0) if self.bounded else values, reach)


class RadialPenaliser(FreePenaliser):
    r"""As ``SplinePenaliser``, with a smooth factor: 1 plus Gaussians about the knots, confined to [0, 1].

    Args, errors, source: as there.

    >>> import mindl as md
    >>> net = md.neural.Unrolled(md.solvers.Explicit(), steps=3, learn=[RadialPenaliser(9, shared=True)])
    >>> sum(p.numel() for p in net.parameters())
    9
    """

    def __init__(self, knots: int = 31, *, reach: float | None = None, shared: bool = False) -> None:
        super().__init__(knots, reach=reach, shared=shared, bounded=True)

    def _make(self, solver: Solver[Any, Any], copies: int, further: int) -> None:
        self.values = nn.Parameter(torch.zeros(copies, 1 + further, self.knots))

    def factor(self, values: Tensor, reach: Weight) -> Factor:
        """1 plus the Gaussians."""
        return RadialFactor(values, reach)


class ModelWeight(Freedom):
    r"""The weight of the model's regulariser, times :math:`e^\theta`.

    The usual step sizes and their bounds are those of the model as it was. Primal-dual methods do not mind; a
    gradient step of 1 / lipschitz is stable until the weight has about doubled, and what is learned must keep to
    that.

    Args:
        shared: one for all steps, or one for each (the default).

    >>> import torch, mindl as md
    >>> net = md.neural.Unrolled(md.solvers.PrimalDual(), steps=4, learn=[ModelWeight()])
    >>> net(md.models.rof(torch.zeros(1, 1, 4, 4), weight=0.1)).dual.shape
    torch.Size([1, 1, 2, 4, 4])
    """

    def __init__(self, *, shared: bool = False) -> None:
        super().__init__(shared=shared, bounded=True)

    def _make(self, solver: Solver[Any, Any], copies: int, further: int) -> None:
        self.values = nn.Parameter(torch.zeros(copies))

    def why_not(self, model: Model) -> str | None:
        """It needs a weight."""
        return lacking(model, "weight")

    def on_model(self, model: M, step: int, *, dual: bool) -> M:
        """Another weight for each image."""
        weight = (
            torch.as_tensor(parts(model)["weight"], dtype=torch.float64) * self.of_step(self.values, step).exp()
        )
        batch = model.start().shape[0]
        return with_parts(model, weight=weight.reshape(-1, 1, 1, 1).expand(batch, 1, 1, 1))


class DiffusionTensor(Freedom):
    r"""The eigenvalues of an anisotropic diffusion's tensor, each times a factor in [0, 1] of its own:

    .. math:: \lambda_i \leftarrow m_i(\sqrt{\mu_i})\, \lambda_i,

    with the structure tensor's eigenvalues :math:`\mu_1 \ge \mu_2` (the root is rounded off below a hundredth of
    the reach, since that of 0 has no derivative). The stencil's bound holds as before: a step is a block of four
    directional convolutions that does not let the sum of squares grow.

    Args:
        knots: how many, evenly from 0 to ``reach``.
        reach: the largest :math:`\sqrt{\mu}` at which a factor varies, in the units of the image.
        shared: one pair for all steps, or one for each (the default).

    Raises:
        InputError: as for ``SplinePenaliser``.

    >>> import mindl as md
    >>> net = md.neural.Unrolled(md.solvers.Explicit(), steps=2, learn=[DiffusionTensor(5)])
    >>> net(md.models.edge_enhancing_diffusion(torch.rand(1, 3, 8, 8))).image.shape
    torch.Size([1, 3, 8, 8])
    """

    def __init__(self, knots: int = 31, *, reach: float = ORDINARY, shared: bool = False) -> None:
        super().__init__(shared=shared, bounded=True)
        if not isinstance(knots, int) or knots < 2 or not 0 < reach < float("inf"):
            raise InputError(
                f"DiffusionTensor(knots={knots}, reach={reach}) needs 2 knots or more, and a reach above 0."
            )
        self.knots, self.reach = knots, reach

    def _make(self, solver: Solver[Any, Any], copies: int, further: int) -> None:
        self.values = nn.Parameter(torch.ones(copies, 2, self.knots))

    def why_not(self, model: Model) -> str | None:
        """It needs a rule for a tensor."""
        return lacking(model, "rule")

    def on_model(self, model: M, step: int, *, dual: bool) -> M:
        """Another rule."""
        values = confined(self.of_step(self.values, step), 0.0, 1.0)
        factors = LinearFactor(values[:1], self.reach), LinearFactor(values[1:], self.reach)
        return with_parts(model, rule=_Scaled(parts(model)["rule"], factors))


@dataclass(frozen=True, eq=False)
class _Scaled(TensorRule):
    """A rule whose eigenvalues are multiplied."""

    rule: TensorRule
    factors: tuple[Factor, Factor]

    @property
    def integration(self) -> float:  # type: ignore[override]
        return self.rule.integration

    @property
    def largest_eigenvalue(self) -> float:  # type: ignore[override]
        return self.rule.largest_eigenvalue

    def eigenvalues(self, across: Tensor, along: Tensor) -> tuple[Tensor, Tensor]:
        first, second = self.rule.eigenvalues(across, along)
        return first * self.factors[0](self._root(across)), second * self.factors[1](self._root(along))

    def _root(self, eigenvalue: Tensor) -> Tensor:
        """The root of an eigenvalue >= 0, whose derivative stays below 1 / (the hundredth of the reach)."""
        small = self.factors[0].reach / 100
        return eigenvalue / (eigenvalue.clamp(min=0) + small * small).sqrt()
