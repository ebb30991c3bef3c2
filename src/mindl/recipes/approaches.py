"""One recipe for each training approach: the same network, problems and budget, another loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mindl.learning import (
    SURE,
    Adam,
    Denoising,
    EnergyLoss,
    GapLoss,
    Loss,
    Noise2Noise,
    Noise2Self,
    ResidualLoss,
    SolutionLoss,
    SupervisedLoss,
    Training,
)
from mindl.models import Energy, charbonnier, rof
from mindl.nets import UNet
from mindl.neural import Direct, InUnitsOfWeight, NeuralSolver, Start, WitnessHead
from mindl.recipes.recipe import Recipe

NOISE = 25 / 255


@dataclass(frozen=True)
class Approach:
    """What distinguishes a training approach.

    Attributes:
        name: of its recipe: ``denoise-NAME``.
        loss: what is made small.
        shown: what it must have: a sentence for tables.
        model_of: the model that the problems are posed in; what ``weight_per_noise`` suits.
        weight_per_noise: its weight.
        second: whether a second noisy image is drawn.
        imitates: whether it learns a model's solution, or what clean images look like.
    """

    name: str
    loss: Loss
    shown: str
    model_of: Callable[..., Energy] = rof
    weight_per_noise: float = 0.75
    second: bool = False
    imitates: bool = False


APPROACHES = (
    Approach("supervised", SupervisedLoss(), "clean images"),
    Approach("noise2noise", Noise2Noise(), "two noisy images of every scene", second=True),
    Approach("noise2self", Noise2Self(), "one noisy image of every scene"),
    Approach("sure", SURE(), "one noisy image of every scene, and the noise's level"),
    Approach("solution", SolutionLoss(), "a model, and its solutions", imitates=True),
    Approach("energy", EnergyLoss(), "a model with an energy", imitates=True),
    Approach("gap", GapLoss(), "a convex model", imitates=True),
    Approach(
        "residual",
        ResidualLoss(),
        "a smooth model",
        model_of=charbonnier,
        weight_per_noise=40.0,  # times the contrast of 0.02 it is the weight of the others
        imitates=True,
    ),
)
"""The training approaches, those that learn images first, those that learn a model afterwards."""


def _make(approach: Approach) -> Callable[[], NeuralSolver]:
    def make() -> NeuralSolver:
        title = f"denoise-{approach.name}"
        if isinstance(approach.loss, GapLoss):
            return WitnessHead(UNet(1, 2, widths=(16, 32)), InUnitsOfWeight(), title=title)
        return Direct(UNet(1, 1, widths=(16, 32)), Start(), title=title)

    return make


def _recipe(approach: Approach) -> Recipe:
    ratio = (approach.weight_per_noise, approach.weight_per_noise)
    task = Denoising(
        model_of=approach.model_of, noise=(NOISE, NOISE), weight_per_noise=ratio, second=approach.second
    )
    learns = "the model's solution" if approach.imitates else "clean images"
    return Recipe(
        name=f"denoise-{approach.name}",
        about=f"removing noise of 25/255, grey, by {type(approach.loss).__name__}",
        make=_make(approach),
        task=task,
        examined=task,
        training=Training(steps=1500, batch=8, crop=48, loss=approach.loss, optimiser=Adam(rate=4e-3)),
        limits=(
            f"A short training to compare approaches by: it learns {learns} from {approach.shown}, for noise of\n"
            "25/255 only. Longer training and larger networks are better at it."
        ),
        solved=512 if isinstance(approach.loss, SolutionLoss) else 0,
    )


APPROACH_RECIPES: tuple[Recipe, ...] = tuple(_recipe(approach) for approach in APPROACHES)
