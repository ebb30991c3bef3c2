r"""The verifier: what a candidate and a witness prove, from model and candidate alone.

Finding a good witness is a solver's work (``mindl.solvers.witness``); here it is only checked. All sums run
in float64, strip by strip, and every bound is enlarged by the rounding that it may contain.

*Saddle points* (modulus 1 on both sides, as ROF). With a feasible dual field p and its image
:math:`u_p = f + \operatorname{div} p`, the duality gap is a sum of terms >= 0,

.. math:: G(u, p) = \sum \big(w\,\psi(|\nabla u|) + F^*(p) - \langle\nabla u, p\rangle\big)
                    + \tfrac12 |u - u_p|^2 ,

and strong convexity of both sides gives :math:`|u - u^*|^2 + |u_p - u^*|^2 \le 2G`. With d = |u - u_p|,
the triangle inequality and the parallelogram law then prove (derived for this project)

.. math:: |u - u^*| \le \tfrac12\big(d + \sqrt{4G - d^2}\big), \qquad
          \big|\tfrac12(u + u_p) - u^*\big| \le \sqrt{G - d^2/4} .

A witness may bring an image v of its own: |u - u*| <= |u - v| + (the bound of v). The smallest bound counts.

*Linear systems*: the true residual r = b - A u, and with the modulus mu: |u - u*| <= |r| / mu.
*Monotone systems*: if A v >= |r| then |u - u*| <= v, pixel by pixel.
*Powers of the Laplacian* around known pixels: if H w >= 1 then |u - u*| <= (max w)^m |r|.
*Convex models without a modulus* (L1 data, inpainting by total variation): the gap, computed with the box in
which the minimisers lie, bounds E(u) - E*; no distance follows.
*Smooth energies*: |u - u*| <= |grad E(u)| / mu.
*Other energies*, and flows without one: the gradient, or the rate, is reported, and nothing is proved.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from mindl.core.arrays import GREY_LEVELS, Dual, Image, PerImage, check_image, finite
from mindl.core.errors import InputError
from mindl.core.reduce import inner, largest, norm, total
from mindl.models.flow import Flow
from mindl.models.model import Model
from mindl.models.strips import strips
from mindl.models.views import (
    Energy,
    GapSums,
    LinearSystem,
    MonotoneSystem,
    PolyharmonicSystem,
    ResidualSums,
    SaddlePoint,
    SmoothEnergy,
)

EPSILON = torch.finfo(torch.float64).eps


@dataclass(frozen=True, eq=False)
class DualWitness:
    """A dual field, and optionally an image of the prover's own that lies near the true solution."""

    dual: Dual
    image: Image | None = None


@dataclass(frozen=True, eq=False)
class Supersolution:
    """A vector v with A v >= |r|: a bound of the error at every pixel, in the image's units."""

    values: Image


@dataclass(frozen=True, eq=False)
class HarmonicCover:
    """A vector w with H w >= 1, H the harmonic system of the same known pixels: it bounds inverse powers of H."""

    values: Image


Witness = DualWitness | Supersolution | HarmonicCover


@dataclass(frozen=True, eq=False)
class Certificate:
    """How far a candidate is from the model's true solution. One number per image, in float64.

    Attributes:
        kind: what ``bound`` measures: ``"duality gap"``, ``"residual"``, ``"gradient"``, of a flow at rest
            ``"rate"``, of one that was followed to a time ``"time steps"``.
        bound: the measure, rounding included, summed over the image.
        scale: what the tolerance multiplies: energy, norm of the right-hand side, first gradient.
        rms: proved root mean square distance to the true solution, in grey levels (1/255); inf: unproved.
        maximum: proved largest distance at any pixel, in grey levels.
        rigorous: whether ``rms`` and ``maximum`` are proved (they may be infinite all the same).
        midpoint_rms: proved distance of (u + u_p) / 2, for saddle points.
        witness: what the proof rests on; keep it to prove the answer again.
    """

    kind: str
    bound: PerImage
    scale: PerImage
    rms: PerImage
    maximum: PerImage
    rigorous: bool
    midpoint_rms: PerImage | None = None
    witness: Witness | None = None

    @property
    def relative(self) -> PerImage:
        """bound / scale, for the eye (0 / 0 is 0); comparisons use products."""
        ratio = torch.where(self.bound == 0, 0, self.bound / self.scale)
        return torch.where(self.bound.isinf(), torch.inf, ratio)

    @property
    def informative(self) -> bool:
        """Whether a distance below the whole range of grey levels is proved for every image."""
        return bool((self.rms < GREY_LEVELS).all())

    @property
    def scaled(self) -> bool:
        """Whether the measure has a scale of its own; a gradient and a rate are measured against the first one."""
        return self.kind not in ("gradient", "rate")

    def __repr__(self) -> str:
        worst = float(self.relative.max())
        text = f"{self.kind} {worst:.2g} of its scale"
        if self.informative:
            return f"{text}, {_grey(self.rms)} grey levels rms and {_grey(self.maximum)} at most"
        if not self.rigorous:
            return f"{text}, nothing is proved of the distance"
        return f"{text}, the proved distance is uninformative"


