"""How a solution is found: solvers, the loop they run in, and the prover of answers."""

from mindl.solvers.admm import ADMM
from mindl.solvers.answers import write_answer
from mindl.solvers.cascadic import cascadic_start
from mindl.solvers.choosing import SOLVERS, accepting, choose
from mindl.solvers.conjugate_gradient import ConjugateGradient
from mindl.solvers.differentiate import Detached, Differentiate, Implicit, ThroughSteps
from mindl.solvers.entry import minimise, solve_linear
from mindl.solvers.fista import DualFISTA
from mindl.solvers.gradient_descent import GradientDescent
from mindl.solvers.lagged_diffusivity import LaggedDiffusivity
from mindl.solvers.lbfgs import LBFGS
from mindl.solvers.multigrid import Multigrid
from mindl.solvers.newton import Newton
from mindl.solvers.preconditioner import Preconditioner
from mindl.solvers.primal_dual import PrimalDual
from mindl.solvers.relaxation import SOR, GaussSeidel, Jacobi
from mindl.solvers.solution import Solution, Trace
from mindl.solvers.solver import Solver
from mindl.solvers.stationary import Stationary
from mindl.solvers.stop import Stop
from mindl.solvers.watch import Silent, Watch
from mindl.solvers.witness import certify

__all__ = [
    "ADMM",
    "LBFGS",
    "SOLVERS",
    "SOR",
    "ConjugateGradient",
    "Detached",
    "Differentiate",
    "DualFISTA",
    "GaussSeidel",
    "GradientDescent",
    "Implicit",
    "Jacobi",
    "LaggedDiffusivity",
    "Multigrid",
    "Newton",
    "Preconditioner",
    "PrimalDual",
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
    "minimise",
    "solve_linear",
    "write_answer",
]
