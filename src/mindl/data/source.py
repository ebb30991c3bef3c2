"""Where clean images come from: files, dead leaves, tensors; a source hands out image ``i`` when asked."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from mindl.core.arrays import Image, check_image
from mindl.core.errors import InputError
from mindl.images import dead_leaves, grey, read
from mindl.images.io import READABLE, PathLike

CACHE_BYTES = 1 << 30
"""Decoded images kept in memory by one process, at most."""


class Source(ABC):
    """A numbered set of clean images of one number of channels."""

    channels: int

    @abstractmethod
    def __len__(self) -> int:
        """How many images."""

    @abstractmethod
    def name(self, index: int) -> str:
        """What messages and records call an image."""

    @property
    def files_count(self) -> int:
        """How many images come from files, which may be damaged."""
        return 0

    @abstractmethod
    def image(self, index: int) -> Tensor:
        """Image ``index``, (channel, height, width), values in [0, 1]; always the same.

        Raises:
            ImageFileError: it cannot be read.
        """

    @property
    @abstractmethod
    def about(self) -> str:
        """One line for records and cards."""

    def fingerprint(self) -> str:
        """A hash of what the source holds, for records: of names by default."""
        names = "\n".join(self.name(i) for i in range(len(self)))
        return hashlib.sha256(names.encode()).hexdigest()


class Photographs(Source):
    """Image files: a folder, or a list of files. Decoded when first asked for, and kept while memory allows.

    Args:
        files: a folder (every image file in it, in the order of names) or a list of files.
        channels: 1 turns colour into grey, 3 turns grey into colour of equal channels.

    Raises:
        InputError: no such folder, or no image in it.

    >>> from mindl.images.photographs import COFFEE
    >>> Photographs([COFFEE]).image(0).shape
    torch.Size([1, 400, 600])
    """

    def __init__(self, files: PathLike | Sequence[PathLike], *, channels: int = 1) -> None:
        self.files = _files(files)
        self.channels = _channels(channels)
        self._kept: OrderedDict[int, Tensor] = OrderedDict()

    def __len__(self) -> int:
        return len(self.files)

    def name(self, index: int) -> str:
        """The file's name."""
        return str(self.files[index])

    @property
    def files_count(self) -> int:
        """All of them."""
        return len(self.files)

    def image(self, index: int) -> Tensor:
        """The decoded file."""
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index]
        image = _of_channels(read(self.files[index]), self.channels)[0]
        self._kept[index] = image
        while len(self._kept) > 1 and sum(i.numel() * i.element_size() for i in self._kept.values()) > CACHE_BYTES:
            self._kept.popitem(last=False)
        return image

    @property
    def about(self) -> str:
        """How many files, and the folder's name."""
        folders = {file.absolute().parent.name for file in self.files}
        where = f" of {folders.pop()}" if len(folders) == 1 else ""
        return f"{len(self)} photograph{'s' if len(self) != 1 else ''}{where}"

    def fingerprint(self) -> str:
        """A hash of all bytes of all files; unreadable ones count by name."""
        whole = hashlib.sha256()
        for file in self.files:
            try:
                whole.update(hashlib.sha256(file.read_bytes()).digest())
            except OSError:
                whole.update(str(file).encode())
        return whole.hexdigest()


class DeadLeaves(Source):
    """Pictures of ``mindl.images.dead_leaves``: edges, occlusion and flat regions, free of any licence.

    >>> DeadLeaves(3, size=32, seed=5).image(2).shape
    torch.Size([1, 32, 32])
    """

    def __init__(self, count: int = 64, *, size: int = 192, seed: int = 0, channels: int = 1) -> None:
        if count < 1 or size < 1:
            raise InputError(f"DeadLeaves(count={count}, size={size}) needs at least one picture and one pixel.")
        self.count, self.size, self.seed = count, size, seed
        self.channels = _channels(channels)
        self._kept: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return self.count

    def name(self, index: int) -> str:
        """Which seed made it."""
        return f"dead leaves {self.size} x {self.size}, seed {self.seed + index}"

    def image(self, index: int) -> Tensor:
        """The picture of ``seed + index``."""
        if index not in self._kept:
            seed = self.seed + index
            self._kept[index] = dead_leaves(self.size, self.size, seed=seed, channels=self.channels)[0]
        return self._kept[index]

    @property
    def about(self) -> str:
        """How many, how large."""
        return f"{self.count} dead leaves pictures of {self.size} x {self.size}, seeds from {self.seed} on"


