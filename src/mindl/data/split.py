"""Parts for training, validation and test that share no image, nor two that are nearly the same."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Mapping
from itertools import accumulate

from mindl.core.arguments import kind
from mindl.core.errors import InputError, LeakageError
from mindl.data.inspection import Finding, Inspection, alike, inspect
from mindl.data.places import Given, Place

SHOWN = 20
"""Pairs that a message names."""


def split(inspection: Inspection, parts: Mapping[str, float], *, seed: int = 0) -> dict[str, list[Place]]:
    """Give every usable image to one part; images that are equal or alike go to the same part.

    The groups of images stand in the order of blake2b(seed, SHA-256 of the file), so that neither names nor the
    order of files matter, and are cut where the shares are met most nearly: each cut is off by half a group
    at most, unless a part would be left without any.

    Args:
        inspection: of all images.
        parts: the share of each part, in [0, 1] and together 1: ``{"train": 0.9, "validation": 0.1}``.
        seed: another one gives other parts.

    Raises:
        InputError: shares that are not positive or not together 1, or fewer groups than parts.

    >>> from mindl.data import inspect
    >>> from mindl.images.photographs import COFFEE
    >>> {part: len(places) for part, places in split(inspect([COFFEE]), {"train": 1.0}).items()}
    {'train': 1}
    """
    kind(inspection, Inspection, "split(inspection)", "what inspect(folder) has found")
    kind(parts, Mapping, "split(parts)", 'shares by name, such as {"train": 0.9, "validation": 0.1}')
    shares = list(parts.values())
    if not shares or not all(isinstance(s, (int, float)) and s > 0 for s in shares) or abs(sum(shares) - 1) > 1e-6:
        raise InputError(f"split(parts={dict(parts)}) needs shares above 0 that are together 1.")
    drawn = [sorted((_draw(each, seed), each.name, each.place) for each in group) for group in inspection.groups]
    groups = sorted(drawn, key=lambda group: group[0][:2])
    if len(groups) < len(shares):
        raise InputError(
            f"split needs a group of images for each of {len(shares)} parts, and there are {len(groups)} "
            f"({len(inspection.usable)} images, those that are nearly the same together): add other images."
        )
    ends = [0, *accumulate(len(group) for group in groups)]
    cuts = [0]
    for number, share in enumerate(accumulate(shares), 1):
        cut = _nearest(ends, share * ends[-1])
        cuts.append(min(max(cut, cuts[-1] + 1), len(groups) - (len(shares) - number)))
    cuts[-1] = len(groups)
    return {
        part: [place for group in groups[begin:end] for *_, place in group]
        for part, begin, end in zip(parts, cuts, cuts[1:], strict=False)
    }


def check_apart(**parts: Inspection | Given) -> None:
    """See that no image of one part is in another, nor one that is nearly the same.

    What a network has seen in training it answers better than it will ever answer anything else. Crops of one
    photograph are not recognised: split by photograph, before anything is cut.

    Args:
        parts: inspections, or what ``find`` takes, by name: ``check_apart(train="photos", test="bsd68")``.

    Raises:
        LeakageError: two parts share an image; all pairs are named, up to 20.
        InputError: fewer than two parts, or one without an image.

    >>> from mindl.images.photographs import COFFEE
    >>> check_apart(train=[COFFEE], test=[COFFEE])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    mindl.core.errors.LeakageError: 1 pair of images is shared by two parts, ...
    """
    if len(parts) < 2:
        raise InputError(f"check_apart needs two parts at least, got {', '.join(parts) or 'none'}.")
    seen = {part: each if isinstance(each, Inspection) else inspect(each) for part, each in parts.items()}
    lines = _shared(seen)
    if not lines:
        return
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    pairs = "1 pair of images is" if len(lines) == 1 else f"{len(lines)} pairs of images are"
    raise LeakageError(
        f"{pairs} shared by two parts, so that what is measured on one was learnt from the other; take one of "
        "each pair away, or let mindl.data.split make the parts:\n  " + "\n  ".join(lines[:SHOWN] + more)
    )


def _shared(parts: Mapping[str, Inspection]) -> list[str]:
    """Lines that name an image of one part and its like in another; of equal ones in a part, the first stands."""
    firsts: list[tuple[str, Finding]] = []
    known: dict[str, dict[str, Finding]] = {}
    lines: list[str] = []
    for part, inspection in parts.items():
        for each in inspection.usable:
            others = known.setdefault(each.pixels, {})
            for other, first in others.items():
                if other != part:
                    lines.append(f"{other}: {first.name} = {part}: {each.name}")
            if part not in others:
                others[part] = each
                firsts.append((part, each))
    for i, j in alike([each for _, each in firsts]):
        (part, one), (other, two) = firsts[i], firsts[j]
        if part != other and one.pixels != two.pixels:
            lines.append(f"{part}: {one.name} is nearly {other}: {two.name}")
    return lines


def _draw(finding: Finding, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed} {finding.sha256}".encode(), digest_size=16).digest()


def _nearest(ends: list[int], target: float) -> int:
    """The index of the end that is nearest to the target."""
    after = min(bisect_left(ends, target), len(ends) - 1)
    return after - 1 if after and target - ends[after - 1] <= ends[after] - target else after
