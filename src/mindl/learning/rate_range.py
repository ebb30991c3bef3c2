"""The learning-rate range test: one short sweep that says where rates are too small and too large."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

from mindl.core.arguments import number, whole
from mindl.core.errors import InputError, TrainingError
from mindl.data import Source
from mindl.learning.checks import check_arguments, check_together
from mindl.learning.learner import Learner
from mindl.learning.run_folder import Nowhere
from mindl.learning.schedules import Geometric
from mindl.learning.task import Task
from mindl.learning.training import Training
from mindl.neural import NeuralSolver

SMOOTHING = 0.9
"""Weight of the past in the running mean of losses."""

DIVERGED = 4.0
"""The sweep ends when the smoothed loss has risen to so many times its least value."""


@dataclass(frozen=True)
class RateRange:
    """What the sweep found.

    Attributes:
        rates: learning rates that were tried, rising by equal factors.
        losses: running means of the loss after the step with each.
        steepest: the rate at which the loss fell fastest with the logarithm of the rate: a good one to train with.
        largest: the rate at which the loss was least; above it, it rises again.
        diverged: whether the sweep ended because the loss rose out of bounds.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    steepest: float
    largest: float
    diverged: bool

    def __repr__(self) -> str:
        end = f"diverged at {self.rates[-1]:.2g}" if self.diverged else f"no divergence up to {self.rates[-1]:.2g}"
        return (
            f"<learning rates: steepest descent at {self.steepest:.2g}, least loss at {self.largest:.2g}, {end}>"
        )


def rate_range(
    net: NeuralSolver,
    task: Task,
    images: Source,
    training: Training | None = None,
    *,
    smallest: float = 1e-6,
    largest: float = 1.0,
    steps: int = 100,
) -> RateRange:
    """Train a copy of the network for a few steps with a learning rate that rises from very small to too large.

    Args:
        net: stays as it is.
        task, images: as for ``fit``.
        training: settings; its optimiser, loss, batch and clip are used. Clipping hides divergence of SGD.
        smallest, largest: rates to begin and to end with.
        steps: of the sweep.

    Raises:
        InputError: rates out of order, or less than 10 steps; and as for ``fit``.

    Source: Smith, WACV 2017.

    >>> import mindl as md
    >>> net = md.neural.WitnessHead(md.nets.UNet(1, 2, widths=(4, 4)), md.neural.InUnitsOfWeight())
    >>> settings = Training(batch=2, crop=16)
    >>> found = rate_range(net, md.learning.Denoising(), md.data.DeadLeaves(2, size=24), settings, steps=20)
    >>> len(found.rates) <= 20, found.steepest <= found.rates[-1]
    (True, True)
    """
    base = Training() if training is None else training
    check_arguments("rate_range", net, task, images, base)
    number(smallest, "rate_range(smallest)", above=0, below=number(largest, "rate_range(largest)", above=0))
    whole(steps, 10, "rate_range(steps)")
    check_together(net, task, images, base, None)
    optimiser = replace(base.optimiser, rate=smallest)
    sweep = replace(base, optimiser=optimiser, schedule=Geometric(largest / smallest), steps=steps, average=None)
    stream = base.stream(images, task)
    learner = Learner(copy.deepcopy(net).train(), sweep)
    rates: list[float] = []
    losses: list[float] = []
    mean, diverged = 0.0, False
    for step, batch in enumerate(stream.batches(0, steps, 0)):
        try:
            row = learner.learn(step, task, batch.problems, Nowhere())
        except TrainingError:  # NaN or infinite
            diverged = True
            break
        mean = SMOOTHING * mean + (1 - SMOOTHING) * row["loss"]
        rates.append(row["rate"])
        losses.append(mean / (1 - SMOOTHING ** (step + 1)))
        if losses[-1] > DIVERGED * min(losses):
            diverged = True
            break
    if len(rates) < 2:
        raise InputError(f"The loss is no number from the first rate on, {smallest:g}: begin with a smaller one.")
    least = min(range(len(losses)), key=losses.__getitem__)
    falls = [losses[i + 1] - losses[i] for i in range(max(1, least))]
    steepest = min(range(len(falls)), key=falls.__getitem__)
    return RateRange(tuple(rates), tuple(losses), rates[steepest], rates[least], diverged)
