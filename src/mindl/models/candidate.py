"""What is judged: an image, with its dual field where there is one."""

from __future__ import annotations

from dataclasses import dataclass

from mindl.core.arrays import Dual, Image


@dataclass(frozen=True, eq=False)
class Candidate:
    """An answer to a model, from whoever gave it. ``dual`` may stay away; a good one makes a good proof."""

    image: Image
    dual: Dual | None = None
