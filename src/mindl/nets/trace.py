r"""What a network does to an image, operation by operation: counted while it runs."""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

aten = torch.ops.aten
PADS = (aten.constant_pad_nd, aten.replication_pad2d, aten.reflection_pad2d)


@dataclass(frozen=True)
class Reach:
    """Along one axis, entry y of a tensor depends on pixels ``jump y - before`` to ``jump y + after`` at most."""

    jump: float = 1.0
    before: float = 0.0
    after: float = 0.0

    def shifted(self, entries: float) -> Reach:
        """When entry y becomes entry y + entries."""
        return Reach(self.jump, self.before + self.jump * entries, self.after - self.jump * entries)

    def window(self, before: float, after: float, stride: float = 1) -> Reach:
        """When the new entry y reads the entries from stride y - before to stride y + after."""
        j = self.jump
        return Reach(j * stride, self.before + j * before, self.after + j * after)

    def enlarged(self, factor: float, before: float, after: float) -> Reach:
        """When the new entry y reads the entries x with y - before <= factor x <= y + after."""
        j = self.jump / factor
        return Reach(j, self.before + j * before, self.after + j * after)

    def joined(self, other: Reach) -> Reach:
        """When an entry depends on both."""
        if self.jump != other.jump:
            return EVERYWHERE
        return Reach(self.jump, max(self.before, other.before), max(self.after, other.after))


EVERYWHERE = Reach(1.0, math.inf, math.inf)
Reaches = tuple[Reach, Reach]
"""Down the rows, and along the columns."""


class Trace(TorchDispatchMode):
    r"""While it is entered, watches what becomes of an image, below all modules and functions.

    - ``multiply_adds`` of convolutions (those of matrix products are few and not counted);
    - ``peak``: the largest number of floats in tensors alive at one time, the image among them, parameters and
      the workspace within an operation left out;
    - ``reach(tensor)``: how far an output looks. Exact for chains of convolutions; where paths join, or a stride
      gives pixels different windows, it is the smallest interval that holds for all. An operation that mixes
      pixels in a way that is not known here reaches everywhere.

    >>> image = torch.zeros(1, 1, 9, 9)
    >>> with torch.no_grad(), Trace(image) as trace:
    ...     result = torch.nn.functional.conv2d(image, torch.ones(2, 1, 3, 3), padding=1)
    >>> trace.multiply_adds, trace.reach(result)[0]
    (1458, Reach(jump=1.0, before=1.0, after=1.0))
    """

    def __init__(self, image: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.multiply_adds = 0
        self.peak = self._alive = 0.0
        self.coarsest = 1.0
        self._storages: set[int] = set()
        self._reaches: Any = WeakIdKeyDictionary()
        self._reaches[image] = (Reach(), Reach())
        self._keep(image)

    def reach(self, tensor: Tensor) -> Reaches:
        """How far the entries of a result look, down and along."""
        reaches: Reaches = self._reaches.get(tensor, (EVERYWHERE, EVERYWHERE))
        return reaches

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Carry out one operation, and note what it did."""
        result = function(*args, **(kwargs or {}))
        packet = function.overloadpacket
        if packet is aten.convolution:
            image, weight, transposed = args[0], args[1], args[6]
            self.multiply_adds += (image if transposed else result).numel() * weight[0].numel()
        seen = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor) and t in self._reaches]
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._keep(tensor)
                if seen:
                    self._reaches[tensor] = self._after(packet, args, seen, tensor)
                    self.coarsest = max(self.coarsest, *(r.jump for r in self._reaches[tensor]))
        return result

    def _keep(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key, floats = storage._cdata, storage.nbytes() / tensor.element_size()
        if key in self._storages:
            return
        self._storages.add(key)
        self._alive += floats
        self.peak = max(self.peak, self._alive)
        weakref.finalize(storage, self._lose, key, floats)

    def _lose(self, key: int, floats: float) -> None:
        self._storages.discard(key)
        self._alive -= floats

    def _after(self, packet: Any, args: Any, seen: Sequence[Tensor], result: Tensor) -> Reaches:
        """The reach of a result."""
        down, along = self._reaches[seen[0]]
        for other in seen[1:]:
            more = self._reaches[other]
            down, along = down.joined(more[0]), along.joined(more[1])
        if packet is aten.convolution:
            return _convolved(down, 0, args), _convolved(along, 1, args)
        if packet in PADS:
            left, _, top, _ = (*args[1], 0, 0)[:4]
            return down.shifted(top), along.shifted(left)
        if packet is aten.slice and args[0].ndim >= 2:
            axis, start, stride = (*args[1:3], 0, 0)[0], *_start(args)
            moved = [r.shifted(-start).window(0, 0, stride) for r in (down, along)]
            place = axis % args[0].ndim - args[0].ndim
            return (moved[0] if place == -2 else down), (moved[1] if place == -1 else along)
        if packet is aten.index_select and args[0] is seen[0]:
            place, index = args[1] % args[0].ndim - args[0].ndim, args[2]
            middle = len(index) // 2
            offset = middle - int(index[middle])
            return (
                down.shifted(offset) if place == -2 else down,
                along.shifted(offset) if place == -1 else along,
            )
        if packet is aten.pixel_unshuffle:
            return down.window(0, args[1] - 1, args[1]), along.window(0, args[1] - 1, args[1])
        if packet is aten.pixel_shuffle:
            return down.enlarged(args[1], args[1] - 1, 0), along.enlarged(args[1], args[1] - 1, 0)
        if result.shape[-2:] == seen[0].shape[-2:]:
            return down, along
        return EVERYWHERE, EVERYWHERE


def _convolved(reach: Reach, axis: int, args: Any) -> Reach:
    _, weight, _, strides, pads, dilations, transposed, *_ = args
    stride, pad, dilation = (each[axis % len(each)] for each in (strides, pads, dilations))
    span = dilation * (weight.shape[2 + axis] - 1)
    if transposed:
        return reach.enlarged(stride, span - pad, pad)
    return reach.window(pad, span - pad, stride)


def _start(args: Any) -> tuple[int, int]:
    """Where a slice begins, and its stride."""
    n = args[0].shape[args[1] if len(args) > 1 else 0]
    start = args[2] if len(args) > 2 and args[2] is not None else 0
    return min(start if start >= 0 else max(start + n, 0), n), args[4] if len(args) > 4 else 1
