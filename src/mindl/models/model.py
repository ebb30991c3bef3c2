"""What a model is: a record of what is sought, and the views of it that a solver may ask for."""

from __future__ import annotations

from abc import ABC
from typing import TypeVar

import torch
from torch import Tensor

from mindl.core.arrays import Image, PerImageFlag
from mindl.core.errors import InputError, ViewError

V = TypeVar("V", bound="Model")


class Model(ABC):
    """What is sought: an immutable record that never knows how it is solved."""

    @property
    def title(self) -> str:
        """The name by which messages and tables call the model."""
        return type(self).__name__

    def view(self, kind: type[V]) -> V:
        """The model as a ``kind``.

        Raises:
            ViewError: the model has no such view; the message says why.
        """
        if isinstance(self, kind):
            return self
        raise ViewError(f"{self.title} is no {kind.__name__}: {self.why_not(kind)}.")

    def why_not(self, kind: type[Model]) -> str | None:
        """The reason why the model has no view ``kind``, as half a sentence; None if it has it."""
        if isinstance(self, kind):
            return None
        return f"it is defined as {_article(type(self).__mro__[1].__name__)} and offers nothing more"

    def start(self) -> Image:
        """The image from which a solver begins when it is told nothing else.

        Raises:
            InputError: the model names none.
        """
        raise InputError(f"{self.title} names no start: pass one, or define start(self) in the model.")

    @property
    def image_shape(self) -> torch.Size | None:
        """The shape that candidates must have; None where the model names no start to tell it."""
        try:
            start = self.start()
        except InputError:
            return None
        if not isinstance(start, Tensor):
            raise InputError(
                f"{self.title}.start() must return a tensor (batch, channel, height, width), got "
                f"{type(start).__name__}."
            )
        return start.shape

    def lift(self, image: Image, near: Image | None = None) -> Image:
        """The unknown that belongs to an image: the image itself, unless the unknown has more blocks.

        An unknown is handed on as it is. ``near`` is an unknown whose other blocks are taken.

        Raises:
            InputError: another shape than the data's.
        """
        if self.image_shape is not None and image.shape != self.image_shape:
            raise InputError(
                f"{self.title} needs an image of the data's shape {tuple(self.image_shape)}, got "
                f"{tuple(image.shape)}."
            )
        return image

    def image_of(self, unknown: Image) -> Image:
        """The image in an unknown."""
        return unknown

    def admissible(self, image: Image) -> PerImageFlag:
        """Which images satisfy the model's hard constraints (by default all)."""
        return torch.ones(image.shape[0], dtype=torch.bool, device=image.device)

    def project(self, image: Image) -> Image:
        """The nearest admissible image (by default the image itself)."""
        return image

    def move(self, image: Image, step: Image) -> tuple[Image, Image]:
        """The image after a step, made admissible, and the step that was really made.

        Where the projection does nothing this is ``step`` itself, free of the rounding of a difference.
        """
        raw = image + step
        moved = self.project(raw)
        return moved, torch.where(moved == raw, step, moved - image)


def _article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "AEIOU" else f"a {noun}"
