"""Which submissions resemble each other more than chance and the assignment explain.

The tokens of a module, names and numbers made alike, are cut into overlapping runs; of each few neighbouring runs
one fingerprint is kept (winnowing). Fingerprints of the template and those that most of the class share are
subtracted: everybody writes the sum over the differences the same way. A high share is a reason to look at two
texts side by side, and never a verdict.

Source: S. Schleimer, D. S. Wilkerson, A. Aiken, Winnowing: local algorithms for document fingerprinting, 2003.
"""

from __future__ import annotations

import hashlib
import io
import keyword
import tokenize
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

RUN, WINDOW = 10, 4
"""Tokens of a run, and runs of which one is kept: a copy of 13 tokens is never missed."""

_LEFT_OUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


@dataclass(frozen=True)
class Pair:
    """Two students, the share of the smaller text that the other has too, and where it lies in each."""

    first: str
    second: str
    share: float
    lines: tuple[tuple[int, int], tuple[int, int]]


def tokens(text: str) -> list[tuple[str, int]]:
    """The tokens of a module with their lines; names, numbers and strings made alike, comments left out.

    What is no Python to its end is read as far as it goes.
    """
    found: list[tuple[str, int]] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in _LEFT_OUT:
                continue
            word = token.string
            if token.type == tokenize.NAME and not keyword.iskeyword(word):
                word = "name"
            elif token.type in (tokenize.NUMBER, tokenize.STRING):
                word = "value"
            found.append((word, token.start[0]))
    except (tokenize.TokenError, SyntaxError, ValueError):
        pass
    return found


def fingerprints(text: str) -> dict[int, tuple[int, int]]:
    """The kept fingerprints of a module, each with the first and last line of its run."""
    said = tokens(text)
    runs = [
        (_hash(" ".join(word for word, _ in said[i : i + RUN])), said[i][1], said[i + RUN - 1][1])
        for i in range(len(said) - RUN + 1)
    ]
    kept: dict[int, tuple[int, int]] = {}
    for i in range(max(0, len(runs) - WINDOW + 1)):
        value, first, last = min(runs[i : i + WINDOW])
        kept.setdefault(value, (first, last))
    return kept


def _hash(words: str) -> int:
    return int.from_bytes(hashlib.blake2b(words.encode(), digest_size=8).digest(), "big")


def pairs(texts: Mapping[str, str], template: str, *, common: float = 0.5, least: int = 8) -> list[Pair]:
    """All pairs of texts, the most alike first.

    ``common``: fingerprints that more than this share of the class has are left out (from five texts on).
    ``least``: a text with fewer fingerprints of its own is compared with nobody.
    """
    given = set(fingerprints(template))
    all_of = {who: fingerprints(text) for who, text in texts.items()}
    often = Counter(mark for marks in all_of.values() for mark in marks)
    usual = {mark for mark, count in often.items() if len(texts) >= 5 and count > max(2, common * len(texts))}
    own = {who: {m: at for m, at in marks.items() if m not in given | usual} for who, marks in all_of.items()}
    found = []
    names = sorted(who for who, marks in own.items() if len(marks) >= least)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            shared = own[first].keys() & own[second].keys()
            if shared:
                share = len(shared) / min(len(own[first]), len(own[second]))
                spans = (_span(own[first], shared), _span(own[second], shared))
                found.append(Pair(first, second, share, spans))
    return sorted(found, key=lambda pair: (-pair.share, pair.first, pair.second))


def _span(marks: dict[int, tuple[int, int]], shared: set[int]) -> tuple[int, int]:
    return min(marks[m][0] for m in shared), max(marks[m][1] for m in shared)
