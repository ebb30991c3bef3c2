r"""Variational denoising: half a squared distance to the data, plus a penalty of the gradient."""

from __future__ import annotations

import math
from collections.abc import Callable

from mindl.calculus import (
    Channelwise,
    Charbonnier,
    Directional,
    Gradient,
    GradientPairs,
    Huber,
    Joint,
    Paired,
    PeronaMalik,
    Polyharmonic,
    Quadratic,
    Separate,
    TotalVariation,
)
from mindl.core.arrays import Image, Weight
from mindl.core.errors import InputError
from mindl.models.data_terms import Absolute, HalfSquared
from mindl.models.tgv import TotalGeneralisedVariation, tgv
from mindl.models.variational import Variational

DenoisingModel = Variational | TotalGeneralisedVariation


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


def rotation_averaged_rof(data: Image, weight: Weight, *, joint: bool = True) -> Variational:
    r"""Total variation denoising without a preferred corner:

    .. math:: \min_u \tfrac12 |u - f|^2 + w \sum_i \tfrac14 \sum_{\pm\pm} |(\nabla_{\pm\pm} u)_i|

    with the four gradients of forward and backward differences. It commutes with turns by 90 degrees and with
    mirroring exactly, which ``rof`` does with transposition only (turned by 90 degrees its answers differ by up to
    17 grey levels). Arguments, errors and guarantees as for ``rof``; one step costs about three times as much.

    Source: the average over orientations, as in Condat, SIAM J. Imaging Sci. 10 (2017), section 2.

    >>> import torch, mindl as md
    >>> spot = torch.zeros(1, 1, 3, 3)
    >>> spot[..., 1, 1] = 1
    >>> u = md.minimise(rotation_averaged_rof(spot, weight=0.1), stop=md.Stop(1e-6)).image
    >>> torch.allclose(u, torch.rot90(u, 1, (2, 3)), atol=1e-6)
    True
    """
    return Variational(
        HalfSquared(data), TotalVariation(), GradientPairs(), weight, Paired(joint), name="rotation_averaged_rof"
    )


def huber_rof(data: Image, weight: Weight, contrast: Weight = 0.02, *, joint: bool = True) -> Variational:
    r"""Total variation denoising that spares small gradients:

    .. math:: \min_u \tfrac12 |u - f|^2 + w \sum_i \psi(|(\nabla u)_i|), \qquad
              \psi(s) = \tfrac{s^2}{2c} \;(s \le c),\; s - \tfrac c2 \;(s > c).

    Slopes below the contrast c are smoothed linearly, so the stairs of ``rof`` become ramps; for c to 0 it is
    ``rof``, for large c linear smoothing with the weight w / c. The gradient is Lipschitz with 1 + 8 w / c.

    Args:
        data, weight, joint: as for ``rof``.
        contrast: c > 0, in the units of the image (0.02 is 5 grey levels); one number or one per image.

    Raises:
        InputError: a weight or contrast that is not positive, or not a finite float image.

    Source: Werlberger et al., BMVC 2009; Huber, Ann. Math. Statist. 35 (1964).

    >>> import torch, mindl as md
    >>> pair = torch.tensor([[[[0.0, 1.0]]]])
    >>> md.minimise(huber_rof(pair, weight=0.1), stop=md.Stop(1e-6)).image.squeeze().round(decimals=3)
    tensor([0.1000, 0.9000])
    """
    coupling = Joint() if joint else Channelwise()
    return Variational(HalfSquared(data), Huber(contrast), Gradient(), weight, coupling, name="huber_rof")


