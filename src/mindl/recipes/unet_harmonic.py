"""A U-Net that fills in images by homogeneous diffusion: a teaching case."""

from __future__ import annotations

from mindl.learning import Adam, EnergyLoss, Inpainting, Training
from mindl.nets import UNet
from mindl.neural import Direct, Filled, NeuralSolver
from mindl.recipes.recipe import Recipe


def _make() -> NeuralSolver:
    return Direct(UNet(2, 1, widths=(16, 32, 32), blocks=2), Filled(), title="unet-harmonic")


UNET_HARMONIC = Recipe(
    name="unet-harmonic",
    about="homogeneous diffusion inpainting (harmonic_inpainting), 2 % to 20 % of the pixels known",
    make=_make,
    task=Inpainting(known=(0.02, 0.20)),
    examined=Inpainting(known=(0.05, 0.05)),
    training=Training(steps=6000, batch=16, crop=64, loss=EnergyLoss(), optimiser=Adam(rate=4e-3)),
    limits=(
        "A teaching case: the model is linear, and 25 to 50 steps of conjugate gradients are as near, in less\n"
        "time on a CPU. It gives no dual field; its error is proved by the prover's own steps. With fewer\n"
        "known pixels than it was trained for, or large holes, its answer is poor; the certificate says so."
    ),
)
