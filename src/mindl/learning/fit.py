"""The training loop."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
import warnings
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from mindl.core import processes
from mindl.core.arguments import kind, told
from mindl.core.errors import InputError, MindlWarning, TrainingError
from mindl.core.randomness import Purpose, generator_for
from mindl.core.records import Row
from mindl.data import Source
from mindl.learning.checks import check_arguments, check_together
from mindl.learning.interrupt import Interrupt
from mindl.learning.learner import Learner
from mindl.learning.monitor import Instruments, Monitor
from mindl.learning.rehearsal import rehearse
from mindl.learning.run_folder import Keeper, Nowhere, RunFolder, check_place
from mindl.learning.stream import Stream, listed
from mindl.learning.task import Task
from mindl.learning.training import Training
from mindl.learning.validation import Validation
from mindl.neural import NeuralSolver
from mindl.neural.neural_solver import in_use
from mindl.store.folder import save, storable

TOLERATED = 10
"""One image in so many may be left out before a run stops (and one in any case)."""


EVERY_NOW_AND_THEN = Monitor()


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
        config: network, task and settings, as the folder of a run keeps them.
    """

    net: NeuralSolver
    steps: int
    finished: bool
    record: list[Row]
    skipped: dict[str, str]
    folder: Path | None
    config: dict[str, Any]

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
    monitor: Monitor | None = EVERY_NOW_AND_THEN,
    check: bool = False,
) -> Run:
    """Train a network to solve the models that a task draws.

    Every random number is a pure function of the seed, the epoch and the sample's index. So the batches do not
    depend on the number of workers, and a run that was broken off (Ctrl-C, a crash, a power cut), also in the
    middle of an epoch, goes on from its last checkpoint to the same bits as an undisturbed one, on the same
    machine with the same number of threads. Ctrl-C ends the step, keeps a checkpoint and returns.

    Of a problem the loss, the model and the network see what the training approach needs, and no more: clean
    images only where the loss is ``SupervisedLoss``.

    Under ``torchrun --nproc-per-node N script.py`` the N processes make and learn from a share of every batch
    each; the batches together, and the gradient up to rounding, are those of one process. The first one validates,
    reports and writes. (Statistics of a batch normalisation are those of the first process's share.)

    Args:
        net: learns in place; afterwards it holds the averaged weights.
        task: draws problems and makes models of them.
        images: clean images.
        training: all settings.
        validation: examines the network every ``training.check_every`` steps.
        folder: of the run; None keeps nothing on disk.
        resume: go on with the run that is in the folder. A finished one is returned as it is.
        watch: who looks on.
        monitor: how often the record tells more than loss and rate; None: never. It changes nothing in the run.
        check: see first what one batch tells (``mindl.learning.rehearse``), and begin only if it is healthy. Runs
            that are gone on with are not checked again.

    Raises:
        TrainingError: the loss or its gradient is NaN or infinite (the batch and the last good checkpoint
            are kept), too many images cannot be used (those found so far are listed), or the check has found
            something.
        InputError: the folder holds another run; or something that does not go together.
        LeakageError: images that are trained on are validated on, too.
        OutputError: the disk is full; the checkpoint before is kept.

    >>> import mindl as md
    >>> net = md.neural.WitnessHead(md.nets.UNet(1, 2, widths=(4, 4)), md.neural.InUnitsOfWeight())
    >>> leaves = md.data.DeadLeaves(2, size=24)
    >>> settings = md.learning.Training(steps=3, batch=2, crop=16)
    >>> md.fit(net, md.learning.Denoising(), leaves, settings)
    <training of WitnessHead (UNet, 1,138 parameters): 3 steps, finished>
    """
    training, watch = Training() if training is None else training, Unwatched() if watch is None else watch
    check_arguments("fit", net, task, images, training, validation)
    if not all(callable(getattr(watch, name, None)) for name in ("stepped", "skipped")):
        raise InputError(
            f"fit(watch) needs an object with stepped(row, steps) and skipped(name, why); got {told(watch)}."
        )
    if resume and folder is None:
        raise InputError("fit(resume=True) goes on with the run of a folder: name it by folder=.")
    if folder is not None:
        check_place(folder, resume=resume)
    check_together(net, task, images, training, validation)
    if check and not (resume and folder is not None and (Path(folder) / "config.json").exists()):
        found = rehearse(net, task, images, training)
        if not found.healthy:
            why = "\n\n".join(map(str, found.symptoms))
            raise TrainingError(f"The first batch speaks against this training, and nothing was begun.\n\n{why}")
    kind(monitor, Monitor | None, "fit(monitor)", "a Monitor(), or None")
    with processes.joined():
        return _fitted(net, task, images, training, validation, folder, resume, watch, monitor)