def charbonnier(data: Image, weight: Weight, contrast: Weight = 0.02, *, joint: bool = True) -> Variational:
    r"""Smoothing that slows down at edges, with a strictly convex penaliser:

    .. math:: \min_u \tfrac12 |u - f|^2 + w \sum_i c^2\big(\sqrt{1 + |(\nabla u)_i|^2 / c^2} - 1\big).

    Its diffusivity is :math:`g(s^2) = 1 / \sqrt{1 + s^2 / c^2}`: linear smoothing for gradients below the
    contrast c, and like ``rof`` with the weight w c well above. Keeps mean and range. The gradient is Lipschitz
    with 1 + 8 w, and :math:`|u - u^*| \le |\nabla E(u)|`.

    Arguments, errors as for ``huber_rof``.

    Source: Charbonnier et al., IEEE Trans. Image Process. 6 (1997).

    >>> import torch, mindl as md
    >>> solution = md.minimise(charbonnier(torch.eye(4)[None, None], weight=5.0), stop=md.Stop(1e-6))
    >>> solution.image.mean(), solution.outcome.value
    (tensor(0.2500), 'certified')
    """
    coupling = Joint() if joint else Channelwise()
    return Variational(HalfSquared(data), Charbonnier(contrast), Gradient(), weight, coupling, name="charbonnier")


def perona_malik(data: Image, weight: Weight, contrast: Weight = 0.05, *, joint: bool = True) -> Variational:
    r"""The energy whose gradient flow is Perona and Malik's diffusion, tied to the data:

    .. math:: \min_u \tfrac12 |u - f|^2 + w \sum_i \tfrac{c^2}2 \ln(1 + |(\nabla u)_i|^2 / c^2).

    Gradients beyond the contrast c are spared more the larger they are. The penaliser is not convex, but its
    slope is nowhere below -1/8 and :math:`\|\nabla\|^2 < 8`: for w < 1 the energy is strongly convex with
    modulus 1 - w all the same, the minimiser is unique, and :math:`|u - u^*| \le |\nabla E(u)| / (1 - w)`.
    From w = 1 on minima may be many; answers are then stationary points, and say so.

    Arguments, errors as for ``huber_rof``.

    Source: Perona and Malik, IEEE Trans. Pattern Anal. Mach. Intell. 12 (1990); the modulus is derived here.

    >>> import torch, mindl as md
    >>> md.minimise(perona_malik(torch.eye(4)[None, None], weight=0.9), stop=md.Stop(1e-6)).outcome.value
    'certified'
    >>> md.minimise(perona_malik(torch.eye(4)[None, None], weight=5.0)).outcome.value
    'stationary, not certified'
    """
    coupling = Joint() if joint else Channelwise()
    return Variational(HalfSquared(data), PeronaMalik(contrast), Gradient(), weight, coupling, name="perona_malik")


def fourth_order_smoothing(data: Image, weight: Weight) -> Variational:
    r"""Linear smoothing by the biharmonic operator:

    .. math:: \min_u \tfrac12 |u - f|^2 + \tfrac w2 |\Delta u|^2 \iff (I + w \Delta^2) u = f,

    with reflecting boundaries. On the DCT-II modes it multiplies by :math:`1 / (1 + w \lambda^2)`: sharper between
    what is kept and what is removed than ``whittaker_tikhonov``, but it overshoots at edges: no
    maximum-minimum principle. Keeps the mean. Arguments and errors as for ``rof``.

    Source: Whittaker (1923) with second differences; Didas, Weickert and Burgeth, J. Math. Imaging Vis. 35 (2009).

    >>> import torch, mindl as md
    >>> md.minimise(fourth_order_smoothing(torch.tensor([[[[0.0, 1.0]]]]), weight=1.0)).image.squeeze()
    tensor([0.4000, 0.6000])
    """
    return Variational(HalfSquared(data), Quadratic(), Polyharmonic(2), weight, name="fourth_order_smoothing")


def tv_l1(data: Image, weight: Weight, *, joint: bool = True) -> Variational:
    r"""Total variation with an absolute data term, for impulse noise:

    .. math:: \min_u |u - f|_1 + w \sum_i |(\nabla u)_i|.

    Changes of grey values cost nothing: contrast is kept, and shapes vanish whole once their area over perimeter
    is below w (a disc of radius R for w > R / 2). Minimisers lie within the range of the data; they need not be
    unique, so the certificate bounds the energy and no distance.

    Args:
        data: the image f, (batch, channel, height, width).
        weight: w > 0; it has no grey values in it: about 1 to 2 removes salt and pepper.
        joint: whether the channels are coupled.

    Raises:
        InputError: not a finite float image, or a weight that is not positive.

    Source: Chan and Esedoglu, SIAM J. Appl. Math. 65 (2005); Nikolova, J. Math. Imaging Vis. 20 (2004).

    >>> import torch, mindl as md
    >>> spot = torch.zeros(1, 1, 5, 5)
    >>> spot[..., 2, 2] = 1
    >>> float(md.minimise(tv_l1(spot, weight=0.5)).image.max())
    0.0
    """
    coupling = Joint() if joint else Channelwise()
    return Variational(Absolute(data), TotalVariation(), Gradient(), weight, coupling, name="tv_l1")


