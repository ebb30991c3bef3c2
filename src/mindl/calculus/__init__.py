"""The mathematics that models, solvers and networks share: operators, couplings, penalisers."""

from mindl.calculus.boundary import Boundary, Periodic, Reflecting, Vanishing
from mindl.calculus.convolution import smoothed
from mindl.calculus.coupling import Channelwise, Coupling, Directional, Joint, Paired, Separate
from mindl.calculus.delta_stencil import DeltaStencil, DirectionalDifferences
from mindl.calculus.gradient import Gradient, GradientPairs
from mindl.calculus.haar import haar_coefficients, haar_synthesis
from mindl.calculus.higher_order import Hessian, Polyharmonic
from mindl.calculus.mirrored_filters import MirroredFilters
from mindl.calculus.norms import norm_bound
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
from mindl.calculus.safe import confined, safe_sqrt
from mindl.calculus.shepard import shepard
from mindl.calculus.spline_potential import SplinePotential
from mindl.calculus.tensors import TensorField, cell_gradient, structure_tensor
from mindl.calculus.tridiagonal import solve_chain
from mindl.calculus.weickert import Weickert
from mindl.calculus.wide_stencil import WideStencil, infinity_average

__all__ = [
    "Boundary",
    "Channelwise",
    "Charbonnier",
    "ConvexPenaliser",
    "Coupling",
    "DeltaStencil",
    "Diagonalised",
    "Differences",
    "Directional",
    "DirectionalDifferences",
    "Gradient",
    "GradientPairs",
    "Hessian",
    "Huber",
    "Joint",
    "MirroredFilters",
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
    "SplinePotential",
    "TensorField",
    "TotalVariation",
    "Vanishing",
    "Weickert",
    "WideStencil",
    "cell_gradient",
    "confined",
    "haar_coefficients",
    "haar_synthesis",
    "infinity_average",
    "norm_bound",
    "pull_push",
    "safe_sqrt",
    "shepard",
    "smoothed",
    "solve_chain",
    "structure_tensor",
]
