"""Blocks of rectified convolutions: the chain, the residual block, the dense block."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from mindl.nets.checks import check_counts
from mindl.nets.convolution import Convolution
from mindl.nets.lipschitz import lipschitz_bound


class ResidualBlock(nn.Module):
    r""":math:`x + W_2 \max(0, W_1 x)`; W_2 starts at zero, so that a fresh block is the identity.

    Without normalisation, as in networks for restoration: a batch normalisation would take away the range of
    grey values that they are to keep.

    Args:
        width: channels.
        kernel: side of the windows, odd.

    Raises:
        InputError: a number below 1, or an even kernel.

    Source: He et al., CVPR 2016; without normalisation: Lim et al., CVPR Workshops 2017.

    >>> x = torch.rand(1, 8, 1, 5)
    >>> torch.equal(ResidualBlock(8)(x), x)
    True
    """

    def __init__(self, width: int, *, kernel: int = 3) -> None:
        super().__init__()
        self.first = Convolution(width, width, kernel=kernel)
        self.second = Convolution(width, width, kernel=kernel)
        nn.init.zeros_(self.second.inner.weight)

    def forward(self, features: Tensor) -> Tensor:
        """The features plus a correction."""
        result: Tensor = features + self.second(functional.relu(self.first(features)))
        return result

    def lipschitz(self) -> float:
        """1 + |W_2| |W_1|."""
        return 1 + self.first.lipschitz() * self.second.lipschitz()


class DenseBlock(nn.Module):
    r"""Every layer sees the features and all layers before it; a 1 x 1 convolution joins them to a correction.

    .. math:: x_i = \max(0, W_i [x, x_1, \dots, x_{i-1}]), \qquad x + V [x, x_1, \dots, x_n].

    V starts at zero, so that a fresh block is the identity.

    Args:
        width: channels of x.
        growth: channels of each layer.
        layers: n.
        kernel: side of the windows, odd.

    Raises:
        InputError: a number below 1, or an even kernel.

    Source: Huang et al., CVPR 2017; with the residual connection: Zhang et al., CVPR 2018.

    >>> DenseBlock(8, growth=4)(torch.zeros(1, 8, 2, 5)).shape
    torch.Size([1, 8, 2, 5])
    """

    def __init__(self, width: int, *, growth: int = 8, layers: int = 3, kernel: int = 3) -> None:
        super().__init__()
        check_counts("DenseBlock", {"width": width, "growth": growth, "layers": layers})
        seen = [width + i * growth for i in range(layers + 1)]
        self.layers = nn.ModuleList(Convolution(n, growth, kernel=kernel) for n in seen[:-1])
        self.join = Convolution(seen[-1], width, kernel=1)
        nn.init.zeros_(self.join.inner.weight)

    def forward(self, features: Tensor) -> Tensor:
        """The features plus a correction."""
        known = features
        for layer in self.layers:
            known = torch.cat([known, functional.relu(layer(known))], dim=1)
        result: Tensor = features + self.join(known)
        return result

    def lipschitz(self) -> float:
        """Each layer lengthens what is known by the factor sqrt(1 + |W_i|^2) at most."""
        longer = (math.hypot(1, lipschitz_bound(layer)) for layer in self.layers)
        return 1 + self.join.lipschitz() * math.prod(longer)


def chain(
    inputs: int, outputs: int, *, width: int, depth: int, kernel: int = 3, batch_norm: bool = False
) -> nn.Sequential:
    """``depth`` convolutions with rectifiers between them; the last one starts small, near the zero map.

    With ``batch_norm`` the inner convolutions lose their bias and are normalised.
    """
    widths = [inputs, *[width] * (depth - 1), outputs]
    layers: list[nn.Module] = []
    for i, (before, after) in enumerate(pairwise(widths)):
        inner = batch_norm and 0 < i < depth - 1
        layers.append(Convolution(before, after, kernel=kernel, bias=not inner))
        if inner:
            layers.append(nn.BatchNorm2d(after))
        if i < depth - 1:
            layers.append(nn.ReLU())
    start_small(layers[-1])
    return nn.Sequential(*layers)


def start_small(layer: nn.Module) -> None:
    """A tenth of a layer's weights: the one that leads out, so that a fresh network is close to the zero map."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(0.1)
