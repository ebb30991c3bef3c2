"""Networks for energies and flows whose solvers are slow: inpainting by total variation, elastica and EED; TGV."""

from __future__ import annotations

from mindl.learning import Adam, Denoising, EnergyLoss, GapLoss, Inpainting, SolutionLoss, Training
from mindl.models import eed_inpainting, elastica_inpainting, huber_rof, tgv, tv_inpainting
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
    "Its answer is an approximation without a proof of its own. With fewer known pixels than it was trained for, "
    "or with\n"
    "large holes instead of single missing pixels, it is poor; a solver goes on from it with `finish`."
)

DENOISING = (
    "It is to solve the model, as far as the table says, and no more: what the model does to textures, it does "
    "too.\n"
    "Outside the range of noise and weight its answer may be poor; the certificate says so."
)


def _fill(name: str) -> NeuralSolver:
    return Direct(UNet(2, 1, widths=(16, 32, 32, 32), blocks=2), Filled(), title=name)


UNET_ELASTICA = Recipe(
    name="unet-elastica",
    about="inpainting by Euler's elastica (elastica_inpainting), 2 % to 20 % of the pixels known",
    make=lambda: _fill("unet-elastica"),
    task=Inpainting(model_of=elastica_inpainting, known=(0.02, 0.20)),
    examined=Inpainting(model_of=elastica_inpainting, known=(0.05, 0.05)),
    training=Training(
        steps=4000, batch=12, crop=64, loss=EnergyLoss(), optimiser=Adam(rate=4e-3), check_every=250
    ),
    limits=FILLING,
)
UNET_TV = Recipe(
    name="unet-tv",
    about="inpainting of least total variation (tv_inpainting), 2 % to 20 % of the pixels known",
    make=lambda: _fill("unet-tv"),
    task=Inpainting(model_of=tv_inpainting, known=(0.02, 0.20)),
    examined=Inpainting(model_of=tv_inpainting, known=(0.05, 0.05)),
    training=Training(
        steps=5000, batch=12, crop=64, loss=EnergyLoss(), optimiser=Adam(rate=4e-3), check_every=250
    ),
    limits=FILLING,
)
UNET_EED = Recipe(
    name="unet-eed",
    about="inpainting by edge-enhancing diffusion (eed_inpainting), 2 % to 20 % known, learned from its rest",
    make=lambda: _fill("unet-eed"),
    task=Inpainting(model_of=eed_inpainting, known=(0.02, 0.20)),
    examined=Inpainting(model_of=eed_inpainting, known=(0.05, 0.05)),
    training=Training(
        steps=5000, batch=12, crop=64, loss=SolutionLoss(), optimiser=Adam(rate=4e-3), check_every=250
    ),
    limits=FILLING,
    solved=2048,
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
        steps=5000, batch=12, crop=64, loss=EnergyLoss(), optimiser=Adam(rate=8e-3), check_every=250
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
    training=Training(steps=5000, batch=12, crop=64, loss=GapLoss(), optimiser=Adam(rate=8e-3), check_every=250),
    limits=DENOISING,
)
