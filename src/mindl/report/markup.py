"""HTML in which everything is escaped that is not HTML on purpose."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_EMPTY = frozenset({"meta", "img", "br"})


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def escaped(value: object) -> str:
    """Text for HTML and XML; characters that neither may hold become question marks.

    >>> escaped('<b title="x">')
    '&lt;b title=&quot;x&quot;&gt;'
    """
    return html.escape(_FORBIDDEN.sub("?", str(value)), quote=True)


def joined(pieces: Iterable[object]) -> Html:
    """Pieces one after the other; those that are no ``Html`` are escaped."""
    return Html("".join(piece if isinstance(piece, Html) else escaped(piece) for piece in pieces))


def tag(name: str, /, *content: object, **attributes: object) -> Html:
    """An element; content and attributes are escaped.

    Attributes that are None are left out; ``class_`` is ``class``, and other underscores are hyphens.

    >>> tag("p", "a < b ", tag("b", "c"), class_="note")
    '<p class="note">a &lt; b <b>c</b></p>'
    """
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{told}>" if name in _EMPTY else f"<{name}{told}>{joined(content)}</{name}>")


def section(name: str, title: str, *content: object) -> Html:
    """A part of the page with a heading; nothing where it is empty.

    >>> section("time", "Time")
    ''
    """
    if not any(content):
        return Html("")
    return tag("section", tag("h2", title, id=f"{name}-title"), *content, id=name, aria_labelledby=f"{name}-title")


def folded(title: str, *content: object) -> Html:
    """What is shown on a click."""
    return tag("details", tag("summary", title), *content)


def table(rows: Iterable[Sequence[object]], head: Sequence[object] = (), *, marked: Iterable[int] = ()) -> Html:
    """Rows of cells, the first of each being its name.

    Args:
        rows: of cells.
        head: names of the columns.
        marked: numbers of the rows that stand out.
    """
    told = set(marked)
    body = [
        tag(
            "tr",
            tag("th", cells[0], scope="row"),
            *(tag("td", cell) for cell in cells[1:]),
            class_="marked" if i in told else None,
        )
        for i, cells in enumerate(rows)
    ]
    top = [tag("thead", tag("tr", *(tag("th", name, scope="col") for name in head)))] if head else []
    inner = tag("table", *top, tag("tbody", *body))
    return tag("div", inner, class_="wide", tabindex="0", role="region", aria_label="table") if body else Html("")


def picture(png: bytes, words: str, width: int) -> Html:
    """A PNG picture within the page."""
    data = base64.b64encode(png).decode("ascii")
    return tag("img", src=f"data:image/png;base64,{data}", alt=words, width=width)


def told(value: Any) -> str:
    """A value of a configuration or a record, in one line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
