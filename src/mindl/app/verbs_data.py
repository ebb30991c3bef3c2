"""The verbs of ``mindl data``: options only; see ``cli``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mindl.app import options

data = typer.Typer(no_args_is_help=True, help="Images to learn from.")


@data.command("check")
def data_check(
    images: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder of images, a .tar file, or a .txt file of paths.")
    ],
    crop: Annotated[int | None, typer.Option(min=1, help="The side that images need at least.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="REPORT.json", help="Write what was found; next time, go on from it."
        ),
    ] = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """See what is in a set of images: broken ones, sizes, and those that are there twice or nearly so."""
    from mindl.app import data as verb

    raise typer.Exit(verb.check(images, crop=crop, output=output, quiet=quiet, as_json=as_json))
