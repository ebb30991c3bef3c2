r"""Diffusion in the wavelet domain."""

from __future__ import annotations

from dataclasses import dataclass

from mindl.calculus.haar import haar_coefficients, haar_synthesis
from mindl.models.haar import HaarDiffusion
from mindl.solvers.scheme import Moment, Scheme, bounded_step, check_step_size
from mindl.solvers.solver import Bounds, Numbers


@dataclass(frozen=True)
class HaarShrinkage(Scheme[HaarDiffusion]):
    r"""Shift-invariant shrinkage of the Haar coefficients of all cells of 2 x 2 pixels, one scale, again and
    again:

    .. math:: S(w) = (1 - 4 \tau g)\, w \text{ for } w_x, w_y, \qquad
              S(w_{xy}) = (1 - (8 - 16 \alpha)\, \tau g)\, w_{xy},

    with one g for the coefficients of a cell. It equals ``Explicit`` for the same flow
    (``models.HaarDiffusion`` says why): a two-layer network with fixed filters, and shrinkage between them.

    Args:
        step_size: tau; None takes the largest stable one.

    Raises:
        InputError: a step size that is not positive, or beyond the flow's bound.

    Source: Mrazek, Weickert and Steidl, Int. J. Comput. Vis. 64 (2005).

    >>> import torch, mindl as md
    >>> md.evolve(md.models.haar_diffusion(torch.eye(4)[None, None]), HaarShrinkage(0.25), 1.0).steps
    4
    """

    step_size: float | None = None

    accepts = HaarDiffusion
    guarantee = "equal to the explicit scheme; sum of squares does not grow"
    cost = "one wavelet transform and its inverse"

    def __post_init__(self) -> None:
        check_step_size(self, self.step_size, optional=True)

    def span(self, view: HaarDiffusion) -> float:
        """tau."""
        return bounded_step(self, self.step_size, view)

    def bounds(self, view: HaarDiffusion, numbers: Numbers) -> Bounds:
        """Up to the flow's stable step."""
        most = view.stable_step
        return {"step_size": (0.0, self.span(view) if most is None else most)}

    def over(self, view: HaarDiffusion, moment: Moment, duration: float) -> Moment:
        """Transform, shrink, and back."""
        image = moment.image
        x, y, xy = haar_coefficients(image)
        shrunk = 4 * duration * view.cell_diffusivity(image)
        checkerboard = (2 - 4 * view.alpha) * shrunk
        result = haar_synthesis(image, x - shrunk * x, y - shrunk * y, xy - checkerboard * xy)
        return Moment(result, moment.time + duration, work=moment.work + 1)
