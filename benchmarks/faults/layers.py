"""Networks that are spoilt: their weights, their layers, what they are shown, what becomes of their output."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from mindl.neural import NeuralSolver

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


class Times(nn.Module):
    """A network whose input and output are multiplied by numbers."""

    def __init__(self, inner: nn.Module, *, given: float = 1.0, result: float = 1.0) -> None:
        super().__init__()
        self.inner, self.given, self.result = inner, given, result

    def forward(self, image: Tensor) -> Tensor:
        """The inner network's output, scaled."""
        return self.result * self.inner(self.given * image)


@torch.no_grad()
def multiplied(net: nn.Module, factor: float) -> None:
    """All weights times a number."""
    for weight in net.parameters():
        weight.mul_(factor)


@torch.no_grad()
def gains(net: nn.Module, factor: float) -> None:
    """The weights of all convolutions but the last, and the gains of batch normalisations, times a number."""
    inner = [module for module in net.modules() if isinstance(module, (*CONVOLUTIONS, nn.BatchNorm2d))]
    for module in inner[:-1]:
        module.weight.mul_(factor)


@torch.no_grad()
def biases(net: nn.Module, value: float) -> None:
    """The biases in front of the rectifiers have one value."""
    for module in _rectified(net):
        if module.bias is not None:
            module.bias.fill_(value)


def _rectified(net: nn.Module) -> list[nn.Module]:
    """What a rectifier follows: in a chain all but the last layer, in a residual block its first one."""
    named = [
        (name, module)
        for name, module in net.named_modules()
        if isinstance(module, (*CONVOLUTIONS, nn.BatchNorm2d))
    ]
    blocks = [module for name, module in named if name.endswith(".first")]
    return blocks or [module for _, module in named[:-1]]


def replaced(net: nn.Module, kind: type[nn.Module], make: Callable[[], nn.Module]) -> None:
    """Every layer of a kind is another one."""
    for module in list(net.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, kind):
                setattr(module, name, make())


def detached(net: NeuralSolver) -> None:
    """What leaves an inner layer is cut off from what leads to it."""
    network = net.network
    inner = network.layers[5] if hasattr(network, "layers") else network.descent[0]
    inner.register_forward_hook(_cut)


def _cut(module: nn.Module, given: tuple[Tensor, ...], result: Tensor) -> Tensor:
    return result.detach()


def dropping(net: NeuralSolver, share: float) -> None:
    """Inner feature maps are dropped in training."""
    network = net.network
    if hasattr(network, "layers"):
        replaced(network, nn.ReLU, lambda: nn.Sequential(nn.ReLU(), nn.Dropout2d(share)))
        return
    for part in (network.descent, network.ascent):
        for i, stage in enumerate(part):
            part[i] = nn.Sequential(stage, nn.Dropout2d(share))
