"""Time steps of diffusion flows by fused sweeps.

Each function returns None where no sweep serves, as those of ``dispatch``; plain PyTorch goes on then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import numpy as np
import torch

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
Sweep = Callable[..., None]
"""Called with u, out, weights, data, known and the step's numbers: fills the weights, or takes a step.

That of forward differences, with u and weights: fills them."""


def explicit_step(view: Model, image: Image, duration: float) -> Image | None:
    """u + tau R(u)."""
    flow = fused_flow(view, image)
    if flow is None:
        return None
    if isinstance(flow.matrix, ForwardDifferences):
        return frozen_cycle(view, image, [(duration, 0.0)])
    from mindl.kernels.inflow import room_for_weights

    def one(index: int, u: Array) -> Array:
        groups, components, sweep = _sweep(flow, index, u)
        data, known, modulus = _fixed(flow, index, u)
        out, ring = np.empty_like(u), room_for_weights(u, groups, components, rings=torch.get_num_threads())
        sweep(u, out, ring, data, known, np.array([duration, 0.0, modulus, 0.0], u.dtype))
        return out

    return _each(image, one)


def frozen_cycle(
    view: Model, image: Image, steps: Sequence[tuple[float, float]], *, momentum: bool = False
) -> Image | None:
    """Explicit steps (tau, beta) with the matrix frozen at the image.

    With ``momentum`` each is extrapolated by beta times its distance from the image before the last.
    """
    flow = fused_flow(view, image)
    if flow is None:
        return None
    from mindl.kernels.cycles import advance

    def one(index: int, u: Array) -> Array:
        data, known, modulus = _fixed(flow, index, u)
        rows = np.array([(tau, beta, modulus, float(momentum)) for tau, beta in steps], u.dtype)
        return advance(u, _weights(flow, index, u), data, known, rows, torch.get_num_threads())

    return _each(image, one)


def split_step(view: Model, image: Image, duration: float) -> Image | None:
    """One step of additive operator splitting."""
    flow = fused_flow(view, image)
    if flow is None:
        return None
    from mindl.kernels.chains import solve

    return _each(image, lambda b, u: solve(u, _weights(flow, b, u), duration, torch.get_num_threads()))


def _each(image: Image, one: Callable[[int, Array], Array]) -> Image:
    """A new image for each of the batch."""
    whole = image.detach().contiguous()
    found = [torch.from_numpy(one(b, array(whole[b]))) for b in range(whole.shape[0])]
    return found[0][None] if len(found) == 1 else torch.stack(found)


def _fixed(flow: FusedFlow, index: int, u: Array) -> tuple[Array, Array, float]:
    """Data, known pixels, and the factor of u - f; u stands for no data, an empty mask for no known pixels."""
    from mindl.kernels.inflow import NOWHERE

    known = NOWHERE
    if flow.known is not None:
        known = array(flow.known[index % flow.known.shape[0]].contiguous())
    if flow.data is None:
        return u, known, 0.0
    return array(flow.data[index].contiguous()), known, 1.0


def _weights(flow: FusedFlow, index: int, u: Array) -> Array:
    """The factors of all differences of one image, as ``kernels.inflow`` lays them out."""
    from mindl.kernels.inflow import NOWHERE, room_for_weights

    groups, components, sweep = _sweep(flow, index, u)
    weights = room_for_weights(u, groups, components)
    if isinstance(flow.matrix, ForwardDifferences):
        sweep(u, weights)
    else:
        nothing = u[:0]
        sweep(u, nothing, weights, nothing, NOWHERE, np.zeros(4, u.dtype))
    return cast(Array, weights[0])


def _sweep(flow: FusedFlow, index: int, u: Array) -> tuple[int, int, Sweep]:
    """Groups and components of the weights, and the sweep that fills them."""
    from mindl.kernels import conductances, delta_stencil

    matrix, channels = flow.matrix, u.shape[0]
    given: dict[str, Any] = {
        "kind": matrix.diffusivity.kind,
        "rule": np.array(matrix.diffusivity.numbers(index), u.dtype),
        "threads": torch.get_num_threads(),
    }
    if isinstance(matrix, ForwardDifferences):
        given |= {"grid": matrix.grid, "scale": number(matrix.weight, index) / matrix.grid**2}
        groups, components = 1 if matrix.joint else channels, 1 if matrix.isotropic else 2
        return groups, components, partial(conductances.forward, **given)
    given["taps"] = _half(matrix.presmoothing, u)
    if isinstance(matrix, CentralDifferences):
        groups = 1 if matrix.joint else channels
        return groups, 2, partial(conductances.central, grid=matrix.grid, **given)
    stencil = matrix.stencil
    given |= {
        "along": matrix.rule,
        "wide": _half(matrix.integration, u),
        "stencil": np.array([stencil.alpha, stencil.gamma * (1 - 2 * stencil.alpha), matrix.least], u.dtype),
    }
    return 1, 4, partial(delta_stencil.delta, **given)


def _half(sigma: float, like: Array) -> Array:
    """The middle and one half of a sampled Gaussian, an odd number of them."""
    bell = gaussian_weights(sigma)
    half = bell[len(bell) // 2 :]
    return np.array(half if len(half) % 2 else [*half, 0.0], like.dtype)
