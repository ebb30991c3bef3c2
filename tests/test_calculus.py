from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from conftest import random_image
from hypothesis import given
from hypothesis import strategies as st

from mindl import calculus
from mindl.calculus import (
    Channelwise,
    Charbonnier,
    Diagonalised,
    Differences,
    Directional,
    DirectionalDifferences,
    Gradient,
    GradientPairs,
    Hessian,
    Huber,
    Joint,
    MirroredFilters,
    Operator,
    Paired,
    Periodic,
    PeronaMalik,
    Polyharmonic,
    Quadratic,
    Reflecting,
    Separate,
    TotalVariation,
    Vanishing,
    safe_sqrt,
)
from mindl.calculus.boundary import solve_screened
from mindl.calculus.operators import probe
from mindl.core.errors import InputError
from mindl.testing import check_operator

COUPLINGS = [Joint(), Channelwise(), Directional(), Separate()]
PENALISERS = [Quadratic(), TotalVariation(), Huber(0.3), Charbonnier(0.3), Charbonnier(0.01)]


OPERATORS = [
    Gradient(),
    Gradient(grid=0.5),
    Gradient(Periodic()),
    Gradient(Vanishing(), grid=2.0),
    GradientPairs(),
    GradientPairs(grid=0.5),
    Polyharmonic(1),
    Polyharmonic(2),
    Polyharmonic(3, grid=2.0),
    Polyharmonic(2, Periodic()),
    Polyharmonic(3, Vanishing()),
    Hessian(),
    Hessian(grid=0.5),
    DirectionalDifferences(),
    MirroredFilters(torch.randn(2, 5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)),
]


@pytest.mark.parametrize("operator", OPERATORS, ids=repr)
def test_operators_keep_their_contract(operator) -> None:
    check_operator(operator)


def test_every_operator_is_enlisted() -> None:
    concrete = {kind for kind in vars(calculus).values() if isinstance(kind, type) and issubclass(kind, Operator)}
    assert {type(operator) for operator in OPERATORS} == concrete - {Operator, Differences, Diagonalised}


@given(st.sampled_from(OPERATORS), st.integers(1, 9), st.integers(1, 9))
def test_norms_are_bounds_and_mostly_exact(operator, height: int, width: int) -> None:
    eye = torch.eye(height * width, dtype=torch.float64).reshape(-1, 1, height, width)
    matrix = operator(eye).reshape(height * width, -1)
    largest = torch.linalg.matrix_norm(matrix, 2).item() ** 2
    bound = operator.norm_squared(height, width)
    assert largest <= bound * (1 + 1e-13) + 1e-13
    # The border of the Hessian lacks rows of the squared Laplacian; others have no common modes, or are large.
    if not isinstance(operator, Hessian | DirectionalDifferences | MirroredFilters):
        assert bound == pytest.approx(largest, rel=1e-9, abs=1e-9)


@given(st.sampled_from(OPERATORS), st.integers(1, 9), st.integers(1, 9))
def test_diagonal_and_row_sums_by_probing(operator, height: int, width: int) -> None:
    eye = torch.eye(height * width, dtype=torch.float64).reshape(-1, 1, height, width)
    matrix = operator(eye).reshape(height * width, -1)
    like = torch.zeros(1, 1, height, width, dtype=torch.float64)
    found, sums = probe(operator.gram, like, operator.reach, wraps=operator.wraps)
    gram = matrix @ matrix.T
    assert torch.allclose(found.flatten(), gram.diagonal(), rtol=1e-12)
    assert torch.allclose(sums.flatten(), gram.abs().sum(dim=1), rtol=1e-12)


@pytest.mark.parametrize("boundary", [Reflecting(), Periodic(), Vanishing()], ids=repr)
@given(n=st.integers(1, 7), margin=st.integers(0, 20))
def test_boundaries_extend_and_fold(boundary, n: int, margin: int) -> None:
    """fold is the adjoint of extend; NumPy says what lies outside."""
    image = random_image(2, n, dtype=torch.float64)
    wide = random_image(2, n + 2 * margin, dtype=torch.float64, seed=1)
    longer = boundary.extend(image, margin, 1)
    mode = {"Reflecting": "symmetric", "Periodic": "wrap", "Vanishing": "constant"}[type(boundary).__name__]
    assert (longer.numpy() == np.pad(image.numpy(), ((0, 0), (margin, margin)), mode=mode)).all()
    assert (longer * wide).sum().item() == pytest.approx((image * boundary.fold(wide, margin, -1)).sum().item())


