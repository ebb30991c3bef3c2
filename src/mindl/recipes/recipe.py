"""A recipe: everything that makes one set of weights, as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mindl.learning import Task, Training
from mindl.neural import NeuralSolver


@dataclass(frozen=True)
class Recipe:
    """Network, task and settings under one name; weights made by it bear the same name.

    Attributes:
        name: of recipe and weights.
        about: one line for lists and cards.
        make: the untrained network.
        task: what it learns to solve.
        examined: the task of the validation, at the setting that results are stated for.
        training: the settings.
        limits: what it is not for, for the card.
        leaves: dead leaves pictures that are trained on besides the user's images.
        only_images: whether the user's images, where there are some, are trained on without dead leaves.
        solved: how many problems are solved first, where solutions are learned from; 0 where none are.
    """

    name: str
    about: str
    make: Callable[[], NeuralSolver]
    task: Task
    examined: Task
    training: Training
    limits: str
    leaves: int = 64
    only_images: bool = False
    solved: int = 0
