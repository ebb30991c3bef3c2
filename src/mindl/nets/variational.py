"""Few gradient steps on learned energies: the variational network."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from mindl.calculus.free_spline import free_spline
from mindl.calculus.norms import norm_bound
from mindl.core.arrays import exporting
from mindl.core.errors import InputError
from mindl.nets.architecture import Architecture
from mindl.nets.checks import check_counts, check_image
from mindl.nets.constraints import zero_mean

MANY = 1 << 18
"""Pixels of a batch up to which windows are copied into a matrix: faster than convolutions, and more memory."""

SMALL = 1e-12
"""A filter whose norm is less counts as 0."""


class VariationalNetwork(Architecture):
    r"""Gradient steps, each on an energy of its own, from the data f on:

    .. math::
        u_{k+1} = u_k - \sum_i K_{ki}^T\, \varphi_{ki}(K_{ki} u_k) - \lambda_k\, (u_k - f),
        \qquad u_0 = f .

    Filters sum to 0 and have the norm 1; the functions :math:`\varphi_{ki}` are linear splines without any
    bound, so that what they integrate to (the potentials) need be neither convex nor even: edges may be
    sharpened. Images are continued by their border pixels, and :math:`K^T` is the exact adjoint of K with this
    boundary. It is trainable nonlinear reaction diffusion (TNRD), written as the descent that it is.

    It begins with the cosine basis, lowest frequencies first, a little disturbed, and with a flux like Perona and
    Malik's.

    Args:
        inputs, outputs: channels in and out, the same number.
        stages: how many steps.
        filters: in each, at most inputs times (kernel^2 - 1).
        kernel: side of the filters, odd, 3 at least.
        knots: of each function, evenly from -reach to reach, 3 at least.
        reach: in the units of the image; functions are constant beyond.
        correction: whether the result is u - f, for a head that adds the network's output to the image.
        seed: of the disturbance; the global generator is left alone.

    Shapes: (batch, inputs, height, width), kept, from 1 x 1 on; values of an image in [0, 1] (its mean plays
    no part).

    Raises:
        InputError: a number below its least, an even kernel, more filters than there are, a reach that is not
            positive, outputs that are not as many as the inputs, or another number of input channels.

    Source: Chen and Pock, IEEE Trans. Pattern Anal. Mach. Intell. 39 (2017); Kobler, Klatzer, Hammernik and Pock,
    GCPR 2017, "Variational networks: connecting variational methods and deep learning".

    >>> VariationalNetwork(1, 1)(torch.rand(2, 1, 9, 7)).shape
    torch.Size([2, 1, 9, 7])
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        stages: int = 5,
        filters: int = 24,
        kernel: int = 5,
        knots: int = 31,
        reach: float = 0.3,
        correction: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_counts("VariationalNetwork", {"inputs": inputs, "stages": stages, "filters": filters})
        check_counts("VariationalNetwork", {"kernel": kernel, "knots": knots}, least=3)
        if outputs != inputs:
            raise InputError(
                f"VariationalNetwork(inputs={inputs}, outputs={outputs}) turns images into images: it needs as "
                "many outputs as inputs. Another network, such as ResNet, may have any number."
            )
        most = inputs * (kernel * kernel - 1)
        if kernel % 2 == 0 or filters > most or not 0 < reach < math.inf:
            raise InputError(
                f"VariationalNetwork(kernel={kernel}, filters={filters}, reach={reach}) needs an odd kernel, at "
                f"most {most} filters (so many are independent and sum to 0), and a reach above 0."
            )
        self.inputs, self.outputs, self.stages, self.filters = inputs, outputs, stages, filters
        self.kernel, self.knots, self.reach = kernel, knots, float(reach)
        self.correction, self.seed = correction, seed
        basis = _cosines(inputs, kernel)[:filters].repeat(stages, 1, 1, 1, 1)
        noise = torch.randn(basis.shape, generator=torch.Generator().manual_seed(seed))
        self.weight = nn.Parameter(basis + DISTURBANCE / kernel * noise)
        s = torch.linspace(-reach, reach, knots)
        flux = s / (1 + (s / (reach / 6)).square())
        self.values = nn.Parameter(flux.repeat(stages, filters, 1) * (24 / filters))
        self.strength = nn.Parameter(torch.full((stages,), math.log(0.1)))

    def filters_of(self, stage: int) -> Tensor:
        """K of a stage, (filters, inputs, kernel, kernel): every filter sums to 0 in each channel, and has
        norm 1."""
        free = zero_mean(self.weight[stage])
        norms = free.flatten(1).norm(dim=1).clamp(min=SMALL)
        found: Tensor = free / norms[:, None, None, None]
        return found

    def functions_of(self, stage: int) -> Tensor:
        """The values of the functions of a stage at their knots, (filters, knots)."""
        found: Tensor = SCALE * self.values[stage]
        return found

    def reaction_of(self, stage: int) -> Tensor:
        """lambda of a stage."""
        found: Tensor = self.strength[stage].exp()
        return found

    def forward(self, image: Tensor) -> Tensor:
        """The image after all steps, or its change."""
        check_image("VariationalNetwork", image, self.inputs)
        u = image
        for stage in range(self.stages):
            force = self._force(u, self.filters_of(stage), self.functions_of(stage))
            u = u - force - self.reaction_of(stage) * (u - image)
        return u - image if self.correction else u

    def lipschitz(self) -> float:
        """From the bounds of a step: with slopes of phi in [a, b] and a bound B of the squared norm of K, a
        step has eigenvalues between 1 - lambda - max(b, 0) B and 1 - lambda - min(a, 0) B, and lambda f is
        added."""
        found = 1.0
        with torch.no_grad():
            for stage in range(self.stages):
                slopes = self.functions_of(stage).diff(dim=1) * ((self.knots - 1) / (2 * self.reach))
                # A border pixel stands for kernel // 2 more in each direction.
                square = float(norm_bound(self.filters_of(stage))) ** 2 * (1 + self.kernel // 2) ** 2
                reaction = float(self.reaction_of(stage))
                low = 1 - reaction - max(float(slopes.max()), 0.0) * square
                high = 1 - reaction - min(float(slopes.min()), 0.0) * square
                found = max(abs(low), abs(high)) * found + reaction
        return found + (1 if self.correction else 0)

    def _force(self, image: Tensor, kernel: Tensor, values: Tensor) -> Tensor:
        """K^T phi(K u)."""
        margin, (height, width) = self.kernel // 2, image.shape[2:]
        wide = functional.pad(image, (margin,) * 4, mode="replicate")
        if exporting() or image.numel() // self.inputs > MANY or image.device.type != "cpu":
            responses = functional.conv2d(wide, kernel)
            bent = free_spline(responses.flatten(2), values, self.reach).reshape(responses.shape)
            return _gathered(functional.conv_transpose2d(bent, kernel), margin)
        rows = wide.unfold(2, self.kernel, 1).unfold(3, self.kernel, 1)  # batch, channel, row, column, window
        rows = rows.permute(0, 2, 3, 1, 4, 5).reshape(-1, kernel[0].numel())
        matrix = kernel.flatten(1)
        bent = free_spline((rows @ matrix.T)[:, :, None], values, self.reach)[:, :, 0]
        back = (bent @ matrix).reshape(image.shape[0], height * width, -1).transpose(1, 2)
        size = (height + 2 * margin, width + 2 * margin)
        return _gathered(functional.fold(back, size, self.kernel), margin)


DISTURBANCE = 0.02
"""The norm of what disturbs a filter of norm 1, about."""

SCALE = 0.1
"""Functions are learned in units of this, so that one learning rate suits filters and functions."""


def _cosines(channels: int, size: int) -> Tensor:
    """The filters of the cosine basis without constants, lowest frequencies first: (filters, channels, size,
    size)."""
    places = (torch.arange(size) + 0.5) * math.pi / size
    waves = torch.stack([torch.cos(k * places) for k in range(size)])
    waves = waves / waves.norm(dim=1, keepdim=True)
    order = sorted(
        ((i, j) for i in range(size) for j in range(size) if i + j), key=lambda p: (p[0] ** 2 + p[1] ** 2, p)
    )
    filters = []
    for i, j in order:
        for channel in range(channels):
            found = torch.zeros(channels, size, size)
            found[channel] = waves[i][:, None] * waves[j]
            filters.append(found)
    return torch.stack(filters)


def _gathered(wide: Tensor, margin: int) -> Tensor:
    """The adjoint of continuing an image by its border pixels: what fell outside is added to the border."""
    for dim in (2, 3):
        size = wide.shape[dim] - 2 * margin
        first = wide.narrow(dim, 0, margin).sum(dim, keepdim=True)
        last = wide.narrow(dim, size + margin, margin).sum(dim, keepdim=True)
        inner = wide.narrow(dim, margin, size)
        before = [0, 0, 0, 0]
        at = 0 if dim == 3 else 2
        before[at + 1] = size - 1
        after = list(before)
        after[at], after[at + 1] = size - 1, 0
        wide = inner + functional.pad(first, before) + functional.pad(last, after)
    return wide
