"""Faults: each turns a healthy run into a faulty one, and says what a diagnosis may call it.

What is acceptable was fixed here before any rule was written. Operators come in pairs of one kind: the first of a
pair is of the half that thresholds are set on, the second of the half that is held out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn

from benchmarks.faults import layers, loop
from benchmarks.faults.setting import CROP, NOISE, PLAIN, Setting, reading, setting
from benchmarks.faults.sources import Changed, Posed, leaves
from mindl.core.randomness import generator_for
from mindl.learning import Denoising, Inpainting
from mindl.learning.losses import Loss
from mindl.learning.optimisers import SGD, Adam
from mindl.learning.schedules import Constant
from mindl.learning.task import Problem
from mindl.nets import DnCNN, PlainCNN, UNet
from mindl.neural import Direct, SplinePenaliser, StepSizes, Unrolled
from mindl.solvers import GradientDescent, PrimalDual

Places = tuple[tuple[str, str], ...]
Change = Callable[[Setting], Setting]

DENOISE: Places = (("cnn", "denoise"), ("unet", "denoise"))
INPAINT: Places = (("cnn", "inpaint"), ("unet", "inpaint"))
CNN: Places = (("cnn", "denoise"), ("cnn", "inpaint"))
DESCENT: Places = (("unrolled", "charbonnier"),)
DUAL: Places = (("unrolled", "rof"),)

FIRST, SECOND = "first", "second"


@dataclass(frozen=True)
class Operator:
    """A fault.

    Attributes:
        name: of it.
        half: ``first`` (thresholds are set on it) or ``second`` (held out).
        kind: what a pair has in common.
        places: the architectures and tasks that it applies to.
        symptoms, causes: the acceptable ones.
        change: makes a healthy run faulty.
    """

    name: str
    half: str
    kind: str
    places: Places
    symptoms: frozenset[str]
    causes: frozenset[str]
    change: Change

    def faulty(self, architecture: str, task: str, seed: int) -> Setting:
        """The run with the fault."""
        return self.change(setting(architecture, task, seed))


OPERATORS: dict[str, Operator] = {}
"""All of them, by name."""


def fault(
    name: str, half: str, kind: str, places: Places, symptoms: str, causes: str
) -> Callable[[Change], Change]:
    """Registers an operator."""

    def keep(change: Change) -> Change:
        OPERATORS[name] = Operator(name, half, kind, places, _names(symptoms), _names(causes), change)
        return change

    return keep


def _names(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(","))


# Rate, size of the weights, direction

TOO_FAST = (
    "diverging, oscillating, dead units, stalled, collapse, identity, underfitting, spikes, exploding gradients"
)
TOO_SLOW = "learning too slowly, underfitting, identity, stalled"


@fault("rate-high", FIRST, "rate", PLAIN, TOO_FAST, "learning rate too high")
def rate_high(s: Setting) -> Setting:
    """Adam at a hundred times the rate."""
    return s.trained(optimiser=Adam(rate=100 * s.training.optimiser.rate))


@fault("sgd-high", SECOND, "rate", PLAIN, TOO_FAST, "learning rate too high")
def sgd_high(s: Setting) -> Setting:
    """Gradient descent beyond its stable rate, unclipped: most runs break down by NaN, some recover."""
    rate = 0.006 if s.architecture == "cnn" else 0.003 if s.task_name == "denoise" else 0.02
    return s.trained(optimiser=SGD(rate=rate, momentum=0.9), clip=None)


@fault(
    "initial-large",
    FIRST,
    "ascent",
    PLAIN,
    "diverging, exploding gradients, spikes, oscillating, underfitting, wrong range, dead units, "
    "learning too slowly",
    "initial weights, learning rate too high",
)
def initial_large(s: Setting) -> Setting:
    """All weights four times as large; eight times in the U-Net, whose skips make up for less."""
    layers.multiplied(s.net, 8.0 if s.architecture == "unet" else 4.0)
    return s


@fault("sign", SECOND, "ascent", PLAIN, "diverging, wrong target", "sign of the loss, learning rate too high")
def sign(s: Setting) -> Setting:
    """The run climbs."""
    return s.trained(loss=Own(s.training.loss))


@dataclass(frozen=True)
class Own(Loss):
    """A loss with the wrong sign."""

    inner: Loss

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the loss itself."""
        return self.inner.needs

    def of(self, *given: object) -> torch.Tensor:
        """The loss, negated."""
        return -self.inner.of(*given)

    def __repr__(self) -> str:
        return "Own()"


