"""What one batch tells before a long training."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from mindl.core.errors import InputError, MindlError, TrainingError
from mindl.core.randomness import Purpose, generator_for
from mindl.core.reduce import inner
from mindl.data import Source
from mindl.diagnosis import Cause, Diagnosis, Symptom, causes
from mindl.learning.baseline import best_linear_filter
from mindl.learning.checks import check_arguments, check_together
from mindl.learning.learner import Learner
from mindl.learning.monitor import described
from mindl.learning.run_folder import Nowhere
from mindl.learning.schedules import Constant
from mindl.learning.targets import TargetLoss
from mindl.learning.task import Problem, Task
from mindl.learning.training import Training
from mindl.models import Candidate, Energy, Model, Variational
from mindl.neural import NeuralSolver
from mindl.neural.neural_solver import in_use
from mindl.neural.unrolled import SolverNetwork

FEW, MANY = 3, 60
"""Steps on one batch: so many show that all weights move, so many that it is learned."""

ASIDE = 1e-3
"""Weights are moved so far before their derivative is looked at."""

CHANGE = 1e-3
"""The part of the loss by which it is changed to see whether its derivative is right."""


def rehearse(net: NeuralSolver, task: Task, images: Source, training: Training | None = None) -> Diagnosis:
    """Check network, task, images and loss on the first batch; the network stays as it is.

    Asked is, on copies and with a fixed batch: whether the loss is a number and begins near that of doing nothing;
    whether its derivative is that of differences; whether all weights that are to learn have a gradient and move;
    whether an answer depends on other images of the batch; whether the target differs from what is given;
    whether the data are grey values and their images differ; whether L and its adjoint belong together (models
    of the formula); and whether the batch alone is learned within 60 steps, better than by the best linear filter.

    Args:
        net, task, images, training: as for ``fit``.

    Raises:
        InputError: as for ``fit``.

    >>> import mindl as md
    >>> net = md.neural.WitnessHead(md.nets.UNet(1, 2, widths=(4, 4)), md.neural.InUnitsOfWeight())
    >>> settings = md.learning.Training(batch=2, crop=16)
    >>> print(rehearse(net, md.learning.Denoising(), md.data.DeadLeaves(2, size=24), settings).verdict)
    Healthy: none of 9 symptoms.
    """
    given = Training() if training is None else training
    check_arguments("rehearse", net, task, images, given)
    settings = replace(given, schedule=Constant(), early_stop=None)
    check_together(net, task, images, settings, None)
    batch = settings.stream(images, task).batch(0).problems
    stage = _Stage(net, task, settings, settings.loss.shown(batch))
    found = [symptom for check in CHECKS for symptom in check(stage)]
    return Diagnosis(
        symptoms=tuple(symptom for symptom in found if not symptom.hint),
        hints=tuple(symptom for symptom in found if symptom.hint),
        judged=tuple(check.__name__.replace("_", " ") for check in CHECKS),
        missing={},
        notes=(),
        steps=0,
    )


class _Stage:
    """Network, task and one batch."""

    def __init__(self, net: NeuralSolver, task: Task, training: Training, problems: Problem) -> None:
        self._net, self.task, self.training, self.problems = net, task, training, problems

    def copy(self) -> Learner:
        """A copy that may learn."""
        try:
            copied = copy.deepcopy(self._net)
        except RuntimeError as error:
            raise InputError(
                f"{self._net.title} cannot be copied ({error}), and is checked on copies: train without check."
            ) from error
        return Learner(copied.train(), self.training)

    def loss(self, learner: Learner) -> Tensor:
        """The mean loss of the batch."""
        return learner.losses(0, self.task)(learner.net, self.problems).mean()

    @property
    def model(self) -> Model:
        """Of the batch."""
        return self.task.model(self.problems)


def _symptom(
    name: str,
    title: str,
    evidence: dict[str, float],
    why: tuple[Cause, ...],
    experiment: str,
    *,
    hint: bool = False,
) -> Symptom:
    return Symptom(
        name=name,
        title=title,
        evidence=evidence,
        curve="one batch",
        steps=(0, 0),
        confidence=0.9,
        causes=why,
        experiment=experiment,
        disproof="Another batch (another seed) does not show it.",
        hint=hint,
    )


def loss_is_a_number(stage: _Stage) -> Iterator[Symptom]:
    """And begins near that of doing nothing, which is 1."""
    learner = stage.copy()
    value = float(stage.loss(learner).detach())
    if not math.isfinite(value):
        yield _symptom(
            "loss is no number",
            "The loss of the first batch is NaN or infinite.",
            {"loss": value},
            (Cause(causes.BAD_DATA, "data that are NaN"), Cause(causes.INITIAL, "weights that are too large")),
            "Look at the batch, then at the network's answer to it.",
        )
    elif value > 3:
        yield _symptom(
            "begins far off",
            "The fresh network is much worse than doing nothing.",
            {"loss": value, "of doing nothing": 1.0},
            (
                Cause(causes.INITIAL, "large weights in the last layer"),
                Cause(causes.RANGE, "input and output in other units"),
            ),
            "Scale the last layer down by ten: the loss must come near 1.",
        )


def derivative(stage: _Stage) -> Iterator[Symptom]:
    """A short way down along the gradient, the loss falls by what the gradient says."""
    learner = stage.copy()
    weights = [w for w in learner.net.parameters() if w.requires_grad]
    generator = generator_for(0, Purpose.EXAMINATION)
    with torch.no_grad():  # a little aside: fresh weights may lie on a bound, where there is no derivative
        for weight in weights:
            weight.add_(ASIDE * torch.randn(weight.shape, generator=generator).to(weight))
    loss = stage.loss(learner)
    if not loss.requires_grad or not math.isfinite(float(loss.detach())):
        return
    found = torch.autograd.grad(loss, weights, allow_unused=True)
    gradient = [torch.zeros_like(w) if g is None else g for w, g in zip(weights, found, strict=True)]
    square = sum(float(g.double().square().sum()) for g in gradient)
    if not square > 0:
        return
    size = sum(float(w.detach().double().square().sum()) for w in weights)
    by_loss, by_weights = CHANGE * max(abs(float(loss.detach())), 1e-3) / square, CHANGE * math.sqrt(size / square)
    length = min(by_loss, by_weights)  # where there is hardly a gradient, the loss alone would ask for a long way
    # Downhill only: where a number is confined to its bound, uphill may lead nowhere.
    with torch.no_grad():
        for weight, slope in zip(weights, gradient, strict=True):
            weight.sub_(slope, alpha=length)
        ratio = float(loss.detach() - stage.loss(learner)) / (length * square)
    if not 0.5 < ratio < 2:
        yield _symptom(
            "wrong derivative",
            "The loss does not change as its gradient says.",
            {"difference over derivative": ratio},
            (Cause(causes.CUT_OFF, "a detach, or a part that is computed without derivatives"),),
            "Take parts out of loss and network until the ratio is 1.",
        )


def all_weights_move(stage: _Stage) -> Iterator[Symptom]:
    """Within a few steps on one batch."""
    learner = stage.copy()
    before = {n: w.detach().clone() for n, w in learner.net.named_parameters() if w.requires_grad}
    seen = dict.fromkeys(before, 0.0)
    try:
        for step in range(FEW):
            learner.learn(step, stage.task, stage.problems, Nowhere())
            for name, weight in learner.net.named_parameters():
                if name in seen and weight.grad is not None:
                    seen[name] = max(seen[name], float(weight.grad.abs().max()))
    except TrainingError:
        return
    blind = [name for name, largest in seen.items() if largest == 0]
    now = dict(learner.net.named_parameters())
    still = [name for name in before if name not in blind and torch.equal(before[name], now[name])]
    bounded = isinstance(learner.net, SolverNetwork) and any(part.bounded for part in learner.net.freedoms)
    for names, cause, why in (
        (blind, causes.CUT_OFF, "no gradient reaches them: unused, detached, or behind units that are off"),
        (still, causes.NOT_OPTIMISED, "they have a gradient and stay as they are"),
    ):
        if names:
            yield _symptom(
                "unmoved weights",
                f"{len(names)} of {len(before)} weights learn nothing: {', '.join(names[:3])}.",
                {"tensors": float(len(names))},
                (Cause(cause, why),),
                f"Follow {names[0]} from the network's forward to the loss.",
                hint=bounded and names is blind,  # numbers that begin on their bound may wait there for a while
            )


def images_apart(stage: _Stage) -> Iterator[Symptom]:
    """An answer does not depend on the other images of the batch, in use."""
    net, count = stage.copy().net, next(iter(stage.problems.values())).shape[0]
    if count < 2:
        return
    first = {name: value[:1] for name, value in stage.problems.items()}
    with in_use(net):
        together, alone = net(stage.model).image[:1], net(stage.task.model(first)).image
    far = 255 * float((together - alone).abs().max())
    if far > 0.5:
        yield _symptom(
            "images mixed",
            "The answer to an image depends on the others in its batch.",
            {"grey levels": far},
            (
                Cause(causes.STATISTICS, "a normalisation over the batch in use"),
                Cause(causes.PAIRS, "a reshape that mixes axes"),
            ),
            "Feed the same image alone and beside itself.",
        )


def target_differs(stage: _Stage) -> Iterator[Symptom]:
    """From what is given."""
    loss = stage.training.loss
    if not isinstance(loss, TargetLoss):
        return
    start, wanted = stage.model.start(), stage.problems[loss.needs[0]]
    far = 255 * math.sqrt(float((start - wanted).double().square().mean()))
    if far < 0.05:
        yield _symptom(
            "target is given",
            "The target is what the network is shown: it can only learn to change nothing.",
            {"difference in grey levels": far},
            (Cause(causes.TARGET_IS_INPUT, "the same tensor, or data without noise"),),
            "Subtract target and data of one problem.",
        )


def data_are_grey_values(stage: _Stage) -> Iterator[Symptom]:
    """Between 0 and 1, but for noise, and differ from each other; masks know less than most."""
    found = described(stage.problems)
    if found["spread"] > 1 or not -0.25 < found["mean"] < 1.25:
        yield _symptom(
            "wrong range",
            "The data are not grey values between 0 and 1.",
            {name: found[name] for name in ("least", "most", "mean", "spread")},
            (Cause(causes.RANGE, "0 to 255, or normalised"),),
            "Print least and largest value of one image.",
        )
    if found["distinct"] < 1:
        yield _symptom(
            "repeated data",
            "Images of the batch are the same to the last bit.",
            {"share of distinct images": found["distinct"]},
            (Cause(causes.REPEATS, "equal seeds"), Cause(causes.FEW_IMAGES, "fewer problems than places")),
            "Look at the batch.",
            hint=True,
        )
    if found.get("known", 0) > 0.5:
        yield _symptom(
            "mostly known",
            "More pixels are known than not: is the mask the right way round (True = known)?",
            {"share of known pixels": found["known"]},
            (Cause(causes.REVERSED, "1 means to be filled in other programs"),),
            "Show one mask.",
            hint=True,
        )


def adjoint(stage: _Stage) -> Iterator[Symptom]:
    """Of the model's operator: <L u, q> = <u, L^T q>."""
    model: Model = stage.model
    if not isinstance(model, Variational):
        return
    u = model.start().double()
    generator = generator_for(0, Purpose.EXAMINATION)
    field = model.operator(u)
    q = torch.randn(field.shape, generator=generator, dtype=torch.float64).to(field)
    back = model.operator.adjoint(q)
    one, other = float(inner(field, q).sum()), float(inner(u, back).sum())
    size = math.sqrt(float(field.square().sum()) * float(q.square().sum()))
    size = max(size, math.sqrt(float(u.square().sum()) * float(back.square().sum())))
    if abs(one - other) > 1e-6 * max(size, 1e-12):
        yield _symptom(
            "no adjoint",
            "The operator's adjoint is not its adjoint, so that solvers and proofs are wrong.",
            {"<L u, q>": one, "<u, L^T q>": other},
            (Cause(causes.ADJOINT, "a sign, or a border"),),
            "mindl.testing.check_operator says where.",
        )


