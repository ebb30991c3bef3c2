r"""The prover: finds the witness that lets the verifier prove a good bound, and the entry ``certify``."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor

from mindl.core.arrays import Dual, Image, PerImageFlag, check_image, per_image
from mindl.core.errors import InputError
from mindl.core.reduce import largest
from mindl.models.candidate import Candidate
from mindl.models.certificate import (
    Certificate,
    DualWitness,
    HarmonicCover,
    Supersolution,
    Witness,
    product_rounding,
    proving_view,
    residual_rounding,
    residual_sums,
    verify,
)
from mindl.models.model import Model
from mindl.models.strips import STRIP, cut
from mindl.models.views import LinearSystem, Local, MonotoneSystem, PolyharmonicSystem, ResidualSums, SaddlePoint
from mindl.solvers.conjugate_gradient import ConjugateGradient
from mindl.solvers.correction import Correction, iterates
from mindl.solvers.primal_dual import PrimalDual
from mindl.solvers.solution import Solution

EXCESS = 0.1
"""What a supersolution is asked for beyond the residual, relative to the residual's root mean square."""

NEAR = 0.03
"""The relative residual from which it is worth while to look whether a witness holds."""

FARTHEST_HALO = 128
"""Rows that a strip borrows from its neighbours at most, when witnesses are sought strip by strip."""


def certify(
    model: Model, image: Image | Candidate | Solution, *, dual: Dual | None = None, effort: int = 100
) -> Certificate:
    """How far an image is from the model's true solution, whoever made it.

    A witness is sought with ``effort`` steps: of the dual, for saddle points, from ``dual`` on (or from 0);
    of conjugate gradients for linear systems. It only makes the bound tighter: whatever it is, the bound
    is proved. With ``effort=0`` the given dual alone is the witness. Large images are worked on in strips.

    Args:
        model: any model.
        image: an image of the data's shape, a ``Candidate``, or a ``Solution``.
        dual: a dual field that comes with the image, for saddle points.
        effort: steps spent on the witness.

    Raises:
        InputError: not finite, another shape than the data's, or a negative effort.

    >>> import mindl as md
    >>> step = torch.tensor([[[[0.0, 0.0, 1.0, 1.0]]]])
    >>> off = torch.tensor([[[[0.1, 0.1, 0.9, 0.9]]]]) + 1 / 255       # one grey level beside the solution
    >>> certify(md.models.rof(step, weight=0.2), off).rms.round(decimals=2)
    tensor([1.], dtype=torch.float64)
    """
    if isinstance(image, (Candidate, Solution)):
        dual = image.dual if dual is None else dual
        image = image.unknown if isinstance(image, Solution) else image.image
    if not isinstance(effort, int) or effort < 0:
        raise InputError(f"certify(effort={effort}) must be a whole number of steps, at least 0.")
    check_image(image, "certify(image)")
    with torch.no_grad():
        view = proving_view(model)
        candidate = model.lift(image.detach())
        witness: Witness | None = None
        if isinstance(view, SaddlePoint):
            witness = _dual_witness(view, candidate, dual, effort)
            if candidate.shape != image.shape:  # an image alone: the best known values of the other blocks
                candidate = model.lift(image.detach(), near=witness.image)
        elif isinstance(view, PolyharmonicSystem) and effort:
            witness = _harmonic_cover(view, candidate, effort)
        elif isinstance(view, MonotoneSystem) and effort and not math.isfinite(view.inverse_bound):
            witness = _supersolution(view, candidate, effort)
        return verify(view, candidate, witness)


