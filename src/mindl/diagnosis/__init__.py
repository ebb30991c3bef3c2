"""What can be concluded from the record of a training run. It knows records only: no network, no images."""

from mindl.diagnosis.course import Course, Curve
from mindl.diagnosis.judging import diagnose
from mindl.diagnosis.limits import LIMITS, Limits
from mindl.diagnosis.reading import read
from mindl.diagnosis.rules import RULES
from mindl.diagnosis.symptom import Cause, Diagnosis, Symptom

__all__ = ["LIMITS", "RULES", "Cause", "Course", "Curve", "Diagnosis", "Limits", "Symptom", "diagnose", "read"]
