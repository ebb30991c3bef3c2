"""The mathematics that models, solvers and networks share: operators, couplings, penalisers."""

from mindl.calculus.boundary import Boundary, Periodic, Reflecting, Vanishing
from mindl.calculus.coupling import Channelwise, Coupling, Directional, Joint, Paired, Separate
from mindl.calculus.gradient import Gradient, GradientPairs
from mindl.calculus.higher_order import Hessian, Polyharmonic
from mindl.calculus.operators import Diagonalised, Differences, Operator
from mindl.calculus.penalisers import (
    Charbonnier,
    ConvexPenaliser,
    Huber,
    Penaliser,
    PeronaMalik,
    Quadratic,
    SmoothPenaliser,
    TotalVariation,
)
from mindl.calculus.pyramid import pull_push
from mindl.calculus.safe import safe_sqrt
from mindl.calculus.shepard import shepard

__all__ = [
    "Boundary",
    "Channelwise",
    "Charbonnier",
    "ConvexPenaliser",
    "Coupling",
    "Diagonalised",
    "Differences",
    "Directional",
    "Gradient",
    "GradientPairs",
    "Hessian",
    "Huber",
    "Joint",
    "Operator",
    "Paired",
    "Penaliser",
    "Periodic",
    "PeronaMalik",
    "Polyharmonic",
    "Quadratic",
    "Reflecting",
    "Separate",
    "SmoothPenaliser",
    "TotalVariation",
    "Vanishing",
    "pull_push",
    "safe_sqrt",
    "shepard",
]