def _grey(values: PerImage) -> str:
    return f"{float(values.max()):.3g}"


def verify(model: Model, image: Image, witness: Witness | None = None) -> Certificate:
    """What ``image`` and ``witness`` prove about the distance to the model's solution.

    An image that breaks a hard constraint (a changed known pixel) is infinitely far.

    Args:
        model: any model or view; the view with the strongest proof is taken that fits the witness.
        image: the candidate, of the data's shape.
        witness: a ``DualWitness`` for saddle points, a ``Supersolution`` for monotone systems.

    Raises:
        InputError: the image or the witness is not finite, or of another shape.

    >>> import mindl as md
    >>> model = md.models.rof(torch.zeros(1, 1, 4, 4), weight=0.1)
    >>> verify(model, torch.full((1, 1, 4, 4), 1 / 255)).rms.round(decimals=3)     # one level off the solution 0
    tensor([1.], dtype=torch.float64)
    """
    check_image(image, "verify(image)")
    image = model.lift(image)
    if model.why_not(Energy) is not None and model.why_not(Flow) is None:
        return _at_rest(model.view(Flow), image)
    view = proving_view(model)
    if isinstance(view, SaddlePoint):
        if isinstance(witness, Supersolution | HarmonicCover):
            raise InputError(f"{model.title} is a saddle point: its witness is a DualWitness.")
        if witness is not None:
            _check_witness("dual", witness.dual, view.operator.field_shape(image.shape))
            _check_witness("image", witness.image, image.shape)
    elif isinstance(view, LinearSystem):
        wanted = HarmonicCover if isinstance(view, PolyharmonicSystem) else Supersolution
        if witness is not None and not isinstance(witness, wanted):
            raise InputError(f"{model.title} is a linear system: its witness is a {wanted.__name__}.")
        _check_witness("values", None if witness is None else witness.values, image.shape)
    return proved(view, image, witness)


def proved(view: Energy, image: Image, witness: Witness | None) -> Certificate:
    """``verify`` for what is known to fit and, but for the dual field, to be finite."""
    if isinstance(view, SaddlePoint):
        if witness is None:
            witness = DualWitness(image.new_zeros(view.operator.field_shape(image.shape)))
        return _saddle_point(view, image, cast(DualWitness, witness))
    if isinstance(view, LinearSystem):
        return _linear_system(view, image, cast("Supersolution | HarmonicCover | None", witness))
    return _energy(view, image)


def _check_witness(name: str, value: Tensor | None, shape: torch.Size) -> None:
    """A witness that is broadcast, or not finite, would break the proof."""
    if value is None:
        return
    if value.shape != shape:
        raise InputError(f"verify(witness) needs {name} of the shape {tuple(shape)}, got {tuple(value.shape)}.")
    if not bool(finite(value).all()):
        raise InputError(f"verify(witness) needs finite {name}.")


def proving_view(model: Model) -> Energy:
    """The view of a model whose proof is taken when nothing else is said: linear, saddle point, energy."""
    for kind in (LinearSystem, SaddlePoint):
        if model.why_not(kind) is None:
            return model.view(kind)
    return model.view(Energy)


def midpoint(model: Model, image: Image, dual: Dual) -> Image:
    """(u + u_p) / 2, whose proved distance is ``Certificate.midpoint_rms`` (before it is rounded to its type)."""
    view = model.view(SaddlePoint)
    result = torch.empty_like(view.image_of(image))
    for part, rows, inside in strips(view, image):
        u_p = part.primal_of(part.feasible(dual[..., rows, :].double()))
        middle = (part.image_of(image[..., rows, :]).double() + u_p) / 2
        result[..., rows, :][..., inside, :] = middle[..., inside, :].to(image.dtype)
    return result


def gap_map(model: Model, image: Image, dual: Dual) -> Image:
    """The duality gap as a density, (batch, 1, height, width): where is the answer not yet right?

    It is nonnegative and sums to the gap.
    """
    view = model.view(SaddlePoint)
    feasible = view.feasible(dual)
    field = view.field_gap(image, feasible).sum(dim=(1, 2))
    return (field + view.data_gap(image, feasible).sum(dim=1))[:, None].clamp(min=0)