@fault("rate-low", FIRST, "slow", PLAIN + DESCENT, TOO_SLOW, "learning rate too low")
def rate_low(s: Setting) -> Setting:
    """A thousandth of the rate."""
    return s.trained(optimiser=Adam(rate=s.training.optimiser.rate / 1000))


@fault("clip-hard", SECOND, "slow", PLAIN, TOO_SLOW, "clipping too hard, learning rate too low")
def clip_hard(s: Setting) -> Setting:
    """Gradient descent whose gradients are cut down to almost nothing."""
    return s.trained(optimiser=loop.ORDINARY_SGD, clip=1e-5)


# Gradients


@fault("not-cleared", FIRST, "mixed gradients", PLAIN + DESCENT, "mixed gradients", "gradients not cleared")
def not_cleared(s: Setting) -> Setting:
    """Gradients add up from step to step."""
    return s.patched(loop.not_cleared)


@fault(
    "stale",
    SECOND,
    "mixed gradients",
    PLAIN,
    "mixed gradients",
    "gradient of another batch, gradients not cleared",
)
def stale(s: Setting) -> Setting:
    """Every step takes the gradient of the batch before."""
    return s.patched(loop.stale)


@fault("bias-negative", FIRST, "dead", PLAIN, "dead units", "initial weights, learning rate too high")
def bias_negative(s: Setting) -> Setting:
    """Biases that switch most rectifiers off."""
    layers.biases(s.net, -4.0)
    return s


@fault(
    "dead-by-spike",
    SECOND,
    "dead",
    PLAIN,
    "dead units, spikes, stalled, diverging, jump",
    "learning rate too high, initial weights",
)
def dead_by_spike(s: Setting) -> Setting:
    """One early step with a huge rate."""
    return s.patched(loop.spike(5, 300.0 if s.architecture == "cnn" else 100.0))


SATURATED = "saturated units, vanishing gradients"


@fault("tanh-large", FIRST, "saturated", PLAIN, SATURATED, "initial weights, input scale")
def tanh_large(s: Setting) -> Setting:
    """tanh in the place of rectifiers, and weights so large that it saturates."""
    layers.gains(s.net, 30.0)
    return s.patched(loop.tanh_for_rectifiers)


@fault("tanh-input", SECOND, "saturated", PLAIN, SATURATED, "initial weights, input scale")
def tanh_input(s: Setting) -> Setting:
    """tanh in the place of rectifiers, and a network that is shown values 100 times (U-Net: 1000) as large."""
    s.net.network = layers.Times(s.net.network, given=1000.0 if s.architecture == "unet" else 100.0)
    return s.patched(loop.tanh_for_rectifiers)


@fault(
    "not-optimised",
    FIRST,
    "unmoved",
    PLAIN,
    "unmoved weights",
    "weights not in the optimiser, gradient cut off",
)
def not_optimised(s: Setting) -> Setting:
    """The optimiser is given the latter half of the weights."""
    return s.patched(loop.half_of_the_weights)


@fault(
    "cut-off",
    SECOND,
    "unmoved",
    PLAIN,
    "unmoved weights, vanishing gradients",
    "gradient cut off, weights not in the optimiser",
)
def cut_off(s: Setting) -> Setting:
    """The first layers get no gradient."""
    layers.detached(s.net)
    return s


# Data that differ from those in use

RANGE = ("wrong range, training unlike use", "values in another range")


@fault("times-255", FIRST, "range", PLAIN, *RANGE)
def times_255(s: Setting) -> Setting:
    """Training images in 0..255."""
    return replace(s, source=Changed(s.source, lambda i, image: 255 * image))


@fault("standardised", SECOND, "range", DENOISE, *RANGE)
def standardised(s: Setting) -> Setting:
    """Training images of mean 0 and variance 1, or about so."""
    return replace(s, source=Changed(s.source, lambda i, image: (image - 0.5) / 0.25))


