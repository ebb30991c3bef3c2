"""Which file becomes which: inputs, outputs, and what is refused before any work begins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mindl.core.errors import InputError, OutputError
from mindl.core.files import check_target
from mindl.images.io import READABLE, SUFFIXES, check_suffix


@dataclass(frozen=True)
class Job:
    """One input and where its result goes."""

    source: Path
    target: Path

    @property
    def answer(self) -> Path:
        """Where the answer that can be verified goes."""
        return self.target.with_name(f"{self.target.name}.answer.npz")


def jobs(
    inputs: list[Path],
    output: Path,
    *,
    overwrite: bool,
    answers: bool = False,
    also_read: list[Path] | None = None,
) -> list[Job]:
    """Pair inputs with outputs.

    Args:
        inputs: files and folders.
        output: a file for one input, a folder for several.
        overwrite: whether existing outputs may be replaced.
        answers: whether an answer is written beside each output.
        also_read: other files that are read (a mask), and must not be written to.

    Raises:
        InputError: a folder without images, or an output that would replace an input.
        OutputError: several inputs and no output folder, two results of one name, an unknown ending, an
            existing file without ``overwrite``.
    """
    sources = expand(inputs)
    many = len(sources) > 1 or any(given.is_dir() for given in inputs)
    if many and not output.is_dir():
        cure = "it is a file" if output.exists() else f"create it first (mkdir {output})"
        raise OutputError(f"Several inputs need a folder for OUT, and {output} is none: {cure}.")
    if not output.is_dir():
        check_target(output)
    found = [Job(source, output / _named(source) if output.is_dir() else output) for source in sources]
    taken: dict[Path, Path] = {}
    for job in found:
        check_suffix(job.target)
        if job.target in taken:
            raise OutputError(f"{taken[job.target]} and {job.source} would both be written to {job.target}.")
        taken[job.target] = job.source
        for target in (job.target, job.answer) if answers else (job.target,):
            check_output(target, [*sources, *(also_read or [])], overwrite=overwrite)
    return found


def check_output(target: Path, inputs: list[Path], *, overwrite: bool) -> None:
    """See that a file may be written.

    Raises:
        InputError: it is one of the inputs.
        OutputError: it exists and is to be kept, its folder does not exist, or it is no regular file.
    """
    if any(_same(target, source) for source in inputs):
        raise InputError(f"OUT would overwrite the input {target}; inputs are never written to.")
    check_target(target)
    if target.exists() and not overwrite:
        raise OutputError(f"{target} exists already; --overwrite replaces it.")


def expand(inputs: list[Path]) -> list[Path]:
    """Files as they are, folders as the images in them (hidden files left out).

    Raises:
        InputError: a folder without images.
    """
    files: list[Path] = []
    for given in inputs:
        if not given.is_dir():
            files.append(given)
            continue
        inside = [file for file in given.iterdir() if file.suffix.lower() in READABLE and file.is_file()]
        if not inside:
            raise InputError(f"The folder {given} holds no image ({', '.join(READABLE)}).")
        files += sorted(file for file in inside if not file.name.startswith("."))
    return files


def _named(source: Path) -> str:
    return source.name if source.suffix.lower() in SUFFIXES else f"{source.stem}.png"


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except (OSError, RuntimeError):  # one of them does not exist, or is a loop of links
        return False
