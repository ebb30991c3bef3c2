"""A network that answers with its own proof."""

from __future__ import annotations

from torch import Tensor

from mindl.core.arrays import per_image
from mindl.core.errors import InputError
from mindl.models import Candidate, Model, SaddlePoint
from mindl.neural.neural_solver import ReadingSolver
from mindl.neural.reading import Shown


class WitnessHead(ReadingSolver):
    r"""The network gives a dual field; the image follows from it, and so does a bound of its error.

    .. math:: p = \Pi(c\, N(\text{model})), \qquad u = \nabla D^*(-K^T p)
              \quad (\text{ROF: } f + \operatorname{div} p),

    with the unit c of the reading and the projection :math:`\Pi` onto the feasible fields. Whatever the weights,
    p is a legal witness: for total variation denoising the duality gap G(u, p) proves
    :math:`|u - u^*|^2 \le G`, without any step of a solver, since u is the image that belongs to p (proof in
    ``mindl.models.certificate``; an image of its own would give 2 G, and the midpoint nothing more here). And
    a solver that goes on starts with a good dual field, which is worth far more to it than a good image.

    The network has one output for each channel and component of the dual field (two, for a gradient).
    Arguments and errors as for ``ReadingSolver``.

    >>> import torch, mindl as md
    >>> net = WitnessHead(md.nets.UNet(1, 2, widths=(4, 4)), md.neural.InUnitsOfWeight())
    >>> answer = net(md.models.rof(torch.rand(1, 1, 6, 9), weight=0.1))
    >>> bool((answer.dual.norm(dim=2) <= 0.1).all())
    True
    """

    accepts: type[Model] = SaddlePoint

    def why_not(self, model: Model) -> str | None:
        """What cannot be read; or an unknown that a dual field does not determine."""
        reason = super().why_not(model)
        if reason is None and model.start().shape != model.image_shape:
            reason = "its unknown holds more than the image, and does not follow from a dual field: take Direct"
        return reason

    def answer(self, view: SaddlePoint, output: Tensor, shown: Shown) -> Candidate:
        """The feasible field nearest to the output, and its image."""
        components = view.operator(view.start()[:1, :1, :1, :1]).shape[2]
        if output.shape[2] != components:
            raise InputError(
                f"WitnessHead needs a network with {components} outputs for each channel (the components of the "
                f"dual field of {view.title}), got {output.shape[2]}."
            )
        dual = view.feasible(per_image(shown.unit, output) * output)
        return Candidate(view.primal_of(dual), dual)
