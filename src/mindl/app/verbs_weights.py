"""The verbs of ``mindl weights``: options only; see ``cli``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mindl.app import options

weights = typer.Typer(no_args_is_help=True, help="Stored networks.")
Stored = Annotated[str, typer.Argument(metavar="NET", help="A name of `mindl weights list`, or a model folder.")]


@weights.command("list")
def weights_list(as_json: options.Json = False) -> None:
    """The networks that come with mindl."""
    from mindl.app import weights as verb

    verb.show_all(as_json=as_json)


@weights.command("show")
def weights_show(net: Stored, as_json: options.Json = False) -> None:
    """The card of a stored network: what it is for, how good it is, what it was trained on."""
    from mindl.app import weights as verb

    verb.show(net, as_json=as_json)


@weights.command("check")
def weights_check(nets: Annotated[list[str] | None, typer.Argument(metavar="[NET]...")] = None) -> None:
    """See that stored networks are complete, unaltered, and answer as they did; all that ship by default."""
    from mindl.app import weights as verb

    raise typer.Exit(verb.check(nets or []))


@weights.command("compare")
def weights_compare(
    first: Stored,
    second: Annotated[str, typer.Argument(metavar="NET", help="The other one.")],
    as_json: options.Json = False,
) -> None:
    """Put two stored networks beside each other: settings, weights, answers."""
    from mindl.app import compare_weights as verb

    verb.show(first, second, as_json=as_json)


@weights.command("export")
def weights_export(
    net: Stored,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Ends in .onnx or .pt2.")],
    model: Annotated[
        str | None, typer.Option(help="The model to answer; by default the one that it was trained for.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Write a stored network, from a model's data to the answer, to a file that runs without mindl."""
    from mindl.app import weights as verb

    verb.export(net, output, model, overwrite=overwrite)
