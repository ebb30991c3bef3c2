"""Curves with fewer points, for drawing."""

from __future__ import annotations

import numpy as np

from mindl.diagnosis.course import Curve

POINTS = 600
"""At most so many points of a line are drawn."""


def thinned(curve: Curve, points: int = POINTS) -> Curve:
    """At most so many points, among them the least and the largest of each part.

    >>> spike = Curve(np.arange(1.0, 10001.0), np.eye(1, 10000, 1234)[0])
    >>> len(thinned(spike)) <= 600, float(thinned(spike).values.max())
    (True, 1.0)
    """
    curve = curve.finite
    if len(curve) <= points:
        return curve
    parts = np.array_split(np.arange(len(curve)), points // 2)
    kept = {int(part[pick(curve.values[part])]) for part in parts for pick in (np.argmin, np.argmax)}
    there = np.asarray(sorted(kept))
    return Curve(curve.steps[there], curve.values[there])


def smoothed(curve: Curve, parts: int = 100) -> Curve:
    """Medians of about so many neighbouring parts; the curve itself where it has fewer values."""
    curve = curve.finite
    if len(curve) <= parts:
        return curve
    groups = np.array_split(np.arange(len(curve)), parts)
    middles = [float(np.median(curve.values[group])) for group in groups]
    return Curve(np.asarray([curve.steps[group].mean() for group in groups]), np.asarray(middles))
