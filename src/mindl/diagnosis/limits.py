"""The numbers that rules compare with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Thresholds of the rules; each says in which unit.

    They were set on the first half of the faults in ``benchmarks/faults``, before anybody had looked at the
    second; what a new user's trial added later (``halved``, ``lost_again``, ``far_off``) changed no figure of
    either half.
    """

    grown: float = 2.0
    """Diverging: the loss ends so many times above where it began,"""
    halved: float = 0.5
    """or it has fallen below this part of where it began,"""
    lost_again: float = 0.8
    """and ends above this part;"""
    risen: float = 10.0
    """or rises to so many times its least value and above where it began."""
    landed: float = 0.6
    """Oscillating: alpha in the median, the share of the way up the other side, in a run that got nowhere,"""
    turning: float = -0.25
    """or the correlation of one loss with the next, in a record without looks."""
    spike: float = 6.0
    """Spikes: so many times the running median of the loss,"""
    scatter: float = 12.0
    """and so many times its usual scatter above it."""
    alone: float = 0.6
    """Spikes: the share of one image in the loss of its batch, above its even share, at some steps."""
    jump: float = 1.2
    """Jump: so many times the loss of the steps before,"""
    leap: float = 2.5
    """or a change of a block's norm of so many times all updates together."""
    crawl: float = 1.5e-4
    """Learning too slowly: the update ratio in the median."""
    flat: float = 0.1
    """Learning too slowly, stalled: the part of itself that the loss has lost."""
    spent: float = 0.02
    """Stalled: the learning rate in parts of its largest,"""
    early: float = 0.4
    """before this part of the run."""
    vanished: float = 1e-3
    """Vanishing: the gradient of the first block in parts of the last one's; exploding: the other way round."""
    exploded: float = 70.0
    """Exploding: the same ratio, or so many times the usual norm of the gradient."""
    dead: float = 0.96
    """Dead units: the share of one activation's channels,"""
    dead_everywhere: float = 0.6
    """or the share in the mean over all activations."""
    saturated: float = 0.6
    """Saturated units: the share of an activation's entries."""
    mixed: float = 0.2
    """Mixed gradients: the relative distance of the used gradient from the batch's own."""
    repeated: float = 0.99
    """Repeated data: the share of distinct images in a batch."""
    starved: float = 0.5
    """Data starvation: the share of the time that is waited for data."""
    identity: float = 0.1
    """Identity: how far the answers are from what was given, in parts of the way to the target."""
    contrast: float = 0.5
    """Collapse: the answers' contrast in parts of the targets'."""
    shift: float = 25.0
    """Wrong range: the mean error in grey levels,"""
    outside: float = 0.05
    """or the share of answers beyond [-0.1, 1.1],"""
    spread: float = 1.0
    """or the standard deviation of the data, of which photographs have 0.1 to 0.35."""
    unlike: float = 1.8
    """Training unlike use: the ratio of noise levels or of shares of known pixels."""
    progress: float = 0.75
    """No progress: the energy excess in parts of that of the first examination, if it is above"""
    little: float = 0.03
    """this energy excess."""
    behind: float = 0.22
    """Underfitting on clean targets: the part of the solver's gain in dB that is missing."""
    worse: float = 1.2
    """Wrong target: the unseen loss in parts of that of doing nothing."""
    rise: float = 0.1
    """Overfitting: how much of its least value the unseen loss has risen."""
    gap: float = 0.035
    """Mode gap: what is lost in use, in parts of what was learned,"""
    gained: float = 0.3
    """or gained."""
    unsolved: float = 0.6
    """Underfitting: the energy excess that is left."""
    steep: float = 200.0
    """Exploding: the gradient of the first steps, of a loss that is 1 where nothing is done,"""
    far_off: float = 10.0
    """and that begins above this."""
    beyond: float = 1.02
    """Beyond the stability bound: a step size in parts of its bound."""


LIMITS = Limits()
"""The thresholds that are used."""