def _saddle_point(view: SaddlePoint, image: Image, witness: DualWitness) -> Certificate:
    own = _Pair.of(view, image, witness.dual, reference=None)
    scale, distance = own.energy, own.distance
    if witness.image is not None:
        other = _Pair.of(view, witness.image, witness.dual, reference=image)
        through = torch.minimum(
            cast(Tensor, other.to_image) + other.distance, cast(Tensor, other.to_midpoint) + other.midpoint
        )
        distance = torch.minimum(distance, through)
    legal = view.admissible(image)
    distance = torch.where(torch.isfinite(scale) & legal, distance, torch.inf)
    picture = view.image_of(image)
    maximum = torch.minimum(distance, _range_bound(view, picture)) * GREY_LEVELS
    return Certificate(
        kind="duality gap",
        bound=torch.where(legal, own.gap, torch.inf),
        scale=scale,
        rms=torch.minimum(_grey_rms(distance, picture), maximum),
        maximum=maximum,
        rigorous=True,
        midpoint_rms=_grey_rms(own.midpoint, picture),
        witness=witness,
    )


@dataclass(frozen=True)
class _Pair:
    """The sums that a pair (u, p) leaves, and what they prove."""

    energy: PerImage
    gap: PerImage
    distance: PerImage
    midpoint: PerImage
    to_image: PerImage | None
    to_midpoint: PerImage | None

    @staticmethod
    def of(view: SaddlePoint, image: Image, dual: Dual, reference: Image | None) -> _Pair:
        stiffness = max(view.operator.norm_squared(*image.shape[2:]) ** 0.5, 1.0)
        sums = view.gap_sums(image, dual) or gap_sums(view, image, dual)
        energy, field, data, loose = sums.energy, sums.field, sums.data, sums.loose
        dual_squared = sums.dual_squared
        size_squared = to_image = to_midpoint = torch.zeros_like(energy)
        if reference is not None:
            size_squared, to_image, to_midpoint = _apart(view, image, dual, reference)
        mu = view.modulus
        # Every term is computed with a relative error of a few units, the difference u - f + K^T p with a few
        # units of each summand. Both are proportional to what is not zero, so that a constant image, of
        # energy 0, keeps a gap of exactly 0.
        slip = 4 * EPSILON * ((2 * energy).sqrt() + max(4.0, 1.5 * stiffness) * dual_squared.sqrt())
        squared = 2 * data / mu if mu > 0 else torch.full_like(data, torch.inf)
        gap = (field.clamp(min=0) + data) * (1 + 64 * EPSILON) + 16 * EPSILON * energy
        if mu > 0:
            gap = gap + max(mu, 1.0) * ((2 * data).sqrt() * slip + slip * slip / 2)
        gap = gap + 64 * EPSILON * stiffness * loose
        # With moduli mu of D and 1 / mu of D* the sums above hold for G / mu.
        gap_scaled = gap / mu if mu > 0 else torch.full_like(gap, torch.inf)
        rest = (4 * gap_scaled - squared).clamp(min=0) if mu > 0 else gap_scaled
        away = to_midpoint.sqrt() * (1 + 64 * EPSILON) + 4 * EPSILON * size_squared.sqrt() + slip
        return _Pair(
            energy=energy,
            gap=_or_infinite(gap),
            distance=_or_infinite((squared.sqrt() + slip + rest.sqrt()) / 2 * (1 + 8 * EPSILON)),
            midpoint=_or_infinite(((rest / 4).sqrt() + slip) * (1 + 8 * EPSILON)),
            to_image=_or_infinite(to_image.sqrt() * (1 + 64 * EPSILON)),
            to_midpoint=_or_infinite(away),
        )


def gap_sums(view: SaddlePoint, image: Image, dual: Dual) -> GapSums:
    """The sums that make a duality gap, strip by strip; ``view.gap_sums`` may be a short cut to them."""
    zero = torch.zeros(image.shape[0], dtype=torch.float64, device=image.device)
    energy = field = data = squared = loose = zero
    for part, rows, inside in strips(view, image):
        u = image[..., rows, :].double()
        p = part.feasible(dual[..., rows, :].double())
        field = field + total(part.field_gap(u, p)[..., inside, :])
        data = data + total(part.data_gap(u, p)[..., inside, :])
        penalty, misfit = part.energy_density(u)
        energy = energy + total(penalty[..., inside, :]) + total(misfit[..., inside, :])
        squared = squared + inner(p[..., inside, :], p[..., inside, :])
        loose = loose + part.looseness(u[..., inside, :], p[..., inside, :])
    return GapSums(energy, field, data, squared, loose)


