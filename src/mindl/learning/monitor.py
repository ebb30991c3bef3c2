"""What is written down of a run beside its loss: looks at weights, gradients, activations and answers."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import cast

import torch
from torch import Tensor, nn

from mindl.core.arguments import whole
from mindl.core.processes import alone, share
from mindl.core.records import Row, rounded
from mindl.images import estimate_noise, psnr
from mindl.learning.answers import compared
from mindl.learning.losses import Loss, ModelLoss
from mindl.learning.run_folder import Keeper
from mindl.learning.task import Problem, Task
from mindl.learning.validation import Findings, Validation
from mindl.models import Energy
from mindl.nets.units import Units
from mindl.neural import NeuralSolver, Unrolled
from mindl.neural.neural_solver import in_use
from mindl.neural.step_profile import profile

try:
    import resource
except ImportError:  # not on POSIX: memory is not told there
    resource = None  # type: ignore[assignment]

EARLY = (1, 10, 30)
"""Steps that are looked at in any case: what is wrong at first is seen at first."""

BLOCKS = 32
"""At most so many blocks are told apart; of deeper networks neighbours are joined."""

SMALLEST = 16
"""Sides below which noise and shares of known pixels are not told."""

SHOWN = 3
"""At most so many validated images are kept as pictures."""

LOOKS, RAREST = 40, 250
"""By default about so many looks in a run, but not more often than every so many steps: that keeps them below
3 % of the time."""


@dataclass(frozen=True)
class Monitor:
    """How often a run is looked at closely.

    A look costs three to five steps, changes nothing in the run, and adds ``look`` to the line of its step:

    - ``blocks``: of each layer the norm of its gradient and of its weights, and the *update ratio*
      :math:`\\|\\Delta\\theta\\| / \\|\\theta\\|` of the step;
    - ``alpha``: where the step landed on the parabola along it: -1 = it hardly moved, 0 = at the bottom, 1 =
      as high on the other side; null where the step leads uphill at first (momentum);
    - ``signal``: the squared length of the mean gradient over the variance of this batch's;
    - ``fresh``: how far the gradient that was used is from that of this batch, relatively: 0 unless a
      training loop mixes them up;
    - ``units``: dead and saturated activations on a fixed batch; ``mode``: the loss of that batch with layers
      as in training and as in use, where they differ (batch normalisation, dropout);
    - ``seen``: how the problems of the first batch are answered (as ``answers`` of an examination says it of
      unseen ones), and the loss on them, in use; its ``psnr`` only where the loss is shown clean images;
    - ``profile``: of an unrolled solver energy, change and step sizes, step by step (``mindl.neural.profile``),
      and ``by_step``, the gradient of what is learned for each step;
    - ``batch``: mean, spread, range and noise of the data, and how many of the images differ from each other;
    - ``memory``: the largest so far, in MiB.

    Args:
        every: steps from one look to the next; None: about 40 looks a run, at least 250 steps apart. Steps
            1, 10 and 30 are looked at in any case.

    Raises:
        InputError: ``every`` below 1.

    Source: alpha: Schneider, Dangel and Hennig, "Cockpit", NeurIPS 2021; the signal-to-noise ratio of
    gradients: Liu et al., ICLR 2020; ratios of updates are folklore.

    >>> [step for step in range(1, 400) if Monitor(every=200).due(step, 400)]
    [1, 10, 30, 200]
    """

    every: int | None = None

    def __post_init__(self) -> None:
        if self.every is not None:
            whole(self.every, 1, "Monitor(every), if it is not None,")

    def due(self, step: int, steps: int) -> bool:
        """Whether step ``step`` (from 1) of so many is looked at."""
        every = max(RAREST, steps // LOOKS) if self.every is None else self.every
        return step % every == 0 or step in EARLY


Losses = Callable[[NeuralSolver, Problem], Tensor]
"""The losses of a network on some problems, with everything random as in the step itself."""


class Look:
    """A look at one step: made before the optimiser changes the weights, asked afterwards.

    Args:
        net: has its gradients.
        problems: those of the step, as the loss is shown them.
        losses: those of the network.
        scale: what the gradients must be multiplied by to be those of the loss (they may have been clipped).
    """

    def __init__(self, net: NeuralSolver, problems: Problem, losses: Losses, scale: float) -> None:
        self._net, self._problems, self._losses = net, problems, losses
        self._names = [name for name, weight in net.named_parameters() if weight.requires_grad]
        weights = [weight for weight in net.parameters() if weight.requires_grad]
        self._weights = weights
        self._used = [_or_zeros(weight.grad, weight) * scale for weight in weights]
        self._before = [weight.detach().clone() for weight in weights]
        self._fresh = self._gradient(problems)
        count = next(iter(problems.values())).shape[0]
        half = {name: value[: count // 2] for name, value in problems.items()}
        self._half = self._gradient(half) if count % 2 == 0 else None

    def row(self) -> Row:
        """What is found, once the step is done."""
        steps = [now.detach() - before for now, before in zip(self._weights, self._before, strict=True)]
        here, there = _inner(self._fresh, steps), _inner(self._gradient(self._problems), steps)
        difference = [a - b for a, b in zip(self._used, self._fresh, strict=True)]
        length = _inner(self._fresh, self._fresh)
        found: Row = {
            "alpha": -there / here if here < 0 else None,
            "fresh": (_inner(difference, difference) / length) ** 0.5 if length > 0 else None,
            "blocks": self._blocks(steps),
        }
        if self._half is not None:
            other = [2 * g - h for g, h in zip(self._fresh, self._half, strict=True)]
            apart = [h - o for h, o in zip(self._half, other, strict=True)]
            noise = 0.25 * _inner(apart, apart)
            found["signal"] = _inner(self._half, other) / noise if noise > 0 else None
        by_step = self._by_step()
        return found | ({"by_step": by_step} if by_step else {})

    def _gradient(self, problems: Problem) -> list[Tensor]:
        """Of the mean loss, at the present weights; running statistics are put back."""
        with _buffers_kept(self._net), torch.enable_grad():
            mean = self._losses(self._net, problems).mean()
            found = torch.autograd.grad(mean, self._weights, allow_unused=True)
        return [_or_zeros(g, weight) for g, weight in zip(found, self._weights, strict=True)]

    def _blocks(self, steps: list[Tensor]) -> dict[str, dict[str, float]]:
        members: dict[str, list[int]] = {}
        for i, name in enumerate(joined(self._names)):
            members.setdefault(name, []).append(i)
        found = {}
        for name, own in members.items():
            gradient, weight, step = (
                sum(_inner([values[i]], [values[i]]) for i in own) ** 0.5
                for values in (self._used, self._before, steps)
            )
            found[name] = {"gradient": gradient, "weight": weight, "update": step / weight if weight > 0 else None}
        return found

    def _by_step(self) -> list[float]:
        """The norms of the gradients of what is learned for each step of an unrolled solver."""
        if not isinstance(self._net, Unrolled) or self._net.steps < 2:
            return []
        own = {
            f"learn.{i}.{name}"
            for i, part in enumerate(self._net.freedoms)
            if not part.shared
            for name, _ in part.named_parameters()
        }
        squares = torch.zeros(self._net.steps, dtype=torch.float64)
        for name, gradient in zip(self._names, self._used, strict=True):
            if name in own and gradient.shape[0] == self._net.steps:
                squares += gradient.double().square().flatten(1).sum(1).cpu()
        return squares.sqrt().tolist() if float(squares.sum()) > 0 else []


class Instruments:
    """What looks at a run while it goes on.

    Args:
        monitor: how often.
        net: that learns.
        task, loss: of the run.
        first: the problems of its first batch, as the loss is shown them.
        steps: of the run.
    """

    def __init__(
        self,
        monitor: Monitor | None,
        net: NeuralSolver,
        task: Task,
        loss: Loss,
        first: Callable[[], Problem],
        steps: int,
    ) -> None:
        self._monitor, self._net, self._task, self._loss, self._steps = monitor, net, task, loss, steps
        self._first = first
        self._made: Problem | None = None
        self._several = share()[1] > 1

    @property
    def _probe(self) -> Problem:
        """The problems of the first batch, made once."""
        if self._made is None:
            self._made = self._first()
        return self._made

    def examined(self, validation: Validation, net: NeuralSolver, losses: Losses, keeper: Keeper) -> Row:
        """What an examination has found; without a monitor only the numbers that a run is judged by."""
        with alone():
            findings = validation(net)
            row: Row = dict(findings.row)
            if self._monitor is None:
                return row
            more = findings.more | {"batch": described(validation.problems)}
            if isinstance(self._loss, ModelLoss):
                more["terms"] = self._loss.terms(cast(Energy, validation.model), findings.candidate)
            told = validation.problems | {"solution": validation.minimiser}
            if all(name in told for name in self._loss.needs):
                with in_use(net):
                    more["loss"] = float(losses(net, self._loss.shown(told)).mean())
                    more["loss_seen"] = float(losses(net, self._probe).mean())
            self._keep(validation, findings, keeper)
            return row | {"unseen": rounded(more)}

    def _keep(self, validation: Validation, findings: Findings, keeper: Keeper) -> None:
        """Pictures of the first problems: what was given, what is wanted, the first answer and the newest."""
        last = validation.model.image_of(findings.candidate.image)
        kinds = {"solution": validation.minimiser, "first": last}
        kinds |= {name: validation.problems[name] for name in ("data", "clean") if name in validation.problems}
        shown = range(min(SHOWN, last.shape[0]))
        named = {f"{i + 1}-{name}": images[i : i + 1] for i in shown for name, images in kinds.items()}
        fresh = {name: image for name, image in named.items() if not keeper.has_image(name)}
        keeper.keep_images(fresh | {f"{i + 1}-last": last[i : i + 1] for i in shown})

    def look(self, step: int, problems: Problem, losses: Losses, scale: float) -> Look | None:
        """A look at step ``step`` (from 1), if it is due; before the optimiser's step."""
        if self._monitor is None or not self._monitor.due(step, self._steps):
            return None
        with alone():
            return Look(self._net, problems, losses, scale)

    def row(self, look: Look | None, batch: Problem, losses: Losses) -> Row:
        """What a look has found, after the optimiser's step: ``{"look": ...}``, or nothing."""
        if look is None:
            return {}
        with alone():
            found = look.row() | {"batch": described(batch), "memory": memory()}
            if self._several:  # this process knows the gradient of its share only
                del found["fresh"]
            found |= self._answers(self._probe, losses)
            if isinstance(self._net, Unrolled):
                model = self._task.model(self._probe)
                if self._net.why_not(model) is None:
                    found["profile"] = asdict(profile(self._net, model))
        return {"look": rounded(found)}

    def _answers(self, probe: Problem, losses: Losses) -> Row:
        """Of the network in use, to the problems of the first batch."""
        model = self._task.model(probe)
        with in_use(self._net), Units() as units:
            image = self._net(model).image
        target = next((probe[name] for name in ("clean", "solution") if name in probe), None)
        seen: Row = {} if target is None else compared(image, model.start(), target)
        with in_use(self._net):
            used = float(losses(self._net, probe).mean())
            seen["loss"] = used
            if "clean" in probe:
                seen["psnr"] = float(psnr(image, probe["clean"]).mean())
        found: Row = {"seen": seen}
        if units.found:
            found["units"] = {each.name: {"dead": each.dead, "saturated": each.saturated} for each in units.found}
        if any(_two_faced(module) for module in self._net.modules()):
            with _buffers_kept(self._net), torch.no_grad():
                found["mode"] = {"training": float(losses(self._net, probe).mean()), "use": used}
        return found


