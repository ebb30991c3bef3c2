"""A small network between two steps of a method that works on a dual field."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import nn

from mindl.calculus.safe import safe_sqrt
from mindl.core.arrays import per_image
from mindl.core.errors import InputError
from mindl.core.randomness import global_draws_from
from mindl.models import Model, StronglyConvexSaddlePoint
from mindl.neural.freedom import Freedom
from mindl.neural.parts import lacking, parts
from mindl.solvers.solver import Solver


class DualCorrection(Freedom):
    r"""After every step the dual field is corrected by a small network of that step, and stays feasible:

    .. math::
        (c, h^{k+1}) = N_k\Big(\frac{p}{w}, \frac{K u(p)}{w + |K u(p)|}, h^k\Big), \qquad
        p \leftarrow p + \Pi(\Pi(p) + w\, c) - \Pi(p), \qquad u \leftarrow u + u(p_\text{new}) - u(p_\text{old}),

    with the model's weight w, the image u(p) that belongs to a field, the projection :math:`\Pi` onto the feasible
    fields, and a memory h that only the networks read. In units of w the correction has the symmetry of the model:
    (c f, c w) has the answer c u. The last layer begins with 0, so that the network equals its solver at
    first; and since p stays a legal witness, whatever was learned, the gap of image and field proves the
    distance as before. This is a learned primal-dual network whose learned part is a proposal and not the step
    itself.

    Args:
        width: channels of the hidden layers.
        depth: convolutions of 3 x 3, at least 2.
        memory: channels of h, 0 for none.
        shared: one network for all steps, or one for each (the default).
        components: of the model's dual field: 2 for a gradient.
        seed: of the initial weights; the global generator is left alone.

    Raises:
        InputError: fewer channels or layers; a solver without a dual field. A model that is not strongly convex,
            or has another number of components, is refused when the network is called.

    Source: Adler and Oktem, IEEE Trans. Med. Imaging 37 (2018), "Learned primal-dual reconstruction"; the feasible
    correction and its symmetry: ours.

    >>> import torch, mindl as md
    >>> net = md.neural.Unrolled(md.solvers.PrimalDual(), 3, [DualCorrection(4, 2)])
    >>> model = md.models.rof(torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0)), weight=0.1)
    >>> plain = md.neural.Unrolled(md.solvers.PrimalDual(), 3)
    >>> torch.allclose(net(model).image, plain(model).image, atol=1e-6)
    True
    """

    def __init__(
        self,
        width: int = 16,
        depth: int = 3,
        *,
        memory: int = 4,
        shared: bool = False,
        components: int = 2,
        seed: int = 0,
    ) -> None:
        super().__init__(shared=shared, bounded=True)
        least = {"width": 1, "depth": 2, "memory": 0, "components": 1}
        given = {"width": width, "depth": depth, "memory": memory, "components": components}
        if any(not isinstance(given[name], int) or given[name] < least[name] for name in least):
            raise InputError(
                f"DualCorrection(width={width}, depth={depth}, memory={memory}, components={components}) needs "
                "whole numbers: a channel, 2 layers, no memory or some, a component."
            )
        self.width, self.depth, self.memory, self.components, self.seed = width, depth, memory, components, seed

    def _make(self, solver: Solver[Any, Any], copies: int, further: int) -> None:
        if not solver.has_dual:
            raise InputError(
                f"DualCorrection corrects a dual field, and {solver.title} has none: PrimalDual() and "
                "DualFISTA() do."
            )
        with global_draws_from(self.seed):
            self.networks = nn.ModuleList(self._network() for _ in range(copies))

    def _network(self) -> nn.Sequential:
        inside, outside = 2 * self.components + self.memory, self.components + self.memory
        widths = [inside, *[self.width] * (self.depth - 1), outside]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
        last = layers[-2]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        with torch.no_grad():
            last.weight[: self.components] = 0
            last.bias.zero_()
        return nn.Sequential(*layers[:-1])

    def why_not(self, model: Model) -> str | None:
        """It needs a weight, an image for every field, and as many components."""
        reason = lacking(model, "weight", "operator") or model.why_not(StronglyConvexSaddlePoint)
        if reason is None and parts(model)["operator"].components != self.components:
            has = parts(model)["operator"].components
            reason = f"its dual field has {has} components: say DualCorrection(..., components={has})"
        return reason

    def on_state(self, solver: Solver[Any, Any], view: Any, state: Any, memory: Any, step: int) -> tuple[Any, Any]:
        """The state with a corrected field, and the memory for the next step."""
        dual = solver.candidate(view, state).dual
        assert dual is not None
        image = view.primal_of(dual)
        batch, channels, _, height, width = dual.shape
        weight = torch.as_tensor(view.model.weight, dtype=dual.dtype, device=dual.device).reshape(-1)
        weight = per_image(weight.expand(batch), dual)
        slope = view.operator(image)
        seen = slope / (weight + safe_sqrt(slope.square().sum(2, keepdim=True)))
        if memory is None:
            memory = dual.new_zeros(batch * channels, self.memory, height, width)
        network = self.networks[0 if self.shared else step]
        kind = next(network.parameters()).dtype
        shown = torch.cat([(dual / weight).flatten(0, 1), seen.flatten(0, 1), memory], dim=1)
        output = network(shown.to(kind)).to(dual.dtype)
        correction = output[:, : self.components].reshape(dual.shape)
        feasible = view.feasible(dual)  # over-relaxed steps may leave a little, and are to be left alone
        corrected = dual + (view.feasible(feasible + weight * correction) - feasible)
        moved = view.primal_of(corrected) - image
        return solver.with_dual(state, corrected, moved), output[:, self.components :].relu()
