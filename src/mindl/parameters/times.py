r"""When to stop a flow: by the noise, or by what is left of its traces in the image.

Both follow the flow step by step, and then look for the time within the last steps by bisection.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from mindl.core.arrays import GREY_LEVELS, Image
from mindl.core.errors import InputError
from mindl.core.reduce import inner, total
from mindl.models.candidate import Candidate
from mindl.models.flow import Flow
from mindl.models.model import Model
from mindl.parameters.weights import noise_level
from mindl.solvers.choosing import check_accepts
from mindl.solvers.evolve import SCHEMES, choose_scheme
from mindl.solvers.scheme import Moment, Scheme

MOST_STEPS = 100_000
"""A stopping time that takes more steps than this is none."""


@dataclass(frozen=True, eq=False)
class StoppingTime:
    """A time, why, and the image there."""

    time: float
    why: str
    image: Image = field(repr=False)


def time_by_discrepancy(
    model: Model, noise: float | None = None, solver: Scheme[Any] | None = None, *, share: float = 1.0
) -> StoppingTime:
    r"""The time at which a filter has taken away as much as the noise is:

    .. math:: |u(t) - f|^2 = s\, N \sigma^2,

    the first one, to one per cent of a step. It smooths somewhat too much, as in ``by_discrepancy``.

    Args:
        model: a filter, such as ``edge_enhancing_diffusion(noisy)``; images of a batch share the time.
        noise: sigma in the units of [0, 1]; by default it is estimated.
        solver: a scheme; by default one is chosen.
        share: s; below 1 it stops earlier.

    Raises:
        ViewError: the model is no flow, or the scheme does not accept it.
        InputError: noise or share not positive, or noise that the flow never removes.

    Source: Morozov, Soviet Math. Dokl. 7 (1966).

    >>> import mindl as md
    >>> noisy = md.images.GaussianNoise(0.1)(md.images.step(16, 64), seed=0)
    >>> found = time_by_discrepancy(md.models.nonlinear_diffusion(noisy), noise=0.1)
    >>> bool(((found.image - noisy).square().mean().sqrt() - 0.1).abs() < 0.001)
    True
    """
    flow, scheme = _prepared(model, solver)
    first = flow.start()
    level, source = noise_level(first, noise)
    if not isinstance(share, float | int) or not 0 < share < math.inf:
        raise InputError(f"time_by_discrepancy(share={share}) must be above 0 and finite.")
    wanted = share * level**2 * first.numel()

    def removed(moment: Moment) -> float:
        return _squared(moment.image - first)

    view: Any = model.view(scheme.accepts)
    before = moment = scheme.begin(view, Candidate(first))
    span, last, steps = scheme.span(view), 0.0, 0
    while (now := removed(moment)) < wanted:
        resting = steps > 10 and now <= last * (1 + 1e-6)
        if resting or steps >= MOST_STEPS:
            raise InputError(
                f"time_by_discrepancy(noise={level:g}): {flow.title} never removes so much; at time "
                f"{moment.time:g} the image is {math.sqrt(now / first.numel()):.3g} from the data."
            )
        before, last, steps = moment, now, steps + 1
        moment = scheme.over(view, moment, span)
    low, high = 0.0, span
    while steps and high - low > 0.01 * span:
        middle = (low + high) / 2
        trial = scheme.over(view, before, middle)
        if removed(trial) < wanted:
            low = middle
        else:
            high, moment = middle, trial
    why = (
        f"time {moment.time:.4g} by the discrepancy principle: the image is as far from the data as noise of "
        f"{level * GREY_LEVELS:.1f}/255 ({source})"
    )
    return StoppingTime(moment.time, why, moment.image)


def time_by_decorrelation(
    model: Model, solver: Scheme[Any] | None = None, *, longest: float | None = None
) -> StoppingTime:
    r"""The time at which what was removed resembles what is left the least:

    .. math:: \min_t |\operatorname{corr}(f - u(t),\, u(t))| .

    Noise is not correlated with the image it lies on; once structure is removed, both share it. No knowledge
    of the noise is needed. The search goes on while the time doubles without finding less, and is as fine as
    the steps.

    Args:
        model: as for ``time_by_discrepancy``.
        solver: a scheme whose every step covers its span; by default ``Explicit()`` where it is stable.
        longest: the time at which the search ends at the latest.

    Raises:
        ViewError: the model is no flow, or the scheme does not accept it.
        InputError: a constant image, of which nothing can be said; a longest time that is not positive.

    Source: Mrazek and Navara, Int. J. Comput. Vis. 52 (2003).

    >>> import mindl as md
    >>> noisy = md.images.GaussianNoise(0.1)(md.images.step(16, 64), seed=0)
    >>> time_by_decorrelation(md.models.nonlinear_diffusion(noisy)).time > 0.5
    True
    """
    flow, scheme = _prepared(model, solver)
    if longest is not None and not (isinstance(longest, float | int) and 0 < longest < math.inf):
        raise InputError(f"time_by_decorrelation(longest={longest}) must be above 0 and finite.")
    first = flow.start()
    if not _squared(_centred(first)) > 0:
        raise InputError("time_by_decorrelation needs an image that is not constant.")
    view: Any = model.view(scheme.accepts)
    moment, span = scheme.begin(view, Candidate(first)), scheme.span(view)
    best, least = moment, math.inf
    for _ in range(MOST_STEPS):
        moment = scheme.over(view, moment, span if longest is None else min(span, longest - moment.time))
        found = _correlation(first - moment.image, moment.image)
        if found < least:
            best, least = moment, found
        ended = longest is not None and moment.time >= longest * (1 - 1e-9)
        if ended or moment.time > max(2 * best.time, 10 * span):
            break
    if not math.isfinite(least):
        raise InputError(
            f"time_by_decorrelation: only the mean is left after a step of {span:g}; take shorter ones."
        )
    why = (
        f"time {best.time:.4g} by decorrelation: what is removed and what is left have a correlation of "
        f"{least:.2g} there, and more before and after"
    )
    return StoppingTime(best.time, why, best.image)


def _prepared(model: Model, solver: Scheme[Any] | None) -> tuple[Flow, Scheme[Any]]:
    """The flow and a scheme with steps fine enough to stop in between."""
    if not isinstance(model, Model):
        raise InputError(f"A stopping time belongs to a filter such as tv_flow(data), got {type(model).__name__}.")
    flow = model.view(Flow)
    if solver is None:
        solver = choose_scheme(model, 0.1)[0] if not flow.stable_step else SCHEMES["explicit"]
    if not isinstance(solver, Scheme):
        raise InputError(f"A stopping time needs a time-stepping scheme such as Explicit(), got {solver!r}.")
    check_accepts(solver, model, SCHEMES)
    return flow, solver


def _squared(image: Image) -> float:
    return float(inner(image, image).sum())


def _centred(image: Image) -> Image:
    """Without the mean of each image."""
    mean = total(image) / image[0].numel()
    return image - mean.to(image.dtype).reshape(-1, 1, 1, 1)


def _correlation(one: Image, other: Image) -> float:
    a, b = _centred(one), _centred(other)
    size = math.sqrt(_squared(a) * _squared(b))
    return abs(float(inner(a, b).sum())) / size if size > 0 else math.inf
