"""Other libraries, each set to the same model; one that is not installed is left out and named."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import torch

from mindl.app.speed.contender import ITERATIONS, TOLERANCE, Answer, Contender, Solve
from mindl.app.speed.measure import doubling
from mindl.core.arrays import Image, Mask
from mindl.images.io import Array

PACKAGES = {
    "skimage.restoration": "scikit-image",
    "pyproximal": "pyproximal",
    "scipy.sparse.linalg": "scipy",
    "pyamg": "pyamg",
    "cv2": "opencv-python-headless",
}
"""What is imported, and what it is called where packages are installed from."""


@dataclass(frozen=True, eq=False)
class Peer:
    """A module, and the contenders that are made with it."""

    module: str
    contenders: Callable[[Any], list[Contender]]


def gather(peers: Sequence[Peer]) -> tuple[list[Contender], list[str]]:
    """The contenders of the peers that are installed, and the names of the packages that are not."""
    found: list[Contender] = []
    missing: list[str] = []
    for peer in peers:
        try:
            module = import_module(peer.module)
        except ImportError:
            missing.append(PACKAGES[peer.module])
            continue
        found += peer.contenders(module)
    return found, missing


def scikit_image_rof(data: Image, weight: float) -> Peer:
    """Chambolle's projection, whose ``weight`` is ours, and split Bregman, whose ``weight`` is 1 / (2 w).

    The first solves 1/2 |u - f|^2 + w TV(u) with forward differences and reflecting boundaries to any accuracy
    (its docstring says nothing of the factor; the certificate does). The second shrinks gradients by another rule
    than that of its energy, s / (1 + s) where it should be max(1 - 1 / s, 0), and stays at some distance.
    """
    pixels = _array(data)

    def contenders(restoration: Any) -> list[Contender]:
        def chambolle(effort: float) -> Array:
            found: Array = restoration.denoise_tv_chambolle(pixels, weight, eps=0, max_num_iter=int(effort))
            return found

        def bregman(effort: float) -> Array:
            found: Array = restoration.denoise_tv_bregman(pixels, 0.5 / weight, int(effort), eps=0, isotropic=True)
            return found

        return [
            Contender("scikit-image, Chambolle", _solver(chambolle), doubling(50), ITERATIONS),
            Contender("scikit-image, Bregman", _solver(bregman), doubling(25), ITERATIONS, "not quite this model"),
        ]

    return Peer("skimage.restoration", contenders)


def pyproximal_rof(data: Image, weight: float) -> Peer:
    """Chambolle and Pock's method in float32: the textbook's constant steps, and tuned ones that fall."""
    pixels = _array(data)

    def contenders(pyproximal: Any) -> list[Contender]:
        pylops = import_module("pylops")
        method = import_module("pyproximal.optimization.primaldual").PrimalDual

        def prepare(steps: Callable[[int], tuple[Any, Any]]) -> Callable[[], Solve]:
            def ready() -> Solve:
                gradient = pylops.Gradient(pixels.shape, kind="forward", edge=False, dtype=pixels.dtype)
                near = pyproximal.L2(b=pixels.ravel())
                penalty = pyproximal.L21(ndim=2, sigma=weight)

                def solve(effort: float) -> Answer:
                    tau, mu = steps(int(effort))
                    found = method(near, penalty, gradient, pixels.ravel(), tau, mu, niter=int(effort))
                    return Answer(_image(found.reshape(pixels.shape)), int(effort))

                return solve

            return ready

        constant = 1 / math.sqrt(8)
        return [
            Contender("PyProximal, constant", prepare(lambda n: (constant, constant)), doubling(25), ITERATIONS),
            Contender("PyProximal, tuned", prepare(falling_steps), doubling(25), ITERATIONS),
        ]

    return Peer("pyproximal", contenders)


def falling_steps(count: int, first: float = 3.0, share: float = 0.5) -> tuple[Array, Array]:
    """The step sizes of ``mindl.solvers.PrimalDual``, as its docstring has them."""
    tau = np.empty(count + 1)
    tau[0] = first
    for k in range(count):
        tau[k + 1] = tau[k] / math.sqrt(1 + 2 * share * tau[k])
    return tau, 1 / (8 * tau)


def sparse_harmonic(data: Image, mask: Mask, tolerance: float, *, direct: bool = True) -> list[Peer]:
    """The system of the unknown pixels: PyAMG, SciPy's factorisation and conjugate gradients, in float64."""
    pixels, known = _array(data.double()), mask[0, 0].numpy()
    efforts = (1e-2, 1e-4, tolerance, tolerance / 3)

    def amg(pyamg: Any) -> list[Contender]:
        def prepare() -> Solve:
            system = Harmonic.of(pixels, known)
            hierarchy = pyamg.ruge_stuben_solver(system.matrix)
            return system.solver(lambda right, effort: hierarchy.solve(right, tol=effort, accel="cg"))

        return [Contender("PyAMG", prepare, efforts, TOLERANCE, "Ruge and Stueben's, with conjugate gradients")]

    def scipy(linalg: Any) -> list[Contender]:
        def conjugate() -> Solve:
            system = Harmonic.of(pixels, known)
            return system.solver(lambda right, effort: linalg.cg(system.matrix, right, rtol=effort)[0])

        def factorised() -> Solve:
            system = Harmonic.of(pixels, known)
            matrix = system.matrix.tocsc()
            return system.solver(lambda right, effort: linalg.spsolve(matrix, right))

        found = [Contender("SciPy, CG", conjugate, efforts, TOLERANCE)]
        return [*found, Contender("SciPy, direct", factorised)] if direct else found

    return [Peer("pyamg", amg), Peer("scipy.sparse.linalg", scipy)]


