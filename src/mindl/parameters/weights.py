r"""Weights of models from the noise, each with the reason why.

Three ways, from cheap to good: a rule of thumb (no solve), the discrepancy principle (a few solves), and Stein's
unbiased risk estimate by Monte Carlo (two solves for each weight tried). All take white Gaussian noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from mindl.core.arrays import GREY_LEVELS, Image, check_image
from mindl.core.errors import InputError, look_up
from mindl.core.randomness import Seed, draw
from mindl.core.reduce import inner
from mindl.images.noise import estimate_noise
from mindl.models.denoising import DENOISING, weight_for_noise
from mindl.models.model import Model
from mindl.solvers.entry import minimise
from mindl.solvers.solution import Solution
from mindl.solvers.stop import Stop

Make = Callable[[Image, float], Model]

GOLDEN = (math.sqrt(5) - 1) / 2
FAR = 1e6
"""A weight is sought within this factor of the noise's standard deviation, upwards and downwards."""


@dataclass(frozen=True)
class Choice:
    """A weight, and why. ``solution`` is the answer that belongs to it, where one was computed on the way."""

    weight: float
    why: str
    solution: Solution | None = field(default=None, repr=False)


def by_rule(model: str, data: Image, noise: float | None = None) -> Choice:
    """The weight by the rule of thumb of a named model (``models.denoising.weight_for_noise``).

    Args:
        model: a name of ``mindl.models.DENOISING`` that has a rule.
        data: the noisy image.
        noise: its standard deviation in the units of [0, 1]; by default it is estimated.

    Raises:
        UnknownNameError: no such model.
        InputError: no rule for the model, or noise that is not positive.

    >>> import mindl as md
    >>> noisy = md.images.GaussianNoise(0.1)(torch.zeros(1, 1, 64, 64), seed=0)
    >>> by_rule("rof", noisy, noise=0.1).why
    'weight 0.07782 by the rule of thumb of rof for noise of 25.5/255 (given)'
    """
    look_up(DENOISING, model, "denoising model")
    level, source = noise_level(data, noise)
    weight = weight_for_noise(model, level, data.shape[1])
    why = f"weight {weight:.4g} by the rule of thumb of {model} for noise of {level * GREY_LEVELS:.1f}/255"
    return Choice(weight, f"{why} ({source})")


def by_discrepancy(
    make: Make, data: Image, noise: float | None = None, *, share: float = 1.0, stop: Stop | None = None
) -> Choice:
    r"""The weight for which the solution is as far from the data as the noise is:

    .. math:: |u_w - f|^2 = s\, N \sigma^2 .

    For convex models the left side does not fall with w, so the weight is found by bisection of its logarithm,
    to one per cent. It needs no knowledge of the image, and smooths somewhat too much: what is removed beside
    the noise counts as noise not yet removed.

    Args:
        make: makes a model of the data and a weight, as ``mindl.models.rof``.
        data: the noisy image; images of a batch share the weight.
        noise: sigma in the units of [0, 1]; by default it is estimated.
        share: s; below 1 it smooths less.
        stop: how well each model is solved; ``Stop(1e-3)`` by default.

    Raises:
        InputError: noise or share not positive, or noise that no weight removes: even the smoothest answer is
            nearer.

    Source: Morozov, Soviet Math. Dokl. 7 (1966).

    >>> import mindl as md
    >>> noisy = md.images.GaussianNoise(0.1)(md.images.step(16, 64), seed=0)
    >>> choice = by_discrepancy(md.models.rof, noisy, noise=0.1)
    >>> distance = (choice.solution.image - noisy).square().mean().sqrt()
    >>> bool((distance - 0.1).abs() < 0.001)
    True
    """
    level, source = noise_level(data, noise)
    if not 0 < share < math.inf:
        raise InputError(f"by_discrepancy(share={share}) must be above 0 and finite.")
    stop = stop or Stop(1e-3)
    wanted = share * level**2 * data.numel()

    def distance(weight: float) -> tuple[float, Solution]:
        solution = minimise(make(data, weight), stop=stop)
        away = solution.image - data
        return float(inner(away, away).sum()), solution

    low, high = level / 2, level
    while distance(low)[0] > wanted:
        low, high = low / 4, low
        if low < level / FAR:
            raise InputError(
                f"by_discrepancy(noise={level:g}): even a weight of {low:.1g} removes more than that."
            )
    found, solution = distance(high)
    before = -math.inf
    while found < wanted:
        if found < 1.001 * before or high > level * FAR:  # four times the weight, and nothing more is removed
            raise InputError(
                f"by_discrepancy(noise={level:g}): no weight removes so much; even at {high:.1g} the answer is "
                f"{math.sqrt(found / data.numel()):.3g} from the data."
            )
        low, high, before = high, high * 4, found
        found, solution = distance(high)
    while high > 1.01 * low:
        middle = math.sqrt(low * high)
        found, trial = distance(middle)
        if found < wanted:
            low = middle
        else:
            high, solution = middle, trial
    why = (
        f"weight {high:.4g} by the discrepancy principle: the answer is as far from the data as noise of "
        f"{level * GREY_LEVELS:.1f}/255 ({source})"
    )
    return Choice(high, why, solution)


