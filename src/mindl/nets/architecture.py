"""What every architecture is: a network that can be built again from its settings."""

from __future__ import annotations

import inspect
from typing import Any

from torch import nn


class Architecture(nn.Module):
    """A network that keeps every argument of its ``__init__`` under the argument's name.

    Attributes:
        inputs, outputs: channels in and out.

    >>> from mindl.nets import PlainCNN
    >>> PlainCNN(1, 2, depth=3).config
    {'inputs': 1, 'outputs': 2, 'width': 24, 'depth': 3, 'kernel': 3, 'seed': 0}
    """

    inputs: int
    outputs: int

    @property
    def config(self) -> dict[str, Any]:
        """The arguments that build the same architecture; numbers and lists only."""
        kept = {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in kept.items()}
