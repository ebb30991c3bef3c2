"""What any solver returns."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mindl.core.arrays import Dual, Image, Unknown
from mindl.core.errors import NotSolvedError
from mindl.core.outcome import Outcome
from mindl.models.certificate import Certificate
from mindl.models.model import Model
from mindl.solvers.solver import Method
from mindl.solvers.stop import Stop


@dataclass(frozen=True, eq=False)
class Trace:
    """The measure at every check: one row a check, one column an image."""

    steps: Int[Tensor, "check"]
    seconds: Float[Tensor, "check"]
    bound: Float[Tensor, "check batch"]
    scale: Float[Tensor, "check batch"]


@dataclass(frozen=True, eq=False)
class Solution:
    """An answer, its certificate, and how it came about.

    Attributes:
        image: u, (batch, channel, height, width).
        unknown: all that was sought: u, and in some models further blocks (see ``Model.lift``).
        dual: the dual field where the solver has one.
        certificate: how far u is from the model's true solution.
        outcomes: how the search ended, per image; ``outcome`` is the worst of them.
        steps: steps done, per image.
        seconds: wall time of the search, checks included and the last proof excluded.
        work: applications of the model's operator, for the image that took longest.
        trace: the measure at every check.
        model: what was solved.
        stop: when it was to be good enough.
        solver: who found it: a solver, a network, or a network followed by a solver.
        why: why this solver was chosen, where none was named.
    """

    image: Image
    unknown: Unknown = field(repr=False)
    dual: Dual | None
    certificate: Certificate
    outcomes: tuple[Outcome, ...]
    steps: Int[Tensor, "batch"]
    seconds: float
    work: int
    trace: Trace
    model: Model = field(repr=False)
    solver: Method
    stop: Stop
    why: str = ""

    @property
    def outcome(self) -> Outcome:
        """The worst outcome of the batch."""
        return Outcome.worst(self.outcomes)

    def require(self) -> Solution:
        """The solution itself, if every image is certified.

        Raises:
            NotSolvedError: some image is not; ``error.solution`` holds what was reached.
        """
        if self.outcome.certified:
            return self
        short = [i for i, outcome in enumerate(self.outcomes) if not outcome.certified]
        which = "" if len(self.outcomes) == 1 else f" for {len(short)} of {len(self.outcomes)} images"
        raise NotSolvedError(f"{self!r}: not certified{which}; error.solution holds what was reached.", self)

    def __repr__(self) -> str:
        steps = int(torch.max(self.steps))
        batch = "" if len(self.outcomes) == 1 else f"{len(self.outcomes)} images of "
        asked = "" if self.stop.tolerance is None else f" (asked: {self.stop.tolerance:g})"
        return (
            f"<{batch}{self.model.title} by {self.solver!r} in {steps} steps, {self.seconds:.2f} s: "
            f"{self.outcome.value}{asked}; {self.certificate!r}>"
        )