LEVEL = ("training unlike use", "noise of another level, density of another level")


@fault("noise-255", FIRST, "noise", DENOISE, *LEVEL)
def noise_255(s: Setting) -> Setting:
    """The noise was divided by 255 once more."""
    return replace(s, task=Denoising(noise=(NOISE / 255, NOISE / 255)))


@fault("noise-strong", SECOND, "noise", DENOISE, *LEVEL)
def noise_strong(s: Setting) -> Setting:
    """Five times the noise."""
    return replace(s, task=Denoising(noise=(120 / 255, 120 / 255)))


@fault("known-dense", FIRST, "density", INPAINT, *LEVEL)
def known_dense(s: Setting) -> Setting:
    """Almost everything is known in training."""
    return replace(s, task=Inpainting(known=(0.9, 0.9)))


@fault("known-sparse", SECOND, "density", INPAINT, *LEVEL)
def known_sparse(s: Setting) -> Setting:
    """Almost nothing is known in training."""
    return replace(s, task=Inpainting(known=(0.01, 0.01)))


@fault(
    "mask-reversed",
    FIRST,
    "mask",
    INPAINT,
    "training unlike use, identity, wrong target",
    "mask reversed, density of another level",
)
def mask_reversed(s: Setting) -> Setting:
    """What is known in use is missing in training."""
    return s.patched(loop.batches(lambda number, problems: _masked(problems, ~problems["mask"])))


@fault(
    "known-everything",
    SECOND,
    "mask",
    INPAINT,
    "training unlike use, identity",
    "density of another level, mask reversed, target is the input",
)
def known_everything(s: Setting) -> Setting:
    """Nothing is missing in training."""
    return s.patched(loop.batches(lambda number, problems: _masked(problems, torch.ones_like(problems["mask"]))))


def _masked(problems: Problem, mask: torch.Tensor) -> Problem:
    return problems | {"mask": mask, "data": torch.where(mask, problems["clean"], 0)}


# Targets

PAIRS = (
    "wrong target, collapse, underfitting",
    "wrong pairs, geometry differs between input and target",
)


@fault("wrong-pair", FIRST, "pairs", DENOISE, *PAIRS)
def wrong_pair(s: Setting) -> Setting:
    """Each target belongs to the next image."""
    return s.patched(loop.batches(lambda number, problems: problems | {"clean": problems["clean"].roll(1, 0)}))


@fault("other-geometry", SECOND, "pairs", DENOISE, *PAIRS)
def other_geometry(s: Setting) -> Setting:
    """Targets are mirrored and inputs are not."""
    return s.patched(loop.batches(lambda number, problems: problems | {"clean": problems["clean"].flip(-1)}))


@fault(
    "target-input",
    FIRST,
    "identity",
    DENOISE,
    "identity, wrong target",
    "target is the input, output scaled away",
)
def target_input(s: Setting) -> Setting:
    """The target is the noisy image itself."""
    return s.patched(loop.batches(lambda number, problems: problems | {"clean": problems["data"]}))


@fault(
    "output-scaled",
    SECOND,
    "identity",
    PLAIN,
    "identity, learning too slowly, underfitting, stalled",
    "output scaled away, target is the input, learning rate too low, network too small",
)
def output_scaled(s: Setting) -> Setting:
    """Of the network's output next to nothing is left."""
    s.net.network = layers.Times(s.net.network, result=1e-5)
    return s


# Fitting


@fault("one-image", FIRST, "overfitting", DENOISE, "overfitting", "too few images")
def one_image(s: Setting) -> Setting:
    """One problem, and a network that can learn it by heart."""
    return _by_heart(s, 1, CROP)


@fault("four-crops", SECOND, "overfitting", DENOISE, "overfitting", "too few images")
def four_crops(s: Setting) -> Setting:
    """Four problems, and a network that can learn them by heart."""
    return _by_heart(s, 4, 16)


