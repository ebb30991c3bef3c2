r"""Total generalised variation of second order: ramps are free, edges and kinks cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mindl.calculus import Channelwise, Coupling, Gradient, Joint, Operator, TotalVariation
from mindl.core.arrays import Dual, Image, PerImage, Weight, check_weight, exporting, per_image
from mindl.core.errors import InputError
from mindl.core.reduce import largest, norm, total
from mindl.models.data_terms import HalfSquared
from mindl.models.fused_tgv import tgv_gap_sums
from mindl.models.views import GapSums, SaddlePoint

TV = TotalVariation()


@dataclass(frozen=True)
class GradientAndSlope(Operator):
    r""":math:`K(u, w) = (\nabla u - w,\; \mathcal E w)` with the symmetrised gradient :math:`\mathcal E`.

    The unknown stacks its blocks along the channels: u, then the slopes w_x and w_y. Components: the x and y
    of grad u - w; then w_xx, w_yy and sqrt(2) times the mean of w_xy and w_yx. w lives on the differences that
    the image has, and its differences between those: entries beyond the border are 0, and those of w there
    enter nothing. So K(u, grad u) = 0 exactly for affine u.

    With a = \|grad\|^2, which also bounds \|E\|^2, the largest eigenvalue of [[a, sqrt a], [sqrt a, 1 + a]] bounds
    \|K\|^2: (1 + 2 a + sqrt(1 + 4 a)) / 2 < 11.38.
    """

    components = 5
    reach = 2

    def field_shape(self, image: torch.Size) -> torch.Size:
        """One channel of the field for three of the unknown."""
        return torch.Size((image[0], image[1] // 3, 5, *image[2:]))

    def image_shape(self, field: torch.Size) -> torch.Size:
        """Three channels of the unknown for one of the field."""
        return torch.Size((field[0], 3 * field[1], *field[3:]))

    def _apply(self, image: Image, out: Tensor) -> Dual:
        u, wx, wy = image.chunk(3, dim=1)
        Gradient()._apply(u, out[:, :, :2])
        out[:, :, 0, :, :-1] -= wx[..., :-1]
        out[:, :, 1, :-1, :] -= wy[..., :-1, :]
        return self.strain(wx, wy, out)

    def strain(self, wx: Tensor, wy: Tensor, out: Tensor) -> Tensor:
        """E w, into the last three components of ``out``."""
        out[:, :, 2:] = 0
        xx, yy, xy = out[:, :, 2:].unbind(2)
        if wx.shape[3] > 2:
            torch.sub(wx[..., 1:-1], wx[..., :-2], out=xx[..., 1:-1])
        if wx.shape[2] > 2:
            torch.sub(wy[..., 1:-1, :], wy[..., :-2, :], out=yy[..., 1:-1, :])
        corner = xy[..., :-1, :-1]
        torch.sub(wx[..., 1:, :-1], wx[..., :-1, :-1], out=corner)
        corner += wy[..., :-1, 1:]
        corner -= wy[..., :-1, :-1]
        corner *= math.sqrt(0.5)
        return out

    def _adjoint(self, field: Dual, out: Tensor) -> Image:
        u, wx, wy = out.chunk(3, dim=1)
        Gradient()._adjoint(field[:, :, :2], u)
        self.unstrain(field, wx, wy)
        wx[..., :-1] -= field[:, :, 0, :, :-1]
        wy[..., :-1, :] -= field[:, :, 1, :-1, :]
        return out

    def unstrain(self, field: Dual, wx: Tensor, wy: Tensor) -> None:
        """E^T q, q the last three components of ``field``, into ``wx`` and ``wy``."""
        wx.zero_()
        wy.zero_()
        xx, yy = field[:, :, 2, :, 1:-1], field[:, :, 3, 1:-1, :]
        if wx.shape[3] > 2:
            wx[..., 1:-1] += xx
            wx[..., :-2] -= xx
        if wx.shape[2] > 2:
            wy[..., 1:-1, :] += yy
            wy[..., :-2, :] -= yy
        corner = field[:, :, 4, :-1, :-1] * math.sqrt(0.5)
        wx[..., 1:, :-1] += corner
        wx[..., :-1, :-1] -= corner
        wy[..., :-1, 1:] += corner
        wy[..., :-1, :-1] -= corner

    def norm_squared(self, height: int, width: int) -> float:
        """The bound of the class's docstring, for this size."""
        a = Gradient().norm_squared(height, width)
        root: float = (1 + 4 * a) ** 0.5 if exporting() else math.sqrt(1 + 4 * a)
        return (1 + 2 * a + root) / 2 * (1 + 1e-12)


