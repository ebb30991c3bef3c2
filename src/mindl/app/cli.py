"""The command ``mindl``. Verbs and options only: what they do lives in the neighbouring files.

Exit status: 0 all certified, 1 some inputs failed, 2 wrong usage, 3 written but not certified. Torch is
imported when a verb needs it, so that ``--help`` and ``verify`` are quick.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

import mindl
from mindl.app import options
from mindl.app.options import fraction
from mindl.core.errors import MindlError, MindlWarning

INTERRUPTED = 130

app = typer.Typer(
    name="mindl",
    help="Denoise and inpaint photographs by models of image analysis, with a proved distance to each model's "
    "true solution.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"mindl {mindl.__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


@app.command()
def demo(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Where to write.")] = Path(
        "demo-output"
    ),
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """The main job on the photograph that ships with mindl."""
    _use(threads, quiet=quiet)
    from mindl.app import demo as verb

    raise typer.Exit(verb.demo(output, quiet=quiet, as_json=as_json))


@app.command()
def denoise(
    inputs: options.Inputs,
    output: options.Output,
    model: options.Model = "rof",
    weight: options.Weight = None,
    noise: options.Noise = None,
    solver: options.SolverName = None,
    net: options.Net = None,
    finish: options.Finish = True,
    tolerance: options.Tolerance = 1e-4,
    answer: options.Answer = False,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
    overwrite: options.Overwrite = False,
) -> None:
    """Denoise photographs; what is not given is estimated and printed."""
    _use(threads, quiet=quiet)
    from mindl.app import restore as verb

    settings = verb.Settings(output, solver, net, finish, tolerance, answer, quiet, as_json, overwrite)
    raise typer.Exit(verb.denoise(inputs, settings, model=model, weight=weight, noise=noise))


@app.command()
def inpaint(
    inputs: options.Inputs,
    output: options.Output,
    mask: options.MaskFile = None,
    damage: options.DamageFile = None,
    model: options.Model = "harmonic_inpainting",
    solver: options.SolverName = None,
    net: options.Net = None,
    finish: options.Finish = True,
    tolerance: options.Tolerance = 1e-4,
    answer: options.Answer = False,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
    overwrite: options.Overwrite = False,
) -> None:
    """Fill in unknown pixels."""
    _use(threads, quiet=quiet)
    from mindl.app import restore as verb

    settings = verb.Settings(output, solver, net, finish, tolerance, answer, quiet, as_json, overwrite)
    raise typer.Exit(verb.inpaint(inputs, settings, model=model, mask=mask, damage=damage))


@app.command()
def compare(
    inputs: options.Inputs,
    noise: options.Noise = None,
    known: Annotated[
        float | None,
        typer.Option(parser=fraction, metavar="SHARE", help="Hide all but this share: inpainting."),
    ] = None,
    mask: options.MaskFile = None,
    damage: options.DamageFile = None,
    as_is: Annotated[bool, typer.Option("--as-is", help="Add no noise: the photograph is noisy itself.")] = False,
    seed: options.Seed = 1,
    nets: Annotated[
        list[str] | None,
        typer.Option("--net", metavar="NET", help="Compare this network (repeatable); by default all that ship."),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="MODEL", help="Compare this model (repeatable); of one, all solvers."),
    ] = None,
    solvers: Annotated[
        list[str] | None,
        typer.Option("--solver", metavar="SOLVER", help="By this solver (repeatable); by default one that suits."),
    ] = None,
    tolerance: options.Tolerance = 1e-4,
    plot: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="OUT.png", help="Plot accuracy against time.")
    ] = None,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
    overwrite: options.Overwrite = False,
) -> None:
    """Models, solvers and networks side by side on a photograph: quality, certificate, time.

    Noise of 25/255 is added unless said otherwise; --known, --mask or --damage compare inpainting.
    """
    _use(threads, quiet=quiet)
    from mindl.app import compare as verb

    wish = verb.Comparison(
        noise,
        known,
        mask,
        damage,
        seed,
        tuple(nets or ()),
        tolerance,
        plot,
        as_is,
        models=tuple(models or ()),
        solvers=tuple(solvers or ()),
    )
    raise typer.Exit(verb.compare(inputs, wish, quiet=quiet, as_json=as_json, overwrite=overwrite))


@app.command()
def train(
    recipe: Annotated[
        str | None, typer.Argument(metavar="[RECIPE]", help="What to train; none lists them.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="RUN", help="Folder of the run.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", metavar="DIR", help="Photographs; without them, dead leaves alone.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=0, help="Instead of the recipe's.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**62, help="Seed of everything random in the training.")] = 0,
    workers: Annotated[int, typer.Option(min=0, max=64, help="Processes that make batches beside this one.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that is in the folder.")] = False,
    start: Annotated[
        str | None, typer.Option(metavar="NET", help="Begin with the weights of a stored network (fine-tuning).")
    ] = None,
    rates: Annotated[
        bool, typer.Option("--rates", help="Train nothing: sweep learning rates, and say which are good.")
    ] = False,
    note: Annotated[str, typer.Option(metavar="TEXT", help="For the card, say on the images' licence.")] = "",
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Train a network by a recipe; it can be broken off and resumed at any time."""
    _use(threads, quiet=quiet)
    from mindl.app import train as verb

    if recipe is None:
        raise typer.Exit(verb.recipes(as_json=as_json))
    wish = verb.Wish(output, images, steps, seed, workers, resume, note, start, rates)
    raise typer.Exit(verb.train(recipe, wish, quiet=quiet, as_json=as_json))


