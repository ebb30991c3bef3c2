"""Networks that solve models: what they are shown, how they answer, and how a solver finishes what they began."""

from mindl.neural.answer import Followed, answer, finisher
from mindl.neural.direct import Direct
from mindl.neural.dual_correction import DualCorrection
from mindl.neural.equilibrium import Equilibrium
from mindl.neural.filters import Filters
from mindl.neural.free_parts import DiffusionTensor, ModelWeight, RadialPenaliser, SplinePenaliser
from mindl.neural.freedom import Extrapolation, Freedom, StepSizes
from mindl.neural.image_prior import ImagePrior
from mindl.neural.learned_model import LearnedModel
from mindl.neural.learned_preconditioner import NetworkPreconditioner, PreconditionedSteps
from mindl.neural.minimised import Minimised
from mindl.neural.multigrid_net import MultigridNet
from mindl.neural.neural_solver import NeuralSolver, ReadingSolver
from mindl.neural.plug_and_play import PlugAndPlay
from mindl.neural.pyramid import Pyramid
from mindl.neural.range import Range
from mindl.neural.reading import (
    READINGS,
    Filled,
    InUnitsOfNoise,
    InUnitsOfWeight,
    Reading,
    Shown,
    Start,
    WithLevel,
    WithWeight,
)
from mindl.neural.refined import Refined
from mindl.neural.ridge import RidgeRegulariser
from mindl.neural.step_profile import Profile, profile
from mindl.neural.tiled import Tiled
from mindl.neural.unrolled import Unrolled
from mindl.neural.witness_head import WitnessHead

NEURAL_SOLVERS: dict[str, type[NeuralSolver]] = {
    "Direct": Direct,
    "Equilibrium": Equilibrium,
    "ImagePrior": ImagePrior,
    "LearnedModel": LearnedModel,
    "Minimised": Minimised,
    "MultigridNet": MultigridNet,
    "PlugAndPlay": PlugAndPlay,
    "PreconditionedSteps": PreconditionedSteps,
    "Pyramid": Pyramid,
    "Refined": Refined,
    "Tiled": Tiled,
    "Unrolled": Unrolled,
    "WitnessHead": WitnessHead,
}
"""The neural solvers by name, as stored models spell it."""

FREEDOMS: dict[str, type[Freedom]] = {
    "DiffusionTensor": DiffusionTensor,
    "DualCorrection": DualCorrection,
    "Extrapolation": Extrapolation,
    "Filters": Filters,
    "ModelWeight": ModelWeight,
    "RadialPenaliser": RadialPenaliser,
    "SplinePenaliser": SplinePenaliser,
    "StepSizes": StepSizes,
}
"""What may be set free, by name."""

__all__ = [
    "FREEDOMS",
    "NEURAL_SOLVERS",
    "READINGS",
    "DiffusionTensor",
    "Direct",
    "DualCorrection",
    "Equilibrium",
    "Extrapolation",
    "Filled",
    "Filters",
    "Followed",
    "Freedom",
    "ImagePrior",
    "InUnitsOfNoise",
    "InUnitsOfWeight",
    "LearnedModel",
    "Minimised",
    "ModelWeight",
    "MultigridNet",
    "NetworkPreconditioner",
    "NeuralSolver",
    "PlugAndPlay",
    "PreconditionedSteps",
    "Profile",
    "Pyramid",
    "RadialPenaliser",
    "Range",
    "Reading",
    "ReadingSolver",
    "Refined",
    "RidgeRegulariser",
    "Shown",
    "SplinePenaliser",
    "Start",
    "StepSizes",
    "Tiled",
    "Unrolled",
    "WithLevel",
    "WithWeight",
    "WitnessHead",
    "answer",
    "finisher",
    "profile",
]
