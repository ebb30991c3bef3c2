"""Decoded images that are kept: in memory, up to a bound, or on disk, mapped into memory."""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mindl.core import arguments
from mindl.core.errors import MindlWarning, OutputError
from mindl.core.files import write_whole


class Cache(ABC):
    """Keeps decoded images under a key that changes when the file does."""

    @abstractmethod
    def get(self, key: str, decode: Callable[[], Tensor]) -> Tensor:
        """The image of a key; ``decode`` makes it where it is not kept."""


class Memory(Cache):
    """The images that were asked for last, up to a number of gigabytes in each process; 0 keeps none.

    Raises:
        InputError: less than 0.

    >>> kept = Memory(gigabytes=1)
    >>> kept.get("a", lambda: torch.ones(1, 2, 2)) is kept.get("a", lambda: torch.zeros(1, 2, 2))
    True
    """

    def __init__(self, gigabytes: float = 1.0) -> None:
        self.gigabytes = arguments.number(gigabytes, "Memory(gigabytes)", least=0)
        self._kept: OrderedDict[str, Tensor] = OrderedDict()
        self._bytes = 0

    def get(self, key: str, decode: Callable[[], Tensor]) -> Tensor:
        """The image, kept from now on; the one that was not asked for longest goes first."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        image = decode()
        self._kept[key] = image
        self._bytes += image.nbytes
        while self._kept and self._bytes > self.gigabytes * 2**30:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return image

    def __getstate__(self) -> dict[str, Any]:
        """A worker begins with none."""
        return {"gigabytes": self.gigabytes, "_kept": OrderedDict(), "_bytes": 0}


class Mapped(Cache):
    """A folder of decoded images, float32, that all processes map: only what a crop touches is read.

    For many large photographs and several workers: decoding is done once, and nothing is kept twice. It takes four
    bytes a value on disk; delete the folder when it has served.

    Args:
        folder: made if need be; its parent must exist.

    Warns:
        MindlWarning: the disk is full; what finds no room is decoded every time.

    Raises:
        OutputError: the folder cannot be made.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     Mapped(place + "/decoded").get("a", lambda: torch.ones(1, 2, 2)).sum()
    tensor(4.)
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = arguments.path(folder, "Mapped(folder)")
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(f"Cannot make the folder {folder}: {error.strerror or error}.") from error

    def get(self, key: str, decode: Callable[[], Tensor]) -> Tensor:
        """The image, mapped from its file; what is written into it stays in memory."""
        file = self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npy"
        if not file.exists():
            image = decode()
            buffer = io.BytesIO()
            np.save(buffer, image.numpy())
            try:
                write_whole(file, buffer.getvalue())
            except OutputError as error:
                told = f"{error} Images that find no room are decoded every time they are needed."
                warnings.warn(MindlWarning(told), stacklevel=2)
                return image
        try:
            return torch.from_numpy(np.load(file, mmap_mode="c", allow_pickle=False))
        except (OSError, ValueError):  # not ours, or torn: it is made again
            file.unlink(missing_ok=True)
            return decode()
