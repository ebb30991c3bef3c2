"""The verbs ``denoise`` and ``inpaint``: plan, solve, write, and tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mindl.app.paths import Job, jobs
from mindl.app.report import Failure, Progress, Row, print_rows, say
from mindl.core.arrays import Image
from mindl.core.errors import InputError, MaskError, MindlError, look_up
from mindl.images.io import Picture, load, save
from mindl.images.masks import read_mask
from mindl.neural import NeuralSolver
from mindl.restore import BY_NAME, FILLING, Plan, network, plan_denoising, plan_inpainting, solve
from mindl.solvers.answers import VERIFIABLE, write_answer
from mindl.solvers.choosing import check_accepts
from mindl.solvers.stop import FINEST

CERTIFIED, FAILED, NOT_CERTIFIED = 0, 1, 3  # wrong usage, 2, is told by the errors that reach ``main``


@dataclass(frozen=True)
class Settings:
    """What both verbs are told."""

    output: Path
    solver: str | None
    net: str | None
    finish: bool
    tolerance: float
    answer: bool
    quiet: bool
    as_json: bool
    overwrite: bool


def denoise(
    inputs: list[Path], settings: Settings, *, model: str, weight: float | None, noise: float | None
) -> int:
    """Denoise every input; the exit status."""
    probe = plan_denoising(torch.zeros(1, 1, 1, 1), model=model, weight=weight, noise=noise)
    net = _check(probe, settings)

    def plan(data: Image) -> Plan[Any]:
        return plan_denoising(data, model=model, weight=weight, noise=noise, net=net)

    return _each(inputs, settings, plan, net, [])


def inpaint(inputs: list[Path], settings: Settings, *, model: str, mask: Path | None, damage: Path | None) -> int:
    """Fill the unknown pixels of every input; the exit status."""
    if (mask is None) == (damage is None):
        raise MaskError("Give either --mask M (white = known) or --damage M (white = to be filled).")
    look_up(FILLING, model, "inpainting model")
    marked = mask if mask is not None else damage
    assert marked is not None
    known = read_mask(marked, damage=damage is not None)
    probe = plan_inpainting(torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1, dtype=torch.bool), model=model)
    net = _check(probe, settings)
    share = float(known.double().mean())
    if (mask is not None) == (share > 0.5):
        meant = "If white marks what is to be filled, use --damage"
        if mask is None:
            meant = "If white marks what is known, use --mask"
        say(f"{100 * share:.1f} % of the pixels are known. {meant}.", quiet=settings.quiet)
    if share == 1:
        say("There is nothing to fill in: the mask knows every pixel.", quiet=settings.quiet)
    return _each(inputs, settings, lambda data: plan_inpainting(data, known, model=model, net=net), net, [marked])


def _check(probe: Plan[Any], settings: Settings) -> NeuralSolver | None:
    """Refuse wrong names, weights and tolerances before the first file is opened; the network that was named."""
    check_tolerance(settings.tolerance)
    if settings.answer and probe.model.title not in VERIFIABLE:
        raise InputError(f"--answer: `mindl verify` knows {', '.join(VERIFIABLE)}, not {probe.model.title}.")
    if settings.solver is not None:
        check_accepts(look_up(BY_NAME, settings.solver, "solver"), probe.model, BY_NAME)
    if settings.net is None:
        if not settings.finish:
            raise InputError("--no-finish leaves a network's answer as it is: name one by --net.")
        return None
    if settings.solver is not None and not settings.finish:
        raise InputError("--no-finish leaves nothing for --solver to do: give one of them.")
    net = network(settings.net)
    if net is not None and net.channels == 1:
        net.check(probe.model)
    return net


def check_tolerance(tolerance: float) -> None:
    """Files are solved in float32.

    Raises:
        InputError: a tolerance that float32 cannot reach.
    """
    finest = FINEST[torch.float32]
    if not finest <= tolerance < 1:
        raise InputError(
            f"--tolerance {tolerance:g} must be below 1 and at least {finest:g}, which float32 reaches."
        )


def _each(
    inputs: list[Path],
    settings: Settings,
    plan: Callable[[Image], Plan[Any]],
    net: NeuralSolver | None,
    also_read: list[Path],
) -> int:
    """Every input in turn; one that fails is named, and the others are finished."""
    rows: list[Row] = []
    failed: list[Failure] = []
    planned = jobs(
        inputs, settings.output, overwrite=settings.overwrite, answers=settings.answer, also_read=also_read
    )
    for job in planned:
        try:
            rows.append(_one(job, settings, plan, net))
        except MindlError as error:
            failed.append(Failure(str(job.source), str(error)))
    print_rows(rows, failed, as_json=settings.as_json, quiet=settings.quiet)
    if failed:
        return FAILED
    return CERTIFIED if all(row.certified for row in rows) else NOT_CERTIFIED


def _one(job: Job, settings: Settings, plan: Callable[[Image], Plan[Any]], net: NeuralSolver | None) -> Row:
    picture = load(job.source)
    _check_target(job, picture)
    planned = plan(picture.pixels)
    title = f"{job.source.name}, {planned.model.title}"
    say(f"{title}: {planned.why}", quiet=settings.quiet)
    with Progress(title, quiet=settings.quiet) as progress:
        solution = solve(
            planned,
            solver=settings.solver,
            net=net,
            finish=settings.finish,
            tolerance=settings.tolerance,
            watch=progress,
        )
    save(job.target, picture.with_pixels(solution.image), overwrite=settings.overwrite)
    if settings.answer:
        write_answer(job.answer, solution, overwrite=settings.overwrite)
    return Row.of(solution, str(job.source), planned.why, output=str(job.target))


def _check_target(job: Job, picture: Picture) -> None:
    """Refuse, before solving, a format that cannot hold the picture."""
    if job.target.suffix.lower() in (".jpg", ".jpeg"):
        if picture.alpha is not None:
            raise InputError(f"{job.source} has transparency, which JPEG cannot hold: name a .png or .tif.")
        if picture.dtype != "uint8":
            raise InputError(f"{job.source} has more than 8 bits, which JPEG cannot hold: name a .png or .tif.")
    if job.target.suffix.lower() == ".png" and picture.dtype.kind == "f":
        raise InputError(f"{job.source} holds floats, which PNG cannot hold: name a .tif.")
