"""The mathematics that models, solvers and networks share: operators, couplings, penalisers."""

from mindl.calculus.coupling import Channelwise, Coupling, Directional, Joint, Separate
from mindl.calculus.operators import Differences, Gradient, Operator
from mindl.calculus.penalisers import (
    ConvexPenaliser,
    Penaliser,
    Quadratic,
    SmoothPenaliser,
    TotalVariation,
)
from mindl.calculus.pyramid import pull_push
from mindl.calculus.safe import safe_sqrt

__all__ = [
    "Channelwise",
    "ConvexPenaliser",
    "Coupling",
    "Differences",
    "Directional",
    "Gradient",
    "Joint",
    "Operator",
    "Penaliser",
    "Quadratic",
    "Separate",
    "SmoothPenaliser",
    "TotalVariation",
    "pull_push",
    "safe_sqrt",
]