@pytest.mark.parametrize("boundary", [Reflecting(), Periodic(), Vanishing()], ids=repr)
@given(height=st.integers(1, 8), width=st.integers(1, 8))
def test_the_screened_laplacian_is_inverted_by_fourier(boundary, height: int, width: int) -> None:
    b = random_image(2, 3, height, width, dtype=torch.float64)
    v = solve_screened(b, boundary, 1.3, 2.1)
    assert torch.allclose(1.3 * v + 2.1 * Gradient(boundary).gram(v), b, atol=1e-13)
    assert torch.equal(v[1:], solve_screened(b[1:], boundary, 1.3, 2.1))


def test_gradient_pairs_are_the_same_after_a_quarter_turn() -> None:
    """The sum of the four magnitudes; that of forward differences is not, only after a transposition."""
    u = random_image(1, 3, 6, 7, dtype=torch.float64)
    pairs = [Paired().magnitude(GradientPairs()(torch.rot90(u, k, (2, 3)))).sum().item() for k in range(4)]
    assert pairs == pytest.approx([pairs[0]] * 4)
    one = [
        Joint().magnitude(Gradient()(v)).sum().item() for v in (u, u.transpose(2, 3), torch.rot90(u, 1, (2, 3)))
    ]
    assert one[0] == pytest.approx(one[1]) and abs(one[0] - one[2]) > 1e-2


def test_the_kernel_of_the_hessian_is_affine() -> None:
    y, x = torch.meshgrid(torch.arange(5.0), torch.arange(6.0), indexing="ij")
    assert Hessian()((1 + 2 * x - 3 * y)[None, None]).abs().max() < 1e-5
    eye = torch.eye(30, dtype=torch.float64).reshape(-1, 1, 5, 6)
    assert int(torch.linalg.matrix_rank(Hessian()(eye).reshape(30, -1))) == 27


def test_the_hessian_is_biharmonic_inside() -> None:
    u = random_image(1, 1, 9, 9, dtype=torch.float64)
    inside = slice(2, -2)
    assert torch.allclose(Hessian().gram(u)[..., inside, inside], Polyharmonic(2).gram(u)[..., inside, inside])


def _order(operator, expected, place: int = 0) -> float:
    """log2 of the ratio of errors at h and h / 2, inside the image; u = sin(2 x + y)."""

    def error(n: int) -> float:
        h = 1 / n
        at = (torch.arange(n, dtype=torch.float64) + 0.5) * h
        phase = 2 * at[None, :] + at[:, None]
        found = operator(h)(torch.sin(phase)[None, None])
        found = found[0, 0, place] if found.ndim == 5 else found[0, 0]
        return (found - expected(phase, h)).abs()[4:-4, 4:-4].max().item()

    return math.log2(error(64) / error(128))


ORDERS = {
    "forward differences": (1, lambda h: Gradient(grid=h), lambda p, h: 2 * torch.cos(p)),
    "between the pixels": (2, lambda h: Gradient(grid=h), lambda p, h: 2 * torch.cos(p + h)),
    "periodic": (2, lambda h: Gradient(Periodic(), h), lambda p, h: 2 * torch.cos(p + h)),
    "vanishing": (2, lambda h: Gradient(Vanishing(), h), lambda p, h: 2 * torch.cos(p + h)),
    "one of four pairs": (1, lambda h: lambda u: 4 * GradientPairs(h)(u), lambda p, h: 2 * torch.cos(p)),
    "mean of the pairs": (
        2,
        lambda h: lambda u: 4 * (GradientPairs(h)(u)[:, :, :1] + GradientPairs(h)(u)[:, :, 4:5]) / 2,
        lambda p, h: 2 * torch.cos(p),
    ),
    "minus the Laplacian": (2, lambda h: Gradient(grid=h).gram, lambda p, h: 5 * torch.sin(p)),
    "minus the Laplacian again": (2, lambda h: Polyharmonic(2, grid=h), lambda p, h: 5 * torch.sin(p)),
    "gradient of it": (2, lambda h: Polyharmonic(3, grid=h), lambda p, h: 10 * torch.cos(p + h)),
    "its square": (2, lambda h: Polyharmonic(2, grid=h).gram, lambda p, h: 25 * torch.sin(p)),
    "Hessian": (2, lambda h: Hessian(h), lambda p, h: -4 * torch.sin(p)),
}


