"""All works by name, in the order in which they are done."""

from __future__ import annotations

from mindl.app.speed.chapters import Work
from mindl.app.speed.contests import denoise, inpaint, inpaint_biharmonic, inpaint_large, inpaint_sparse
from mindl.app.speed.flows import diffuse, enhance_edges
from mindl.app.speed.huge import fill_memory
from mindl.app.speed.sizes import grow, sweep

WORKS: dict[str, Work] = {
    "rof": denoise,
    "sweep": sweep,
    "harmonic": inpaint,
    "large": inpaint_large,
    "sparse": inpaint_sparse,
    "biharmonic": inpaint_biharmonic,
    "diffusion": diffuse,
    "eed": enhance_edges,
    "growth": grow,
}
"""What ``mindl bench speed`` measures."""

HUGE: dict[str, Work] = {"huge": fill_memory}
"""What it measures when asked: much memory, and minutes."""
