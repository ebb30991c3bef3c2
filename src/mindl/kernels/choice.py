"""When a fused sweep stands in for plain PyTorch."""

from __future__ import annotations

import os

import torch
from torch import Tensor

from mindl.core.arrays import exporting

SMALLEST = 128 * 128
"""Pixels of an image from which on a sweep is worth its call, and perhaps its compilation."""


def enabled() -> bool:
    """Whether sweeps may be used: ``MINDL_KERNELS=off`` switches them off, for reports of errors."""
    return os.environ.get("MINDL_KERNELS", "on").lower() not in ("off", "0", "no")


def serves(image: Tensor) -> bool:
    """Whether a sweep may work on images like this one.

    On the processor, in float32 or float64, not too small, and not where autograd looks on. The size of a single
    image counts, not that of the batch: an image is treated alike alone and in company.
    """
    return (
        not exporting()
        and enabled()
        and image.device.type == "cpu"
        and image.dtype in (torch.float32, torch.float64)
        and image.shape[-1] * image.shape[-2] >= SMALLEST
        and not (torch.is_grad_enabled() and image.requires_grad)
    )
