"""How a computation ended, as a value."""

from __future__ import annotations

from enum import Enum


class Outcome(Enum):
    """How the search for one image's solution ended. Only ``CERTIFIED`` is proved to the tolerance."""

    CERTIFIED = "certified"
    """The stopping rule is met, and a proved bound says so."""
    STATIONARY = "stationary, not certified"
    """The stopping rule is met, but nothing is proved of the distance (say, an energy of one's own)."""
    FIXED = "a fixed number of steps, not judged"
    """No tolerance was asked for: the given number of steps was done."""
    STEP_LIMIT = "step limit reached, not certified"
    """The steps were used up first."""
    UNFINISHED = "a network's answer, not certified to the tolerance"
    """A network's answer does not reach the tolerance, and no solver was asked to go on from it."""
    STALLED = "stalled, not certified"
    """No further progress is possible: rounding, or no descent along the line."""
    DIVERGED = "diverged, not certified"
    """Values became NaN or infinite; the image is the last finite one."""

    @property
    def certified(self) -> bool:
        """Whether a proof holds to the tolerance that was asked for."""
        return self is Outcome.CERTIFIED

    @property
    def met(self) -> bool:
        """Whether the stopping rule is met (proved or not)."""
        return self in (Outcome.CERTIFIED, Outcome.STATIONARY, Outcome.FIXED)

    @staticmethod
    def worst(outcomes: tuple[Outcome, ...]) -> Outcome:
        """The least favourable of several outcomes (the order of the definitions above)."""
        order = list(Outcome)
        return max(outcomes, key=order.index)
