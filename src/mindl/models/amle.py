r"""The absolutely minimising Lipschitz extension of known pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from mindl.calculus.wide_stencil import WideStencil, infinity_average
from mindl.core.arrays import Image, Mask
from mindl.models.filling import Filling, check_mask_given
from mindl.models.flow import Flow


@dataclass(frozen=True, eq=False, repr=False)
class InfinityHarmonic(Flow, Filling):
    r"""Inpainting with the least slope everywhere,

    .. math:: \Delta_\infty u = u_x^2 u_{xx} + 2 u_x u_y u_{xy} + u_y^2 u_{yy} = 0,

    with u = f at the known pixels: on every subset no other extension has a smaller Lipschitz constant. Cones
    :math:`a + b |x - x_0|` between their known pixels are solutions, single known pixels keep their value, and the
    result stays within the range of the known ones.

    A pixel is moved to the value for which the steepest slope to its neighbours in all directions of a wide
    stencil is least (``calculus.infinity_average``). That is monotone, so the explicit scheme keeps the range
    and moves no two solutions apart (in the maximum norm) up to the step size 1. A stencil knows directions up
    to an angle d: slopes are right up to a factor cos(d / 2), however fine the grid; narrow stencils do not
    converge to cones.

    Args:
        data: the image f.
        mask: true = known pixel.
        radius: of the stencil, in pixels; 3.7 has 32 directions (d = 18 degrees at most).

    Raises:
        MaskError: greys, another size, or a channel without a known pixel.
        InputError: a radius below 1.

    Source: Aronsson, Ark. Mat. 6 (1967); Caselles, Morel and Sbert, IEEE Trans. Image Process. 7 (1998); the
    scheme: Oberman, Math. Comp. 74 (2005).
    """

    data: Image
    mask: Mask
    radius: float = 3.7

    def __post_init__(self) -> None:
        check_mask_given(self.mask, self.title)
        _ = self.known, self.stencil  # their checks are this model's

    @cached_property
    def stencil(self) -> WideStencil:
        """The neighbours that a pixel looks at."""
        return WideStencil(self.radius)

    @property
    def title(self) -> str:
        """The model's name."""
        return "amle_inpainting"

    @property
    def stable_step(self) -> float | None:
        """1: the pixel takes its new value."""
        return 1.0

    def rate(self, image: Image) -> Image:
        """The way to the value of least slope, at the free pixels."""
        return self.only_free(infinity_average(self.stencil, image) - image)


def amle_inpainting(data: Image, mask: Mask, *, radius: float = 3.7) -> InfinityHarmonic:
    """The absolutely minimising Lipschitz extension of the known pixels. See ``InfinityHarmonic``.

    >>> import torch, mindl as md
    >>> known = torch.tensor([[[[True, False, False, True]]]])
    >>> model = amle_inpainting(torch.tensor([[[[0.0, 9.0, 9.0, 0.75]]]]), known, radius=1)
    >>> md.steady_state(model, stop=md.Stop(1e-6)).image.flatten().round(decimals=4)
    tensor([0.0000, 0.2500, 0.5000, 0.7500])
    """
    return InfinityHarmonic(data, mask, radius)
