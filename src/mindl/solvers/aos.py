r"""Additive operator splitting."""

from __future__ import annotations

from dataclasses import dataclass

from mindl.calculus.tridiagonal import solve_chain
from mindl.models.flow_views import Splittable
from mindl.solvers.dispatch_flows import split_step
from mindl.solvers.scheme import Moment, Scheme, check_step_size


@dataclass(frozen=True)
class AOS(Scheme[Splittable]):
    r"""Additive operator splitting: the mean of one semi-implicit step along each axis,

    .. math:: u^{k+1} = \frac1m \sum_{l=1}^m \big(I + m \tau A_l(u^k)\big)^{-1} u^k .

    Each inverse is a tridiagonal system for every line. Mean and range are kept for every step size, and the
    axes are treated alike; of first order in tau. Large steps favour the axes: beyond tau = 5 squares show in
    what should be round.

    Args:
        step_size: tau.

    Raises:
        InputError: a step size that is not positive.

    Source: Weickert, ter Haar Romeny and Viergever, IEEE Trans. Image Process. 7 (1998).

    >>> import torch, mindl as md
    >>> flow = md.models.nonlinear_diffusion(torch.eye(8)[None, None])
    >>> image = md.evolve(flow, AOS(500.0), 500.0).image
    >>> bool((image >= 0).all() & (image <= 1).all()), float(image.mean().round(decimals=6))
    (True, 0.125)
    """

    step_size: float = 1.0

    accepts = Splittable
    guarantee = "mean and range kept for every step size; first order in time"
    cost = "one diffusivity, one tridiagonal system along each axis"

    def __post_init__(self) -> None:
        check_step_size(self, self.step_size)

    def span(self, view: Splittable) -> float:
        """tau."""
        return self.step_size

    def over(self, view: Splittable, moment: Moment, duration: float) -> Moment:
        """The mean over the axes that have more than one pixel."""
        fused = split_step(view, moment.image, duration)
        if fused is not None:
            return Moment(fused, moment.time + duration, work=moment.work + 1)
        image = moment.image
        across, down = view.conductances(image)
        axes = [(k, dim) for k, dim in ((across, 3), (down, 2)) if image.shape[dim] > 1]
        if axes:
            parts = [solve_chain(image, k, len(axes) * duration, dim) for k, dim in axes]
            image = parts[0] if len(parts) == 1 else (parts[0] + parts[1]) / 2
        return Moment(image, moment.time + duration, work=moment.work + 1)
