r"""Variational denoising: half a squared distance to the data, plus a penalty of the gradient."""

from __future__ import annotations

from collections.abc import Callable

from mindl.calculus import Channelwise, Directional, Gradient, Joint, Quadratic, Separate, TotalVariation
from mindl.core.arrays import Image, Weight
from mindl.core.errors import InputError
from mindl.models.data_terms import HalfSquared
from mindl.models.variational import Variational


def rof(data: Image, weight: Weight, *, joint: bool = True) -> Variational:
    r"""Isotropic total variation denoising (Rudin, Osher, Fatemi 1992):

    .. math:: \min_u \tfrac12 |u - f|^2 + w \sum_i |(\nabla u)_i|

    with forward differences and reflecting boundaries. In colour the channels share their edges (Frobenius
    norm over channels, Blomgren and Chan 1998) unless ``joint`` is false. The minimiser is unique, keeps
    the mean and the range of the data, and depends on them without amplification. Discretised like this it
    commutes with transposition, not with a turn by 90 degrees.

    Args:
        data: the noisy image f, (batch, channel, height, width), values in [0, 1] or a little outside.
        weight: w > 0; 0.75 times the noise's standard deviation suits a grey photograph.
        joint: whether the channels are coupled.

    Raises:
        InputError: not a finite float image, or a weight that is not positive.

    Source: Physica D 60 (1992), 259-268, in the discrete form of Chambolle (2004).

    >>> import torch, mindl as md
    >>> step = torch.tensor([[[[0.0, 0.0, 1.0, 1.0]]]])
    >>> md.minimise(rof(step, weight=0.2)).image.squeeze()
    tensor([0.1000, 0.1000, 0.9000, 0.9000])
    """
    coupling = Joint() if joint else Channelwise()
    return Variational(HalfSquared(data), TotalVariation(), Gradient(), weight, coupling, name="rof")


def anisotropic_rof(data: Image, weight: Weight, *, joint: bool = True) -> Variational:
    r"""Anisotropic total variation denoising:

    .. math:: \min_u \tfrac12 |u - f|^2 + w \sum_i |(\partial_x u)_i| + |(\partial_y u)_i|

    It prefers edges along the axes; discrete squares are exact: those of width n and height 1 on a ground
    of 0 lose 4 w / n. Arguments, errors and guarantees as for ``rof``.

    Source: Esedoglu and Osher, Comm. Pure Appl. Math. 57 (2004).

    >>> import torch, mindl as md
    >>> md.minimise(anisotropic_rof(torch.eye(2)[None, None], weight=0.1)).image.squeeze()
    tensor([[0.8000, 0.2000],
            [0.2000, 0.8000]])
    """
    coupling = Directional() if joint else Separate()
    return Variational(HalfSquared(data), TotalVariation(), Gradient(), weight, coupling, name="anisotropic_rof")


def whittaker_tikhonov(data: Image, weight: Weight) -> Variational:
    r"""Linear smoothing: one implicit step of diffusion with the time step w,

    .. math:: \min_u \tfrac12 |u - f|^2 + \tfrac w2 |\nabla u|^2 \iff (I - w \Delta) u = f.

    On the DCT-II modes it multiplies by :math:`1/(1 + w\lambda)`. The solution keeps mean and range.
    Arguments and errors as for ``rof``; 0.68 suits a grey photograph with noise of 25/255.

    Source: Whittaker (1923); Tikhonov (1963).

    >>> import torch, mindl as md
    >>> md.solve_linear(whittaker_tikhonov(torch.tensor([[[[0.0, 1.0]]]]), weight=1.0)).image.squeeze()
    tensor([0.3333, 0.6667])
    """
    return Variational(HalfSquared(data), Quadratic(), Gradient(), weight, name="whittaker_tikhonov")


DENOISING: dict[str, Callable[..., Variational]] = {
    "rof": rof,
    "anisotropic_rof": anisotropic_rof,
    "whittaker_tikhonov": whittaker_tikhonov,
}
"""The denoising models by name."""
