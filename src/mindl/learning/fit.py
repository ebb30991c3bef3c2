"""The training loop."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from mindl.core.errors import InputError, OutputError, TrainingError
from mindl.core.randomness import Purpose, global_draws_from
from mindl.core.records import Row
from mindl.data.source import Source
from mindl.learning.average import Average
from mindl.learning.run_folder import Checkpoint, Keeper, Nowhere, RunFolder
from mindl.learning.stream import Batch, Stream, listed
from mindl.learning.task import Task
from mindl.learning.training import Training
from mindl.learning.validation import Validation
from mindl.neural import NeuralSolver
from mindl.store.folder import save, storable

TOLERATED = 10
"""One image in so many may be left out before a run stops (and one in any case)."""


class TrainingWatch(Protocol):
    """Looks on while a network learns."""

    def stepped(self, row: Row, steps: int) -> None:
        """A step is done; ``row`` is its line of the record, ``steps`` how many there will be."""

    def skipped(self, name: str, why: str) -> None:
        """An image was left out, the first time."""


class Unwatched:
    """Nobody looks on."""

    def stepped(self, row: Row, steps: int) -> None:
        """Nothing."""

    def skipped(self, name: str, why: str) -> None:
        """Nothing."""


@dataclass(frozen=True, eq=False)
class Run:
    """What a training run leaves.

    Attributes:
        net: the trained network (the running average of its weights).
        steps: steps done in all; fewer than asked for after an interruption.
        finished: whether all steps were done.
        record: one row for each step, also of those before it was resumed.
        skipped: images that were left out in them, and why.
        folder: where it is on disk, if anywhere.
    """

    net: NeuralSolver
    steps: int
    finished: bool
    record: list[Row]
    skipped: dict[str, str]
    folder: Path | None

    def __repr__(self) -> str:
        state = "finished" if self.finished else "interrupted"
        last = next((row for row in reversed(self.record) if "excess" in row), None)
        found = "" if last is None else f", energy excess {last['excess']:.2%}"
        return f"<training of {self.net!r}: {self.steps} steps, {state}{found}>"


def fit(
    net: NeuralSolver,
    task: Task,
    images: Source,
    training: Training | None = None,
    *,
    validation: Validation | None = None,
    folder: str | os.PathLike[str] | None = None,
    resume: bool = False,
    watch: TrainingWatch | None = None,
) -> Run:
    """Train a network to solve the models that a task draws.

    Every random number is a pure function of the seed, the epoch and the sample's index. So the batches do not
    depend on the number of workers, and a run that was broken off (Ctrl-C, a crash, a power cut), also in the
    middle of an epoch, goes on from its last checkpoint to the same bits as an undisturbed one, on the same
    machine with the same number of threads. Ctrl-C ends the step, keeps a checkpoint and returns.

    Args:
        net: learns in place; afterwards it holds the averaged weights.
        task: draws problems and makes models of them.
        images: clean images.
        training: all settings.
        validation: examines the network every ``training.check_every`` steps.
        folder: of the run; None keeps nothing on disk.
        resume: go on with the run that is in the folder. A finished one is returned as it is.
        watch: who looks on.

    Raises:
        TrainingError: the loss or its gradient is NaN or infinite (the batch and the last good checkpoint
            are kept), or too many images cannot be used (those found so far are listed).
        InputError: the folder holds another run.
        OutputError: the disk is full; the checkpoint before is kept.

    >>> import mindl as md
    >>> net = md.neural.WitnessHead(md.nets.UNet(1, 2, widths=(4, 4)), md.neural.InUnitsOfWeight())
    >>> leaves = md.data.DeadLeaves(2, size=24)
    >>> settings = md.learning.Training(steps=3, batch=2, crop=16)
    >>> md.fit(net, md.learning.Denoising(), leaves, settings)
    <training of WitnessHead (UNet, 1,138 parameters): 3 steps, finished>
    """
    training, watch = Training() if training is None else training, watch or Unwatched()
    _check_arguments(net, task, images, training, validation)
    if resume and folder is None:
        raise InputError("fit(resume=True) goes on with the run of a folder: name it by folder=.")
    if net.channels is not None and images.channels != net.channels:
        raise InputError(
            f"{net.title} is for images of {net.channels} channel(s), and these have {images.channels}: make the "
            f"images with channels={net.channels}."
        )
    stream = Stream(
        images,
        task,
        batch=training.batch,
        crop=training.crop,
        crops_per_image=training.crops_per_image,
        seed=training.seed,
    )
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(1)  # a worker reads the script again, which has no `if __name__ == "__main__":`
    if training.steps:
        net.check(task.model(stream.batch(0).problems))  # what cannot be trained leaves no folder behind
    if folder is None:
        return _train(net, task, stream, training, validation, Nowhere(), watch)
    keeper = RunFolder(folder, describe(net, task, images, training, validation), resume=resume)
    with contextlib.closing(keeper):
        run = _train(net, task, stream, training, validation, keeper, watch)
        if run.finished and storable(net):
            examined = [row for row in run.record if "excess" in row]
            save(net, keeper.folder / "model", record=examined, overwrite=True)
    return replace(run, folder=keeper.folder)


def _train(
    net: NeuralSolver,
    task: Task,
    stream: Stream,
    training: Training,
    validation: Validation | None,
    keeper: Keeper,
    watch: TrainingWatch,
) -> Run:
    """The loop: draw, learn, write down, keep."""
    learner = _Learner(net, training)
    done, record = _resumed(learner, keeper)
    skipped: dict[str, str] = {}
    for row in record:
        skipped |= row.get("skipped", {})
    net.train()
    with _Interrupt() as interrupt:
        clock = time.perf_counter()
        for step, batch in enumerate(stream.batches(done, training.steps, training.workers), start=done):
            fresh = _count(batch, skipped, stream.source, watch)
            waited = time.perf_counter() - clock
            row = learner.learn(step, task, batch.problems, keeper)
            row |= {"epoch": stream.place(step)[0], "waited": waited}
            if fresh:
                row["skipped"] = fresh
            done = step + 1
            due = done % training.check_every == 0 or done == training.steps
            if due and validation is not None:
                row |= validation(learner.mean).row
            row["seconds"] = time.perf_counter() - clock
            clock = time.perf_counter()
            record.append(row)
            keeper.add(row)
            if due:
                keeper.keep(learner.state(done))
            watch.stepped(row, training.steps)
            if interrupt.asked:
                keeper.keep(learner.state(done))
                break
    learner.finish()
    net.trained = task.range
    return Run(net, done, done >= training.steps, record, skipped, None)


def _resumed(learner: _Learner, keeper: Keeper) -> tuple[int, list[Row]]:
    """The steps that are done, and their record; a first state is kept where none is."""
    last = keeper.last()
    if last is None:
        keeper.keep(learner.state(0))
        return 0, []
    learner.restore(last)
    return last.step, keeper.rows()


def _check_arguments(net: object, task: object, images: object, training: object, validation: object) -> None:
    """A sentence for every argument of another kind."""
    wanted = (
        (net, NeuralSolver, "net", "a neural solver such as WitnessHead(UNet(1, 2), InUnitsOfWeight())"),
        (task, Task, "task", "a task such as Denoising()"),
        (images, Source, "images", "a source of images: Photographs(folder), DeadLeaves(), Images(tensors)"),
        (training, Training, "training", "settings: Training(steps=..., ...)"),
        (validation, Validation | None, "validation", "a Validation(task, images), or None"),
    )
    for value, kind, name, meant in wanted:
        if not isinstance(value, kind):
            raise InputError(f"fit({name}) needs {meant}; got {type(value).__name__}.")


class _Learner:
    """Network, optimiser and average: what changes with a step."""

    def __init__(self, net: NeuralSolver, training: Training) -> None:
        self.net, self.training = net, training
        self.optimiser = training.optimiser.build(net.parameters())
        self.average = Average(net, training.average)

    @property
    def mean(self) -> NeuralSolver:
        """The network with the averaged weights."""
        return self.average.net  # type: ignore[return-value]

    def learn(self, step: int, task: Task, problems: dict[str, Tensor], keeper: Keeper) -> Row:
        """One step on one batch; its line of the record."""
        training = self.training
        rate = training.optimiser.rate * training.schedule.factor(step, training.steps)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        model = task.model(problems)
        with global_draws_from(training.seed, Purpose.LAYERS, step):  # dropout and the like
            mean = training.loss(model, self.net(model)).mean()
        self.optimiser.zero_grad(set_to_none=True)
        if not mean.requires_grad:
            raise InputError(
                f"The loss does not depend on the network: {model.title}.energy(u) must be computed from u "
                "itself, without detach, numpy or no_grad."
            )
        mean.backward()  # type: ignore[no-untyped-call]
        norm = float(nn.utils.clip_grad_norm_(self.net.parameters(), training.clip or math.inf))
        loss = float(mean.detach())
        if not math.isfinite(loss) or not math.isfinite(norm):
            kept = _kept_batch(keeper, problems, step)
            raise TrainingError(
                f"The loss of step {step + 1} is {loss:g} and its gradient's norm {norm:g}: "
                f"the training stops. {kept}. Begin anew: a new network, a new folder, a "
                "smaller rate; an energy of one's own may divide by 0."
            )
        self.optimiser.step()
        self.average.update(step)
        return {"step": step + 1, "loss": loss, "gradient": norm, "rate": rate}

    def state(self, step: int) -> Checkpoint:
        """All tensors, by name."""
        tensors = {f"net.{k}": v for k, v in self.net.state_dict().items()}
        if self.average.decay is not None:
            tensors |= {f"mean.{k}": v for k, v in self.average.net.state_dict().items()}
        for number, entries in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{name}": value for name, value in entries.items()}
        for name, value in tensors.items():
            if not bool(torch.isfinite(value).all()):
                raise TrainingError(
                    f"After step {step} {name} is NaN or infinite: the training stops, and the checkpoint before "
                    "is kept. Begin anew in a new folder with a smaller learning rate."
                )
        return Checkpoint(step, {k: v.detach().cpu().contiguous() for k, v in tensors.items()})

    def restore(self, checkpoint: Checkpoint) -> None:
        """Put the tensors back."""
        named = checkpoint.tensors
        self.net.load_state_dict(_part(named, "net."))
        if self.average.decay is not None:
            self.average.net.load_state_dict(_part(named, "mean."))
        weights = list(self.net.parameters())
        moments: dict[int, dict[str, Any]] = {}
        for name, value in _part(named, "optimiser.").items():
            number, _, entry = name.partition(".")
            if value.ndim:  # laid out as the weights are: the same numbers in another order may round otherwise
                value = torch.empty_like(weights[int(number)]).copy_(value)
            moments.setdefault(int(number), {})[entry] = value
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": moments, "param_groups": groups})

    def finish(self) -> None:
        """Hand the averaged weights to the network."""
        self.net.load_state_dict(self.average.net.state_dict())
        self.net.eval()


def describe(
    net: NeuralSolver, task: Task, images: Source, training: Training, validation: Validation | None
) -> dict[str, Any]:
    """What the result of a run depends on, as its folder keeps it."""
    return {
        "mindl": version("mindl"),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "net": {"kind": repr(net), "reading": repr(getattr(net, "reading", None)), "shapes": _shapes(net)},
        "task": task.about,
        "images": {"about": images.about, "sha256": images.fingerprint()},
        "training": training.config,
        "validation": None if validation is None else validation.config,
    }


def _shapes(net: nn.Module) -> dict[str, list[int]]:
    return {name: list(tensor.shape) for name, tensor in net.state_dict().items()}


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _count(batch: Batch, skipped: dict[str, str], images: Source, watch: TrainingWatch) -> dict[str, str]:
    """Remember what was left out, and return what is new; stop where it is too much of what comes from files."""
    fresh = {name: why for name, why in batch.skipped.items() if name not in skipped}
    skipped |= fresh
    for name, why in fresh.items():
        watch.skipped(name, why)
    count = images.files_count or len(images)
    allowed = min(max(1, count // TOLERATED), count - 1)
    if len(skipped) > allowed:
        raise TrainingError(
            f"{len(skipped)} of {count} images cannot be used so far, more than the {allowed} that may be:\n"
            f"{listed(skipped)}\nRemove or mend these and others like them, and begin again."
        )
    return fresh


def _kept_batch(keeper: Keeper, problems: dict[str, Tensor], step: int) -> str:
    try:
        return keeper.keep_batch(problems, step)
    except OutputError as error:
        return f"The batch could not be kept ({error})"


class _Interrupt:
    """Turns the first Ctrl-C into a wish that the loop reads; the second one stops at once."""

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> _Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._ask)
        return self

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
