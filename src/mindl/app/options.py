"""Options that several verbs share, and how their values are read."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated

import typer


def fraction(text: str) -> float:
    """A number, or a fraction such as 25/255."""
    above, _, below = text.partition("/")
    try:
        return float(above) / float(below) if below else float(above)
    except (ValueError, ZeroDivisionError):
        raise typer.BadParameter(f"{text!r} is no number; write 0.1 or 25/255.") from None


Inputs = Annotated[list[Path], typer.Argument(metavar="IN...", help="Photographs, or a folder of them.")]
Output = Annotated[
    Path, typer.Option("-o", "--output", metavar="OUT", help="File to write; a folder for several inputs.")
]
Page = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FILE", help="Also write the table, in Markdown.")
]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        help="A name of docs/choosing.md: rof, charbonnier, harmonic_inpainting, eed_inpainting, ...",
    ),
]
Weight = Annotated[
    float | None,
    typer.Option(parser=fraction, metavar="NUMBER", help="Weight of the model; larger is smoother."),
]
Noise = Annotated[
    float | None,
    typer.Option(parser=fraction, metavar="NUMBER", help="The noise's standard deviation in [0, 1]: 25/255."),
]
SolverName = Annotated[
    str | None,
    typer.Option(
        "--solver", help="A name of docs/choosing.md, such as primal-dual, multigrid; by default one is chosen."
    ),
]
Tolerance = Annotated[float, typer.Option(help="Relative tolerance of the certificate.")]
MaskFile = Annotated[
    Path | None, typer.Option("--mask", metavar="M", help="White = known pixel, black = to be filled.")
]
DamageFile = Annotated[
    Path | None, typer.Option("--damage", metavar="M", help="The opposite: white = to be filled.")
]
Net = Annotated[
    str | None,
    typer.Option(
        "--net", metavar="NET", help="A network answers first: a name of `mindl weights list`, or a folder."
    ),
]
Finish = Annotated[
    bool,
    typer.Option("--finish/--no-finish", help="Whether the solver goes on from the network's answer."),
]
Answer = Annotated[
    bool, typer.Option("--answer", help="Also write OUT.answer.npz, which `mindl verify` proves again.")
]
Threads = Annotated[int | None, typer.Option(min=1, max=1024, help="Processor threads; by default all cores.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No table, no progress; errors only.")]
Json = Annotated[bool, typer.Option("--json", help="The results as JSON on standard output.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing output files.")]
Seed = Annotated[int, typer.Option(min=0, max=2**62, help="Seed of the noise or the mask that is made up.")]


def use(threads: int | None, *, quiet: bool = False) -> None:
    """Set threads and pages, before torch is loaded; no words where ``quiet``."""
    # Threads wait awhile before they sleep: as fast when alone, twice as fast where another program uses a core.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    # Large pages for large images: harmonic inpainting of 8192 x 8192 pixels takes a third less.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    if quiet:
        logging.getLogger("mindl").setLevel(logging.ERROR)  # kernels say when they are compiled
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