@pytest.mark.parametrize("name", ORDERS)
def test_order_of_consistency(name) -> None:
    order, operator, expected = ORDERS[name]
    assert _order(operator, expected) == pytest.approx(order, abs=0.1)


def test_order_of_consistency_of_the_mixed_difference() -> None:
    """Second order between four pixels: at (x + h / 2, y + h / 2), where the phase is 3 h / 2 on."""
    mixed = _order(lambda h: Hessian(h), lambda p, h: -(2**1.5) * torch.sin(p + 1.5 * h), place=2)
    assert mixed == pytest.approx(2, abs=0.1)


def test_divergence_has_no_leak() -> None:
    p = random_image(1, 1, 2, 6, 5, dtype=torch.float64)
    assert Gradient().adjoint(p).sum().item() == pytest.approx(0, abs=1e-13)


@pytest.mark.parametrize("coupling", COUPLINGS, ids=repr)
def test_couplings_partition_the_field(coupling) -> None:
    q = random_image(2, 3, 2, 4, 5, dtype=torch.float64) - 0.5
    size = coupling.magnitude(q)
    assert torch.allclose((size * size).sum(), (q * q).sum())
    assert torch.allclose(coupling.magnitude(-2 * q), 2 * size)
    out, scratch = torch.empty_like(size), torch.empty_like(size)
    assert torch.equal(coupling.magnitude_(q, out, scratch), size)
    shapes = {"Joint": (1, 1), "Channelwise": (3, 1), "Directional": (1, 2), "Separate": (3, 2)}
    assert size.shape == (2, *shapes[type(coupling).__name__], 4, 5)


@pytest.mark.parametrize("joint", [True, False])
def test_paired_magnitudes_spread_over_both_components(joint) -> None:
    q = random_image(2, 3, 8, 4, 5, dtype=torch.float64) - 0.5
    coupling = Paired(joint)
    size = coupling.magnitude(q)
    assert size.shape == (2, 1 if joint else 3, 4, 4, 5)
    unit = q / coupling.spread(size)
    assert torch.allclose(coupling.magnitude(unit), torch.ones(()).double())
    expected = (q * q).unflatten(2, (4, 2)).sum(dim=3).sum(dim=1, keepdim=True) if joint else None
    assert expected is None or torch.allclose(size * size, expected)


@pytest.mark.parametrize("coupling", COUPLINGS, ids=repr)
@pytest.mark.parametrize("penaliser", PENALISERS, ids=repr)
@given(weight=st.floats(1e-3, 10), step=st.floats(1e-3, 10), seed=st.integers(0, 99))
def test_dual_proximal_map_by_moreau(penaliser, coupling, weight, step, seed) -> None:
    """prox of F* at p = p - step * prox of F / step at p / step; the radial prox of psi is the primal side."""
    p = 4 * (random_image(1, 3, 2, 3, 4, dtype=torch.float64, seed=seed) - 0.5)
    found = penaliser.dual_proximal(p, step, weight, coupling)
    q = p / step
    size = coupling.magnitude(q)
    shrunk = penaliser.proximal(size, weight / step)
    primal = q * torch.where(size > 0, shrunk / torch.where(size > 0, size, 1), 0)
    assert torch.allclose(found, p - step * primal, atol=1e-10)
    size = coupling.magnitude(p)
    scratch = (torch.empty_like(size), torch.empty_like(size))
    in_place = p.clone()
    penaliser.dual_proximal(in_place, step, weight, coupling, out=in_place, scratch=scratch)
    assert torch.allclose(in_place, found, atol=1e-13)


@pytest.mark.parametrize("penaliser", PENALISERS, ids=repr)
@given(s=st.floats(0, 5), step=st.floats(0.01, 5))
def test_proximal_map_is_the_minimiser(penaliser, s: float, step: float) -> None:
    t = torch.linspace(0, 6, 60001, dtype=torch.float64)
    objective = penaliser(t) + (t - s) ** 2 / (2 * step)
    best = t[objective.argmin()].item()
    assert penaliser.proximal(torch.tensor(s, dtype=torch.float64), step).item() == pytest.approx(best, abs=2e-4)


