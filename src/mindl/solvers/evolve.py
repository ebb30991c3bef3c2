"""Following a flow to a time, with a proof of what the time steps have cost where there is one."""

from __future__ import annotations

import math
import time as clock
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from mindl.core.arrays import GREY_LEVELS, Image
from mindl.core.errors import InputError
from mindl.core.reduce import norm
from mindl.models.certificate import Certificate
from mindl.models.flow import Flow
from mindl.models.flow_views import ConvexFlow, Quasilinear
from mindl.models.model import Model
from mindl.models.time_steps import proved
from mindl.solvers.aos import AOS
from mindl.solvers.choosing import check_accepts
from mindl.solvers.du_fort_frankel import DuFortFrankel
from mindl.solvers.entry import start_of
from mindl.solvers.explicit import Explicit
from mindl.solvers.fed import FED
from mindl.solvers.fsi import FSI
from mindl.solvers.haar_shrinkage import HaarShrinkage
from mindl.solvers.implicit_euler import ImplicitEuler
from mindl.solvers.march import Watcher, march, march_accurately
from mindl.solvers.scheme import Scheme
from mindl.solvers.semi_implicit import SemiImplicit

SCHEMES: dict[str, Scheme[Any]] = {
    "explicit": Explicit(),
    "du-fort-frankel": DuFortFrankel(),
    "fed": FED(),
    "fsi": FSI(),
    "semi-implicit": SemiImplicit(),
    "aos": AOS(),
    "implicit": ImplicitEuler(),
    "haar-shrinkage": HaarShrinkage(),
}
"""The schemes by name, as they are when nothing is said of their parameters."""


FEW = 200
"""Explicit steps up to which accuracy is worth more than speed."""

PROVABLE = 1000
"""The same where the steps are proved."""


@dataclass(frozen=True, eq=False)
class Evolution:
    """An image that a flow has led to.

    Attributes:
        image: u at ``time``, (batch, channel, height, width).
        time: the time that was asked for.
        certificate: how far the time steps have led away from the true solution at that time, as of the 2-norm;
            ``rigorous`` is false, and the distance infinite, where the flow is not convex or has no energy.
        steps: how many steps.
        seconds: wall time, proof included.
        work: rates and products with frozen matrices.
        times: the times at the ends of the steps, beginning with 0.
        bounds: the proved error there in grey levels rms, one column an image.
        model: what was followed.
        solver: how.
        why: why this scheme was chosen, where none was named.
    """

    image: Image
    time: float
    certificate: Certificate
    steps: int
    seconds: float
    work: int
    times: Float[Tensor, "moment"] = field(repr=False)
    bounds: Float[Tensor, "moment batch"] = field(repr=False)
    model: Model = field(repr=False)
    solver: Scheme[Any]
    why: str = ""

    def __repr__(self) -> str:
        batch = "" if len(self.image) == 1 else f"{len(self.image)} images of "
        proof = (
            f"the time steps are proved to cost at most {float(self.certificate.rms.max()):.3g} grey levels rms"
            if self.certificate.rigorous
            else "nothing is proved of the time steps"
        )
        return (
            f"<{batch}{self.model.title} at time {self.time:g} by {self.solver!r} in {self.steps} steps, "
            f"{self.seconds:.2f} s: {proof}>"
        )


