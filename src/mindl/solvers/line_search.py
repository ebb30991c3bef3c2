r"""A step along a direction that lowers the energy enough, for every image on its own."""

from __future__ import annotations

import torch

from mindl.core.arrays import Image, PerImage, per_image
from mindl.core.reduce import inner
from mindl.models.views import Energy

HALVINGS = 40
SUFFICIENT = 1e-4
"""Armijo's constant: the share of the promised decrease that must come true."""

FLATTEST = 0.5
"""Where rounding hides the decrease: the share of the slope that may be left beyond the valley."""


def search(view: Energy, image: Image, gradient: Image, direction: Image, first: PerImage) -> tuple[PerImage, int]:
    r"""The first tau of first, first/2, first/4, ... with :math:`E(v) \le E(u) + 10^{-4} \langle \nabla E(u),
    v - u\rangle`.

    v is u + tau d made admissible. Where the decrease drowns in the rounding of E, the slope beyond the step
    decides instead (the approximate Wolfe condition). 0 where 40 halvings do not suffice, where ``first`` is
    0, and where the gradient vanishes; and the number of evaluations.

    Source: Armijo, Pacific J. Math. 16 (1966); Hager and Zhang, SIAM J. Optim. 16 (2005), (4.1).
    """
    before = view.checked_energy(image)
    noise = 16 * torch.finfo(image.dtype).eps * before.abs().double()
    before = before.double()
    still = (inner(gradient, gradient) == 0) | (first == 0)
    step_size, accepted = first, still
    for evaluations in range(1, HALVINGS + 1):
        trial, move = view.move(image, direction * per_image(step_size, direction))
        after = view.checked_energy(trial).double()
        promised = -inner(gradient, move)
        visible = promised > 10 * noise
        accepted = accepted | (visible & (after <= before - SUFFICIENT * promised))
        changed = (trial != image).flatten(1).any(dim=1)  # a step lost in rounding is none
        unclear = ~accepted & (after <= before + noise) & (promised > 0) & changed
        if bool(unclear.any()):
            beyond = -inner(view.gradient(trial), move) / promised
            accepted = accepted | (unclear & (beyond >= -FLATTEST))
        if bool(accepted.all()):
            break
        step_size = torch.where(accepted, step_size, step_size / 2)
    return torch.where(accepted & ~still, step_size, 0), evaluations + 1