@dataclass(frozen=True, eq=False)
class Harmonic:
    """A x = b for the unknown pixels, assembled from differences as a user of SciPy would."""

    matrix: Any
    right: Array
    unknown: Array
    pixels: Array

    @staticmethod
    def of(pixels: Array, known: Array) -> Harmonic:
        """A is the part of D^T D that belongs to the unknown pixels, b what the known ones give."""
        sparse = import_module("scipy.sparse")

        def difference(n: int) -> Any:
            return sparse.diags_array([-np.ones(n - 1), np.ones(n - 1)], offsets=[0, 1], shape=(n - 1, n))

        height, width = pixels.shape
        across = sparse.kron(sparse.eye_array(height), difference(width))
        down = sparse.kron(difference(height), sparse.eye_array(width))
        laplacian = (across.T @ across + down.T @ down).tocsr()
        unknown, given = np.flatnonzero(~known), np.flatnonzero(known)
        rows = laplacian[unknown]
        right = -(rows[:, given] @ pixels.ravel()[given])
        return Harmonic(rows[:, unknown].tocsr(), right, unknown, pixels)

    def solver(self, solve: Callable[[Array, float], Array]) -> Solve:
        """From a solution of the system to an image."""

        def answer(effort: float) -> Answer:
            filled = self.pixels.copy()
            filled.ravel()[self.unknown] = solve(self.right, effort)
            return Answer(_image(filled))

        return answer


def opencv_inpainting(data: Image, mask: Mask, threads: int) -> Peer:
    """Telea's method and the one named after Navier and Stokes: 8 bits, a radius of 3 pixels, another model."""
    pixels, known = _array(data), mask[0, 0].numpy()
    grey, hole = (255 * pixels * known).round().astype(np.uint8), (~known).astype(np.uint8)

    def contenders(cv2: Any) -> list[Contender]:
        cv2.setNumThreads(threads)

        def by(method: int) -> Callable[[], Solve]:
            return _solver(lambda effort: np.where(known, pixels, cv2.inpaint(grey, hole, 3, method) / 255))

        note = "another model: PSNR counts"
        return [
            Contender("OpenCV, Telea", by(cv2.INPAINT_TELEA), note=note),
            Contender("OpenCV, Navier-Stokes", by(cv2.INPAINT_NS), note=note),
        ]

    return Peer("cv2", contenders)


def scikit_image_biharmonic(data: Image, mask: Mask) -> Peer:
    """The same equations by a sparse factorisation; the answer is cut to the range of the known pixels."""
    pixels, hole = _array(data), ~mask[0, 0].numpy()

    def contenders(restoration: Any) -> list[Contender]:
        solve = _solver(lambda effort: restoration.inpaint_biharmonic(pixels, hole))
        return [Contender("scikit-image, biharmonic", solve, note="cuts what overshoots")]

    return Peer("skimage.restoration", contenders)


def _solver(call: Callable[[float], Array]) -> Callable[[], Solve]:
    """A contender without a set-up, from a function of the effort to an array."""
    return lambda: lambda effort: Answer(_image(call(effort)))


def _array(image: Image) -> Array:
    array: Array = image[0, 0].contiguous().numpy()
    return array


def _image(array: Array) -> Image:
    return torch.from_numpy(np.ascontiguousarray(array))[None, None]
