"""Training: what is drawn from images, what is made small, and the loop."""

from mindl.learning.baseline import LinearFilter, best_linear_filter
from mindl.learning.blind import SURE, Noise2Self
from mindl.learning.early_stop import EarlyStop
from mindl.learning.fit import Run, TrainingWatch, fit
from mindl.learning.losses import EnergyLoss, GapLoss, Loss, ModelLoss, ResidualLoss
from mindl.learning.monitor import Monitor
from mindl.learning.optimisers import SGD, Adam, Optimiser
from mindl.learning.rate_range import RateRange, rate_range
from mindl.learning.rehearsal import rehearse
from mindl.learning.run_folder import read_record
from mindl.learning.schedules import Constant, Cosine, Geometric, Schedule
from mindl.learning.solved import SolvedProblems, solved
from mindl.learning.stream import Batch, Stream
from mindl.learning.targets import Noise2Noise, SolutionLoss, SupervisedLoss, TargetLoss
from mindl.learning.task import Denoising, Inpainting, Problem, Task
from mindl.learning.training import Training
from mindl.learning.validation import Findings, Validation, energy_excess

__all__ = [
    "SGD",
    "SURE",
    "Adam",
    "Batch",
    "Constant",
    "Cosine",
    "Denoising",
    "EarlyStop",
    "EnergyLoss",
    "Findings",
    "GapLoss",
    "Geometric",
    "Inpainting",
    "LinearFilter",
    "Loss",
    "ModelLoss",
    "Monitor",
    "Noise2Noise",
    "Noise2Self",
    "Optimiser",
    "Problem",
    "RateRange",
    "ResidualLoss",
    "Run",
    "Schedule",
    "SolutionLoss",
    "SolvedProblems",
    "Stream",
    "SupervisedLoss",
    "TargetLoss",
    "Task",
    "Training",
    "TrainingWatch",
    "Validation",
    "best_linear_filter",
    "energy_excess",
    "fit",
    "rate_range",
    "read_record",
    "rehearse",
    "solved",
]