DENOISING: dict[str, Callable[..., DenoisingModel]] = {
    "rof": rof,
    "anisotropic_rof": anisotropic_rof,
    "rotation_averaged_rof": rotation_averaged_rof,
    "huber_rof": huber_rof,
    "charbonnier": charbonnier,
    "perona_malik": perona_malik,
    "tgv": tgv,
    "tv_l1": tv_l1,
    "whittaker_tikhonov": whittaker_tikhonov,
    "fourth_order_smoothing": fourth_order_smoothing,
}
"""The denoising models by name."""


def weight_for_noise(name: str, noise: float, channels: int) -> float:
    r"""The weight that a model needs for noise of standard deviation sigma, by rule of thumb.

    The rules fit the weights of best mean PSNR for sigma from 5/255 to 50/255 (grey: Set12; colour: CC0
    photographs). With s = 255 sigma:

        rof                      sigma (0.26 + 0.16 ln s)    in colour  sigma (0.62 + 0.19 ln s)
        anisotropic_rof          sigma (0.12 + 0.16 ln s)               sigma (0.42 + 0.16 ln s)
        rotation_averaged_rof    sigma (0.26 + 0.16 ln s)               sigma (0.58 + 0.19 ln s)
        huber_rof                sigma (0.26 + 0.17 ln s)               sigma (0.35 + 0.37 ln s)
        tgv                      sigma (0.26 + 0.16 ln s)               sigma (0.53 + 0.18 ln s)
        charbonnier              0.085 s^1.3                            0.30 s^0.95
        whittaker_tikhonov       0.0074 s^1.5                           0.0113 s^1.5
        fourth_order_smoothing   0.0018 s^1.75                          0.0027 s^1.75

    Colour asks for more, since the coupled magnitude adds up the noise of three channels. ``huber_rof`` and
    ``charbonnier`` are meant with their usual contrast of 0.02. There is no rule for ``tv_l1``, which is made
    for another noise, nor for ``perona_malik``, whose contrast has to follow the noise too (about 2 sigma at
    weight 0.9).

    Raises:
        InputError: no rule for this model, or noise that is not positive.

    >>> round(weight_for_noise("rof", 25 / 255, channels=1), 4)
    0.076
    """
    if name not in WITH_RULE:
        raise InputError(f"There is no rule for the weight of {name}: give a weight.")
    if not 0 < noise < math.inf:
        raise InputError(f"weight_for_noise(noise={noise}) must be above 0 and finite.")
    grey_levels, colour = 255 * noise, channels > 1
    if name in _POWERS:
        factor, power = _POWERS[name][colour]
        return factor * math.pow(grey_levels, power)
    base, slope = _LOGARITHMS[name][colour]
    return noise * max(base + slope * math.log(grey_levels), 0.05)


_LOGARITHMS = {
    "rof": ((0.26, 0.16), (0.62, 0.19)),
    "anisotropic_rof": ((0.12, 0.16), (0.42, 0.16)),
    "rotation_averaged_rof": ((0.26, 0.16), (0.58, 0.19)),
    "huber_rof": ((0.26, 0.17), (0.35, 0.37)),
    "tgv": ((0.26, 0.16), (0.53, 0.18)),
}
"""sigma (base + slope ln s): (base, slope) in grey and in colour."""

_POWERS = {
    "charbonnier": ((0.085, 1.3), (0.30, 0.95)),
    "whittaker_tikhonov": ((0.0074, 1.5), (0.0113, 1.5)),
    "fourth_order_smoothing": ((0.0018, 1.75), (0.0027, 1.75)),
}
"""factor s^power: (factor, power) in grey and in colour."""

WITH_RULE = (*_LOGARITHMS, *_POWERS)
"""The models whose weight follows from the noise by a rule."""
