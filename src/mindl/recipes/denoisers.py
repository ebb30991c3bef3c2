"""Networks that learn what clean images look like: the black-box end of the ladder, and few learned descent
steps."""

from __future__ import annotations

from collections.abc import Callable

from mindl.learning import Adam, Denoising, SupervisedLoss, Training
from mindl.nets import VariationalNetwork
from mindl.neural import Direct, NeuralSolver, Start
from mindl.recipes.recipe import Recipe

NOISE = 25 / 255

LIMITS = (
    "It learned from clean images what noise of the stated strength hides, and solves no model: nothing is\n"
    "proved of its answers, and its certificate tells how far they are from the solution of the model that it\n"
    "is asked with. For other noise, for blur, for noise that hangs together it was not made."
)


def _variational() -> NeuralSolver:
    net = VariationalNetwork(1, 1, stages=5, filters=48, kernel=7, correction=True)
    return Direct(net, Start(), title="variational-25")


def _recipe(name: str, about: str, make: Callable[[], NeuralSolver], training: Training) -> Recipe:
    task = Denoising(noise=(NOISE, NOISE))
    return Recipe(name, about, make, task, task, training, LIMITS, only_images=True)


VARIATIONAL_25 = _recipe(
    "variational-25",
    "removing noise of 25/255, grey, by five descent steps with learned filters and potentials",
    _variational,
    # Rates of 1e-2 and above let the filters wander: their gradient grew tenfold within 2000 steps.
    Training(steps=12000, batch=8, crop=64, loss=SupervisedLoss(), optimiser=Adam(rate=4e-3), check_every=500),
)