def _dual_witness(view: SaddlePoint, image: Image, dual: Dual | None, effort: int) -> DualWitness:
    """``effort`` primal-dual steps from the candidate on; large images strip by strip.

    A step looks one pixel far, so a strip with a halo of ``effort`` rows finds what the whole image would.
    Beyond ``FARTHEST_HALO`` rows the strips differ a little; any dual field is a witness all the same.
    """
    if dual is None:
        dual = image.new_zeros(view.operator.field_shape(image.shape))
    if effort == 0:
        return DualWitness(dual)
    solver = PrimalDual()
    dual_step = solver.dual_step(view, *image.shape[2:])
    found, field = torch.empty_like(image), torch.empty_like(dual)
    halo = min(effort * view.radius, FARTHEST_HALO) if isinstance(view, Local) else 0
    height, width = image.shape[2:]
    rows = max(4 * halo, STRIP // (image.shape[1] * width), 1) if isinstance(view, Local) else height
    for seen, inside, place in cut(height, rows, halo):
        part = cast(SaddlePoint, view.crop(seen.start, seen.stop)) if isinstance(view, Local) else view
        state = solver.begin(part, Candidate(image[..., seen, :], dual[..., seen, :]))
        state = solver.advance(part, replace(state, dual_step=dual_step), effort)
        found[..., place, :] = state.image[..., inside, :]
        field[..., place, :] = state.dual[..., inside, :]
    return DualWitness(field, found)


def _supersolution(view: MonotoneSystem, image: Image, effort: int) -> Supersolution:
    r"""v with A v >= |r| on the free pixels, in float64; 0 where ``effort`` does not find one.

    Conjugate gradients solve :math:`A v = |r| + \epsilon`. As soon as no pixel is farther from it than
    :math:`\epsilon`, a tenth of the residual's root mean square, v is a supersolution, too large by about a tenth.
    """
    sums = _sums(view, image, None)
    slip = residual_rounding(view, sums.energy)
    usable = torch.isfinite(sums.energy)  # nothing helps an image that breaks a hard constraint
    free = _free(view, image)
    sought = (free.flatten(1).sum(dim=1) * (image.shape[1] / free.shape[1])).clamp(min=1)
    excess = torch.where(usable, EXCESS * (sums.squared / sought).sqrt() + 2 * slip, 0)
    wanted = ConjugateGradient().begin(view, Candidate(image)).residual.abs_()
    wanted = torch.where(free, wanted + per_image(excess, wanted), 0)
    found, done = None, ~usable
    for state, relative in iterates(Correction(view.apply, wanted, view), effort):
        near = ~done & (relative <= NEAR)  # each image on its own, whatever its mates do
        if bool(near.any()):
            trial = state.unknown
            sums = _sums(view, image, trial)
            holds = near & (sums.margin >= slip + product_rounding(view, sums.height))
            if bool(holds.all()):
                found = trial
            elif bool(holds.any()):
                found = torch.where(_each(holds), trial, 0 if found is None else found)
            done = done | holds
        if bool(done.all()):
            break
    return Supersolution(torch.zeros_like(image, dtype=torch.float64) if found is None else found)


def _harmonic_cover(view: PolyharmonicSystem, image: Image, effort: int) -> HarmonicCover:
    """w with H w >= 1 on the free pixels, lifted a little for the verifier's rounding; 0 where it is not found.

    It belongs to the mask and is shared by what shares the mask.
    """
    harmonic, free = view.harmonic, _free(view, image)
    found, done = None, torch.zeros(len(free), dtype=torch.bool, device=image.device)
    for state, relative in iterates(Correction(harmonic.apply, free.to(image.dtype), harmonic), effort):
        near = ~done & (relative <= NEAR)
        if bool(near.any()):
            trial = state.unknown
            sums = _sums(view, image, trial.expand(image.shape))
            floor = 1 + sums.margin[: len(free)]
            height = largest(trial) / floor.clamp(min=0.5)
            holds = near & (floor > 0.5)
            factor = per_image(torch.where(holds, (1 + 2 * product_rounding(harmonic, height)) / floor, 0), trial)
            if bool(holds.all()):
                found = trial.mul_(factor)
            elif bool(holds.any()):
                found = torch.where(_each(holds), trial * factor, 0 if found is None else found)
            done = done | holds
        if bool(done.all()):
            break
    found = torch.zeros_like(free, dtype=torch.float64) if found is None else found
    return HarmonicCover(found.expand(image.shape).contiguous())


def _sums(view: LinearSystem, image: Image, values: Image | None) -> ResidualSums:
    """What the verifier will look at."""
    return view.residual_sums(image, values) or residual_sums(view, image, values)


def _each(flags: PerImageFlag) -> Tensor:
    return flags.reshape(-1, 1, 1, 1)


def _free(view: LinearSystem, image: Image) -> Tensor:
    """The free pixels, in the pattern of the matrix."""
    free = torch.ones_like(image[:1, :1], dtype=torch.bool) if view.free is None else view.free
    return free.expand(*view.pattern, *image.shape[2:])
