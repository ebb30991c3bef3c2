"""The verb ``bench quality``: published and computed figures, measured again."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from mindl.calculus import Charbonnier, PeronaMalik, shepard
from mindl.core.arrays import Image, Mask
from mindl.core.errors import InputError
from mindl.images import GaussianNoise, psnr, random_mask
from mindl.images.io import read
from mindl.models import (
    Flow,
    biharmonic_inpainting,
    edge_enhancing_diffusion,
    eed_inpainting,
    harmonic_inpainting,
    linear_diffusion,
    nonlinear_diffusion,
    rof,
    whittaker_tikhonov,
)
from mindl.models.model import Model
from mindl.solvers import Explicit, Scheme, Stop, evolve, minimise, steady_state

Estimate = Callable[[Image, int], tuple[Image, bool | None]]
"""An answer, and whether it is certified; None where nothing can be."""


@dataclass(frozen=True)
class Rung:
    """A row of the ladder: what is done to each image, how many images, and the mean PSNR to hold against."""

    name: str
    estimate: Estimate
    images: int
    expected: float | None


@dataclass(frozen=True)
class Measured:
    """A row of the table, in dB."""

    name: str
    images: int
    psnr: float
    expected: float | None
    certified: int | None


def denoising(make: Callable[[Image, float], Model], sigma: float, weight: float) -> Estimate:
    """Noise with the seed 1000 + index, not clipped; one weight for all images."""

    def estimate(photo: Image, index: int) -> tuple[Image, bool | None]:
        solution = minimise(make(GaussianNoise(sigma / 255)(photo, seed=1000 + index), weight))
        return solution.image, solution.outcome.certified

    return estimate


def inpainting(make: Callable[..., Model], density: float) -> Estimate:
    """A random mask with the seed 7 + index."""

    def estimate(photo: Image, index: int) -> tuple[Image, bool | None]:
        solution = minimise(make(photo, _mask(photo, density, index)))
        return solution.image, solution.outcome.certified

    return estimate


def filtering(make: Callable[[Image], Flow], scheme: Scheme[Any], time: float) -> Estimate:
    """A flow, followed to one time for all images; nothing is to be certified. Noise of 25/255 as above."""

    def estimate(photo: Image, index: int) -> tuple[Image, bool | None]:
        return evolve(make(GaussianNoise(25 / 255)(photo, seed=1000 + index)), scheme, time).image, None

    return estimate


def at_rest(make: Callable[..., Flow], density: float) -> Estimate:
    """An inpainting without a certificate: stationary is what can be asked."""

    def estimate(photo: Image, index: int) -> tuple[Image, bool | None]:
        solution = steady_state(make(photo, _mask(photo, density, index)), stop=Stop(1e-2))
        return solution.image, None if solution.outcome.met else False

    return estimate


def baseline(density: float) -> Estimate:
    """Shepard interpolation: nothing to certify."""

    def estimate(photo: Image, index: int) -> tuple[Image, bool | None]:
        return shepard(photo, _mask(photo, density, index)), None

    return estimate


def _mask(photo: Image, density: float, index: int) -> Mask:
    height, width = photo.shape[2:]
    return random_mask(height, width, density, seed=7 + index)


def _perona_malik(noisy: Image) -> Flow:
    return nonlinear_diffusion(noisy, PeronaMalik(4 / 255))


def _charbonnier(noisy: Image) -> Flow:
    return nonlinear_diffusion(noisy, Charbonnier(0.5 / 255))


LADDER = [
    Rung("rof, sigma 15, weight 0.70 sigma", denoising(rof, 15, 0.70 * 15 / 255), 68, 29.85),
    Rung("rof, sigma 25, weight 0.75 sigma", denoising(rof, 25, 0.75 * 25 / 255), 68, 27.48),
    Rung("rof, sigma 50, weight 0.90 sigma", denoising(rof, 50, 0.90 * 50 / 255), 68, 24.82),
    Rung("whittaker_tikhonov, sigma 25, weight 0.68", denoising(whittaker_tikhonov, 25, 0.68), 68, 25.95),
    Rung("linear_diffusion, time 0.42", filtering(linear_diffusion, Explicit(0.02), 0.42), 68, 26.20),
    Rung("Perona-Malik diffusion, 4/255, time 9.6", filtering(_perona_malik, Explicit(0.24), 9.6), 68, 27.42),
    Rung("Charbonnier diffusion, 0.5/255, time 17.3", filtering(_charbonnier, Explicit(0.24), 17.3), 68, 27.34),
    Rung(
        "edge_enhancing_diffusion, time 5.4", filtering(edge_enhancing_diffusion, Explicit(0.45), 5.4), 68, 27.38
    ),
    *(Rung(f"shepard, {100 * c:g} % known", baseline(c), 20, None) for c in (0.05,)),
    *(
        Rung(f"harmonic_inpainting, {100 * c:g} % known", inpainting(harmonic_inpainting, c), 20, expected)
        for c, expected in ((0.01, 20.13), (0.02, 21.12), (0.05, 22.61), (0.1, 23.98))
    ),
    *(
        Rung(f"biharmonic_inpainting, {100 * c:g} % known", inpainting(biharmonic_inpainting, c), 10, expected)
        for c, expected in ((0.02, 20.66), (0.05, 22.18), (0.1, 23.80))
    ),
    *(Rung(f"eed_inpainting, {100 * c:g} % known", at_rest(eed_inpainting, c), 20, None) for c in (0.05, 0.1)),
]
"""Grey images, BSD68; inpainting on the first 20 or 10 of them, random masks. Expected: computed elsewhere."""


def quality(data: Path, images: int | None, *, quiet: bool, as_json: bool) -> int:
    """Measure every row; 1 if an answer that can be certified is not, or one that can rest does not."""
    files = sorted((data / "bsd68").glob("*.png"))
    if not files:
        raise InputError(f"{data / 'bsd68'} holds no .png: get the 68 grey images of BSD68 and name their folder.")
    rows, failed = [], False
    for rung in LADDER:
        count = min(rung.images, len(files), images or rung.images)
        found = []
        for index in track(range(count), rung.name, console=Console(stderr=True, quiet=quiet), transient=True):
            photo = read(files[index])
            image, certified = rung.estimate(photo, index)
            found.append((psnr(image, photo).item(), certified))
        mean = math.fsum(quality for quality, _ in found) / count
        expected = rung.expected if count == rung.images else None
        proofs = [certified for _, certified in found]
        failed = failed or False in proofs
        rows.append(Measured(rung.name, count, mean, expected, None if None in proofs else sum(map(bool, proofs))))
    if as_json:
        sys.stdout.write(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    elif not quiet:
        Console().print(_table(rows))
    return 1 if failed else 0


def _table(rows: list[Measured]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("method", overflow="fold")
    for column in ("images", "PSNR", "expected", "difference", "certified"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        told = (
            ["", ""] if row.expected is None else [f"{row.expected:.2f} dB", f"{row.psnr - row.expected:+.2f} dB"]
        )
        table.add_row(
            row.name,
            str(row.images),
            f"{row.psnr:.2f} dB",
            *told,
            "" if row.certified is None else f"{row.certified}",
        )
    return table