def _fitted(
    net: NeuralSolver,
    task: Task,
    images: Source,
    training: Training,
    validation: Validation | None,
    folder: str | os.PathLike[str] | None,
    resume: bool,
    watch: TrainingWatch,
    monitor: Monitor | None,
) -> Run:
    stream = training.stream(images, task, processes.share())
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(1)  # a worker reads the script again, which has no `if __name__ == "__main__":`
    if training.steps:  # what cannot be trained leaves no folder behind
        _rehearse(net, task, stream, training, validation)
    if folder is None or processes.share()[0] > 0:
        return _train(net, task, stream, training, validation, Nowhere(), watch, monitor)
    digest = {"images": {"about": images.about, "sha256": images.fingerprint()}}
    keeper = RunFolder(folder, describe(net, task, training, validation) | digest, resume=resume)
    with contextlib.closing(keeper):
        run = _train(net, task, stream, training, validation, keeper, watch, monitor)
        if run.finished and storable(net):
            examined = [row for row in run.record if "excess" in row]
            save(net, keeper.folder / "model", record=examined, overwrite=True)
        elif run.finished:
            warnings.warn(
                MindlWarning(
                    f"{net.title} is not made of parts that mindl can store: {keeper.folder} holds no model/. "
                    "Keep its weights by safetensors.torch.save_file(net.state_dict(), path)."
                ),
                stacklevel=4,
            )
    return replace(run, folder=keeper.folder)


def _rehearse(
    net: NeuralSolver, task: Task, stream: Stream, training: Training, validation: Validation | None
) -> None:
    """Pose the first problems, and ask network and loss once: what does not go together says so here."""
    problems = training.loss.shown(stream.batch(0).problems)
    stream.check_workers(training.workers)
    net.check(task.model(problems))
    if validation is not None:
        net.check(validation.model)
    with in_use(net):
        training.loss.of(net, task, problems, generator_for(training.seed, Purpose.LOSS))


def _train(
    net: NeuralSolver,
    task: Task,
    stream: Stream,
    training: Training,
    validation: Validation | None,
    keeper: Keeper,
    watch: TrainingWatch,
    monitor: Monitor | None,
) -> Run:
    """The loop: draw, learn, write down, keep."""
    learner, early, first = Learner(net, training), training.early_stop, processes.share()[0] == 0
    instruments = Instruments(
        monitor if first else None,
        net,
        task,
        training.loss,
        lambda: training.loss.shown(stream.batch(0).problems),
        training.steps,
    )
    done, record = _resumed(learner, keeper)
    skipped: dict[str, str] = {}
    for row in record:
        skipped |= row.get("skipped", {})
    over = early is not None and early.over(record)
    net.train()
    with Interrupt() as interrupt:
        clock = time.perf_counter()
        last = done if over else training.steps
        for step, batch in enumerate(stream.batches(done, last, training.workers), start=done):
            left_out, asked = _of_all(batch.skipped, interrupt.asked)
            fresh = _count(left_out, skipped, stream.source, watch)
            waited = time.perf_counter() - clock
            row = learner.learn(step, task, batch.problems, keeper, instruments)
            row |= {"epoch": stream.place(step)[0], "waited": waited}
            if fresh:
                row["skipped"] = fresh
            done = step + 1
            due = done % training.check_every == 0 or done == training.steps
            if due and validation is not None:
                losses = learner.losses(step, task)
                found = instruments.examined(validation, learner.mean, losses, keeper) if first else {}
                row |= processes.from_first(found)
            row["seconds"] = time.perf_counter() - clock
            record.append(row)
            keeper.add(row)
            if early is not None and early.best(record) == len(record) - 1:
                learner.remember()
            over = early is not None and early.over(record)
            if due or asked:
                keeper.keep(learner.state(done))
            watch.stepped(row, training.steps)
            if asked or over:
                break
            clock = time.perf_counter()  # what is written and shown is no waiting for data
    learner.finish()
    if done:
        known = task.range_on(stream.source.noise)
        net.trained = replace(known, model=None) if training.loss.learns_images else known
    config = describe(net, task, training, validation)
    return Run(net, done, over or done >= training.steps, record, skipped, None, config)


def _resumed(learner: Learner, keeper: Keeper) -> tuple[int, list[Row]]:
    """The steps that are done, and their record; a first state is kept where none is."""
    last, record = processes.from_first((keeper.last(), keeper.rows()))
    if last is None:
        last, record = processes.from_first((learner.state(0), []))
        keeper.keep(last)
    learner.restore(last)
    return last.step, record


def _of_all(skipped: dict[str, str], asked: bool) -> tuple[dict[str, str], bool]:
    """What was left out by any process, and whether any of them is to end."""
    told = processes.gathered((skipped, asked))
    return {name: why for found, _ in told for name, why in found.items()}, any(asked for _, asked in told)


def describe(net: NeuralSolver, task: Task, training: Training, validation: Validation | None) -> dict[str, Any]:
    """What the result of a run depends on beside its images, as its folder keeps it."""
    return {
        "mindl": version("mindl"),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "processes": processes.share()[1],
        "net": {
            "kind": repr(net),
            "reading": repr(getattr(net, "reading", None)),
            "shapes": _shapes(net),
            "frozen": [name for name, parameter in net.named_parameters() if not parameter.requires_grad],
            "begun_with": net.begun_with,
        },
        "task": task.about,
        "training": training.config,
        "validation": None if validation is None else validation.config,
    }


def _shapes(net: nn.Module) -> dict[str, list[int]]:
    return {name: list(tensor.shape) for name, tensor in net.state_dict().items()}


def _count(found: dict[str, str], skipped: dict[str, str], images: Source, watch: TrainingWatch) -> dict[str, str]:
    """Remember what was left out, and return what is new; stop where it is too much of what comes from files."""
    fresh = {name: why for name, why in found.items() if name not in skipped}
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
