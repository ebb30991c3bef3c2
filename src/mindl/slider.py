"""Two pictures in one frame, with a handle to wipe from one to the other: HTML that needs no network."""

from __future__ import annotations

import base64
import html
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from mindl.core.arrays import Image
from mindl.core.errors import InputError
from mindl.core.files import write_whole
from mindl.images.io import Array, PathLike, as_tensor, to_numpy
from mindl.images.io import write as write_picture
from mindl.solvers.evolve import Evolution
from mindl.solvers.solution import Solution

USUAL_WIDTH = 480
"""Pixels of the screen that a small picture is enlarged to, by a whole factor."""

_STYLE = """
.mindl-slider { position: relative; max-width: 100%; margin: 0.5em 0; line-height: 0; overflow: hidden }
.mindl-slider img { width: 100%; height: auto; margin: 0; image-rendering: pixelated }
.mindl-slider img + img { position: absolute; left: 0; top: 0; clip-path: inset(0 0 0 var(--at)) }
.mindl-slider i { position: absolute; top: 0; bottom: 0; left: var(--at); width: 2px; margin-left: -1px;
  background: #fff; box-shadow: 0 0 3px #000 }
.mindl-slider b { position: absolute; bottom: 0.5em; padding: 0 0.5em; border-radius: 0.3em;
  font: 13px/1.6 system-ui, sans-serif; color: #fff; background: rgba(0, 0, 0, 0.6); pointer-events: none }
.mindl-slider b:first-of-type { left: 0.5em }
.mindl-slider b:last-of-type { right: 0.5em }
.mindl-slider input { position: absolute; left: 0; top: 0; width: 100%; height: 100%; margin: 0; opacity: 0;
  cursor: ew-resize; touch-action: pan-y }
.mindl-slider:focus-within { outline: 2px solid #2e6f95; outline-offset: 2px }
"""

_FRAME = """<style>{style}</style>
<div class="mindl-slider" style="--at: 50%; width: {width}px">
<img alt="{before}" src="data:image/png;base64,{before_png}">
<img alt="{after}" src="data:image/png;base64,{after_png}">
<i></i><b>{before}</b><b>{after}</b>
<input type="range" min="0" max="100" step="0.5" value="50" aria-label="from {before} to {after}"
 oninput="this.parentNode.style.setProperty('--at', this.value + '%')">
</div>
"""

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{before} and {after}</title></head>
<body>
{frame}</body>
</html>
"""


@dataclass(frozen=True, eq=False)
class BeforeAfter:
    """Two pictures of one size that share a frame; a notebook shows it by itself.

    Attributes:
        before: the picture to the left of the handle, (1, channel, height, width), values in [0, 1].
        after: the picture to its right.
        labels: what they are called.
        width: of the frame in pixels of the screen; narrower screens get a narrower one.
    """

    before: Image
    after: Image
    labels: tuple[str, str]
    width: int

    def _repr_html_(self) -> str:
        before, after = (html.escape(label, quote=True) for label in self.labels)
        return _FRAME.format(
            style=_STYLE,
            width=self.width,
            before=before,
            after=after,
            before_png=_png(self.before),
            after_png=_png(self.after),
        )

    def write(self, path: str | os.PathLike[str], *, overwrite: bool = True) -> Path:
        """Write a page of HTML that holds the frame and both pictures; whole or not at all.

        Raises:
            OutputError: the folder does not exist, or the system cannot write.
        """
        before, after = (html.escape(label) for label in self.labels)
        page = _PAGE.format(before=before, after=after, frame=self._repr_html_())
        return write_whole(path, page.encode(), overwrite=overwrite)


def before_after(
    before: Image | Array | PathLike | Solution | Evolution,
    after: Image | Array | PathLike | Solution | Evolution,
    *,
    labels: tuple[str, str] = ("before", "after"),
    width: int | None = None,
) -> BeforeAfter:
    """Lay two pictures over each other, with a handle to wipe between them (mouse, finger or arrow keys).

    Args:
        before: the left picture: a tensor of one image, an array, a path, or a solution; values are clipped to
            [0, 1].
        after: the right one, of the same height and width; one may be grey and the other in colour.
        labels: what they are called.
        width: of the frame in pixels of the screen; by default small pictures are enlarged by a whole factor
            to about 480.

    Raises:
        InputError: more than one image, different sizes, labels that are not two, or a width below 1.

    >>> import mindl as md
    >>> disc = md.images.disc(16, 16, 5)
    >>> slider = before_after(md.images.GaussianNoise(0.1)(disc, seed=1), disc, labels=("noisy", "clean"))
    >>> slider.width
    480
    >>> "data:image/png;base64," in slider._repr_html_()
    True
    """
    first, second = _picture(before, "before"), _picture(after, "after")
    if first.shape[2:] != second.shape[2:]:
        sizes = " and ".join(f"{height} x {width}" for height, width in (first.shape[2:], second.shape[2:]))
        raise InputError(
            f"before_after lays pictures of one size over each other, got {sizes} pixels: crop or resize one."
        )
    if isinstance(labels, str) or len(labels) != 2:
        raise InputError(f"before_after(labels={labels!r}) needs two labels, one for each picture.")
    if width is None:
        width = first.shape[3] * max(1, round(USUAL_WIDTH / first.shape[3]))
    if width < 1:
        raise InputError(f"before_after(width={width}) must be at least 1 pixel.")
    return BeforeAfter(first, second, (str(labels[0]), str(labels[1])), int(width))


def _picture(value: Image | Array | PathLike | Solution | Evolution, name: str) -> Image:
    image = value.image if isinstance(value, Solution | Evolution) else as_tensor(value)
    if image.ndim == 4 and image.shape[0] != 1:
        raise InputError(
            f"before_after({name}) shows one image, got a batch of {image.shape[0]}: pick one, as in image[:1]."
        )
    to_numpy(image)  # says what else is wrong
    return image.detach().clamp(0, 1)


def _png(image: Image) -> str:
    with tempfile.TemporaryDirectory() as folder:
        return base64.b64encode(write_picture(Path(folder) / "picture.png", image).read_bytes()).decode("ascii")
