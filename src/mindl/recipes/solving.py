"""Networks for energies and flows whose solvers are slow: inpainting by total variation, elastica and EED; TGV."""

from __future__ import annotations

from collections.abc import Callable

from mindl.learning import Adam, Denoising, EnergyLoss, GapLoss, Inpainting, Loss, SolutionLoss, Training
from mindl.models import Model, eed_inpainting, elastica_inpainting, huber_rof, tgv, tv_inpainting
from mindl.nets import UNet
from mindl.neural import (
    Direct,
    Extrapolation,
    Filled,
    InUnitsOfWeight,
    NeuralSolver,
    Refined,
    StepSizes,
    Unrolled,
    WithWeight,
    WitnessHead,
)
from mindl.recipes.recipe import Recipe
from mindl.solvers import PrimalDual

FILLING = (
    "Its answer is an approximation without a proof of its own. With fewer known pixels than it was trained for,\n"
    "or with large holes instead of single missing pixels, it is poor; a solver goes on from it with `finish`."
)

DENOISING = (
    "It is to solve the model, as far as the table says, and no more: what the model does to textures, it does\n"
    "too. Outside the range of noise and weight its answer may be poor; the certificate says so."
)


def _filling(
    name: str,
    about: str,
    model_of: Callable[..., Model],
    *,
    loss: Loss,
    steps: int = 3000,
    precision: str = "bfloat16",
    solved: int = 0,
) -> Recipe:
    """A U-Net that corrects a rough filling, for 2 % to 20 % known pixels."""
    return Recipe(
        name=name,
        about=f"{about}, 2 % to 20 % of the pixels known",
        make=lambda: Direct(UNet(2, 1, widths=(16, 32, 32, 32), blocks=2), Filled(), title=name),
        task=Inpainting(model_of=model_of, known=(0.02, 0.20)),
        examined=Inpainting(model_of=model_of, known=(0.05, 0.05)),
        training=Training(
            steps=steps,
            batch=12,
            crop=64,
            loss=loss,
            optimiser=Adam(rate=4e-3),
            precision=precision,
            check_every=250,
        ),
        limits=FILLING,
        solved=solved,
    )


UNET_ELASTICA = _filling(
    "unet-elastica",
    "inpainting by Euler's elastica (elastica_inpainting)",
    elastica_inpainting,
    loss=EnergyLoss(),
    steps=4000,
    precision="float32",
)
UNET_TV = _filling(
    "unet-tv", "inpainting of least total variation (tv_inpainting)", tv_inpainting, loss=EnergyLoss()
)
UNET_EED = _filling(
    "unet-eed",
    "inpainting by edge-enhancing diffusion (eed_inpainting), learned from its rest",
    eed_inpainting,
    loss=SolutionLoss(),
    solved=576,
)


def _tgv() -> NeuralSolver:
    net = Direct(UNet(1, 3, widths=(16, 32, 32), blocks=2), InUnitsOfWeight())
    return Refined(net, Unrolled(PrimalDual(step_size=0.02), 4, [StepSizes(), Extrapolation()]), title="unet-tgv")


UNET_TGV = Recipe(
    name="unet-tgv",
    about="denoising by total generalised variation (tgv), grey, noise 5/255 to 50/255",
    make=_tgv,
    task=Denoising(model_of=tgv, noise=(5 / 255, 50 / 255), weight_per_noise=(0.5, 1.0)),
    examined=Denoising(model_of=tgv),
    training=Training(
        steps=2500, batch=12, crop=64, loss=EnergyLoss(), optimiser=Adam(rate=4e-3), check_every=250
    ),
    limits=DENOISING,
)


def _huber() -> NeuralSolver:
    net = WitnessHead(UNet(2, 2, widths=(16, 32, 32), blocks=2), WithWeight())
    return Refined(net, Unrolled(PrimalDual(step_size=0.1), 4, [StepSizes(), Extrapolation()]), title="unet-huber")


UNET_HUBER = Recipe(
    name="unet-huber",
    about="total variation denoising that spares small gradients (huber_rof), grey, noise 5/255 to 50/255",
    make=_huber,
    task=Denoising(model_of=huber_rof, noise=(5 / 255, 50 / 255), weight_per_noise=(0.5, 1.0)),
    examined=Denoising(model_of=huber_rof),
    # A rate of 8e-3 was lost after 1000 steps: the excess rose twentyfold and stayed.
    training=Training(steps=2500, batch=12, crop=64, loss=GapLoss(), optimiser=Adam(rate=4e-3), check_every=250),
    limits=f"It knows one contrast, the usual 0.02. {DENOISING}",
)
