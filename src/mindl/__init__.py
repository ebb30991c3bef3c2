"""mindl: define the model as usual, let a network or a solver find the answer, and know how far it is.

>>> import torch, mindl as md
>>> noisy = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
>>> solution = md.minimise(md.models.rof(noisy, weight=0.1))
>>> solution.outcome.value
'certified'

Names are imported when they are first used, so that ``import mindl`` and the command line's help are quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mindl import (
        calculus,
        data,
        diagnosis,
        gallery,
        images,
        learning,
        models,
        nets,
        neural,
        parameters,
        recipes,
        report,
        solvers,
        store,
        testing,
    )
    from mindl.core import errors
    from mindl.diagnosis import diagnose
    from mindl.learning.fit import fit
    from mindl.models import Candidate, Certificate, Energy
    from mindl.neural.answer import answer
    from mindl.plot import show
    from mindl.restore import denoise, inpaint
    from mindl.solvers import Solution, Stop, certify, evolve, minimise, solve_linear, steady_state
    from mindl.store import load, save

__version__ = "0.1.0"

__all__ = [
    "Candidate",
    "Certificate",
    "Energy",
    "Solution",
    "Stop",
    "answer",
    "calculus",
    "certify",
    "data",
    "denoise",
    "diagnose",
    "diagnosis",
    "errors",
    "evolve",
    "fit",
    "gallery",
    "images",
    "inpaint",
    "learning",
    "load",
    "minimise",
    "models",
    "nets",
    "neural",
    "parameters",
    "recipes",
    "report",
    "save",
    "show",
    "solve_linear",
    "solvers",
    "steady_state",
    "store",
    "testing",
]

_HOME = {
    "Candidate": "mindl.models",
    "Certificate": "mindl.models",
    "Energy": "mindl.models",
    "Solution": "mindl.solvers",
    "Stop": "mindl.solvers",
    "answer": "mindl.neural",
    "certify": "mindl.solvers",
    "denoise": "mindl.restore",
    "diagnose": "mindl.diagnosis",
    "evolve": "mindl.solvers",
    "fit": "mindl.learning",
    "inpaint": "mindl.restore",
    "load": "mindl.store",
    "minimise": "mindl.solvers",
    "save": "mindl.store",
    "show": "mindl.plot",
    "solve_linear": "mindl.solvers",
    "steady_state": "mindl.solvers",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    elif name == "errors":
        value = importlib.import_module("mindl.core.errors")
    elif name in __all__:
        value = importlib.import_module(f"mindl.{name}")
    else:
        raise AttributeError(f"module 'mindl' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
