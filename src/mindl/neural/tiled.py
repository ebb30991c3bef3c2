"""A network that answers large images tile by tile."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from mindl.core.errors import InputError
from mindl.models import Candidate, Model
from mindl.nets.checks import check_counts
from mindl.nets.trace import Trace
from mindl.neural.neural_solver import NeuralSolver, ReadingSolver
from mindl.neural.refined import Refined

SIDE = 64
"""Of the image by which a network's coarsest grid is found."""


class Tiled(NeuralSolver):
    r"""A network that runs on one tile of an image after the other: its memory does not grow with the image.

    The reading is made of the whole image, and so is the answer from the output: means, units and projections
    are those of the whole image. Only the network in between works on tiles. Each is shown with ``overlap`` pixels
    more on every side where the image has them, and what the network gives for these is thrown away. With the
    network N, what it is shown x, and tiles :math:`T_k` that cover every pixel once:

    .. math:: \text{output} = N(x|_{T_k \oplus \text{overlap}}) \quad \text{on } T_k .

    *Exactness.* A network that looks r pixels far (``mindl.nets.describe`` tells its receptive field, 2 r + 1)
    gives the same output in tiles as at once, up to rounding, if the overlap is at least r. Tiles begin on the
    network's coarsest grid, so that a U-Net has the same grids in all of them. The default is enough for a U-Net
    of three levels with two blocks each (r = 45), such as ``unet-harmonic``. Less is an approximation: 20 pixels
    leave seams of 4e-4 there. Blending the tiles was tried: its seams are smaller only where both are too
    large (above 1e-3), since what is blended in lies nearer to a border. A network that looks everywhere, with
    means of the whole image, say, is another one in tiles.

    A refined network has the network tiled, and takes its steps on the whole image: they need a few arrays of
    its size. Images no larger than a tile are answered to the bit as without tiles, all of a batch at once; larger
    ones one by one.

    Args:
        net: a network that reads a model, such as ``Direct`` or ``WitnessHead``, or a ``Refined`` one.
        tile: rows and columns of a tile at most, without the overlap.
        overlap: pixels of context on each side.
        title: the name in messages and tables.

    Shapes: those of the network. The memory of the network is that for (tile + 2 overlap)^2 pixels of one
    image, that of reading and answer is a few arrays of the image's size.

    Raises:
        InputError: a network that reads nothing, a tile below 1, an overlap below 0. What it cannot answer is
            refused as the network refuses it.

    Source: the overlapping tiles of Ronneberger, Fischer and Brox, MICCAI 2015.

    >>> import mindl as md
    >>> net = md.neural.WitnessHead(md.nets.UNet(1, 2, widths=(4, 4)), md.neural.InUnitsOfWeight())
    >>> model = md.models.rof(torch.rand(1, 1, 50, 70, generator=torch.Generator().manual_seed(0)), weight=0.1)
    >>> torch.allclose(Tiled(net, tile=16, overlap=16)(model).image, net(model).image, atol=1e-6)
    True
    """

    def __init__(self, net: NeuralSolver, *, tile: int = 512, overlap: int = 48, title: str | None = None) -> None:
        inner = _reader(net)
        super().__init__(channels=inner.channels, title=title)
        check_counts("Tiled", {"tile": tile})
        check_counts("Tiled", {"overlap": overlap}, least=0)
        self.net, self.tile, self.overlap = net, tile, overlap
        self.accepts, self.trained, self.begun_with = net.accepts, net.trained, net.begun_with

    def why_not(self, model: Model) -> str | None:
        """What the network cannot answer."""
        return self.net.why_not(model)

    def forward(self, model: Model) -> Candidate:
        """The network's answer."""
        self.check(model)
        return self._answer(self.net, model)

    def _answer(self, net: NeuralSolver, model: Model) -> Candidate:
        if isinstance(net, Refined):
            refined: Candidate = net.steps(model, self._answer(net.net, model))
            return refined
        assert isinstance(net, ReadingSolver)
        return net.with_network(partial(self._in_tiles, net), model)

    def _in_tiles(self, net: ReadingSolver, planes: Tensor) -> Tensor:
        if max(planes.shape[2:]) <= self.tile:
            return net.on_planes(planes)
        step = _coarsest_step(net, planes)
        return in_tiles(net.on_planes, planes, tile=self.tile, overlap=self.overlap, step=step)

    @property
    def about(self) -> str:
        """The network and its tiles."""
        return f"{self.net.about}, in tiles of {self.tile} + 2 x {self.overlap}"


def in_tiles(
    network: Callable[[Tensor], Tensor], planes: Tensor, *, tile: int, overlap: int, step: int = 1
) -> Tensor:
    """The output of a map of tensors that keeps height and width, found image by image and tile by tile.

    Tiles are as equal as they can be. The part of the image that is shown for one begins and ends at multiples of
    ``step``, or at the image's own border, so that up to ``step`` - 1 pixels more are shown.

    >>> image = torch.rand(2, 1, 30, 41)
    >>> blur = torch.nn.AvgPool2d(3, stride=1, padding=1)
    >>> torch.allclose(in_tiles(blur, image, tile=8, overlap=1), blur(image))
    True
    """
    height, width = planes.shape[2:]
    whole: Tensor | None = None
    for k in range(planes.shape[0]):
        for rows in _stretches(height, tile, overlap, step):
            for columns in _stretches(width, tile, overlap, step):
                part = network(planes[k : k + 1, :, rows.shown, columns.shown])
                if whole is None:  # only the network knows its channels and its type
                    whole = part.new_empty(planes.shape[0], part.shape[1], height, width)
                whole[k, :, rows.kept, columns.kept] = part[0, :, rows.inside, columns.inside]
                del part  # or it would live beside the next one
    assert whole is not None
    return whole


@dataclass(frozen=True)
class _Stretch:
    """What is shown of an axis, what is kept of it, and where this lies in what is shown."""

    shown: slice
    kept: slice

    @property
    def inside(self) -> slice:
        return slice(self.kept.start - self.shown.start, self.kept.stop - self.shown.start)


def _stretches(size: int, tile: int, overlap: int, step: int) -> Iterator[_Stretch]:
    count = math.ceil(size / tile)
    cuts = [size * k // count for k in range(count + 1)]
    for begin, end in pairwise(cuts):
        first = max(begin - overlap, 0) // step * step
        last = min(math.ceil((end + overlap) / step) * step, size)
        yield _Stretch(slice(first, last), slice(begin, end))


def _coarsest_step(net: ReadingSolver, planes: Tensor) -> int:
    """Pixels from one point to the next on the coarsest grid of the network inside."""
    image = torch.zeros(1, planes.shape[1], SIDE, SIDE, dtype=net.weights_dtype, device=planes.device)
    network = copy.deepcopy(net.network).eval()  # statistics of a batch normalisation must not see it
    with torch.no_grad(), Trace(image) as trace:
        network(image)
    coarsest: float = trace.coarsest
    return math.ceil(coarsest)


def _reader(net: object) -> ReadingSolver:
    """The part that reads a model."""
    if isinstance(net, Refined):
        return _reader(net.net)
    if isinstance(net, ReadingSolver):
        return net
    if isinstance(net, NeuralSolver):
        raise InputError(
            f"Tiled(net) runs a network that reads a model tile by tile, and {net.title} ({net.about}) reads "
            "none, so that there is nothing to tile: call it on the whole image as it is."
        )
    raise InputError(f'Tiled(net) needs a neural solver such as mindl.load("unet-rof"), got {net!r}.')
