r"""The prover: finds the witness that lets the verifier prove a good bound, and the entry ``certify``."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor

from mindl.core.arrays import Dual, Image, PerImage, check_image, per_image
from mindl.core.errors import InputError
from mindl.core.reduce import largest
from mindl.models.candidate import Candidate
from mindl.models.certificate import (
    STRIP,
    Certificate,
    DualWitness,
    HarmonicCover,
    Supersolution,
    Witness,
    cut,
    product_rounding,
    proving_view,
    residual_rounding,
    verify,
)
from mindl.models.model import Model
from mindl.models.views import LinearSystem, Local, MonotoneSystem, PolyharmonicSystem, SaddlePoint
from mindl.solvers.correction import Correction, iterates, solve
from mindl.solvers.primal_dual import PrimalDual
from mindl.solvers.solution import Solution

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
        dual = torch.zeros_like(view.operator(image))
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
    r"""v with A v >= |r| on the free pixels, in float64.

    From w with A w >= 1 (an approximate solution of A w = 1, scaled by 1 / min A w) two vectors are made:
    w max|r|, and an approximate solution of A v = |r| lifted by w times its largest deficit. The pixelwise
    minimum of both is again one, since the off-diagonal entries of A are not positive. Where w is not found,
    v is 0 and proves nothing.
    """
    # Approximate solutions suffice, so they are found in the image's own type; what makes them proofs, the
    # largest deficits, is computed in float64. w belongs to the mask and is shared by what shares the mask.
    free = _free(view, image)
    residual = view.gradient(image.double()).abs()
    peak = largest(residual)
    lift, floor = _covering(view, free.to(image.dtype), effort)
    usable = floor > 0
    floor = torch.where(usable, floor, 1)
    plain = lift * per_image(peak / floor, residual)
    approximate = solve(
        Correction(view.apply, residual.to(image.dtype), view), tolerance=0.03, steps=effort
    ).double()
    deficit = _largest_deficit(view.apply(approximate), residual, free)
    fine = approximate + lift * per_image(deficit / floor, residual)
    values = torch.minimum(plain, fine)
    # Lifted a little more than needed, so that rounding in the verifier's own sums cannot break it.
    height = largest(values)
    energy = view.energy(image)
    slack = 2 * (residual_rounding(view, energy) + product_rounding(view, height)) + 1e-12 * peak
    usable = usable & torch.isfinite(energy)  # nothing helps an image that breaks a hard constraint
    values = values + lift * per_image(torch.where(usable, slack, 0) / floor, residual)
    return Supersolution(values * per_image(usable, residual))


def _harmonic_cover(view: PolyharmonicSystem, image: Image, effort: int) -> HarmonicCover:
    """w with H w >= 1 on the free pixels, lifted a little for the verifier's rounding; 0 where it is not found."""
    free = _free(view.harmonic, image)
    lift, floor = _covering(view.harmonic, free.double(), effort)
    slack = 2 * product_rounding(view.harmonic, largest(lift) / floor.clamp(min=1e-3))
    factor = torch.where(floor > 1e-3, (1 + slack) / floor.clamp(min=1e-3), 0)
    return HarmonicCover((lift * per_image(factor, lift)).expand(image.shape).contiguous())


def _free(view: LinearSystem, image: Image) -> Tensor:
    """The free pixels, in the pattern of the matrix."""
    free = torch.ones_like(image[:1, :1], dtype=torch.bool) if view.free is None else view.free
    return free.expand(*view.pattern, *image.shape[2:])


def _covering(view: LinearSystem, ones: Tensor, effort: int) -> tuple[Image, PerImage]:
    """w and the minimum of A w over the free pixels; it is not positive where ``effort`` did not suffice."""
    lift, floor = ones, torch.zeros(ones.shape[0], dtype=torch.float64, device=ones.device)
    done = torch.zeros_like(floor, dtype=torch.bool)
    for trial, relative in iterates(Correction(view.apply, ones, view), effort):
        near = relative <= 0.1
        reached = 1 - _largest_deficit(view.apply(trial.double()), ones, ones) if bool(near.any()) else floor
        lift = torch.where(done.reshape(-1, 1, 1, 1), lift, trial)  # each image stops on its own
        floor = torch.where(done | ~near, floor, reached)
        done = done | (near & (floor > 0.5))
        if bool(done.all()):
            break
    lift = lift.double()
    return lift, torch.where(done, floor, 1 - _largest_deficit(view.apply(lift), ones, ones))


def _largest_deficit(covered: Tensor, wanted: Tensor, free: Tensor) -> PerImage:
    """max(wanted - covered, 0) over the free pixels of each image."""
    return largest((wanted - covered) * free).clamp(min=0)
