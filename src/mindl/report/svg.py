"""Figures as elements of a page: without scripts or dates, and the same bytes for the same numbers."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mindl.plot import MUTED
from mindl.report.markup import Html, escaped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GRID = "#e3e7eb"


def svg(figure: Figure, name: str, words: str) -> Html:
    """A figure as an element of the page; ``words`` say what it shows to whom does not see it.

    Identifiers are those of ``name``, so that no two of a page are the same.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue().decode()
    text = re.sub(
        r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>", "", text[text.index("<svg") :], flags=re.S
    )
    head, _, body = text.partition(">")
    box = re.search(r'viewBox="[^"]*"', head)
    body = _own_names(body.replace("xlink:href", "href"), name)
    body = re.sub(r' (d|x|y|style)="([^"]*)"', _rounded, body)
    body = re.sub(r">\s+<", "><", re.sub(r"\s*\n\s*", " ", body))
    body = re.sub(r"<defs></defs>", "", body)
    return Html(f'<svg {box[0] if box else ""} role="img" aria-label="{escaped(words)}">{body.strip()}')


def _own_names(body: str, name: str) -> str:
    """Names that are referred to get the chart's before them; all others go."""
    asked = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', body))
    wanted = {one or other for one, other in asked}
    body = re.sub(r' id="([^"]+)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in wanted else "", body)
    return re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", body)


def _rounded(found: re.Match[str]) -> str:
    return f' {found[1]}="' + re.sub(r"(\.\d\d)\d+", r"\1", found[2]) + '"'


@contextlib.contextmanager
def style() -> Iterator[None]:
    """The same look whatever a person has set for figures; put back afterwards."""
    from matplotlib import style as styles  # noqa: PLC0415 - heavy

    ours = {
        "svg.fonttype": "none",
        "svg.hashsalt": "mindl",
        "text.parse_math": False,
        "axes.unicode_minus": False,
        "font.size": 8,
        "axes.edgecolor": "#b8c0c8",
        "axes.linewidth": 0.7,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "grid.color": GRID,
        "grid.linewidth": 0.6,
        "axes.axisbelow": True,
        "xtick.color": "#b8c0c8",
        "ytick.color": "#b8c0c8",
        "xtick.labelcolor": MUTED,
        "ytick.labelcolor": MUTED,
        "ytick.major.size": 0,
        "ytick.minor.size": 0,
        "xtick.major.size": 3,
        "xtick.minor.size": 0,
        "xtick.major.width": 0.7,
        "lines.linewidth": 1.5,
        "path.simplify": True,
    }
    with styles.context(["default", ours]):
        yield
