r"""Fast semi-iterative schemes: explicit steps with momentum."""

from __future__ import annotations

from dataclasses import dataclass

from mindl.solvers.cycle import Cyclic


@dataclass(frozen=True)
class FSI(Cyclic):
    r"""Fast semi-iterative scheme: a cycle of n explicit steps with a frozen rate R, each extrapolated,

    .. math:: u^{k+1} = \alpha_k \big(u^k + \tau_{\max} R(u^k)\big) + (1 - \alpha_k)\, u^{k-1}, \qquad
              \alpha_k = \frac{4 k + 2}{2 k + 3}, \quad u^{-1} = u^0 .

    It covers the time of a cycle of ``FED``, and every image on the way is one of a shorter cycle: on a line with
    tau_max = 1/2 a box filter of 2 k + 3 pixels after each step. A whole cycle equals that of ``FED``, and
    rounding is harmless. The factors make a step a residual block with a second skip connection. The sum
    of squares does not grow over a cycle; the range is not kept. (With a rate that follows the image within a
    cycle neither is: on a row of 24 pixels Perona-Malik's left the range [0, 1] by 0.99.)

    Args, errors: as for ``FED``.

    Source: Hafner, Ochs, Weickert, Reissel and Grewenig, Pattern Recognition (GCPR 2016).

    >>> import torch, mindl as md
    >>> pixel = torch.zeros(1, 1, 1, 9, dtype=torch.float64)
    >>> pixel[..., 4] = 1
    >>> md.evolve(md.models.linear_diffusion(pixel), FSI(3), 2.0).image.flatten()[:4].round(decimals=6).tolist()
    [0.0, 0.142857, 0.142857, 0.142857]
    """

    momentum = True

    def steps(self, n: int, step_size: float) -> list[tuple[float, float]]:
        """tau_max and alpha_k - 1."""
        return [(step_size, (4 * k + 2) / (2 * k + 3) - 1) for k in range(n)]
