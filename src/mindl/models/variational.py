r"""One formula for most models of the field, and the views that follow from its parts.

.. math:: E(u) = D(u; f) + w \sum_i \psi(|(L u)_i|)
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import cast

import torch
from torch import Tensor

from mindl.calculus import (
    Coupling,
    Differences,
    Joint,
    Operator,
    Paired,
    Penaliser,
    Quadratic,
)
from mindl.core.arrays import Image, PerImage, PerImageFlag, Weight, check_weight, per_image
from mindl.core.errors import InputError, ViewError
from mindl.core.reduce import total
from mindl.models.data_terms import Boxed, DataTerm
from mindl.models.model import Model, V
from mindl.models.variational_views import VIEWS
from mindl.models.views import (
    Energy,
    Local,
)


@dataclass(frozen=True, eq=False)
class Variational(Energy, Local):
    r"""A data term D, a penaliser psi, a linear operator L, a weight w and a coupling of the channels:

    .. math:: E(u) = D(u; f) + w \sum_i \psi(|(L u)_i|), \qquad \psi'(s) = s\, g(s^2).

    What the parts are decides which views exist: a smooth psi gives a ``SmoothEnergy``, a quadratic one a
    ``LinearSystem``, convex parts a ``SaddlePoint``. ``weight`` is a number or one per image, shape
    (batch, 1, 1, 1); larger is smoother.

    Raises:
        InputError: the weight is not positive and finite, or has another shape.

    >>> import mindl as md
    >>> noisy = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> data, psi = md.models.HalfSquared(noisy), md.calculus.TotalVariation()
    >>> model = Variational(data, psi, md.calculus.Gradient(), weight=0.1)
    >>> md.minimise(model).outcome.value
    'certified'
    """

    data_term: DataTerm
    penaliser: Penaliser
    operator: Operator
    weight: Weight = 1.0
    coupling: Coupling = field(default_factory=Joint)
    name: str = "Variational"

    def __post_init__(self) -> None:
        check_weight(self.weight, self.data_term.data, self.name)
        if self.penaliser.contrast is not None:
            check_weight(self.penaliser.contrast, self.data_term.data, f"{self.name}(contrast)")
        if isinstance(self.coupling, Paired) and self.operator.components % 2:
            raise InputError(
                f"{self.name} couples components in pairs, and {self.operator!r} has {self.operator.components}."
            )
        ties = isinstance(self.operator, Differences) and self.operator.ties_to_zero
        if ties and isinstance(self.data_term, Boxed):
            object.__setattr__(self, "data_term", self.data_term.including_zero())

    @property
    def title(self) -> str:
        """The model's own name."""
        return self.name

    def __repr__(self) -> str:
        shape = " x ".join(str(n) for n in self.data_term.data.shape)
        weight = "one per image" if isinstance(self.weight, Tensor) else f"{self.weight:.4g}"
        return f"{self.name}(data {shape}, weight {weight})"

    @property
    def radius(self) -> int:
        """How far the operator and its adjoint together look."""
        return self.operator.radius

    def energy(self, image: Image) -> PerImage:
        """E(u) in float64; infinite where a known pixel is changed."""
        values = total(self.weighted_penalty(image)) + total(self.data_term.value(image))
        return torch.where(self.admissible(image), values, torch.inf)

    def weighted_penalty(self, image: Image) -> Tensor:
        """w psi(|L u|), group by group."""
        size = self.coupling.magnitude(self.operator(image))
        return per_image(self.weight, size) * self.penaliser(size)

    @property
    def separable(self) -> bool:
        """Whether every channel is a problem of its own: one channel, apart by the coupling, or quadratic."""
        single = self.data_term.data.shape[1] == 1
        return single or isinstance(self.penaliser, Quadratic) or not self.coupling.joins_channels

    @property
    def image_shape(self) -> torch.Size:
        """The data's shape."""
        return self.data_term.data.shape

    def start(self) -> Image:
        """The data; where there are none, the mean of the known pixels."""
        return self.data_term.start()

    def admissible(self, image: Image) -> PerImageFlag:
        """Whether the known pixels are untouched."""
        return self.data_term.admissible(image)

    def project(self, image: Image) -> Image:
        """The image with the known pixels put back."""
        return self.data_term.project(image)

    def crop(self, top: int, bottom: int, dtype: torch.dtype | None = None) -> Variational:
        """The model on the rows [top, bottom)."""
        return replace(self, data_term=self.data_term.crop(top, bottom, dtype))

    def coarser(self) -> Variational | None:
        """The model of the image at half the size: data averaged, grid size doubled, weight and contrast kept.

        Energies are sums over pixels, so that both have the same continuous limit, up to a factor. None for an
        operator without a grid size, and for images of one pixel.
        """
        operator = self.operator.coarser()
        if operator is None or self.image_shape[2] * self.image_shape[3] == 1:
            return None
        return replace(self, data_term=self.data_term.coarser(), operator=operator)

    def view(self, kind: type[V]) -> V:
        """The strongest view that is a ``kind``."""
        if isinstance(self, kind) and kind is not Energy:
            return self
        for view, (lacks, build) in VIEWS.items():
            if issubclass(view, kind) and lacks(self) is None:
                return cast(V, build(self))
        if isinstance(self, kind):
            return self
        raise ViewError(f"{self.title} is no {kind.__name__}: {self.why_not(kind)}.")

    def why_not(self, kind: type[Model]) -> str | None:
        """Which part of the formula stands in the way."""
        if isinstance(self, kind):
            return None
        reasons = [lacks(self) for view, (lacks, _) in VIEWS.items() if issubclass(view, kind)]
        return None if None in reasons else (reasons or ["a variational model never has it"])[-1]
