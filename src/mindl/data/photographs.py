"""Image files as a source."""

from __future__ import annotations

import hashlib
import warnings

from torch import Tensor

from mindl.core.arrays import Image
from mindl.core.errors import InputError, MindlWarning
from mindl.data.cache import Cache, Memory
from mindl.data.pictures import checked_channels
from mindl.data.places import Given, find
from mindl.data.source import Source
from mindl.images import grey
from mindl.images.io import decode


class Photographs(Source):
    """Image files: of a folder and the folders in it, of a tar file, of a list. Decoded when first asked for.

    Args:
        files: a folder (every image file below it, in the order of their paths), a ``.tar`` file (nothing is
            unpacked), a text file with one path a line, a sequence of files, or places of ``split``.
        channels: 1 turns colour into grey, 3 turns grey into colour of equal channels.
        cache: where decoded images are kept: ``Memory()``, or ``Mapped(folder)`` for many large ones.

    Warns:
        MindlWarning: folders or members of a tar file were left out; ``mindl data check`` lists them.

    Raises:
        InputError: no such folder, or no image in it.

    >>> from mindl.images.photographs import COFFEE
    >>> Photographs([COFFEE]).image(0).shape
    torch.Size([1, 400, 600])
    """

    def __init__(self, files: Given, *, channels: int = 1, cache: Cache | None = None) -> None:
        if cache is not None and not isinstance(cache, Cache):
            raise InputError(f"Photographs(cache={cache!r}) must be Memory() or Mapped(folder).")
        self.channels = checked_channels(channels)
        found = find(files)
        self.places, troubles = found.places, found.troubles
        if troubles:
            name, why = next(iter(troubles.items()))
            more = f", and {len(troubles) - 1} more" if len(troubles) > 1 else ""
            warnings.warn(
                MindlWarning(f"Left out: {name} ({why}){more}. `mindl data check` lists all."), stacklevel=2
            )
        self._cache = Memory() if cache is None else cache
        self._digests: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.places)

    def name(self, index: int) -> str:
        """The file's name."""
        return self.places[index].name

    @property
    def files_count(self) -> int:
        """All of them."""
        return len(self.places)

    def image(self, index: int) -> Tensor:
        """The decoded file."""
        place = self.places[index]
        key = f"{place.name} {place.stamp} {self.channels}"
        return self._cache.get(key, lambda: _of_channels(decode(place.content(), place.name), self.channels)[0])

    @property
    def about(self) -> str:
        """How many files, and the folder's or the tar file's name."""
        homes = {place.path.name if place.member else place.path.absolute().parent.name for place in self.places}
        where = f" of {homes.pop()}" if len(homes) == 1 else ""
        return f"{len(self)} photograph{'s' if len(self) != 1 else ''}{where}"

    def digest(self, index: int) -> str:
        """A hash of the file's bytes; an unreadable one counts by its name."""
        if index not in self._digests:
            place = self.places[index]
            try:
                content = place.content()
            except (InputError, OSError):
                content = place.name.encode()
            self._digests[index] = hashlib.sha256(content).hexdigest()
        return self._digests[index]


def _of_channels(image: Image, channels: int) -> Image:
    return grey(image) if channels == 1 else image.expand(-1, 3, -1, -1)
