"""Training: where images come from, what is drawn from them, the loop, and how a network is kept."""

from mindl.learning.baseline import LinearFilter, best_linear_filter
from mindl.learning.fit import Run, TrainingWatch, fit
from mindl.learning.losses import EnergyLoss, GapLoss, Loss
from mindl.learning.run_folder import read_record
from mindl.learning.stream import Batch, Stream
from mindl.learning.task import Denoising, Inpainting, Problem, Task
from mindl.learning.training import Adam, Constant, Cosine, Schedule, Training
from mindl.learning.validation import Findings, Validation, energy_excess

__all__ = [
    "Adam",
    "Batch",
    "Constant",
    "Cosine",
    "Denoising",
    "EnergyLoss",
    "Findings",
    "GapLoss",
    "Inpainting",
    "LinearFilter",
    "Loss",
    "Problem",
    "Run",
    "Schedule",
    "Stream",
    "Task",
    "Training",
    "TrainingWatch",
    "Validation",
    "best_linear_filter",
    "energy_excess",
    "fit",
    "read_record",
]
