"""What a time-stepping scheme is: a solver whose steps cover time."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, cast

from torch import Tensor

from mindl.core.arrays import Dual, Image, exporting
from mindl.core.errors import InputError
from mindl.models.candidate import Candidate
from mindl.models.flow import Flow
from mindl.models.flow_views import Quasilinear
from mindl.solvers.solver import Numbers, Solver

FlowView = TypeVar("FlowView", bound=Flow)


@dataclass(frozen=True, eq=False)
class Moment:
    """The image at a time; a dual field where the scheme finds one; the work so far; the image before.

    Schemes of one step forget the image before.
    """

    image: Image
    time: float
    dual: Dual | None = None
    work: int = 0
    before: Image | None = None


class Scheme(Solver[FlowView, Moment], Generic[FlowView]):
    """A time-stepping scheme. Concrete ones write ``span`` and ``over``.

    In ``evolve`` the steps are as long as they may be, all of one length that divides the time; in
    ``steady_state`` every step covers ``span``.
    """

    applications = 1
    memoryless = True

    @abstractmethod
    def span(self, view: FlowView) -> float:
        """The time that one step covers at most.

        Raises:
            InputError: a step size beyond its bound for this flow, or none where none is known.
        """

    @abstractmethod
    def over(self, view: FlowView, moment: Moment, duration: float) -> Moment:
        """One step that covers ``duration``, at most ``span``."""

    def begin(self, view: FlowView, start: Candidate) -> Moment:
        """The start, made admissible, at time 0."""
        self.span(view)
        return Moment(view.project(start.image).clone(), 0.0)

    def step(self, view: FlowView, state: Moment) -> Moment:
        """One step of ``span``."""
        return self.over(view, state, self.span(view))

    @property
    def learnable(self) -> dict[str, int]:
        """The time that a step covers."""
        return {"step_size": 1}

    def numbers(self, view: FlowView, state: Moment) -> Numbers:
        """The span."""
        return {"step_size": self.span(view)}

    def step_with(self, view: FlowView, state: Moment, numbers: Numbers) -> Moment:
        """One step of another length, which may be a tensor that autograd follows."""
        duration = numbers["step_size"]
        return replace(self.over(view, state, cast(float, duration)), time=state.time + value_of(duration))

    def candidate(self, view: FlowView, state: Moment) -> Candidate:
        """The image."""
        return Candidate(state.image)

    def work(self, state: Moment, steps: int) -> int:
        """Rates and products with frozen matrices."""
        return state.work


def value_of(duration: float | Tensor) -> float:
    """A duration as a number: autograd does not follow the time."""
    if exporting():
        return cast(float, duration)  # a tensor stands for the number
    return float(duration.detach()) if isinstance(duration, Tensor) else duration


def check_step_size(scheme: object, step_size: Any, *, optional: bool = False) -> None:
    """See that a step size is positive and finite."""
    if optional and step_size is None:
        return
    if not isinstance(step_size, float | int) or not 0 < step_size < float("inf"):
        raise InputError(f"{type(scheme).__name__}(step_size={step_size}) must be above 0 and finite.")


def check_share(scheme: object, tolerance: Any) -> None:
    """See that a tolerance lies between 0 and 1."""
    if not isinstance(tolerance, float | int) or not 0 < tolerance < 1:
        raise InputError(f"{type(scheme).__name__}(tolerance={tolerance}) must lie between 0 and 1.")


def bounded_step(scheme: object, step_size: float | None, view: Flow) -> float:
    """The step size that was asked for, or the largest stable one.

    Raises:
        InputError: it is beyond the bound; none is stable; or none is known and none was given.
    """
    name, bound = type(scheme).__name__, view.stable_step
    if bound == 0:
        raise InputError(
            f"No step size of {name}() is stable for {view.title}: its rate jumps. ImplicitEuler() serves it."
        )
    if step_size is None:
        if bound is None:
            raise InputError(
                f"{view.title} does not say which steps are stable (Flow.stable_step), and {name} needs to know: "
                "Explicit(step_size=...) takes one of yours."
            )
        return bound
    if bound is not None and step_size > bound * (1 + 1e-9):
        cure = " SemiImplicit() has none." if isinstance(view, Quasilinear) else ""
        raise InputError(
            f"{name}(step_size={step_size:.9g}) is unstable: for {view.title} the bound is {bound:.9g}.{cure}"
        )
    return step_size