def learns_one_batch(stage: _Stage) -> Iterator[Symptom]:
    """Within 60 steps, and better than the best linear filter."""
    learner, values = stage.copy(), list[float]()
    try:
        for step in range(MANY):
            values.append(learner.learn(0, stage.task, stage.problems, Nowhere())["loss"])
    except TrainingError:
        values.append(math.nan)
    best = min((v for v in values if math.isfinite(v)), default=math.nan)
    first, filtered = values[0], _filtered(stage)
    if not best < first - 0.02 * abs(first) and not best < filtered:
        yield _symptom(
            "does not learn one batch",
            f"In {MANY} steps on one batch the loss does not fall.",
            {"at first": first, "least": best, "best linear filter": filtered},
            (
                Cause(causes.RATE_HIGH, "steps too long"),
                Cause(causes.RATE_LOW, "or too short"),
                Cause(causes.CUT_OFF, "or the loss does not see what is learned"),
            ),
            "The same with a tenth of the rate, then with ten times it (rate_range).",
        )
    elif best > filtered:
        yield _symptom(
            "behind a linear filter",
            f"After {MANY} steps on one batch it is behind the best linear filter.",
            {"at first": first, "least": best, "best linear filter": filtered},
            (Cause(causes.RATE_LOW, "not learned enough yet"), Cause(causes.SMALL, "or it cannot do better")),
            "Ten times as many steps on one batch.",
            hint=True,
        )


