"""Letters of 5 x 7 dots, for masks of text."""

from __future__ import annotations

import textwrap

import torch
from torch import Tensor
from torch.nn import functional

from mindl.core.errors import InputError

ROWS, COLUMNS = 7, 5
"""Dots of a letter; one more stands free to its right, and two below."""

PITCH = (ROWS + 2, COLUMNS + 1)

_FONT = """
    A 0E 11 11 1F 11 11 11    B 1E 11 11 1E 11 11 1E    C 0E 11 10 10 10 11 0E    D 1E 11 11 11 11 11 1E
    E 1F 10 10 1E 10 10 1F    F 1F 10 10 1E 10 10 10    G 0E 11 10 17 11 11 0E    H 11 11 11 1F 11 11 11
    I 0E 04 04 04 04 04 0E    J 07 02 02 02 02 12 0C    K 11 12 14 18 14 12 11    L 10 10 10 10 10 10 1F
    M 11 1B 15 15 11 11 11    N 11 11 19 15 13 11 11    O 0E 11 11 11 11 11 0E    P 1E 11 11 1E 10 10 10
    Q 0E 11 11 11 15 12 0D    R 1E 11 11 1E 14 12 11    S 0F 10 10 0E 01 01 1E    T 1F 04 04 04 04 04 04
    U 11 11 11 11 11 11 0E    V 11 11 11 11 11 0A 04    W 11 11 11 15 15 1B 11    X 11 11 0A 04 0A 11 11
    Y 11 11 0A 04 04 04 04    Z 1F 01 02 04 08 10 1F    0 0E 11 13 15 19 11 0E    1 04 0C 04 04 04 04 0E
    2 0E 11 01 02 04 08 1F    3 1F 02 04 02 01 11 0E    4 02 06 0A 12 1F 02 02    5 1F 10 1E 01 01 11 0E
    6 06 08 10 1E 11 11 0E    7 1F 01 02 04 08 08 08    8 0E 11 11 0E 11 11 0E    9 0E 11 11 0F 01 02 0C
    . 00 00 00 00 00 0C 0C    , 00 00 00 00 0C 04 08    - 00 00 00 0E 00 00 00    ! 04 04 04 04 04 00 04
    ? 0E 11 01 02 04 00 04    ' 04 04 08 00 00 00 00    : 00 0C 0C 00 0C 0C 00
"""
"""A character and its rows from the top, five bits each: 11 is # . . . #."""


def _read(font: str) -> dict[str, tuple[int, ...]]:
    words = font.split()
    letters = {words[k]: tuple(int(row, 16) for row in words[k + 1 : k + 8]) for k in range(0, len(words), 8)}
    return letters | {" ": (0,) * ROWS}


FONT = _read(_FONT)
"""Every character that can be written, as its rows of bits."""


def letter(character: str) -> Tensor:
    """The dots of one character, (7, 5) booleans.

    >>> for row in letter("T")[:2].int().tolist():
    ...     print(*row)
    1 1 1 1 1
    0 0 1 0 0
    """
    bits = torch.tensor(FONT[character])[:, None] >> torch.arange(COLUMNS - 1, -1, -1)
    return bits % 2 == 1


def fill(text: str, columns: int, lines: int) -> list[str]:
    """The text in capitals, over and over, wrapped at blanks into ``lines`` lines of at most ``columns`` letters.

    Words longer than a line are broken.

    Raises:
        InputError: a character that is not in the font, or no letter at all.

    >>> fill("to be", 3, 3)
    ['TO', 'BE', 'TO']
    """
    words = text.upper().split()
    unknown = sorted(set("".join(words)) - FONT.keys())
    if unknown:
        raise InputError(
            f"text_mask(text) cannot write {', '.join(map(repr, unknown))}; there are A to Z, 0 to 9, the blank "
            "and . , - ! ? ' :"
        )
    if not words:
        raise InputError(f"text_mask(text={text!r}) needs at least one letter.")
    # A line uses up columns + 1 characters of the text at most, its last blank included.
    times = -(-(columns + 1) * lines // len("".join(words)))
    return textwrap.wrap(" ".join(words * times), columns, break_on_hyphens=False)[:lines]


def dots(lines: list[str]) -> Tensor:
    """The lines as booleans, one a dot, with one free dot on the left and at the top."""
    rows, columns = PITCH
    longest = max(map(len, lines))
    cells = torch.stack(
        [functional.pad(letter(character), (0, columns - COLUMNS, 0, rows - ROWS)) for character in FONT]
    )
    number = {character: k for k, character in enumerate(FONT)}
    places = torch.tensor([[number[character] for character in line.ljust(longest)] for line in lines])
    page = cells[places].transpose(1, 2).reshape(rows * len(lines), columns * longest)
    return functional.pad(page, (1, 0, 1, 0))
