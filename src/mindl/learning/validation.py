"""How good a network is at solving, on problems that it does not learn from."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from mindl.core.arguments import kind, whole
from mindl.core.arrays import Image, PerImage
from mindl.core.errors import InputError, MindlWarning
from mindl.core.randomness import Purpose, generator_for
from mindl.core.reduce import total
from mindl.data import Placement, Source
from mindl.data.source import size_of
from mindl.images import psnr, ssim
from mindl.learning.answers import compared, histogram
from mindl.learning.task import Problem, Task
from mindl.models import Candidate, Energy, Model
from mindl.neural import NeuralSolver
from mindl.neural.neural_solver import in_use
from mindl.solvers import Stop, certify, steady_state


@dataclass(frozen=True, eq=False)
class Findings:
    """What an examination found; one number per image.

    Attributes:
        excess: energy excess :math:`(E(u) - E^*) / (E(u_0) - E^*)`: 0 = solved, 1 = as good as the start. Of flows
            without an energy :math:`|u - u^*|^2 / |u_0 - u^*|^2`.
        psnr: against the clean images, in dB.
        psnr_of_minimiser: the same of the model's solution; a network that is above it solves another model.
        rms: the proved distance to the solution in grey levels of 255; infinite where nothing is proved.
        psnr_of_start: of what the solver would begin with: the noisy image, or a rough filling.
        ssim: against the clean images; NaN below 11 x 11 pixels.
        candidate: the answers.
        more: numbers for a diagnosis: ``psnr_of_start``, ``ssim``, least, quartiles and largest of ``excess``
            and ``rms``, a histogram of ``errors``, and how the answers compare with the ``solution`` and with
            ``clean`` images (``moved``, ``along``, ``contrast``, ``sharpness``, ``shift``, ``outside``,
            ``likeness``, ``other``).
    """

    excess: PerImage
    psnr: PerImage
    psnr_of_minimiser: PerImage
    rms: PerImage
    psnr_of_start: PerImage
    ssim: PerImage
    candidate: Candidate
    more: dict[str, Any]

    @property
    def row(self) -> dict[str, float]:
        """For the record: medians of excess and rms, the worst excess, and means of PSNR."""
        return {
            "excess": _median(self.excess),
            "worst_excess": float(self.excess.max()),
            "psnr": float(self.psnr.mean()),
            "psnr_of_minimiser": float(self.psnr_of_minimiser.mean()),
            "rms": _median(self.rms),
        }

    def __repr__(self) -> str:
        row = self.row
        return (
            f"<energy excess {row['excess']:.2%} in the median, {row['worst_excess']:.2%} at worst; PSNR "
            f"{row['psnr']:.2f} dB (minimiser {row['psnr_of_minimiser']:.2f} dB); proved within {row['rms']:.2g} "
            "grey levels rms in the median>"
        )


class Validation:
    """Fixed problems with their solutions, found once by a solver.

    Args:
        task: draws the problems.
        source: clean images that are not trained on.
        count: how many problems; image ``i`` of the source makes problem ``i``, from the beginning again
            where there are fewer.
        crop: side of the crop from the middle of each image; smaller images are refused.
        seed: of the draws.
        stop: when the reference solution is good enough; by default a certificate of 1e-5, or 2000 steps.
        seen: whether these are images that are trained on, on purpose: to compare both.

    Warns:
        MindlWarning: the solver did not reach it: excesses are relative to the best that it found.

    Raises:
        InputError: an image smaller than the crop.

    >>> from mindl.data import DeadLeaves
    >>> from mindl.learning import Denoising
    >>> import mindl as md
    >>> examine = Validation(Denoising(), DeadLeaves(2, size=32), count=2, crop=32)
    >>> net = md.neural.WitnessHead(md.nets.UNet(1, 2, widths=(4, 4)), md.neural.InUnitsOfWeight())
    >>> bool(examine(net).excess.max() < 1.1)
    True
    """

    def __init__(
        self,
        task: Task,
        source: Source,
        *,
        count: int = 8,
        crop: int = 128,
        seed: int = 0,
        stop: Stop | None = None,
        seen: bool = False,
    ) -> None:
        kind(task, Task, "Validation(task)", "a task such as Denoising()")
        kind(source, Source, "Validation(source)", "a source of images such as DeadLeaves()")
        whole(count, 1, "Validation(count)")
        whole(crop, 1, "Validation(crop)")
        whole(seed, 0, "Validation(seed)")
        problems = [_problem(task, source, i, crop, seed) for i in range(count)]
        self.problems = {name: torch.stack([p[name] for p in problems]) for name in problems[0]}
        self.model: Model = task.model(self.problems)
        self.crop, self.seed, self.about, self.seen = crop, seed, source.about, seen
        self.parts = {part for i in range(count) for part in source.parts(i % len(source))}
        solution = steady_state(self.model, stop=stop or Stop(1e-5, steps=2000))
        if not solution.outcome.met:
            warnings.warn(
                MindlWarning(f"The reference of the validation is not exact: {solution!r}."), stacklevel=2
            )
        self.minimiser: Image = solution.image
        with torch.no_grad():
            self._start = self.model.image_of(self.model.start())
            self._least = self._worth(solution.unknown).double()
            self._first = self._worth(self.model.start()).double()

    @property
    def config(self) -> dict[str, Any]:
        """For the record of a run."""
        return {"count": len(self._least), "crop": self.crop, "seed": self.seed, "images": self.about}

    def __call__(self, net: NeuralSolver) -> Findings:
        """Examine a network as it would be used."""
        with in_use(net):
            candidate = net(self.model)
            excess = _excess(self._worth(candidate.image), self._least, self._first)
            finite = bool(torch.isfinite(candidate.image).all())
            provable = finite and self.model.why_not(Energy) is None
            rms = certify(self.model, candidate, effort=0).rms if provable else torch.full_like(excess, torch.inf)
        image = self.model.image_of(candidate.image)
        qualities = [self._judged(psnr, u) for u in (image, self.minimiser, self._start)]
        similar = self._judged(ssim, image) if self.crop >= 11 else torch.full_like(excess, torch.nan)
        more = {
            "psnr_of_start": float(qualities[2].mean()),
            "ssim": float(similar.mean()),
            "excess": _spread(excess),
            "rms": _spread(rms),
        }
        for name, target in {"solution": self.minimiser, "clean": self.problems.get("clean")}.items():
            if target is not None:
                more[name] = compared(image, self._start, target)
                more["errors"] = histogram(image, target)
        return Findings(excess, qualities[0], qualities[1], rms, qualities[2], similar, candidate, more)

    def _worth(self, unknown: Image) -> PerImage:
        """What is to be small: the energy; of a flow that has none the squared distance to its rest."""
        if self.model.why_not(Energy) is None:
            return self.model.view(Energy).checked_energy(unknown)
        return total((unknown - self.minimiser).square())

    def _judged(self, measure: Callable[[Image, Image], PerImage], image: Image) -> PerImage:
        """Against the clean images; NaN where there are none."""
        if "clean" in self.problems:
            return measure(image, self.problems["clean"])
        return torch.full((image.shape[0],), torch.nan)


def energy_excess(model: Model, image: Image, minimiser: Image) -> float:
    r""":math:`(E(u) - E^*) / (E(u_0) - E^*)` of one image, E* the energy of a solution and u_0 the model's
    start.

    Raises:
        InputError: a batch of several images.

    >>> import mindl as md
    >>> model = md.models.rof(torch.tensor([[[[0.0, 1.0]]]]), weight=0.1)
    >>> energy_excess(model, model.start(), torch.tensor([[[[0.1, 0.9]]]]))
    1.0
    """
    energy = model.view(Energy)
    if image.shape[0] != 1:
        raise InputError(f"energy_excess(image) judges one image, got a batch of {image.shape[0]}.")
    with torch.no_grad():
        here, least, first = (energy.checked_energy(u) for u in (image, minimiser, model.start()))
    return float(_excess(here, least, first))


def _excess(here: PerImage, least: PerImage, first: PerImage) -> PerImage:
    """0 where there is nothing to gain: a constant image is solved before anybody begins."""
    room, above = first.double() - least.double(), here.double() - least.double()
    return torch.where(room > 0, above / torch.where(room > 0, room, 1), 0)


def _spread(values: PerImage) -> list[float]:
    """Least, quartiles and largest."""
    ordered = sorted(values.tolist())
    return [ordered[round(share * (len(ordered) - 1))] for share in (0, 0.25, 0.5, 0.75, 1)]


def _median(values: PerImage) -> float:
    """The middle value, or the mean of both; infinite where most are."""
    ordered = sorted(values.tolist())
    middle: float = 0.5 * (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2])
    return middle


def _problem(task: Task, source: Source, number: int, crop: int, seed: int) -> Problem:
    sample = source.sample(number % len(source))
    if source.problems:
        return sample
    height, width = size_of(sample)
    if min(height, width) < crop:
        raise InputError(
            f"Validation(crop={crop}): {source.name(number % len(source))} has only {width} x {height} pixels."
        )
    central = Placement.central(height, width, crop)
    return task.draw(central.of_sample(sample), generator_for(seed, Purpose.EXAMINATION, number))
