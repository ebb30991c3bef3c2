"""Healthy runs, and runs that come near to a fault without having one: a diagnosis has nothing to say of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from benchmarks.faults.setting import NOISE, PLAIN, UNROLLED, Setting, Written, reading, run, setting
from benchmarks.faults.sources import dense_leaves, leaves, unseen_leaves
from mindl.data import Source
from mindl.learning import SURE, Constant, Cosine, Denoising, GapLoss, Noise2Noise, Task, Validation
from mindl.learning.optimisers import SGD, Adam
from mindl.nets import DnCNN, UNet
from mindl.neural import Direct, InUnitsOfWeight, WitnessHead

DENOISE = (("cnn", "denoise"), ("unet", "denoise"))

Runs = tuple[tuple[str, str, int], ...]
Change = Callable[[Setting], Setting]


@dataclass(frozen=True)
class Healthy:
    """A way to be healthy.

    Attributes:
        name: of it.
        runs: architecture, task and seed of each of its runs; even seeds belong to the first half.
        change: what is done to the ordinary run.
    """

    name: str
    runs: Runs
    change: Change

    def made(self, architecture: str, task: str, seed: int) -> Written:
        """The run, carried out."""
        return run(self.change(setting(architecture, task, seed)))


HEALTHY: dict[str, Healthy] = {}
"""All of them, by name."""


def healthy(name: str, *places: tuple[str, str], seeds: tuple[int, ...] = (2, 3)) -> Callable[[Change], Change]:
    """Registers a way to be healthy."""

    def keep(change: Change) -> Change:
        runs = tuple((architecture, task, seed) for architecture, task in places for seed in seeds)
        HEALTHY[name] = Healthy(name, runs, change)
        return change

    return keep


@healthy("plain", *PLAIN, seeds=(0, 1, 2, 3, 4))
def plain(s: Setting) -> Setting:
    """As the settings have it."""
    return s


@healthy("unrolled", *UNROLLED, seeds=(0, 1, 2, 3))
def unrolled(s: Setting) -> Setting:
    """A solver's steps, learned within its bounds."""
    return s


@healthy("slow", ("cnn", "denoise"), ("unet", "inpaint"))
def slow(s: Setting) -> Setting:
    """A quarter of the rate."""
    return s.trained(optimiser=Adam(rate=s.training.optimiser.rate / 4))


@healthy("fast", *DENOISE)
def fast(s: Setting) -> Setting:
    """Two and a half times the rate."""
    return s.trained(optimiser=Adam(rate=2.5 * s.training.optimiser.rate))


@healthy("batch-2", ("unet", "denoise"), ("unet", "inpaint"))
def batch_2(s: Setting) -> Setting:
    """Noisy steps."""
    return s.trained(batch=2, optimiser=Adam(rate=s.training.optimiser.rate / 2))


@healthy("batch-2-normalised", ("cnn", "denoise"), ("cnn", "inpaint"))
def batch_2_normalised(s: Setting) -> Setting:
    """Statistics of two problems at a time."""
    return s.trained(batch=2)


@healthy("warm-up", ("cnn", "denoise"), ("unet", "inpaint"))
def warm_up(s: Setting) -> Setting:
    """The rate rises for a quarter of the run."""
    return s.trained(schedule=Cosine(warmup=s.training.steps // 4))


@healthy("sgd", ("cnn", "denoise"), seeds=(2, 3, 4, 5))
def sgd(s: Setting) -> Setting:
    """Gradient descent at a rate that was tuned, of a chain without normalisation."""
    shown = reading(s.task_name)
    net = Direct(DnCNN(shown.features, 1, width=12, depth=5, residual=False, seed=s.seed), shown)
    return replace(s, net=net).trained(optimiser=SGD(rate=0.1, momentum=0.95))


@healthy("constant", ("unet", "denoise"), ("cnn", "inpaint"))
def constant(s: Setting) -> Setting:
    """The same rate to the end."""
    return s.trained(schedule=Constant(warmup=10), optimiser=Adam(rate=s.training.optimiser.rate / 2))


@healthy("no-average", ("unet", "denoise"), ("cnn", "inpaint"))
def no_average(s: Setting) -> Setting:
    """The weights themselves are examined."""
    return s.trained(average=None)


@healthy("levels", *DENOISE)
def levels(s: Setting) -> Setting:
    """Noise of many levels, in training and in use alike."""
    return _on(s, Denoising(noise=(10 / 255, 40 / 255)))


def _on(s: Setting, task: Task, images: Source | None = None) -> Setting:
    """Another task, in training and in use; other images in use."""
    unseen = Validation(task, images or unseen_leaves(), count=4, crop=48, seed=7)
    return replace(s, task=task, validation=unseen)


@healthy("small", *DENOISE)
def small(s: Setting) -> Setting:
    """A network that is small, and large enough."""
    shown = reading(s.task_name)
    body = (
        UNet(shown.features, 1, widths=(5, 8), seed=s.seed)
        if s.architecture == "unet"
        else DnCNN(shown.features, 1, width=8, depth=4, residual=False, seed=s.seed)
    )
    return replace(s, net=Direct(body, shown))


@healthy("estimated", *DENOISE)
def estimated(s: Setting) -> Setting:
    """Noisy images alone: the error is estimated, which scatters."""
    return s.trained(loss=SURE())


@healthy("twice", *DENOISE)
def twice(s: Setting) -> Setting:
    """The target is a second noisy image: the loss cannot fall far."""
    return _on(s, Denoising(noise=(NOISE, NOISE), second=True)).trained(loss=Noise2Noise())


@healthy("witness", ("unet", "denoise"))
def witness(s: Setting) -> Setting:
    """A dual field is learned by the duality gap."""
    net = WitnessHead(UNet(1, 2, widths=(8, 12), seed=s.seed), InUnitsOfWeight())
    return replace(s, net=net).trained(loss=GapLoss())


@healthy("few", *DENOISE)
def few(s: Setting) -> Setting:
    """Six images, crops and noise drawn anew: few, and enough."""
    return replace(s, source=leaves(s.seed, 6))


@healthy("hard-validation", *DENOISE)
def hard_validation(s: Setting) -> Setting:
    """What is validated on is harder than what is trained on: worse, and steadily so."""
    return _on(s, s.task, dense_leaves())


@healthy("broken-off", ("cnn", "denoise"), ("unet", "inpaint"))
def broken_off(s: Setting) -> Setting:
    """Half of a run: so far all is well."""
    return replace(s, broken_off=s.training.steps // 2 + 5)


@healthy("resumed", ("unet", "denoise"), ("cnn", "inpaint"))
def resumed(s: Setting) -> Setting:
    """A run that was broken off and went on from its checkpoint."""
    return replace(s, broken_off=s.training.steps // 2 + 5, resumed=True)
