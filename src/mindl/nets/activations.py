r"""Activations phi(s) = s g(s^2): fluxes of diffusion, fixed and learnable, with proved bounds.

Each is odd, and its secants are confined,

.. math:: 0 \le \varphi(s) / s = g(s^2) \le G,

which is what makes a symmetric block stable (``mindl.nets.SymmetricBlock``). Its slopes may be negative: a
nonmonotone activation belongs to a nonconvex penaliser and enhances edges.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from mindl.calculus.penalisers import Quadratic, SmoothPenaliser
from mindl.calculus.safe import confined, safe_sqrt
from mindl.core.errors import InputError


class Activation(nn.Module, ABC):
    r"""An odd function :math:`\varphi(s) = s\, g(s^2)` with :math:`0 \le g \le G`, applied entry by entry.

    ``bound`` is G. Shapes: (batch, channel, height, width), kept.
    """

    bound: float

    @abstractmethod
    def diffusivity(self, squares: Tensor) -> Tensor:
        """g at squared magnitudes (batch, channel, height, width); between 0 and ``bound``."""

    @abstractmethod
    def slopes(self) -> tuple[float, float]:
        """Bounds of the derivative, below and above, for the present weights."""

    def forward(self, field: Tensor) -> Tensor:
        """Phi of every entry."""
        return field * self.diffusivity(field * field)


class Flux(Activation):
    r"""The flux of a penaliser as an activation: :math:`\varphi(s) = a\, s\, g(s^2)`, :math:`G = a \max g`.

    g does not increase, so that no slope exceeds a secant: slopes lie between a inf psi'' and G. For a convex
    penaliser the activation is monotone; for ``PeronaMalik`` it falls beyond the contrast.

    Args:
        penaliser: such as ``Charbonnier(0.1)``, with one contrast for all images.
        gain: a > 0.

    Raises:
        InputError: a penaliser without a diffusivity or with a contrast per image; a gain that is not positive and
            finite.

    Source: Alt, Peter, Weickert and Schrader, "Translating numerical concepts for PDEs into neural architectures",
    SSVM 2021.

    >>> from mindl.calculus import PeronaMalik
    >>> Flux(PeronaMalik(2.0))(torch.tensor([-4.0, -2.0, 0.0, 1.0, 2.0]))
    tensor([-0.8000, -1.0000,  0.0000,  0.8000,  1.0000])
    """

    def __init__(self, penaliser: SmoothPenaliser, gain: float = 1.0) -> None:
        super().__init__()
        if not isinstance(penaliser, SmoothPenaliser):
            raise InputError(f"Flux needs a smooth penaliser such as Charbonnier(0.1), got {penaliser!r}.")
        if isinstance(penaliser.contrast, Tensor):
            raise InputError("Flux needs a penaliser with one contrast for all images, a number.")
        if not 0 < gain < math.inf:
            raise InputError(f"Flux(gain={gain}) needs a gain above 0 and finite.")
        self.penaliser, self.gain = penaliser, float(gain)
        self.bound = self.gain * float(penaliser.largest_diffusivity)

    def diffusivity(self, squares: Tensor) -> Tensor:
        """The gain times g."""
        return self.gain * self.penaliser.diffusivity(squares)

    def slopes(self) -> tuple[float, float]:
        """From the gain times inf psi'' to G."""
        return self.gain * self.penaliser.smallest_slope, self.bound

    def extra_repr(self) -> str:
        """The penaliser and the gain."""
        return f"{self.penaliser}, gain={self.gain:g}"


class SplineActivation(Activation):
    r"""A learnable odd activation for each channel: piecewise linear, with n intervals up to a reach r.

    With the knots :math:`s_i = i r / n` the parameters are, confined to [0, G],

    - ``monotone``: the slopes of the intervals, so that all slopes, hence all secants, lie in [0, G];
    - otherwise: the secants :math:`\varphi(s_i) / s_i`. Between two knots a point of the graph lies between two
      points of the convex cone :math:`0 \le y \le G s`, hence in it; slopes may have any sign.

    Beyond the reach the last slope, or secant, goes on. So the bound holds for every s and all parameters.

    Args:
        channels: each with an activation of its own.
        knots: n.
        reach: r.
        bound: G.
        monotone: as above.
        start: the activation begins as the flux of this penaliser at the knots; by default as the identity.

    Raises:
        InputError: numbers that are not positive; a start above the bound, or not monotone where it must be;
            another number of channels.

    Source: linear splines as activations: Bohra et al., IEEE Open J. Signal Process. 1 (2020); learnt influence
    functions in diffusion: Chen and Pock, IEEE Trans. Pattern Anal. Mach. Intell. 39 (2017).

    >>> from mindl.calculus import PeronaMalik
    >>> learnable = SplineActivation(1, knots=4, reach=4.0, start=PeronaMalik(2.0))
    >>> learnable(torch.tensor([-4.0, 0.5, 1.5, 2.0]).reshape(1, 1, 1, 4)).detach().flatten()
    tensor([-0.8000,  0.4000,  0.9000,  1.0000])
    """

    def __init__(
        self,
        channels: int,
        *,
        knots: int = 16,
        reach: float = 1.0,
        bound: float = 1.0,
        monotone: bool = False,
        start: SmoothPenaliser | None = None,
    ) -> None:
        super().__init__()
        if min(channels, knots) < 1 or not (0 < reach < math.inf and 0 < bound < math.inf):
            raise InputError(
                f"SplineActivation(channels={channels}, knots={knots}, reach={reach}, bound={bound}) needs at "
                "least one channel and knot, and a reach and bound above 0."
            )
        self.channels, self.knots, self.monotone = channels, knots, monotone
        self.reach, self.bound = float(reach), float(bound)
        s = torch.arange(knots + 1, dtype=torch.float64) * (reach / knots)
        flux = Flux(start or Quadratic())(s)
        shares = flux.diff() / s.diff() if monotone else flux[1:] / s[1:]
        if shares.min() < -1e-12 or shares.max() > bound * (1 + 1e-12):
            raise InputError(
                f"SplineActivation(bound={bound}, monotone={monotone}) cannot start as {start or 'the identity'}, "
                f"with {'slopes' if monotone else 'secants'} from {float(shares.min()):.3g} to "
                f"{float(shares.max()):.3g}: give a larger bound{' or monotone=False' if monotone else ''}."
            )
        self.shares = nn.Parameter(shares.clamp(0, bound).to(torch.get_default_dtype()).repeat(channels, 1))

    def _table(self) -> tuple[Tensor, Tensor]:
        """Values at the knots from 0 on, and slopes to the right of them; (channels, knots + 1) both."""
        shares, width = confined(self.shares, 0.0, self.bound), self.reach / self.knots
        if self.monotone:
            values = _from_zero(shares.cumsum(1) * width)
            return values, torch.cat([shares, shares[:, -1:]], dim=1)
        steps = torch.arange(1, self.knots + 1, dtype=shares.dtype, device=shares.device) * width
        values = _from_zero(shares * steps)
        return values, torch.cat([values.diff(dim=1) / width, shares[:, -1:]], dim=1)

    def diffusivity(self, squares: Tensor) -> Tensor:
        """The secants of each channel."""
        if squares.ndim < 3 or squares.shape[-3] != self.channels:
            raise InputError(
                f"SplineActivation(channels={self.channels}) needs (batch, {self.channels}, height, width), got "
                f"{tuple(squares.shape)}."
            )
        values, slopes = self._table()
        s, width = safe_sqrt(squares), self.reach / self.knots
        # Clamped before it becomes a whole number: what is beyond all bounds has no such number.
        knot = (s.detach() / width).floor().clamp(max=self.knots).long().clamp(min=0)
        place = knot + (torch.arange(self.channels, device=s.device) * (self.knots + 1))[:, None, None]
        rise = torch.take(slopes, place)
        beyond = knot > 0
        value = torch.take(values, place) + (s - knot.to(s.dtype) * width) * rise
        return torch.where(beyond, value / torch.where(beyond, s, 1), rise)

    def slopes(self) -> tuple[float, float]:
        """The least and the largest slope of all channels and intervals."""
        with torch.no_grad():
            rise = self._table()[1]
        return float(rise.min()), float(rise.max())

    def extra_repr(self) -> str:
        """The settings."""
        return (
            f"{self.channels}, knots={self.knots}, reach={self.reach:g}, bound={self.bound:g}, "
            f"monotone={self.monotone}"
        )


class Coupled(Activation):
    r"""Groups of channels share one diffusivity: :math:`\varphi(q) = g(|q|^2)\, q` for each group q.

    Neighbouring channels form a group (0 and 1, 2 and 3, ... for pairs). A rotation R of a group, such as the
    one that turns a gradient with its image, commutes with it: :math:`\varphi(R q) = R \varphi(q)`. Applied
    entry by entry instead, the activation prefers the axes. The Jacobian is symmetric with eigenvalues phi'(s)
    and g(s^2), so that the bounds of the one-dimensional activation hold.

    Args:
        activation: gives g; one channel for each group where it has channels.
        group: channels in a group.

    Raises:
        InputError: a group of fewer than one channel, an activation of another kind, or channels that do not
            divide into groups.

    Source: Alt and Weickert, "Learning a generic adaptive wavelet shrinkage function for denoising" (ICASSP 2020)
    and Alt, Schrader, Weickert et al., "Designing rotationally invariant neural networks from PDEs and
    variational methods" (2021).

    >>> from mindl.calculus import PeronaMalik
    >>> Coupled(Flux(PeronaMalik(5.0)))(torch.tensor([3.0, 4.0]).reshape(1, 2, 1, 1)).flatten()
    tensor([1.5000, 2.0000])
    """

    def __init__(self, activation: Activation, group: int = 2) -> None:
        super().__init__()
        if not isinstance(activation, Activation) or isinstance(activation, Coupled):
            raise InputError(f"Coupled needs an activation such as Flux(Charbonnier(0.1)), got {activation!r}.")
        if group < 1:
            raise InputError(f"Coupled(group={group}) needs at least one channel in a group.")
        self.activation, self.group, self.bound = activation, group, activation.bound

    def diffusivity(self, squares: Tensor) -> Tensor:
        """That of the activation, at the squared magnitudes of the groups."""
        return self.activation.diffusivity(squares)

    def slopes(self) -> tuple[float, float]:
        """Those of the activation: a secant is a mean of slopes."""
        return self.activation.slopes()

    def forward(self, field: Tensor) -> Tensor:
        """Every channel times the diffusivity of its group."""
        if field.ndim != 4 or field.shape[1] % self.group:
            raise InputError(
                f"Coupled(group={self.group}) needs (batch, channel, height, width) with a multiple of "
                f"{self.group} channels, got {tuple(field.shape)}."
            )
        batch, _, *size = field.shape
        groups = field.reshape(batch, -1, self.group, *size)
        result: Tensor = (groups * self.diffusivity((groups * groups).sum(2))[:, :, None]).flatten(1, 2)
        return result


def _from_zero(values: Tensor) -> Tensor:
    """The values at the knots with a 0 before them: an odd function begins there."""
    return nn.functional.pad(values, (1, 0))
