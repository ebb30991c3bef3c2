"""Networks as names and numbers: what builds one again, with no code stored and none run."""

from __future__ import annotations

import inspect
from typing import Any

from torch import nn

from mindl.core.errors import InputError, look_up
from mindl.nets import NETWORKS
from mindl.neural import FREEDOMS, NEURAL_SOLVERS, READINGS, RidgeRegulariser
from mindl.solvers import SCHEMES, SOLVERS

STORABLE: dict[str, type] = {
    **NEURAL_SOLVERS,
    **NETWORKS,
    **READINGS,
    **FREEDOMS,
    **{type(solver).__name__: type(solver) for solver in (*SOLVERS.values(), *SCHEMES.values())},
    "RidgeRegulariser": RidgeRegulariser,
}
"""What may stand in a configuration, by the names of its classes. Each keeps every argument it was made with under
the argument's name."""


def described(part: Any) -> Any:
    """A part of a network as JSON knows it: its kind and its arguments, and those of its parts.

    Raises:
        InputError: a part of a kind that is not in ``STORABLE``.

    >>> import mindl as md
    >>> described(md.neural.Start()), described(md.solvers.FED(5))["length"]
    ({'kind': 'Start'}, 5)
    """
    if part is None or isinstance(part, bool | int | float | str):
        return part
    if isinstance(part, list | tuple | nn.ModuleList):
        return [described(each) for each in part]
    kind = type(part)
    if STORABLE.get(kind.__name__) is not kind:
        raise InputError(
            f"save stores names and numbers, no code, and does not know {kind.__name__}; it knows "
            f"{', '.join(STORABLE)}. Store your own by safetensors.torch.save_file(net.state_dict(), path)."
        )
    if kind.__name__ in NETWORKS:
        arguments = part.config
    else:
        arguments = {name: getattr(part, name) for name in inspect.signature(kind).parameters}
    return {"kind": kind.__name__, **{name: described(value) for name, value in arguments.items()}}


def built(description: Any) -> Any:
    """The part that a description describes, with fresh weights.

    Raises:
        UnknownNameError: a kind that is not in ``STORABLE``.
        TypeError, InputError: other arguments than the kind takes.

    >>> import mindl as md
    >>> built(described(md.neural.Unrolled(md.solvers.PrimalDual(), 3, [md.neural.StepSizes()])))
    Unrolled (PrimalDual, 3 steps, 6 parameters)
    """
    if isinstance(description, list):
        return [built(each) for each in description]
    if not isinstance(description, dict):
        return description
    arguments = {name: built(value) for name, value in description.items() if name != "kind"}
    return look_up(STORABLE, str(description.get("kind")), "part of a network")(**arguments)