@pytest.mark.parametrize("coupling", COUPLINGS, ids=repr)
@pytest.mark.parametrize("penaliser", PENALISERS, ids=repr)
def test_fenchel_young(penaliser, coupling) -> None:
    """Never negative; zero exactly when p is a subgradient of F at q."""
    weight = 0.7
    q = random_image(1, 3, 2, 4, 5, dtype=torch.float64) - 0.5
    p = penaliser.feasible(3 * random_image(1, 3, 2, 4, 5, dtype=torch.float64, seed=1), weight, coupling)
    assert (penaliser.fenchel_young(q, p, weight, coupling) >= -1e-15).all()
    assert penaliser.fenchel_young(q, p, weight, coupling).sum() > 0.05
    size = coupling.magnitude(q)
    slope = (
        weight * q * (1 / size if isinstance(penaliser, TotalVariation) else penaliser.diffusivity(size * size))
    )
    assert penaliser.fenchel_young(q, slope, weight, coupling).abs().max() < 1e-13


@pytest.mark.parametrize("penaliser", PENALISERS, ids=repr)
def test_fenchel_young_is_the_sum_of_both_sides(penaliser) -> None:
    """Against a conjugate by brute force: F*(p) = max over t of <t n, p> - w psi(t), n the direction of p."""
    weight = 0.7
    q = 2 * random_image(1, 1, 2, 3, 3, dtype=torch.float64) - 1
    p = 0.95 * penaliser.feasible(random_image(1, 1, 2, 3, 3, dtype=torch.float64, seed=1) - 0.5, weight, Joint())
    t = torch.linspace(0, 40, 400001, dtype=torch.float64)
    length = Joint().magnitude(p).flatten()
    conjugate = torch.stack([(t * r - weight * penaliser(t)).max() for r in length])
    expected = weight * penaliser(Joint().magnitude(q)).flatten() + conjugate - Joint().total(q * p).flatten()
    assert torch.allclose(penaliser.fenchel_young(q, p, weight, Joint()).flatten(), expected, atol=1e-7)


def test_feasible_is_feasible_after_rounding() -> None:
    for dtype in (torch.float32, torch.float64):
        p = 100 * (random_image(1, 3, 2, 50, 50, dtype=dtype) - 0.5)
        for coupling in COUPLINGS:
            feasible = TotalVariation().feasible(p, 0.073, coupling).double()
            assert coupling.magnitude(feasible).max() <= 0.073
            assert coupling.magnitude(Huber(0.1).feasible(p, 0.073, coupling).double()).max() <= 0.073
            assert coupling.magnitude(Charbonnier(0.1).feasible(p, 0.73, coupling).double()).max() < 0.073


SMOOTH = [Quadratic(), Huber(0.3), Charbonnier(0.3), PeronaMalik(0.3)]


@pytest.mark.parametrize("penaliser", SMOOTH, ids=repr)
def test_diffusivity_is_the_derivative(penaliser) -> None:
    """psi' = s g(s^2); g falls and stays below its bound, and psi'' above its own."""
    s, h = torch.linspace(0.01, 3, 997, dtype=torch.float64), 1e-5
    assert torch.allclose(penaliser.flux(s), (penaliser(s + h) - penaliser(s - h)) / (2 * h), atol=1e-8)
    g = penaliser.diffusivity(s * s)
    assert (g.diff() <= 1e-14).all() and g.max() <= penaliser.largest_diffusivity
    slope = (penaliser.flux(s + h) - penaliser.flux(s - h)) / (2 * h)
    assert slope.min() >= penaliser.smallest_slope - 1e-7
    assert penaliser(torch.zeros(1)) == 0
    if not isinstance(penaliser, Huber):
        assert slope.min() <= penaliser.smallest_slope + 0.02


@pytest.mark.parametrize("kind", [Huber, Charbonnier, PeronaMalik])
@pytest.mark.parametrize("contrast", [0, -1.0, math.inf, math.nan, torch.zeros(1, 1, 1, 1), torch.ones(2)])
def test_contrasts_are_positive(kind, contrast) -> None:
    with pytest.raises(InputError, match="contrast"):
        kind(contrast)


def test_safe_sqrt_differentiates_everywhere() -> None:
    x = torch.tensor([0.0, 4.0], requires_grad=True)
    safe_sqrt(x).sum().backward()
    assert x.grad.tolist() == [0, 0.25]
    assert safe_sqrt(x).tolist() == [0, 2]
