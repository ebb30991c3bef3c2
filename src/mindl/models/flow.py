"""What a flow is: a model that says how an image changes in time, with an energy or without one."""

from __future__ import annotations

from abc import abstractmethod

from mindl.core.arrays import Image
from mindl.models.model import Model


class Flow(Model):
    r"""An evolution :math:`\partial_t u = R(u)` that begins at ``start()``; R does not depend on the time.

    Subclasses write ``rate``, which is 0 at fixed pixels. ``stable_step`` is the largest step size for which the
    explicit scheme u + tau R(u) is known to be stable; None: not known, the user decides.

    >>> import torch
    >>> class Decay(Flow):
    ...     def rate(self, u):
    ...         return -u
    >>> import mindl as md
    >>> md.evolve(Decay(), md.solvers.Explicit(0.5), 1.0, start=torch.ones(1, 1, 1, 1)).image.item()
    0.25
    """

    @abstractmethod
    def rate(self, image: Image) -> Image:
        """R(u), in grey values per unit of time."""

    @property
    def stable_step(self) -> float | None:
        """The largest stable step size of the explicit scheme; 0: none is."""
        return None
