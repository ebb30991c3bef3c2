"""Unit 1: values and differences. Images have the shape (height, width); torch is loaded at first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def tensor(u: np.ndarray) -> torch.Tensor:
    """The image as a tensor of the shape (1, 1, height, width)."""
    import torch  # noqa: PLC0415  (seconds, which a task that needs none of this should not wait)

    return torch.from_numpy(np.array(u, dtype=np.float64))[None, None]


def array(image: torch.Tensor) -> np.ndarray:
    """The first image of a batch as an array."""
    return np.array(image.detach().numpy()[0, 0], dtype=np.float64)


def psnr(u: np.ndarray, reference: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB for values of [0, 1]; infinite for equal images."""
    from mindl import images  # noqa: PLC0415

    return float(images.psnr(tensor(u), tensor(reference)))


def forward_differences(u: np.ndarray, h: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """The pair (px, py) of forward differences with the grid size h; reflecting boundaries."""
    from mindl import calculus  # noqa: PLC0415

    field = calculus.Gradient(grid=h)(tensor(u))[0, 0].numpy()
    return field[0], field[1]


def divergence(px: np.ndarray, py: np.ndarray, h: float = 1.0) -> np.ndarray:
    """The divergence of (px, py), the negative adjoint of ``forward_differences``."""
    import torch  # noqa: PLC0415

    from mindl import calculus  # noqa: PLC0415

    field = torch.stack([tensor(px), tensor(py)], dim=2)
    return -array(calculus.Gradient(grid=h).adjoint(field))
