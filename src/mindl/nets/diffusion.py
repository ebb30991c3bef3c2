"""A network that is a diffusion process: symmetric blocks and nothing else."""

from __future__ import annotations

from torch import Tensor, nn

from mindl.calculus.penalisers import Charbonnier, PeronaMalik, SmoothPenaliser
from mindl.core.errors import InputError
from mindl.core.randomness import global_draws_from
from mindl.nets.activations import Activation, Coupled, Flux, SplineActivation
from mindl.nets.architecture import Architecture
from mindl.nets.checks import check_counts, check_image
from mindl.nets.lipschitz import lipschitz_bound
from mindl.nets.symmetric import FreeBlock, SymmetricBlock


class DiffusionNet(Architecture):
    r"""Diffusion steps :math:`u \leftarrow u - \tau_k K_k^T \varphi_k(K_k u)`, each with filters of its own.

    The filters sum to 0 and windows do not stick out of the image: constants and the mean of each channel stay
    as they are, for all weights. For symmetric blocks, :math:`\|u_{k+1}\| \le \|u_k\|` is proved for all
    weights too, so that the network is stable at any depth; with ``monotone`` it is also nonexpansive.

    Args:
        inputs, outputs: channels in and out, the same number: every step is an image.
        filters: of each K.
        blocks: number of steps.
        kernel: side of the windows, 2 at least.
        contrast: where fluxes bend, as a response of filters with norm 1.
        monotone: whether the activations rise (they start as Charbonnier's flux) or may fall (as Perona and
            Malik's).
        knots: 0 keeps these activations; n learns splines with n knots up to 4 contrasts, one for each group.
        group: filters in a group that share one diffusivity; 2 lets a pair turn like a gradient.
        free: whether the second kernels are independent: twice the weights, and nothing is proved of it.
        correction: whether the result is u_n - u_0: for a head that adds the network's output to the image.
        seed: of the initial weights; the global generator is left alone.

    Shapes: (batch, inputs, height, width), kept, from 1 x 1 on. An image smaller than the window stays as it is.

    Raises:
        InputError: a number below 1, a kernel below 2, a contrast that is not positive, filters that do not divide
            into groups, outputs that are not as many as the inputs, or another number of input channels.

    Source: Alt, Schrader, Augustin, Peter and Weickert, J. Math. Imaging Vis. 65 (2023); Chen and Pock, IEEE
    Trans. Pattern Anal. Mach. Intell. 39 (2017), without their reaction term.

    >>> import torch
    >>> u = torch.rand(2, 1, 9, 7)
    >>> bool(DiffusionNet(1, 1)(u).norm() <= u.norm())
    True
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        filters: int = 16,
        blocks: int = 8,
        kernel: int = 5,
        contrast: float = 0.05,
        monotone: bool = False,
        knots: int = 0,
        group: int = 1,
        free: bool = False,
        correction: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_counts("DiffusionNet", {"inputs": inputs, "filters": filters, "blocks": blocks, "group": group})
        check_counts("DiffusionNet", {"kernel": kernel}, least=2)
        check_counts("DiffusionNet", {"knots": knots}, least=0)
        if outputs != inputs:
            raise InputError(
                f"DiffusionNet(inputs={inputs}, outputs={outputs}) turns images into images: it needs as many "
                "outputs as inputs. Another network, such as ResNet, may have any number."
            )
        if filters % group:
            raise InputError(
                f"DiffusionNet(filters={filters}, group={group}) needs filters that divide into groups, such as "
                f"{(filters // group + 1) * group}."
            )
        self.inputs, self.outputs, self.filters, self.blocks, self.kernel = (
            inputs,
            outputs,
            filters,
            blocks,
            kernel,
        )
        self.contrast, self.monotone, self.knots, self.group = contrast, monotone, knots, group
        self.free, self.correction, self.seed = free, correction, seed
        kind = FreeBlock if free else SymmetricBlock
        with global_draws_from(seed):
            self.layers = nn.Sequential(
                *(kind(inputs, filters, self._activation(), kernel=kernel) for _ in range(blocks))
            )

    def _activation(self) -> Activation:
        penaliser: SmoothPenaliser = Charbonnier(self.contrast) if self.monotone else PeronaMalik(self.contrast)
        activation: Activation = Flux(penaliser)
        if self.knots:
            activation = SplineActivation(
                self.filters // self.group,
                knots=self.knots,
                reach=4 * self.contrast,
                monotone=self.monotone,
                start=penaliser,
            )
        return Coupled(activation, self.group) if self.group > 1 else activation

    def forward(self, image: Tensor) -> Tensor:
        """The image after all steps, or its change."""
        check_image("DiffusionNet", image, self.inputs)
        result: Tensor = self.layers(image)
        return result - image if self.correction else result

    def lipschitz(self) -> float:
        """The product of the bounds of the blocks: 1 if they are symmetric and monotone."""
        return lipschitz_bound(self.layers) + (1 if self.correction else 0)
