"""Energies whose regulariser is learned: filters, and a potential for each."""

from __future__ import annotations

from torch import Tensor

from mindl.calculus import Separate
from mindl.calculus.mirrored_filters import MirroredFilters
from mindl.calculus.spline_potential import SplinePotential
from mindl.core.arrays import Image, Weight
from mindl.core.errors import InputError
from mindl.models.data_terms import HalfSquared
from mindl.models.variational import Variational


def ridge_energy(data: Image, kernel: Tensor, potential: SplinePotential, weight: Weight = 1.0) -> Variational:
    r"""Denoising with a sum of ridge functions as regulariser ("fields of experts", convex or weakly convex):

    .. math:: E(u) = \tfrac12 |u - f|^2 + w \sum_i \sum_{m = 1}^4 \sum_x \psi_i\big((w_i^m * \tilde u)(x)\big) .

    Every filter comes with its mirror images :math:`w_i^m`, and the image is mirrored at its borders
    (``calculus.MirroredFilters``): the energy does not change when image and data are mirrored. Let
    :math:`B(a)` be the proved bound of the largest eigenvalue of :math:`\sum a_i K_i^T K_i`. With
    :math:`\psi_i'' \ge -\kappa_i` the energy is strongly convex with the modulus :math:`1 - w B(\kappa)`, if
    that is positive: then the minimiser is unique, and how far any image is from it follows from its gradient.

    Args:
        data: f, (batch, channel, height, width); each channel has the same filters.
        kernel: (filters, size, size), an odd size. Filters of mean 0 leave constants alone.
        potential: one for each filter, or one for all.
        weight: w > 0, a number or one per image.

    Raises:
        InputError: a kernel of another shape, as many potentials as there are no filters, a weight that is not
            positive.

    Source: Roth and Black, Int. J. Comput. Vis. 82 (2009); Goujon, Neumayer and Unser, SIAM J. Imaging Sci. 17
    (2024).

    >>> import torch, mindl as md
    >>> kernel = torch.zeros(2, 3, 3)
    >>> kernel[0, 1, 1], kernel[0, 1, 2] = -0.5, 0.5                         # half a difference to the right
    >>> kernel[1, 1, 1], kernel[1, 2, 1] = -0.5, 0.5                         # and one downwards
    >>> psi = md.calculus.SplinePotential(torch.tensor([[1.0, -0.05]]), reach=0.2)
    >>> model = ridge_energy(torch.rand(1, 1, 8, 8), kernel, psi)
    >>> solution = md.minimise(model)
    >>> solution.outcome.value, bool(solution.certificate.rms < 1)
    ('certified', True)
    """
    if kernel.ndim != 3 or not kernel.numel() or kernel.shape[1] != kernel.shape[2] or kernel.shape[1] % 2 == 0:
        raise InputError(
            f"ridge_energy(kernel) needs (filters, size, size), an odd size; got {tuple(kernel.shape)}."
        )
    if potential.slopes.shape[0] not in (1, kernel.shape[0]):
        raise InputError(
            f"ridge_energy has {kernel.shape[0]} filters and {potential.slopes.shape[0]} potentials: it needs "
            "one for each, or one for all."
        )
    if potential.slopes.shape[0] > 1:  # a filter's mirror images have its potential
        potential = SplinePotential(potential.slopes.repeat(4, 1), potential.reach)
    return Variational(
        HalfSquared(data), potential, MirroredFilters(kernel), weight, Separate(), name="ridge_energy"
    )
