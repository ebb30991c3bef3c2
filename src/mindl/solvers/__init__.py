"""How a solution is found: solvers, the loop they run in, and the prover of answers."""

from mindl.solvers.accelerated_gradient import AcceleratedGradient
from mindl.solvers.admm import ADMM
from mindl.solvers.answers import write_answer
from mindl.solvers.aos import AOS
from mindl.solvers.choosing import SOLVERS, accepting, choose
from mindl.solvers.conjugate_gradient import ConjugateGradient
from mindl.solvers.differentiate import Detached, Differentiate, Implicit, ThroughSteps
from mindl.solvers.du_fort_frankel import DuFortFrankel
from mindl.solvers.entry import cascadic_start, minimise, solve_linear
from mindl.solvers.evolve import SCHEMES, Evolution, choose_scheme, evolve
from mindl.solvers.explicit import Explicit
from mindl.solvers.fed import FED
from mindl.solvers.fista import DualFISTA
from mindl.solvers.flexible_cg import FlexibleConjugateGradient
from mindl.solvers.fsi import FSI
from mindl.solvers.gradient_descent import GradientDescent
from mindl.solvers.haar_shrinkage import HaarShrinkage
from mindl.solvers.implicit_euler import ImplicitEuler
from mindl.solvers.lagged_diffusivity import LaggedDiffusivity
from mindl.solvers.lbfgs import LBFGS
from mindl.solvers.multigrid import Multigrid
from mindl.solvers.newton import Newton
from mindl.solvers.preconditioner import Preconditioner
from mindl.solvers.primal_dual import PrimalDual
from mindl.solvers.relaxation import SOR, GaussSeidel, Jacobi
from mindl.solvers.scheme import Scheme
from mindl.solvers.semi_implicit import SemiImplicit
from mindl.solvers.solution import Solution, Trace
from mindl.solvers.solver import Solver
from mindl.solvers.stationary import Stationary
from mindl.solvers.steady_state import steady_state
from mindl.solvers.stop import Stop
from mindl.solvers.watch import Silent, Watch
from mindl.solvers.witness import certify

__all__ = [
    "ADMM",
    "AOS",
    "FED",
    "FSI",
    "LBFGS",
    "SCHEMES",
    "SOLVERS",
    "SOR",
    "AcceleratedGradient",
    "ConjugateGradient",
    "Detached",
    "Differentiate",
    "DuFortFrankel",
    "DualFISTA",
    "Evolution",
    "Explicit",
    "FlexibleConjugateGradient",
    "GaussSeidel",
    "GradientDescent",
    "HaarShrinkage",
    "Implicit",
    "ImplicitEuler",
    "Jacobi",
    "LaggedDiffusivity",
    "Multigrid",
    "Newton",
    "Preconditioner",
    "PrimalDual",
    "Scheme",
    "SemiImplicit",
    "Silent",
    "Solution",
    "Solver",
    "Stationary",
    "Stop",
    "ThroughSteps",
    "Trace",
    "Watch",
    "accepting",
    "cascadic_start",
    "certify",
    "choose",
    "choose_scheme",
    "evolve",
    "minimise",
    "solve_linear",
    "steady_state",
    "write_answer",
]
