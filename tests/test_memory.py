"""How much memory an answer takes, certificate included: the slope between two sizes, in arrays of the image."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CHOSEN = {
    "rof": 6.5,
    "huber_rof": 6.5,
    "tv_l1": 7.5,
    "tv_inpainting": 8.0,
    "tgv": 12.5,
    "whittaker_tikhonov": 9.0,
    "harmonic_inpainting": 12.9,
    "biharmonic_inpainting": 13.2,
}
"""Float32 arrays of the image's size that ``minimise`` may take at the worst moment, the data among them."""

NAMED = {
    "charbonnier GradientDescent": 10.5,
    "rof DualFISTA": 12.5,
    "harmonic_inpainting Jacobi": 12.9,
    "whittaker_tikhonov Multigrid": 12.2,
}
"""The same for solvers that are not chosen unless they are named."""

MEASURE = """
import ctypes, gc, sys
import torch
import mindl as md

torch.set_num_threads(1)
ctypes.CDLL("libc.so.6").mallopt(-3, 1 << 16)  # large blocks go back to the system as soon as they are free

def number(key):
    for line in open("/proc/self/status"):
        if line.startswith(key):
            return int(line.split()[1]) * 1024

def peak(job):
    gc.collect()
    open("/proc/self/clear_refs", "w").write("5")
    before = number("VmRSS")
    job()
    return number("VmHWM") - before

def problem(name, size):
    image = torch.rand(1, 1, size, size, generator=torch.Generator().manual_seed(0))
    known = md.images.random_mask(size, size, 0.05, seed=0)
    rest = (known,) if name.endswith("inpainting") else ()
    extra = {} if rest else {"weight": 0.1}
    return getattr(md.models, name)(image, *rest, **extra, **({"contrast": 0.01} if "huber" in name else {}))

stop = md.Stop(1e-4, steps=10)
for case in sys.argv[1:]:
    name, *named = case.split()
    solver = getattr(md.solvers, *named)() if named else None
    md.minimise(problem(name, 256), solver, stop=stop)  # compiles
    few, many = (peak(lambda: md.minimise(problem(name, size), solver, stop=stop)) for size in (512, 1280))
    print(case, (many - few) / 4 / (1280**2 - 512**2), sep=":")
"""


def _memory_can_be_measured() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


@pytest.mark.skipif(not _memory_can_be_measured(), reason="needs Linux and /proc/self/clear_refs")
@pytest.mark.parametrize("arrays", [CHOSEN, pytest.param(NAMED, marks=pytest.mark.slow)], ids=["chosen", "named"])
def test_an_answer_takes_few_arrays_of_the_images_size(arrays: dict[str, float]) -> None:
    """Measured in a process of its own, at its highest point."""
    told = subprocess.run([sys.executable, "-c", MEASURE, *arrays], capture_output=True, text=True, check=True)
    found = {name: float(number) for name, number in (line.split(":") for line in told.stdout.splitlines())}
    assert found.keys() == arrays.keys()
    beyond = {name: number for name, number in found.items() if not 2 < number <= arrays[name]}
    assert not beyond, f"of {found}"
