"""Prove a saved answer again, with NumPy alone.

    python -m mindl.verify ANSWER.npz

This file stands on its own: it imports nothing of mindl, and can be read and copied by whoever wants to check
an answer without trusting the program that made it. The answer holds the data f (and its SHA-256), the known
pixels where there are any, the image u, a witness, and the claimed distances in grey levels (1/255).

rof, anisotropic_rof    with p, |p| <= weight at every pixel, and u_p = f + div p, the duality gap
                        G = sum(weight |grad u| - <grad u, p>) + |u - u_p|^2 / 2 proves, with d = |u - u_p|,
                        |u - u*| <= (d + sqrt(4 G - d^2)) / 2; a second image v may serve as a stepping stone.
whittaker_tikhonov      r = f - u + weight Laplace(u): |u - u*| <= |r|, in the mean square and in the maximum.
harmonic_inpainting     r = Laplace(u) at unknown pixels.
both                    v >= 0 with v - weight Laplace(v) >= |r|, or -Laplace(v) >= |r| at unknown pixels and
                        v = 0 at the known ones, proves |u - u*| <= v pixel by pixel.
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
EPSILON = float(np.finfo(np.float64).eps)
COUPLED_AXES = {"Joint": (0, 1), "Channelwise": (1,), "Directional": (0,), "Separate": ()}


def gradient(u: Array) -> Array:
    """Forward differences, 0 across the boundary: (channel, 2, height, width), x first."""
    p = np.zeros((u.shape[0], 2, *u.shape[1:]))
    p[:, 0, :, :-1] = u[:, :, 1:] - u[:, :, :-1]
    p[:, 1, :-1, :] = u[:, 1:, :] - u[:, :-1, :]
    return p


def divergence(p: Array) -> Array:
    """Minus the adjoint of ``gradient``."""
    q = np.zeros((p.shape[0], p.shape[2], p.shape[3]))
    q[:, :, :-1] += p[:, 0, :, :-1]
    q[:, :, 1:] -= p[:, 0, :, :-1]
    q[:, :-1, :] += p[:, 1, :-1, :]
    q[:, 1:, :] -= p[:, 1, :-1, :]
    return q


def magnitude(p: Array, coupling: str) -> Array:
    """Norm of each coupled group, with all axes kept."""
    squares: Array = np.sum(p * p, axis=COUPLED_AXES[coupling], keepdims=True)
    return np.sqrt(squares)


def _norm(x: Array) -> float:
    return float(np.sqrt(np.sum(x * x)))


def _rof_pair(u: Array, f: Array, p: Array, weight: float, coupling: str) -> tuple[float, float, Array]:
    """(bound of |u - u*|, bound of |(u + u_p)/2 - u*|, the midpoint) for a feasible p."""
    q = gradient(u)
    variation = weight * float(np.sum(magnitude(q, coupling)))
    field = max(variation - float(np.sum(q * p)), 0.0)
    difference = (u - f) - divergence(p)
    d = _norm(difference)
    energy = variation + _norm(u - f) ** 2 / 2
    # Rounding: a few units of every term; four units of each summand of the difference.
    slip = 4 * EPSILON * ((2 * energy) ** 0.5 + 4 * _norm(p))
    gap = (field + d * d / 2) * (1 + 64 * EPSILON) + 16 * EPSILON * energy + d * slip + slip * slip / 2
    rest = max(4 * gap - d * d, 0.0) ** 0.5
    return (d + slip + rest) / 2, rest / 2 + slip, u - difference / 2


def _rof(answer: dict[str, Any], about: dict[str, Any]) -> tuple[float, float]:
    u, f, p = answer["image"], answer["data"], answer["dual"]
    weight, coupling = float(about["weight"]), str(about["coupling"])
    p = p / np.maximum(magnitude(p, coupling) * (1 + 8 * EPSILON) / weight, 1)
    distance = _rof_pair(u, f, p, weight, coupling)[0]
    if "witness_image" in answer:
        v = answer["witness_image"]
        direct, middle, midpoint = _rof_pair(v, f, p, weight, coupling)
        distance = min(distance, _norm(u - v) + direct, _norm(u - midpoint) + middle + 4 * EPSILON * _norm(v))
    low, high = f.min(axis=(1, 2), keepdims=True), f.max(axis=(1, 2), keepdims=True)
    return distance, min(distance, float(np.max(np.maximum(u - low, high - u))))


def _linear(answer: dict[str, Any], about: dict[str, Any]) -> tuple[float, float]:
    """A u = b with A = c - weight Laplace: c = 1 for Tikhonov, 0 for harmonic inpainting (unknown pixels)."""
    u, f, weight = answer["image"], answer["data"], float(about["weight"])
    inpainting = "mask" in answer
    unknown = np.broadcast_to(~answer["mask"].astype(bool), u.shape) if inpainting else np.ones(u.shape, bool)
    if np.any((u != f) & ~unknown):
        raise ValueError("a known pixel was changed: infinitely far from the model's solution")
    slope = gradient(u)
    residual = np.abs((0 if inpainting else f - u) + weight * divergence(slope))
    residual += 64 * EPSILON * (weight * np.max(np.abs(slope)) + (0 if inpainting else np.max(np.abs(u - f))))
    distance, maximum = _norm(residual), float(np.max(residual))
    if "supersolution" not in answer:
        return (np.inf, np.inf) if inpainting else (distance, maximum)
    v = answer["supersolution"]
    if np.any(v[~unknown] != 0) or np.any(v < 0):
        raise ValueError("the witness must be 0 at known pixels and nowhere negative")
    slack = (0 if inpainting else v) - weight * divergence(gradient(v)) - residual
    if np.any(slack[unknown] < 32 * EPSILON * (1 + weight) * float(v.max())):
        raise ValueError("the witness v does not cover the residual: A v >= |r| fails")
    if inpainting:
        return _norm(v), float(v.max())
    return min(distance, _norm(v)), min(maximum, float(v.max()))


PROOFS = {
    "rof": _rof,
    "anisotropic_rof": _rof,
    "whittaker_tikhonov": _linear,
    "harmonic_inpainting": _linear,
}


def problem_hash(data: npt.NDArray[Any], mask: npt.NDArray[Any] | None) -> str:
    """SHA-256 of the data (channel, height, width), in their own type, and of the mask where there is one."""
    digest = hashlib.sha256(np.ascontiguousarray(data).tobytes())
    if mask is not None:
        digest.update(np.ascontiguousarray(mask).tobytes())
    return digest.hexdigest()


def verify(path: str) -> dict[str, Any]:
    """Recompute what an answer proves: the model with its weight and share of known pixels, the proved rms and
    maximum in grey levels, and the SHA-256 of data and mask, which tells whether they are yours.

    Raises:
        ValueError: damaged, altered, or proving less than it claims.
    """
    try:
        with open(path, "rb") as raw:
            if raw.read(2) != b"PK":
                raise ValueError("not an answer that mindl saved (.answer.npz)")
            raw.seek(0)
            with np.load(raw, allow_pickle=False) as file:
                stored = {name: file[name] for name in file.files}
        about = json.loads(str(stored.pop("about")))
        prove = PROOFS.get(about["model"])
        if prove is None:
            raise ValueError(f"the model {about['model']!r} is not known here")
        for name, array in stored.items():
            if array.dtype not in (np.dtype(bool), np.dtype(np.float32), np.dtype(np.float64)):
                raise ValueError(f"{name} has the type {array.dtype}")
        weight, claims = float(about["weight"]), {name: float(about[name]) for name in ("rms", "maximum")}
        digest = problem_hash(stored["data"], stored.get("mask"))
        shape = stored["data"].shape
        allowed: dict[str, list[tuple[int, ...]]] = {"dual": [(shape[0], 2, *shape[1:])]}
        allowed["mask"] = [shape, (1, *shape[1:])]
        misshapen = [name for name, x in stored.items() if x.shape not in allowed.get(name, [shape])]
        if len(shape) != 3 or misshapen or ("mask" in stored and stored["mask"].dtype != bool):
            raise ValueError(f"data {shape} and {misshapen or 'mask'} do not fit together")
    except Exception as error:  # zip, zlib, JSON and NumPy each have their own way to say "damaged"
        raise ValueError(f"{path} is no answer that can be read: {error}") from error
    if digest != about.get("problem_sha256"):
        raise ValueError(f"{path}: the data or the mask are not those of the answer (SHA-256 differs)")
    answer = {name: x if x.dtype == bool else x.astype(np.float64) for name, x in stored.items()}
    if not all(bool(np.isfinite(x).all()) for x in answer.values()):
        raise ValueError(f"{path}: images and witnesses must be finite")
    if not 0 < weight < np.inf or ("mask" in answer and weight != 1):
        raise ValueError(f"{path}: the weight {weight:g} is not one of this model")
    if "mask" in answer and not np.broadcast_to(answer["mask"], shape).any(axis=(1, 2)).all():
        raise ValueError(f"{path}: a channel has no known pixel, so the model has no solution")
    try:
        distance, maximum = prove(answer, about)
    except Exception as error:  # a missing or misshapen witness
        raise ValueError(f"{path}: not proved: {error}") from error
    proved = {"rms": 255 * distance / answer["image"].size ** 0.5, "maximum": 255 * maximum}
    proved["rms"] = min(proved["rms"], proved["maximum"])
    for name, value in proved.items():
        if not value <= claims[name] * (1 + 1e-6) + 1e-9:
            raise ValueError(f"{path}: claims {name} {claims[name]:.6g} grey levels, proves {value:.6g} only")
    known = float(np.mean(answer["mask"])) if "mask" in answer else None
    return {"model": about["model"], "weight": weight, "known": known, **proved, "problem_sha256": digest}


if __name__ == "__main__":
    try:
        for name in sys.argv[1:]:
            print(name, verify(name))
    except ValueError as problem:
        sys.exit(f"not verified: {problem}")
