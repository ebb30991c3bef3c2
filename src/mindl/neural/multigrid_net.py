"""V-cycles of multigrid as a network: u <- u + V (b - A u)."""

from __future__ import annotations

from torch import Tensor

from mindl.core.arrays import Image
from mindl.core.errors import InputError, ViewError
from mindl.models import Candidate, LinearSystem, Model
from mindl.nets.vcycle import VCycle
from mindl.neural.neural_solver import NeuralSolver


class MultigridNet(NeuralSolver):
    r"""A linear U-Net that is multigrid: :math:`u \leftarrow u + V(b - A u)`, a few times.

    V is ``nets.VCycle``. Made by ``MultigridNet.of(model)`` it equals ``Multigrid(cells=True, levels=...)``
    where A is the same at every pixel, as in ``whittaker_tikhonov``, and the size can be halved so often, to 5
    pixels or more; its rate then does not depend on the size. Around known pixels the coarse matrices of multigrid
    vary from pixel to pixel, and no network with fixed weights is that: such models are refused by ``of``.

    Args:
        network: V, that maps residuals to corrections.
        cycles: how often it is applied, with the same weights.
        title: the name in messages and tables.

    Raises:
        InputError: fewer than 0 cycles.

    >>> import torch, mindl as md
    >>> model = md.models.whittaker_tikhonov(torch.rand(1, 1, 16, 16), weight=10.0)
    >>> net = MultigridNet.of(model, cycles=8)
    >>> bool(md.certify(model, net(model).image).rms < 0.1)
    True
    """

    accepts: type[Model] = LinearSystem

    def __init__(self, network: VCycle, cycles: int = 1, *, title: str | None = None) -> None:
        super().__init__(channels=None, title=title)
        if not isinstance(cycles, int) or cycles < 0:
            raise InputError(f"MultigridNet(cycles={cycles}) must be a whole number, at least 0.")
        self.network, self.cycles = network, cycles

    @staticmethod
    def of(model: Model, *, levels: int = 4, smoothing: int = 2, cycles: int = 1) -> MultigridNet:
        """The network that is multigrid for a model whose matrix is the same at every pixel.

        Raises:
            ViewError: the model is no linear system, or its matrix varies.
        """
        view = model.view(LinearSystem)
        if view.free is not None or view.reach is None or view.pattern != (1, 1) or view.wraps:
            raise ViewError(
                "A network with fixed weights is multigrid only where the matrix is the same at every pixel, and "
                f"that of {model.title} is not (known pixels, a weight for each image, or another boundary)."
            )
        return MultigridNet(VCycle(_kernel(view), levels=levels, smoothing=smoothing), cycles)

    def forward(self, model: Model) -> Candidate:
        """The candidate after all cycles."""
        self.check(model)
        view: LinearSystem = model.view(LinearSystem)
        image: Image = view.project(model.start())
        for _ in range(self.cycles):
            image = image + self.network(-view.gradient(image))
        return Candidate(model.project(image))

    @property
    def about(self) -> str:
        """Levels and cycles."""
        return f"VCycle, {self.network.levels} levels, {self.cycles} cycle{'s' * (self.cycles != 1)}"


def _kernel(view: LinearSystem) -> list[list[float]]:
    """The entries of A around a pixel far from the borders, from products with a point."""
    start: Tensor = view.start()
    height, width = start.shape[2:]
    reach = view.reach or 0
    if min(height, width) < 4 * reach + 1:
        raise ViewError(f"{height} x {width} pixels are too few to read the matrix of {view.title} from them.")
    point = start.new_zeros(start.shape).double()
    point[..., height // 2, width // 2] = 1
    answer = view.apply(point)[0, 0]
    rows = range(height // 2 - reach, height // 2 + reach + 1)
    columns = range(width // 2 - reach, width // 2 + reach + 1)
    return [[float(answer[i, j]) for j in columns] for i in rows]
