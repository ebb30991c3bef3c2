r"""Data terms D(u; f): how the answer is tied to the given image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from mindl.core.arrays import Image, Mask, PerImageFlag, check_image
from mindl.core.errors import MaskError
from mindl.core.reduce import total


@dataclass(frozen=True, eq=False)
class DataTerm(ABC):
    """Ties the unknown u to the data f."""

    data: Image

    @property
    @abstractmethod
    def free(self) -> Mask | None:
        """The pixels that the term leaves free; None: it fixes none."""

    @abstractmethod
    def start(self) -> Image:
        """Where a solver begins when it is told nothing else."""

    @abstractmethod
    def admissible(self, image: Image) -> PerImageFlag:
        """Which images satisfy the term's hard constraints."""

    @abstractmethod
    def project(self, image: Image) -> Image:
        """The nearest admissible image."""

    @abstractmethod
    def crop(self, top: int, bottom: int, dtype: torch.dtype | None) -> DataTerm:
        """The same term on the rows [top, bottom)."""


class ConvexData(DataTerm):
    """A convex term with a proximal map, and a finite conjugate."""

    modulus: float
    """mu where the term is mu / 2 |u - f|^2; 0 for every other term, of which no distance follows."""

    @abstractmethod
    def value(self, image: Image) -> Image:
        """The term's density, pixel by pixel."""

    @abstractmethod
    def gradient(self, image: Image) -> Image:
        """Derivative of the density."""

    @abstractmethod
    def proximal(self, image: Image, step_size: float, out: Tensor | None = None) -> Image:
        """argmin_v D(v) + |v - u|^2 / (2 step_size)."""

    @abstractmethod
    def conjugate_gradient(self, slope: Image) -> Image:
        """argmax_u <u, r> - D(u): the image whose derivative is r."""

    @abstractmethod
    def fenchel_young(self, image: Image, slope: Image) -> Image:
        """D(u) + D*(r) - <u, r>, pixel by pixel, written without cancellation."""


@dataclass(frozen=True, eq=False)
class HalfSquared(ConvexData):
    r""":math:`D(u) = \tfrac12 |u - f|^2`: Gaussian noise. Strongly convex with modulus 1."""

    modulus = 1.0

    def __post_init__(self) -> None:
        check_image(self.data, "HalfSquared(data)")

    @property
    def free(self) -> Mask | None:
        """All pixels are free."""
        return None

    def start(self) -> Image:
        """The data."""
        return self.data

    def admissible(self, image: Image) -> PerImageFlag:
        """All images are."""
        return torch.ones(image.shape[0], dtype=torch.bool, device=image.device)

    def project(self, image: Image) -> Image:
        """The image itself."""
        return image

    def crop(self, top: int, bottom: int, dtype: torch.dtype | None) -> HalfSquared:
        """The term on the rows [top, bottom)."""
        return HalfSquared(self.data[..., top:bottom, :].to(dtype or self.data.dtype))

    def value(self, image: Image) -> Image:
        """(u - f)^2 / 2."""
        difference = image - self.data
        return 0.5 * difference * difference

    def gradient(self, image: Image) -> Image:
        """u - f."""
        return image - self.data

    def proximal(self, image: Image, step_size: float, out: Tensor | None = None) -> Image:
        """(u + step_size f) / (1 + step_size), written as f plus a part of u - f."""
        if out is None:
            return (image - self.data) / (1 + step_size) + self.data
        return torch.sub(image, self.data, out=out).div_(1 + step_size).add_(self.data)

    def conjugate_gradient(self, slope: Image) -> Image:
        """f + r."""
        return self.data + slope

    def fenchel_young(self, image: Image, slope: Image) -> Image:
        """|u - f - r|^2 / 2."""
        difference = image - self.data - slope
        return 0.5 * difference * difference


@dataclass(frozen=True, eq=False)
class KnownPixels(DataTerm):
    """u = f where ``mask`` is true (known); nothing is asked elsewhere.

    ``mask`` broadcasts: (1 or batch, 1 or channel, height, width). Unknown pixels of ``data`` are ignored.

    Raises:
        MaskError: no boolean or 0/1 tensor, another size, or a channel without a known pixel.
    """

    mask: Mask

    def __post_init__(self) -> None:
        mask = as_mask(self.mask, self.data)
        # What is behind the mask may be anything, also NaN: it never enters a computation.
        data = torch.where(mask, self.data, 0)
        object.__setattr__(self, "data", check_image(data, "KnownPixels(data)"))
        object.__setattr__(self, "mask", mask)

    @property
    def free(self) -> Mask:
        """The pixels to be filled."""
        return ~self.mask

    def start(self) -> Image:
        """The mean of the known pixels of each channel, everywhere but at these."""
        channels = self.data.flatten(0, 1)[:, None]
        known = self.mask.expand_as(self.data).flatten(0, 1)[:, None]
        mean = (total(channels) / total(known)).to(self.data.dtype)
        return torch.where(self.mask, self.data, mean.reshape(*self.data.shape[:2], 1, 1))

    def admissible(self, image: Image) -> PerImageFlag:
        """Images that equal the data at every known pixel."""
        return ((image == self.data) | ~self.mask).flatten(1).all(dim=1)

    def project(self, image: Image) -> Image:
        """The image with the known pixels put back."""
        return torch.where(self.mask, self.data, image)

    def crop(self, top: int, bottom: int, dtype: torch.dtype | None) -> KnownPixels:
        """The term on the rows [top, bottom), which may hold no known pixel at all."""
        part = object.__new__(KnownPixels)  # past the checks: the whole passed them already
        object.__setattr__(part, "data", self.data[..., top:bottom, :].to(dtype or self.data.dtype))
        object.__setattr__(part, "mask", self.mask[..., top:bottom, :])
        return part


def as_mask(mask: object, data: Image) -> Mask:
    """``mask`` as a boolean tensor that broadcasts to ``data``: true = known pixel.

    Raises:
        MaskError: no tensor, greys between 0 and 1, another size, or a channel without a known pixel.
    """
    if not isinstance(mask, Tensor):
        raise MaskError(f"A mask must be a tensor, got {type(mask).__name__}; see mindl.images.masks.")
    if mask.dtype != torch.bool:
        if bool(((mask != 0) & (mask != 1)).any()):
            raise MaskError("A mask holds 1 (known) and 0 (to be filled) and nothing between; got other values.")
        mask = mask == 1
    if mask.ndim == 4 and mask.shape[2:] != data.shape[2:]:
        raise MaskError(
            f"The mask is {mask.shape[3]} x {mask.shape[2]} pixels, and the image "
            f"{data.shape[3]} x {data.shape[2]}: they must have one size (was one of them turned?)."
        )
    if (
        mask.ndim != 4
        or any(m not in (1, d) for m, d in zip(mask.shape[:2], data.shape[:2], strict=True))
        or (mask.shape[2:] != data.shape[2:])
    ):
        raise MaskError(
            f"The mask {tuple(mask.shape)} does not fit the image {tuple(data.shape)}: it must have the same "
            "height and width, and one channel or as many as the image."
        )
    if not bool(mask.flatten(2).any(dim=2).all()):
        raise MaskError("The mask has a channel without any known pixel: there is nothing to fill it from.")
    return mask.to(data.device)
