"""The validation images that a run keeps, before and after."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from mindl.core.arrays import Image
from mindl.core.errors import MindlError
from mindl.images.io import read, write
from mindl.report.markup import Html, joined, picture, section, tag
from mindl.report.subject import Subject
from mindl.slider import before_after

SHOWN = 3
"""At most so many validation images."""

SIDE = 192
"""Larger pictures are cut to so many pixels from their middle, to keep the page small."""

WIDTH = 340
"""Pixels of the screen that a picture gets at most."""

LARGEST = 1_200_000
"""Characters that all pictures may have together; the first image is shown in any case."""

PAIRS = (
    ("data", "last", "given", "last answer"),
    ("first", "last", "first answer", "last answer"),
    ("last", "solution", "last answer", "exact solution"),
)


def pictures(subject: Subject) -> Html:
    """Sliders between what was given, the first answer, the last one and the solution."""
    rows: list[Html] = []
    cut = False
    for i in range(1, SHOWN + 1):
        found = {kind: picture_of(subject, i, kind) for kind in ("data", "first", "last", "solution")}
        row = _row(found)
        if not row:
            continue
        if rows and sum(map(len, rows)) + len(row) > LARGEST:
            break
        cut = cut or any(max(image.shape[2:]) > SIDE for image in found.values() if image is not None)
        rows.append(row)
    lead = "Unseen problems, the same from the first examination to the last. Drag across a picture to compare."
    if cut:
        lead += f" Cut to {SIDE} pixels from the middle."
    return section("images", "Answers", tag("p", lead, class_="lead"), *rows) if rows else Html("")


def picture_of(subject: Subject, number: int, kind: str) -> Image | None:
    """A picture of the folder of a run; None where it is not there or cannot be read."""
    folder = subject.course.folder
    path = Path() if folder is None else folder / "images" / f"{number}-{kind}.png"
    if folder is None or not path.is_file():
        return None
    try:
        return read(path)
    except MindlError:
        return None


def middle(image: Image) -> Image:
    """At most ``SIDE`` pixels of each side, from the middle."""
    height, width = image.shape[2:]
    top, left = max(0, (height - SIDE) // 2), max(0, (width - SIDE) // 2)
    return image[:, :, top : top + SIDE, left : left + SIDE]


def shown_width(image: Image) -> int:
    """A whole multiple of the pixels, near ``WIDTH``."""
    pixels = int(image.shape[3])
    return pixels * max(1, WIDTH // pixels)


def slider(before: Image, after: Image, labels: tuple[str, str]) -> Html:
    """A frame with two pictures."""
    one, other = middle(before), middle(after)
    return Html(before_after(one, other, labels=labels, width=shown_width(one))._repr_html_().replace("\n", " "))


def still(image: Image, words: str) -> Html:
    """One picture."""
    shown = middle(image)
    with tempfile.TemporaryDirectory() as folder:
        png = write(Path(folder) / "picture.png", shown.clamp(0, 1)).read_bytes()
    return picture(png, words, shown_width(shown))


def _row(found: dict[str, Image | None]) -> Html:
    frames = []
    for first, second, one, other in PAIRS:
        before, after = found[first], found[second]
        if before is None or after is None or before.shape[2:] != after.shape[2:]:
            continue
        if (first, second) == ("first", "last") and bool((before == after).all()):
            continue  # one examination so far
        words = tag("figcaption", f"{one} | {other}")
        frames.append(tag("figure", words, slider(before, after, (one, other))))
    return trio(frames)


def trio(frames: Sequence[Html]) -> Html:
    """Pictures beside each other."""
    return tag("div", joined(frames), class_="trio") if frames else Html("")
