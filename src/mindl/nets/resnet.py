"""A residual network at full resolution."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mindl.core.randomness import global_draws_from
from mindl.nets.architecture import Architecture
from mindl.nets.blocks import ResidualBlock, start_small
from mindl.nets.checks import check_counts, check_image
from mindl.nets.convolution import Convolution
from mindl.nets.lipschitz import lipschitz_bound


class ResNet(Architecture):
    r"""Residual blocks :math:`x + W_2 \max(0, W_1 x)` one after the other, all at full resolution.

    A convolution leads in and one leads out. Each block is an explicit step of a differential equation whose
    right-hand side is learnt; a fresh block is the identity, so that depth does no harm. There is no
    normalisation. A fresh network is close to the zero map.

    Args:
        inputs, outputs: channels in and out.
        width: channels between.
        blocks: residual blocks.
        kernel: side of the windows, odd.
        seed: of the initial weights; the global generator is left alone.

    Shapes: (batch, inputs, height, width) to (batch, outputs, height, width), from 1 x 1 on; values of order 1.

    Raises:
        InputError: a number below 1, an even kernel, or another number of input channels.

    Source: He, Zhang, Ren and Sun, CVPR 2016; for restoration: Lim et al., CVPR Workshops 2017.

    >>> ResNet(1, 2)(torch.zeros(3, 1, 5, 7)).shape
    torch.Size([3, 2, 5, 7])
    """

    def __init__(
        self, inputs: int, outputs: int, *, width: int = 24, blocks: int = 4, kernel: int = 3, seed: int = 0
    ) -> None:
        super().__init__()
        numbers = {"inputs": inputs, "outputs": outputs, "width": width, "blocks": blocks, "kernel": kernel}
        check_counts("ResNet", numbers)
        self.inputs, self.outputs = inputs, outputs
        self.width, self.blocks, self.kernel, self.seed = width, blocks, kernel, seed
        with global_draws_from(seed):
            self.layers = nn.Sequential(
                Convolution(inputs, width, kernel=kernel),
                *(ResidualBlock(width, kernel=kernel) for _ in range(blocks)),
                Convolution(width, outputs, kernel=kernel),
            )
            start_small(self.layers[-1])
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, image: Tensor) -> Tensor:
        """The network's output at every pixel."""
        check_image("ResNet", image, self.inputs)
        result: Tensor = self.layers(image)
        return result

    def lipschitz(self) -> float:
        """The product of the bounds of the blocks."""
        return lipschitz_bound(self.layers)
