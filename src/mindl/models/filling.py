"""Models that begin with an image: as it is, or with known pixels that stay and others that are filled in."""

from __future__ import annotations

from functools import cached_property

from torch import Tensor

from mindl.core.arrays import Image, Mask, PerImageFlag, check_image
from mindl.core.errors import MaskError
from mindl.models.data_terms import KnownPixels
from mindl.models.model import Model


class FromData(Model):
    """A model that begins with its ``data``."""

    data: Image

    def __repr__(self) -> str:
        return f"{self.title}(data {' x '.join(str(n) for n in self.data.shape)})"

    def start(self) -> Image:
        """The data."""
        return self.data


class Filling(FromData):
    """One with a ``mask`` of known pixels; ``mask=None``: there are none, all pixels change."""

    mask: Mask | None

    @cached_property
    def known(self) -> KnownPixels | None:
        """The known pixels, checked."""
        if self.mask is None or not isinstance(self.data, Tensor):
            check_image(self.data, f"{self.title}(data)")
            return None
        return KnownPixels(self.data, self.mask)

    def only_free(self, values: Image) -> Image:
        """0 at known pixels."""
        return values if self.known is None else values.masked_fill(self.known.mask, 0)

    def start(self) -> Image:
        """The data; the mean of the known pixels where there are none."""
        return self.data if self.known is None else self.known.start()

    def admissible(self, image: Image) -> PerImageFlag:
        """Whether the known pixels are untouched."""
        return super().admissible(image) if self.known is None else self.known.admissible(image)

    def project(self, image: Image) -> Image:
        """The known pixels put back."""
        return image if self.known is None else self.known.project(image)


def known_pixels(model: Model) -> KnownPixels | None:
    """The known pixels of an inpainting model, whatever its kind; None of any other model."""
    if isinstance(model, Filling):
        return model.known
    term = getattr(model, "data_term", None)
    return term if isinstance(term, KnownPixels) else None


def check_mask_given(mask: Mask | None, call: str) -> None:
    """See that there is a mask at all.

    Raises:
        MaskError: none.
    """
    if mask is None:
        raise MaskError(f"{call}(mask) needs the known pixels: true (or 1) = known; got None.")
