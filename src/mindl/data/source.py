"""A source hands out image ``i`` when asked, always the same."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from mindl.core.arguments import kind, number, told
from mindl.core.arrays import Image, check_image
from mindl.core.errors import ImageFileError, InputError
from mindl.images.io import check_scale

Sample = dict[str, Tensor]
"""What is known of one scene, tensors without a batch dimension: ``clean``, the undisturbed image, or ``data``, a
noisy one, and what else there is: ``second``, ``mask``, ``noise``."""


class Source(ABC):
    """A numbered set of images of one number of channels."""

    channels: int

    problems: bool = False
    """Whether samples are whole problems, which are neither cropped nor disturbed any more."""

    posed_by: str | None = None
    """What task has posed them (its ``about``), where samples are whole problems."""

    noise: float | None = None
    """Standard deviation of the noise of what was observed, in [0, 1]; None where images are clean."""

    @abstractmethod
    def __len__(self) -> int:
        """How many images."""

    @abstractmethod
    def name(self, index: int) -> str:
        """What messages and records call an image."""

    @property
    def files_count(self) -> int:
        """How many images come from files, which may be damaged."""
        return 0

    @abstractmethod
    def image(self, index: int) -> Tensor:
        """Image ``index``, (channel, height, width), values in [0, 1]; always the same, so it is not written into.

        Raises:
            ImageFileError: it cannot be read.
        """

    def sample(self, index: int) -> Sample:
        """All that is known of scene ``index``: by default that the image is clean.

        Raises:
            ImageFileError: something cannot be read.
        """
        return {"clean": self.image(index)}

    @property
    @abstractmethod
    def about(self) -> str:
        """One line for records and cards."""

    def digest(self, index: int) -> str:
        """A hash of what image ``index`` is; equal images of two sources of a kind have equal ones."""
        return hashlib.sha256(self.name(index).encode()).hexdigest()

    def parts(self, index: int) -> list[str]:
        """The digests of all images of scene ``index``: what training and validation must not share."""
        return [self.digest(index)]

    def __repr__(self) -> str:
        return self.about

    def fingerprint(self) -> str:
        """A hash of all digests, for records."""
        digests = "".join(self.digest(i) for i in range(len(self)))
        return hashlib.sha256(bytes.fromhex(digests)).hexdigest()


def size_of(sample: Sample) -> tuple[int, int]:
    """Height and width of a scene, whose images are all of one size."""
    height, width = next(image for image in sample.values() if image.ndim == 3).shape[1:]
    return height, width


class Images(Source):
    """Tensors that are there already, (batch, channel, height, width) each.

    Raises:
        InputError: no tensor, or several numbers of channels.

    >>> len(Images([torch.zeros(2, 1, 8, 8), torch.zeros(1, 1, 9, 9)]))
    3
    """

    def __init__(self, images: Image | Sequence[Image]) -> None:
        if not isinstance(images, Tensor | list | tuple) or not len(images):
            raise InputError(
                f"Images needs a tensor (batch, channel, height, width), or a list of them; got {told(images)}."
            )
        batches = [images] if isinstance(images, Tensor) else images
        self._images = [image for batch in batches for image in check_image(batch, "Images").float()]
        for image in self._images:
            check_scale(image.numpy(), "Images")
        kinds = {image.shape[0] for image in self._images}
        if len(kinds) > 1:
            raise InputError(
                f"Images needs one number of channels, got {sorted(kinds)}: mindl.images.grey makes 1."
            )
        self.channels = kinds.pop()

    def __len__(self) -> int:
        return len(self._images)

    def name(self, index: int) -> str:
        """Its number."""
        return f"image {index}"

    def image(self, index: int) -> Tensor:
        """The tensor."""
        found: Tensor = self._images[index]
        return found

    @property
    def about(self) -> str:
        """How many."""
        return f"{len(self)} images in memory"

    def digest(self, index: int) -> str:
        """A hash of size and values."""
        image = self._images[index].contiguous()
        return hashlib.sha256(str(tuple(image.shape)).encode() + image.numpy().tobytes()).hexdigest()


class Together(Source):
    """Several sources, one after the other.

    Raises:
        InputError: none, or several numbers of channels.

    >>> import mindl as md
    >>> len(Together(md.data.DeadLeaves(2, size=16), md.data.DeadLeaves(3, size=16, seed=9)))
    5
    """

    def __init__(self, *sources: Source) -> None:
        if not all(isinstance(source, Source) for source in sources):
            raise InputError(f"Together needs sources, one after the other; got {told(sources)}.")
        if not sources or len({source.channels for source in sources}) > 1:
            raise InputError("Together needs sources of one number of channels.")
        self.sources = sources
        self.channels = sources[0].channels
        noises = {source.noise for source in sources}
        self.noise = noises.pop() if len(noises) == 1 else None

    def __len__(self) -> int:
        return sum(len(source) for source in self.sources)

    @property
    def files_count(self) -> int:
        """The sum of the sources'."""
        return sum(source.files_count for source in self.sources)

    def _place(self, index: int) -> tuple[Source, int]:
        for source in self.sources:
            if index < len(source):
                return source, index
            index -= len(source)
        raise IndexError(index)

    def name(self, index: int) -> str:
        """Its name in its own source."""
        source, inside = self._place(index)
        return source.name(inside)

    def image(self, index: int) -> Tensor:
        """The image of its own source."""
        source, inside = self._place(index)
        return source.image(inside)

    def sample(self, index: int) -> Sample:
        """The sample of its own source."""
        source, inside = self._place(index)
        return source.sample(inside)

    @property
    def about(self) -> str:
        """All of them."""
        return "; ".join(source.about for source in self.sources)

    def digest(self, index: int) -> str:
        """That of its own source."""
        source, inside = self._place(index)
        return source.digest(inside)

    def parts(self, index: int) -> list[str]:
        """Those of its own source."""
        source, inside = self._place(index)
        return source.parts(inside)


