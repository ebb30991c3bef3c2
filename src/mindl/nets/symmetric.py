r"""Diffusion steps as residual blocks: the symmetric one with its proof, and the free one beside it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mindl.calculus.norms import norm_bound
from mindl.calculus.safe import confined
from mindl.core.errors import InputError
from mindl.nets.activations import Activation
from mindl.nets.checks import check_counts, check_image
from mindl.nets.constraints import zero_mean

SMALLEST = 1e-12
"""Squared norms below this count as this: a step must not overflow where a kernel vanishes."""


class SymmetricBlock(nn.Module):
    r"""An explicit diffusion step as a residual block without bias: :math:`u - \tau K^T \varphi(K u)`.

    K correlates with each window that lies within the image, so that nothing flows through the border; :math:`K^T`
    is its exact adjoint with the same weights. An image smaller than the window comes back as it is.

    *Stability.* Write :math:`\varphi(Ku) = D K u` with a diagonal D between 0 and G. The eigenvalues of the
    symmetric :math:`I - \tau K^T D K` lie between :math:`1 - \tau G \|K\|^2` and 1. So for every image and all
    weights

    .. math:: \|u - \tau K^T \varphi(K u)\| \le \|u\| \qquad \text{if} \quad 0 \le \tau \le \frac{2}{G \|K\|^2}.

    The block keeps to it by what it learns: the share of the largest stable step, confined to [0, 1], where |K|
    is the proved bound of ``norm_bound``. It is nonexpansive (distances shrink as well) if phi is monotone with
    slopes up to G: then it is a gradient step on a convex energy. With nonmonotone phi it is not, in general.
    Where the filters sum to 0, constants stay, and so does the mean of each channel.

    Args:
        channels: of the image.
        filters: of K; channels of what the activation sees.
        activation: phi, with its bound G; ``Flux``, ``SplineActivation`` or ``Coupled``.
        kernel: side of the window; 2 is enough for differences.
        share: where the step begins, from 0 to 1. 0.5 is the step 1 / (G |K|^2).
        keeps_mean: whether the filters sum to 0.

    Shapes: (batch, channels, height, width), kept. The kernel starts random with norm 1, drawn from the global
    generator.

    Raises:
        InputError: a number below 1, a share outside [0, 1], something else than an activation, a 1 x 1 kernel
            that is to keep the mean, or another number of channels.

    Source: Alt, Schrader, Augustin, Peter and Weickert, J. Math. Imaging Vis. 65 (2023), "Connections between
    numerical algorithms for PDEs and neural networks"; Ruthotto and Haber, J. Math. Imaging Vis. 62 (2020).

    >>> from mindl.calculus import PeronaMalik
    >>> from mindl.nets import Flux
    >>> block = SymmetricBlock(1, 8, Flux(PeronaMalik(0.1)))
    >>> u = torch.rand(1, 1, 9, 7)
    >>> bool(block(u).norm() <= u.norm()), bool(torch.isclose(block(u).mean(), u.mean()))
    (True, True)
    """

    def __init__(
        self,
        channels: int,
        filters: int,
        activation: Activation,
        *,
        kernel: int = 3,
        share: float = 0.5,
        keeps_mean: bool = True,
    ) -> None:
        super().__init__()
        if not 0 <= share <= 1:
            raise InputError(
                f"SymmetricBlock(share={share}) must be from 0 to 1: beyond the step 2 / (G |K|^2) it is unstable."
            )
        self.channels, self.keeps_mean = channels, keeps_mean
        self.weight = _kernel("SymmetricBlock", channels, filters, activation, kernel, keeps_mean)
        self.activation = activation
        self.share = nn.Parameter(torch.tensor(float(share)))

    def kernel(self) -> Tensor:
        """K, (filters, channels, height, width), as the block applies it."""
        return zero_mean(self.weight) if self.keeps_mean else self.weight

    def step_size(self) -> Tensor:
        """tau = 2 share / (G |K|^2)."""
        return self._step_size(self.kernel())

    def _step_size(self, kernel: Tensor) -> Tensor:
        square = norm_bound(kernel).square().clamp(min=SMALLEST)
        return 2 * confined(self.share, 0.0, 1.0) / (self.activation.bound * square)

    def forward(self, image: Tensor) -> Tensor:
        """One step."""
        check_image("SymmetricBlock", image, self.channels)
        kernel = self.kernel()
        if image.shape[2] < kernel.shape[2] or image.shape[3] < kernel.shape[3]:
            return image
        flux = self.activation(functional.conv2d(image, kernel))
        return image - self._step_size(kernel) * functional.conv_transpose2d(flux, kernel)

    def lipschitz(self) -> float:
        """1 for a monotone activation; with slopes down to -m it is 1 + tau m |K|^2 <= 1 + 2 share m / G."""
        least, most = self.activation.slopes()
        factor = 2 * min(max(float(self.share.detach()), 0.0), 1.0) / self.activation.bound
        return max(1.0, factor * most - 1, 1 - factor * least)


class FreeBlock(nn.Module):
    r"""The same block set free: :math:`u - V^T \varphi(K u)` with a second kernel V of its own.

    Twice the weights of a ``SymmetricBlock`` and none of its bounds. V starts as tau K, so that it equals the
    symmetric block with the same weights until it learns.

    Arguments, shapes, errors: as for ``SymmetricBlock``.

    >>> from mindl.calculus import Charbonnier
    >>> from mindl.nets import Flux
    >>> FreeBlock(1, 8, Flux(Charbonnier(0.1)))(torch.zeros(1, 1, 1, 7)).shape
    torch.Size([1, 1, 1, 7])
    """

    def __init__(
        self,
        channels: int,
        filters: int,
        activation: Activation,
        *,
        kernel: int = 3,
        share: float = 0.5,
        keeps_mean: bool = True,
    ) -> None:
        super().__init__()
        symmetric = SymmetricBlock(
            channels, filters, activation, kernel=kernel, share=share, keeps_mean=keeps_mean
        )
        self.channels, self.keeps_mean = channels, keeps_mean
        self.weight, self.activation = symmetric.weight, activation
        self.back = nn.Parameter((symmetric.step_size() * symmetric.weight).detach().clone())

    def kernels(self) -> tuple[Tensor, Tensor]:
        """K and V, as the block applies them."""
        if self.keeps_mean:
            return zero_mean(self.weight), zero_mean(self.back)
        return self.weight, self.back

    def forward(self, image: Tensor) -> Tensor:
        """One step."""
        check_image("FreeBlock", image, self.channels)
        there, back = self.kernels()
        if image.shape[2] < there.shape[2] or image.shape[3] < there.shape[3]:
            return image
        return image - functional.conv_transpose2d(self.activation(functional.conv2d(image, there)), back)

    def lipschitz(self) -> float:
        """1 + |V| max |phi'| |K|."""
        steepest = max(abs(slope) for slope in self.activation.slopes())
        with torch.no_grad():
            there, back = (float(norm_bound(kernel)) for kernel in self.kernels())
        return 1 + there * back * steepest


def _kernel(
    call: str, channels: int, filters: int, activation: Activation, kernel: int, keeps_mean: bool
) -> nn.Parameter:
    check_counts(call, {"channels": channels, "filters": filters, "kernel": kernel})
    if not isinstance(activation, Activation):
        raise InputError(f"{call} needs an activation such as Flux(Charbonnier(0.1)), got {activation!r}.")
    if keeps_mean and kernel == 1:
        raise InputError(f"{call}(kernel=1, keeps_mean=True) would be zero: take a larger kernel.")
    weight = torch.randn(filters, channels, kernel, kernel)
    weight = zero_mean(weight) if keeps_mean else weight
    return nn.Parameter(weight / norm_bound(weight))
