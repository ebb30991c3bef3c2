"""The verb ``demo``: the main job on the photograph that ships with mindl."""

from __future__ import annotations

from pathlib import Path

import torch

from mindl.app.demo_network import teach
from mindl.app.report import Progress, Row, print_rows, say
from mindl.core.arrays import Image
from mindl.core.errors import OutputError
from mindl.images import GaussianNoise, coffee, psnr, random_mask, write
from mindl.models import Supersolution, harmonic_inpainting
from mindl.plot import Panel, gallery_figure, save_figure
from mindl.restore import plan_denoising
from mindl.solvers import PrimalDual, Stop, minimise, write_answer

SIGMA = 25 / 255
KNOWN = 0.05
DENOISED_TO, FILLED_TO = 1e-4, 1e-6


def demo(folder: Path, *, quiet: bool, as_json: bool) -> int:
    """Denoise, inpaint, and teach a network to denoise; images, answers and a figure go to ``folder``.

    The exit status is returned.
    """
    _make(folder)
    photo = coffee()
    write(folder / "photo.png", photo)
    shown = [
        _denoising(photo, folder, quiet),
        _inpainting(photo, folder, quiet),
        teach(photo, folder, quiet=quiet),
    ]
    rows = [row for some, _ in shown for row in some]
    panels = [Panel(photo, "photograph", "600 x 400, Rachel Michetti, CC0")]
    panels += [panel for _, some in shown for panel in some]
    save_figure(gallery_figure(panels, columns=3), folder / "demo.png")
    print_rows(rows, as_json=as_json, quiet=quiet)
    say(
        f"\nImages, answers and the figure demo.png are in {folder}/, the network in {folder}/net/.\n"
        "Prove an answer again, with NumPy alone, or use the network on a photograph of your own:\n"
        f"  mindl verify {folder}/rof.answer.npz\n"
        f"  mindl denoise PHOTO -o OUT.png --net {folder}/net",
        quiet=quiet or as_json,
    )
    promised = (row for row in rows if not row.alone)  # a network alone promises nothing
    return 0 if all(row.certified for row in promised) else 3


def _make(folder: Path) -> None:
    """A folder for the results, which holds nothing else."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "rof.answer.npz").exists():
        raise OutputError(
            f"{folder} holds other files, which the demo might overwrite: name a new folder with -o."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot make the folder {folder}: {error.strerror or error}.") from error


def _denoising(photo: Image, folder: Path, quiet: bool) -> tuple[list[Row], list[Panel]]:
    noisy = GaussianNoise(SIGMA)(photo, seed=1)
    plan = plan_denoising(noisy, noise=SIGMA)
    with Progress("denoising", quiet=quiet) as progress:
        denoised = minimise(plan.model, PrimalDual(), stop=Stop(DENOISED_TO), watch=progress)
    write(folder / "noisy.png", noisy)
    write(folder / "rof.png", denoised.image)
    write_answer(folder / "rof.answer.npz", denoised)
    given = Row.given("noisy photograph (sigma 25)", float(psnr(noisy, photo)))
    row = Row.of(denoised, "", plan.why, float(psnr(denoised.image, photo)))
    return [given, row], [
        Panel(noisy, "with noise, sigma 25", f"PSNR {given.psnr:.2f} dB"),
        Panel(denoised.image, "rof, primal-dual", _caption(row)),
    ]


def _inpainting(photo: Image, folder: Path, quiet: bool) -> tuple[list[Row], list[Panel]]:
    mask = random_mask(photo.shape[2], photo.shape[3], KNOWN, seed=1)
    model = harmonic_inpainting(photo, mask)
    with Progress("inpainting", quiet=quiet) as progress:
        filled = minimise(model, stop=Stop(FILLED_TO), watch=progress)
    known = torch.where(mask, photo, 0)
    write(folder / "known-pixels.png", known)
    write(folder / "harmonic-inpainting.png", filled.image)
    write_answer(folder / "harmonic-inpainting.answer.npz", filled)
    row = Row.of(filled, "", "every pixel proved", float(psnr(filled.image, photo)))
    proved = filled.certificate.witness
    assert isinstance(proved, Supersolution)
    return [Row.given("5 % of the pixels", None), row], [
        Panel(known, "5 % of the pixels", "chosen at random"),
        Panel(filled.image, "harmonic inpainting, CG", _caption(row)),
        Panel(proved.values, "proved error of each pixel", "grey levels of 255", is_map=True),
    ]


def _caption(row: Row) -> str:
    assert row.rms is not None
    return f"PSNR {row.psnr:.2f} dB, proved within {row.rms:.2g} grey levels rms"
