"""Tensors in a file with its checksum at the end: what was torn or altered is noticed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from safetensors.torch import load as unpack
from safetensors.torch import save as pack
from torch import Tensor

from mindl.core.errors import StoreError
from mindl.core.files import write_whole

_SEAL = 64
"""Characters of a SHA-256."""


def write_sealed(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write named tensors, safetensors followed by its SHA-256, whole or not at all.

    Raises:
        OutputError: the system could not write.
    """
    content = pack({name: tensor.contiguous() for name, tensor in tensors.items()})
    write_whole(path, content + hashlib.sha256(content).hexdigest().encode())


def read_sealed(path: Path, what: str, cure: str) -> dict[str, Tensor]:
    """The tensors that were written.

    Args:
        path: the file.
        what: what messages call it.
        cure: what to do where it is damaged.

    Raises:
        StoreError: it cannot be read, or is not what was written.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StoreError(f"The {what} {path} cannot be read: {error.strerror or error}.") from error
    if hashlib.sha256(content[:-_SEAL]).hexdigest().encode() != content[-_SEAL:]:
        raise StoreError(f"The {what} {path} is damaged (its checksum differs): {cure}.")
    return unpack(content[:-_SEAL])
