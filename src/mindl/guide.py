"""The page ``docs/choosing.md``, written from the code: who accepts whom, what is proved, the cost.

``python -m mindl.guide > docs/choosing.md`` writes it; a test holds the page to what this module says.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass

import torch

from mindl.models import (
    DENOISING,
    INPAINTING,
    LinearSystem,
    Model,
    MonotoneSystem,
    PolyharmonicSystem,
    SaddlePoint,
    SmoothEnergy,
)
from mindl.models.certificate import proving_view
from mindl.solvers import SOLVERS, accepting, choose

INTRODUCTION = """\
# Choosing a model and a solver

This page is written by `python -m mindl.guide` from the code itself.

`mindl.minimise(model)` chooses a solver and says why in `solution.why`; `mindl.minimise(model, solver)` takes
yours. A solver accepts a model by a *view* (`models/views.py`): a linear system, a saddle point, a smooth
energy. Where a model lacks it, `model.why_not(solver.accepts)` says what stands in the way, and so does the
error. Whoever solves a model, the same certificate says how far the answer is.
"""


def examples() -> dict[str, Model]:
    """A small instance of every model, by name: weights as for a photograph with noise of 25/255."""
    data = torch.rand(1, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    mask[..., ::3, ::2] = True
    found: dict[str, Model] = {name: make(data, 0.7) for name, make in DENOISING.items()}
    found |= {name: make(data, mask) for name, make in INPAINTING.items()}
    return found


def proof(model: Model) -> str:
    """What a certificate of the model measures, and the distances that follow.

    >>> import mindl as md
    >>> proof(md.models.rof(torch.zeros(1, 1, 2, 2), 0.1))
    'duality gap; rms'
    """
    view = proving_view(model)
    if isinstance(view, MonotoneSystem):
        return "residual; rms and every pixel"
    if isinstance(view, PolyharmonicSystem):
        return "residual; rms, through the harmonic system"
    if isinstance(view, LinearSystem):
        return "residual; rms" if view.modulus > 0 else "residual"
    if isinstance(view, SaddlePoint):
        return "duality gap; rms" if view.modulus > 0 else "duality gap: the energy, no distance"
    if isinstance(view, SmoothEnergy) and view.modulus > 0:
        return "gradient; rms"
    return "gradient: nothing is proved"


def choosing_page() -> str:
    """The page in Markdown."""
    models = examples()
    parts = [INTRODUCTION, "## Models\n", *_models(models), "\n## Solvers\n", *_solvers()]
    parts += ["\n## Who accepts whom\n", "● is what `minimise` chooses for the example, ○ what it accepts.\n"]
    return "\n".join([*parts, *_acceptance(models)]) + "\n"


def _models(models: dict[str, Model]) -> Iterator[str]:
    rows = []
    for name, model in models.items():
        solver, why = choose(model)
        about = _first_sentence({**DENOISING, **INPAINTING}[name])
        rows.append(
            [f"`{name}`", about, proof(model), f"`{_call(solver)}`: {why.removeprefix(f'{model.title} is ')}"]
        )
    yield from _table(["model", "what it is", "what is proved", "chosen solver, and why"], rows)
    yield "\nThe choice depends on the model's weight too; the examples have the weight 0.7 and no noise.\n"


def _solvers() -> Iterator[str]:
    rows = []
    for name, solver in SOLVERS.items():
        rows.append([f"`{name}`", f"`{_call(solver)}`", solver.accepts.__name__, solver.guarantee, solver.cost])
    yield from _table(["name", "in Python", "accepts", "guarantee", "a step costs"], rows)
    yield (
        "\nWith the condition number kappa: for implicit smoothing 1 + 8 weight, for harmonic inpainting about 10 "
        "divided by the share of known pixels, its square and cube for biharmonic and triharmonic inpainting.\n"
    )


def _acceptance(models: dict[str, Model]) -> Iterator[str]:
    rows = []
    for name, model in models.items():
        able, chosen = accepting(model), choose(model)[0]
        marks = ["●" if SOLVERS[by] == chosen else "○" if by in able else "" for by in SOLVERS]
        rows.append([f"`{name}`", *marks])
    yield from _table(["", *SOLVERS], rows)


def _table(head: Sequence[str], rows: list[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def _call(solver: object) -> str:
    """A solver as one would type it: what is as usual stays away."""
    if not is_dataclass(solver):
        return repr(solver)
    said = [(f.name, getattr(solver, f.name)) for f in fields(solver) if getattr(solver, f.name) != f.default]
    return f"{type(solver).__name__}({', '.join(f'{name}={_call(value)}' for name, value in said)})"


def _first_sentence(thing: object) -> str:
    """The beginning of a docstring, up to the formula or the full stop."""
    paragraph = (inspect.getdoc(thing) or "").split("\n\n")[0]
    sentence = " ".join(paragraph.split()).split(". ")[0].rstrip(".:,")
    return re.sub(r":math:`([^`]*)`", r"$\1$", sentence)


if __name__ == "__main__":
    print(choosing_page(), end="")