def _apart(view: SaddlePoint, image: Image, dual: Dual, reference: Image) -> tuple[PerImage, PerImage, PerImage]:
    """Squared norms: of v, of reference - v, and of reference - (v + u_p) / 2, for the image v of a witness."""
    zero = torch.zeros(image.shape[0], dtype=torch.float64, device=image.device)
    size = to_image = to_midpoint = zero
    for part, rows, inside in strips(view, image):
        u_p = part.primal_of(part.feasible(dual[..., rows, :].double()))[..., inside, :]
        v = part.image_of(image[..., rows, :].double())[..., inside, :]
        away = view.image_of(reference)[..., rows, :].double()[..., inside, :] - v
        to_image = to_image + inner(away, away)
        away = away + (v - u_p) / 2
        to_midpoint = to_midpoint + inner(away, away)
        size = size + inner(v, v)
    return size, to_image, to_midpoint


def _or_infinite(bound: PerImage) -> PerImage:
    """What overflowed to NaN on its way proves nothing."""
    return torch.where(bound.isnan(), torch.inf, bound)


def _range_bound(view: SaddlePoint, image: Image) -> PerImage:
    """The true solution stays within the range of the data, so no pixel is farther than the range's ends."""
    between = view.data_range()
    if between is None or not view.modulus:
        return torch.full((image.shape[0],), torch.inf, dtype=torch.float64, device=image.device)
    low, high = between  # of each channel, as the image's own: rounding is monotone
    above, below = image.amax(dim=(2, 3), keepdim=True) - low, high - image.amin(dim=(2, 3), keepdim=True)
    return torch.maximum(largest(above), largest(below)) * (1 + 8 * torch.finfo(image.dtype).eps)


def _linear_system(view: LinearSystem, image: Image, witness: Supersolution | HarmonicCover | None) -> Certificate:
    values = None if witness is None else witness.values
    if values is not None and view.free is not None:  # directions vanish at the known pixels
        values = torch.where(view.free, values, 0)
    sums = view.residual_sums(image, values) or residual_sums(view, image, values)
    energy, squared, peak, margin = sums.energy, sums.squared, sums.peak, sums.margin
    slip = residual_rounding(view, energy)
    residual_norm = _or_infinite(squared.sqrt() * (1 + 64 * EPSILON) + slip)
    distance = residual_norm / view.modulus if view.modulus > 0 else torch.full_like(energy, torch.inf)
    maximum = distance
    if isinstance(view, PolyharmonicSystem) and values is not None:
        height = sums.height
        holds = margin >= product_rounding(view.harmonic, height)
        proved = residual_norm * view.inverse_bound(height) * (1 + 64 * EPSILON)
        distance = torch.where(holds, torch.minimum(distance, proved), distance)
        maximum = distance
    if isinstance(view, MonotoneSystem):
        if math.isfinite(view.inverse_bound):
            maximum = torch.minimum(maximum, (peak + slip) * view.inverse_bound)
        if values is not None:
            height = sums.height
            holds = margin >= slip + product_rounding(view, height)
            maximum = torch.where(holds, torch.minimum(maximum, height), maximum)
            distance = torch.where(holds, torch.minimum(distance, sums.values_squared.sqrt()), distance)
    legal = torch.isfinite(energy)
    maximum = torch.where(legal, maximum, torch.inf) * GREY_LEVELS
    return Certificate(
        kind="residual",
        bound=torch.where(legal, residual_norm, torch.inf),
        scale=view.norm_of_right_hand_side,
        rms=torch.minimum(_grey_rms(torch.where(legal, distance, torch.inf), image), maximum),
        maximum=maximum,
        rigorous=True,
        witness=witness,
    )


def residual_sums(view: LinearSystem, image: Image, values: Image | None) -> ResidualSums:
    """What judges a residual and a witness, strip by strip; ``view.residual_sums`` may be a short cut to it."""
    energy = squared = peak = torch.zeros(image.shape[0], dtype=torch.float64, device=image.device)
    margin = torch.full_like(energy, torch.inf)
    for part, rows, inside in strips(view, image):
        # Strips overlap, so that their energies add up to at least the whole: all that rounding needs.
        energy = energy + part.energy(image[..., rows, :].double())
        residual = part.gradient(image[..., rows, :].double()).abs()[..., inside, :]
        squared = squared + inner(residual, residual)
        peak = torch.maximum(peak, largest(residual))
        if values is not None:
            matrix, wanted = _covers(part, residual)
            covered = matrix.apply(values[..., rows, :].double())[..., inside, :]
            slack = covered - wanted
            if part.free is not None:
                slack = torch.where(part.free[..., inside, :], slack, torch.inf)
            margin = torch.minimum(margin, -largest(-slack))
    if values is None:
        return ResidualSums(energy, squared, peak, margin, torch.zeros_like(energy), torch.zeros_like(energy))
    return ResidualSums(energy, squared, peak, margin, largest(values), inner(values, values))


