"""Weights from one network into another that is not quite the same: what fits, and what does not, by name."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mindl.core.arguments import told
from mindl.core.errors import InputError, StoreError
from mindl.neural import NeuralSolver
from mindl.store.folder import find, weights_of


@dataclass(frozen=True)
class Transfer:
    """What was taken over.

    Attributes:
        taken: tensors that were copied.
        missing: tensors of the network that the stored one does not have; they are as they were.
        extra: stored tensors that the network has no place for.
        reshaped: tensors that both have, with the stored shape and the network's; they are as they were.
    """

    taken: tuple[str, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    reshaped: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]

    @property
    def complete(self) -> bool:
        """Whether every tensor of both found its place."""
        return not (self.missing or self.extra or self.reshaped)

    def __repr__(self) -> str:
        lines = [f"{len(self.taken)} tensors taken over"]
        lines += [f"missing in what is stored: {', '.join(self.missing)}"] * bool(self.missing)
        lines += [f"without a place in the network: {', '.join(self.extra)}"] * bool(self.extra)
        shapes = [f"{name} {stored} stored, {own} in the network" for name, (stored, own) in self.reshaped.items()]
        lines += [f"of another shape: {', '.join(shapes)}"] * bool(shapes)
        return "; ".join(lines)


def transfer(net: nn.Module, source: str | os.PathLike[str] | nn.Module, *, partial: bool = False) -> Transfer:
    """Copy the weights of a stored network into one whose architecture may differ, to train it further.

    Tensors go by name. ``mindl.fit`` then goes on from them; a part that is to stay as it is gets
    ``part.requires_grad_(False)``.

    Args:
        net: is changed, if anything is copied at all.
        source: a name that ships with mindl, a model folder, or another network.
        partial: copy what fits; otherwise anything that does not is an error, and nothing is copied.

    Raises:
        StoreError: something does not fit (every missing and extra tensor is named), or nothing does; the folder
            is damaged.
        InputError: no network.

    >>> import mindl as md
    >>> network = md.nets.UNet(2, 1, widths=(16, 32, 32), blocks=3)
    >>> wider = md.neural.Direct(network, md.neural.Filled())
    >>> len(transfer(wider, "unet-harmonic", partial=True).missing) > 0
    True
    """
    if not isinstance(net, nn.Module):
        raise InputError(f"transfer(net) needs a network; got {told(net)}.")
    if not isinstance(source, nn.Module | str | os.PathLike):
        raise InputError(f"transfer(source) needs a name, a model folder or a network; got {told(source)}.")
    stored = source.state_dict() if isinstance(source, nn.Module) else weights_of(find(source))
    own = net.state_dict()
    both = [name for name in own if name in stored]
    found = Transfer(
        taken=tuple(name for name in both if own[name].shape == stored[name].shape),
        missing=tuple(name for name in own if name not in stored),
        extra=tuple(sorted(name for name in stored if name not in own)),
        reshaped={
            name: (_size(stored[name]), _size(own[name])) for name in both if own[name].shape != stored[name].shape
        },
    )
    if not found.taken or not (found.complete or partial):
        cure = "" if not found.taken else " transfer(..., partial=True) takes over what fits."
        raise StoreError(f"The weights do not fit the network: {found!r}.{cure}")
    with torch.no_grad():
        for name in found.taken:
            own[name].copy_(stored[name])
    if isinstance(net, NeuralSolver):
        net.begun_with = source.title if isinstance(source, NeuralSolver) else str(source)
    return found


def _size(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)
