"""The parts of a model that can be set free: found, and put back changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar, cast

from mindl.models import GradientFlow, HaarDiffusion, Model, NonlinearDiffusion, TensorDiffusion, Variational
from mindl.models.anisotropic import ByDiffusivity

M = TypeVar("M", bound=Model)


def parts(model: Model) -> dict[str, Any]:
    """The parts of a model by name: penaliser, operator, coupling, weight, rule (of a diffusion tensor).

    >>> import torch, mindl as md
    >>> sorted(parts(md.models.rof(torch.zeros(1, 1, 2, 2), weight=0.1)))
    ['coupling', 'operator', 'penaliser', 'weight']
    """
    if isinstance(model, Variational):
        return {name: getattr(model, name) for name in ("penaliser", "operator", "coupling", "weight")}
    if isinstance(model, GradientFlow):
        return {"penaliser": model.penaliser, "operator": model.gradient, "coupling": model.coupling}
    if isinstance(model, NonlinearDiffusion | HaarDiffusion):
        return {"penaliser": model.penaliser}
    if isinstance(model, TensorDiffusion):
        own = {"penaliser": model.rule.penaliser} if isinstance(model.rule, ByDiffusivity) else {}
        return {"rule": model.rule, **own}
    return {}


def with_parts(model: M, **changed: Any) -> M:
    """The model with other parts."""
    if isinstance(model, GradientFlow) and "operator" in changed:
        changed["gradient"] = changed.pop("operator")
    if isinstance(model, TensorDiffusion) and "penaliser" in changed:
        rule = replace(cast(ByDiffusivity, model.rule), penaliser=changed.pop("penaliser"))
        changed["rule"] = rule
    return cast(M, replace(cast(Any, model), **changed))


def lacking(model: Model, *wanted: str) -> str | None:
    """Half a sentence where parts are missing, with those that there are."""
    there = parts(model)
    missing = [name for name in wanted if name not in there]
    if not missing:
        return None
    has = ", ".join(sorted(there)) or "none that can be set free"
    return f"it has no {' and no '.join(missing)} that mindl could replace; it has: {has}"
