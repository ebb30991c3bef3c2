"""The flows by name, and the inpainting models of which nothing is proved."""

from __future__ import annotations

from collections.abc import Callable

from mindl.models.amle import amle_inpainting
from mindl.models.anisotropic import coherence_enhancing_diffusion, edge_enhancing_diffusion, eed_inpainting
from mindl.models.curvature import mean_curvature_motion
from mindl.models.diffusion import nonlinear_diffusion
from mindl.models.elastica import elastica_inpainting
from mindl.models.flow import Flow
from mindl.models.gradient_flow import charbonnier_flow, huber_flow, linear_diffusion, tv_flow
from mindl.models.haar import haar_diffusion

FLOWS: dict[str, Callable[..., Flow]] = {
    "linear_diffusion": linear_diffusion,
    "charbonnier_flow": charbonnier_flow,
    "huber_flow": huber_flow,
    "tv_flow": tv_flow,
    "nonlinear_diffusion": nonlinear_diffusion,
    "haar_diffusion": haar_diffusion,
    "edge_enhancing_diffusion": edge_enhancing_diffusion,
    "coherence_enhancing_diffusion": coherence_enhancing_diffusion,
    "mean_curvature_motion": mean_curvature_motion,
}
"""Filters: each takes the data, and has usual parameters; ``evolve`` follows them to a time."""

UNPROVED_INPAINTING: dict[str, Callable[..., Flow]] = {
    "eed_inpainting": eed_inpainting,
    "amle_inpainting": amle_inpainting,
    "elastica_inpainting": elastica_inpainting,
}
"""Inpainting models whose answers are stationary at best: without an energy, or with one that is not convex."""
