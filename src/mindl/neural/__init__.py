"""Networks that solve models: what they are shown, how they answer, and how a solver finishes what they began."""

from mindl.neural.answer import Followed, answer, finisher
from mindl.neural.direct import Direct
from mindl.neural.neural_solver import NeuralSolver
from mindl.neural.range import Range
from mindl.neural.reading import READINGS, Filled, InUnitsOfWeight, Reading, Shown, Start, WithWeight
from mindl.neural.witness_head import WitnessHead

NEURAL_SOLVERS: dict[str, type[NeuralSolver]] = {"Direct": Direct, "WitnessHead": WitnessHead}
"""The neural solvers by name, as stored models spell it."""

__all__ = [
    "NEURAL_SOLVERS",
    "READINGS",
    "Direct",
    "Filled",
    "Followed",
    "InUnitsOfWeight",
    "NeuralSolver",
    "Range",
    "Reading",
    "Shown",
    "Start",
    "WithWeight",
    "WitnessHead",
    "answer",
    "finisher",
]
