r"""Variational inpainting: known pixels stay, the others are filled in."""

from __future__ import annotations

from collections.abc import Callable

from mindl.calculus import Gradient, Quadratic
from mindl.core.arrays import Image, Mask
from mindl.models.data_terms import KnownPixels
from mindl.models.variational import Variational


def harmonic_inpainting(data: Image, mask: Mask) -> Variational:
    r"""Homogeneous diffusion inpainting: the smoothest image through the known pixels,

    .. math:: \min_u \tfrac12 |\nabla u|^2 \text{ with } u = f \text{ where the mask is true}
              \iff \Delta u = 0 \text{ elsewhere},

    with reflecting boundaries, each channel on its own. The solution is unique, stays within the range of
    the known pixels, and reproduces constants and discrete harmonic polynomials.

    Args:
        data: the image f, (batch, channel, height, width); what it holds at unknown pixels is ignored.
        mask: true (or 1) = known pixel; (1 or batch, 1 or channel, height, width).

    Raises:
        MaskError: greys, another size, or a channel without a known pixel.

    Source: Carlsson, Signal Processing 15 (1988); Mainberger et al., Computing 92 (2011).

    >>> import torch, mindl as md
    >>> known = torch.tensor([[[[True, False, False, True]]]])
    >>> md.minimise(harmonic_inpainting(torch.tensor([[[[0.0, 9.0, 9.0, 0.75]]]]), known)).image.squeeze()
    tensor([0.0000, 0.2500, 0.5000, 0.7500])
    """
    return Variational(KnownPixels(data, mask), Quadratic(), Gradient(), name="harmonic_inpainting")


INPAINTING: dict[str, Callable[..., Variational]] = {"harmonic_inpainting": harmonic_inpainting}
"""The inpainting models by name."""
