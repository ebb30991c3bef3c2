"""Ten primal-dual steps that have learned."""

from __future__ import annotations

from mindl.learning import Adam, Denoising, GapLoss, Training
from mindl.neural import DualCorrection, Extrapolation, NeuralSolver, StepSizes, Unrolled
from mindl.recipes.recipe import Recipe
from mindl.solvers import PrimalDual


def _make() -> NeuralSolver:
    # 0.5 is the best step size for ten plain steps (of 0.05 to 3, BSD68, noise 25/255).
    return Unrolled(
        PrimalDual(step_size=0.5), 10, [StepSizes(), Extrapolation(), DualCorrection(16, 3)], title="steps-rof"
    )


STEPS_ROF = Recipe(
    name="steps-rof",
    about="total variation denoising (rof) by ten learned steps, noise 5/255 to 50/255, with its own proof",
    make=_make,
    task=Denoising(noise=(5 / 255, 50 / 255), weight_per_noise=(0.5, 1.0)),
    examined=Denoising(),
    training=Training(steps=4000, batch=12, crop=48, loss=GapLoss(), optimiser=Adam(rate=4e-3), check_every=250),
    limits=(
        "It is to solve the model, as far as the table says, and no more. A step with its small network costs as\n"
        "much as many plain steps: it shows what can be learned, and is no way to save time on a CPU. It learned\n"
        "from grey images, and serves colour with its channels joined, a little less exactly."
    ),
)
