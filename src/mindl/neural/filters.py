"""Filters that are set free, beside the model's operator."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from mindl.calculus.filter_bank import Beside, FilterBank
from mindl.calculus.modulated import modulated
from mindl.calculus.norms import transfer_bound
from mindl.calculus.safe import confined
from mindl.core.errors import InputError
from mindl.models import Model
from mindl.neural.freedom import Freedom, M
from mindl.neural.parts import lacking, parts, with_parts
from mindl.solvers.solver import Solver


class Filters(Freedom):
    r"""Filters K = W L on top of the model's operator L, each with a gain a_i:

    .. math:: L^T g(|L u|^2)\, L u \quad\text{becomes}\quad \sum_i a_i\, K_i^T\, g(|K_i u|^2)\, K_i u .

    The first filters are the components of L, with the gain 1; the further ones are random, of norm at most 1,
    with the gain 0. So the network equals its solver at first, and filters come in as gains grow. Filters of
    differences give 0 for constants whatever W: every filter has the mean 0.

    Bounded, gains stay in [0, 1] and are scaled so that :math:`\|\sum_i a_i W_i^T W_i\| \le 1` holds by the proved
    bound of ``calculus.norms.transfer_bound``: the stable step of explicit methods is that of the model
    as it was. For methods that work on the dual field no such bound is kept, and no convergence claimed; the
    dual field of filters is no witness for the model and is not handed out.

    Args:
        count: of all filters, those of the operator among them.
        size: of each, odd.
        components: of the model's operator: 2 for a gradient.
        shared: the same for all steps, or others in each (the default).
        bounded: keep gains and filters within the bounds.
        seed: of the further filters.

    Raises:
        InputError: fewer filters than components, or a size that is not odd.

    Source: Chen and Pock, IEEE Trans. Pattern Anal. Mach. Intell. 39 (2017); the form W L is ours.

    >>> import torch, mindl as md
    >>> noisy = torch.rand(1, 1, 9, 9, generator=torch.Generator().manual_seed(0))
    >>> model = md.models.charbonnier(noisy, weight=0.5)
    >>> net = md.neural.Unrolled(md.solvers.GradientDescent(), steps=5, learn=[Filters(8, 5)])
    >>> plain = md.neural.Unrolled(md.solvers.GradientDescent(), steps=5)
    >>> torch.allclose(net(model).image, plain(model).image, atol=1e-6)
    True
    """

    keeps_dual = False

    def __init__(
        self,
        count: int = 24,
        size: int = 5,
        *,
        components: int = 2,
        shared: bool = False,
        bounded: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__(shared=shared, bounded=bounded)
        whole = isinstance(count, int) and isinstance(size, int)
        if not whole or not 1 <= components <= count or size < 1 or size % 2 == 0:
            raise InputError(
                f"Filters(count={count}, size={size}, components={components}) needs at least as many filters as "
                "the operator has components, and an odd size."
            )
        self.count, self.size, self.components, self.seed = count, size, components, seed
        self.further = count - components

    def _make(self, solver: Solver[Any, Any], copies: int, further: int) -> None:
        shape = (copies, self.count, self.components, self.size, self.size)
        generator = torch.Generator().manual_seed(self.seed)
        kernel = torch.randn(shape, generator=generator)
        kernel /= kernel.flatten(2).norm(dim=2)[..., None, None, None] * self.size  # so that |W_i| <= 1
        middle = self.size // 2
        kernel[:, : self.components] = 0
        for c in range(self.components):
            kernel[:, c, c, middle, middle] = 1
        self.kernel = nn.Parameter(kernel)
        gains = torch.zeros(copies, 1 + self.further)
        gains[:, 0] = 1
        self.gains = nn.Parameter(gains)

    def why_not(self, model: Model) -> str | None:
        """It needs an operator with as many components, and a penaliser."""
        reason = lacking(model, "operator", "penaliser", "coupling")
        if reason is None and parts(model)["operator"].components != self.components:
            has = parts(model)["operator"].components
            reason = f"its operator has {has} components: say Filters(..., components={has})"
        return reason

    def on_model(self, model: M, step: int, *, dual: bool) -> M:
        """The operator with filters, and the penaliser with gains."""
        kernel, gains = self.of_step(self.kernel, step), self.of_step(self.gains, step)
        own = parts(model)
        if self.bounded:
            gains = confined(gains, 0.0, 1.0)
            of_filters = torch.cat([gains[:1].expand(self.components), gains[1:]])
            gains = gains / transfer_bound(kernel, of_filters).clamp(min=1).to(gains.dtype)
        return with_parts(
            model,
            operator=FilterBank(own["operator"], kernel),
            coupling=Beside(own["coupling"], self.components),
            penaliser=modulated(own["penaliser"], None, _nonnegative(gains, dual=dual), dual=dual),
        )


def _nonnegative(gains: Tensor, *, dual: bool) -> Tensor:
    """A ball has no negative radius."""
    return gains.clamp(min=0) if dual else gains
