"""A network that solves a model of its own: a regulariser that learns, and a solver for the energy that it
makes."""

from __future__ import annotations

from mindl.core.errors import InputError
from mindl.models import Candidate, HalfSquared, Model, Variational
from mindl.neural.neural_solver import NeuralSolver
from mindl.neural.ridge import RidgeRegulariser
from mindl.neural.unrolled import SolverNetwork


class LearnedModel(NeuralSolver):
    r"""Denoising by the energy of a learned regulariser R, in the place of the model's own:

    .. math:: u \approx \operatorname*{argmin}_u \tfrac12 |u - f|^2 + R(u).

    It reads the data f of a denoising model and answers with so many steps of a solver for *its* energy, through
    which filters and potentials are trained. What it has learned is a model like any other: ``learned(model)``
    makes it, every solver of smooth energies minimises it, and a certificate says how far an image is from
    *its* minimiser. So the steps serve to train by and to answer fast, the energy to be exact and to know it.

    Args:
        regulariser: R, with filters and potentials to be learned.
        steps: the solver in between, ``Unrolled(AcceleratedGradient(), 10)``; or an ``Equilibrium``.
        title: the name in messages and tables.

    Raises:
        InputError: other parts than these.

    Source: Goujon, Neumayer, Bohra, Ducotterd and Unser, IEEE Trans. Comput. Imaging 9 (2023), where training
    through ten steps comes to the same quality as training at the minimiser.

    >>> import torch, mindl as md
    >>> steps = md.neural.Unrolled(md.solvers.AcceleratedGradient(), 10)
    >>> net = LearnedModel(md.neural.RidgeRegulariser(filters=4, size=3), steps)
    >>> noisy = md.models.rof(torch.rand(1, 1, 8, 8), weight=0.1)
    >>> net(noisy).image.shape, md.minimise(net.learned(noisy)).outcome.value
    (torch.Size([1, 1, 8, 8]), 'certified')
    """

    accepts: type[Model] = Variational

    def __init__(self, regulariser: RidgeRegulariser, steps: SolverNetwork, *, title: str | None = None) -> None:
        super().__init__(channels=None, title=title)
        if not isinstance(regulariser, RidgeRegulariser):
            raise InputError(f"LearnedModel(regulariser) needs a RidgeRegulariser(), got {regulariser!r}.")
        if not isinstance(steps, SolverNetwork):
            raise InputError(
                "LearnedModel(steps) needs an unrolled solver such as Unrolled(AcceleratedGradient(), 10), got "
                f"{steps!r}."
            )
        self.regulariser, self.steps = regulariser, steps

    def why_not(self, model: Model) -> str | None:
        """It needs data that differ from the image by noise."""
        noisy = isinstance(model, Variational) and isinstance(model.data_term, HalfSquared)
        return None if noisy else "it has no half squared data term"

    def learned(self, model: Model) -> Variational:
        """The energy of the model's data with the learned regulariser.

        Raises:
            ViewError: the model has no half squared data term.
        """
        self.check(model)
        assert isinstance(model, Variational)
        found: Variational = self.regulariser(model.data_term.data)
        return found

    def forward(self, model: Model) -> Candidate:
        """The image after all steps; no dual field."""
        return Candidate(self.steps(self.learned(model)).image)

    @property
    def about(self) -> str:
        """The regulariser and the steps."""
        kind = (
            "convex" if self.regulariser.modulus == 1 else f"weakly convex, modulus {self.regulariser.modulus:g}"
        )
        return f"{self.regulariser.filters} {kind} ridges, {self.steps.about}"
