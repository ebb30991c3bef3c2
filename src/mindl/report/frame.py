"""What every page has: head, verdict, facts, and a way to each part."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mindl.report.markup import Html, joined, tag
from mindl.report.sheet import SHEET
from mindl.report.subject import Subject

_SIGNS = {"good": "✓", "warn": "!", "bad": "!", "none": "?"}


def framed(name: str, title: str, head: Html, parts: Sequence[Html]) -> str:
    """A whole page.

    Args:
        name: of what it is about.
        title: of the window.
        head: what stands below the name.
        parts: sections; empty ones are left out.
    """
    shown = [part for part in parts if part]
    links = [re.search(r'<h2 id="([a-z]+)-title">(.*?)</h2>', part) for part in shown]
    ways = [tag("a", Html(link[2]), href=f"#{link[1]}") for link in links if link is not None]
    top = tag("div", tag("h1", name), head, tag("nav", *ways, aria_label="parts of this page") if ways else "")
    page = tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("title", title),
            tag("style", Html(SHEET)),
        ),
        "\n",
        tag(
            "body",
            tag("header", top, class_="top"),
            "\n",
            tag("main", *(joined([part, "\n"]) for part in shown)),
            tag("footer", "Made by mindl report from the record of the run. This page needs no network."),
        ),
        lang="en",
    )
    return f"<!doctype html>\n{page}\n"


def verdict(subject: Subject) -> Html:
    """The diagnosis in one sentence."""
    mood = subject.mood
    sign = tag("b", _SIGNS[mood], aria_hidden="true")
    return tag("p", sign, tag("span", subject.diagnosis.verdict), class_=f"verdict {mood}", role="status")


def facts(told: Sequence[tuple[str, object, object]]) -> Html:
    """(name, value, remark) each."""
    cells = [
        tag("div", tag("dt", name), tag("dd", value, tag("small", remark) if remark else ""))
        for name, value, remark in told
    ]
    return tag("dl", *cells, class_="facts")
