"""A running average of the weights."""

from __future__ import annotations

import copy

import torch
from torch import nn


class Average:
    r"""Keeps :math:`\bar\theta \leftarrow d\,\bar\theta + (1 - d)\,\theta` with d the smaller of ``decay`` and
    (1 + t) / (10 + t), so that the first steps are soon forgotten.

    With ``decay=None`` it is the network itself. Source: Polyak and Juditsky, SIAM J. Control Optim. 30 (1992).

    >>> line = nn.Linear(1, 1)
    >>> Average(line, None).net is line
    True
    """

    def __init__(self, net: nn.Module, decay: float | None) -> None:
        self.decay = decay
        self._live = net
        self.net = net if decay is None else copy.deepcopy(net).requires_grad_(False)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after step ``step`` (from 0)."""
        if self.decay is None:
            return
        share = 1 - min(self.decay, (1 + step) / (10 + step))
        for mean, live in zip(self.net.state_dict().values(), self._live.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(live, share)
            else:
                mean.copy_(live)
