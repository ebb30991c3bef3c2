"""The page ``docs/choosing.md``, written from the code: who accepts whom, what is proved, the cost.

``python -m mindl.guide > docs/choosing.md`` writes it; a test holds the page to what this module says.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import torch

from mindl.models import (
    DENOISING,
    FLOWS,
    INPAINTING,
    UNPROVED_INPAINTING,
    ConvexFlow,
    Energy,
    Flow,
    LinearSystem,
    Model,
    MonotoneSystem,
    PolyharmonicSystem,
    SaddlePoint,
    SmoothEnergy,
)
from mindl.models.certificate import proving_view
from mindl.solvers import SCHEMES, SOLVERS, Solver, accepting, choose, choose_scheme
from mindl.solvers.steady_state import RESTING, choose_for_rest

INTRODUCTION = """\
# Choosing a model and a solver

This page is written by `python -m mindl.guide` from the code itself.

`mindl.minimise(model)` chooses a solver and says why in `solution.why`; `mindl.minimise(model, solver)` takes
yours. A solver accepts a model by a *view* (`models/views.py`): a linear system, a saddle point, a smooth
energy. Where a model lacks it, `model.why_not(solver.accepts)` says what stands in the way, and so does the
error. Whoever solves a model, the same certificate says how far the answer is.
"""


FLOWS_INTRODUCTION = """
## Flows

`mindl.evolve(model, solver, time)` follows a filter to a time, `mindl.steady_state(model)` an inpainting to its
rest. Of convex flows it is proved how far the time steps have led away from the true solution, whatever the
scheme; `evolve(..., accuracy=0.5)` chooses steps that keep it below half a grey level. When to stop say
`mindl.parameters.time_by_discrepancy` and `time_by_decorrelation`. Energies that are smooth are flows too.
"""


NETWORKS_INTRODUCTION = """
## Does a network pay?

On a CPU, at equal accuracy. `mindl compare PHOTO` measures it on your photograph and your computer and says so in
one sentence; [networks and the models they solve](science.md) has the figures.
"""

PAYS = (
    (
        "`rof`",
        "`unet-rof`, `steps-rof`",
        "never in time: a few dozen steps of the primal-dual method are as near, in a small part of the time. In "
        "steps they do: ADMM needs 20 from image and dual field of `steps-rof`, the ten inside it counted, and 47 "
        "at best without",
    ),
    (
        "`harmonic_inpainting`",
        "`unet-harmonic`",
        "never: multigrid reaches a certificate before the network has answered",
    ),
    (
        "linear systems",
        "`NetworkPreconditioner`",
        "never: 15 steps instead of 52 of conjugate gradients, in 37 times the time; multigrid needs 4",
    ),
    (
        "`elastica_inpainting`",
        "`unet-elastica`",
        "from the first answer on: at equal energy some ten times faster than L-BFGS from the same rough filling",
    ),
    (
        "`eed_inpainting`",
        "`unet-eed`",
        "never: five FED cycles are as near to the rest in a fifth of its time",
    ),
    (
        "`tv_inpainting`",
        "`unet-tv`, not kept",
        "never: it leaves 8 % of the energy excess; primal-dual steps are there in a third of its time",
    ),
    (
        "`huber_rof`",
        "`unet-huber`",
        "never in time: it leaves 0.009 %, and the primal-dual method is there in a sixteenth of its time",
    ),
    (
        "`tgv`",
        "`unet-tgv`, not kept",
        "never: it leaves 0.8 %; primal-dual steps are there in less than half of its time",
    ),
    (
        "every energy",
        "`ImagePrior`",
        "never: a thousand steps of training for one image leave more than a few steps of a solver",
    ),
)
"""Model, network, and who wins, as ``mindl bench science`` and ``mindl compare`` found it."""


def examples() -> dict[str, Model]:
    """A small instance of every model, by name: weights as for a photograph with noise of 25/255."""
    data = torch.rand(1, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    mask[..., ::3, ::2] = True
    found: dict[str, Model] = {name: make(data, 0.7) for name, make in DENOISING.items()}
    found |= {name: make(data, mask) for name, make in INPAINTING.items()}
    return found


def flows() -> dict[str, Model]:
    """A small instance of every flow, by name."""
    data = torch.rand(1, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    mask[..., ::3, ::2] = True
    found: dict[str, Model] = {name: make(data) for name, make in FLOWS.items()}
    return found | {name: make(data, mask) for name, make in UNPROVED_INPAINTING.items()}


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
    parts += [
        *_acceptance(models),
        FLOWS_INTRODUCTION,
        *_flows(),
        "\n## Schemes\n",
        *_schemes(),
        NETWORKS_INTRODUCTION,
    ]
    parts += _table(("model", "network", "against the best solver"), [list(row) for row in PAYS])
    return "\n".join(parts) + "\n"


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


def _flows() -> Iterator[str]:
    rows = []
    for name, model in flows().items():
        convex = model.why_not(ConvexFlow) is None
        chosen: Solver[Any, Any]
        if name in FLOWS:
            chosen, why = choose_scheme(model)
            proved = "the error of the time steps" if convex else "nothing"
        else:
            chosen, why = choose(model) if model.why_not(Energy) is None else choose_for_rest(model)
            proved = "nothing: stationary at best"
        stiff = model.view(Flow).stable_step == 0
        able = [f"`{key}`" for key in RESTING if model.why_not(RESTING[key].accepts) is None]
        if stiff:  # others accept it by its type, and refuse every step size
            able = ["`implicit`"]
        about = _first_sentence({**FLOWS, **UNPROVED_INPAINTING}[name])
        reason = why.removeprefix(f"{model.title} ")
        call = "`ImplicitEuler(step_size=time / 10)`" if stiff else f"`{_call(chosen)}`"
        rows.append([f"`{name}`", about, proved, f"{call}: {reason}", ", ".join(able)])
    yield from _table(["flow", "what it is", "what is proved", "chosen, and why", "accepts it"], rows)


def _schemes() -> Iterator[str]:
    rows = []
    for name, scheme in SCHEMES.items():
        rows.append([f"`{name}`", f"`{_call(scheme)}`", scheme.accepts.__name__, scheme.guarantee, scheme.cost])
    yield from _table(["name", "in Python", "accepts", "guarantee", "a step costs"], rows)


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