class Observed(Source):
    r"""Images as they were observed: noisy data, and beside them whatever else there is of the same scenes.

    For one's own noisy photographs, without any clean image: Noise2Self and SURE learn from them. Crops and turns
    are applied to all images of a scene alike; a task draws no noise of its own where data are given.

    Args:
        data: the noisy images.
        clean: of the same scenes, for supervised training and for PSNR.
        second: other noisy images of the same scenes, with noise of their own, for Noise2Noise.
        mask: 1 where a pixel is known, 0 elsewhere.
        noise: standard deviation of the noise of the data, in [0, 1], where it is known.

    Raises:
        InputError: sources of other lengths or channels, or a noise that is not positive.

    >>> pair = Observed(Images(torch.rand(2, 1, 8, 8)), second=Images(torch.rand(2, 1, 8, 8)), noise=0.1)
    >>> sorted(pair.sample(0))
    ['data', 'noise', 'second']
    """

    def __init__(
        self,
        data: Source,
        *,
        clean: Source | None = None,
        second: Source | None = None,
        mask: Source | None = None,
        noise: float | None = None,
    ) -> None:
        named = {"data": data, "clean": clean, "second": second, "mask": mask}
        self.sources = {name: source for name, source in named.items() if source is not None}
        kind(data, Source, "Observed(data)", "a source such as Photographs(folder) or Images(tensor)")
        for name, source in self.sources.items():
            if not isinstance(source, Source):
                raise InputError(
                    f"Observed({name}) needs a source such as Photographs(folder) or Images(tensor), got "
                    f"{told(source)}."
                )
            if len(source) != len(data) or (name != "mask" and source.channels != data.channels):
                raise InputError(
                    f"Observed({name}) has {len(source)} images of {source.channels} channel(s), the data have "
                    f"{len(data)} of {data.channels}: they must belong together one by one."
                )
        if noise is not None and number(noise, "Observed(noise)", above=0) > 1:
            raise InputError(f"Observed(noise={noise}) must be at most 1, in the units of [0, 1].")
        self.noise, self.channels = noise, data.channels

    def __len__(self) -> int:
        return len(self.sources["data"])

    def name(self, index: int) -> str:
        """That of the data."""
        return self.sources["data"].name(index)

    @property
    def files_count(self) -> int:
        """Those of the data."""
        return self.sources["data"].files_count

    def image(self, index: int) -> Tensor:
        """The noisy image."""
        return self.sources["data"].image(index)

    def sample(self, index: int) -> Sample:
        """All images of the scene, of one size.

        Raises:
            ImageFileError: one cannot be read, is of another size, or is no mask.
        """
        found = {name: source.image(index) for name, source in self.sources.items()}
        sizes = {name: tuple(image.shape[1:]) for name, image in found.items()}
        if len(set(sizes.values())) > 1:
            told = ", ".join(f"{name} {width} x {height}" for name, (height, width) in sizes.items())
            raise ImageFileError(f"{self.name(index)}: its images have several sizes ({told}).")
        if "mask" in found:
            if not bool(((found["mask"] == 0) | (found["mask"] == 1)).all()):
                raise ImageFileError(f"{self.sources['mask'].name(index)} is no mask: it holds greys between.")
            found["mask"] = found["mask"][:1] > 0
        if self.noise is not None:
            found["noise"] = torch.tensor(self.noise)
        return found

    @property
    def about(self) -> str:
        """The data, and what else there is."""
        beside = [name for name in self.sources if name != "data"]
        noise = "" if self.noise is None else f", noise {255 * self.noise:.4g}/255"
        return f"{self.sources['data'].about} as observed{noise}" + (f", with {', '.join(beside)}" * bool(beside))

    def digest(self, index: int) -> str:
        """A hash of all digests."""
        return hashlib.sha256("".join([*self.parts(index), str(self.noise)]).encode()).hexdigest()

    def parts(self, index: int) -> list[str]:
        """One for each image of the scene."""
        return [source.digest(index) for source in self.sources.values()]
