"""DnCNN: a deep chain that learns the noise."""

from __future__ import annotations

import torch
from torch import Tensor

from mindl.core.errors import InputError
from mindl.core.randomness import global_draws_from
from mindl.nets.architecture import Architecture
from mindl.nets.blocks import chain
from mindl.nets.checks import check_counts, check_image
from mindl.nets.lipschitz import lipschitz_bound


class DnCNN(Architecture):
    r"""The denoiser :math:`u - R(u)`, where the chain of convolutions R learns the noise.

    R has ``depth`` convolutions of 3 x 3 with rectifiers between them and, with ``batch_norm``, a normalisation
    behind each inner one. It starts close to zero, so that a fresh denoiser is close to the identity. The
    network of the paper is ``DnCNN(1, 1, depth=17, width=64, batch_norm=True)``, with 556,000 parameters, and
    depth 20 for unknown noise; the default is for experiments on a CPU.

    *Batch normalisation* shifts and scales every channel by the statistics of the batch while it trains:
    results then depend on the batch mates, and a batch with one value per channel is refused by torch. In
    evaluation (``net.eval()``) it uses the running means: a fixed affine map, and each image is treated alone.

    Args:
        inputs, outputs: channels in and out.
        width: channels between.
        depth: number of convolutions.
        batch_norm: as above.
        residual: whether the result is u - R(u). ``False`` gives R(u) itself: for a head that adds the network's
            output to the image, and for other numbers of outputs.
        seed: of the initial weights; the global generator is left alone.

    Shapes: (batch, inputs, height, width) to (batch, outputs, height, width), from 1 x 1 on; values of order 1.

    Raises:
        InputError: a number below 1, a depth below 2, outputs that differ from the inputs while ``residual``, or
            another number of input channels.

    Source: Zhang, Zuo, Chen, Meng and Zhang, IEEE Trans. Image Process. 26 (2017), "Beyond a Gaussian denoiser".

    >>> DnCNN(3, 3)(torch.zeros(2, 3, 5, 7)).shape
    torch.Size([2, 3, 5, 7])
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        width: int = 24,
        depth: int = 8,
        batch_norm: bool = False,
        residual: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_counts("DnCNN", {"inputs": inputs, "outputs": outputs, "width": width})
        check_counts("DnCNN", {"depth": depth}, least=2)
        if residual and inputs != outputs:
            raise InputError(
                f"DnCNN(inputs={inputs}, outputs={outputs}) subtracts the noise from its input, so it needs as "
                "many outputs as inputs; with residual=False it returns what its layers compute."
            )
        self.inputs, self.outputs, self.width, self.depth = inputs, outputs, width, depth
        self.batch_norm, self.residual, self.seed = batch_norm, residual, seed
        with global_draws_from(seed):
            self.layers = chain(inputs, outputs, width=width, depth=depth, batch_norm=batch_norm)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, image: Tensor) -> Tensor:
        """The image without the noise that R sees in it, or R itself."""
        check_image("DnCNN", image, self.inputs)
        noise: Tensor = self.layers(image)
        return image - noise if self.residual else noise

    def lipschitz(self) -> float:
        """The product of the proved norms, and 1 for the image; in evaluation."""
        return lipschitz_bound(self.layers) + (1 if self.residual else 0)