@dataclass(frozen=True, eq=False)
class TotalGeneralisedVariation(SaddlePoint):
    r"""See ``tgv``. The unknown is u stacked with its slope field w along the channels; ``lift`` makes one of
    an image.

    The dual field holds p (2 components, |p| <= weight) and q (3 components, |q| <= ratio weight).
    Stationarity in w asks for p = E^T q on the differences that exist. A witness q of any size is made
    feasible as s (q, E^T q) with :math:`s = 1 / \max(1, |q|_\infty / \alpha_0, |E^T q|_\infty / \alpha_1)`.
    The gap is then finite, and since the energy is strongly convex in u it proves the distance of u just as
    for ``rof``.
    """

    data_term: HalfSquared
    weight: Weight
    ratio: float
    coupling: Coupling

    def __post_init__(self) -> None:
        check_weight(self.weight, self.data_term.data, "tgv")
        if not 0 < self.ratio < math.inf:
            raise InputError(f"tgv(ratio={self.ratio}) must be above 0 and finite.")

    @property
    def title(self) -> str:
        """tgv."""
        return "tgv"

    def __repr__(self) -> str:
        shape = " x ".join(str(n) for n in self.data_term.data.shape)
        weight = "one per image" if isinstance(self.weight, Tensor) else f"{self.weight:.4g}"
        return f"tgv(data {shape}, weight {weight}, ratio {self.ratio:g})"

    @property
    def separable(self) -> bool:
        """Whether every channel is a problem of its own."""
        return self.image_shape[1] == 1 or not self.coupling.joins_channels

    @property
    def image_shape(self) -> torch.Size:
        """The data's shape."""
        return self.data_term.data.shape

    @property
    def second_weight(self) -> Weight:
        """ratio times weight: alpha_0."""
        return self.ratio * self.weight

    def start(self) -> Image:
        """The data, with slopes of 0."""
        return self.lift(self.data_term.data)

    def lift(self, image: Image, near: Image | None = None) -> Image:
        """The image stacked with the slopes of ``near``, or of 0."""
        batch, channels, *size = self.image_shape
        if image.shape == torch.Size((batch, 3 * channels, *size)):
            return image
        image = super().lift(image)
        slopes = (
            image.new_zeros(batch, 2 * channels, *size) if near is None else near[:, channels:].to(image.dtype)
        )
        return torch.cat([image, slopes], dim=1)

    def image_of(self, unknown: Image) -> Image:
        """u."""
        return unknown[:, : self.image_shape[1]]

    @property
    def operator(self) -> GradientAndSlope:
        """K."""
        return GradientAndSlope()

    @property
    def modulus(self) -> float:
        """1: of the image; the slopes have none."""
        return 1.0

    @property
    def modulus_of_unknown(self) -> float:
        """0: the energy is not strongly convex in the slopes."""
        return 0.0

    def energy(self, image: Image) -> PerImage:
        """Half the squared distance to the data plus the weighted norms of grad u - w and E w."""
        penalty, misfit = self.energy_density(self.lift(image))
        return total(penalty) + total(misfit)

    def energy_density(self, image: Image) -> tuple[Tensor, Image]:
        """Penalties of the two groups of components, and the data term."""
        first, second = self._parts(self.operator(image))
        sizes = [
            per_image(self.weight, first) * self.coupling.magnitude(first),
            per_image(self.second_weight, second) * self.coupling.magnitude(second),
        ]
        return torch.cat(sizes, dim=2), self.data_term.value(self.image_of(image))

    def prox_data(self, image: Image, step_size: float, out: Tensor | None = None) -> Image:
        """That of the data term for u; the slopes stay."""
        channels = self.image_shape[1]
        if out is None:
            return torch.cat([self.data_term.proximal(image[:, :channels], step_size), image[:, channels:]], dim=1)
        self.data_term.proximal(image[:, :channels], step_size, out[:, :channels])
        if out is not image:
            out[:, channels:] = image[:, channels:]
        return out

    def prox_dual(
        self,
        dual: Dual,
        step_size: float,
        out: Tensor | None = None,
        scratch: tuple[Tensor, Tensor] | None = None,
    ) -> Dual:
        """The projections onto |p| <= weight and |q| <= ratio weight."""
        p, q = self._parts(dual)
        weights = self.weight, self.second_weight
        if out is None or scratch is None:
            parts = (
                TV.dual_proximal(d, step_size, w, self.coupling) for d, w in zip((p, q), weights, strict=True)
            )
            return torch.cat(list(parts), dim=2)
        for k, (d, w, o) in enumerate(zip((p, q), weights, self._parts(out), strict=True)):
            half = scratch[0][:, :, k : k + 1], scratch[1][:, :, k : k + 1]
            TV.dual_proximal(d, step_size, w, self.coupling, out=o, scratch=half)
        return out

    def feasible(self, dual: Dual) -> Dual:
        """s (E^T q, q)."""
        q = dual[:, :, 2:]
        made = torch.empty_like(dual)
        made[:, :, 2:] = q
        made[:, :, 2, :, 0], made[:, :, 2, :, -1] = 0, 0
        made[:, :, 3, 0], made[:, :, 3, -1] = 0, 0
        made[:, :, 4, :, -1], made[:, :, 4, -1] = 0, 0
        wx, wy = torch.empty_like(made[:, :, 0]), torch.empty_like(made[:, :, 0])
        self.operator.unstrain(made, wx, wy)
        made[:, :, 0], made[:, :, 1] = wx, wy
        p, q = self._parts(made)
        excess = [
            largest(self.coupling.magnitude(part) / per_image(w, part))
            for part, w in ((p, self.weight), (q, self.second_weight))
        ]
        slack = 1 + 16 * torch.finfo(dual.dtype).eps
        return made / per_image((torch.maximum(*excess) * slack).clamp(min=1), made)

    def magnitude(self, dual: Dual) -> Tensor:
        """Those of p and of q."""
        return torch.cat([self.coupling.magnitude(part) for part in self._parts(dual)], dim=2)

    def primal_of(self, dual: Dual) -> Image:
        """f + div p, the image alone."""
        return self.data_term.conjugate_gradient(-Gradient().adjoint(dual[:, :, :2]))

    def data_gap(self, image: Image, dual: Dual) -> Image:
        """|u - f - div p|^2 / 2; the slopes see p - E^T q = 0."""
        return self.data_term.fenchel_young(self.image_of(image), -Gradient().adjoint(dual[:, :, :2]))

    def field_gap(self, image: Image, dual: Dual) -> Tensor:
        """Fenchel-Young terms of both groups."""
        fields, duals = self._parts(self.operator(image)), self._parts(dual)
        weights = self.weight, self.second_weight
        parts = [TV.fenchel_young(f, d, w, self.coupling) for f, d, w in zip(fields, duals, weights, strict=True)]
        return torch.cat(parts, dim=2)

    def looseness(self, image: Image, dual: Dual) -> PerImage:
        """<w, p - E^T q> is 0 up to the rounding of both."""
        return norm(image[:, self.image_shape[1] :]) * norm(dual)

    def data_range(self) -> tuple[Tensor, Tensor] | None:
        """TGV minimisers may leave the range of the data."""
        return None

    def gap_sums(self, image: Image, dual: Dual) -> GapSums | None:
        """By a fused sweep, where one serves."""
        return tgv_gap_sums(self, image, dual)

    @staticmethod
    def _parts(field: Dual) -> tuple[Tensor, Tensor]:
        return field[:, :, :2], field[:, :, 2:]


