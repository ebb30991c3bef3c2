"""A page about a training run, made from its record alone, and event files of TensorBoard."""

from mindl.report.events import TensorBoard, tensorboard
from mindl.report.page import report

__all__ = ["TensorBoard", "report", "tensorboard"]