def by_sure(
    make: Make,
    data: Image,
    noise: float | None = None,
    *,
    start: float | None = None,
    seed: Seed = 0,
    stop: Stop | None = None,
) -> Choice:
    r"""The weight of least estimated risk, by Stein's unbiased risk estimate with a Monte Carlo divergence:

    .. math:: \mathrm{SURE}(w) = \tfrac1N |u_w(f) - f|^2 - \sigma^2
              + \tfrac{2 \sigma^2}{N \varepsilon} \langle b,\, u_w(f + \varepsilon b) - u_w(f) \rangle

    with random signs b and :math:`\varepsilon = \sigma / 10`. Its mean is that of the squared error to the
    image without noise, which nobody knows. The minimum over log w is bracketed from ``start`` on and refined
    by golden sections.

    Args:
        make, data, noise: as for ``by_discrepancy``.
        start: where the search begins; by default sigma.
        seed: of the signs b, the same for all weights.
        stop: how well each model is solved; ``Stop(1e-4)`` by default.

    Raises:
        InputError: noise or start not positive.

    Source: Stein, Ann. Statist. 9 (1981); Ramani, Blu and Unser, IEEE Trans. Image Process. 17 (2008),
    algorithm 1.

    >>> import mindl as md
    >>> noisy = md.images.GaussianNoise(0.1)(md.images.step(16, 64), seed=0)
    >>> by_sure(md.models.rof, noisy, noise=0.1).weight > 0.05
    True
    """
    level, source = noise_level(data, noise)
    first = level if start is None else start
    if not 0 < first < math.inf:
        raise InputError(f"by_sure(start={start}) must be above 0 and finite.")
    stop = stop or Stop(1e-4)
    risks: dict[float, tuple[float, Solution]] = {}

    def risk(log_weight: float) -> float:
        if log_weight not in risks:
            solution = minimise(make(data, math.exp(log_weight)), stop=stop)
            value = sure(make, data, math.exp(log_weight), level, solution=solution, seed=seed, stop=stop)
            risks[log_weight] = value, solution
        return risks[log_weight][0]

    middle, width = math.log(first), math.log(3.0)
    limits = math.log(level / FAR), math.log(level * FAR)
    while not risk(middle - width) > risk(middle) < risk(middle + width):
        middle += width if risk(middle + width) < risk(middle - width) else -width
        if not limits[0] < middle < limits[1]:
            break
    low, high = middle - width, middle + width
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    while high - low > 0.05:
        if risk(left) < risk(right):
            high, right = right, left
            left = high - GOLDEN * (high - low)
        else:
            low, left = left, right
            right = low + GOLDEN * (high - low)
    best = min(risks, key=lambda log_weight: risks[log_weight][0])
    value, solution = risks[best]
    error = GREY_LEVELS * math.sqrt(max(value, 0.0))
    why = (
        f"weight {math.exp(best):.4g} by SURE: the estimated error is least, {error:.1f}/255 rms, for noise of "
        f"{level * GREY_LEVELS:.1f}/255 ({source})"
    )
    return Choice(math.exp(best), why, solution)


def sure(
    make: Make,
    data: Image,
    weight: float,
    noise: float,
    *,
    solution: Solution | None = None,
    seed: Seed = 0,
    stop: Stop | None = None,
) -> float:
    """Stein's unbiased estimate of the mean squared error, for one weight (see ``by_sure``).

    Raises:
        InputError: noise that is not positive.

    >>> import mindl as md
    >>> noisy = md.images.GaussianNoise(0.1)(torch.full((1, 1, 64, 64), 0.5), seed=0)
    >>> abs(sure(md.models.whittaker_tikhonov, noisy, 1e4, 0.1)) < 1e-3     # nearly all noise is removed
    True
    """
    level, _ = noise_level(data, noise)
    stop = stop or Stop(1e-4)
    solution = solution or minimise(make(data, weight), stop=stop)
    shape, step = data.shape[1:], level / 10
    signs = draw(seed, data.shape[0], lambda g: torch.randint(0, 2, shape, generator=g).to(data.dtype) * 2 - 1)
    signs = signs.to(data.device)
    moved = minimise(make(data + step * signs, weight), stop=stop)
    away = solution.image - data
    divergence = inner(signs, moved.image - solution.image) / step
    total = inner(away, away) + 2 * level**2 * divergence
    return float(total.sum()) / data.numel() - level**2


def noise_level(data: Image, noise: float | None) -> tuple[float, str]:
    """The noise that was given, or an estimate; and which of both."""
    check_image(data, "the choice of a weight (data)")
    level = float(estimate_noise(data).mean()) if noise is None else noise
    if not isinstance(level, float | int) or not 0 < level < math.inf:
        what = "is estimated as 0" if noise is None else f"is {noise}"
        raise InputError(f"A weight is chosen by the noise, which must be above 0 and finite; it {what}.")
    return level, "estimated" if noise is None else "given"
