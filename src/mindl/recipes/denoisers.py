"""Networks that learn what clean images look like: diffusion with learned diffusivities, few descent steps with
learned energies, and U-Nets, the black-box end of the ladder, for one level of noise, told or unknown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mindl.learning import Adam, Denoising, SupervisedLoss, Training
from mindl.nets import DiffusionNet, UNet, VariationalNetwork
from mindl.neural import Direct, InUnitsOfNoise, InUnitsOfWeight, NeuralSolver, Reading, Start
from mindl.recipes.recipe import Recipe

NOISE = 25 / 255
UNKNOWN = (5 / 255, 50 / 255)

LIMITS = (
    "It learned from clean images what noise of the stated strength hides, and solves no model: nothing is\n"
    "proved of its answers, and its certificate tells how far they are from the solution of the model that it\n"
    "is asked with. For other noise, for blur, for noise that hangs together it was not made."
)


def _diffusion() -> NeuralSolver:
    # Two filters share a diffusivity, as the two components of a gradient do.
    net = DiffusionNet(1, 1, filters=24, blocks=6, kernel=5, contrast=0.1, knots=31, group=2, correction=True)
    return Direct(net, Start(), title="diffusion-25")


def _variational() -> NeuralSolver:
    net = VariationalNetwork(1, 1, stages=5, filters=48, kernel=7, correction=True)
    return Direct(net, Start(), title="variational-25")


def _unet(name: str, reading: Reading) -> Callable[[], NeuralSolver]:
    return lambda: Direct(UNet(reading.features, 1, widths=(24, 48, 96), blocks=2), reading, title=name)


def _recipe(
    name: str,
    about: str,
    make: Callable[[], NeuralSolver],
    training: Training,
    noise: tuple[float, float] = (NOISE, NOISE),
) -> Recipe:
    return Recipe(name, about, make, Denoising(noise=noise), Denoising(), training, LIMITS, only_images=True)


def _level(noise: int) -> Recipe:
    level = noise / 255
    recipe = _recipe(
        f"unet-{noise}",
        f"removing noise of {noise}/255, grey, by a U-Net; begun with unet-told",
        _unet(f"unet-{noise}", InUnitsOfWeight()),
        replace(BLACK_BOX, steps=1000, optimiser=Adam(rate=5e-4)),
        (level, level),
    )
    return replace(recipe, examined=recipe.task)


DIFFUSION_25 = _recipe(
    "diffusion-25",
    "removing noise of 25/255, grey, by six steps of diffusion with learned filters and diffusivities",
    _diffusion,
    Training(steps=5000, batch=8, crop=48, loss=SupervisedLoss(), optimiser=Adam(rate=4e-3), check_every=500),
)
VARIATIONAL_25 = _recipe(
    "variational-25",
    "removing noise of 25/255, grey, by five descent steps with learned filters and potentials",
    _variational,
    # Rates of 1e-2 and above let the filters wander: their gradient grew tenfold within 2000 steps.
    Training(steps=12000, batch=8, crop=64, loss=SupervisedLoss(), optimiser=Adam(rate=4e-3), check_every=500),
)

BLACK_BOX = Training(
    steps=12000,
    batch=8,
    crop=64,
    loss=SupervisedLoss(logarithm=True),  # or noise of 50/255 learns a sixth of what noise of 5/255 does
    optimiser=Adam(rate=1.5e-3),
    precision="bfloat16",  # of the layers alone; half the time, and the noise is found far more coarsely than that
    check_every=500,
)
UNET_BLIND = _recipe(
    "unet-blind",
    "removing noise of 5/255 to 50/255 of unknown strength, grey, by a U-Net; best begun with unet-told",
    _unet("unet-blind", InUnitsOfNoise()),
    BLACK_BOX,
    UNKNOWN,
)
UNET_TOLD = _recipe(
    "unet-told",
    "removing noise of 5/255 to 50/255 whose strength is known or estimated, grey, by a U-Net",
    _unet("unet-told", InUnitsOfWeight()),
    BLACK_BOX,
    UNKNOWN,
)
UNET_LEVELS = tuple(_level(noise) for noise in (5, 15, 25, 50))
