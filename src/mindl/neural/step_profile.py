"""How an unrolled solver gets on, step by step."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from mindl.models import Candidate, Energy, Model
from mindl.neural.neural_solver import in_use
from mindl.neural.unrolled import Unrolled


@dataclass(frozen=True)
class Profile:
    r"""What each step of an unrolled solver does, in the mean over a batch.

    Attributes:
        energy: :math:`E(u_k) / E(u_0)` after k = 1, 2, ... steps; empty for models without an energy.
        change: :math:`\|u_k - u_{k-1}\|`, rms in grey levels of 255.
        numbers: step sizes and their kin, the largest of the batch.
        share: these numbers in parts of their largest stable value, where the solver knows one: above 1 a step
            lies beyond the bound of its proof.
    """

    energy: list[float] = field(default_factory=list)
    change: list[float] = field(default_factory=list)
    numbers: dict[str, list[float]] = field(default_factory=dict)
    share: dict[str, list[float]] = field(default_factory=dict)


def profile(net: Unrolled, model: Model) -> Profile:
    r"""Follow the steps of an unrolled solver on a model.

    For descent of a smooth energy the bound is :math:`\tau < 2 / L`, for explicit steps of a flow the stable
    step, for primal-dual ones :math:`\tau \sigma \|K\|^2 \le 1` (``Solver.bounds``).

    Raises:
        ViewError, InputError: the network does not answer such a model.

    >>> import mindl as md
    >>> model = md.models.whittaker_tikhonov(torch.eye(8)[None, None], weight=1.0)
    >>> net = Unrolled(md.solvers.GradientDescent(step_size=0.1), steps=3, learn=[md.neural.StepSizes()])
    >>> found = profile(net, model)
    >>> [round(share, 2) for share in found.share["step_size"]]
    [0.43, 0.43, 0.43]
    >>> found.energy[0] > found.energy[1] > found.energy[2]
    True
    """
    net.check(model)
    energy = model.view(Energy) if model.why_not(Energy) is None else None
    found = Profile()
    with in_use(net):
        base: Any = model.view(net.accepts)
        before = model.start()
        first = None if energy is None else energy.checked_energy(before)
        state: Any = None
        memories: list[Any] = [None] * len(net.freedoms)
        for k in range(net.steps):
            view = net.freed(model, k)
            if state is None:
                state = net.solver.tuned(base, net.solver.begin(view, Candidate(before)))
            numbers = net.numbers(base, state, k)
            state = net.advanced(base, view, state, k)
            state, memories = net.corrected(view, state, memories, k)
            after = net.answered(model, net.solver.candidate(view, state)).image
            found.change.append(255 * math.sqrt(float((after - before).double().square().mean())))
            if energy is not None and first is not None:
                found.energy.append(_ratio(energy.checked_energy(after), first))
            bounds = net.solver.bounds(base, numbers)
            for name, value in numbers.items():
                found.numbers.setdefault(name, []).append(_largest(value))
                high = _largest(bounds[name][1]) if name in bounds else math.inf
                if 0 < high < math.inf:
                    shares = torch.as_tensor(value).double() / torch.as_tensor(bounds[name][1]).double()
                    found.share.setdefault(name, []).append(_largest(shares))
            before = after.clone()
    return found


def _largest(value: float | Tensor) -> float:
    return float(torch.as_tensor(value).max())


def _ratio(here: Tensor, first: Tensor) -> float:
    begun = float(first.double().sum())
    return float(here.double().sum()) / begun if begun else 1.0