def _covers(view: LinearSystem, residual: Image) -> tuple[LinearSystem, float | Image]:
    """What a witness v must cover: A v >= |r|, or H w >= 1."""
    return (view.harmonic, 1.0) if isinstance(view, PolyharmonicSystem) else (view, residual)


def residual_rounding(view: LinearSystem, energy: PerImage) -> PerImage:
    """How far a computed entry of A u - b may be off, in float64.

    It consists of differences that are at most sqrt(2 E) each, times at most the norm of A.
    """
    slip = 64 * EPSILON * (2 * energy * _stiffness(view).clamp(min=1.0)).sqrt()
    return slip if view.seeks is None else torch.where(view.seeks, slip, 0)  # nothing sought, nothing computed


def product_rounding(view: LinearSystem, height: PerImage) -> PerImage:
    """How far a computed entry of A v may be off for |v| <= height: a few units of what enters it."""
    return 32 * EPSILON * (1 + _stiffness(view)) * height


def _stiffness(view: LinearSystem) -> Tensor:
    """A bound of the norm of A."""
    bound = view.lipschitz
    return torch.as_tensor(1.0 if bound is None else bound, dtype=torch.float64).flatten()


def _energy(view: Energy, image: Image) -> Certificate:
    """The gradient, in float64; a distance where a modulus of strong convexity is proved.

    The rounding of a gradient of one's own is not known here: the distance holds up to it.
    """
    own = view.modulus_per_image if isinstance(view, SmoothEnergy) else 0.0
    modulus = torch.as_tensor(own, dtype=torch.float64, device=image.device)
    proved = modulus > 0
    if bool(proved.any()):
        whole, along = _steepness(view, image)
    else:  # nothing is proved: the image's own type will do
        gradient = view.gradient(image)
        whole = along = norm(view.move(image, -gradient)[1])
    # At a hard constraint only the part of the gradient counts along which the image may still move. The
    # distance rests on the whole of it: <grad E(u), u - u*> >= mu |u - u*|^2 for every admissible u.
    slope = _or_infinite(along)
    distance = torch.where(proved, _or_infinite(whole / torch.where(proved, modulus, 1)), torch.inf)
    legal = view.admissible(image)
    return Certificate(
        kind="gradient",
        bound=torch.where(legal, slope, torch.inf),
        scale=torch.full_like(slope, torch.nan),
        rms=_grey_rms(torch.where(legal, distance, torch.inf), image),
        maximum=torch.where(legal, distance, torch.inf) * GREY_LEVELS,
        rigorous=bool(proved.all()),
    )


def _steepness(view: Energy, image: Image) -> tuple[PerImage, PerImage]:
    """2-norms of the gradient, and of its part along which the image may still move, in float64."""
    whole = along = torch.zeros(image.shape[0], dtype=torch.float64, device=image.device)
    for part, rows, inside in strips(view, image):
        u = image[..., rows, :].double()
        gradient = part.gradient(u)
        moved = part.move(u, -gradient)[1][..., inside, :]
        gradient = gradient[..., inside, :]
        whole, along = whole + inner(gradient, gradient), along + inner(moved, moved)
    return whole.sqrt(), along.sqrt()


def _at_rest(view: Flow, image: Image) -> Certificate:
    """How fast a flow without an energy still changes the image."""
    legal = view.admissible(image)
    rate = torch.where(legal, _or_infinite(norm(view.rate(image))), torch.inf)
    unknown = torch.full_like(rate, torch.inf)
    scale = torch.full_like(rate, torch.nan)
    return Certificate(kind="rate", bound=rate, scale=scale, rms=unknown, maximum=unknown, rigorous=False)


def with_scale(certificate: Certificate, scale: PerImage) -> Certificate:
    """The same certificate measured against another scale (the first gradient, say)."""
    return replace(certificate, scale=scale)


def _grey_rms(distance: PerImage, image: Image) -> PerImage:
    return distance * (GREY_LEVELS / math.sqrt(image[0].numel()))
