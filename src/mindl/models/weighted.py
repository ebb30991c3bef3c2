r"""Linear systems :math:`L^T W L` with weights on the differences, and known pixels or none."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mindl.calculus import Operator
from mindl.core.arrays import Dual, Image, Mask, PerImage
from mindl.core.reduce import total
from mindl.models.filling import Filling
from mindl.models.views import LinearSystem


@dataclass(frozen=True, eq=False)
class WeightedSystem(LinearSystem, Filling):
    r"""The matrix :math:`A = P L^T W L P^T` that a diffusion has at one moment; P leaves the free pixels.

    Its energy is half of :math:`\langle L u, W L u \rangle`. The weights of an anisotropic diffusion may be
    negative here and there; the sum is not. Without known pixels A is singular: constants do not flow.

    Args:
        operator: L.
        weights: W, shaped to multiply a field.
        norm_bound: an upper bound of the norm of A.
        data: the image at whose shape the system is defined.
        mask: true = a pixel that stays; None: all change.
    """

    operator: Operator
    weights: Dual
    norm_bound: float
    data: Image
    mask: Mask | None = None

    @property
    def free(self) -> Tensor | None:
        """The pixels that change."""
        return None if self.known is None else self.known.free

    @property
    def reach(self) -> int | None:
        """As far as L^T L looks; without known pixels A is singular, and multigrid would shift the mean."""
        return None if self.mask is None else self.operator.reach

    @property
    def pattern(self) -> tuple[int, int]:
        """(batch, channel) of the weights and the mask."""
        batch, channel = self.weights.shape[:2]
        if self.known is None:
            return batch, channel
        return max(batch, self.known.mask.shape[0]), max(channel, self.known.mask.shape[1])

    @property
    def lipschitz(self) -> float:
        """The bound of the norm."""
        return self.norm_bound

    def energy(self, image: Image) -> PerImage:
        """Half of <L u, W L u>."""
        field = self.operator(image)
        return total(field * field * self.weights) / 2

    def gradient(self, image: Image) -> Image:
        """L^T W L u on the free pixels."""
        return self.only_free(self.operator.adjoint(self.operator(image) * self.weights.to(image.dtype)))

    @property
    def right_hand_side(self) -> Image:
        """What flows in from the known pixels."""
        return -self.gradient(self.project(torch.zeros_like(self.data)))

    def apply(self, direction: Image, out: Tensor | None = None, scratch: Tensor | None = None) -> Image:
        """A d: known pixels have no direction, so that it is the same formula."""
        result = self.gradient(direction)
        return result if out is None else out.copy_(result)
