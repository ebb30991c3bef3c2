"""The photograph that ships with mindl (CC0; see ``images/data/LICENSES.md``)."""

from __future__ import annotations

from pathlib import Path

from mindl.core.arrays import Image
from mindl.images.io import read

COFFEE = Path(__file__).parent / "data" / "coffee.png"


def coffee() -> Image:
    """A cup of coffee, (1, 3, 400, 600), values in [0, 1].

    >>> coffee().shape
    torch.Size([1, 3, 400, 600])
    """
    return read(COFFEE)
