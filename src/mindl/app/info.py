"""The verb ``info``: what a bug report needs to say."""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import version

PACKAGES = ("torch", "numpy", "pillow", "tifffile", "imagecodecs", "matplotlib")


def info(*, as_json: bool) -> None:
    """Versions, threads and devices, on standard output."""
    import torch

    import mindl
    from mindl.kernels.choice import enabled

    facts: dict[str, object] = {
        "mindl": mindl.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        **{name: version(name) for name in PACKAGES},
        "threads": torch.get_num_threads(),
        "cuda_build": torch.version.cuda or "none (CPU build)",
        "devices": ["cpu", *(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))],
        "kernels": f"fused sweeps (numba {version('numba')})" if enabled() else "plain torch (MINDL_KERNELS=off)",
    }
    if as_json:
        sys.stdout.write(json.dumps(facts, indent=2) + "\n")
        return
    for name, value in facts.items():
        sys.stdout.write(f"{name:12} {', '.join(value) if isinstance(value, list) else value}\n")
