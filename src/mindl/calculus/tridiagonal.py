"""Tridiagonal systems along an axis."""

from __future__ import annotations

import torch
from torch import Tensor


def solve_chain(image: Tensor, conductances: Tensor, step: float | Tensor, dim: int) -> Tensor:
    r"""(I + step C)^-1 u along an axis, with :math:`(C u)_i = k_{i-1}(u_i - u_{i-1}) + k_i (u_i - u_{i+1})`.

    The matrix is diagonally dominant, so elimination without pivoting is stable (Thomas's algorithm); every line
    of the image is a system of its own.

    Args:
        image: u.
        conductances: k >= 0, entry i between the pixels i and i + 1; the last one of a line counts for nothing.
        step: at least 0.
        dim: the axis.

    Source: Thomas (1949); Weickert, ter Haar Romeny and Viergever, IEEE Trans. Image Process. 7 (1998).

    >>> solve_chain(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0]), 1.0, 0)
    tensor([0.3333, 0.6667])
    """
    values = image.unbind(dim)
    k = (step * conductances).expand_as(image).unbind(dim)
    n = len(values)
    if n == 1:
        return image.clone()
    # Forward elimination. What a pivot has beyond k[i] is kept on its own: 1 + k e / (e + k) follows it, where
    # 1 + k - k^2 / pivot would be a difference of large numbers.
    excess, right = torch.ones_like(k[0]), values[0]
    factors, solved = [], []
    for i in range(n - 1):
        pivot = excess + k[i]
        factors.append(k[i] / pivot)
        solved.append(right / pivot)
        excess = 1 + k[i] * (excess / pivot)
        right = values[i + 1] + factors[i] * right
    result = [right / excess]
    for i in range(n - 2, -1, -1):
        result.append(solved[i] + factors[i] * result[-1])
    return torch.stack(result[::-1], dim)
