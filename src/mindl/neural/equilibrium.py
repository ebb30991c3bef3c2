"""A network of infinitely many equal layers: the fixed point of a solver's step, differentiated implicitly."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from mindl.core.arrays import Image, PerImageFlag
from mindl.core.errors import InputError, MindlWarning
from mindl.core.reduce import norm
from mindl.models import Candidate, Model
from mindl.neural.freedom import Freedom
from mindl.neural.unrolled import SolverNetwork
from mindl.solvers.solver import Solver


class Equilibrium(SolverNetwork):
    r"""A deep equilibrium network: :math:`u = F(u; \theta)`, F one step of a solver with what is set free.

    All layers have the same weights; they are applied until the image no longer moves. The derivative needs no
    layer to be kept: with the Jacobian J of F at the fixed point,

    .. math:: \frac{du}{d\theta} = (I - J)^{-1} \frac{\partial F}{\partial \theta},

    and :math:`(I - J^T)^{-1} v` is found by the iteration :math:`x \leftarrow J^T x + v`, which converges as
    fast as the network itself. Both need F to be a contraction: a strongly convex model and ``GradientDescent``
    below 2 / lipschitz make one. With ``model = flow.implicit_step(u, tau)`` this is an implicit step of a flow,
    stable for every tau, where an explicit step is a residual block.

    Args:
        solver: one whose step depends on the image alone (``Solver.memoryless``).
        learn: what is set free, as for ``Unrolled``; always shared.
        tolerance: the relative change of a step at which the image, or the derivative, is taken as it is.
        steps: at most so many, each way.
        title: the name in messages and tables.

    Warns:
        MindlWarning: the image still moved after so many steps, or the derivative did.

    Raises:
        InputError: a solver with a memory, such as momentum; a tolerance outside (0, 1), fewer than 1 steps.

    Source: Bai, Kolter and Koltun, NeurIPS 2019; Gilton, Ongie and Willett, IEEE Trans. Comput. Imaging 7 (2021).

    >>> import mindl as md
    >>> noisy = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> model = md.models.charbonnier(noisy, weight=0.5)
    >>> net = Equilibrium(md.solvers.GradientDescent(), tolerance=1e-10)
    >>> exact = md.minimise(model, stop=md.Stop(1e-10)).image
    >>> torch.allclose(net(model).image, exact, atol=1e-5)
    True
    """

    def __init__(
        self,
        solver: Solver[Any, Any],
        learn: Sequence[Freedom] = (),
        *,
        tolerance: float = 1e-6,
        steps: int = 1000,
        title: str | None = None,
    ) -> None:
        super().__init__(solver, 1, learn, title=title)
        if not solver.memoryless:
            raise InputError(
                f"Equilibrium needs a step that depends on the image alone, and {solver.title} remembers more: "
                "GradientDescent(), Explicit(), SemiImplicit() or LaggedDiffusivity() will do."
            )
        if not isinstance(tolerance, float | int) or not 0 < tolerance < 1 or steps < 1:
            raise InputError(
                f"Equilibrium(tolerance={tolerance}, steps={steps}) needs a tolerance in (0, 1) and a step."
            )
        self.tolerance, self.steps = tolerance, steps

    def forward(self, model: Model) -> Candidate:
        """The fixed point."""
        self.check(model)
        base: Any = model.view(self.accepts)
        view = self.freed(model, 0)

        def layer(image: Image) -> Image:
            state = self.solver.tuned(base, self.solver.begin(view, Candidate(image)))
            return self.solver.candidate(view, self.advanced(base, view, state, 0)).image

        with torch.no_grad():
            fixed = self._settled(layer, model.project(model.start()), "The image")
        followed = layer(fixed)
        if followed.requires_grad:
            inside = fixed.clone().requires_grad_()
            outside = layer(inside)

            def backwards(upstream: Tensor) -> Tensor:
                def transposed(x: Tensor) -> Tensor:
                    (found,) = torch.autograd.grad(outside, inside, x, retain_graph=True)
                    return found + upstream

                return self._settled(transposed, upstream, "The derivative")

            followed.register_hook(backwards)  # type: ignore[no-untyped-call]
        return self.answered(model, Candidate(followed))

    def _settled(self, move: Callable[[Tensor], Tensor], start: Tensor, what: str) -> Tensor:
        """The image after which a move changes none by more than the tolerance; each image stops on its own."""
        image, done = start, torch.zeros(start.shape[0], dtype=torch.bool, device=start.device)
        for _ in range(self.steps):
            moved = move(image)
            still: PerImageFlag = norm(moved - image) <= self.tolerance * norm(moved)
            image = torch.where(done.reshape(-1, 1, 1, 1), image, moved)
            done = done | still
            if bool(done.all()):
                return image
        warnings.warn(
            MindlWarning(
                f"{what} of {self.title} ({self.solver.title}) still moves by more than {self.tolerance:g} after "
                f"{self.steps} steps: take more of them, or a larger tolerance."
            ),
            stacklevel=2,
        )
        return image

    @property
    def about(self) -> str:
        """The solver."""
        return f"fixed point of {self.solver.title}"
