"""Problems that a solver has solved, with the certificates of their solutions."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mindl.core import arguments
from mindl.core.arguments import kind, whole
from mindl.core.errors import InputError, OutputError, TrainingError
from mindl.core.files import write_whole
from mindl.core.records import read_json
from mindl.core.sealed import read_sealed, write_sealed
from mindl.data import Sample, Source
from mindl.learning.stream import Stream
from mindl.learning.task import Problem, Task
from mindl.solvers import Stop, steady_state
from mindl.solvers.solver import Solver

CONFIG = "config.json"

CHUNK = 32
"""Problems that are solved, and written, at a time."""


class SolvedProblems(Source):
    """A numbered set of problems with their solutions, as ``solved`` makes it; what ``SolutionLoss`` learns from.

    Attributes:
        certificates: of each problem ``bound``, ``scale``, ``rms`` (grey levels, proved; infinite where nothing
            is) and ``met``, whether the stopping rule was; tensors of one number a problem.
    """

    problems = True

    def __init__(
        self,
        samples: dict[str, Tensor],
        certificates: dict[str, Tensor],
        parts: list[list[str]],
        about: str,
        made_of: dict[str, Any],
    ) -> None:
        self._samples, self.certificates, self._parts = samples, certificates, parts
        self._about, self._made_of = about, made_of
        self.posed_by = made_of["task"]
        self.channels = samples["solution"].shape[1]

    def __len__(self) -> int:
        return len(self._parts)

    def name(self, index: int) -> str:
        """Its number."""
        return f"solved problem {index}"

    @property
    def files_count(self) -> int:
        """All of them: a search may fail."""
        return len(self)

    def image(self, index: int) -> Tensor:
        """The solution."""
        return self.sample(index)["solution"]

    def sample(self, index: int) -> Sample:
        """The problem, with its solution.

        Raises:
            TrainingError: the solver did not reach the tolerance; such a problem is left out of batches.
        """
        if not self.certificates["met"][index]:
            raise TrainingError(f"{self.name(index)}: the solver did not reach the tolerance.")
        return {name: values[index] for name, values in self._samples.items()}

    @property
    def about(self) -> str:
        """How many, of what, how exactly."""
        return self._about

    def digest(self, index: int) -> str:
        """That of the image that the problem was drawn from."""
        return self._parts[index][0]

    def parts(self, index: int) -> list[str]:
        """Those of the scene that the problem was drawn from."""
        return self._parts[index]

    def fingerprint(self) -> str:
        """A hash of what they were made from, and how."""
        return hashlib.sha256(json.dumps([self._made_of, len(self)], sort_keys=True).encode()).hexdigest()


def solved(
    task: Task,
    images: Source,
    *,
    count: int = 256,
    crop: int = 64,
    seed: int = 0,
    solver: Solver[Any, Any] | None = None,
    stop: Stop | None = None,
    folder: str | os.PathLike[str] | None = None,
    watch: Callable[[int, int], None] | None = None,
) -> SolvedProblems:
    """Draw problems and solve them, each to a certificate: images to learn from by ``SolutionLoss``.

    Problems are drawn as in training; they are not turned or disturbed again afterwards, since the solution of a
    turned problem is not the turned solution (differences look forward). With a folder they are kept, a file for
    every 32, and a later call goes on where an earlier one ended, also to a larger number.

    Args:
        task: draws problems and makes models of them.
        images: clean images.
        count: how many problems.
        crop: side of the crops in pixels.
        seed: of the draws.
        solver: by default the one that ``minimise`` or ``steady_state`` chooses.
        stop: when a solution is good enough, by default a certificate of 1e-4.
        folder: where they are kept; None: in memory alone.
        watch: is called with the number of problems that are done, and of all.

    Raises:
        InputError: less than one problem; the folder holds problems of another kind.
        StoreError: a file of the folder is damaged.
        OutputError: the folder cannot be written to.

    >>> import mindl as md
    >>> found = solved(md.learning.Denoising(), md.data.DeadLeaves(2, size=24), count=4, crop=16)
    >>> found
    4 problems of 2 dead leaves pictures of 24 x 24, seeds from 0 on, solved
    >>> bool(found.certificates["met"].all()), sorted(found.sample(0))
    (True, ['clean', 'data', 'dual', 'noise', 'solution', 'weight'])
    """
    whole(count, 1, "solved(count)")
    kind(solver, Solver | None, "solved(solver)", "a solver such as PrimalDual()")
    stop = Stop() if stop is None else stop
    stream = Stream(images, task, batch=CHUNK, crop=crop, crops_per_image=1, seed=seed)
    made_of = {
        "format": 1,
        "task": task.about,
        "images": images.fingerprint(),
        "crop": crop,
        "seed": seed,
        "solver": repr(solver),
        "stop": repr(stop),
    }
    place = None if folder is None else arguments.path(folder, "solved(folder)")
    if place is not None:
        _check_place(place, made_of)
    chunks: list[dict[str, Tensor]] = []
    for number in range(-(-count // CHUNK)):
        file = None if place is None else place / f"problems-{number:05d}.safetensors"
        if file is not None and file.exists():
            chunk = read_sealed(file, "file of solved problems", "delete it, and it is made again")
        else:
            chunk = _solved_chunk(task, stream.batch(number).problems, solver, stop)
            if file is not None:
                _write(file, chunk, made_of)
        chunks.append(chunk)
        if watch is not None:
            watch(min(count, (number + 1) * CHUNK), count)
    whole_set = {name: torch.cat([chunk[name] for chunk in chunks])[:count] for name in chunks[0]}
    certificates = {k.removeprefix(_PROOF): v for k, v in whole_set.items() if k.startswith(_PROOF)}
    samples = {k: v for k, v in whole_set.items() if not k.startswith(_PROOF)}
    parts = [images.parts(stream.image_at(i)) for i in range(count)]
    problems = SolvedProblems(samples, certificates, parts, f"{count} problems of {images.about}, solved", made_of)
    problems.noise = images.noise
    return problems


_PROOF = "certificate."


def _solved_chunk(task: Task, problems: Problem, solver: Solver[Any, Any] | None, stop: Stop) -> dict[str, Tensor]:
    """The problems with solutions, dual fields where there are any, and certificates."""
    solution = steady_state(task.model(problems), solver, stop=stop)
    proof = solution.certificate
    found = {**problems, "solution": solution.image}
    if solution.dual is not None:
        found["dual"] = solution.dual
    met = torch.tensor([outcome.met for outcome in solution.outcomes])
    certificate = {"bound": proof.bound, "scale": proof.scale, "rms": proof.rms, "met": met}
    return found | {_PROOF + name: value for name, value in certificate.items()}


def _check_place(folder: Path, made_of: dict[str, Any]) -> None:
    """See that a folder holds problems of this kind, or nothing."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / CONFIG).exists():
        raise InputError(f"{folder} holds something else than solved problems: name a new folder.")
    there = read_json(folder / CONFIG)
    differ = [name for name in made_of if there.get(name) != made_of[name]]
    if differ:
        raise InputError(
            f"{folder} holds problems that were made otherwise ({', '.join(differ)} differ): name a new folder."
        )


def _write(file: Path, chunk: dict[str, Tensor], made_of: dict[str, Any]) -> None:
    """Write solved problems, and before the first ones what they were made of."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot make the folder {file.parent}: {error.strerror or error}.") from error
    if not (file.parent / CONFIG).exists():
        write_whole(file.parent / CONFIG, json.dumps(made_of, indent=2).encode())
    write_sealed(file, chunk)