def _by_heart(s: Setting, count: int, size: int) -> Setting:
    images = leaves(s.seed)
    given = [{"clean": images.image(i)[:, :size, :size]} for i in range(count)]
    samples = [s.task.draw(sample, generator_for(s.seed, 1, i)) for i, sample in enumerate(given)]
    features = reading(s.task_name).features
    wide = (
        UNet(features, 1, widths=(24, 32), seed=s.seed)
        if s.architecture == "unet"
        else DnCNN(features, 1, width=24, depth=6, residual=False, seed=s.seed)
    )
    changed = replace(s, net=Direct(wide, reading(s.task_name)), source=Posed(samples, s.task.about))
    return changed.trained(
        batch=count, crop=size, crops_per_image=1, schedule=Constant(warmup=10), optimiser=Adam(rate=5e-4)
    )


@fault("frozen-statistics", FIRST, "mode gap", CNN, "mode gap", "statistics of batch normalisation")
def frozen_statistics(s: Setting) -> Setting:
    """Running statistics that are wrong and stay so."""
    for module in s.net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.0
            module.running_mean.fill_(0.5)
            module.running_var.fill_(10.0)
    return s


@fault(
    "dropout-strong",
    SECOND,
    "mode gap",
    PLAIN,
    "mode gap, underfitting",
    "dropout, statistics of batch normalisation",
)
def dropout_strong(s: Setting) -> Setting:
    """Half of the feature maps is dropped in training."""
    layers.dropping(s.net, 0.5)
    return s


SCHEDULE = ("stalled, learning too slowly, underfitting", "schedule ends too early, learning rate too low")


@fault("schedule-short", FIRST, "schedule", PLAIN, *SCHEDULE)
def schedule_short(s: Setting) -> Setting:
    """The rate has fallen to almost nothing when 8 % of the run are done."""
    return s.patched(loop.rates(lambda factor, done: max(1e-5, 1 - done / 0.08)))


@fault("schedule-step", SECOND, "schedule", PLAIN, *SCHEDULE)
def schedule_step(s: Setting) -> Setting:
    """A thousandth of the rate from 15 % of the run on."""
    return s.patched(loop.rates(lambda factor, done: factor * (1e-3 if done >= 0.15 else 1)))


@fault("tiny", FIRST, "capacity", CNN, "underfitting", "network too small")
def tiny(s: Setting) -> Setting:
    """Two convolutions with one channel between."""
    shown = reading(s.task_name)
    return replace(s, net=Direct(PlainCNN(shown.features, 1, width=1, depth=2, seed=s.seed), shown))


@fault(
    "decay",
    SECOND,
    "capacity",
    PLAIN,
    "underfitting, identity, learning too slowly, stalled, collapse",
    "weight decay too strong, network too small",
)
def decay(s: Setting) -> Setting:
    """Weights that shrink to little in every step."""
    return s.trained(optimiser=Adam(rate=s.training.optimiser.rate, decay=30.0))


# Bad, late and repeated data


@fault("bright-image", FIRST, "bad data", DENOISE, "spikes, diverging, oscillating", "a bad image or batch")
def bright_image(s: Setting) -> Setting:
    """One of the training images is a hundred times as bright."""
    return replace(s, source=Changed(s.source, lambda i, image: 100 * image if i == 0 else image))


@fault("broken-batches", SECOND, "bad data", PLAIN, "spikes, oscillating, diverging", "a bad image or batch")
def broken_batches(s: Setting) -> Setting:
    """Every ninth batch is noise."""
    return s.patched(loop.batches(_broken))


def _broken(number: int, problems: Problem) -> Problem:
    if number % 9 != 5:
        return problems
    noise = 10 * torch.rand(problems["clean"].shape, generator=generator_for(number, 1))
    if "mask" in problems:
        return _masked(problems | {"clean": noise}, problems["mask"])
    return problems | {"clean": noise}


SHORT = 60
"""Steps of a run that waits."""


@fault("slow-draw", FIRST, "loading", PLAIN, "data starvation", "slow loading")
def slow_draw(s: Setting) -> Setting:
    """Every problem takes long to be drawn."""
    return _short(s).patched(loop.waiting(lambda number: 0.006))


@fault("slow-sometimes", SECOND, "loading", PLAIN, "data starvation", "slow loading")
def slow_sometimes(s: Setting) -> Setting:
    """Every fourth problem takes long to be drawn."""
    return _short(s).patched(loop.waiting(lambda number: 0.015 if number % 4 == 3 else 0.0))


