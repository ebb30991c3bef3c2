"""The photograph, in every size that is asked for."""

from __future__ import annotations

from pathlib import Path

import torch

from mindl.app.speed.measure import Settings
from mindl.core.arrays import Image
from mindl.core.errors import InputError
from mindl.images import coffee, grey
from mindl.images.io import read

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


def photograph(settings: Settings) -> Image:
    """The grey photograph that is shipped, or the largest file of the folder that was named."""
    if settings.data is None:
        return grey(coffee())
    if not settings.data.is_dir():
        raise InputError(f"--data {settings.data} is no folder: name one that holds photographs.")
    files = [path for path in settings.data.iterdir() if path.suffix.lower() in SUFFIXES]
    if not files:
        raise InputError(f"--data {settings.data} holds no photograph ({', '.join(SUFFIXES)}).")
    return grey(read(max(sorted(files), key=_bytes)))


def sized(photo: Image, height: int, width: int) -> Image:
    """The photograph's upper left part, continued by its mirror images where it is too small.

    Details keep their size, so that solvers need about as many steps for large images as for small ones.

    >>> sized(torch.tensor([[[[1.0, 2.0, 3.0]]]]), 1, 8).flatten().tolist()
    [1.0, 2.0, 3.0, 3.0, 2.0, 1.0, 1.0, 2.0]
    """
    rows, columns = _mirrored(photo.shape[2], height), _mirrored(photo.shape[3], width)
    return photo.index_select(2, rows).index_select(3, columns)


def _mirrored(length: int, wanted: int) -> torch.Tensor:
    at = torch.arange(wanted) % (2 * length)
    return torch.where(at < length, at, 2 * length - 1 - at)


def _bytes(path: Path) -> int:
    return path.stat().st_size
