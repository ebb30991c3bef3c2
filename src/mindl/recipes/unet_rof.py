"""A U-Net with a witness head for total variation denoising of grey images, and a few steps behind it."""

from __future__ import annotations

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


def _make() -> NeuralSolver:
    net = WitnessHead(UNet(1, 2, widths=(16, 32, 32), blocks=2), InUnitsOfWeight())
    steps = Unrolled(PrimalDual(step_size=0.1), 4, [StepSizes(), Extrapolation()])
    return Refined(net, steps, title="unet-rof")


UNET_ROF = Recipe(
    name="unet-rof",
    about="total variation denoising (rof), grey, noise 5/255 to 50/255, with its own proof",
    make=_make,
    task=Denoising(noise=(5 / 255, 50 / 255), weight_per_noise=(0.5, 1.0)),
    examined=Denoising(noise=(25 / 255, 25 / 255), weight_per_noise=(0.75, 0.75)),
    # 150 seconds with a rate of 4e-3 ended at 1.2 % energy excess, with 8e-3 at 0.8 %, with 16e-3 at 0.8 %.
    training=Training(steps=10000, batch=16, crop=64, loss=GapLoss(), optimiser=Adam(rate=8e-3)),
    limits=(
        "It is to solve the model, as far as the table says, and no more: what total variation denoising does\n"
        "to textures, it does too. On a CPU a solver (`PrimalDual`) finds the same image faster, and to any\n"
        "accuracy. It serves as a teaching example and, where it is near, as a start for the solver. Outside\n"
        "the range of noise and weight its answer may be poor; the certificate that comes with it says so."
    ),
)
