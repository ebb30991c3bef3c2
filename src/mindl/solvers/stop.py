"""When an iteration has gone far enough."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mindl.core.arrays import PerImage, PerImageFlag
from mindl.core.errors import InputError, ToleranceError
from mindl.models.certificate import Certificate

FINEST = {torch.float32: 1e-6, torch.float64: 1e-12}
"""The finest tolerance that each floating-point type can reach."""

GREY_PER_TOLERANCE = 100.0
"""The proved rms distance, in grey levels per tolerance, that counts as met: 0.01 at the default 1e-4."""


@dataclass(frozen=True)
class Stop:
    r"""Stop an image when its certificate is good enough, at the latest after ``steps``.

    .. math:: \text{bound} \le \text{tolerance} \cdot \text{scale} \quad\text{or}\quad
              \text{proved rms} \le 100 \cdot \text{tolerance grey levels.}

    The certificate's kind says what bound and scale are. The second clause serves images of almost no energy
    (a constant has none); it is 0.01 grey level at the default. Every image of a batch stops on its own.
    ``tolerance=None`` does exactly ``steps`` steps. The rule is checked after every ``every`` steps, and after
    each step of a solver whose steps cost more than the check; without ``every`` after every 10, but for checks
    that can be foreseen to fail.

    Raises:
        InputError: a tolerance or number of steps below 0, or a check that never comes.

    >>> Stop(1e-4)
    Stop(tolerance=0.0001, steps=5000, every=None)
    """

    tolerance: float | None = 1e-4
    steps: int = 5000
    every: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.tolerance, float | int | None):
            raise InputError(f"Stop(tolerance={self.tolerance!r}) must be a number, or None.")
        if self.tolerance is not None and not 0 < self.tolerance < 1:
            raise InputError(f"Stop(tolerance={self.tolerance}) must be above 0 and below 1, or None.")
        if self.steps < 0 or (self.every is not None and self.every < 1):
            raise InputError(f"Stop needs steps >= 0 and every >= 1, got {self.steps} and {self.every}.")

    def check(self, dtype: torch.dtype) -> None:
        """See that the tolerance can be reached.

        Raises:
            ToleranceError: it is finer than the type's rounding allows.
        """
        finest = FINEST[dtype]
        if self.tolerance is not None and self.tolerance < finest:
            cure = " Use float64 images (image.double())." if dtype == torch.float32 else ""
            raise ToleranceError(
                f"Stop(tolerance={self.tolerance:g}) is finer than {dtype} can reach, which is {finest:g}.{cure}"
            )

    def met(self, certificate: Certificate) -> PerImageFlag:
        """Which images are good enough. Products, never quotients: a scale may be 0."""
        if self.tolerance is None:
            return torch.zeros_like(certificate.bound, dtype=torch.bool)
        small = certificate.bound <= self.tolerance * certificate.scale
        small = small & torch.isfinite(certificate.bound)
        return small | (certificate.rms <= GREY_PER_TOLERANCE * self.tolerance)

    def excess(self, certificate: Certificate) -> PerImage:
        """How many times too large the measure is: at most 1 is met; without a tolerance nothing ever is."""
        if self.tolerance is None:
            return torch.full_like(certificate.bound, torch.inf)
        least = torch.finfo(torch.float64).tiny
        by_scale = certificate.bound / (self.tolerance * certificate.scale).clamp(min=least)
        by_distance = certificate.rms / (GREY_PER_TOLERANCE * self.tolerance)
        return torch.minimum(by_scale.nan_to_num(torch.inf), by_distance.nan_to_num(torch.inf))
