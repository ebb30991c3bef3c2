"""Which solvers there are, which accept a model, and which suits it best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from mindl.core.errors import ViewError
from mindl.kernels.choice import serves
from mindl.models.model import Model
from mindl.models.views import LinearSystem, SaddlePoint, SmoothEnergy
from mindl.solvers.accelerated_gradient import AcceleratedGradient
from mindl.solvers.admm import ADMM
from mindl.solvers.conjugate_gradient import ConjugateGradient
from mindl.solvers.fista import DualFISTA
from mindl.solvers.flexible_cg import FlexibleConjugateGradient
from mindl.solvers.gradient_descent import GradientDescent
from mindl.solvers.lagged_diffusivity import LaggedDiffusivity
from mindl.solvers.lbfgs import LBFGS
from mindl.solvers.multigrid import Multigrid
from mindl.solvers.newton import Newton
from mindl.solvers.primal_dual import PrimalDual
from mindl.solvers.relaxation import SOR, GaussSeidel, Jacobi
from mindl.solvers.solver import Solver

SOLVERS: dict[str, Solver[Any, Any]] = {
    "primal-dual": PrimalDual(),
    "dual-fista": DualFISTA(),
    "admm": ADMM(),
    "conjugate-gradient": ConjugateGradient(),
    "multigrid-conjugate-gradient": ConjugateGradient(preconditioner=Multigrid()),
    "flexible-conjugate-gradient": FlexibleConjugateGradient(Multigrid(full=True)),
    "multigrid": Multigrid(),
    "sor": SOR(),
    "gauss-seidel": GaussSeidel(),
    "jacobi": Jacobi(),
    "lagged-diffusivity": LaggedDiffusivity(),
    "newton": Newton(),
    "l-bfgs": LBFGS(),
    "accelerated-gradient": AcceleratedGradient(),
    "gradient-descent": GradientDescent(),
}
"""The solvers by name, as they are when nothing is said of their hyperparameters."""

MILD = 100.0
"""Condition numbers up to which plain conjugate gradients need fewer than about 30 steps."""

QUICK = 1e5
"""Condition numbers up to which fused steps of the biharmonic operator are fewer than 2000."""

DENSE = 0.02
"""The share of known pixels from which on they are."""


def choose(model: Model) -> tuple[Solver[Any, Any], str]:
    """A good solver for a model, and why."""
    if model.why_not(LinearSystem) is None:
        return _for_linear(model.view(LinearSystem))
    if model.why_not(SaddlePoint) is None:
        return PrimalDual(), f"{model.title} is convex with a saddle-point form"
    if model.why_not(SmoothEnergy) is None:
        return _for_smooth(model.view(SmoothEnergy))
    return GradientDescent(), f"{model.title} offers its energy and nothing more"


def _for_linear(view: LinearSystem) -> tuple[Solver[Any, Any], str]:
    if view.reach is None or view.wraps:
        return ConjugateGradient(), f"{view.title} is a linear system of which only products are known"
    condition = _condition(view)
    if condition <= MILD:
        return (
            ConjugateGradient(),
            f"{view.title} is a linear system with a condition of at most {condition:.0f}",
        )
    if _quick(view, condition):
        return (
            ConjugateGradient(),
            f"{view.title} is a biharmonic system whose steps are cheaper than multigrid saves",
        )
    return (
        ConjugateGradient(preconditioner=Multigrid()),
        f"{view.title} is an ill-conditioned linear system, and multigrid makes the steps independent of its size",
    )


def _quick(view: LinearSystem, condition: float) -> bool:
    """Whether steps of a fused sweep are so cheap that plain conjugate gradients win against multigrid.

    For the 5-point Laplacian they do not: multigrid is fused too; with 5 % known pixels 6 of its steps take 0.6
    of the time of 90 plain ones (2048 x 2048, one thread), with 20 % 5 the time of 50, with 0.1 % a tenth. The
    biharmonic operator has multigrid in plain PyTorch only, a step of which costs some 90 plain ones (256 x 256);
    with 5 % known pixels 23 steps take three times as long as 710 plain ones, with 1 % half as long as 2050.
    """
    system = view.laplacian
    if system is None or system.order != 2 or not serves(system.data.detach()):
        return False
    if condition <= QUICK:
        return True
    return system.free is not None and float(system.free.double().mean(dim=(2, 3)).max()) <= 1 - DENSE


def _for_smooth(view: SmoothEnergy) -> tuple[Solver[Any, Any], str]:
    condition = _condition(view)
    if condition < float("inf"):
        return AcceleratedGradient(), f"{view.title} is smooth with a condition of at most {condition:.0f}"
    return LBFGS(), f"{view.title} is smooth"


def _condition(view: SmoothEnergy) -> float:
    """A bound of the ratio of the largest and the smallest curvature; infinite where none is known."""
    if view.lipschitz is None or not view.modulus > 0:
        return float("inf")
    return float(torch.as_tensor(view.lipschitz).detach().max()) / view.modulus


def accepting(model: Model, among: Mapping[str, Solver[Any, Any]] | None = None) -> dict[str, Solver[Any, Any]]:
    """The solvers that accept a model, by name; of those ``among`` others than ``SOLVERS``, if said."""
    solvers = SOLVERS if among is None else among
    return {name: solver for name, solver in solvers.items() if model.why_not(solver.accepts) is None}


def check_accepts(
    solver: Solver[Any, Any], model: Model, among: Mapping[str, Solver[Any, Any]] | None = None
) -> None:
    """See that a solver accepts a model.

    Raises:
        ViewError: it does not; the message says why, and which solvers do.
    """
    reason = model.why_not(solver.accepts)
    if reason is None:
        return
    able = list(dict.fromkeys(other.title for other in accepting(model, among).values()))
    names = ", ".join(able[:-1]) + " and " + able[-1] if len(able) > 1 else "".join(able)
    which = f"{names} accept{'s' if len(able) == 1 else ''} it." if able else "No solver accepts it."
    raise ViewError(
        f"{solver.title} needs a {solver.accepts.__name__}, and {model.title} is none: {reason}. {which}"
    )