def _short(s: Setting) -> Setting:
    return s.trained(steps=SHORT, check_every=10)


REPEATS = ("repeated data", "random numbers repeat, too few images")


@fault("same-sample", FIRST, "repeats", PLAIN + DESCENT, *REPEATS)
def same_sample(s: Setting) -> Setting:
    """All problems of a batch are its first one."""
    return s.patched(loop.batches(lambda number, problems: _taken(problems, lambda i: 0)))


@fault("pairs-equal", SECOND, "repeats", PLAIN + DESCENT, *REPEATS)
def pairs_equal(s: Setting) -> Setting:
    """Problems come in equal pairs."""
    return s.patched(loop.batches(lambda number, problems: _taken(problems, lambda i: i - i % 2)))


def _taken(problems: Problem, which: Callable[[int], int]) -> Problem:
    count = next(iter(problems.values())).shape[0]
    places = torch.tensor([which(i) for i in range(count)])
    return {name: values[places] for name, values in problems.items()}


# Depth


@fault(
    "deep-sigmoid",
    FIRST,
    "depth",
    CNN,
    "vanishing gradients, saturated units, learning too slowly, stalled, underfitting",
    "too deep without skips, initial weights",
)
def deep_sigmoid(s: Setting) -> Setting:
    """Ten convolutions with sigmoids between, and nothing that leads past them."""
    shown = reading(s.task_name)
    body = PlainCNN(shown.features, 1, width=12, depth=10, seed=s.seed)
    layers.replaced(body, nn.ReLU, nn.Sigmoid)
    return replace(s, net=Direct(body, shown))


@fault(
    "small-weights",
    SECOND,
    "depth",
    CNN,
    "vanishing gradients, learning too slowly, stalled, underfitting, identity",
    "initial weights, too deep without skips, output scaled away",
)
def small_weights(s: Setting) -> Setting:
    """A deep chain whose weights are a tenth of what they should be."""
    shown = reading(s.task_name)
    body = PlainCNN(shown.features, 1, width=12, depth=10, seed=s.seed)
    layers.multiplied(body, 0.1)
    return replace(s, net=Direct(body, shown))


# Going on with a run


@fault("weights-lost", FIRST, "resume", PLAIN, "jump, spikes", "state lost on resuming")
def weights_lost(s: Setting) -> Setting:
    """From half of the run on the weights are the initial ones again."""
    return s.patched(loop.at(0.5, loop.forget_weights))


@fault(
    "rate-jump",
    SECOND,
    "resume",
    PLAIN,
    "jump, diverging, oscillating, spikes",
    "state lost on resuming, learning rate too high",
)
def rate_jump(s: Setting) -> Setting:
    """From half of the run on the optimiser begins anew, at twenty times the rate."""
    faster = loop.rates(lambda factor, done: factor * (20 if done >= 0.5 else 1))
    return s.patched(loop.at(0.5, loop.forget_moments), faster)


# Unrolled solvers


@fault(
    "descent-beyond",
    FIRST,
    "unrolled",
    DESCENT,
    "beyond the stability bound, diverging, exploding gradients",
    "steps beyond the stability bound, learning rate too high",
)
def descent_beyond(s: Setting) -> Setting:
    """Step sizes three times as large as the largest stable one."""
    return replace(s, net=_unrolled(GradientDescent(), "step_size", 6.0))


@fault(
    "dual-beyond",
    SECOND,
    "unrolled",
    DUAL,
    "beyond the stability bound, oscillating, diverging",
    "steps beyond the stability bound, learning rate too high",
)
def dual_beyond(s: Setting) -> Setting:
    """Dual step sizes eight times as large as the largest stable one."""
    return replace(s, net=_unrolled(PrimalDual(), "dual_step_size", 8.0))


def _unrolled(solver: GradientDescent | PrimalDual, name: str, factor: float) -> Unrolled:
    """A number of all steps lies beyond its bound, and stays there; the rest is learned."""
    sizes = StepSizes(bounded=False)
    net = Unrolled(solver, 8, [sizes, SplinePenaliser(9)])
    beyond = sizes.values[name]
    with torch.no_grad():
        beyond.fill_(math.log(factor))
    beyond.requires_grad_(False)
    return net
