"""Batches of problems, each a pure function of (seed, epoch, index)."""

from __future__ import annotations

import contextlib
import pickle
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mindl.core.arguments import kind, whole
from mindl.core.errors import InputError, MindlError, TrainingError
from mindl.core.randomness import Purpose, generator_for
from mindl.data import Placement, Source
from mindl.data.source import size_of
from mindl.learning.task import Problem, Task


@dataclass(frozen=True)
class Batch:
    """Stacked problems, and the images that had to be left out on the way, each with the reason."""

    problems: Problem
    skipped: dict[str, str]


class Stream:
    """An endless stream of batches: batch ``k`` is the same whoever asks for it, and whenever.

    An epoch visits every image ``crops_per_image`` times in a random order. From each visit comes a square crop at
    a random place in one of its eight orientations, and from that a problem of the task. An image that cannot be
    read, or is smaller than the crop, is left out and reported; the next one of the epoch takes its place.

    Several processes that train together make a share of every batch each; the shares, one after the other, are
    the batch.

    Args:
        source: clean images.
        task: draws problems from them.
        batch: problems in a batch.
        crop: side of a crop in pixels.
        crops_per_image: crops of one image in an epoch.
        seed: of everything random.
        share: (which, of how many) parts of a batch this stream makes.

    Raises:
        InputError: a batch that cannot be shared evenly.

    >>> from mindl.data import DeadLeaves
    >>> from mindl.learning import Denoising
    >>> stream = Stream(DeadLeaves(2, size=16), Denoising(), batch=3, crop=8, crops_per_image=4, seed=1)
    >>> one, again = stream.batch(5), stream.batch(5)
    >>> torch.equal(one.problems["data"], again.problems["data"]), stream.place(5)
    (True, (1, 7))
    """

    def __init__(
        self,
        source: Source,
        task: Task,
        *,
        batch: int,
        crop: int,
        crops_per_image: int,
        seed: int,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        kind(source, Source, "Stream(source)", "a source of images such as DeadLeaves()")
        kind(task, Task, "Stream(task)", "a task such as Denoising()")
        for value, name in ((batch, "batch"), (crop, "crop"), (crops_per_image, "crops_per_image")):
            whole(value, 1, f"Stream({name})")
        which, parts = share
        if batch % parts:
            raise InputError(
                f"A batch of {batch} cannot be shared by {parts} processes: make it a multiple of them."
            )
        self.source, self.task = source, task
        self.size, self.crop, self.crops_per_image, self.seed = batch, crop, crops_per_image, seed
        self._part = range(which * (batch // parts), (which + 1) * (batch // parts))
        self._order: tuple[int, Tensor] | None = None

    @property
    def epoch_length(self) -> int:
        """Samples of one epoch."""
        return len(self.source) * self.crops_per_image

    def place(self, number: int) -> tuple[int, int]:
        """(epoch, index) of the first sample of batch ``number``."""
        return divmod(number * self.size, self.epoch_length)

    def batch(self, number: int) -> Batch:
        """Batch ``number``, or this stream's share of it.

        Raises:
            TrainingError: no image of the whole epoch can be used.
            InputError: of some images more is known than of others.
        """
        skipped: dict[str, str] = {}
        places = [divmod(number * self.size + i, self.epoch_length) for i in self._part]
        drawn = [self._problem(*place, skipped) for place in places]
        if any(problem.keys() != drawn[0].keys() for problem in drawn):
            raise InputError(
                "Images of one batch must be known alike: clean ones here, observed ones there do not go together."
            )
        return Batch({name: torch.stack([p[name] for p in drawn]) for name in drawn[0]}, skipped)

    def _problem(self, epoch: int, index: int, skipped: dict[str, str]) -> Problem:
        generator = generator_for(self.seed, Purpose.DRAW, epoch, index)
        for image in self._candidates(epoch, index):
            name = self.source.name(image)
            try:
                whole = self.source.sample(image)
            except (MindlError, OSError) as error:
                skipped[name] = str(error)
                continue
            if self.source.problems:
                return whole
            height, width = size_of(whole)
            if min(height, width) < self.crop:
                skipped[name] = f"{name}: {width} x {height} pixels are less than the crop of {self.crop}."
                continue
            placement = Placement.drawn(height, width, self.crop, generator)
            return self.task.draw(placement.of_sample(whole), generator)
        raise TrainingError("No image can be used for training:\n" + listed(skipped))

    def image_at(self, number: int) -> int:
        """The image that sample ``number`` of the stream is drawn from, if it can be used."""
        return next(self._candidates(*divmod(number, self.epoch_length)))

    def _candidates(self, epoch: int, index: int) -> Iterator[int]:
        """The image of a place in the epoch, then the following ones, each once."""
        if self._order is None or self._order[0] != epoch:
            shuffled = torch.randperm(self.epoch_length, generator=generator_for(self.seed, Purpose.ORDER, epoch))
            self._order = (epoch, shuffled % len(self.source))
        order, seen = self._order[1], set[int]()
        for offset in range(self.epoch_length):
            image = int(order[(index + offset) % self.epoch_length])
            if image not in seen:
                seen.add(image)
                yield image

    def check_workers(self, workers: int) -> None:
        """See that the stream can be sent to other processes, if there are to be any.

        Raises:
            InputError: it cannot.
        """
        try:
            if workers:
                pickle.dumps(self)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise InputError(
                f"workers={workers} needs a task and images that can be sent to another process ({error}): define "
                "functions and classes at the top level of a module, or use workers=0."
            ) from error

    def batches(self, first: int, last: int, workers: int) -> Iterator[Batch]:
        """The batches [first, last), made by ``workers`` processes beside this one (0: by this one).

        Raises:
            InputError: workers are asked for, and the task cannot be sent to another process.
        """
        if workers == 0:
            yield from (self.batch(number) for number in range(first, last))
            return
        self.check_workers(workers)
        loader = DataLoader(
            _Numbered(self),
            batch_size=None,
            sampler=range(first, last),
            num_workers=workers,
            multiprocessing_context="spawn",
            worker_init_fn=_prepare,
            generator=torch.Generator(),  # the global one is left alone
        )
        with _child_handler_kept():
            try:
                for batch in loader:
                    if isinstance(batch, MindlError):
                        raise batch
                    yield batch
            except RuntimeError as error:
                if "exited unexpectedly" not in str(error):
                    raise
                raise TrainingError(
                    "A process that makes batches ended at once: a script that trains with workers begins its "
                    'work under `if __name__ == "__main__":`, since each of them reads it again; memory, or a '
                    "class of an interactive session, are other reasons. workers=0 does without them."
                ) from error


class _Numbered(Dataset["Batch | MindlError"]):
    """The stream as what a loader wants: item ``k`` is batch ``k``, or the error that it raised."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def __getitem__(self, number: int) -> Batch | MindlError:
        try:
            return self._stream.batch(number)
        except MindlError as error:
            return error


def _prepare(_: int) -> None:
    """A worker takes one thread, and leaves Ctrl-C, which reaches the whole group, to the process that learns."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextlib.contextmanager
def _child_handler_kept() -> Iterator[None]:
    """Put back the handler for ended processes, which the loader replaces."""
    known = threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGCHLD")
    before = signal.getsignal(signal.SIGCHLD) if known else None
    try:
        yield
    finally:
        if known:
            signal.signal(signal.SIGCHLD, before)


def listed(skipped: dict[str, str], most: int = 20) -> str:
    """Images that were left out, one to a line."""
    lines = [f"  {why if name in why else f'{name}: {why}'}" for name, why in list(skipped.items())[:most]]
    if len(skipped) > most:
        lines.append(f"  and {len(skipped) - most} more")
    return "\n".join(lines)
