"""U-Nets with a witness head for total variation denoising, grey and colour, and a few steps behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mindl.learning import Adam, Denoising, GapLoss, Training
from mindl.nets import UNet
from mindl.neural import (
    Extrapolation,
    InUnitsOfWeight,
    NeuralSolver,
    Refined,
    StepSizes,
    Unrolled,
    WitnessHead,
)
from mindl.recipes.recipe import Recipe
from mindl.solvers import PrimalDual

LIMITS = (
    "It is to solve the model, as far as the table says, and no more: what total variation denoising does\n"
    "to textures, it does too. On a CPU a solver (`PrimalDual`) finds the same image faster, and to any\n"
    "accuracy. It serves as a teaching example and, where it is near, as a start for the solver. Outside\n"
    "the range of noise and weight its answer may be poor; the certificate that comes with it says so."
)


def _make(name: str, channels: int, widths: tuple[int, ...]) -> Callable[[], NeuralSolver]:
    def make() -> NeuralSolver:
        unet = UNet(channels, 2 * channels, widths=widths, blocks=2)
        net = WitnessHead(unet, InUnitsOfWeight(), channels=channels)
        steps = Unrolled(PrimalDual(step_size=0.1), 4, [StepSizes(), Extrapolation()])
        return Refined(net, steps, title=name)

    return make


UNET_ROF = Recipe(
    name="unet-rof",
    about="total variation denoising (rof), grey, noise 5/255 to 50/255, with its own proof",
    make=_make("unet-rof", 1, (16, 32, 32)),
    task=Denoising(noise=(5 / 255, 50 / 255), weight_per_noise=(0.5, 1.0)),
    examined=Denoising(),
    # 150 seconds with a rate of 4e-3 ended at 1.2 % energy excess, with 8e-3 at 0.8 %, with 16e-3 at 0.8 %.
    training=Training(steps=10000, batch=16, crop=64, loss=GapLoss(), optimiser=Adam(rate=8e-3)),
    limits=LIMITS,
)
UNET_ROF_COLOUR = replace(
    UNET_ROF,
    name="unet-rof-colour",
    about="total variation denoising (rof), colour, noise 5/255 to 50/255, with its own proof",
    make=_make("unet-rof-colour", 3, (24, 32, 32)),
    training=replace(UNET_ROF.training, steps=5000, batch=12, check_every=500),
)
