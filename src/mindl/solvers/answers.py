"""Answers on disk: what it takes to prove them again without mindl (see ``mindl.verify``)."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from mindl.calculus import Gradient, Penaliser, Quadratic, TotalVariation
from mindl.core.errors import InputError
from mindl.core.files import write_whole
from mindl.models.certificate import DualWitness, Supersolution
from mindl.models.data_terms import DataTerm, HalfSquared, KnownPixels
from mindl.models.variational import Variational
from mindl.solvers.solution import Solution
from mindl.solvers.witness import certify
from mindl.verify import problem_hash

VERIFIABLE: dict[str, tuple[type[DataTerm], type[Penaliser]]] = {
    "rof": (HalfSquared, TotalVariation),
    "anisotropic_rof": (HalfSquared, TotalVariation),
    "whittaker_tikhonov": (HalfSquared, Quadratic),
    "harmonic_inpainting": (KnownPixels, Quadratic),
}
"""The models that ``mindl.verify`` knows, by name and parts."""


def write_answer(path: str | os.PathLike[str], solution: Solution, *, overwrite: bool = True) -> Path:
    """Save image, data, witness and claim of a solution as one ``.npz`` file, whole or not at all.

    ``mindl verify FILE`` proves it again with NumPy alone. Nothing in the file is code.

    Raises:
        InputError: more than one image, or a model that the verifier does not know.
        OutputError: the file cannot be written.
    """
    model = solution.model
    if not isinstance(model, Variational) or not _known(model):
        raise InputError(f"write_answer knows {', '.join(VERIFIABLE)}, not {model.title}.")
    if solution.image.shape[0] != 1:
        raise InputError(f"write_answer saves one image, got a batch of {solution.image.shape[0]}.")
    term, certificate = model.data_term, solution.certificate
    if certificate.kind == "duality gap" and isinstance(model.penaliser, Quadratic):
        certificate = certify(model, solution.image)  # the verifier judges linear systems by their residual
    data = term.data[0].detach().cpu().numpy()
    arrays: dict[str, Any] = {"image": solution.image[0].detach().cpu().numpy(), "data": data}
    if isinstance(term, KnownPixels):
        arrays["mask"] = term.mask.expand(1, -1, -1, -1)[0].cpu().numpy()
    if isinstance(certificate.witness, DualWitness):
        arrays["dual"] = certificate.witness.dual[0].cpu().numpy()
        if certificate.witness.image is not None:
            arrays["witness_image"] = certificate.witness.image[0].cpu().numpy()
    elif isinstance(certificate.witness, Supersolution):
        arrays["supersolution"] = certificate.witness.values[0].cpu().numpy()
    about = {
        "model": model.name,
        "weight": float(model.weight),
        "coupling": type(model.coupling).__name__,
        "rms": float(certificate.rms),
        "maximum": float(certificate.maximum),
        "outcome": solution.outcome.value,
        "problem_sha256": problem_hash(data, arrays.get("mask")),
        "format": 1,
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, about=np.array(json.dumps(about)), **arrays)
    return write_whole(path, buffer.getvalue(), overwrite=overwrite)


def _known(model: Variational) -> bool:
    """Whether the verifier knows the model: not by its name alone, which anyone may give."""
    data_term, penaliser = VERIFIABLE.get(model.name, (None, None))
    parts = (type(model.data_term), type(model.penaliser), type(model.operator))
    return parts == (data_term, penaliser, Gradient)
