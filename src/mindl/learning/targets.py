"""Losses that compare an answer with an image: the clean one, the model's solution, a second noisy one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mindl.core.arrays import PerImage
from mindl.learning.losses import Loss, in_units_of, squares
from mindl.learning.task import Problem, Task
from mindl.neural import NeuralSolver


@dataclass(frozen=True)
class TargetLoss(Loss):
    r"""The squared difference to an image t, in units of that of the start:
    :math:`\|u - t\|^2 / \|u_0 - t\|^2`."""

    def of(self, net: NeuralSolver, task: Task, problems: Problem, generator: torch.Generator) -> PerImage:
        """That of the network's answers."""
        target: Tensor = problems[self.needs[0]]
        model = task.model(problems)
        answer = net(model).image
        return squares(answer - target) / in_units_of(squares(model.start() - target))


@dataclass(frozen=True)
class SupervisedLoss(TargetLoss):
    r"""The squared difference to the clean image c: :math:`r = \|u - c\|^2 / \|u_0 - c\|^2`.

    A network for many strengths of noise sees mostly the weak ones in r, of which more is left over. Its
    logarithm, :math:`\ln (1 + 100\, r)`, counts a decibel alike wherever it is gained, so long as r is well
    above 0.01; below, it is nearly 100 r.

    The network learns what images look like, not the model: it may be much nearer to the clean image than the
    model's solution, and nothing is known of it on other images. Its answer solves no model, and a certificate
    says so.

    Args:
        logarithm: whether the logarithm is made small instead of r.

    >>> import mindl as md
    >>> net = md.neural.Direct(md.nets.PlainCNN(1, 1, depth=2), md.neural.Start())
    >>> md.fit(net, md.learning.Denoising(), md.data.DeadLeaves(2, size=24),
    ...        md.learning.Training(steps=2, batch=2, crop=16, loss=SupervisedLoss()))
    <training of Direct (PlainCNN, 457 parameters): 2 steps, finished>
    """

    logarithm: bool = False

    needs: ClassVar[tuple[str, ...]] = ("clean",)
    learns_images: ClassVar[bool] = True

    def of(self, net: NeuralSolver, task: Task, problems: Problem, generator: torch.Generator) -> PerImage:
        """r of the network's answers, or its logarithm."""
        left = super().of(net, task, problems, generator)
        return torch.log1p(100 * left) if self.logarithm else left


@dataclass(frozen=True)
class SolutionLoss(TargetLoss):
    r"""The squared difference to the model's certified solution: :math:`\|u - u^*\|^2 / \|u_0 - u^*\|^2`.

    The network imitates the solver. Every problem must be solved first (``mindl.learning.solved``), which is what
    ``EnergyLoss`` saves; against it, this loss sees errors of all frequencies alike.

    Source: the comparison of supervised and energy-based training in ``docs/training-approaches.md``.
    """

    needs: ClassVar[tuple[str, ...]] = ("solution",)


@dataclass(frozen=True)
class Noise2Noise(TargetLoss):
    r"""The squared difference to a second noisy image g of the same scene: :math:`\|u - g\|^2 / \|f - g\|^2`.

    As g = c + n with a noise n of mean 0 that is independent of f,
    :math:`\mathbb{E}\,\|u - g\|^2 = \mathbb{E}\,\|u - c\|^2 + \mathbb{E}\,\|n\|^2`: the best network is that of
    ``SupervisedLoss``, and no clean image is needed. The second image comes from the camera
    (``mindl.data.Observed``) or, for experiments, from ``Denoising(second=True)``.

    Source: Lehtinen et al., ICML 2018.
    """

    needs: ClassVar[tuple[str, ...]] = ("second",)
    learns_images: ClassVar[bool] = True
