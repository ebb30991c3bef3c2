"""The problems that networks are judged on: fixed noise and masks for every image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mindl.core.arrays import Image
from mindl.core.errors import InputError
from mindl.data import DeadLeaves, Photographs, Source
from mindl.images import GaussianNoise, grey, random_mask
from mindl.images.photographs import coffee
from mindl.models import (
    Model,
    eed_inpainting,
    elastica_inpainting,
    harmonic_inpainting,
    huber_rof,
    rof,
    tgv,
    tv_inpainting,
)
from mindl.neural import NeuralSolver
from mindl.store import load, shipped
from mindl.store.folder import CONFIG

NOISE, WEIGHT_PER_NOISE, KNOWN = 25 / 255, 0.75, 0.05


def noisy(clean: Image, index: int, noise: float = NOISE) -> Image:
    """The image with noise of its own, the same every time; neither rounded nor clipped."""
    return GaussianNoise(noise)(clean, seed=1000 + index)


def denoising(make: Callable[..., Model]) -> Callable[[Image, int], Model]:
    """Noise of 25/255, weight 0.75 times the noise."""
    return lambda clean, index: make(noisy(clean, index), WEIGHT_PER_NOISE * NOISE)


def inpainting(make: Callable[..., Model]) -> Callable[[Image, int], Model]:
    """5 % of the pixels known."""
    return lambda clean, index: make(clean, random_mask(clean.shape[2], clean.shape[3], KNOWN, seed=7 + index))


POSED: dict[str, Callable[[Image, int], Model]] = {
    "rof": denoising(rof),
    "huber_rof": denoising(huber_rof),
    "tgv": denoising(tgv),
    "harmonic_inpainting": inpainting(harmonic_inpainting),
    "tv_inpainting": inpainting(tv_inpainting),
    "elastica_inpainting": inpainting(elastica_inpainting),
    "eed_inpainting": inpainting(eed_inpainting),
}
"""How a model is posed for a clean image and its number."""


def stored(weights: Path | None) -> list[NeuralSolver]:
    """The networks that ship, and those in the folders of ``weights``."""
    folders = [path.parent for path in sorted(weights.glob(f"*/{CONFIG}"))] if weights is not None else []
    return [*(load(name) for name in shipped()), *(load(folder) for folder in folders)]


@dataclass(frozen=True)
class Unseen:
    """Images that no network has seen: a folder's, or what ships with mindl."""

    source: Source
    about: str

    def __len__(self) -> int:
        return len(self.source)

    def image(self, index: int) -> Image:
        """Image ``index``, (1, 1, height, width)."""
        return self.source.image(index)[None]

    @staticmethod
    def of(folder: Path | None) -> Unseen:
        """All images of a folder, grey; None: dead leaves far from those that are trained on.

        Raises:
            InputError: no image.
        """
        if folder is None:
            return Unseen(DeadLeaves(4, size=256, seed=2_000_000), "4 dead leaves pictures of 256 x 256")
        source = Photographs(folder, channels=1)
        if not len(source):
            raise InputError(f"{folder} holds no image.")
        return Unseen(source, f"{len(source)} photographs of {folder.name}")


def square(side: int) -> Image:
    """A grey picture of any size, from the photograph that ships, mirrored where it ends."""
    photo = grey(coffee())
    while min(photo.shape[2:]) < side:
        photo = _doubled(photo)
    return photo[..., :side, :side].contiguous()


def _doubled(photo: Image) -> Image:
    wide = photo.new_empty(1, 1, photo.shape[2], 2 * photo.shape[3])
    wide[..., : photo.shape[3]], wide[..., photo.shape[3] :] = photo, photo.flip(3)
    high = photo.new_empty(1, 1, 2 * photo.shape[2], wide.shape[3])
    high[:, :, : photo.shape[2]], high[:, :, photo.shape[2] :] = wide, wide.flip(2)
    return high
