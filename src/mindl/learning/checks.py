"""What network, task, images, settings and validation must be for each other."""

from __future__ import annotations

from mindl.core.errors import InputError, LeakageError
from mindl.data import Source
from mindl.learning.task import Task
from mindl.learning.training import Training
from mindl.learning.validation import Validation
from mindl.neural import NeuralSolver, ReadingSolver


def check_arguments(
    call: str, net: object, task: object, images: object, training: object, validation: object = None
) -> None:
    """A sentence for every argument of another kind."""
    wanted = (
        (net, NeuralSolver, "net", "a neural solver such as WitnessHead(UNet(1, 2), InUnitsOfWeight())"),
        (task, Task, "task", "a task such as Denoising()"),
        (images, Source, "images", "a source of images: Photographs(folder), DeadLeaves(), Images(tensors)"),
        (training, Training, "training", "settings: Training(steps=..., ...)"),
        (validation, Validation | None, "validation", "a Validation(task, images), or None"),
    )
    for value, wants, name, meant in wanted:
        if not isinstance(value, wants):
            raise InputError(f"{call}({name}) needs {meant}; got {type(value).__name__}.")


def check_together(
    net: NeuralSolver, task: Task, images: Source, training: Training, validation: Validation | None
) -> None:
    """What each is may be right, and still they do not fit."""
    if net.channels is not None and images.channels != net.channels:
        raise InputError(
            f"{net.title} is for images of {net.channels} channel(s), and these have {images.channels}: make the "
            f"images with channels={net.channels}."
        )
    if images.posed_by not in (None, task.about):
        raise InputError(
            f"These problems were posed by another task, {images.posed_by}; this one is {task.about}."
        )
    if training.early_stop is not None:
        if validation is None:
            raise InputError("Training(early_stop=...) looks at examinations: give fit a validation.")
        if training.early_stop.measure == "psnr" and "clean" not in validation.problems:
            raise InputError(
                'EarlyStop(measure="psnr") needs a validation with clean images, and this one has none: '
                'measure="excess" looks at the energy.'
            )
    if not any(parameter.requires_grad for parameter in net.parameters()):
        raise InputError(f"{net.title} has nothing to learn: no parameters, or all of them are frozen.")
    if training.precision != "float32" and not isinstance(net, ReadingSolver):
        raise InputError(
            f"Training(precision={training.precision!r}) is for networks that read a model, such as WitnessHead; "
            f"the steps of {net.title} are a solver's, and keep their precision."
        )
    if validation is None or validation.seen:
        return
    seen = {part: i for i in range(len(images)) for part in images.parts(i)}
    both = sorted({images.name(seen[part]) for part in validation.parts if part in seen})
    if both:
        more = f" and {len(both) - 1} more" if len(both) > 1 else ""
        raise LeakageError(
            f"{both[0]}{more} would be trained on and validated on: keep images apart (mindl.data.split), or say "
            "Validation(..., seen=True) to see how well the training images themselves are solved."
        )
