"""Independent solvers in NumPy and SciPy, float64: they share no code with mindl and start elsewhere."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sparse
from scipy.sparse.linalg import spsolve


def difference_matrix(height: int, width: int) -> sparse.csr_array:
    """All forward differences of an image, x first, as a sparse matrix (2 n x n)."""

    def one(n: int) -> sparse.csr_array:
        d = sparse.diags_array([-np.ones(n), np.ones(n - 1)], offsets=[0, 1]).tolil()
        d[n - 1, :] = 0
        return d.tocsr()

    x = sparse.kron(sparse.eye_array(height), one(width))
    y = sparse.kron(one(height), sparse.eye_array(width))
    return sparse.csr_array(sparse.vstack([x, y]))


def tikhonov(f: np.ndarray, weight: float) -> np.ndarray:
    """(I + w D^T D) u = f by sparse LU, for (channel, height, width)."""
    d = difference_matrix(*f.shape[1:])
    a = (sparse.eye_array(d.shape[1]) + weight * d.T @ d).tocsc()
    return np.stack([spsolve(a, channel.ravel()).reshape(channel.shape) for channel in f])


def harmonic(f: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Laplace equation on the unknown pixels by sparse LU."""
    d = difference_matrix(*f.shape[1:])
    laplacian = (d.T @ d).tocsc()
    result = f.copy()
    for channel, known in zip(result, np.broadcast_to(mask, f.shape), strict=True):
        free = ~known.ravel()
        if free.any():
            inner = laplacian[free][:, free].tocsc()
            right = -laplacian[free][:, ~free] @ channel.ravel()[~free]
            channel.ravel()[free] = np.atleast_1d(spsolve(inner, right))
    return result


def total_variation(f: np.ndarray, weight: float, axes: tuple[int, ...], steps: int = 20000) -> np.ndarray:
    """ROF by FISTA on the dual with restarts: |u - u*| is near rounding on small images.

    ``axes`` are coupled in a field (component, channel, pixel): (0, 1) joint, (0,) channelwise, ...
    """
    channels, height, width = f.shape
    d = difference_matrix(height, width)
    flat = f.reshape(channels, -1)
    rng = np.random.default_rng(1)
    p = rng.normal(size=(2, channels, height * width)) * weight

    def project(q: np.ndarray) -> np.ndarray:
        size = np.sqrt((q * q).sum(axis=axes, keepdims=True))
        return q / np.maximum(1, size / weight)

    def primal(q: np.ndarray) -> np.ndarray:
        return flat - np.stack([d.T @ q[:, c].ravel() for c in range(channels)])

    p = project(p)
    y, t = p, 1.0
    for _ in range(steps):
        u = primal(y)
        slope = np.stack([(d @ u[c]).reshape(2, -1) for c in range(channels)], axis=1)
        new = project(y + slope / 8)
        if ((new - p) * (y - new)).sum() > 0:  # restart when the momentum points back
            t = 1.0
        following = (1 + np.sqrt(1 + 4 * t * t)) / 2
        y = new + (t - 1) / following * (new - p)
        moved = np.abs(new - p).max()
        p, t = new, following
        if moved < 1e-16 * weight:
            break
    return primal(p).reshape(f.shape)
