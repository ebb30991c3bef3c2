"""The card of a trained network: what it is for, how good it is, what it was trained on, what it is not."""

from __future__ import annotations

from mindl.data import Source
from mindl.learning import Validation
from mindl.learning.validation import Findings
from mindl.models import Energy, Model
from mindl.neural import LearnedModel, NeuralSolver
from mindl.recipes.recipe import Recipe

SHOWN = {
    (): "No solution of the model and no clean image was shown to it.",
    ("clean",): "Clean images were shown to it, and no solution of the model.",
    ("second",): "Pairs of noisy images were shown to it, no clean image and no solution of the model.",
    ("solution",): "Solutions of the model were shown to it, and no clean image.",
}
"""What a training approach shows, by what it needs."""


def model_card(
    recipe: Recipe,
    net: NeuralSolver,
    source: Source,
    validation: Validation,
    *,
    steps: int,
    note: str = "",
    start: str | None = None,
    left_out: int = 0,
) -> str:
    """The text of ``README.md`` in the model folder, Markdown."""
    found = validation(net)
    count = sum(parameter.numel() for parameter in net.parameters())
    examined = "\n".join(f"| {what} | {value} |" for what, value in _examined(recipe, validation.model, found))
    learned = isinstance(net, LearnedModel)
    finish = "" if recipe.training.loss.learns_images else FINISH
    finish += LEARNED if learned else ""
    where = f"{source.about} (SHA-256 {source.fingerprint()[:16]})"
    training = recipe.training
    return f"""# {recipe.name}

{recipe.about[0].upper()}{recipe.about[1:]}.
{type(net).__name__} with {net.about}, {count:,} parameters, {_channels(net.channels or 1)}.

| examined on {validation.config["count"]} unseen crops of {validation.crop} x {validation.crop} | |
|---|---|
| problems | {recipe.examined.about} |
{examined}

## Use

    import mindl as md
    net = md.load("path/of/this/folder")     # what ships with mindl is loaded by its name
    alone = md.answer(model, net)            # the network's answer and its certificate
{finish}
## Training

By the recipe `{recipe.name}`: {steps} steps, each on {training.batch} crops of {training.crop} x {training.crop}.
{SHOWN[training.loss.needs]}{f" It began with the weights of {start}." if start else ""}

- Loss: {training.loss!r}.
- Optimiser: {training.optimiser!r}, {training.schedule!r}.
- Problems: {recipe.task.about}.
- Images: {where}.{f" {note}" if note else ""}{f" Left out: {left_out}." if left_out else ""}
- Examined on: {validation.about}.

## Limits

{recipe.limits}
"""


FINISH = "    exact = md.answer(model, net, finish=md.neural.finisher(model))\n"
LEARNED = "    exact = md.minimise(net.learned(model))  # the certified minimiser of the learned energy\n"


def _examined(recipe: Recipe, model: Model, found: Findings) -> list[tuple[str, str]]:
    """What is told of an examination: of solving a model how exactly, of learning images how near to them."""
    row = found.row
    psnr = f"{row['psnr']:.2f} dB"
    if recipe.training.loss.learns_images:
        first = f"{float(found.psnr_of_start.mean()):.2f} dB"
        other = f"{row['psnr_of_minimiser']:.2f} dB"
        return [
            ("PSNR of what it is given, mean", first),
            ("PSNR of its answers, mean", psnr),
            (f"PSNR of the minimiser of {model.title}, for comparison", other),
        ]
    if model.why_not(Energy) is None:
        what = "energy excess (E(u) - E*) / (E(f) - E*), median and worst"
    else:
        what = "squared distance to the rest, in parts of that of the start, median and worst"
    told = [(what, f"{row['excess']:.3%}, {row['worst_excess']:.3%}")]
    told.append(
        ("PSNR of the network and of the model's solution, means", f"{psnr}, {row['psnr_of_minimiser']:.2f} dB")
    )
    proved = (
        f"{row['rms']:.2g} grey levels rms"
        if row["rms"] < float("inf")
        else "only by a prover's steps, or nothing"
    )
    return [*told, ("proved distance to the solution, median", proved)]


def _channels(count: int) -> str:
    return "1 channel" if count == 1 else f"{count} channels"
