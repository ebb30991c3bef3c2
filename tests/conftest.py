"""Shared by all tests."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings
from torch import nn

settings.register_profile(
    "mindl",
    deadline=None,  # speed is never asserted
    max_examples=25,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("mindl")

SHARED = Path(__file__).parents[2] / "shared" / "data"
"""Measuring data that is not part of the project; tests that use it skip where it is absent."""


@pytest.fixture
def bsd68() -> list[Path]:
    files = sorted((SHARED / "bsd68").glob("*.png"))
    if not files:
        pytest.skip("the BSD68 images are not here")
    return files


@pytest.fixture(autouse=True)
def _as_many_threads_as_before() -> Iterator[None]:
    """No test leaves another number of threads to the next."""
    before = torch.get_num_threads()
    yield
    if torch.get_num_threads() != before:
        torch.set_num_threads(before)


def random_image(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def wild(module: nn.Module, seed: int = 0, size: float = 0.5) -> nn.Module:
    """Random weights everywhere, so that no block is the identity and no output is small."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            spread = size / math.sqrt(max(1, parameter[0].numel()))
            parameter.copy_(spread * torch.randn(parameter.shape, generator=generator))
    return module
