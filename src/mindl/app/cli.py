"""The command ``mindl``. Verbs and options only: what they do lives in the neighbouring files.

Exit status: 0 all certified, 1 some inputs failed, 2 wrong usage, 3 written but not certified. Torch is
imported when a verb needs it, so that ``--help`` and ``verify`` are quick.
"""

from __future__ import annotations

import importlib.metadata
import io
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

import mindl
from mindl.app import options
from mindl.app.options import fraction
from mindl.app.verbs_bench import bench
from mindl.app.verbs_data import data
from mindl.app.verbs_weights import weights
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
    options.use(threads, quiet=quiet)
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
    options.use(threads, quiet=quiet)
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
    options.use(threads, quiet=quiet)
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
    options.use(threads, quiet=quiet)
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
    check: Annotated[
        bool, typer.Option("--check", help="See first what one batch tells, and begin only if it is healthy.")
    ] = False,
    note: Annotated[str, typer.Option(metavar="TEXT", help="For the card, say on the images' licence.")] = "",
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Train a network by a recipe; it can be broken off and resumed at any time."""
    options.use(threads, quiet=quiet)
    from mindl.app import train as verb

    if recipe is None:
        raise typer.Exit(verb.recipes(as_json=as_json))
    wish = verb.Wish(output, images, steps, seed, workers, resume, note, start, rates, check)
    raise typer.Exit(verb.train(recipe, wish, quiet=quiet, as_json=as_json))


app.add_typer(bench, name="bench")


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs; several are compared.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE.html", help="The page; by default RUN/report.html."),
    ] = None,
    tensorboard: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Also write files for TensorBoard (extra: track)."),
    ] = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
    overwrite: options.Overwrite = False,
) -> None:
    """A run as one page of HTML, also while it goes on; several beside each other."""
    from mindl.app import runs as verb

    raise typer.Exit(
        verb.report(runs, output, tensorboard=tensorboard, quiet=quiet, as_json=as_json, overwrite=overwrite)
    )


@app.command()
def diagnose(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run, a record (.jsonl), or a .csv.")],
    follow: Annotated[bool, typer.Option("--follow", help="Show the curves until the run has ended.")] = False,
    as_json: options.Json = False,
) -> None:
    """What a run's curves say: symptoms with evidence, causes, and experiments; status 1 if there are any."""
    from mindl.app import diagnose as verb

    raise typer.Exit(verb.show(run, follow=follow, as_json=as_json))


@app.command()
def nets(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...")] = None,
    size: Annotated[int, typer.Option(min=16, max=512, help="Side of the images it is measured on.")] = 64,
    as_json: options.Json = False,
) -> None:
    """The architectures: parameters, cost, receptive field, bounds, equivariance; all of it of those named."""
    from mindl.app import nets as verb

    verb.show(names or [], size, as_json=as_json)


app.add_typer(weights, name="weights")
app.add_typer(data, name="data")


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
    options.use(threads)
    from mindl.app import info as verb

    verb.info(as_json=as_json)


def _add_guests() -> None:
    """Verbs of other packages (entry points ``mindl.commands``), loaded when they or the help are asked for."""
    asked = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    there = {group.name for group in app.registered_groups}
    for entry in importlib.metadata.entry_points(group="mindl.commands"):
        if entry.name not in there and asked in (None, entry.name):
            app.add_typer(entry.load(), name=entry.name)


def main() -> None:
    """Run the command; one clear sentence instead of a traceback for what a person can mend."""
    _prepare_streams()
    try:
        _add_guests()
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
