"""What is sought: models, their views, and the verifier of answers."""

from mindl.models.amle import InfinityHarmonic, amle_inpainting
from mindl.models.anisotropic import (
    CoherenceEnhancing,
    EdgeEnhancing,
    Isotropic,
    TensorDiffusion,
    TensorRule,
    coherence_enhancing_diffusion,
    edge_enhancing_diffusion,
    eed_inpainting,
)
from mindl.models.candidate import Candidate
from mindl.models.certificate import (
    Certificate,
    DualWitness,
    HarmonicCover,
    Supersolution,
    gap_map,
    midpoint,
    verify,
)
from mindl.models.curvature import MeanCurvatureMotion, mean_curvature_motion
from mindl.models.data_terms import Absolute, Boxed, DataTerm, HalfSquared, KnownPixels
from mindl.models.denoising import (
    DENOISING,
    anisotropic_rof,
    charbonnier,
    fourth_order_smoothing,
    huber_rof,
    perona_malik,
    rof,
    rotation_averaged_rof,
    tv_l1,
    whittaker_tikhonov,
)
from mindl.models.diffusion import NonlinearDiffusion, nonlinear_diffusion
from mindl.models.elastica import ElasticaInpainting, elastica_inpainting
from mindl.models.filling import known_pixels
from mindl.models.flow import Flow
from mindl.models.flow_views import ConvexFlow, Quasilinear, Splittable
from mindl.models.gradient_flow import (
    GradientFlow,
    SmoothGradientFlow,
    charbonnier_flow,
    huber_flow,
    linear_diffusion,
    tv_flow,
)
from mindl.models.haar import HaarDiffusion, haar_diffusion
from mindl.models.inpainting import (
    INPAINTING,
    biharmonic_inpainting,
    harmonic_inpainting,
    thin_plate_inpainting,
    triharmonic_inpainting,
    tv_inpainting,
)
from mindl.models.learned import ridge_energy
from mindl.models.model import Model
from mindl.models.tables import FLOWS, UNPROVED_INPAINTING
from mindl.models.tgv import TotalGeneralisedVariation, tgv
from mindl.models.variational import Variational
from mindl.models.views import (
    Energy,
    LinearSystem,
    Local,
    MonotoneSystem,
    PolyharmonicSystem,
    SaddlePoint,
    SmoothEnergy,
    SpectralSaddlePoint,
    StronglyConvexSaddlePoint,
)

__all__ = [
    "DENOISING",
    "FLOWS",
    "INPAINTING",
    "UNPROVED_INPAINTING",
    "Absolute",
    "Boxed",
    "Candidate",
    "Certificate",
    "CoherenceEnhancing",
    "ConvexFlow",
    "DataTerm",
    "DualWitness",
    "EdgeEnhancing",
    "ElasticaInpainting",
    "Energy",
    "Flow",
    "GradientFlow",
    "HaarDiffusion",
    "HalfSquared",
    "HarmonicCover",
    "InfinityHarmonic",
    "Isotropic",
    "KnownPixels",
    "LinearSystem",
    "Local",
    "MeanCurvatureMotion",
    "Model",
    "MonotoneSystem",
    "NonlinearDiffusion",
    "PolyharmonicSystem",
    "Quasilinear",
    "SaddlePoint",
    "SmoothEnergy",
    "SmoothGradientFlow",
    "SpectralSaddlePoint",
    "Splittable",
    "StronglyConvexSaddlePoint",
    "Supersolution",
    "TensorDiffusion",
    "TensorRule",
    "TotalGeneralisedVariation",
    "Variational",
    "amle_inpainting",
    "anisotropic_rof",
    "biharmonic_inpainting",
    "charbonnier",
    "charbonnier_flow",
    "coherence_enhancing_diffusion",
    "edge_enhancing_diffusion",
    "eed_inpainting",
    "elastica_inpainting",
    "fourth_order_smoothing",
    "gap_map",
    "haar_diffusion",
    "harmonic_inpainting",
    "huber_flow",
    "huber_rof",
    "known_pixels",
    "linear_diffusion",
    "mean_curvature_motion",
    "midpoint",
    "nonlinear_diffusion",
    "perona_malik",
    "ridge_energy",
    "rof",
    "rotation_averaged_rof",
    "tgv",
    "thin_plate_inpainting",
    "triharmonic_inpainting",
    "tv_flow",
    "tv_inpainting",
    "tv_l1",
    "verify",
    "whittaker_tikhonov",
]