def repeatable(stage: _Stage) -> Iterator[Symptom]:
    """The same batch has the same answer twice, in use."""
    net = stage.copy().net
    with in_use(net):
        far = 255 * float((net(stage.model).image - net(stage.model).image).abs().max())
    if far > 0:
        yield _symptom(
            "not repeatable",
            "The same problem has another answer the second time, in use.",
            {"grey levels": far},
            (Cause(causes.DROPOUT, "a layer that draws also in use"),),
            "Call eval() on the network, and see which layer ignores it.",
        )


def _filtered(stage: _Stage) -> float:
    """The loss of the best linear filter's answers; that of the start where nothing may be filtered."""

    class Filtered(NeuralSolver):
        accepts = Energy

        def forward(self, model: Model) -> Candidate:
            try:
                return Candidate(best_linear_filter(model).image)
            except MindlError:  # known pixels must stay as they are
                return Candidate(model.start())

    shim = Filtered(channels=None)
    training = stage.training
    generator = generator_for(training.seed, Purpose.LOSS, 0)
    try:
        with torch.no_grad():
            value = float(training.loss.of(shim, stage.task, stage.problems, generator).mean())
    except MindlError:  # a loss that wants a dual field
        return 1.0
    return value if math.isfinite(value) else 1.0


CHECKS = (
    loss_is_a_number,
    derivative,
    all_weights_move,
    images_apart,
    repeatable,
    target_differs,
    data_are_grey_values,
    adjoint,
    learns_one_batch,
)
