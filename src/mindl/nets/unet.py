"""A small U-Net with residual blocks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from mindl.core.errors import InputError
from mindl.nets.architecture import Architecture


class UNet(Architecture):
    r"""A U-Net: residual blocks on a pyramid of resolutions, with additive skips.

    On the way down every level applies residual blocks :math:`x + W_2 \max(0, W_1 x)` and halves the
    resolution by a 2 x 2 convolution with stride 2; on the way up a transposed convolution doubles it and the
    features of the same level are added. A 3 x 3 convolution leads in and out. Convolutions pad with zeros.
    There is no normalisation layer: an image's result does not depend on its batch mates.

    The last convolution of every block starts at zero and the leading-out one small, so that a fresh network
    is close to the zero map. Any image size from 1 x 1 on is accepted: borders are repeated up to the next
    multiple of the coarsest level's step, and cut off again.

    Args:
        inputs, outputs: channels in and out.
        widths: channels of each level, finest first.
        blocks: residual blocks on each level, down and up: one number for all, or one per level.
        seed: of the initial weights; the global generator is left alone.

    Shapes: (batch, inputs, height, width) to (batch, outputs, height, width); values of order 1.

    Raises:
        InputError: no level, a width or number of blocks below 1, or another number of input channels.

    Source: Ronneberger, Fischer and Brox, MICCAI 2015; additive skips as in a V-cycle; residual blocks: He et
    al., CVPR 2016.

    >>> net = UNet(1, 2, widths=(8, 12), blocks=1)
    >>> net(torch.zeros(3, 1, 5, 7)).shape
    torch.Size([3, 2, 5, 7])
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        widths: Sequence[int] = (16, 24, 32),
        blocks: int | Sequence[int] = 1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        counts = [blocks] * len(widths) if isinstance(blocks, int) else list(blocks)
        if not widths or len(counts) != len(widths) or min(inputs, outputs, *widths, *counts) < 1:
            raise InputError(
                f"UNet(inputs={inputs}, outputs={outputs}, widths={tuple(widths)}, blocks={blocks}) needs at "
                "least one level, and one or more channels and blocks on each."
            )
        self.inputs, self.outputs = inputs, outputs
        self.widths, self.blocks, self.seed = tuple(widths), tuple(counts), seed
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self._build()
        # Channels last: a third faster on a CPU at these widths.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _build(self) -> None:
        widths, counts = self.widths, self.blocks
        steps = list(pairwise(widths))
        self.enter = nn.Conv2d(self.inputs, widths[0], 3, padding=1)
        self.descent = nn.ModuleList(_stage(w, n) for w, n in zip(widths, counts, strict=True))
        self.restrict = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in steps)
        self.prolong = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, stride=2) for fine, coarse in steps)
        self.ascent = nn.ModuleList(_stage(w, n) for w, n in zip(widths[:-1], counts[:-1], strict=True))
        self.leave = nn.Conv2d(widths[0], self.outputs, 3, padding=1)
        with torch.no_grad():
            self.leave.weight *= 0.1
            nn.init.zeros_(self.leave.bias)  # type: ignore[arg-type]

    def forward(self, image: Tensor) -> Tensor:
        """The network's output at every pixel."""
        if image.ndim != 4 or image.shape[1] != self.inputs:
            raise InputError(
                f"UNet(inputs={self.inputs}) needs (batch, {self.inputs}, height, width), got "
                f"{tuple(image.shape)}."
            )
        height, width = image.shape[2:]
        step = 1 << len(self.restrict)
        right, below = ((n + step - 1) // step * step - n for n in (width, height))
        features = self.enter(functional.pad(image, (0, right, 0, below), mode="replicate"))
        kept = []
        for stage, restrict in zip(self.descent, self.restrict, strict=False):
            kept.append(stage(features))
            features = restrict(kept[-1])
        features = self.descent[-1](features)
        for stage, prolong in reversed(list(zip(self.ascent, self.prolong, strict=True))):
            features = stage(prolong(features) + kept.pop())
        return functional.pad(self.leave(features), (0, -right, 0, -below))  # a crop that can be exported


class _Residual(nn.Module):
    """x + W_2 max(0, W_1 x); the identity at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = features + self.second(functional.relu(self.first(features)))
        return result


def _stage(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(_Residual(width) for _ in range(count)))
