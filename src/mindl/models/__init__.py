"""What is sought: models, their views, and the verifier of answers."""

from mindl.models.candidate import Candidate
from mindl.models.certificate import (
    Certificate,
    DualWitness,
    Supersolution,
    gap_map,
    midpoint,
    verify,
)
from mindl.models.data_terms import ConvexData, DataTerm, HalfSquared, KnownPixels
from mindl.models.denoising import DENOISING, anisotropic_rof, rof, whittaker_tikhonov
from mindl.models.inpainting import INPAINTING, harmonic_inpainting
from mindl.models.variational import Variational
from mindl.models.views import (
    Energy,
    LinearSystem,
    Local,
    Model,
    MonotoneSystem,
    SaddlePoint,
    SmoothEnergy,
)

__all__ = [
    "DENOISING",
    "INPAINTING",
    "Candidate",
    "Certificate",
    "ConvexData",
    "DataTerm",
    "DualWitness",
    "Energy",
    "HalfSquared",
    "KnownPixels",
    "LinearSystem",
    "Local",
    "Model",
    "MonotoneSystem",
    "SaddlePoint",
    "SmoothEnergy",
    "Supersolution",
    "Variational",
    "anisotropic_rof",
    "gap_map",
    "harmonic_inpainting",
    "midpoint",
    "rof",
    "verify",
    "whittaker_tikhonov",
]
