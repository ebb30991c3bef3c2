"""The card of a stored network: ``README.md``, for people and for model hubs."""

from __future__ import annotations

from torch import nn

from mindl.neural import NeuralSolver

FENCE = "---\n"


def with_header(text: str) -> str:
    """A card that begins with the lines from which model hubs know library and task; one that has them stays."""
    if text.startswith(FENCE):
        return text
    tags = "tags:\n- image-restoration\n- mindl\n"
    return f"{FENCE}library_name: mindl\npipeline_tag: image-to-image\n{tags}{FENCE}{text}"


def without_header(card: str) -> str:
    """The part of a card that is for people."""
    if not card.startswith(FENCE):
        return card
    return card.split(FENCE, 2)[-1]


def default_card(net: nn.Module) -> str:
    """A few lines on what a network is."""
    count = sum(parameter.numel() for parameter in net.parameters())
    if not isinstance(net, NeuralSolver):
        return (
            f"# {type(net).__name__}\n\n{count:,} parameters.\n\nUse: `regulariser = "
            'mindl.store.load_regulariser("FOLDER")`, then `regulariser(data, weight)` is a model.\n'
        )
    trained = "not recorded" if net.trained is None else net.trained.about
    return (
        f"# {net.title}\n\n{type(net).__name__} with {net.about}, {count:,} parameters, "
        f"{net.channels or 'any number of'} channel{'' if net.channels == 1 else 's'}.\n\n"
        f"Trained for: {trained}.\n\n"
        'Use: `net = mindl.load("FOLDER")`, then `mindl.answer(model, net)`, with `finish=` a solver to go on.\n'
    )