class Images(Source):
    """Tensors that are there already, (batch, channel, height, width) each.

    >>> import torch
    >>> len(Images([torch.zeros(2, 1, 8, 8), torch.zeros(1, 1, 9, 9)]))
    3
    """

    def __init__(self, images: Image | Sequence[Image]) -> None:
        batches = [images] if isinstance(images, Tensor) else list(images)
        if not batches:
            raise InputError("Images needs at least one tensor (batch, channel, height, width).")
        self._images = [image for batch in batches for image in check_image(batch, "Images").float()]
        kinds = {image.shape[0] for image in self._images}
        if len(kinds) > 1:
            raise InputError(
                f"Images needs one number of channels, got {sorted(kinds)}: mindl.images.grey makes 1."
            )
        self.channels = kinds.pop()

    def __len__(self) -> int:
        return len(self._images)

    def name(self, index: int) -> str:
        """Its number."""
        return f"image {index}"

    def image(self, index: int) -> Tensor:
        """The tensor."""
        found: Tensor = self._images[index]
        return found

    @property
    def about(self) -> str:
        """How many."""
        return f"{len(self)} images in memory"

    def fingerprint(self) -> str:
        """A hash of all values."""
        whole = hashlib.sha256()
        for image in self._images:
            whole.update(image.contiguous().numpy().tobytes())
        return whole.hexdigest()


class Together(Source):
    """Several sources, one after the other.

    >>> len(Together(DeadLeaves(2, size=16), DeadLeaves(3, size=16, seed=9)))
    5
    """

    def __init__(self, *sources: Source) -> None:
        if not sources or len({source.channels for source in sources}) > 1:
            raise InputError("Together needs sources of one number of channels.")
        self.sources = sources
        self.channels = sources[0].channels

    def __len__(self) -> int:
        return sum(len(source) for source in self.sources)

    @property
    def files_count(self) -> int:
        """The sum of the sources'."""
        return sum(source.files_count for source in self.sources)

    def _place(self, index: int) -> tuple[Source, int]:
        for source in self.sources:
            if index < len(source):
                return source, index
            index -= len(source)
        raise IndexError(index)

    def name(self, index: int) -> str:
        """Its name in its own source."""
        source, inside = self._place(index)
        return source.name(inside)

    def image(self, index: int) -> Tensor:
        """The image of its own source."""
        source, inside = self._place(index)
        return source.image(inside)

    @property
    def about(self) -> str:
        """All of them."""
        return "; ".join(source.about for source in self.sources)

    def fingerprint(self) -> str:
        """A hash of the sources' hashes."""
        return hashlib.sha256("".join(source.fingerprint() for source in self.sources).encode()).hexdigest()


def _files(given: PathLike | Sequence[PathLike]) -> list[Path]:
    if isinstance(given, (list, tuple)):
        found = [Path(file) for file in given]
    else:
        folder = Path(given)  # type: ignore[arg-type]
        if folder.is_file():
            raise InputError(
                f"{folder} is a file, not a folder of images: Photographs([{folder.name!r}]) takes files."
            )
        if not folder.is_dir():
            raise InputError(f"There is no folder of images {folder}.")
        found = [
            file
            for file in sorted(folder.iterdir())
            if file.suffix.lower() in READABLE and file.is_file() and not file.name.startswith(".")
        ]
        if not found:
            raise InputError(f"The folder {folder} holds no image ({', '.join(READABLE)}).")
    if not found:
        raise InputError("The list of images is empty.")
    return found


def _channels(channels: int) -> int:
    if channels not in (1, 3):
        raise InputError(f"channels={channels} must be 1 (grey) or 3 (colour).")
    return channels


def _of_channels(image: Image, channels: int) -> Image:
    return grey(image) if channels == 1 else image.expand(-1, 3, -1, -1)
