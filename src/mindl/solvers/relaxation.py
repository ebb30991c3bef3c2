r"""Relaxation: Jacobi, Gauss-Seidel, SOR, one pixel or one set of pixels at a time."""

from __future__ import annotations

from dataclasses import dataclass

from mindl.core.arrays import Image
from mindl.core.errors import InputError
from mindl.models.views import LinearSystem
from mindl.solvers.preconditioner import Correct
from mindl.solvers.stationary import Stationary, anatomy


@dataclass(frozen=True)
class Jacobi(Stationary):
    r"""Damped Jacobi: every pixel is corrected as if its neighbours were right,

    .. math:: u^{k+1} = u^k + \omega D^{-1} (b - A u^k), \qquad D = \operatorname{diag} A.

    It converges for :math:`0 < \omega < 2 / \rho(D^{-1}A)`, and :math:`\rho(D^{-1}A) \le \max_i \sum_j
    |a_{ij}| / a_{ii}` (Gershgorin), which is at most 2 for the Laplacian. Low frequencies take of the order of
    the condition number many steps; high ones shrink by 3/5 a step (two dimensions, damping 0.8): a smoother.

    Args:
        damping: omega; by default 0.8 of the bound, that is 0.8 for the Laplacian.

    Raises:
        InputError: not above 0, or beyond the bound: unstable.

    Source: Young, Iterative Solution of Large Linear Systems (1971), chapter 4; Trottenberg et al., Multigrid
    (2001), section 2.1.

    >>> import torch, mindl as md
    >>> f = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> md.minimise(md.models.whittaker_tikhonov(f, weight=1.0), Jacobi()).outcome.value
    'certified'
    """

    damping: float | None = None

    guarantee = "converges below the bound of the damping; about kappa steps"
    cost = "one product with A"

    def __post_init__(self) -> None:
        if self.damping is not None and not 0 < self.damping < float("inf"):
            raise InputError(f"Jacobi(damping={self.damping}) must be above 0 and finite.")

    def prepare(self, view: LinearSystem, like: Image, *, symmetric: bool) -> Correct:
        """r -> omega r / D."""
        diagonal, sums = anatomy(self, view, like)
        bound = 2 / (sums / diagonal).amax(dim=(1, 2, 3), keepdim=True)
        least = float(bound.detach().min())
        if self.damping is not None and self.damping >= least * (1 + 1e-6):
            raise InputError(
                f"Jacobi(damping={self.damping:g}) is unstable for {view.title}: the bound is {least:.4g}."
            )
        factor = (0.8 * bound if self.damping is None else self.damping) / diagonal
        return lambda residual: residual * factor


@dataclass(frozen=True)
class SOR(Stationary):
    r"""Successive over-relaxation, one set of pixels after the other:

    .. math:: u_S \leftarrow u_S + \omega D_S^{-1} (b - A u)_S, \qquad S = S_1, S_2, \dots

    where no two pixels of a set see each other: red and black for the Laplacian, (reach + 1)^2 sets for wider
    stencils. It converges for every :math:`0 < \omega < 2` and every symmetric positive definite A (Ostrowski).
    On the n x n model problem :math:`\omega = 2 / (1 + \sin(\pi / (n+1)))` needs of the order of n sweeps where
    Gauss-Seidel needs n^2. As a preconditioner it sweeps forth and back (SSOR).

    Args:
        relaxation: omega, in (0, 2).

    Raises:
        InputError: outside (0, 2).

    Source: Young (1971), chapters 4 and 6; Ostrowski, Rend. Mat. Appl. 13 (1954).

    >>> import torch, mindl as md
    >>> f = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> md.minimise(md.models.whittaker_tikhonov(f, weight=1.0), SOR(1.2)).outcome.value
    'certified'
    """

    relaxation: float = 1.5

    guarantee = "converges for every relaxation between 0 and 2; about sqrt(kappa) sweeps for the best one"
    cost = "a product with A for each colour: two for the Laplacian"

    def __post_init__(self) -> None:
        if not 0 < self.relaxation < 2:
            raise InputError(f"SOR(relaxation={self.relaxation}) must lie between 0 and 2: elsewhere it diverges.")

    def prepare(self, view: LinearSystem, like: Image, *, symmetric: bool) -> Correct:
        """One sweep from 0; forth and back if it is to be symmetric."""
        return sweep(self, view, like, self.relaxation, symmetric=symmetric)


@dataclass(frozen=True)
class GaussSeidel(Stationary):
    r"""Gauss-Seidel with coloured sets of pixels: SOR with :math:`\omega = 1`, red-black for the Laplacian.

    It converges for every symmetric positive definite A, on the Laplacian twice as fast as Jacobi. As a
    smoother it shrinks high frequencies by 1/4 a sweep.

    Source: as for ``SOR``; the smoothing factor: Trottenberg et al., Multigrid (2001), section 4.5.

    >>> import torch, mindl as md
    >>> f = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> md.minimise(md.models.whittaker_tikhonov(f, weight=1.0), GaussSeidel()).outcome.value
    'certified'
    """

    guarantee = "converges for every symmetric positive definite A; about kappa / 2 sweeps"
    cost = SOR.cost

    def prepare(self, view: LinearSystem, like: Image, *, symmetric: bool) -> Correct:
        """One sweep from 0; forth and back if it is to be symmetric."""
        return sweep(self, view, like, 1.0, symmetric=symmetric)


def sweep(solver: Stationary, view: LinearSystem, like: Image, relaxation: float, *, symmetric: bool) -> Correct:
    """One sweep over the coloured sets, starting from 0."""
    diagonal, _ = anatomy(solver, view, like)
    height, width = like.shape[2:]
    factors = [relaxation * members.to(like) / diagonal for members in view.colours(height, width)]
    order = factors + factors[::-1] if symmetric else factors

    def correct(residual: Image) -> Image:
        found, rest = residual * order[0], residual
        made = found
        for factor in order[1:]:
            rest = rest - view.apply(made)
            made = rest * factor
            found = found + made
        return found

    return correct
