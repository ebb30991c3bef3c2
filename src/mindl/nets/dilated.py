"""Several scales at full resolution, by dilated windows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from mindl.core.errors import InputError
from mindl.core.randomness import global_draws_from
from mindl.nets.architecture import Architecture
from mindl.nets.blocks import start_small
from mindl.nets.checks import check_counts, check_image
from mindl.nets.convolution import Convolution
from mindl.nets.lipschitz import lipschitz_bound


class DilatedNet(Architecture):
    r"""Residual blocks that look at several scales at once, without giving up resolution.

    Each block correlates with 3 x 3 windows of several dilations d side by side, rectifies, and joins them by a
    1 x 1 convolution V:

    .. math:: x + V [\max(0, W_{d_1} x), \dots, \max(0, W_{d_n} x)].

    Shifting the image shifts the result, which a pyramid only does in steps of its coarsest level. Beyond the
    border lies the mirror image: wide windows would see mostly zeros otherwise. V starts at zero, so a fresh block
    is the identity and a fresh network close to the zero map.

    Args:
        inputs, outputs: channels in and out.
        width: channels of x; each dilation has as many.
        dilations: of each block.
        blocks: how many.
        seed: of the initial weights; the global generator is left alone.

    Shapes: (batch, inputs, height, width) to (batch, outputs, height, width), from 1 x 1 on; values of order 1.

    Raises:
        InputError: a number below 1, no dilation, or another number of input channels.

    Source: dilated windows: Yu and Koltun, ICLR 2016; side by side: Chen et al., IEEE Trans. Pattern Anal. Mach.
    Intell. 40 (2018); for restoration: Zhang et al., CVPR 2017.

    >>> DilatedNet(1, 2)(torch.zeros(3, 1, 5, 7)).shape
    torch.Size([3, 2, 5, 7])
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        width: int = 16,
        dilations: Sequence[int] = (1, 2, 4),
        blocks: int = 3,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_counts("DilatedNet", {"inputs": inputs, "outputs": outputs, "width": width, "blocks": blocks})
        if isinstance(dilations, int) or not dilations:
            raise InputError(f"DilatedNet(dilations={dilations}) needs at least one, such as (1, 2, 4).")
        for dilation in dilations:
            check_counts("DilatedNet", {"dilations": dilation})
        self.inputs, self.outputs, self.width, self.blocks = inputs, outputs, width, blocks
        self.dilations, self.seed = tuple(dilations), seed
        with global_draws_from(seed):
            self.layers = nn.Sequential(
                Convolution(inputs, width, reflecting=True),
                *(_Scales(width, self.dilations) for _ in range(blocks)),
                Convolution(width, outputs, reflecting=True),
            )
            start_small(self.layers[-1])
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, image: Tensor) -> Tensor:
        """The network's output at every pixel."""
        check_image("DilatedNet", image, self.inputs)
        result: Tensor = self.layers(image)
        return result

    def lipschitz(self) -> float:
        """The product of the bounds of the blocks, for images no smaller than the largest dilation."""
        return lipschitz_bound(self.layers)


class _Scales(nn.Module):
    """x + V [max(0, W_d x) for each d]; the identity at first."""

    def __init__(self, width: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.scales = nn.ModuleList(Convolution(width, width, dilation=d, reflecting=True) for d in dilations)
        self.join = Convolution(width * len(dilations), width, kernel=1)
        nn.init.zeros_(self.join.inner.weight)

    def forward(self, features: Tensor) -> Tensor:
        seen = torch.cat([functional.relu(scale(features)) for scale in self.scales], dim=1)
        result: Tensor = features + self.join(seen)
        return result

    def lipschitz(self) -> float:
        return 1 + self.join.lipschitz() * math.hypot(*(lipschitz_bound(scale) for scale in self.scales))