bench = typer.Typer(no_args_is_help=True, help="The figures of this project, measured again.")
app.add_typer(bench, name="bench")


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
    _use(threads, quiet=quiet)
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
    _use(threads, quiet=quiet)
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
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Also write the table, in Markdown.")
    ] = None,
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
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Also write the table, in Markdown.")
    ] = None,
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
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Also write the table, in Markdown.")
    ] = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """All training approaches at equal budget: what they remove of the noise, and how near their model they come.

    One thread; dead leaves to learn from.
    """
    from mindl.app import training as verb

    verb.compare(images, steps, output, quiet=quiet, as_json=as_json)


@app.command()
def nets(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...")] = None,
    size: Annotated[int, typer.Option(min=16, max=512, help="Side of the images it is measured on.")] = 64,
    as_json: options.Json = False,
) -> None:
    """The architectures: parameters, cost, receptive field, bounds, equivariance; all of it of those named."""
    from mindl.app import nets as verb

    verb.show(names or [], size, as_json=as_json)


weights = typer.Typer(no_args_is_help=True, help="Stored networks.")
app.add_typer(weights, name="weights")
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


data = typer.Typer(no_args_is_help=True, help="Images to learn from.")
app.add_typer(data, name="data")


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


@app.command()
def verify(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Answers (.answer.npz).")],
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Prove saved answers again, from image, witness and data, with NumPy alone."""
    from mindl import verify as verifier

    proofs: list[dict[str, Any]] = []
    failed = 0
    for file in files:
        try:
            proof = verifier.verify(str(file))
        except ValueError as error:
            failed += 1
            sys.stderr.write(f"mindl: {error}\n")
            continue
        share = "" if proof["known"] is None else f", {100 * proof['known']:.1f} % known"
        proofs.append({"file": str(file), **proof})
        if not quiet and not as_json:
            typer.echo(
                f"{file}: proved\n"
                f"  {proof['model']}, weight {proof['weight']:.4g}{share}\n"
                f"  within {proof['rms']:.3g} grey levels rms and {proof['maximum']:.3g} at most of the solution\n"
                f"  SHA-256 of the problem {proof['problem_sha256']}"
            )
    if as_json:
        typer.echo(json.dumps(proofs, indent=2))
    raise typer.Exit(1 if failed else 0)


@app.command()
def info(as_json: options.Json = False, threads: options.Threads = None) -> None:
    """Versions, threads and devices."""
    _use(threads)
    from mindl.app import info as verb

    verb.info(as_json=as_json)


def _use(threads: int | None, *, quiet: bool = False) -> None:
    # Threads wait awhile before they sleep: as fast when alone, twice as fast where another program uses a core.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    # Large pages for large images: harmonic inpainting of 8192 x 8192 pixels takes a third less.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    if quiet:
        logging.getLogger("mindl").setLevel(logging.ERROR)  # kernels say when they are compiled
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


def main() -> None:
    """Run the command; one clear sentence instead of a traceback for what a person can mend."""
    _prepare_streams()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default", MindlWarning)
            warnings.showwarning = _warn  # type: ignore[assignment]
            status = app(standalone_mode=False) or 0
        sys.stdout.flush()
    except (typer.Abort, KeyboardInterrupt):
        status = INTERRUPTED
    except MindlError as error:
        sys.stderr.write(f"mindl: {error}\n")
        status = 2
    except BrokenPipeError:
        status = _silence(0)
    except OSError as error:
        sys.stderr.write(f"mindl: cannot write the output: {error.strerror or error}.\n")
        status = _silence(1)
    except Exception as error:
        show = getattr(error, "show", None)  # Typer's usage errors print themselves
        if show is None:
            raise
        show()
        status = getattr(error, "exit_code", 2)
    if status == INTERRUPTED:  # Typer turns Ctrl-C into this status without a word
        sys.stderr.write("mindl: interrupted; what was finished is kept.\n")
    sys.exit(status)


def _warn(message: Warning | str, category: type[Warning], *_: object) -> None:
    """A warning of mindl is one line for the person; others are for developers and are not shown."""
    if issubclass(category, MindlWarning):
        sys.stderr.write(f"mindl: {message}\n")


def _prepare_streams() -> None:
    """A closed stream becomes a silent one, and a name that the stream's code lacks is shown with marks."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _silence(status: int) -> int:
    """Point standard output nowhere, so that the interpreter's last flush cannot fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status
