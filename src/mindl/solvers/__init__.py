"""How a solution is found: solvers, the loop they run in, and the prover of answers."""

from mindl.solvers.answers import write_answer
from mindl.solvers.conjugate_gradient import ConjugateGradient
from mindl.solvers.differentiate import Detached, Differentiate, Implicit, ThroughSteps
from mindl.solvers.entry import SOLVERS, choose, minimise, solve_linear
from mindl.solvers.gradient_descent import GradientDescent
from mindl.solvers.primal_dual import PrimalDual
from mindl.solvers.solution import Solution, Trace
from mindl.solvers.solver import Solver
from mindl.solvers.stop import Stop
from mindl.solvers.watch import Silent, Watch
from mindl.solvers.witness import certify

__all__ = [
    "SOLVERS",
    "ConjugateGradient",
    "Detached",
    "Differentiate",
    "GradientDescent",
    "Implicit",
    "PrimalDual",
    "Silent",
    "Solution",
    "Solver",
    "Stop",
    "ThroughSteps",
    "Trace",
    "Watch",
    "certify",
    "choose",
    "minimise",
    "solve_linear",
    "write_answer",
]
