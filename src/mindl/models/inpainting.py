r"""Variational inpainting: known pixels stay, the others are filled in."""

from __future__ import annotations

from collections.abc import Callable

import torch

from mindl.calculus import Channelwise, Gradient, Hessian, Joint, Polyharmonic, Quadratic, TotalVariation
from mindl.core.arrays import Image, Mask, exporting
from mindl.core.errors import MaskError
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

    Source: Carlsson, Signal Processing 15 (1988); Mainberger et al., Pattern Recognition 44 (2011).

    >>> import torch, mindl as md
    >>> known = torch.tensor([[[[True, False, False, True]]]])
    >>> md.minimise(harmonic_inpainting(torch.tensor([[[[0.0, 9.0, 9.0, 0.75]]]]), known)).image.squeeze()
    tensor([0.0000, 0.2500, 0.5000, 0.7500])
    """
    return Variational(KnownPixels(data, mask), Quadratic(), Gradient(), name="harmonic_inpainting")


def biharmonic_inpainting(data: Image, mask: Mask) -> Variational:
    r"""Inpainting by the biharmonic equation:

    .. math:: \min_u \tfrac12 |\Delta u|^2 \text{ with } u = f \text{ where the mask is true}
              \iff \Delta^2 u = 0 \text{ elsewhere},

    with reflecting boundaries, each channel on its own. Smoother at the known pixels than
    ``harmonic_inpainting``, but it overshoots: no maximum-minimum principle. The condition number is about the
    square of the harmonic one (1e4 with 5 % known, 2e5 with 1 %): use float64 images for tolerances below
    1e-4. The distance is proved through the harmonic system of the same pixels. Arguments and errors as there.

    Source: Duchon, RAIRO Anal. Numer. 10 (1976); Galic et al., J. Math. Imaging Vis. 31 (2008).

    >>> import torch, mindl as md
    >>> x = torch.arange(7.0, dtype=torch.float64) / 6
    >>> known = torch.tensor([1, 1, 0, 0, 0, 1, 1]).bool().reshape(1, 1, 1, 7)
    >>> md.minimise(biharmonic_inpainting((x**3).reshape(1, 1, 1, 7), known)).image.flatten() - x**3 < 1e-4
    tensor([True, True, True, True, True, True, True])
    """
    return Variational(KnownPixels(data, mask), Quadratic(), Polyharmonic(2), name="biharmonic_inpainting")


def triharmonic_inpainting(data: Image, mask: Mask) -> Variational:
    r"""Inpainting by the triharmonic equation :math:`\Delta^3 u = 0`, with reflecting boundaries:

    .. math:: \min_u \tfrac12 |\nabla \Delta u|^2 \text{ with } u = f \text{ where the mask is true}.

    Smoother and with more overshoot than ``biharmonic_inpainting``; condition numbers of 5e5 (5 % known) to 3e7
    (1 %). Use float64 images. Arguments and errors as for ``harmonic_inpainting``.

    Source: as for ``biharmonic_inpainting``.

    >>> import torch, mindl as md
    >>> f = torch.rand(1, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    >>> md.minimise(triharmonic_inpainting(f, md.images.random_mask(8, 8, 0.5, seed=0))).outcome.value
    'certified'
    """
    return Variational(KnownPixels(data, mask), Quadratic(), Polyharmonic(3), name="triharmonic_inpainting")


def thin_plate_inpainting(data: Image, mask: Mask) -> Variational:
    r"""The thin plate through the known pixels: biharmonic inside, with free boundaries,

    .. math:: \min_u \tfrac12 |H u|^2 \text{ with } u = f \text{ where the mask is true},

    H the Hessian of ``calculus.Hessian``. Affine images are reproduced exactly and continued beyond the
    outermost known pixels; on a line the solution is the natural cubic spline. It is unique where three known
    pixels of each channel do not lie on a line (on an image of one row: two pixels). The residual is
    certified; no distance is proved, since the bound that serves ``biharmonic_inpainting`` needs its
    boundaries.

    Args:
        data, mask: as for ``harmonic_inpainting``.

    Raises:
        MaskError: as there, and where the known pixels of a channel leave a plane undetermined.

    Source: Duchon, RAIRO Anal. Numer. 10 (1976); Wahba, Spline Models for Observational Data (1990), section 2.4.

    >>> import torch, mindl as md
    >>> known = torch.tensor([[[[True, False, True, False, False]]]])
    >>> model = thin_plate_inpainting(torch.arange(5.0).reshape(1, 1, 1, 5) / 4, known)
    >>> md.minimise(model, stop=md.Stop(1e-6)).image.flatten().round(decimals=4)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    term = KnownPixels(data, mask)
    if not exporting():
        _check_plane(term)
    return Variational(term, Quadratic(), Hessian(), name="thin_plate_inpainting")


def tv_inpainting(data: Image, mask: Mask, *, joint: bool = True) -> Variational:
    r"""Inpainting of least total variation:

    .. math:: \min_u \sum_i |(\nabla u)_i| \text{ with } u = f \text{ where the mask is true}.

    Edges are continued along the shortest way; between known points on a line every monotone interpolation is a
    minimiser: they lie within the range of the known pixels and need not be unique, so the certificate bounds the
    energy and no distance.

    Args:
        data, mask: as for ``harmonic_inpainting``.
        joint: whether the channels share their edges.

    Raises:
        MaskError: greys, another size, or a channel without a known pixel.

    Source: Chan and Shen, SIAM J. Appl. Math. 62 (2002).

    >>> import torch, mindl as md
    >>> known = torch.tensor([[[[True, False, True]]]])
    >>> solution = md.minimise(tv_inpainting(torch.tensor([[[[0.0, 9.0, 0.5]]]]), known))
    >>> solution.model.energy(solution.image)
    tensor([0.5000], dtype=torch.float64)
    """
    coupling = Joint() if joint else Channelwise()
    return Variational(
        KnownPixels(data, mask), TotalVariation(), Gradient(), coupling=coupling, name="tv_inpainting"
    )


INPAINTING: dict[str, Callable[..., Variational]] = {
    "harmonic_inpainting": harmonic_inpainting,
    "biharmonic_inpainting": biharmonic_inpainting,
    "triharmonic_inpainting": triharmonic_inpainting,
    "thin_plate_inpainting": thin_plate_inpainting,
    "tv_inpainting": tv_inpainting,
}
"""The inpainting models by name."""


def _check_plane(term: KnownPixels) -> None:
    """See that the known pixels of every channel determine an affine function on the image."""
    height, width = term.mask.shape[2:]
    for known in term.mask.flatten(0, 1):
        at = known.nonzero().double()
        spread = at - at.mean(dim=0)
        if int(torch.linalg.matrix_rank(spread)) < (height > 1) + (width > 1):
            raise MaskError(
                "thin_plate_inpainting(mask) has a channel whose known pixels lie on one line: they leave the "
                "plane's tilt open. harmonic_inpainting asks for a single pixel."
            )
