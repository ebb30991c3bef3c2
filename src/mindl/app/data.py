"""The verb ``data check``: what is in a set of images, before a network learns from it."""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mindl.app.report import say
from mindl.core.errors import InputError, StoreError
from mindl.core.files import check_target
from mindl.data import Finding, Inspection, find, inspect

SHOWN = 20
"""Names in a list, at most."""

MANY = 50
"""Images from which on a bar is shown."""


def check(images: Path, *, crop: int | None, output: Path | None, quiet: bool, as_json: bool) -> int:
    """Read all images, say what is there; 1 if something cannot be used."""
    known = None if output is None else _known(output)
    places = find(images)
    with Bar(images.name, quiet=quiet or len(places.places) < MANY) as bar:
        found = inspect(places, crop=crop, known=known, watch=bar.done)
    if output is not None:
        found.write(output)
    if as_json:
        sys.stdout.write(json.dumps(summary(images, found), indent=2) + "\n")
    elif not quiet:
        sys.stdout.write("\n".join([*report(images, found), _next(images, found)]) + "\n")
    if output is not None:
        say(
            f"The inspection is in {output}. With it, unchanged images are not read again.", quiet=quiet or as_json
        )
    return 1 if found.broken or found.troubles else 0


def summary(images: Path, found: Inspection) -> dict[str, Any]:
    """The report as data, with all names."""
    return {
        "images": str(images),
        "usable": len(found.usable),
        "sizes": {"smallest": _size(found, min), "largest": _size(found, max)} if found.usable else None,
        "channels": {str(channels): count for channels, count in found.channels.items()},
        "types": _types(found),
        "broken": {each.name: each.trouble for each in found.broken},
        "troubles": found.troubles,
        "duplicates": [_names(group) for group in found.duplicates],
        "near_duplicates": [_names(group) for group in found.near_duplicates],
        "crop": found.crop,
        "smaller_than_crop": _names(found.small),
        "jpeg": _names(found.jpegs),
    }


def report(images: Path, found: Inspection) -> list[str]:
    """The lines that a person reads."""
    lines = [f"{images}: {len(found.usable)} of {len(found.findings)} images can be used."]
    if found.usable:
        smallest, largest = (" x ".join(map(str, _size(found, pick))) for pick in (min, max))
        grey, colour = found.channels.get(1, 0), found.channels.get(3, 0)
        lines += [
            f"  size      {smallest}" + (f" to {largest}" if largest != smallest else "") + " (width x height)",
            f"  colour    {grey} grey, {colour} in colour"
            + (": mixed; channels=1 makes all grey, channels=3 all colour" if grey and colour else ""),
            "  values    " + ", ".join(f"{count} {kind}" for kind, count in _types(found).items()),
        ]
    if found.jpegs:
        lines.append(
            f"  JPEG      {len(found.jpegs)}: a network learns their artefacts as if they were clean, "
            "which bounds the PSNR"
        )
    if found.small:
        lines.append(f"  small     {len(found.small)} smaller than {found.crop} x {found.crop}:")
        lines += _some(f"{each.name} ({each.width} x {each.height})" for each in found.small)
    for title, groups in (("the same ", found.duplicates), ("alike    ", found.near_duplicates)):
        if groups:
            count = f"{len(groups)} group{'s' if len(groups) > 1 else ''} of {sum(map(len, groups))} images"
            lines.append(f"  {title} {count}: keep those of a group in one part (mindl.data.split does)")
            lines += _some(", ".join(_names(group[:5])) + (", ..." if len(group) > 5 else "") for group in groups)
    if found.broken:
        lines.append(f"  broken    {len(found.broken)} cannot be used:")
        lines += _some(_reason(each.name, each.trouble or "") for each in found.broken)
    if found.troubles:
        lines.append(f"  left out  {len(found.troubles)}:")
        lines += _some(_reason(name, why) for name, why in found.troubles.items())
    return lines


class Bar:
    """A bar on the terminal while images are read; nothing where there is no terminal."""

    def __init__(self, title: str, *, quiet: bool) -> None:
        self._bar: Progress | None = None
        if not quiet and sys.stderr.isatty():
            columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()
            self._bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(title, total=None)

    def __enter__(self) -> Bar:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def done(self, count: int, total: int) -> None:
        """Show how many of how many are done."""
        if self._bar is not None:
            self._bar.update(self._task, completed=count, total=total)


def _known(output: Path) -> Inspection | None:
    """The inspection that is there, or None; no other file is replaced."""
    target = check_target(output)
    if not target.exists():
        return None
    try:
        return Inspection.read(output)
    except StoreError as error:
        raise InputError(
            f"{output} is there and would be replaced, but it is no inspection of this version ({error}) "
            "Name another file, or delete it."
        ) from error


def _next(images: Path, found: Inspection) -> str:
    if not found.usable:
        return "Next: give other images; none of these can be read."
    if found.broken or found.troubles:
        return "Next: mend or remove what cannot be used, and check again; training would leave it out."
    if found.small:
        return "Next: remove the small images, or train with a smaller crop."
    return f"Next: mindl train RECIPE --images {shlex.quote(str(images))} -o RUN (mindl train lists the recipes)"


def _size(found: Inspection, pick: Any) -> tuple[int, int]:
    """Width and height of the image with the fewest (``min``) or most (``max``) pixels."""
    size: tuple[int, int] = pick(
        ((each.width, each.height) for each in found.usable), key=lambda size: (size[0] * size[1], size)
    )
    return size


def _types(found: Inspection) -> dict[str, int]:
    return dict(sorted(Counter(each.dtype for each in found.usable).items()))


def _names(findings: Iterable[Finding]) -> list[str]:
    return [each.name for each in findings]


def _reason(name: str, why: str) -> str:
    return why if why.startswith(name) else f"{name}: {why}"


def _some(lines: Iterable[str]) -> list[str]:
    """The first lines, indented, and how many there are more."""
    every = list(lines)
    more = [f"and {len(every) - SHOWN} more"] if len(every) > SHOWN else []
    return [f"    {line}" for line in every[:SHOWN] + more]
