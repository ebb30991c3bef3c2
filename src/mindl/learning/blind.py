"""Losses that see nothing but noisy images, one of each scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mindl.core.arguments import number, whole
from mindl.core.arrays import Image, PerImage
from mindl.core.errors import InputError
from mindl.core.reduce import total
from mindl.learning.losses import Loss, in_units_of, squares
from mindl.learning.task import Problem, Task
from mindl.neural import NeuralSolver


@dataclass(frozen=True)
class Noise2Self(Loss):
    r"""How well pixels are predicted from their surroundings, which alone the network is shown.

    A grid J of every ``spacing``-th pixel, at a place drawn anew each time, is replaced: each pixel by one of the
    eight around it, drawn at random. With :math:`f_J` for the image that results and u for the network's answer,

    .. math:: \sum_{i \in J} (u_i(f_J) - f_i)^2 \;/\; \sum_{i \in J} ((f_J)_i - f_i)^2 .

    u_i does not depend on f_i, so that noise of mean 0, independent from pixel to pixel, cannot be learned: the
    expected loss is that against the clean image, plus the noise. Not even its level must be known. What is lost
    is what the pixel itself tells. The network is applied to images as they are, where no pixel is replaced: a
    neighbour is as noisy as the pixel was, so that it cannot tell which are (after the mean of the neighbours
    in their place, it trusts pixels that it should not).

    Args:
        spacing: of the grid, at least 2. Neighbours in J should be further apart than the network sees structure;
            1 / spacing^2 of the pixels are judged at a time.

    Raises:
        InputError: a spacing below 2, or not a whole number.

    Source: Batson and Royer, ICML 2019; Krull, Buchholz and Jug, CVPR 2019 for neighbours in the place of pixels.
    """

    learns_images: ClassVar[bool] = True
    spacing: int = 4

    def __post_init__(self) -> None:
        whole(self.spacing, 2, "Noise2Self(spacing)")

    def of(self, net: NeuralSolver, task: Task, problems: Problem, generator: torch.Generator) -> PerImage:
        """That of the network's answers to images with replaced pixels."""
        data: Tensor = problems["data"]
        if "mask" in problems:
            raise InputError(
                "Noise2Self judges noisy pixels, and in inpainting most are not known: EnergyLoss will do."
            )
        if self.spacing > min(data.shape[2:]):
            raise InputError(
                f"Noise2Self(spacing={self.spacing}) leaves no pixel to judge in crops of {min(data.shape[2:])}."
            )
        judged = self._grid(data, generator)
        hidden = torch.where(judged, _neighbours(data, generator), data)
        answer = net(task.model({**problems, "data": hidden})).image
        of_start = total((hidden - data).square())  # 0 outside the grid
        return total(torch.where(judged, answer - data, 0).square()) / in_units_of(of_start)

    def _grid(self, data: Image, generator: torch.Generator) -> Tensor:
        """The pixels that are judged, one grid for the batch, (height, width)."""
        top, left = (int(torch.randint(self.spacing, (), generator=generator)) for _ in range(2))
        judged = torch.zeros(data.shape[2:], dtype=torch.bool, device=data.device)
        judged[top :: self.spacing, left :: self.spacing] = True
        return judged


@dataclass(frozen=True)
class SURE(Loss):
    r"""Stein's unbiased estimate of the squared error, for Gaussian noise of known sigma, in units of the noise:

    .. math::
        \frac{1}{N \sigma^2} \|u(f) - f\|^2 - 1
        + \frac{2}{N \varepsilon} \langle b,\; u(f + \varepsilon b) - u(f) \rangle .

    Its expectation is :math:`\mathbb{E}\,\|u - c\|^2 / (N \sigma^2)`, without c: 1 for the noisy image itself. The
    last term estimates the divergence of the network along one random direction b of signs; it costs a second
    evaluation, and the estimate scatters more than the other losses do. Single values may be below 0.

    Args:
        step: epsilon in parts of sigma.

    Raises:
        InputError: a step that is not positive; problems whose noise is not known.

    Source: Stein, Ann. Statist. 9 (1981); Ramani, Blu and Unser, IEEE Trans. Image Process. 17 (2008).
    """

    learns_images: ClassVar[bool] = True
    step: float = 0.05

    def __post_init__(self) -> None:
        number(self.step, "SURE(step)", above=0)

    def of(self, net: NeuralSolver, task: Task, problems: Problem, generator: torch.Generator) -> PerImage:
        """The estimate for each image."""
        if "noise" not in problems:
            raise InputError("SURE needs the level of the noise: a Denoising task, or Observed(..., noise=...).")
        data: Tensor = problems["data"]
        noise = problems["noise"].reshape(-1, 1, 1, 1).to(data)
        signs = torch.randint(2, data.shape, generator=generator).to(data) * 2 - 1
        moved = self.step * noise * signs
        answer = net(task.model(problems)).image
        beside = net(task.model({**problems, "data": data + moved})).image
        values = data[0].numel()
        divergence = total(signs * (beside - answer)) / (values * self.step * noise.flatten())
        return squares(answer - data) / noise.flatten().square() - 1 + 2 * divergence


AROUND = torch.tensor([(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)])
"""The eight neighbours of a pixel."""


def _neighbours(image: Image, generator: torch.Generator) -> Image:
    """For each pixel one of its neighbours, all channels of the same one; at the border one that lies inside."""
    batch, _, height, width = image.shape
    turn = AROUND[torch.randint(8, (batch, height, width), generator=generator)]
    rows = _inside(torch.arange(height)[:, None], turn[..., 0], height)
    columns = _inside(torch.arange(width), turn[..., 1], width)
    place = (rows * width + columns).flatten(1)[:, None].to(image.device)
    return image.flatten(2).gather(2, place.expand(-1, image.shape[1], -1)).view_as(image)


def _inside(place: Tensor, turn: Tensor, size: int) -> Tensor:
    """A step from a place, the other way where it would lead out."""
    there = place + turn
    there = torch.where((there < 0) | (there >= size), place - turn, there)
    return there.clamp(0, size - 1)  # an axis of one pixel
