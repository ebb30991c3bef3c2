r"""Gradient descent with Nesterov's momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from mindl.core.arrays import Image, PerImage, per_image
from mindl.core.errors import InputError
from mindl.core.reduce import inner
from mindl.models.candidate import Candidate
from mindl.models.views import SmoothEnergy
from mindl.solvers.solver import Bounds, Numbers, Solver


@dataclass(frozen=True, eq=False)
class AcceleratedGradientState:
    """u, its extrapolation, and the momentum t of each image."""

    image: Image
    extrapolated: Image
    momentum: PerImage


@dataclass(frozen=True)
class AcceleratedGradient(Solver[SmoothEnergy, AcceleratedGradientState]):
    r"""Nesterov's accelerated gradient, with restarts:

    .. math::
        u^{k+1} = P\big(v^k - \tau \nabla E(v^k)\big), \qquad
        v^{k+1} = u^{k+1} + \beta_k (u^{k+1} - u^k), \qquad
        \beta_k = \min\Big(\frac{t_k - 1}{t_{k+1}}, \frac{\sqrt\kappa - 1}{\sqrt\kappa + 1}\Big),

    with :math:`t_{k+1} = \tfrac12 (1 + \sqrt{1 + 4 t_k^2})`, :math:`\tau = 1 / l` and the condition number
    :math:`\kappa = l / \mu` from the Lipschitz constant l of the gradient and the proved modulus mu. For convex E
    the energy is off by at most :math:`2 l |u^0 - u^*|^2 / (k + 1)^2` as long as the second bound of beta does not
    bind; constant at the second bound, it falls by :math:`1 - 1/\sqrt\kappa` a step, where plain descent has
    :math:`1 - 1/\kappa`. An image whose momentum leads uphill, :math:`\langle v^k - u^{k+1}, u^{k+1} - u^k\rangle
    > 0`, starts anew with t = 1. Unrolled, it is a chain of residual blocks with a second skip connection.

    Args:
        step_size: tau as a share of 1 / l, in (0, 1].
        restart: whether momentum that leads uphill is dropped.

    Raises:
        InputError: a share outside (0, 1]; an energy without a Lipschitz constant, when it begins.

    Source: Nesterov, Introductory lectures on convex optimization (2004), section 2.2; Beck and Teboulle, SIAM J.
    Imaging Sci. 2 (2009); restarts: O'Donoghue and Candes, Found. Comput. Math. 15 (2015), (13).

    >>> import mindl as md
    >>> noisy = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    >>> md.minimise(md.models.charbonnier(noisy, weight=0.5), AcceleratedGradient()).outcome.value
    'certified'
    """

    step_size: float = 1.0
    restart: bool = True

    accepts = SmoothEnergy
    applications = 1
    guarantee = "energy O(1/k^2); error factor 1 - 1/sqrt(kappa) where strongly convex"
    cost = "one gradient"

    def __post_init__(self) -> None:
        if not 0 < self.step_size <= 1:
            raise InputError(
                f"AcceleratedGradient(step_size={self.step_size}) must be in (0, 1], a share of 1 / lipschitz: "
                "beyond, it need not converge."
            )

    def begin(self, view: SmoothEnergy, start: Candidate) -> AcceleratedGradientState:
        """The start, made admissible, without momentum."""
        if view.lipschitz is None:
            raise InputError(
                f"AcceleratedGradient() needs the Lipschitz constant of the gradient, and {view.title} knows "
                "none: LBFGS() and GradientDescent() search their steps."
            )
        image = view.project(start.image).clone()
        momentum = torch.ones(image.shape[0], dtype=torch.float64, device=image.device)
        return AcceleratedGradientState(image, image.clone(), momentum)

    def step(self, view: SmoothEnergy, state: AcceleratedGradientState) -> AcceleratedGradientState:
        """One step."""
        return self.step_with(view, state, self.numbers(view, state))

    @property
    def learnable(self) -> dict[str, int]:
        """tau, and by how much less than usual the image is extrapolated."""
        return {"step_size": 1, "extrapolation": 1}

    def numbers(self, view: SmoothEnergy, state: AcceleratedGradientState) -> Numbers:
        """tau of each image; nothing more than the usual extrapolation."""
        return {"step_size": self.step_size / _lipschitz(view, state.image), "extrapolation": 0.0}

    def bounds(self, view: SmoothEnergy, numbers: Numbers) -> Bounds:
        """tau up to 1 / lipschitz; never more momentum than usual."""
        lipschitz = torch.as_tensor(view.lipschitz, dtype=torch.float64).flatten().clamp(min=1e-12)
        return {"step_size": (0.0, 1 / lipschitz), "extrapolation": (-1.0, 0.0)}

    def step_with(
        self, view: SmoothEnergy, state: AcceleratedGradientState, numbers: Numbers
    ) -> AcceleratedGradientState:
        """One step with these numbers."""
        v, tau = state.extrapolated, torch.as_tensor(numbers["step_size"])
        image = view.project(v - view.gradient(v) * per_image(tau, v))
        moved = image - state.image
        momentum = state.momentum
        if self.restart:
            momentum = torch.where(inner((v - image).detach(), moved.detach()) > 0, 1, momentum)
        following = (1 + (1 + 4 * momentum * momentum).sqrt()) / 2
        share = torch.minimum((momentum - 1) / following, _most(view, image)) + cast(
            float, numbers["extrapolation"]
        )
        return AcceleratedGradientState(image, image + moved * per_image(share, moved), following)

    def candidate(self, view: SmoothEnergy, state: AcceleratedGradientState) -> Candidate:
        """u."""
        return Candidate(state.image)


def _lipschitz(view: SmoothEnergy, image: Image) -> Tensor:
    """l of each image, (batch,) and away from 0."""
    assert view.lipschitz is not None  # begin has seen to it
    found = torch.as_tensor(view.lipschitz, dtype=torch.float64).detach().flatten()
    return found.clamp(min=1e-12).expand(image.shape[0]).to(image.device)


def _most(view: SmoothEnergy, image: Image) -> Tensor:
    """(sqrt(kappa) - 1) / (sqrt(kappa) + 1) of each image; 1 where nothing is known of the modulus."""
    modulus = torch.as_tensor(view.modulus_per_image, dtype=torch.float64).detach().flatten()
    lipschitz = _lipschitz(view, image)
    root = (modulus.to(image.device) / lipschitz).clamp(0, 1).sqrt()
    return (1 - root) / (1 + root)
