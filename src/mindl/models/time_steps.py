r"""How far the time steps of a convex flow have led away from its true solution: a proof from the images alone.

The flow is :math:`-u' \in \partial E(u)` with :math:`E(u) = F(L u)` convex, u the true solution. Let v run
linearly from :math:`v_k` to :math:`v_{k+1}` in the time tau, :math:`v' = \delta`, and let p be *any* dual
field with F*(p) finite. For :math:`\xi \in \partial E(u)`, :math:`\xi = -u'`,

.. math:: \tfrac12 \tfrac{d}{dt} |v - u|^2 = \langle \delta + \xi, v - u \rangle
          = \langle \delta + L^T p, v - u \rangle + \langle \xi, v - u \rangle - \langle p, L v - L u \rangle
          \le |\delta + L^T p|\, |v - u| + F(L v) + F^*(p) - \langle L v, p \rangle,

since :math:`\langle \xi, v - u \rangle \le E(v) - E(u)` and :math:`\langle p, L u \rangle \le F(L u) +
F^*(p)`. The last three terms are the inequality of Fenchel and Young at v, convex in v, so along the step they
are at most their linear interpolation :math:`(1 - s)\, G(v_k) + s\, G(v_{k+1})`. Integrated, the distance e
grows to at most

.. math:: e_{k+1} \le \sqrt{e_k^2 + \tau\, (G(v_k) + G(v_{k+1}))} + |v_{k+1} - v_k + \tau L^T p| .

An explicit step with p the slope at :math:`v_k` has :math:`G(v_k) = 0` and no second term, an implicit one
with the slope at :math:`v_{k+1}` likewise; other schemes pay for the difference. No Lipschitz constant enters,
and the scheme need not be named: the images prove it. (Derived for this project; for implicit steps it is the
a posteriori bound of Nochetto, Savare and Verdi, Comm. Pure Appl. Math. 53 (2000).)
"""

from __future__ import annotations

import math

import torch

from mindl.core.arrays import GREY_LEVELS, Dual, Image, PerImage
from mindl.core.reduce import norm, total
from mindl.models.certificate import EPSILON, Certificate
from mindl.models.flow_views import ConvexFlow

NEGLIGIBLE = 1e-3
"""Where the defect's share is below this, the first witness is good enough."""


def error_after(
    flow: ConvexFlow, before: Image, after: Image, duration: float, error: PerImage, dual: Dual | None = None
) -> PerImage:
    """A bound of the distance to the true solution after a step, from one before it: 2-norms, in float64.

    Args:
        flow: what is followed.
        before, after: the images at the step's ends.
        duration: tau.
        error: the bound before.
        dual: a witness p; without one the slopes at both ends are tried.
    """
    old, new = before.double(), after.double()
    if dual is not None:
        return _through(flow, old, new, duration, error, dual.double())
    slope = flow.slope(old)
    bound = _through(flow, old, new, duration, error, slope)
    defect = norm(new - old + duration * flow.operator.adjoint(slope))
    enough = defect <= NEGLIGIBLE * bound  # for each image on its own: its mates may need the other end
    if bool(enough.all()):
        return bound
    other = _through(flow, old, new, duration, error, flow.slope(new))
    return torch.where(enough, bound, torch.minimum(bound, other))


def _gap(flow: ConvexFlow, image: Image, p: Dual) -> PerImage:
    """G, rounding included."""
    rounding = 16 * EPSILON * flow.energy(image)
    return total(flow.field_gap(image, p).clamp(min=0)) * (1 + 64 * EPSILON) + rounding


def _through(
    flow: ConvexFlow, old: Image, new: Image, duration: float, error: PerImage, witness: Dual
) -> PerImage:
    """The bound after the step by one witness."""
    p = flow.feasible(witness)
    gap = _gap(flow, old, p) + _gap(flow, new, p)
    change, pull = new - old, duration * flow.operator.adjoint(p)
    stiffness = math.sqrt(flow.operator.norm_squared(*old.shape[2:]))
    slip = 8 * EPSILON * (norm(old) + norm(new) + duration * max(stiffness, 1.0) * norm(p))
    return (error * error + duration * gap).sqrt() * (1 + 8 * EPSILON) + norm(change + pull) + slip


def proved(image: Image, travelled: PerImage, error: PerImage, rigorous: bool) -> Certificate:
    """The certificate of a bound of the 2-norm; ``travelled`` is its scale."""
    rms = error * (GREY_LEVELS / math.sqrt(image[0].numel()))
    return Certificate(
        kind="time steps", bound=error, scale=travelled, rms=rms, maximum=error * GREY_LEVELS, rigorous=rigorous
    )
