"""The verbs of ``mindl bench``: options only; see ``cli``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from mindl.app import options

bench = typer.Typer(no_args_is_help=True, help="The figures of this project, measured again.")


@bench.command("quality")
def bench_quality(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A folder that holds bsd68/ with the 68 images.")],
    images: Annotated[
        int | None, typer.Option(min=1, help="Only the first few images: quick, but not the published figures.")
    ] = None,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Mean PSNR of classical methods on BSD68, beside the figures to hold them against."""
    options.use(threads, quiet=quiet)
    from mindl.app import bench as verb

    raise typer.Exit(verb.quality(data, images, quiet=quiet, as_json=as_json))


@bench.command("speed")
def bench_speed(
    works: Annotated[
        list[str] | None,
        typer.Option("--work", metavar="NAME", help="Only this work (repeatable): rof, sweep, harmonic, ..."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A sixteenth of every size and 3 runs: to try it out, a minute.")
    ] = False,
    huge: Annotated[bool, typer.Option("--huge", help="16384 x 16384 pixels too: up to 24 GB.")] = False,
    repeat: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Runs that count, each; 5 by default.")
    ] = None,
    limit: Annotated[float, typer.Option(min=0.01, help="Seconds beyond which no effort is doubled.")] = 60,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Take the largest photograph of this folder instead."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Also write table, JSON and plots.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, max=1024, help="Processor threads.")] = 2,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """What an answer costs: mindl beside other libraries, same image, same model, one process.

    Accuracy is judged by the certificate alike for all. Other libraries are measured where they are installed; the
    extra named bench brings them.
    """
    options.use(threads, quiet=quiet)
    for library in ("OPENBLAS", "MKL", "OMP"):  # whoever has threads of its own takes as many
        os.environ.setdefault(f"{library}_NUM_THREADS", str(threads))
    from mindl.app.speed import verb
    from mindl.app.speed.measure import Settings

    runs = repeat or (3 if quick else 5)
    settings = Settings(quick, runs, threads, min(limit, 0.2) if quick else limit, data)
    raise typer.Exit(verb.speed(works or [], settings, output, huge=huge, quiet=quiet, as_json=as_json))


@bench.command("nets")
def bench_nets(
    steps: Annotated[int, typer.Option(min=1, help="Of training, for each architecture.")] = 600,
    output: options.Page = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """All architectures at equal training budget: how near they come to the solution, and what they cost.

    One thread; total variation denoising, noise of 25, dead leaves to learn from.
    """
    from mindl.app import nets as verb

    verb.compare(steps, output, quiet=quiet, as_json=as_json)


@bench.command("loading")
def bench_loading(
    images: Annotated[Path | None, typer.Option(help="A folder of images; by default pictures are made.")] = None,
    batches: Annotated[int, typer.Option(min=4, help="That each figure is measured over.")] = 40,
    output: options.Page = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """How fast batches are made from files, and how fast a network takes them."""
    from mindl.app import loading as verb

    verb.measure(images, batches, output, quiet=quiet, as_json=as_json)


@bench.command("training")
def bench_training(
    images: Annotated[
        Path | None,
        typer.Option(help="Clean photographs to examine on; by default the one that ships with mindl."),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Of training, instead of the recipes'.")] = None,
    output: options.Page = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """All training approaches at equal budget: what they remove of the noise, and how near their model they come.

    One thread; dead leaves to learn from.
    """
    from mindl.app import training as verb

    verb.compare(images, steps, output, quiet=quiet, as_json=as_json)


@bench.command("science")
def bench_science(
    tables: Annotated[
        list[str] | None,
        typer.Option(
            "--table", metavar="NAME", help="Only this one (repeatable): solving, steps, denoisers, finish."
        ),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Photographs to judge on, such as set12/; by default dead leaves.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Stored networks beside those that ship: weights/research.")
    ] = None,
    training: Annotated[int, typer.Option(min=1, help="Steps of training of what is trained here.")] = 400,
    timed: Annotated[int, typer.Option(min=1, help="Images on which time is taken.")] = 3,
    output: options.Page = None,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """How near networks come to the models they solve, when they pay, and what learned models remove."""
    options.use(threads, quiet=quiet)
    from mindl.app.science import verb

    verb.science(
        tables or [],
        images,
        weights,
        training=training,
        timed=timed,
        output=output,
        quiet=quiet,
        as_json=as_json,
    )
