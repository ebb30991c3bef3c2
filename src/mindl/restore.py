"""Photographs in one line: what is not given is estimated, and said."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from mindl.core.arrays import GREY_LEVELS, Image, Mask, check_image
from mindl.core.errors import InputError, MaskError, look_up
from mindl.images.io import Array, PathLike, as_tensor, check_scale, to_numpy
from mindl.images.io import load as load_picture
from mindl.images.masks import mask_from_numpy, read_mask
from mindl.images.noise import estimate_noise
from mindl.models.data_terms import as_mask
from mindl.models.denoising import DENOISING, DenoisingModel, weight_for_noise
from mindl.models.inpainting import INPAINTING
from mindl.models.model import Model
from mindl.models.tables import UNPROVED_INPAINTING
from mindl.neural import NeuralSolver, ReadingSolver, Refined, Tiled, answer, finisher
from mindl.solvers.choosing import SOLVERS
from mindl.solvers.solution import Solution
from mindl.solvers.solver import Solver
from mindl.solvers.steady_state import RESTING, steady_state
from mindl.solvers.stop import Stop
from mindl.solvers.watch import Watch
from mindl.store.folder import load, shipped

M = TypeVar("M", bound=Model, covariant=True)
Picture = TypeVar("Picture", Tensor, Array, str, os.PathLike[str])

FILLING: dict[str, Callable[..., Model]] = {**INPAINTING, **UNPROVED_INPAINTING}
"""All inpainting models by name."""

BY_NAME = {**SOLVERS, **RESTING}
"""All that solves them."""

APART = ", each channel on its own (the network knows grey)"

LEAST_NOISE = 0.29 / 255
"""Rounding to 8 bit alone leaves this standard deviation; an estimate below it is raised to it."""


@dataclass(frozen=True, eq=False)
class Plan(Generic[M]):
    """A model for a photograph, and where its parameters come from."""

    model: M
    why: str


def plan_denoising(
    data: Image,
    *,
    model: str = "rof",
    weight: float | None = None,
    noise: float | None = None,
    net: NeuralSolver | None = None,
) -> Plan[DenoisingModel]:
    """A denoising model for an image, with the weight that its noise asks for.

    Args:
        data: the noisy image.
        model: a name, see ``mindl.models.DENOISING``.
        weight: the weight; by default it follows from the noise.
        noise: the noise's standard deviation in the units of [0, 1]; by default it is estimated.
        net: a network that is to answer: where it knows grey images only, the channels are left apart.

    Raises:
        UnknownNameError: no such model.
        InputError: a weight that is not positive, a negative noise or one above 1 (was 25/255 meant?).
    """
    make = look_up(DENOISING, model, "denoising model")
    check_image(data, "denoise(image)")
    channels, apart = data.shape[1], ""
    if _left_apart(make, net, channels):
        make, channels, apart = partial(make, joint=False), 1, APART
    if weight is not None and noise is not None:
        raise InputError("denoise takes a weight, or the noise from which the weight follows, not both.")
    if weight is not None:
        return Plan(make(data, weight), f"weight {weight:.4g} (given){apart}")
    if noise is not None and not 0 <= noise <= 1:
        hint = f"; a standard deviation of {noise:g} grey levels is {noise:g}/255" if noise > 1 else ""
        raise InputError(f"denoise(noise={noise:g}) must be between 0 and 1, the units of the pixels{hint}.")
    source = "given" if noise is not None else "estimated"
    level = float(estimate_noise(data).max()) if noise is None else noise
    chosen = weight_for_noise(make(data, 0.5).title, max(level, LEAST_NOISE), channels)
    why = f"noise {level * GREY_LEVELS:.1f}/255 ({source}), weight {chosen:.4g}{apart}"
    return Plan(make(data, chosen), why)


def plan_inpainting(
    data: Image, mask: Mask, *, model: str = "harmonic_inpainting", net: NeuralSolver | None = None
) -> Plan[Model]:
    """An inpainting model for an image and its known pixels, with the share of these; ``net`` as for denoising.

    Raises:
        UnknownNameError: no such model.
        MaskError: the mask does not fit.
    """
    make = look_up(FILLING, model, "inpainting model")
    known, apart = float(as_mask(mask, data).double().mean()), ""
    if _left_apart(make, net, data.shape[1]):
        make, apart = partial(make, joint=False), APART
    return Plan(make(data, mask), f"{100 * known:.1f} % known{apart}")


def _left_apart(make: Callable[..., Model], net: NeuralSolver | None, channels: int) -> bool:
    """Whether a network for grey images meets a model whose channels need not be coupled."""
    return net is not None and net.channels == 1 < channels and "joint" in signature(make).parameters


def solve(
    plan: Plan[Any],
    *,
    solver: str | Solver[Any, Any] | None = None,
    net: NeuralSolver | None = None,
    finish: bool = True,
    tolerance: float = 1e-4,
    watch: Watch | None = None,
) -> Solution:
    """Solve a plan, by a solver or its name, or by a network that the solver finishes (``finish``) or not.

    Raises:
        UnknownNameError: no such solver.
        ViewError, InputError: the solver or the network does not serve the model.
    """
    chosen = look_up(BY_NAME, solver, "solver") if isinstance(solver, str) else solver
    if net is None:
        return steady_state(plan.model, chosen, stop=Stop(tolerance), watch=watch)
    then = (chosen or finisher(plan.model)) if finish else None
    return answer(plan.model, _fitting(net, plan.model), tolerance, finish=then, watch=watch)


LARGE = 1 << 22
"""Pixels from which on a network that reads a model runs tile by tile: untiled a U-Net takes 300 bytes a pixel."""


def _fitting(net: NeuralSolver, model: Model) -> NeuralSolver:
    """The network, in tiles if the image is large."""
    shape = model.image_shape
    if shape is None or shape[2] * shape[3] <= LARGE:
        return net
    inner = net.net if isinstance(net, Refined) else net
    return Tiled(net, title=net.title) if isinstance(inner, ReadingSolver) else net


def network(net: str | os.PathLike[str] | NeuralSolver | None) -> NeuralSolver | None:
    """A network, or what ``mindl.load`` makes of a name or folder; one from a folder is called by its path."""
    if net is None or isinstance(net, NeuralSolver):
        return net
    found = load(net)
    if str(net) not in shipped():
        found.title = str(net)
    return found


def denoise(
    image: Picture,
    *,
    model: str = "rof",
    weight: float | None = None,
    noise: float | None = None,
    solver: str | Solver[Any, Any] | None = None,
    net: str | os.PathLike[str] | NeuralSolver | None = None,
    tolerance: float = 1e-4,
) -> Any:
    """A denoised image of the kind that came in.

    Args:
        image: an array (height, width[, 3]), uint8, uint16 or float; a tensor (batch, channel, height,
            width); or a path, which comes back as an array of the file's number type.
        model: ``"rof"``, ``"anisotropic_rof"`` or ``"whittaker_tikhonov"``.
        weight: weight of the regulariser; by default it follows from the noise.
        noise: the noise's standard deviation in the units of [0, 1] (25 grey levels: 25 / 255); by default
            it is estimated.
        solver: a solver or its name; by default one is chosen.
        net: a network that answers first, and the solver goes on from there to the tolerance: its name
            (``mindl weights list``), its folder, or itself. A grey one denoises each channel on its own.
        tolerance: relative tolerance of the certificate.

    Raises:
        NotSolvedError: the tolerance was not reached; ``error.solution.image`` is the best that was.
        InputError, UnknownNameError, ViewError, ToleranceError: what the message says.

    >>> import mindl as md
    >>> noisy = np.full((32, 32), 128, dtype=np.uint8)
    >>> bool((md.denoise(noisy) == noisy).all())
    True
    """
    data, back = _incoming(image)
    first = network(net)
    plan = plan_denoising(data, model=model, weight=weight, noise=noise, net=first)
    return back(solve(plan, solver=solver, net=first, tolerance=tolerance).require().image)


def inpaint(
    image: Picture,
    *,
    mask: Mask | Array | PathLike | None = None,
    damage: Mask | Array | PathLike | None = None,
    model: str = "harmonic_inpainting",
    solver: str | Solver[Any, Any] | None = None,
    net: str | os.PathLike[str] | NeuralSolver | None = None,
    tolerance: float = 1e-4,
) -> Any:
    """An image with its unknown pixels filled in, of the kind that came in.

    Args:
        image: as for ``denoise``; what it holds at unknown pixels is ignored.
        mask: true (white) = known pixel: an array, a tensor, or the path of a black and white image.
        damage: the opposite, true (white) = to be filled. Give one of the two.
        model: ``"harmonic_inpainting"``, or another name of ``docs/choosing.md``. Of ``"eed_inpainting"``,
            ``"amle_inpainting"`` and ``"elastica_inpainting"`` nothing is proved: what comes back is stationary.
        solver: as for ``denoise``.
        net: as for ``denoise``.
        tolerance: as for ``denoise``; of a flow, the part of the first rate that may be left.

    Raises:
        MaskError: none or both given, another size, greys, or nothing known.
        NotSolvedError: the tolerance was not reached.

    >>> import mindl as md
    >>> row = np.array([[0.0, 9.0, 1.0]])
    >>> md.inpaint(row, mask=np.array([[True, False, True]]))
    array([[0. , 0.5, 1. ]])
    """
    if (mask is None) == (damage is None):
        raise MaskError("inpaint needs either mask= (true = known) or damage= (true = to be filled).")
    marked = mask if mask is not None else damage
    assert marked is not None
    known = _as_mask(marked, damaged=damage is not None)
    data, back = _incoming(image, known)
    first = network(net)
    plan = plan_inpainting(data, known, model=model, net=first)
    solution = solve(plan, solver=solver, net=first, tolerance=tolerance)
    if model not in UNPROVED_INPAINTING or not solution.outcome.met:
        solution.require()
    return back(solution.image)


def _incoming(image: Tensor | Array | PathLike, known: Mask | None = None) -> tuple[Image, Any]:
    """The image as a tensor, and the way back to the kind it came in.

    Values of an array at pixels that are not ``known`` count for nothing; NaN is common there.
    """
    if isinstance(image, Tensor):
        check_scale(image.detach().cpu().numpy(), "denoise(image)" if known is None else "inpaint(image)")
        return image.detach(), lambda result: result
    if isinstance(image, (str, os.PathLike)):
        picture = load_picture(image)
        return as_tensor(image), lambda result: to_numpy(result, picture.dtype)
    array = np.asarray(image)
    if array.dtype == object:
        raise InputError(f"An image is needed: a tensor, an array, or the path of a file; got {image!r}.")
    kind = array.dtype if array.dtype.kind in "uf" else np.dtype(np.float32)

    def back(result: Tensor) -> Array:
        return to_numpy(result, kind).reshape(array.shape)

    if known is not None and known.shape[2:] == array.shape[:2]:
        seen = known[0, 0].numpy().reshape(*array.shape[:2], *[1] * (array.ndim - 2))
        array = np.where(seen, array, np.zeros((), array.dtype))
    return as_tensor(array), back


def _as_mask(value: Mask | Array | PathLike, *, damaged: bool) -> Mask:
    if isinstance(value, Tensor):
        if not damaged:
            return value
        return ~value if value.dtype == torch.bool else 1 - value
    if isinstance(value, (str, os.PathLike)):
        return read_mask(value, damage=damaged)
    return mask_from_numpy(value, damage=damaged)
