"""Who looks on while a solver works."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from mindl.core.arrays import PerImageFlag
from mindl.models.certificate import Certificate
from mindl.solvers.stop import Stop


@runtime_checkable
class Watch(Protocol):
    """Called at every check of the stopping rule."""

    def checked(self, steps: int, certificate: Certificate, done: PerImageFlag, stop: Stop) -> None:
        """``steps`` are done; ``done`` tells which images have stopped."""


class Silent:
    """Looks on and says nothing."""

    def checked(self, steps: int, certificate: Certificate, done: PerImageFlag, stop: Stop) -> None:
        """Nothing."""
