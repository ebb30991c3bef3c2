"""How sweeps are compiled and called.

``part`` marks what is inlined into sweeps, ``sweep`` what is called from outside. The machine code of a sweep is
kept beside the source (or in the user's cache folder), and is made anew when its file changes: parts that sweeps
share live in files that rarely do.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
from numba.core import event

Function = TypeVar("Function", bound=Callable[..., Any])
Array = npt.NDArray[np.floating[Any]]
Flags = npt.NDArray[np.bool_]

LOCK = threading.RLock()
"""One sweep at a time: not every threading layer of Numba may be entered twice, and a sweep uses all cores."""

LOGGER = logging.getLogger("mindl.kernels")

OPTIONS = {"nogil": True, "error_model": "numpy"}


def part(function: Function) -> Function:
    """A piece of a sweep."""
    return cast(Function, numba.njit(**OPTIONS)(function))


def sweep(function: Function) -> Function:
    """A sweep on all cores, compiled at its first call and kept on disk where there is a place to write."""
    try:
        made = numba.njit(parallel=True, cache=True, **OPTIONS)(function)
    except RuntimeError:  # no folder for the cache can be written
        made = numba.njit(parallel=True, **OPTIONS)(function)
    return cast(Function, made)


class _Notice(event.Listener):  # type: ignore[misc]
    """Says once that sweeps are being compiled, which takes seconds."""

    told = False

    def on_start(self, event: Any) -> None:
        if not _Notice.told:
            _Notice.told = True
            LOGGER.warning("mindl compiles its kernels for this computer: some seconds for each, only once.")

    def on_end(self, event: Any) -> None:
        pass


event.register("numba:compile", _Notice())


def run(function: Callable[..., Any], threads: int, *arguments: Any) -> Any:
    """Call a sweep with a number of threads."""
    with LOCK:
        numba.set_num_threads(max(1, min(threads, numba.config.NUMBA_NUM_THREADS)))
        try:
            return function(*arguments)
        except OSError:  # a full disk: the code is compiled all the same, and was not yet run
            return function(*arguments)


def bands(height: int, threads: int, overlap: int) -> int:
    """Into how many bands of rows an image is cut: one for each thread, of at least ``overlap`` rows."""
    return max(1, min(threads, height // max(overlap, 1)))


CACHE = 1 << 21
"""Bytes that the rows of several steps may take together: a core's own cache, and a share of the common one."""


def depth(bytes_of_a_row: int) -> int:
    """How many steps, each a row behind the one before, may follow each other within the cache."""
    return max(1, min(16, CACHE // max(bytes_of_a_row, 1) - 2))


@part
def row_range(phase: int, band: int, bands: int, top: int, bottom: int, t: int) -> tuple[int, int, int]:
    """Which rows step t computes: the first one, the end of the dual field's, the end of the image's.

    Within a band (phase 0) each step recedes by a row from ends inside the image; phase 1 fills in around ``top``.
    """
    if phase == 1:
        return top - t - 1, top + t, top + t + 1
    first = top + t if band > 0 else top
    end = bottom - t - 1 if band < bands - 1 else bottom
    return first, end, end


@part
def copied(source: Array, target: Array) -> None:
    """A row of a field, (channel, component, width), into another; an assignment takes seconds to compile."""
    for c in range(source.shape[0]):
        for k in range(source.shape[1]):
            for j in range(source.shape[2]):
                target[c, k, j] = source[c, k, j]
