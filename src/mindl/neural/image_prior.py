"""A fresh network fitted to one model: the deep image prior, and the model's own energy minimised by weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from mindl.core.arrays import Image, PerImage, per_image
from mindl.core.errors import InputError, NonFiniteError
from mindl.core.randomness import generator_for, global_draws_from
from mindl.core.reduce import norm, total
from mindl.models import Candidate, Energy, HalfSquared, KnownPixels, Model, Variational
from mindl.nets.architecture import Architecture
from mindl.nets.checks import check_counts
from mindl.neural.neural_solver import NeuralSolver

Loss = Callable[[Image], PerImage]

LARGEST = 0.1
"""What the network sees lies between 0 and this, as in the paper."""


class ImagePrior(NeuralSolver):
    r"""A network that no data have trained, fitted to each model anew ("deep image prior"):

    .. math:: \min_\theta E\big(P(m + s\, N_\theta(z))\big),

    by Adam on the weights :math:`\theta`, with fixed random numbers z, the model's energy E and its projection P
    (known pixels stay exactly as they are). m is the mean of each channel of the model's start and s one
    deviation for all, so that grey values of any scale are fitted alike. The answer is a running mean of the
    images of all steps; with the model's energy, the best of these images where its energy is less.

    *With the model's energy* the weights are but other coordinates of the image: a network that can show every
    image has the model's minimiser as its best. For ``rof`` on 128 x 128 pixels (noise 25/255, a U-Net of three
    levels) 1000 steps take one to two minutes and leave 10 % of the data's excess energy, and ``PrimalDual`` takes
    0.02 seconds to 0.01 %: it is no way to solve a convex model, but a look at what a network finds easy.

    *With the data term alone* (``regularised=False``) it is the original. Nothing regularises but the network,
    which finds natural images sooner than noise: few steps denoise or fill in, many show the noise too, so that
    ``steps`` has the part of a weight. For known pixels the data term is half the squared distance to them, before
    the projection.

    *It holds no weights.* ``network`` tells the architecture; each image has a copy of its own from its settings,
    fitted in ``forward`` and then forgotten. So ``parameters()`` is empty, ``mindl.fit`` refuses it, and nothing
    but settings is stored. An image is answered alone as in a batch, which needs the memory of all at once. No
    derivative of the answer is followed, neither to the data nor to the model.

    Args:
        network: the architecture, such as ``UNet(8, 1)``. Its inputs are the channels of z, its outputs those of
            the unknown: 3 for colour, and for ``tgv`` 3 for each channel.
        steps: of Adam, at least 0.
        rate: its step size. The paper has 1e-2, for networks with batch normalisation; without it, as here, fits
            came apart with that.
        jitter: standard deviation of noise that is added to z anew in each step (1/30 in the paper).
        average: share of the running mean that is kept in each step, from 0 (the last image alone) to below 1.
        regularised: the model's energy; or its data term alone.
        seed: of z and of the jitter. The weights begin with the seed of the network.
        title: the name in messages and tables.

    Shapes: an unknown (batch, outputs, height, width). The same number of threads gives the same answer.

    Raises:
        InputError: something else than an architecture, a number outside its range, other channels than the
            network's outputs.
        ViewError: no data term that mindl knows of, with ``regularised=False``.
        NonFiniteError: the energy becomes NaN or infinite.

    Source: Ulyanov, Vedaldi and Lempitsky, CVPR 2018; Kingma and Ba, ICLR 2015 (Adam).

    >>> import mindl as md
    >>> model = md.models.rof(torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0)), weight=0.1)
    >>> fitted = ImagePrior(md.nets.UNet(4, 1, widths=(8, 8)), steps=50)(model)
    >>> bool(model.energy(fitted.image) < model.energy(model.start()))
    True
    """

    accepts: type[Model] = Energy

    def __init__(
        self,
        network: Architecture,
        *,
        steps: int = 500,
        rate: float = 3e-3,
        jitter: float = 0.0,
        average: float = 0.99,
        regularised: bool = True,
        seed: int = 0,
        title: str | None = None,
    ) -> None:
        super().__init__(channels=None, title=title)
        if not isinstance(network, Architecture):
            raise InputError(
                f"ImagePrior(network) makes fresh copies of an architecture such as UNet(8, 1), got {network!r}."
            )
        check_counts("ImagePrior", {"steps": steps}, least=0)
        check_counts("ImagePrior", {"seed": seed}, least=0)
        for name, value, valid, range_ in (
            ("rate", rate, _number(rate) and rate > 0, "above 0"),
            ("jitter", jitter, _number(jitter) and jitter >= 0, "of at least 0"),
            ("average", average, _number(average) and 0 <= average < 1, "from 0 to below 1"),
        ):
            if not valid:
                raise InputError(f"ImagePrior({name}={value!r}) needs a finite number {range_}.")
        if not isinstance(regularised, bool):
            raise InputError(
                f"ImagePrior(regularised={regularised!r}) is True (the energy) or False (data alone)."
            )
        self._kind, self._config = type(network), network.config
        self.steps, self.rate, self.jitter, self.average = steps, rate, jitter, average
        self.regularised, self.seed = regularised, seed

    @property
    def network(self) -> Architecture:
        """A fresh copy. It is no part of this module: what the weights are at the start, the settings say."""
        return self._kind(**self._config)

    def why_not(self, model: Model) -> str | None:
        """Without the regulariser, a data term is needed."""
        if self.regularised or isinstance(model, Variational):
            return None
        return "regularised=False fits a data term alone, and it has none that is known (rof has one)"

    def check(self, model: Model) -> None:
        """Also that the network has an output for each channel of the unknown."""
        super().check(model)
        channels, inputs, outputs = model.start().shape[1], self._config["inputs"], self._config["outputs"]
        if channels != outputs:
            raise InputError(
                f"{self.title}: the unknown of {model.title} has {channels} channels, and the network has "
                f"outputs={outputs}: make it {self._kind.__name__}({inputs}, {channels})."
            )

    def forward(self, model: Model) -> Candidate:
        """The image that the fitted networks show.

        Raises:
            ViewError, InputError: as for ``check``.
            NonFiniteError: the energy becomes NaN or infinite.
        """
        self.check(model)
        view: Energy = model.view(Energy)
        with torch.enable_grad():
            mean, best = self._fitted(view, view.checked_energy if self.regularised else _misfit(model))
        if not self.regularised:
            return Candidate(mean)
        with torch.no_grad():
            lower = view.checked_energy(best) < view.checked_energy(mean)
        return Candidate(torch.where(lower.reshape(-1, 1, 1, 1), best, mean))

    def _fitted(self, view: Energy, loss: Loss) -> tuple[Image, Image]:
        """The running mean of the images of all steps, and that with the least loss (steps may lead up)."""
        start = view.start().detach()
        nets = [self.network.to(start) for _ in range(start.shape[0])]
        weights = [weight for net in nets for weight in net.parameters()]
        adam = torch.optim.Adam(weights, lr=self.rate)
        shift, scale = _mean_and_deviation(start)
        mean, share = torch.zeros_like(start), 0.0
        best, least = start, torch.full((start.shape[0],), math.inf, dtype=torch.float64, device=start.device)
        for step, seen in enumerate(self._seen(start)):
            image = shift + scale * torch.cat([self._output(net, seen, step) for net in nets])
            shown = view.project(image)
            values = loss(shown if self.regularised else image)
            if not bool(torch.isfinite(values).all()):
                raise NonFiniteError(
                    f"{self.title}: after {step} steps the energy of {view.title} is NaN or infinite: take a rate "
                    f"below {self.rate:g}."
                )
            with torch.no_grad():
                mean = self.average * mean + (1 - self.average) * shown
                share = self.average * share + (1 - self.average)
                best = torch.where((values < least).reshape(-1, 1, 1, 1), shown, best)
                least = torch.minimum(values, least)
            if step < self.steps:
                slopes = torch.autograd.grad(values.sum(), weights)
                for weight, slope in zip(weights, slopes, strict=True):
                    weight.grad = slope
                adam.step()
        return view.project(mean / share), best

    def _seen(self, like: Image) -> Iterator[Tensor]:
        """What the networks see, before the first step and after each."""
        drawn = generator_for(self.seed, 0)
        size = (1, self._config["inputs"], *like.shape[2:])
        z = LARGEST * torch.rand(size, generator=drawn, dtype=torch.float64)
        for _ in range(self.steps + 1):
            noise = self.jitter * torch.randn(size, generator=drawn, dtype=torch.float64) if self.jitter else 0
            yield (z + noise).to(like)

    def _output(self, net: Architecture, seen: Tensor, step: int) -> Tensor:
        """Layers that draw (dropout) draw the same for every image, alone and in a batch."""
        with global_draws_from(self.seed, 1, step):
            output: Tensor = net(seen)
        return output

    @property
    def about(self) -> str:
        """The architecture and the steps."""
        fits = "the energy" if self.regularised else "the data"
        return f"{self._kind.__name__} fitted to {fits}, {self.steps} step{'s' * (self.steps != 1)}"


def _misfit(model: Model) -> Loss:
    """The data term alone; for known pixels, which have no other, half the squared distance."""
    assert isinstance(model, Variational)  # check has seen to it
    term = model.data_term
    if not isinstance(term, KnownPixels):
        return lambda image: total(term.value(image))
    known = HalfSquared(term.data)
    return lambda image: total(known.value(torch.where(term.mask, image, term.data)))


def _mean_and_deviation(image: Image) -> tuple[Tensor, Tensor]:
    """The mean of each channel, and one deviation of each image: 1 where all is constant."""
    pixels = image.shape[2] * image.shape[3]
    mean = (total(image.flatten(0, 1)[:, None]) / pixels).reshape(*image.shape[:2], 1, 1)
    deviation = norm(image - mean) / math.sqrt(image.shape[1] * pixels)
    deviation = torch.where(deviation > 0, deviation, 1.0)
    return mean.to(image.dtype), per_image(deviation, image)


def _number(value: object) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool) and math.isfinite(value)
