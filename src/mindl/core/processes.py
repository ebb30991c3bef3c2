"""Several processes that train together, started by ``torchrun``: who am I, and what do all have in common."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TypeVar

from torch import Tensor, distributed

T = TypeVar("T")

_ALONE: ContextVar[bool] = ContextVar("alone", default=False)


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Join the processes that ``torchrun`` started, where it did; leave them in the end."""
    if not distributed.is_available() or distributed.is_initialized() or "TORCHELASTIC_RUN_ID" not in os.environ:
        yield
        return
    distributed.init_process_group("gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def leads() -> bool:
    """Whether this process is the one that speaks: the first that ``torchrun`` started, or the only one.

    >>> leads()
    True
    """
    return os.environ.get("RANK", "0") == "0"


def share() -> tuple[int, int]:
    """(which, of how many): this process among all; (0, 1) alone.

    >>> share()
    (0, 1)
    """
    if not _ALONE.get() and distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Within it, this process is the only one: what it computes is its own, and it waits for nobody.

    >>> with alone():
    ...     share()
    (0, 1)
    """
    token = _ALONE.set(True)
    try:
        yield
    finally:
        _ALONE.reset(token)


def mean_of_all(values: Tensor) -> Tensor:
    """The mean over all processes, the same bits in each; the values themselves alone.

    >>> import torch
    >>> mean_of_all(torch.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """
    _, count = share()
    if count == 1:
        return values
    summed = values.detach().clone()
    distributed.all_reduce(summed)
    return summed / count


def from_first(value: T) -> T:
    """What the first process holds, for all of them.

    >>> from_first("here")
    'here'
    """
    if share()[1] == 1:
        return value
    held = [value]
    distributed.broadcast_object_list(held, src=0)
    return held[0]


def gathered(value: T) -> list[T]:
    """What each process holds, in their order.

    >>> gathered("here")
    ['here']
    """
    count = share()[1]
    if count == 1:
        return [value]
    held: list[T] = [value] * count
    distributed.all_gather_object(held, value)
    return held
