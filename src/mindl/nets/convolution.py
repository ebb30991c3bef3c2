"""Convolutions that keep the size (or divide or multiply it exactly), for images from one pixel on."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mindl.calculus.boundary import mirrored
from mindl.calculus.norms import norm_bound
from mindl.core.errors import InputError
from mindl.nets.checks import check_counts


class Convolution(nn.Module):
    r"""A convolution whose output is as large as its input, divided by the stride and rounded up.

    Beyond the border the image is 0, or, with ``reflecting``, its half-sample mirror image (nothing flows through
    the border; a constant stays one). The window is centred, so the kernel is odd. Weights start as those of He
    (variance 2 / fan-in, for a rectifier behind it), the bias at 0; they are drawn from the global generator,
    as those of torch's layers are.

    Args:
        inputs, outputs: channels.
        kernel: side of the window.
        stride: distance between outputs.
        dilation: distance between the window's entries.
        bias: whether there is one.
        reflecting: as above.

    Shapes: (batch, inputs, height, width) to (batch, outputs, ceil(height / stride), ceil(width / stride)).

    Raises:
        InputError: a number below 1, or an even kernel.

    Source: He et al., ICCV 2015 (weights); Yu and Koltun, ICLR 2016 (dilation).

    >>> Convolution(1, 4, dilation=4, reflecting=True)(torch.zeros(1, 1, 1, 3)).shape
    torch.Size([1, 4, 1, 3])
    >>> Convolution(1, 4, stride=2)(torch.zeros(1, 1, 5, 4)).shape
    torch.Size([1, 4, 3, 2])
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        kernel: int = 3,
        stride: int = 1,
        dilation: int = 1,
        bias: bool = True,
        reflecting: bool = False,
    ) -> None:
        super().__init__()
        numbers = {"inputs": inputs, "outputs": outputs, "kernel": kernel, "stride": stride, "dilation": dilation}
        check_counts("Convolution", numbers)
        check_odd("Convolution", kernel)
        self.margin = dilation * (kernel // 2)
        self.reflecting = reflecting
        self.inner = nn.Conv2d(
            inputs,
            outputs,
            kernel,
            stride,
            padding=0 if reflecting else self.margin,
            dilation=dilation,
            bias=bias,
        )
        nn.init.kaiming_normal_(self.inner.weight, nonlinearity="relu")
        if self.inner.bias is not None:
            nn.init.zeros_(self.inner.bias)

    def forward(self, image: Tensor) -> Tensor:
        """The responses."""
        if self.reflecting and self.margin == 1:
            image = functional.pad(image, (1, 1, 1, 1), mode="replicate")  # the same, in one pass
        elif self.reflecting and self.margin:
            image = mirrored(image, self.margin)
        result: Tensor = self.inner(image)
        return result

    def lipschitz(self) -> float:
        """The proved norm; mirroring at most doubles it, for images no smaller than the margin."""
        with torch.no_grad():
            return float(norm_bound(self.inner.weight)) * (2 if self.reflecting and self.margin else 1)


class TransposedConvolution(nn.Module):
    r"""The adjoint of a strided convolution: the output is larger than the input by a whole factor.

    Windows stick out by the same amount on both sides, so the kernel exceeds the factor by an even number. Weights
    as for ``Convolution``.

    Args:
        inputs, outputs: channels.
        factor: s, of the enlargement.
        kernel: side of the window; by default s, so that windows do not overlap.
        bias: whether there is one.

    Shapes: (batch, inputs, height, width) to (batch, outputs, s height, s width).

    Raises:
        InputError: a number below 1, or a kernel that is not the factor plus an even number.

    >>> TransposedConvolution(4, 1, kernel=4)(torch.zeros(1, 4, 1, 3)).shape
    torch.Size([1, 1, 2, 6])
    """

    def __init__(
        self, inputs: int, outputs: int, *, factor: int = 2, kernel: int | None = None, bias: bool = True
    ) -> None:
        super().__init__()
        side = factor if kernel is None else kernel
        numbers = {"inputs": inputs, "outputs": outputs, "factor": factor, "kernel": side}
        check_counts("TransposedConvolution", numbers)
        if side < factor or (side - factor) % 2:
            raise InputError(
                f"TransposedConvolution(factor={factor}, kernel={side}) needs a kernel of {factor}, {factor + 2}, "
                f"{factor + 4}, ...: else it does not multiply the size by {factor}."
            )
        self.inner = nn.ConvTranspose2d(inputs, outputs, side, factor, padding=(side - factor) // 2, bias=bias)
        # Each output sees inputs x (side / factor)^2 weights.
        nn.init.normal_(self.inner.weight, std=(2 / inputs) ** 0.5 * factor / side)
        if self.inner.bias is not None:
            nn.init.zeros_(self.inner.bias)

    def forward(self, image: Tensor) -> Tensor:
        """The enlarged image."""
        result: Tensor = self.inner(image)
        return result

    def lipschitz(self) -> float:
        """The proved norm of the convolution that it transposes."""
        with torch.no_grad():
            return float(norm_bound(self.inner.weight))


def check_odd(call: str, kernel: int) -> None:
    """See that a window has a centre."""
    if not kernel % 2:
        raise InputError(f"{call}(kernel={kernel}) needs an odd kernel such as 3: an even window has no centre.")
