"""What stands for the inverse of a matrix."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from mindl.core.arrays import Image
from mindl.models.views import LinearSystem

Correct = Callable[[Image], Image]
"""r -> B r, roughly the inverse of A applied to r; it vanishes at fixed pixels."""


class Preconditioner(ABC):
    """Makes B for a linear system; with ``symmetric`` it is symmetric positive definite on the free pixels."""

    @abstractmethod
    def prepare(self, view: LinearSystem, like: Image, *, symmetric: bool) -> Correct:
        """B for residuals of the shape and type of ``like``.

        Raises:
            InputError: a hyperparameter breaks its bound for this matrix, or the matrix cannot be taken apart.
        """
