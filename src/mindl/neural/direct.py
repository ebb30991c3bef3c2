"""The plain way: the network's output is added to what it was shown."""

from __future__ import annotations

from torch import Tensor

from mindl.core.arrays import per_image
from mindl.core.errors import InputError
from mindl.models import Candidate, Model
from mindl.neural.neural_solver import ReadingSolver
from mindl.neural.reading import Shown


class Direct(ReadingSolver):
    r"""One run of the network: :math:`u = P(u_0 + c\, N(\text{model}))`.

    u_0 is the reading's base (the data; in inpainting a rough filling), c its unit, and P the model's projection:
    known pixels stay exactly as they are. It serves any model that names a start, an energy or a flow whose
    rest is sought. There is no dual field, so a good proof of its error needs ``certify``'s effort.

    The network has one output for each image channel, or as many as the unknown has blocks: three for ``tgv``, the
    image and its slopes. Arguments and errors as for ``ReadingSolver``.

    >>> import torch, mindl as md
    >>> net = Direct(md.nets.UNet(1, 1, widths=(4, 4)), md.neural.Start())
    >>> net(md.models.rof(torch.zeros(1, 1, 6, 9), weight=0.1)).image.shape
    torch.Size([1, 1, 6, 9])
    """

    accepts: type[Model] = Model

    def answer(self, view: Model, output: Tensor, shown: Shown) -> Candidate:
        """The base plus the output, made admissible."""
        blocks = shown.base.shape[1] // output.shape[1]
        if output.shape[2] != blocks:
            raise InputError(
                f"Direct needs a network with {blocks} output{'s' * (blocks > 1)} for each channel of "
                f"{view.title}, got {output.shape[2]}."
            )
        correction = output.transpose(1, 2).flatten(1, 2)
        return Candidate(view.project(shown.base + per_image(shown.unit, correction) * correction))
