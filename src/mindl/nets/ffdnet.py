"""A denoiser that is told the noise level."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from mindl.core.errors import InputError
from mindl.core.randomness import global_draws_from
from mindl.nets.architecture import Architecture
from mindl.nets.blocks import chain
from mindl.nets.checks import check_counts, check_image
from mindl.nets.lipschitz import lipschitz_bound


class FFDNetLike(Architecture):
    r"""A chain of convolutions on four half-sized images and a plane that holds the noise level.

    The image is sorted into its 2 x 2 phases (pixel unshuffling, which loses nothing), the noise level becomes
    one more channel, and the phases of the result are sorted back. So one network serves every noise level, at
    about a quarter of the multiplications, and sees twice as far as a chain at full resolution. Odd sizes are
    repeated by a row or column and cut off again. The output is whatever is trained, the image in the paper; a
    fresh network is close to the zero map. The network of the paper is ``FFDNetLike(1, 1, depth=15, width=64)``
    with batch normalisation between, which is left out here: an image's result does not depend on its batch
    mates.

    Args:
        inputs, outputs: channels in and out; the noise is not counted.
        width: channels between.
        depth: number of convolutions.
        seed: of the initial weights; the global generator is left alone.

    Shapes: (batch, inputs, height, width) to (batch, outputs, height, width), from 1 x 1 on; values of order 1.

    Raises:
        InputError: a number below 1, another number of input channels, or a noise level that is missing,
            negative, not finite or of another shape.

    Source: Zhang, Zuo and Zhang, IEEE Trans. Image Process. 27 (2018), "FFDNet".

    >>> FFDNetLike(1, 1)(torch.zeros(3, 1, 5, 7), noise=0.1).shape
    torch.Size([3, 1, 5, 7])
    """

    def __init__(self, inputs: int, outputs: int, *, width: int = 32, depth: int = 8, seed: int = 0) -> None:
        super().__init__()
        check_counts("FFDNetLike", {"inputs": inputs, "outputs": outputs, "width": width, "depth": depth})
        self.inputs, self.outputs, self.width, self.depth, self.seed = inputs, outputs, width, depth, seed
        with global_draws_from(seed):
            self.layers = chain(4 * inputs + 1, 4 * outputs, width=width, depth=depth)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, image: Tensor, noise: float | Tensor | None = None) -> Tensor:
        """The network's output for an image with noise of a standard deviation in the image's units.

        The noise is a number, one per image (batch, 1, 1, 1), or a map (batch, 1, height, width). Left out, it is
        the last channel of the image, of which there is one more then.
        """
        if noise is None and image.ndim == 4 and image.shape[1] == self.inputs + 1:
            image, noise = image[:, :-1], image[:, -1:]
        check_image("FFDNetLike", image, self.inputs)
        down, along = ((n + 1) // 2 * 2 - n for n in image.shape[2:])
        spare = (0, along, 0, down)
        phases = functional.pixel_unshuffle(functional.pad(image, spare, mode="replicate"), 2)
        level = _level(noise, image)
        if level.shape[2:] != (1, 1):
            level = functional.avg_pool2d(functional.pad(level, spare, mode="replicate"), 2)
        told = torch.cat([phases, level.expand(image.shape[0], 1, *phases.shape[2:])], dim=1)
        whole = functional.pixel_shuffle(self.layers(told), 2)
        # Cut off by a negative margin: of a slice, an export for all sizes cannot see that it lies inside.
        return functional.pad(whole, (0, -along, 0, -down))

    def lipschitz(self) -> float:
        """In the image, at a fixed noise level: the product of the norms, doubled for sizes that are odd."""
        return 2 * lipschitz_bound(self.layers)


def _level(noise: float | Tensor | None, image: Tensor) -> Tensor:
    """The noise level as (batch or 1, 1, height or 1, width or 1)."""
    if noise is None:
        raise InputError(
            "FFDNetLike needs the noise level: net(image, noise=0.1) for a standard deviation of 0.1 in the "
            "image's units, or one more channel that holds it."
        )
    level = torch.as_tensor(noise, dtype=image.dtype, device=image.device)
    level = level.reshape(1, 1, 1, 1) if level.ndim == 0 else level
    fits = level.ndim == 4 and level.shape[1] == 1 and level.shape[0] in (1, image.shape[0])
    if not fits or (level.shape[2:] != (1, 1) and level.shape[2:] != image.shape[2:]):
        raise InputError(
            "FFDNetLike(noise) is a number, one per image (batch, 1, 1, 1), or a map (batch, 1, height, width); "
            f"got {tuple(level.shape)} for an image {tuple(image.shape)}."
        )
    # An exported graph has no values to look at.
    if not torch.compiler.is_compiling() and not bool(((level >= 0) & torch.isfinite(level)).all()):
        raise InputError(
            f"FFDNetLike(noise={float(level.amin()):g}) must be at least 0 and finite: it is a standard deviation."
        )
    return level
