"""Filters in all four mirror images, on an image that is mirrored at its borders: with a sharp bound."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from mindl.calculus.boundary import Reflecting
from mindl.calculus.filtering import filtered, spread
from mindl.calculus.norms import transfer_bound
from mindl.calculus.operators import Operator
from mindl.core.arrays import Dual, Image


class MirroredFilters(Operator):
    r"""Every filter w_i and its mirror images, left to right, top to bottom, and both, on the mirrored image:

    .. math:: (K u)_{i, m}(x) = \sum_t w_i^m(t)\, \tilde u(x + t), \qquad m = 1, \dots, 4 .

    *Its norm.* The continuation :math:`\tilde u` lives on a torus of twice the height and width, and has four
    times the squared norm of u. A mirror image of a filter sees at a pixel what the filter sees at the mirrored
    pixel. Hence the sum over all mirror images and over the pixels of the image is, for every function psi of
    the responses, a quarter of the sum over the torus; with :math:`\psi(s) = a_i s^2`,

    .. math::
        \langle u, K^T \operatorname{diag}(a) K u \rangle
        = \tfrac14 \sum_{\text{torus}} \sum_{i, m} a_i |w_i^m * \tilde u|^2
        \le \sup_\omega \sum_{i, m} a_i |\hat w_i^m(\omega)|^2 \; |u|^2 ,

    which is sharp for large images. No border is treated worse than the middle, and what K measures does not
    change when the image is mirrored.

    Args:
        kernel: w, (filters, size, size) with an odd size; autograd follows it. Where each filter has mean 0,
            constants go to 0.

    Source: half-sample symmetric continuation as in the discrete cosine transform, Strang, SIAM Rev. 41 (1999);
    the bound: derived above.

    >>> edges = torch.zeros(1, 3, 3)
    >>> edges[0, 1, 1:] = torch.tensor([-1.0, 1.0])
    >>> MirroredFilters(edges)(torch.tensor([[[[1.0, 3.0, 6.0]]]]))[0, 0, :2].tolist()
    [[[2.0, 3.0, 0.0]], [[0.0, -2.0, -3.0]]]
    """

    def __init__(self, kernel: Tensor) -> None:
        self.kernel = kernel
        self.components = 4 * kernel.shape[0]
        self.reach = kernel.shape[-1] - 1
        self._bank = torch.cat([kernel, kernel.flip(2), kernel.flip(1), kernel.flip(1, 2)])[:, None]

    def __repr__(self) -> str:
        filters, size, _ = self.kernel.shape
        return f"MirroredFilters({filters} filters of {size} x {size}, each in four mirror images)"

    def __call__(self, image: Image, out: Tensor | None = None) -> Dual:
        """K u, the filters one after the other for every mirror image."""
        margin = self.kernel.shape[-1] // 2
        wide = image.flatten(0, 1)[:, None]
        for axis in (2, 3):
            wide = Reflecting().extend(wide, margin, axis)
        found = filtered(wide, self._bank.to(image.dtype)).reshape(self.field_shape(image.shape))
        return found if out is None else out.copy_(found)

    def adjoint(self, field: Dual, out: Tensor | None = None) -> Image:
        """K^T p."""
        margin = self.kernel.shape[-1] // 2
        found = spread(field.flatten(0, 1), self._bank.to(field.dtype))
        for axis in (3, 2):
            found = Reflecting().fold(found, margin, axis)
        found = found.reshape(self.image_shape(field.shape))
        return found if out is None else out.copy_(found)

    def bound(self, gains: Tensor | None = None) -> Tensor:
        """The bound above, differentiable; a_i for every component, the same for all mirror images of a
        filter, or 1."""
        return transfer_bound(self._bank, gains)

    def norm_squared(self, height: int, width: int) -> float:
        """The bound with a = 1."""
        return self._own_norm_squared

    def weighted_norm_squared(self, gains: Tensor, height: int, width: int) -> float:
        """The bound above; mirror images share the largest of their gains, as the theorem wants it."""
        with torch.no_grad():
            return float(self.bound(gains.reshape(4, -1).amax(dim=0).repeat(4)))

    @cached_property
    def _own_norm_squared(self) -> float:
        with torch.no_grad():
            return float(self.bound())

    def _apply(self, image: Image, out: Tensor) -> Dual:
        return self(image, out)

    def _adjoint(self, field: Dual, out: Tensor) -> Image:
        return self.adjoint(field, out)
