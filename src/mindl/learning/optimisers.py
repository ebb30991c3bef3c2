"""Optimisers as data: names and numbers that ``fit`` makes an optimiser of torch from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from mindl.core.arguments import kind, number


@dataclass(frozen=True)
class Optimiser(ABC):
    """How a gradient becomes a step.

    Attributes:
        rate: the largest learning rate; a schedule multiplies it.
    """

    rate: float

    @abstractmethod
    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser of some parameters."""


@dataclass(frozen=True)
class Adam(Optimiser):
    """Adam, with weight decay apart from the gradient where ``decay`` is not 0 (AdamW).

    The usual choice: every parameter has a step size of its own, so that parts of different scale, such as the
    free numbers and the filters of an unrolled solver, learn together.

    Source: Kingma and Ba, ICLR 2015; Loshchilov and Hutter, ICLR 2019.
    """

    rate: float = 4e-3
    momentum: float = 0.9
    memory: float = 0.99
    decay: float = 0.0

    def __post_init__(self) -> None:
        number(self.rate, "Adam(rate)", above=0)
        number(self.momentum, "Adam(momentum)", least=0, below=1)
        number(self.memory, "Adam(memory)", least=0, below=1)
        number(self.decay, "Adam(decay)", least=0)

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """AdamW."""
        betas = (self.momentum, self.memory)
        return torch.optim.AdamW(parameters, lr=self.rate, betas=betas, weight_decay=self.decay)


@dataclass(frozen=True)
class SGD(Optimiser):
    r"""Stochastic gradient descent with heavy-ball or Nesterov momentum.

    Its theory is that of the solvers: on a quadratic with largest curvature L, steps without momentum are stable
    below :math:`2 / L`. One rate serves all parameters, so it must be found: ``mindl.learning.rate_range``.

    Source: Robbins and Monro, Ann. Math. Stat. 22 (1951); Sutskever et al., ICML 2013.
    """

    rate: float = 0.1
    momentum: float = 0.9
    nesterov: bool = True
    decay: float = 0.0

    def __post_init__(self) -> None:
        number(self.rate, "SGD(rate)", above=0)
        number(self.momentum, "SGD(momentum)", least=0, below=1)
        number(self.decay, "SGD(decay)", least=0)
        kind(self.nesterov, bool, "SGD(nesterov)", "True or False")

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """SGD; without momentum there is nothing to look ahead by."""
        return torch.optim.SGD(
            parameters,
            lr=self.rate,
            momentum=self.momentum,
            nesterov=self.nesterov and self.momentum > 0,
            weight_decay=self.decay,
        )
