r"""Data terms D(u; f): how the answer is tied to the given image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import copy
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.nn import functional

from mindl.calculus.operators import followed
from mindl.core.arrays import Image, Mask, PerImageFlag, check_image, exporting
from mindl.core.errors import MaskError
from mindl.core.reduce import total


@dataclass(frozen=True, eq=False)
class DataTerm(ABC):
    """Ties the unknown u to the data f: a convex density with a proximal map and a conjugate, and constraints."""

    data: Image

    modulus: ClassVar[float] = 0.0
    """mu where the term is mu / 2 |u - f|^2; 0 for every other term, of which no distance follows."""
    smooth: ClassVar[bool] = True
    """Whether the density has a Lipschitz continuous derivative."""

    @property
    def free(self) -> Mask | None:
        """The pixels that the term leaves free; None: it fixes none."""
        return None

    def start(self) -> Image:
        """Where a solver begins when it is told nothing else: the data."""
        return self.data

    def admissible(self, image: Image) -> PerImageFlag:
        """Which images satisfy the term's hard constraints (by default all)."""
        return torch.ones(image.shape[0], dtype=torch.bool, device=image.device)

    def project(self, image: Image) -> Image:
        """The nearest admissible image (by default the image itself)."""
        return image

    def crop(self, top: int, bottom: int, dtype: torch.dtype | None) -> DataTerm:
        """The same term on the rows [top, bottom); what belongs to the whole image, as its box, stays."""
        return self._with(data=self.data[..., top:bottom, :].to(dtype or self.data.dtype))

    def coarser(self) -> DataTerm:
        """The term on a grid of twice the size: means of 2 x 2 pixels, fewer at the border of odd sizes."""
        return replace(self, data=halved(self.data))

    def _with(self, **parts: Tensor) -> Self:
        """A copy with other tensors, past the checks: the whole passed them already."""
        part = copy(self)
        for name, value in parts.items():
            object.__setattr__(part, name, value)
        return part

    @abstractmethod
    def value(self, image: Image) -> Image:
        """The term's density, pixel by pixel."""

    @abstractmethod
    def gradient(self, image: Image) -> Image:
        """A derivative of the density."""

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
class Boxed(DataTerm):
    """A term whose conjugate is finite only because u is sought in a box, the range of each channel's data.

    Where L consists of differences, a minimiser lies there anyway.
    """

    low: Tensor = field(init=False, repr=False)
    high: Tensor = field(init=False, repr=False)

    def including_zero(self) -> Self:
        """The box widened to 0, for images that vanish outside."""
        return self._with(low=self.low.clamp(max=0), high=self.high.clamp(min=0))


@dataclass(frozen=True, eq=False)
class HalfSquared(DataTerm):
    r""":math:`D(u) = \tfrac12 |u - f|^2`: Gaussian noise. Strongly convex with modulus 1."""

    modulus = 1.0

    def __post_init__(self) -> None:
        check_image(self.data, "HalfSquared(data)")

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
class Absolute(Boxed):
    r""":math:`D(u) = |u - f|_1`: impulse noise. Convex, not strictly.

    Its conjugate is finite for |r| <= 1 only, where almost no dual field lies. Minimisers stay between the
    smallest and the largest datum a, b of each channel, and there
    :math:`\sup_{a \le u \le b} r u - |u - f|` is finite for every r: the box makes a useful gap.

    Source: Nikolova, J. Math. Imaging Vis. 20 (2004).
    """

    smooth = False

    def __post_init__(self) -> None:
        check_image(self.data, "Absolute(data)")
        object.__setattr__(self, "low", self.data.amin(dim=(2, 3), keepdim=True))
        object.__setattr__(self, "high", self.data.amax(dim=(2, 3), keepdim=True))

    def value(self, image: Image) -> Image:
        """|u - f|."""
        return (image - self.data).abs()

    def gradient(self, image: Image) -> Image:
        """The sign of u - f: a subgradient, 0 at the kink."""
        return (image - self.data).sign()

    def proximal(self, image: Image, step_size: float, out: Tensor | None = None) -> Image:
        """f plus u - f shrunk by the step, within the box."""
        out = torch.empty_like(image) if out is None and not followed(image, self.data) else out
        if out is None:
            moved = image - self.data
            shrunk = moved - moved.clamp(-step_size, step_size)
            return torch.minimum(torch.maximum(shrunk + self.data, self.low), self.high)
        torch.sub(image, self.data, out=out)
        out -= out.clamp(-step_size, step_size)
        out += self.data
        return torch.minimum(torch.maximum(out, self.low, out=out), self.high, out=out)

    def conjugate_gradient(self, slope: Image) -> Image:
        """f for |r| <= 1, else the end of the box."""
        return torch.where(slope > 1, self.high, torch.where(slope < -1, self.low, self.data))

    def fenchel_young(self, image: Image, slope: Image) -> Image:
        """(1 - r) d+ + (1 + r) d- for |r| <= 1, d = u - f; beyond, (|r| - 1) times the way to the box's end."""
        away, inner = image - self.data, slope.clamp(-1, 1)
        near = (1 - inner) * away.clamp(min=0) + (1 + inner) * (-away).clamp(min=0)
        return (
            near + (slope - 1).clamp(min=0) * (self.high - image) + (-slope - 1).clamp(min=0) * (image - self.low)
        )


