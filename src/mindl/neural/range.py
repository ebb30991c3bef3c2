"""What a network was trained for, and a word when it is asked for something else."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from mindl.core.arrays import Image
from mindl.core.errors import OutsideRangeWarning
from mindl.models import Model, TotalGeneralisedVariation, Variational, known_pixels

SLACK = 1e-3
"""Relative excess that still counts as inside: a weight of 0.75 * 25/255 may be rounded."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """The problems that a network was trained on. None: not restricted, or not known.

    Attributes:
        model: the model's name.
        noise: standard deviations of the noise, in [0, 1].
        weight: weights of the regulariser.
        known: shares of known pixels.
        values: smallest and largest value of the clean images.
    """

    model: str | None = None
    noise: tuple[float, float] | None = None
    weight: tuple[float, float] | None = None
    known: tuple[float, float] | None = None
    values: tuple[float, float] = (0.0, 1.0)

    def outside(self, model: Model) -> list[str]:
        """What a model asks beyond the range, each with the range, as half a sentence.

        >>> import mindl as md
        >>> Range(model="rof", weight=(0.02, 0.1)).outside(md.models.rof(torch.zeros(1, 1, 2, 2), weight=0.5))
        ['a weight of 0.5 (trained: 0.02 to 0.1)']
        """
        found = []
        if self.model is not None and model.title != self.model:
            found.append(f"{model.title} (trained: {self.model})")
        if isinstance(model, Variational | TotalGeneralisedVariation) and self.weight is not None:
            found += _beyond("a weight", torch.as_tensor(model.weight).flatten(), self.weight)
        known = known_pixels(model)
        if known is not None and self.known is not None:
            shares = known.mask.double().flatten(1).mean(dim=1)
            low, high = self.known
            pixel = 1 / known.mask[0].numel()  # a share of few pixels is rounded
            beyond = (shares < low - pixel) | (shares > high + pixel)
            found += _beyond("a share of known pixels", shares[beyond], self.known)
        if model.image_shape is not None:
            found += self._values_beyond(model.image_of(model.start()))
        return found

    def _values_beyond(self, data: Image) -> list[str]:
        """Data that leave the range of the clean images by more than the strongest noise explains."""
        reach = 6 * self.noise[1] if self.noise else 0.0
        low, high = self.values[0] - reach - SLACK, self.values[1] + reach + SLACK
        least, most = float(data.min()), float(data.max())
        if least >= low and most <= high:
            return []
        return [f"values from {least:.3g} to {most:.3g} (trained: {low:.3g} to {high:.3g})"]

    @property
    def about(self) -> str:
        """In words, what is known.

        >>> Range(model="rof", noise=(25 / 255, 25 / 255)).about
        'rof, noise 25/255 to 25/255'
        """
        parts = [self.model or "any model"]
        if self.noise:
            parts.append(f"noise {255 * self.noise[0]:.3g}/255 to {255 * self.noise[1]:.3g}/255")
        if self.weight:
            parts.append(f"weight {self.weight[0]:.2g} to {self.weight[1]:.2g}")
        if self.known:
            parts.append(f"{100 * self.known[0]:.3g} % to {100 * self.known[1]:.3g} % known")
        return ", ".join(parts)

    @property
    def config(self) -> dict[str, Any]:
        """Numbers and lists only."""
        return asdict(self)

    @staticmethod
    def of(config: dict[str, Any]) -> Range:
        """The range from its ``config``."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}
        return Range(**values)


def warning(title: str, trained: Range | None, model: Model) -> OutsideRangeWarning | None:
    """The warning that is due before a network answers a model, or None."""
    beyond = [] if trained is None else trained.outside(model)
    if not beyond:
        return None
    return OutsideRangeWarning(
        f"{title} was not trained for {', '.join(beyond)}: its answer may be poor. The certificate tells how far "
        "it is from the true solution, and a solver can go on from it."
    )


def _beyond(what: str, values: Tensor, bounds: tuple[float, float]) -> list[str]:
    low, high = bounds[0] * (1 - SLACK), bounds[1] * (1 + SLACK)
    outside = [value for value in values.tolist() if not low <= value <= high]
    if not outside:
        return []
    return [f"{what} of {outside[0]:.3g} (trained: {bounds[0]:.3g} to {bounds[1]:.3g})"]