def evolve(
    model: Model,
    solver: Scheme[Any] | None = None,
    time: float | None = None,
    *,
    start: Image | None = None,
    accuracy: float | None = None,
    watch: Watcher | None = None,
) -> Evolution:
    """The image to which a flow leads in a time.

    Of a convex flow (``linear_diffusion``, ``charbonnier_flow``, ``huber_flow``, ``tv_flow``) it is proved how far
    the time steps have led away from the true solution, whatever the scheme (``models.time_steps``).

    Args:
        model: a ``Flow``; smooth energies descend.
        solver: a scheme; without one a suitable one is chosen, and ``why`` says why. Steps are of one length, as
            long as the scheme allows, that divides the time.
        time: at least 0, in the units of the squared grid size; 0 returns the start.
        start: the image at time 0; the model's data by default.
        accuracy: a proved error of the time steps, in grey levels rms, that is to be met: the steps of convex
            flows become as short as it takes, those of each image on their own.
        watch: called with time and image at 0 and after every step; with an ``accuracy``, in the end, with the
            steps of each image that count.

    Raises:
        ViewError: the scheme does not accept the model.
        InputError: a negative time, a step size beyond its bound, a start of another shape; an accuracy for a
            flow that is not convex, or finer than the image's type.
        NonFiniteError: the image is not finite any more.

    >>> import mindl as md
    >>> noisy = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    >>> result = evolve(md.models.charbonnier_flow(noisy), md.solvers.Explicit(), 2.0, accuracy=1.0)
    >>> result.certificate.rigorous, bool(result.certificate.rms <= 1.0)
    (True, True)
    """
    if not isinstance(model, Model):
        raise InputError(f"evolve(model) needs a flow such as tv_flow(data), got {type(model).__name__}.")
    if isinstance(solver, float | int):
        raise InputError(f"evolve(model, solver, time): the second argument is a scheme; say time={solver}.")
    if watch is not None and not callable(watch):
        raise InputError(f"evolve(watch) is called with time and image; got {watch!r}.")
    if not isinstance(time, float | int) or not 0 <= time < math.inf:
        raise InputError(f"evolve(model, solver, time={time}) needs a time of at least 0, and finite.")
    why = ""
    if solver is None:
        solver, why = choose_scheme(model, float(time))
    if not isinstance(solver, Scheme):
        raise InputError(
            f"evolve(solver) needs a time-stepping scheme, got {solver!r}; there are "
            f"{', '.join(scheme.title for scheme in SCHEMES.values())}."
        )
    check_accepts(solver, model, SCHEMES)
    view: Any = model.view(solver.accepts)
    first = start_of(model, start, "evolve").image
    _check_accuracy(accuracy, view)
    look = watch or (lambda time, image: None)
    begun = clock.perf_counter()
    with torch.no_grad():
        if accuracy is None:
            run = march(view, solver, first, float(time), look)
        else:
            run = march_accurately(view, solver, first, float(time), accuracy, watch)
        travelled = norm(run.image.double() - first)
        certificate = proved(run.image, travelled, run.error, rigorous=isinstance(view, ConvexFlow))
    return Evolution(
        image=model.image_of(run.image),
        time=float(time),
        certificate=certificate,
        steps=run.steps,
        seconds=clock.perf_counter() - begun,
        work=run.work,
        times=torch.tensor(run.times, dtype=torch.float64),
        bounds=torch.stack(run.errors) * (GREY_LEVELS / math.sqrt(first[0].numel())),
        model=model,
        solver=solver,
        why=why,
    )


def choose_scheme(model: Model, time: float = 1.0) -> tuple[Scheme[Any], str]:
    """A good scheme for a flow, and why."""
    if model.why_not(ConvexFlow) is None:
        stable = model.view(ConvexFlow).stable_step
        if stable == 0:
            why = f"the rate of {model.title} jumps, so no explicit step is stable"
            return ImplicitEuler(step_size=max(time, 1e-30) / 10), why
        if stable is not None and time <= PROVABLE * stable:
            return Explicit(), f"{model.title} is convex, and explicit steps have the sharpest proof"
    if model.why_not(Quasilinear) is None:
        stable = model.view(Quasilinear).stable_step
        if stable is None:
            return SemiImplicit(), f"{model.title} has a symmetric matrix, and no step is known to be stable"
        if time > FEW * stable:
            return FED(5), f"{model.title} has a symmetric matrix, and short cycles of explicit steps go far"
    return Explicit(), f"{model.title} offers its rate, and the time is short"


def _check_accuracy(accuracy: float | None, view: Flow) -> None:
    if accuracy is None:
        return
    if not isinstance(accuracy, float | int) or not 0 < accuracy < math.inf:
        raise InputError(f"evolve(accuracy={accuracy}) must be above 0 grey levels, and finite.")
    if not isinstance(view, ConvexFlow):
        raise InputError(
            f"evolve(accuracy={accuracy:g}) can be promised of convex flows only, such as charbonnier_flow; of "
            f"{view.title} no error of the time steps is proved."
        )
