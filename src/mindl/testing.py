"""Contracts that every model, solver, network and operator keeps: call them on your own classes.

Each check raises an ``AssertionError`` that says what was expected and what was found.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from mindl.calculus import Operator
from mindl.core.arrays import Image
from mindl.core.reduce import inner, norm
from mindl.models.candidate import Candidate
from mindl.models.flow import Flow
from mindl.models.flow_views import ConvexFlow, Quasilinear, Splittable
from mindl.models.model import Model
from mindl.models.views import Energy, LinearSystem, SaddlePoint
from mindl.neural import NeuralSolver
from mindl.solvers import Solver, Stop, minimise

SIZES = ((1, 1), (1, 5), (4, 1), (3, 4), (7, 5))


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def _claim(holds: object, text: str) -> None:
    if not bool(holds):
        raise AssertionError(text)


def check_operator(operator: Operator, channels: int = 2) -> None:
    """Adjoint, in-place twins and the norm's bound, on sizes from one pixel up.

    >>> import mindl as md
    >>> check_operator(md.calculus.Gradient())
    """
    for height, width in SIZES:
        where = f"{operator!r} on {height} x {width}"
        u = _random(2, channels, height, width)
        field = operator(u)
        p = _random(*field.shape, seed=1) - 0.5
        left, right = inner(field, p), inner(u, operator.adjoint(p))
        scale = norm(field) * norm(p) + norm(u) * norm(operator.adjoint(p))
        _claim(((left - right).abs() <= 1e-13 * scale).all(), f"{where}: <L u, p> differs from <u, L^T p>")
        gram = operator.adjoint(field)
        _claim(torch.allclose(operator.gram(u), gram, atol=1e-12), f"{where}: gram(u) is not L^T L u")
        bound = operator.norm_squared(height, width)
        _claim((inner(field, field) <= bound * inner(u, u) + 1e-12).all(), f"{where}: |L u|^2 > {bound} |u|^2")
        followed = u.clone().requires_grad_()
        (slope,) = torch.autograd.grad((operator(followed) * p).sum(), followed)
        _claim(torch.allclose(slope, operator.adjoint(p), atol=1e-13), f"{where}: autograd says another L^T p")
        followed = p.clone().requires_grad_()
        (slope,) = torch.autograd.grad((operator.adjoint(followed) * u).sum(), followed)
        _claim(torch.allclose(slope, field, atol=1e-13), f"{where}: autograd says another L u")
        junk = torch.full_like(field, 7.0), torch.full_like(u, 7.0), torch.full_like(u, 7.0)
        _claim(torch.equal(operator(u, out=junk[0]), field), f"{where}: out= gives another L u")
        _claim(
            torch.allclose(operator.adjoint(p, out=junk[1]), operator.adjoint(p), atol=1e-13),
            f"{where}: out= gives another L^T p",
        )
        _claim(
            torch.allclose(operator.gram(u, out=junk[1], scratch=junk[2]), gram, atol=1e-12),
            f"{where}: out= gives another L^T L u",
        )


def check_model(model: Model, like: Image | None = None) -> None:
    """Energies per image, gradients against differences, convexity and duality as the views promise.

    Args:
        model: a model with float64 data.
        like: an image of the right shape, for a model that names no start.

    >>> import mindl as md
    >>> check_model(md.models.rof(torch.rand(2, 1, 4, 5, dtype=torch.float64), weight=0.1))
    """
    start = model.start() if like is None else like
    u = model.project(start + 0.3 * (_random(*start.shape, seed=2) - 0.5))
    _claim(model.admissible(u).all(), f"{model.title}.project(u) is not admissible")
    _claim(torch.equal(model.project(u), u), f"{model.title}.project is not idempotent")
    energy = model.view(Energy)
    values = energy.checked_energy(u)
    _claim(torch.isfinite(values).all(), f"{model.title}.energy is not finite at an admissible image")
    for b in range(u.shape[0]):
        mixed = torch.where(torch.arange(u.shape[0]).reshape(-1, 1, 1, 1) == b, u, start)
        _claim(
            energy.checked_energy(mixed)[b] == values[b],
            f"{model.title}: the energy of an image depends on its batch mates",
        )
    _check_gradient(energy, u)
    if model.why_not(SaddlePoint) is None:
        _check_saddle_point(model.view(SaddlePoint), u)
    if model.why_not(LinearSystem) is None:
        _check_linear_system(model.view(LinearSystem), u)


def _check_gradient(energy: Energy, u: Image) -> None:
    """Central differences along random directions, where the energy is smooth at u."""
    gradient = energy.gradient(u)
    _claim(torch.isfinite(gradient).all(), f"{energy.title}.gradient is not finite")
    for seed in range(3):
        direction = energy.project(u + _random(*u.shape, seed=10 + seed) - 0.5) - u
        h = 1e-6
        difference = (energy.energy(u + h * direction) - energy.energy(u - h * direction)) / (2 * h)
        slope = inner(gradient, direction)
        scale = norm(gradient) * norm(direction) + 1e-3
        _claim(
            ((difference - slope).abs() <= 1e-5 * scale).all(),
            f"{energy.title}: <gradient, d> is {slope.tolist()}, differences say {difference.tolist()}",
        )


def _check_saddle_point(view: SaddlePoint, u: Image) -> None:
    p = view.feasible(_random(*view.operator(u).shape, seed=3) - 0.5)
    between = view.prox_data(u, 1e-9)  # within the box in which some models look for their solution
    _claim((view.field_gap(u, p) >= -1e-14).all(), f"{view.title}: F(K u) + F*(p) - <K u, p> is negative")
    _claim((view.data_gap(between, p) >= -1e-14).all(), f"{view.title}: D(u) + D*(-K^T p) + <K u, p> is negative")
    step = 0.7
    near = view.prox_data(u, step)
    for seed in range(3):
        other = view.prox_data(near + 0.01 * (_random(*u.shape, seed=20 + seed) - 0.5), 1e-9)

        def moreau(v: Tensor) -> Tensor:
            away = v - u
            return view.energy_density(v)[1].sum() + inner(away, away).sum() / (2 * step)

        _claim(moreau(near) <= moreau(other) + 1e-12, f"{view.title}.prox_data is not the minimiser")


def _check_linear_system(view: LinearSystem, u: Image) -> None:
    d = view.project(u + 1) - view.project(u)
    e = view.project(u * u) - view.project(u)
    _claim(
        torch.allclose(inner(view.apply(d), e), inner(d, view.apply(e)), rtol=1e-12, atol=1e-12),
        f"{view.title}: A is not symmetric",
    )
    _claim((inner(view.apply(d), d) >= 0).all(), f"{view.title}: A is not positive semidefinite")
    linear = view.gradient(u) + view.apply(e)
    _claim(torch.allclose(view.gradient(u + e), linear, atol=1e-12), f"{view.title}: the gradient is not A u - b")
    lipschitz = torch.inf if view.lipschitz is None else view.lipschitz
    bound = torch.as_tensor(lipschitz, dtype=torch.float64).flatten()
    _claim((norm(view.apply(d)) <= bound * norm(d) + 1e-12).all(), f"{view.title}: |A d| > lipschitz |d|")


def check_flow(flow: Flow, like: Image | None = None) -> None:
    """Rates per image and 0 at fixed pixels; and what its views promise: symmetry, bounds, monotonicity.

    Args:
        flow: a flow with float64 data.
        like: an image of the right shape, for a flow that names no start.

    >>> import mindl as md
    >>> check_flow(md.models.charbonnier_flow(torch.rand(2, 1, 4, 5, dtype=torch.float64)))
    """
    start = flow.start() if like is None else like
    u = flow.project(start + 0.3 * (_random(*start.shape, seed=2) - 0.5))
    v = flow.project(start + 0.3 * (_random(*start.shape, seed=3) - 0.5))
    rate = flow.rate(u)
    _claim(rate.shape == u.shape and torch.isfinite(rate).all(), f"{flow.title}.rate is not finite, or misshapen")
    _claim(flow.admissible(u + rate).all(), f"{flow.title}.rate moves a pixel that is known")
    for b in range(u.shape[0]):
        mixed = torch.where(torch.arange(u.shape[0]).reshape(-1, 1, 1, 1) == b, u, start)
        _claim(torch.equal(flow.rate(mixed)[b], rate[b]), f"{flow.title}: a rate depends on its batch mates")
    if isinstance(flow, Quasilinear):
        _check_quasilinear(flow, u, v)
    if isinstance(flow, Splittable):
        _check_splittable(flow, u)
    if isinstance(flow, ConvexFlow):
        _check_convex_flow(flow, u, v)


def _check_quasilinear(flow: Quasilinear, u: Image, v: Image) -> None:
    frozen, d, e = flow.frozen(u), flow.project(u) - flow.project(v), flow.rate(u) * 0.1
    _claim(torch.allclose(flow.rate(u), -frozen.gradient(u), atol=1e-12), f"{flow.title}: rate is not b - A(u) u")
    _claim(
        torch.allclose(inner(frozen.apply(d), e), inner(d, frozen.apply(e)), rtol=1e-12, atol=1e-12),
        f"{flow.title}: A(u) is not symmetric",
    )
    _claim((inner(frozen.apply(d), d) >= -1e-14).all(), f"{flow.title}: A(u) is not positive semidefinite")
    if flow.stable_step:
        bound = 2 / flow.stable_step
        for direction in (d, e, flow.project(u + _checkerboard(u)) - flow.project(u)):
            longer = norm(frozen.apply(direction)) <= bound * norm(direction) * (1 + 1e-12)
            _claim(longer.all(), f"{flow.title}: |A(u) d| > {bound:g} |d|, and stable_step promises less")


def _check_splittable(flow: Splittable, u: Image) -> None:
    across, down = flow.conductances(u)
    _claim((across >= 0).all() and (down >= 0).all(), f"{flow.title}: a conductance is negative")
    x = across.expand_as(u)[..., :-1] * (u[..., 1:] - u[..., :-1])
    y = down.expand_as(u)[..., :-1, :] * (u[..., 1:, :] - u[..., :-1, :])
    moved = torch.zeros_like(u)
    moved[..., :-1] += x
    moved[..., 1:] -= x
    moved[..., :-1, :] += y
    moved[..., 1:, :] -= y
    _claim(torch.allclose(moved, flow.rate(u), atol=1e-12), f"{flow.title}: conductances and rate differ")


def _check_convex_flow(flow: ConvexFlow, u: Image, v: Image) -> None:
    p = flow.slope(u)
    _claim(torch.allclose(flow.rate(u), -flow.operator.adjoint(p)), f"{flow.title}: rate is not -L^T slope")
    _claim((inner(flow.rate(u) - flow.rate(v), u - v) <= 1e-12).all(), f"{flow.title}: two solutions move apart")
    at_home, away = flow.field_gap(u, flow.feasible(p)), flow.field_gap(v, flow.feasible(p))
    _claim((at_home.abs() <= 1e-12).all(), f"{flow.title}: the slope at u leaves a gap at u")
    _claim((away >= -1e-14).all(), f"{flow.title}: F(L u) + F*(p) - <L u, p> is negative")
    bregman = flow.energy(v) - flow.energy(u) + inner(flow.rate(u), v - u)
    _claim((bregman >= -1e-12).all(), f"{flow.title}: the energy is not convex, or minus the rate no subgradient")
    step = flow.implicit_step(u, 0.3)
    expected = inner(v - u, v - u) / 2 + 0.3 * flow.energy(v)
    _claim(torch.allclose(step.energy(v), expected, rtol=1e-10), f"{flow.title}.implicit_step has another energy")


def _checkerboard(like: Image) -> Image:
    height, width = like.shape[2:]
    sign = (torch.arange(height)[:, None] + torch.arange(width)) % 2 * 2 - 1
    return sign.to(like).expand_as(like)


def check_solver(solver: Solver[Any, Any], model: Model, steps: int = 7) -> None:
    """``step`` is pure, ``advance`` is its twin, and an image in a batch is treated as alone.

    Args:
        solver: the solver.
        model: a model that it accepts, with float32 or float64 data.
        steps: how many are compared.

    >>> import mindl as md
    >>> check_solver(md.solvers.PrimalDual(), md.models.rof(torch.rand(1, 1, 6, 5), weight=0.1))
    """
    view = model.view(solver.accepts)
    start = Candidate(model.start())
    before = start.image.clone()
    pure = solver.begin(view, start)
    again = solver.begin(view, start)
    for _ in range(steps):
        image = solver.candidate(view, pure).image.clone()
        following = solver.step(view, pure)
        _claim(torch.equal(solver.candidate(view, pure).image, image), f"{solver!r}.step changes its argument")
        pure = following
    with torch.no_grad():
        fast = solver.advance(view, again, steps)
    _claim(torch.equal(start.image, before), f"{solver!r} changes the start")
    one, other = solver.candidate(view, pure).image, solver.candidate(view, fast).image
    tolerance = 100 * torch.finfo(one.dtype).eps
    _claim(
        torch.allclose(one, other, rtol=tolerance, atol=tolerance),
        f"{solver!r}: step and advance differ by {float((one - other).abs().max()):.2g} after {steps} steps",
    )
    solution = minimise(model, solver, stop=Stop(1e-3, steps=100))
    _claim(solution.unknown.shape == before.shape, f"{solver!r} changes the shape")
    _claim(solution.image.dtype == before.dtype, f"{solver!r} changes the type")
    _claim(torch.isfinite(solution.image).all(), f"{solver!r} returns values that are not finite")


def check_network(net: NeuralSolver, model_of: Callable[[Image], Energy]) -> None:
    """Any size from one pixel on, batch mates without influence, legal answers, gradients to every parameter.

    Args:
        net: a neural solver.
        model_of: makes a model from data (batch, ``net.channels``, height, width).

    >>> import mindl as md
    >>> net = md.neural.Direct(md.nets.UNet(1, 1, widths=(4, 4)), md.neural.Start())
    >>> check_network(net, lambda data: md.models.rof(data, weight=0.1))
    """
    training = net.training
    net.eval()
    for height, width in (*SIZES, (9, 14)):
        where = f"{net!r} on {height} x {width}"
        data = _random(3, net.channels or 2, height, width).float()
        model = model_of(data)
        with torch.no_grad():
            whole, again = net(model), net(model_of(data))
            alone = net(model_of(data[1:2]))
            wide = net(model_of(data.double()))
        _claim(
            whole.image.shape == data.shape and whole.image.dtype == data.dtype, f"{where}: another shape or type"
        )
        _claim(torch.equal(whole.image, again.image), f"{where}: the same model is answered in two ways")
        _claim(wide.image.dtype == torch.float64, f"{where}: float64 is not respected")
        _claim(
            torch.allclose(wide.image.float(), whole.image, atol=1e-4), f"{where}: float64 gives another answer"
        )
        _claim(torch.allclose(alone.image, whole.image[1:2], atol=1e-6), f"{where}: batch mates matter")
        _claim(torch.isfinite(whole.image).all(), f"{where}: NaN or infinity")
        _claim(model.admissible(whole.image).all(), f"{where}: a hard constraint is broken")
        if whole.dual is not None:
            view = model.view(SaddlePoint)
            _claim(view.operator(data).shape == whole.dual.shape, f"{where}: the dual field has another shape")
            legal = torch.allclose(view.feasible(whole.dual), whole.dual, atol=1e-6)
            _claim(legal, f"{where}: the dual field is not feasible")
    if not list(net.parameters()):
        return  # nothing that could learn
    net.train()
    net.zero_grad()
    candidate = net(model)
    model.checked_energy(candidate.image).sum().backward()  # type: ignore[no-untyped-call]
    silent = [
        name for name, p in net.named_parameters() if p.grad is None or not bool(torch.isfinite(p.grad).all())
    ]
    _claim(not silent, f"{net!r}: no finite gradient reaches {', '.join(silent)}")
    net.zero_grad()
    net.train(training)
