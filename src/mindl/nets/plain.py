"""The plain network: convolutions and rectifiers."""

from __future__ import annotations

import torch
from torch import Tensor

from mindl.core.randomness import global_draws_from
from mindl.nets.architecture import Architecture
from mindl.nets.blocks import chain
from mindl.nets.checks import check_counts, check_image
from mindl.nets.lipschitz import lipschitz_bound


class PlainCNN(Architecture):
    r"""A chain of convolutions with rectifiers between them: :math:`W_n \max(0, \dots \max(0, W_1 u))`.

    The yardstick for everything else. It sees n (k - 1) + 1 pixels far and wide, zeros beyond the border, and
    has no skips, so that deep chains are slow to train. A fresh network is close to the zero map: it suits a head
    that adds its output to the image. No layer couples images of a batch.

    Args:
        inputs, outputs: channels in and out.
        width: channels between.
        depth: n, the number of convolutions.
        kernel: k, odd.
        seed: of the initial weights; the global generator is left alone.

    Shapes: (batch, inputs, height, width) to (batch, outputs, height, width), from 1 x 1 on; values of order 1.

    Raises:
        InputError: a number below 1, an even kernel, or another number of input channels.

    Source: Jain and Seung, NIPS 2008 (convolutional networks for denoising).

    >>> PlainCNN(1, 2)(torch.zeros(3, 1, 5, 7)).shape
    torch.Size([3, 2, 5, 7])
    """

    def __init__(
        self, inputs: int, outputs: int, *, width: int = 24, depth: int = 6, kernel: int = 3, seed: int = 0
    ) -> None:
        super().__init__()
        numbers = {"inputs": inputs, "outputs": outputs, "width": width, "depth": depth, "kernel": kernel}
        check_counts("PlainCNN", numbers)
        self.inputs, self.outputs = inputs, outputs
        self.width, self.depth, self.kernel, self.seed = width, depth, kernel, seed
        with global_draws_from(seed):
            self.layers = chain(inputs, outputs, width=width, depth=depth, kernel=kernel)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, image: Tensor) -> Tensor:
        """The network's output at every pixel."""
        check_image("PlainCNN", image, self.inputs)
        result: Tensor = self.layers(image)
        return result

    def lipschitz(self) -> float:
        """The product of the proved norms."""
        return lipschitz_bound(self.layers)
