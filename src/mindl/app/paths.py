"""Which file becomes which: inputs, outputs, and what is refused before any work begins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mindl.core.errors import InputError, OutputError
from mindl.images.io import READABLE, SUFFIXES, check_suffix


@dataclass(frozen=True)
class Job:
    """One input and where its result goes."""

    source: Path
    target: Path

    @property
    def answer(self) -> Path:
        """Where the answer that can be verified goes."""
        return self.target.with_suffix(".answer.npz")


def jobs(inputs: list[Path], output: Path, *, overwrite: bool) -> list[Job]:
    """Pair inputs with outputs.

    Raises:
        InputError: a folder without images, or an output that would replace an input.
        OutputError: several inputs and no output folder, two results of one name, an unknown ending, an
            existing file without ``overwrite``.
    """
    sources = [file for given in inputs for file in _expand(given)]
    many = len(sources) > 1 or any(given.is_dir() for given in inputs)
    if many and not output.is_dir():
        raise OutputError(
            f"Several inputs need a folder for OUT, and {output} is none: create it first (mkdir {output})."
        )
    if not output.is_dir() and not output.parent.is_dir():
        raise OutputError(f"Cannot write {output}: the folder {output.parent} does not exist; create it first.")
    found = [Job(source, output / _named(source) if output.is_dir() else output) for source in sources]
    taken: dict[Path, Path] = {}
    for job in found:
        check_suffix(job.target)
        if job.target in taken:
            raise OutputError(f"{taken[job.target]} and {job.source} would both be written to {job.target}.")
        taken[job.target] = job.source
        if any(_same(job.target, source) for source in sources):
            raise InputError(f"OUT would overwrite the input {job.target}; inputs are never written to.")
        if job.target.exists() and not overwrite:
            raise OutputError(f"{job.target} exists already; --overwrite replaces it.")
    return found


def _expand(given: Path) -> list[Path]:
    if not given.is_dir():
        return [given]
    files = sorted(file for file in given.iterdir() if file.suffix.lower() in READABLE and file.is_file())
    if not files:
        raise InputError(f"The folder {given} holds no image ({', '.join(READABLE)}).")
    return files


def _named(source: Path) -> str:
    return source.name if source.suffix.lower() in SUFFIXES else f"{source.stem}.png"


def _same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)
