"""A denoiser in the place of a proximal map."""

from __future__ import annotations

import math

import torch
from torch import nn

from mindl.core.arrays import Image
from mindl.core.errors import InputError
from mindl.models import Candidate, Model, Variational
from mindl.neural.neural_solver import NeuralSolver


class PlugAndPlay(NeuralSolver):
    r"""ADMM for :math:`\min_u D(u) + R(u)`, with a denoiser H where the proximal map of R would be:

    .. math::
        u^{k+1} = \operatorname{prox}_{D/\rho}(z^k - y^k), \qquad
        z^{k+1} = H(u^{k+1} + y^k), \qquad
        y^{k+1} = y^k + u^{k+1} - z^{k+1} .

    If :math:`H = \operatorname{prox}_{R/\rho}` for a convex R, this is ADMM and converges to the solution. It
    converges for every firmly nonexpansive H; for other denoisers nothing is promised. Only the data term of the
    model is used: noise, known pixels. There is no certificate of the result as a solution of anything but what H
    is a proximal map of.

    Args:
        denoiser: a map of images (batch, channel, height, width), any ``nn.Module``.
        steps: how many, at least 0.
        penalty: rho > 0; it sets how strong the denoiser must be.
        title: the name in messages and tables.

    Raises:
        InputError: fewer than 0 steps, a penalty that is not positive and finite.

    Source: Venkatakrishnan, Bouman and Wohlberg, GlobalSIP 2013; Ryu et al., ICML 2019 for convergence.

    >>> import mindl as md
    >>> net = PlugAndPlay(torch.nn.Identity(), steps=40)
    >>> model = md.models.rof(torch.rand(1, 1, 4, 4), weight=0.1)
    >>> torch.allclose(net(model).image, model.data_term.data, atol=1e-5)       # no regulariser: the data
    True
    """

    accepts: type[Model] = Variational

    def __init__(
        self, denoiser: nn.Module, steps: int = 20, *, penalty: float = 1.0, title: str | None = None
    ) -> None:
        super().__init__(channels=None, title=title)
        if not isinstance(denoiser, nn.Module):
            raise InputError(f"PlugAndPlay(denoiser) needs a torch.nn.Module, got {denoiser!r}.")
        if not isinstance(steps, int) or steps < 0 or not 0 < penalty < math.inf:
            raise InputError(
                f"PlugAndPlay(steps={steps}, penalty={penalty}) needs 0 steps or more, and a penalty above 0."
            )
        self.denoiser, self.steps, self.penalty = denoiser, steps, penalty

    def forward(self, model: Model) -> Candidate:
        """The image after all steps, which the data term likes; known pixels stay."""
        self.check(model)
        assert isinstance(model, Variational)
        data = model.data_term
        z: Image = model.start()
        u, y = z, torch.zeros_like(z)
        for _ in range(self.steps):
            u = data.proximal(z - y, 1 / self.penalty)
            z = self._denoised(u + y)
            y = y + u - z
        return Candidate(model.project(u))

    def _denoised(self, image: Image) -> Image:
        """In the type of the denoiser's weights, where it has any."""
        weights = next(self.denoiser.parameters(), image)
        found: Image = self.denoiser(image.to(weights.dtype))
        if found.shape != image.shape:
            raise InputError(
                f"{self.title} needs a denoiser that keeps the shape {tuple(image.shape)}, and it returned "
                f"{tuple(found.shape)}."
            )
        return found.to(image.dtype)

    @property
    def about(self) -> str:
        """The denoiser."""
        return f"ADMM, {self.steps} steps with {type(self.denoiser).__name__}"