def tgv(data: Image, weight: Weight, ratio: float = 2.0, *, joint: bool = True) -> TotalGeneralisedVariation:
    r"""Denoising by total generalised variation of second order (Bredies, Kunisch and Pock 2010):

    .. math:: \min_{u, w} \tfrac12 |u - f|^2 + \alpha_1 \sum_i |(\nabla u - w)_i|
              + \alpha_0 \sum_i |(\mathcal E w)_i|

    with :math:`\alpha_1` the weight, :math:`\alpha_0` the weight times the ratio, and the symmetrised gradient
    :math:`\mathcal E`. Ramps cost nothing, so the stairs of ``rof`` do not appear; TGV is at most the total
    variation times :math:`\alpha_1`, and 0 exactly for affine images. ``solution.image`` is u; the slopes w
    are the other channels of ``solution.unknown``. Keeps the mean; no maximum-minimum principle.

    Args:
        data: the noisy image f, (batch, channel, height, width).
        weight: alpha_1 > 0, as for ``rof``.
        ratio: alpha_0 / alpha_1 > 0; about 2 is usual, a large one comes near ``rof`` with affine parts removed.
        joint: whether the channels are coupled.

    Raises:
        InputError: not a finite float image, a weight or a ratio that is not positive.

    Source: SIAM J. Imaging Sci. 3 (2010), 492-526.

    >>> import torch, mindl as md
    >>> ramp = (torch.arange(6.0) / 5).expand(1, 1, 4, 6)
    >>> solution = md.minimise(tgv(ramp, weight=0.1), stop=md.Stop(1e-3))
    >>> torch.allclose(solution.image, ramp, atol=0.02)
    True
    """
    return TotalGeneralisedVariation(HalfSquared(data), weight, ratio, Joint() if joint else Channelwise())
