"""Learned energies: regularisers whose minimisers are found to a certificate."""

from __future__ import annotations

from collections.abc import Callable

from mindl.learning import Adam, Denoising, SupervisedLoss, Training
from mindl.neural import LearnedModel, Minimised, NeuralSolver, RidgeRegulariser
from mindl.recipes.recipe import Recipe
from mindl.solvers import AcceleratedGradient

NOISE = 25 / 255

LIMITS = (
    "Its regulariser was learned for noise of 25/255; `net.learned(model)` is the energy that it stands for,\n"
    "and what a solver finds of that is certified. The certificate of `md.answer(model, net)` tells how far the\n"
    "image is from the solution of the model that it is asked with, which is another one."
)


def _ridges(name: str, modulus: float, filters: int, size: int) -> Callable[[], NeuralSolver]:
    def make() -> NeuralSolver:
        regulariser = RidgeRegulariser(filters, size, intervals=60, reach=0.3, modulus=modulus, steepest=100.0)
        # Trained through twelve steps, an energy relied on their stopping early; its minimiser was 0.6 dB poorer.
        steps = Minimised(AcceleratedGradient(), tolerance=1e-2, derivative=0.1)
        return LearnedModel(regulariser, steps, title=name)

    return make


def _recipe(name: str, kind: str, modulus: float, filters: int, size: int) -> Recipe:
    task = Denoising(noise=(NOISE, NOISE))
    return Recipe(
        name,
        f"removing noise of 25/255, grey, by a learned {kind} energy with one certified minimiser",
        _ridges(name, modulus, filters, size),
        task,
        task,
        Training(steps=3000, batch=4, crop=64, loss=SupervisedLoss(), optimiser=Adam(rate=5e-3), check_every=250),
        LIMITS,
        only_images=True,
    )


CONVEX_RIDGE_25 = _recipe("convex-ridge-25", "convex", 1.0, 25, 9)
WEAKLY_CONVEX_RIDGE_25 = _recipe("weakly-convex-ridge-25", "weakly convex", 0.1, 16, 7)
