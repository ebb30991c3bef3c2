"""What every solver is: a record of hyperparameters, with a step that is pure and a twin in place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from mindl.core.arrays import Dual, Image, PerImage, PerImageFlag
from mindl.core.errors import InputError
from mindl.models.candidate import Candidate
from mindl.models.model import Model

View = TypeVar("View", bound=Model)
State = TypeVar("State")

Numbers = Mapping[str, float | Tensor]
"""Numbers of a step by name: ``step_size``, ``dual_step_size``, ``penalty``, ``extrapolation``."""

Bounds = dict[str, tuple[float | Tensor, float | Tensor]]
"""The least and the largest value of numbers, by name."""


@runtime_checkable
class Method(Protocol):
    """Whatever finds answers: a solver, a network, or one after the other."""

    @property
    def title(self) -> str:
        """The name in messages and tables."""


class Solver(ABC, Generic[View, State]):
    """How a solution is found. Concrete solvers are frozen dataclasses of hyperparameters.

    ``accepts`` is the view that the solver works on. ``begin`` makes a state that owns its tensors,
    ``step`` maps a state to the next one (pure, differentiable), and ``advance`` does ``n`` steps in place.

    A step whose ``numbers`` are others, learned ones say, is ``step_with``; ``bounds`` says within which of them
    the solver's promises still hold.
    """

    accepts: ClassVar[type[Any]]
    applications: ClassVar[int]
    """Applications of the model's operator (L, its adjoint, A or a gradient) in one step."""
    guarantee: ClassVar[str] = ""
    """What is proved of the iteration, in a few words."""
    cost: ClassVar[str] = ""
    """What a step costs."""
    differentiable: ClassVar[bool] = True
    """Whether autograd's derivative of a step is the derivative of the step: not where something is searched."""
    memoryless: ClassVar[bool] = False
    """Whether the image of a step follows from the image before it alone: u <- F(u)."""

    @property
    def title(self) -> str:
        """The class's name."""
        return type(self).__name__

    @abstractmethod
    def begin(self, view: View, start: Candidate) -> State:
        """The state before the first step.

        Raises:
            InputError: a hyperparameter breaks its bound for this model.
        """

    @abstractmethod
    def step(self, view: View, state: State) -> State:
        """One step; leaves ``state`` alone and can be differentiated."""

    @property
    def learnable(self) -> dict[str, int]:
        """The names of a step's numbers, and how many there are of each."""
        return {}

    def tuned(self, view: View, state: State) -> State:
        """A first state with the numbers that belong to a view, whatever view it was begun with."""
        return state

    def numbers(self, view: View, state: State) -> Numbers:
        """Those of the next step, as the solver would choose them."""
        return {}

    def bounds(self, view: View, numbers: Numbers) -> Bounds:
        """Between which values each number keeps what the solver promises, if the others are as given."""
        return {}

    def step_with(self, view: View, state: State, numbers: Numbers) -> State:
        """One step with these numbers."""
        return self.step(view, state)

    def advance(self, view: View, state: State, n: int) -> State:
        """``n`` steps; may overwrite ``state``. Equal to ``n`` calls of ``step`` up to rounding."""
        for _ in range(n):
            state = self.step(view, state)
        return state

    @abstractmethod
    def candidate(self, view: View, state: State) -> Candidate:
        """The answer that the state holds; its tensors may change with the next ``advance``."""

    @property
    def has_dual(self) -> bool:
        """Whether a state holds a dual field that ``with_dual`` may replace."""
        return False

    def with_dual(self, state: State, dual: Dual, moved: Image) -> State:
        """The state with another dual field, and its image moved along.

        Raises:
            InputError: the solver has none.
        """
        raise InputError(f"{self.title} has no dual field.")

    def stuck(self, state: State) -> PerImageFlag:
        """Which images cannot make progress any more (by default none)."""
        return torch.zeros((), dtype=torch.bool)

    def residual(self, state: State) -> PerImage | None:
        """The norm of a residual that the state holds, if certificates are proportional to it."""
        return None

    @property
    def heavy(self) -> bool:
        """Whether a step costs more than the check of the stopping rule, which then comes after every step."""
        return False

    def work(self, state: State, steps: int) -> int:
        """Applications of the model's operator in ``steps`` steps."""
        return self.applications * steps
