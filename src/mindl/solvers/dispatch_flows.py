"""Time steps of diffusion flows by fused sweeps.

Each function returns None where no sweep serves, as those of ``dispatch``; plain PyTorch goes on then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mindl.calculus.convolution import gaussian_weights
from mindl.core.arrays import Image
from mindl.models.fused_flows import (
    CentralDifferences,
    ForwardDifferences,
    FusedFlow,
    fused_flow,
    number,
)
from mindl.models.model import Model
from mindl.solvers.dispatch import array

# ruff: noqa: PLC0415

Array = np.ndarray[Any, Any]


def explicit_steps(
    view: Model, image: Image, steps: Sequence[tuple[float, float]], *, momentum: bool = False
) -> Image | None:
    """Explicit steps (tau, beta) with the matrix frozen at the image, u + tau R(u).

    With ``momentum`` each is extrapolated by beta times its distance from the image before the last.
    """
    flow = fused_flow(view, image)
    if flow is None:
        return None
    from mindl.kernels.cycles import advance

    def one(index: int, u: Array) -> Array:
        rows = [(tau, beta, 0.0 if flow.data is None else 1.0, float(momentum)) for tau, beta in steps]
        data = None if flow.data is None else array(flow.data[index].contiguous())
        known = None if flow.known is None else array(flow.known[index % flow.known.shape[0]].contiguous())
        threads = torch.get_num_threads()
        return advance(u, _weights(flow, index, u), data, known, np.array(rows, u.dtype), threads)

    return _each(image, one)


def split_step(view: Model, image: Image, duration: float | Tensor) -> Image | None:
    """One step of additive operator splitting."""
    flow = fused_flow(view, image)
    if flow is None or isinstance(duration, Tensor):  # a learned duration is followed by autograd
        return None
    from mindl.kernels.chains import solve

    return _each(image, lambda b, u: solve(u, _weights(flow, b, u), duration, torch.get_num_threads()))


def _each(image: Image, one: Callable[[int, Array], Array]) -> Image:
    """A new image for each of the batch."""
    whole = image.detach().contiguous()
    found = [torch.from_numpy(one(b, array(whole[b]))) for b in range(whole.shape[0])]
    return found[0][None] if len(found) == 1 else torch.stack(found)


def _weights(flow: FusedFlow, index: int, u: Array) -> Array:
    """The factors of all differences of one image, laid out as ``kernels.inflow`` says."""
    from mindl.kernels import conductances, delta_stencil

    matrix, threads = flow.matrix, torch.get_num_threads()
    kind, rule = matrix.diffusivity.kind, np.array(matrix.diffusivity.numbers(index), u.dtype)
    if isinstance(matrix, ForwardDifferences):
        scale = number(matrix.weight, index)
        return conductances.forward(u, kind, rule, matrix.grid, scale, matrix.joint, matrix.isotropic, threads)
    taps = _half(matrix.presmoothing, u)
    if isinstance(matrix, CentralDifferences):
        return conductances.central(u, taps, kind, rule, matrix.grid, matrix.joint, threads)
    stencil, wide = matrix.stencil, _half(matrix.integration, u)
    numbers = np.array([stencil.alpha, stencil.gamma * (1 - 2 * stencil.alpha), matrix.least], u.dtype)
    return delta_stencil.delta(u, taps, wide, matrix.rule, kind, rule, numbers, threads)


def _half(sigma: float, like: Array) -> Array:
    """The middle and one half of a sampled Gaussian, an odd number of them."""
    bell = gaussian_weights(sigma)
    half = bell[len(bell) // 2 :]
    return np.array(half if len(half) % 2 else [*half, 0.0], like.dtype)
