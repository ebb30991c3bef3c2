r"""The semi-implicit scheme."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from mindl.core.arrays import Image
from mindl.models.flow_views import Quasilinear
from mindl.models.fused_linear import Laplacian, laplacian_of
from mindl.models.views import LinearSystem
from mindl.solvers.choosing import MILD
from mindl.solvers.correction import Correction, Counted, solve_followed
from mindl.solvers.scheme import Moment, Scheme, check_share, check_step_size, value_of


@dataclass(frozen=True)
class SemiImplicit(Scheme[Quasilinear]):
    r"""The semi-implicit scheme :math:`(I + \tau A(u^k))\, u^{k+1} = u^k + \tau b`: stable for every step size.

    The matrix is that of the step before, so every step is a linear system; conjugate gradients solve it, with
    multigrid where it is ill-conditioned. Where A is an M-matrix (isotropic diffusion) the range is kept. Of first
    order in tau. Means are kept up to the tolerance. Autograd differentiates a step by solving one more system.

    Args:
        step_size: tau.
        tolerance: relative residual of the systems.

    Raises:
        InputError: a step size or tolerance outside its range.

    Source: Weickert, ter Haar Romeny and Viergever, IEEE Trans. Image Process. 7 (1998), section 2.

    >>> import torch, mindl as md
    >>> flow = md.models.linear_diffusion(torch.tensor([[[[0.0, 1.0]]]]))
    >>> md.evolve(flow, SemiImplicit(1.0), 1.0).image.flatten()
    tensor([0.3333, 0.6667])
    """

    step_size: float = 1.0
    tolerance: float = 1e-6

    accepts = Quasilinear
    guarantee = "stable for every step size; first order in time"
    cost = "conjugate gradients in one linear system"

    def __post_init__(self) -> None:
        check_step_size(self, self.step_size)
        check_share(self, self.tolerance)

    @property
    def heavy(self) -> bool:
        """A system costs many checks."""
        return True

    def span(self, view: Quasilinear) -> float:
        """tau."""
        return self.step_size

    def over(self, view: Quasilinear, moment: Moment, duration: float) -> Moment:
        """u + d with (I + tau A) d = tau R(u)."""
        frozen = view.frozen(moment.image)
        matrix = Counted(_Shifted(frozen, duration))
        right = -duration * frozen.gradient(moment.image)
        stiff = frozen.lipschitz is None or value_of(duration) * frozen.lipschitz > MILD
        change = solve_followed(Correction(matrix, right, frozen if stiff else None), self.tolerance)
        return Moment(
            moment.image + frozen.project(change) if frozen.free is None else view.project(moment.image + change),
            moment.time + duration,
            work=moment.work + 1 + matrix.products,
        )


@dataclass(frozen=True, eq=False)
class _Shifted:
    """d + tau A d."""

    system: LinearSystem
    duration: float

    @property
    def laplacian(self) -> Laplacian | None:
        """The same of the system's, where sweeps know it."""
        known, tau = laplacian_of(self.system), value_of(self.duration)
        return known and replace(known, identity=1 + tau * known.identity, share=tau * known.share)

    def __call__(self, direction: Image, out: Tensor | None = None, scratch: Tensor | None = None) -> Image:
        result = direction + self.duration * self.system.apply(direction)
        return result if out is None else out.copy_(result)
