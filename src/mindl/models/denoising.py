r"""Variational denoising: half a squared distance to the data, plus a penalty of the gradient."""

from __future__ import annotations

import math
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
    >>> md.minimise(rof(step, weight=0.2), stop=md.Stop(1e-6)).image.squeeze().round(decimals=3)
    tensor([0.1000, 0.1000, 0.9000, 0.9000])
    """
    coupling = Joint() if joint else Channelwise()
    return Variational(HalfSquared(data), TotalVariation(), Gradient(), weight, coupling, name="rof")


def anisotropic_rof(data: Image, weight: Weight, *, joint: bool = True) -> Variational:
    r"""Anisotropic total variation denoising:

    .. math:: \min_u \tfrac12 |u - f|^2 + w \sum_i \big(|(\partial_x u)_i| + |(\partial_y u)_i|\big)

    It prefers edges along the axes; discrete squares are exact: those of width n and height 1 on a ground
    of 0 lose 4 w / n. Arguments, errors and guarantees as for ``rof``.

    Source: Esedoglu and Osher, Comm. Pure Appl. Math. 57 (2004).

    >>> import torch, mindl as md
    >>> corners = anisotropic_rof(torch.eye(2)[None, None], weight=0.1)
    >>> md.minimise(corners, stop=md.Stop(1e-6)).image.squeeze().round(decimals=3)
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


def weight_for_noise(name: str, noise: float, channels: int) -> float:
    r"""The weight that a model needs for noise of standard deviation sigma, by rule of thumb.

    The rules fit the weights of best mean PSNR for sigma from 5/255 to 35/255 (grey: Set12; colour: CC0
    photographs; within 0.03 dB of the best on these). With s = 255 sigma:

        rof                  sigma (0.26 + 0.16 ln s)    in colour  sigma (0.62 + 0.19 ln s)
        anisotropic_rof      sigma (0.12 + 0.16 ln s)               sigma (0.42 + 0.16 ln s)
        whittaker_tikhonov   0.0074 s^1.5                           0.0113 s^1.5

    Colour asks for more, since the coupled magnitude adds up the noise of three channels.

    Raises:
        InputError: no rule for this model, or noise that is not positive.

    >>> round(weight_for_noise("rof", 25 / 255, channels=1), 4)
    0.076
    """
    if name not in _TOTAL_VARIATION_RULES and name != "whittaker_tikhonov":
        raise InputError(f"There is no rule for the weight of {name}: give a weight.")
    if not 0 < noise < math.inf:
        raise InputError(f"weight_for_noise(noise={noise}) must be above 0 and finite.")
    grey_levels, colour = 255 * noise, channels > 1
    if name == "whittaker_tikhonov":
        return (0.0113 if colour else 0.0074) * math.pow(grey_levels, 1.5)
    base, slope = _TOTAL_VARIATION_RULES[name][colour]
    return noise * max(base + slope * math.log(grey_levels), 0.05)


_TOTAL_VARIATION_RULES = {
    "rof": ((0.26, 0.16), (0.62, 0.19)),
    "anisotropic_rof": ((0.12, 0.16), (0.42, 0.16)),
}
"""(base, slope) in grey and in colour."""
