"""What a network is shown of a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from mindl.calculus import TotalVariation, pull_push
from mindl.core.arrays import Image, PerImage, per_image
from mindl.core.errors import ViewError
from mindl.core.reduce import total
from mindl.images.noise import estimate_noise
from mindl.models import HalfSquared, Model, TotalGeneralisedVariation, Variational, known_pixels

LEAST_NOISE = 1e-3
"""The noise of an image without any, so that it has a unit."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What a network is shown, and how its output is meant.

    Attributes:
        values: features of each channel, (batch, channel, feature, height, width), of order 1.
        base: the image that an answer of zero stands for.
        unit: the grey values that an output of 1 stands for, one number per image.
    """

    values: Tensor
    base: Image
    unit: PerImage


@dataclass(frozen=True)
class Reading(ABC):
    """Turns a model into tensors for a network. ``features`` counts those of one image channel."""

    @property
    def features(self) -> int:
        """Features of each image channel."""
        return 1

    def why_not(self, model: Model) -> str | None:
        """What the model lacks to be read, as half a sentence; None where it lacks nothing."""
        return None

    def __call__(self, model: Model) -> Shown:
        """Features, base and unit.

        Raises:
            ViewError: the model does not have what is to be shown.
        """
        reason = self.why_not(model)
        if reason is not None:
            raise ViewError(f"A network that reads {type(self).__name__} cannot answer {model.title}: {reason}.")
        return self.show(model)

    @abstractmethod
    def show(self, model: Model) -> Shown:
        """Features, base and unit of a model that can be read."""


class Start(Reading):
    """The image from which a solver would begin, without its mean. Any model that names one can be read.

    >>> import mindl as md
    >>> model = md.models.rof(torch.tensor([[[[0.0, 1.0]]]]), weight=0.1)
    >>> Start()(model).values.flatten().tolist()
    [-0.5, 0.5]
    """

    def show(self, model: Model) -> Shown:
        """One feature; the base is the start, the unit 1."""
        base = model.start()
        return Shown(_centred(model.image_of(base))[:, :, None], base, _ones(base))


class InUnitsOfWeight(Reading):
    r"""The data without their mean, in units of the weight: :math:`(f - \bar f) / (4 w)`.

    Total variation denoising is homogeneous: (c f, c w) has the solution c u. A network that sees f / w and
    answers u / w has this property whatever its weights, and one network serves every weight. With a weight in
    proportion to the noise, as photographs ask for, the noise always looks the same to it: about 1/3.

    >>> import mindl as md
    >>> model = md.models.rof(torch.tensor([[[[0.0, 1.0]]]]), weight=0.25)
    >>> InUnitsOfWeight()(model).values.flatten().tolist()
    [-0.5, 0.5]
    """

    def why_not(self, model: Model) -> str | None:
        """It needs half a squared distance to the data, and a norm: total variation, of first or second order."""
        if isinstance(model, TotalGeneralisedVariation):
            return None
        homogeneous = (
            isinstance(model, Variational)
            and isinstance(model.data_term, HalfSquared)
            and isinstance(model.penaliser, TotalVariation)
        )
        return None if homogeneous else "it has no half squared data term with total variation"

    def show(self, model: Model) -> Shown:
        """One feature; the base is the data (the start, where there is more to find), the unit the weight."""
        assert isinstance(model, Variational | TotalGeneralisedVariation)
        data: Image = model.data_term.data
        unit = torch.as_tensor(model.weight, dtype=data.dtype, device=data.device).reshape(-1)
        unit = unit.expand(data.shape[0])
        centred = _centred(data) / (4 * per_image(unit, data))
        return Shown(centred[:, :, None], model.start(), unit)


class InUnitsOfNoise(Reading):
    r"""The start without its mean, in units of the noise that is estimated from it:
    :math:`(f - \bar f) / (3 \hat\sigma)`.

    For denoisers that are not told the noise. The estimate (``mindl.images.estimate_noise``) takes fine texture
    for noise and may be a fifth too high; a network that learned with it has learned its errors, too. What is
    shown is what ``InUnitsOfWeight`` shows of a model whose weight is three quarters of that noise, so that
    weights may move from a network that is told the noise to one that is not. Any model that names a start can be
    read; a start without noise counts as one of 1/1000.

    >>> import mindl as md
    >>> noisy = md.images.GaussianNoise(0.1)(torch.zeros(1, 1, 64, 64), seed=0)
    >>> shown = InUnitsOfNoise()(md.models.rof(noisy, weight=0.5))
    >>> round(float(shown.values.std()), 1), round(float(shown.unit), 2)
    (0.3, 0.07)
    """

    def show(self, model: Model) -> Shown:
        """One feature; the base is the start, the unit three quarters of the noise."""
        base = model.start()
        image: Image = model.image_of(base)
        noise = estimate_noise(image).clamp_min(LEAST_NOISE).to(image.dtype)
        centred = _centred(image) / (3 * per_image(noise, image))
        return Shown(centred[:, :, None], base, 0.75 * noise)


class WithWeight(Reading):
    """The start without its mean, and log10 of the weight as a plane: for models that are not homogeneous.

    >>> import mindl as md
    >>> model = md.models.whittaker_tikhonov(torch.tensor([[[[0.0, 1.0]]]]), weight=10.0)
    >>> WithWeight()(model).values.flatten().tolist()
    [-0.5, 0.5, 1.0, 1.0]
    """

    @property
    def features(self) -> int:
        """Start and weight."""
        return 2

    def why_not(self, model: Model) -> str | None:
        """It needs a weight."""
        return None if isinstance(model, Variational) else "it has no weight that mindl knows of"

    def show(self, model: Model) -> Shown:
        """Two features; the base is the start, the unit 1."""
        assert isinstance(model, Variational)
        base: Image = model.start()
        weight = torch.as_tensor(model.weight, dtype=base.dtype, device=base.device).reshape(-1, 1, 1, 1)
        plane = self.plane(weight).expand_as(base)
        return Shown(torch.stack([_centred(base), plane], dim=2), base, _ones(base))

    def plane(self, weight: Tensor) -> Tensor:
        """What is shown of the weight."""
        return torch.log10(weight)


class WithLevel(WithWeight):
    """The start without its mean, and the weight itself as a plane: for ``FFDNetLike``, whose last plane is a
    level.

    In denoising the weight goes with the noise, so it may stand for its level.

    >>> import mindl as md
    >>> model = md.models.whittaker_tikhonov(torch.tensor([[[[0.0, 1.0]]]]), weight=10.0)
    >>> WithLevel()(model).values.flatten().tolist()
    [-0.5, 0.5, 10.0, 10.0]
    """

    def plane(self, weight: Tensor) -> Tensor:
        """The weight."""
        return weight


class Filled(Reading):
    """For inpainting: the known pixels roughly filled in by ``pull_push``, without their mean, and the mask.

    What the network gives is a correction of the rough filling.

    >>> import mindl as md
    >>> known = torch.tensor([[[[True, False, False, True]]]])
    >>> model = md.models.harmonic_inpainting(torch.tensor([[[[0.25, 9.0, 9.0, 0.75]]]]), known)
    >>> Filled()(model).values.flatten().tolist()
    [-0.25, -0.125, 0.125, 0.25, 1.0, 0.0, 0.0, 1.0]
    """

    @property
    def features(self) -> int:
        """Filling and mask."""
        return 2

    def why_not(self, model: Model) -> str | None:
        """It needs known pixels."""
        return "it has no mask of known pixels" if known_pixels(model) is None else None

    def show(self, model: Model) -> Shown:
        """Two features; the base is the filling, the unit 1."""
        known = known_pixels(model)
        assert known is not None
        data, mask = known.data, known.mask.expand_as(known.data)
        base = pull_push(data, mask)
        return Shown(torch.stack([_centred(base), mask.to(base.dtype)], dim=2), base, _ones(base))


READINGS: dict[str, type[Reading]] = {
    kind.__name__: kind for kind in (Start, InUnitsOfWeight, InUnitsOfNoise, WithWeight, WithLevel, Filled)
}
"""The readings by name, as stored models spell it."""


def _mean(image: Image) -> Tensor:
    """The mean of each channel, (batch, channel, 1, 1), summed in fixed order."""
    sums = total(image.flatten(0, 1)[:, None])
    means = sums / (image.shape[2] * image.shape[3])
    return means.to(image.dtype).reshape(*image.shape[:2], 1, 1)


def _centred(image: Image) -> Image:
    return image - _mean(image)


def _ones(image: Image) -> PerImage:
    return torch.ones(image.shape[0], dtype=image.dtype, device=image.device)
