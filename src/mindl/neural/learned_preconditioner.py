"""A network in the place of a matrix's inverse: flexible conjugate gradients keep it honest."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mindl.core.arguments import kind, whole
from mindl.core.arrays import Image, per_image
from mindl.core.errors import InputError
from mindl.core.reduce import inner
from mindl.models import Candidate, LinearSystem, Model
from mindl.neural.neural_solver import NeuralSolver, in_use
from mindl.solvers.flexible_cg import FlexibleConjugateGradient
from mindl.solvers.preconditioner import Correct, Preconditioner

FEATURES = 2
"""The residual, and which pixels are free."""


@dataclass(frozen=True, repr=False)
class NetworkPreconditioner(Preconditioner):
    r"""A network N as the preconditioner of ``FlexibleConjugateGradient``:

    .. math:: B r = \rho\, N(r / \rho,\, m), \qquad \rho = |r| / \sqrt{n} ,

    with the root mean square rho of the n pixels of an image, and the mask m of its free pixels (1 everywhere
    where the model fixes none). So the network sees values of order 1, and B is homogeneous: B (c r) = c B r for
    c > 0. B r is set to 0 at fixed pixels. Channels are shown one by one, so that the same network serves grey and
    colour images.

    B is neither linear nor symmetric, so that ``ConjugateGradient`` refuses it. Flexible conjugate gradients
    converge with every network; a good one saves steps. ``PreconditionedSteps`` trains it. Without derivatives the
    network computes as it is used, not as it is trained (``eval``).

    Args:
        network: any ``nn.Module`` from (batch, 2, height, width) to (batch, 1, height, width).

    Raises:
        InputError: something else than a module; when it runs, a network that changes the shape, or a solver that
            needs a symmetric B.

    Source: for networks within flexible conjugate gradients: Rudikov, Fanaskov, Muravleva, Laevsky and Oseledets,
    ICML 2024.

    >>> import mindl as md
    >>> f = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    >>> model = md.models.harmonic_inpainting(f, md.images.random_mask(16, 16, 0.1, seed=0))
    >>> untrained = NetworkPreconditioner(md.nets.UNet(2, 1, widths=(4, 4)))
    >>> md.solve_linear(model, FlexibleConjugateGradient(untrained)).outcome.value
    'certified'
    """

    network: nn.Module

    def __post_init__(self) -> None:
        kind(self.network, nn.Module, "NetworkPreconditioner(network)", "a torch.nn.Module such as UNet(2, 1)")

    def __repr__(self) -> str:
        count = sum(parameter.numel() for parameter in self.network.parameters())
        return f"NetworkPreconditioner({type(self.network).__name__}, {count:,} parameters)"

    def prepare(self, view: LinearSystem, like: Image, *, symmetric: bool) -> Correct:
        """B; a network is never symmetric."""
        if symmetric:
            raise InputError(
                "NetworkPreconditioner is not symmetric, and this solver needs a symmetric preconditioner: "
                "FlexibleConjugateGradient(NetworkPreconditioner(network)) takes any."
            )
        fixed = None if view.free is None else ~view.free.expand_as(like)
        mask = torch.ones_like(like) if view.free is None else view.free.expand_as(like).to(like.dtype)

        def correct(residual: Image) -> Image:
            squared = inner(residual, residual) / residual[0].numel()
            scale = torch.where(squared > 0, squared, 1).sqrt()
            shown = residual * per_image(1 / scale, residual)
            found = self._run(torch.stack([shown, mask], dim=2)) * per_image(scale, residual)
            return found if fixed is None else torch.where(fixed, 0, found)

        return correct

    def _run(self, features: Tensor) -> Image:
        """The network on every channel, (batch, channel, feature, height, width), in the type of its weights."""
        planes = features.flatten(0, 1)
        weights = next(self.network.parameters(), planes)
        with nullcontext() if torch.is_grad_enabled() else in_use(self.network):
            output: Tensor = self.network(planes.to(weights.dtype))
        if output.shape != planes[:, :1].shape:
            raise InputError(
                f"NetworkPreconditioner shows {type(self.network).__name__} the shape {tuple(planes.shape)} and "
                f"needs {tuple(planes[:, :1].shape)} back, got {tuple(output.shape)}: build it with {FEATURES} "
                "inputs and 1 output, and let it keep the size, as UNet(2, 1) does."
            )
        return output.to(features.dtype).reshape(features[:, :, 0].shape)


class PreconditionedSteps(NeuralSolver):
    r"""A few steps of flexible conjugate gradients whose preconditioner is a network; it is trained through them.

    Made small by ``EnergyLoss``, the energy after ``steps`` steps, the network learns what brings the error in the
    energy norm down: E(u) - E(u*) is half of its square. No solution needs to be known. Then
    ``FlexibleConjugateGradient(NetworkPreconditioner(net.network))`` solves to any tolerance with it.

    Args:
        network: from (batch, 2, height, width) to (batch, 1, height, width), see ``NetworkPreconditioner``.
        steps: how many, at least 0.
        memory: as for ``FlexibleConjugateGradient``.
        title: the name in messages and tables.

    Raises:
        InputError: something else than a module, fewer than 0 steps, or ``memory`` below 1.

    >>> import mindl as md
    >>> net = PreconditionedSteps(md.nets.UNet(2, 1, widths=(4, 4)), steps=3)
    >>> f = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    >>> model = md.models.harmonic_inpainting(f, md.images.random_mask(16, 16, 0.1, seed=0))
    >>> bool(model.energy(net(model).image) < model.energy(model.start()))
    True
    """

    accepts: type[Model] = LinearSystem

    def __init__(self, network: nn.Module, steps: int = 4, *, memory: int = 1, title: str | None = None) -> None:
        super().__init__(channels=None, title=title)
        kind(network, nn.Module, "PreconditionedSteps(network)", "a torch.nn.Module such as UNet(2, 1)")
        self.network = network
        self.steps = whole(steps, 0, "PreconditionedSteps(steps)")
        self.memory = whole(memory, 1, "PreconditionedSteps(memory)")

    @property
    def solver(self) -> FlexibleConjugateGradient:
        """The solver whose steps these are."""
        return FlexibleConjugateGradient(NetworkPreconditioner(self.network), memory=self.memory)

    def forward(self, model: Model) -> Candidate:
        """The candidate after all steps, from the model's start."""
        self.check(model)
        view: LinearSystem = model.view(LinearSystem)
        solver = self.solver
        state = solver.begin(view, Candidate(model.start()))
        for _ in range(self.steps):
            state = solver.step(view, state)
        return Candidate(model.project(solver.candidate(view, state).image))

    @property
    def about(self) -> str:
        """The network and the steps."""
        return f"{type(self.network).__name__}, {self.steps} step{'s' * (self.steps != 1)}"
