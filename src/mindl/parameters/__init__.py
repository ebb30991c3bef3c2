"""How much to smooth: weights of models and stopping times of flows, each with the reason why."""

from mindl.parameters.times import StoppingTime, time_by_decorrelation, time_by_discrepancy
from mindl.parameters.weights import Choice, by_discrepancy, by_rule, by_sure, sure

__all__ = [
    "Choice",
    "StoppingTime",
    "by_discrepancy",
    "by_rule",
    "by_sure",
    "sure",
    "time_by_decorrelation",
    "time_by_discrepancy",
]
