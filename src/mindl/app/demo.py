"""The verb ``demo``: the main job on the photograph that ships with mindl."""

from __future__ import annotations

from pathlib import Path

import torch

from mindl.app.report import Progress, Row, print_rows, say
from mindl.core.errors import OutputError
from mindl.images import GaussianNoise, coffee, psnr, random_mask, write
from mindl.models import Supersolution, harmonic_inpainting
from mindl.plot import Panel, gallery_figure, save_figure
from mindl.restore import plan_denoising
from mindl.solvers import ConjugateGradient, PrimalDual, Stop, minimise, write_answer

SIGMA = 25 / 255
KNOWN = 0.05
DENOISED_TO, FILLED_TO = 1e-4, 1e-6


def demo(folder: Path, *, quiet: bool, as_json: bool) -> int:
    """Denoise and inpaint; write images, answers and a figure into ``folder``; the exit status."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "rof.answer.npz").exists():
        raise OutputError(
            f"{folder} holds other files, which the demo might overwrite: name a new folder with -o."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot make the folder {folder}: {error.strerror or error}.") from error
    photo = coffee()

    noisy = GaussianNoise(SIGMA)(photo, seed=1)
    plan = plan_denoising(noisy, noise=SIGMA)
    with Progress("denoising", quiet=quiet) as progress:
        denoised = minimise(plan.model, PrimalDual(), stop=Stop(DENOISED_TO), watch=progress)

    mask = random_mask(photo.shape[2], photo.shape[3], KNOWN, seed=1)
    model = harmonic_inpainting(photo, mask)
    with Progress("inpainting", quiet=quiet) as progress:
        filled = minimise(model, ConjugateGradient(), stop=Stop(FILLED_TO), watch=progress)

    known = torch.where(mask, photo, 0)
    for name, image in (
        ("photo", photo),
        ("noisy", noisy),
        ("rof", denoised.image),
        ("known-pixels", known),
        ("harmonic-inpainting", filled.image),
    ):
        write(folder / f"{name}.png", image)
    write_answer(folder / "rof.answer.npz", denoised)
    write_answer(folder / "harmonic-inpainting.answer.npz", filled)

    rows = [
        _given("noisy photograph (sigma 25)", float(psnr(noisy, photo))),
        Row.of(denoised, "", plan.why, float(psnr(denoised.image, photo))),
        _given("5 % of the pixels", None),
        Row.of(filled, "", "every pixel proved", float(psnr(filled.image, photo))),
    ]
    proved = filled.certificate.witness
    assert isinstance(proved, Supersolution)
    figure = gallery_figure(
        [
            Panel(photo, "photograph", "600 x 400, Rachel Michetti, CC0"),
            Panel(noisy, "with noise, sigma 25", f"PSNR {rows[0].psnr:.2f} dB"),
            Panel(denoised.image, "rof, primal-dual", _caption(rows[1])),
            Panel(known, "5 % of the pixels", "chosen at random"),
            Panel(filled.image, "harmonic inpainting, CG", _caption(rows[3])),
            Panel(proved.values, "proved error of each pixel", "grey levels of 255", is_map=True),
        ],
        columns=3,
    )
    save_figure(figure, folder / "demo.png")
    print_rows(rows, as_json=as_json, quiet=quiet)
    say(
        f"\nImages, answers and the figure demo.png are in {folder}/. Prove an answer again, with NumPy alone:\n"
        f"  mindl verify {folder}/rof.answer.npz",
        quiet=quiet or as_json,
    )
    return 0 if denoised.outcome.certified and filled.outcome.certified else 3


def _given(what: str, quality: float | None) -> Row:
    return Row("", "", what, "", "", True, quality, 0.0, None, None, 0, 0.0)


def _caption(row: Row) -> str:
    assert row.rms is not None
    return f"PSNR {row.psnr:.2f} dB, proved within {row.rms:.2g} grey levels rms"
