"""A solver as a network: its steps one after the other, with parts of them set free."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import nn

from mindl.core.errors import InputError
from mindl.models import Candidate, Model, SaddlePoint
from mindl.neural.freedom import Freedom, FreeNumbers
from mindl.neural.neural_solver import NeuralSolver
from mindl.solvers.solver import Numbers, Solver


class SolverNetwork(NeuralSolver):
    """A solver whose step has parts that are learned: what ``Unrolled`` and ``Equilibrium`` share."""

    def __init__(
        self, solver: Solver[Any, Any], steps: int, learn: Sequence[Freedom], *, title: str | None
    ) -> None:
        super().__init__(channels=None, title=title)
        if not isinstance(solver, Solver):
            raise InputError(f"{type(self).__name__}(solver) needs a solver such as PrimalDual(), got {solver!r}.")
        wrong = [learn] if not isinstance(learn, Sequence) else [p for p in learn if not isinstance(p, Freedom)]
        if wrong:
            raise InputError(
                f"{type(self).__name__}(learn) lists what is set free, such as [StepSizes()], got {wrong[0]!r}."
            )
        kinds = [type(part).__name__ for part in learn]
        twice = sorted({kind for kind in kinds if kinds.count(kind) > 1})
        if twice:
            raise InputError(f"{type(self).__name__}(learn) names {', '.join(twice)} more than once.")
        if learn and not solver.differentiable:
            raise InputError(
                f"{solver.title} searches its steps, which autograd does not follow: nothing can be learned "
                "through them. GradientDescent() or LaggedDiffusivity() will do."
            )
        self.solver, self.accepts = solver, solver.accepts
        for part in learn:
            part.prepare(solver, steps, sum(each.further for each in learn))
        self.learn = nn.ModuleList(learn)

    @property
    def freedoms(self) -> list[Freedom]:
        """What is learned."""
        return list(self.learn)  # type: ignore[arg-type]

    def why_not(self, model: Model) -> str | None:
        """What is set free must be there."""
        for part in self.freedoms:
            reason = part.why_not(model)
            if reason is not None:
                return f"for {type(part).__name__} {reason}"
        return None

    def freed(self, model: Model, step: int) -> Any:
        """The view of the model that a step works on: with what was learned."""
        dual = issubclass(self.accepts, SaddlePoint)
        for part in self.freedoms:
            model = part.on_model(model, step, dual=dual)
        return model.view(self.accepts)

    def advanced(self, base: Any, view: Any, state: Any, step: int) -> Any:
        """One step: ``base`` is the model's own view, which says the usual numbers and their bounds."""
        numbers = self.numbers(base, state, step)
        return self.solver.step_with(view, state, numbers) if numbers else self.solver.step(view, state)

    def numbers(self, base: Any, state: Any, step: int) -> Numbers:
        """The numbers of a step, with what was learned; none where the solver has none."""
        numbers = self.solver.numbers(base, state)
        for part in self.freedoms:
            if not numbers and isinstance(part, FreeNumbers):
                raise InputError(
                    f"{self.solver.title} searches its step sizes for {base.title}, so that "
                    f"{type(part).__name__} has nothing to set free; GradientDescent(step_size=...) has one."
                )
            if numbers:
                numbers = part.on_numbers(numbers, partial(self.solver.bounds, base), step)
        return numbers

    def corrected(self, view: Any, state: Any, memories: list[Any], step: int) -> tuple[Any, list[Any]]:
        """The state with what parts that work on states make of it, and their memories."""
        kept = []
        for part, memory in zip(self.freedoms, memories, strict=True):
            state, memory = part.on_state(self.solver, view, state, memory, step)
            kept.append(memory)
        return state, kept

    def answered(self, model: Model, candidate: Candidate) -> Candidate:
        """The candidate as one of the model: without a dual field that is not the model's."""
        dual = candidate.dual if all(part.keeps_dual for part in self.freedoms) else None
        return Candidate(model.project(candidate.image), dual)


class Unrolled(SolverNetwork):
    r"""So many steps of a solver as the layers of a network.

    Every layer is the solver's own step. As long as nothing is learned, the network **equals** the solver; then
    what ``learn`` names is set free piece by piece, within bounds that keep what is proved of the solver, or
    without them. The connections to architectures that this makes:

    ======================================================  ====================================================
    solver                                                  network
    ======================================================  ====================================================
    ``Explicit``, ``GradientDescent``                       residual blocks with K and -K^T
    ``DuFortFrankel``, ``FSI`` (a cycle is n blocks)        a second skip connection, constant or growing
    ``FED``                                                 residual blocks with step sizes of their own
    ``SemiImplicit``, ``LaggedDiffusivity``                 blocks with a linear solve that is differentiated
    ``PrimalDual``, ``DualFISTA``, ``ADMM``                 learned primal-dual, LISTA on the dual, unrolled ADMM
    ``HaarShrinkage``                                       two layers with Haar's filters and shrinkage
    ``Explicit`` for ``edge_enhancing_diffusion``           four directional convolutions, weighted by a tensor
    ======================================================  ====================================================

    Args:
        solver: any solver, or time-stepping scheme (a step covers its ``span``).
        steps: how many, at least 0.
        learn: what is set free: ``StepSizes``, ``Extrapolation``, ``SplinePenaliser``, ``RadialPenaliser``,
            ``Filters``, ``ModelWeight``, ``DiffusionTensor``. Nothing: the solver as it is.
        title: the name in messages and tables.

    Raises:
        InputError: something else than a solver or its parts, fewer than 0 steps, or something set free that the
            solver does not have. A model that does not have it is refused when the network is called.

    Source: Gregor and LeCun, ICML 2010 (ISTA); Chen and Pock (2017); Adler and Oktem, IEEE Trans. Med. Imaging 37
    (2018); Alt, Schrader, Augustin, Peter and Weickert, J. Math. Imaging Vis. 65 (2023).

    >>> import torch, mindl as md
    >>> net = Unrolled(md.solvers.PrimalDual(), steps=10, learn=[md.neural.StepSizes()])
    >>> net
    Unrolled (PrimalDual, 10 steps, 20 parameters)
    >>> model = md.models.rof(torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0)), weight=0.1)
    >>> ten = md.minimise(model, md.solvers.PrimalDual(), stop=md.Stop(1e-6, steps=10))
    >>> torch.allclose(net(model).image, ten.image)
    True
    """

    def __init__(
        self, solver: Solver[Any, Any], steps: int, learn: Sequence[Freedom] = (), *, title: str | None = None
    ) -> None:
        if not isinstance(steps, int) or steps < 0:
            raise InputError(f"Unrolled(steps={steps}) must be a whole number, at least 0.")
        super().__init__(solver, steps, learn, title=title)
        self.steps = steps

    def forward(self, model: Model, start: Candidate | None = None) -> Candidate:
        """The candidate after all steps, from the model's start or another one."""
        self.check(model)
        start = Candidate(model.start()) if start is None else start
        base: Any = model.view(self.accepts)
        state: Any = None
        view, memories = base, [None] * len(self.freedoms)
        for k in range(self.steps):
            view = self.freed(model, k)
            if state is None:
                state = self.solver.tuned(base, self.solver.begin(view, start))
            state = self.advanced(base, view, state, k)
            state, memories = self.corrected(view, state, memories, k)
        if state is None:
            return Candidate(model.project(start.image), start.dual)
        return self.answered(model, self.solver.candidate(view, state))

    @property
    def about(self) -> str:
        """Solver and steps."""
        return f"{self.solver.title}, {self.steps} step{'s' * (self.steps != 1)}"
