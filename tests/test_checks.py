"""When a running solver is looked at: fewer checks, and (almost) the same steps."""

from __future__ import annotations

import math

import pytest
import torch
from conftest import random_image
from hypothesis import given
from hypothesis import strategies as st

import mindl as md
from mindl.core.outcome import Outcome
from mindl.solvers import checks
from mindl.solvers.checks import GRAIN, foreseen

F = random_image(1, 1, 40, 33)
MASK = md.images.random_mask(40, 33, 0.05, seed=0)
CG = md.solvers.ConjugateGradient
PROPORTIONAL = [
    (md.models.harmonic_inpainting(F, MASK), CG(), 10),
    (md.models.harmonic_inpainting(F, MASK), CG(preconditioner=md.solvers.Multigrid()), 1),
    (md.models.whittaker_tikhonov(F, weight=30.0), CG(), 10),
    (md.models.biharmonic_inpainting(F, MASK), CG(preconditioner=md.solvers.Jacobi()), 1),
]
FALLING = [
    (md.models.rof(F, weight=0.1), md.solvers.PrimalDual()),
    (md.models.rof(F, weight=0.1), md.solvers.PrimalDual(acceleration=0.0, step_size=0.3)),
    (md.models.tv_inpainting(F, MASK), md.solvers.PrimalDual()),
    (md.models.charbonnier(F, weight=0.1, contrast=0.02), md.solvers.GradientDescent()),
]


def names(case: object) -> str:
    return getattr(case, "title", "")


@pytest.mark.parametrize(("model", "solver", "every"), PROPORTIONAL, ids=names)
@pytest.mark.parametrize("tolerance", [1e-2, 1e-5])
def test_a_known_residual_leaves_out_checks_and_no_step(model, solver, every, tolerance) -> None:
    each = md.minimise(model, solver, stop=md.Stop(tolerance, every=every))
    few = md.minimise(model, solver, stop=md.Stop(tolerance))
    assert few.outcome is each.outcome is Outcome.CERTIFIED
    assert torch.equal(few.steps, each.steps) and torch.equal(few.image, each.image)
    assert len(few.trace.steps) < len(each.trace.steps) or len(each.trace.steps) <= 3


@pytest.mark.parametrize(("model", "solver"), FALLING, ids=names)
@pytest.mark.parametrize("tolerance", [1e-2, 1e-4])
def test_what_is_foreseen_costs_few_steps(model, solver, tolerance) -> None:
    each = md.minimise(model, solver, stop=md.Stop(tolerance, every=GRAIN))
    few = md.minimise(model, solver, stop=md.Stop(tolerance))
    assert few.outcome is each.outcome is Outcome.CERTIFIED
    assert int(each.steps) <= int(few.steps) <= 1.15 * int(each.steps) + GRAIN
    assert int(few.steps) % GRAIN == 0


@given(
    st.integers(0, 3000),
    st.integers(1, 500),
    st.floats(1e-3, 1e9) | st.just(math.nan) | st.just(math.inf),
    st.floats(1e-3, 1e9) | st.just(math.nan) | st.just(math.inf),
)
def test_the_next_check_comes_soon_whatever_was_measured(first, more, high, low) -> None:
    count = first + more
    due = foreseen((first, high), (count, low))
    assert count + GRAIN <= due <= count + max(GRAIN, min(count, 10 * GRAIN)) and (due - count) % GRAIN == 0


def test_mates_change_nothing() -> None:
    """Not even the steps of an image, although they have checks at other times."""
    f = random_image(3, 1, 24, 20) * torch.tensor([1.0, 0.3, 0.05]).reshape(3, 1, 1, 1)
    mask = md.images.random_mask(24, 20, 0.1, seed=0)
    for make in (lambda g: md.models.rof(g, weight=0.1), lambda g: md.models.harmonic_inpainting(g, mask)):
        together = md.minimise(make(f), stop=md.Stop(1e-5))
        for k in range(3):
            alone = md.minimise(make(f[k : k + 1]), stop=md.Stop(1e-5))
            assert torch.equal(alone.image, together.image[k : k + 1])
            assert alone.steps.item() == together.steps[k].item()


def test_nobody_is_judged_at_the_check_of_a_mate(monkeypatch) -> None:
    """With checks at odd times, which depend on the image's own course only."""
    monkeypatch.setattr(checks, "foreseen", lambda before, now: now[0] + GRAIN * (1 + int(1e3 * now[1]) % 9))
    f = random_image(4, 1, 24, 20, seed=2)
    together = md.minimise(md.models.rof(f, weight=0.1), md.solvers.PrimalDual(), stop=md.Stop(1e-4))
    for k in range(4):
        alone = md.minimise(md.models.rof(f[k : k + 1], weight=0.1), md.solvers.PrimalDual(), stop=md.Stop(1e-4))
        assert alone.steps.item() == together.steps[k].item()
        assert torch.equal(alone.image, together.image[k : k + 1])


def test_steps_end_where_they_are_told_to() -> None:
    for steps in (0, 1, 7, 23):
        for stop in (md.Stop(1e-6, steps=steps), md.Stop(None, steps=steps)):
            assert md.minimise(md.models.rof(F, weight=0.1), md.solvers.PrimalDual(), stop=stop).steps == steps