def described(problems: Problem) -> dict[str, float]:
    """The data of a batch in numbers; nothing where a task of one's own calls them otherwise.

    >>> found = described({"data": torch.tensor([[[[0.0, 1.0]]], [[[0.0, 1.0]]]])})
    >>> found["mean"], found["least"], found["most"], found["distinct"]
    (0.5, 0.0, 1.0, 0.5)
    """
    if "data" not in problems:
        return {}
    data = problems["data"].detach()
    known = problems.get("mask")
    values = data if known is None else data[known.expand_as(data)]
    if values.numel() == 0:
        return {}
    found = {
        "mean": float(values.mean()),
        "spread": float(values.std()) if values.numel() > 1 else 0.0,
        "least": float(values.min()),
        "most": float(values.max()),
        "distinct": len({image.numpy(force=True).tobytes() for image in data}) / data.shape[0],
    }
    if min(data.shape[2:]) < SMALLEST:
        return found  # too few pixels for a share or a scatter
    if known is not None:
        found["known"] = float(known.float().mean())
    else:
        found["noise"] = 255 * float(estimate_noise(data).median())
        if "noise" in problems:
            found["told"] = 255 * float(problems["noise"].median())
    return found


def memory() -> float:
    """The most memory that this process has had, in MiB; NaN where the system does not tell.

    >>> memory() > 10
    True
    """
    if resource is None:  # type: ignore[unreachable, unused-ignore]
        return float("nan")  # type: ignore[unreachable, unused-ignore]
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1024 if sys.platform != "darwin" else 1024 * 1024)