@dataclass(frozen=True, eq=False)
class KnownPixels(Boxed):
    """u = f where ``mask`` is true (known); nothing is asked elsewhere.

    ``mask`` broadcasts: (1 or batch, 1 or channel, height, width). Unknown pixels of ``data`` are ignored.
    Where L consists of differences, a solution stays between the smallest and the largest known value of each
    channel, and that box makes the conjugate finite.

    Raises:
        MaskError: no boolean or 0/1 tensor, another size, or a channel without a known pixel.
    """

    mask: Mask

    def __post_init__(self) -> None:
        mask = as_mask(self.mask, self.data)
        # What is behind the mask may be anything, also NaN: it never enters a computation.
        data = check_image(torch.where(mask, self.data, 0), "KnownPixels(data)")
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "mask", mask)
        object.__setattr__(self, "low", torch.where(mask, data, torch.inf).amin(dim=(2, 3), keepdim=True))
        object.__setattr__(self, "high", torch.where(mask, data, -torch.inf).amax(dim=(2, 3), keepdim=True))

    @property
    def free(self) -> Mask:
        """The pixels to be filled."""
        return ~self.mask

    def start(self) -> Image:
        """The mean of the known pixels of each channel, everywhere but at these."""
        channels = self.data.flatten(0, 1)[:, None]
        known = self.mask.expand_as(self.data).flatten(0, 1)[:, None]
        mean = (total(channels) / known.sum(dim=(1, 2, 3))).to(self.data.dtype)
        return torch.where(self.mask, self.data, mean.reshape(*self.data.shape[:2], 1, 1))

    def admissible(self, image: Image) -> PerImageFlag:
        """Images that equal the data at every known pixel."""
        return ((image == self.data) | ~self.mask).flatten(1).all(dim=1)

    def project(self, image: Image) -> Image:
        """The image with the known pixels put back."""
        return torch.where(self.mask, self.data, image)

    def crop(self, top: int, bottom: int, dtype: torch.dtype | None) -> DataTerm:
        """The term on the rows [top, bottom), which may hold no known pixel at all."""
        rows = self.data[..., top:bottom, :].to(dtype or self.data.dtype)
        return self._with(data=rows, mask=self.mask[..., top:bottom, :])

    def coarser(self) -> KnownPixels:
        """Means of the known ones among 2 x 2 pixels; known where one of them is."""
        share = halved(self.mask.to(self.data.dtype))
        return KnownPixels(halved(self.data) / torch.where(share > 0, share, 1), share > 0)

    def value(self, image: Image) -> Image:
        """0."""
        return torch.zeros_like(image)

    def gradient(self, image: Image) -> Image:
        """0."""
        return torch.zeros_like(image)

    def proximal(self, image: Image, step_size: float, out: Tensor | None = None) -> Image:
        """The known pixels put back, the others within the box."""
        out = torch.empty_like(image) if out is None and not followed(image, self.data) else out
        if out is None:
            return self.project(torch.minimum(torch.maximum(image, self.low), self.high))
        torch.minimum(torch.maximum(image, self.low, out=out), self.high, out=out)
        return torch.where(self.mask, self.data, out, out=out)

    def conjugate_gradient(self, slope: Image) -> Image:
        """The data where known, elsewhere the end of the box."""
        return self.project(torch.where(slope > 0, self.high, self.low))

    def fenchel_young(self, image: Image, slope: Image) -> Image:
        """|r| times the way to the box's end at the free pixels; 0 at the known ones, where u = f."""
        way = slope.clamp(min=0) * (self.high - image) + (-slope).clamp(min=0) * (image - self.low)
        return torch.where(self.mask, 0, way)


def halved(image: Image) -> Image:
    """Means over blocks of 2 x 2 pixels; at the border of odd sizes over what there is."""
    return functional.avg_pool2d(image, 2, ceil_mode=True, count_include_pad=False)


def as_mask(mask: object, data: Image) -> Mask:
    """``mask`` as a boolean tensor that broadcasts to ``data``: true = known pixel.

    Raises:
        MaskError: no tensor, greys between 0 and 1, another size, or a channel without a known pixel.
    """
    if not isinstance(mask, Tensor):
        raise MaskError(f"A mask must be a tensor, got {type(mask).__name__}; see mindl.images.masks.")
    if mask.dtype != torch.bool:
        if not exporting() and bool(((mask != 0) & (mask != 1)).any()):
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
    if not exporting() and not bool(mask.flatten(2).any(dim=2).all()):
        raise MaskError("The mask has a channel without any known pixel: there is nothing to fill it from.")
    return mask.to(data.device)
