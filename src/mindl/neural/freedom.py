"""What of a solver or a model is set free: parameters that change nothing until they are trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from mindl.calculus.safe import confined
from mindl.core.errors import InputError
from mindl.models import Model
from mindl.solvers.solver import Bounds, Numbers, Solver

M = TypeVar("M", bound=Model)


class Freedom(nn.Module, ABC):
    """A part that is learned, in a network that is a solver (``Unrolled``, ``Equilibrium``).

    At first it is what it was: the network equals its solver. With ``bounded`` it stays within what the solver's
    proofs rest on, whatever it learns.

    Args:
        shared: whether all steps have the same, or each its own.
        bounded: whether it is kept within its bounds.
    """

    further: int = 0
    """How many groups of a field it adds to those of the model."""
    keeps_dual: bool = True
    """Whether the dual field still belongs to the model."""

    def __init__(self, *, shared: bool, bounded: bool) -> None:
        super().__init__()
        self.shared, self.bounded = shared, bounded
        self._prepared = False

    def prepare(self, solver: Solver[Any, Any], steps: int, further: int) -> None:
        """Make the parameters for a solver of so many steps, and so many further groups of a field.

        Raises:
            InputError: the solver does not have what is set free; or it belongs to another network already.
        """
        if self._prepared:
            raise InputError(
                f"This {type(self).__name__} belongs to another network already: make a new one for each."
            )
        self._make(solver, 1 if self.shared else max(steps, 1), further)
        self._prepared = True

    @abstractmethod
    def _make(self, solver: Solver[Any, Any], copies: int, further: int) -> None:
        """Make the parameters, so many of each."""

    def why_not(self, model: Model) -> str | None:
        """What the model lacks, as half a sentence; None where it lacks nothing."""
        return None

    def on_model(self, model: M, step: int, *, dual: bool) -> M:
        """The model of a step; ``dual``: for a method that works on the dual field."""
        return model

    def on_numbers(self, numbers: Numbers, bounds: Callable[[Numbers], Bounds], step: int) -> Numbers:
        """The numbers of a step."""
        return numbers

    def on_state(self, solver: Solver[Any, Any], view: Any, state: Any, memory: Any, step: int) -> tuple[Any, Any]:
        """The state after a step, and what this part keeps for the next one (None before the first)."""
        return state, memory

    def of_step(self, values: Tensor, step: int) -> Tensor:
        """Those of a step."""
        return values[0 if self.shared else step]

    def extra_repr(self) -> str:
        """What it was made with."""
        return f"shared={self.shared}, bounded={self.bounded}"


class FreeNumbers(Freedom):
    """Numbers of the solver's step, by their names."""

    names: tuple[str, ...]

    def _make(self, solver: Solver[Any, Any], copies: int, further: int) -> None:
        counts = {name: count for name, count in solver.learnable.items() if name in self.names}
        if not counts:
            has = ", ".join(solver.learnable) or "none at all"
            raise InputError(
                f"{type(self).__name__} sets {' or '.join(self.names)} free, and the numbers of a step of "
                f"{solver.title} are: {has}."
            )
        self.values = nn.ParameterDict({name: torch.zeros(copies, count) for name, count in counts.items()})

    def on_numbers(self, numbers: Numbers, bounds: Callable[[Numbers], Bounds], step: int) -> Numbers:
        """Each moved by what was learned and, one after the other, confined to its bounds."""
        found = dict(numbers)
        # In the solver's order, since the bound of a number rests on those before it; a ParameterDict sorts
        # by name.
        for name in [name for name in numbers if name in self.values]:
            usual, learned = found[name], self.of_step(self.values[name], step).double()
            several = isinstance(usual, Tensor) and learned.numel() > 1
            found[name] = self.moved(usual, learned.to(usual) if several else learned[0])  # type: ignore[arg-type]
            limits = bounds(found).get(name) if self.bounded else None
            if limits is not None:
                found[name] = confined(torch.as_tensor(found[name]), *limits)
        return found

    @abstractmethod
    def moved(self, usual: float | Tensor, learned: Tensor) -> Tensor:
        """The number, once something was learned; at 0 the usual one."""


class StepSizes(FreeNumbers):
    r"""The step sizes of a solver, and what takes their place (the dual step size, ADMM's penalty): times
    :math:`e^\theta`.

    Bounded, explicit steps stay below their stable size, gradient steps below 2 / lipschitz, and those of
    primal-dual methods satisfy :math:`\tau \sigma \|K\|^2 \le 1`. Of the single steps of a FED cycle no bound is
    known.

    Args:
        shared: one for all steps. Steps of their own (the default) are what FED has by design.
        bounded: within the solver's bounds.

    >>> import mindl as md
    >>> net = md.neural.Unrolled(md.solvers.PrimalDual(), steps=10, learn=[StepSizes()])
    >>> sum(p.numel() for p in net.parameters())
    20
    """

    names = ("step_size", "dual_step_size", "penalty")

    def __init__(self, *, shared: bool = False, bounded: bool = True) -> None:
        super().__init__(shared=shared, bounded=bounded)

    def moved(self, usual: float | Tensor, learned: Tensor) -> Tensor:
        """exp(learned) times."""
        return learned.exp() * usual


class Extrapolation(FreeNumbers):
    r"""How far steps are extrapolated (momentum), and the relaxation of constant primal-dual steps: plus
    :math:`\theta`.

    In a network these are the weights of a second skip connection, from the block before the last. Bounded, they
    stay where the method is known to converge (primal-dual: theta in [0, 1], rho below 2; dual FISTA: not more
    than usual; Du Fort and Frankel: alpha between 0 and 2). Of the single steps of an FSI cycle no bound is known.

    Args:
        shared: one for all steps, or one for each (the default).
        bounded: within the solver's bounds.

    >>> import mindl as md
    >>> net = md.neural.Unrolled(md.solvers.FSI(5), steps=2, learn=[Extrapolation()])
    >>> sum(p.numel() for p in net.parameters())
    10
    """

    names = ("extrapolation",)

    def __init__(self, *, shared: bool = False, bounded: bool = True) -> None:
        super().__init__(shared=shared, bounded=bounded)

    def moved(self, usual: float | Tensor, learned: Tensor) -> Tensor:
        """Plus learned."""
        return learned + usual