def joined(names: list[str], most: int = BLOCKS) -> list[str]:
    """For each parameter the block that it belongs to: its module, or one further out where these are too many.

    >>> joined(["net.0.weight", "net.0.bias", "net.1.weight"])
    ['net.0', 'net.0', 'net.1']
    >>> joined(["net.0.weight", "net.0.bias", "net.1.weight"], most=1)
    ['net', 'net', 'net']
    """
    paths = [name.split(".")[:-1] or [name] for name in names]
    depth = max((len(path) for path in paths), default=1)
    while depth > 1 and len({tuple(path[:depth]) for path in paths}) > most:
        depth -= 1
    return [".".join(path[:depth]) for path in paths]


def _two_faced(module: nn.Module) -> bool:
    """Whether a layer does something else in training than in use."""
    return isinstance(module, nn.modules.batchnorm._BatchNorm | nn.modules.dropout._DropoutNd)


def _or_zeros(gradient: Tensor | None, weight: Tensor) -> Tensor:
    return torch.zeros_like(weight) if gradient is None else gradient.detach().clone()


def _inner(one: list[Tensor], other: list[Tensor]) -> float:
    return sum(float((a.double() * b.double()).sum()) for a, b in zip(one, other, strict=True))


@contextlib.contextmanager
def _buffers_kept(net: nn.Module) -> Iterator[None]:
    """Running statistics are as they were afterwards."""
    kept = [(buffer, buffer.clone()) for buffer in net.buffers()]
    try:
        yield
    finally:
        for buffer, before in kept:
            buffer.copy_(before)
