"""What a student hands in, as text: decoded, parsed, and never run here."""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass
from pathlib import Path

LARGEST = 2**20
"""Bytes of a module, at most."""


class UnreadableError(ValueError):
    """A file that cannot be graded; the message says what to do about it."""


@dataclass(frozen=True)
class Source:
    """A module's text and its syntax tree."""

    name: str
    text: str
    tree: ast.Module

    def function(self, name: str) -> ast.FunctionDef | None:
        """The definition of a function at the top of the module; the last one counts, as in Python."""
        found = [node for node in self.tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
        return found[-1] if found else None

    def imports(self) -> list[str]:
        """The names of all modules that are imported anywhere in it."""
        names = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names.append("." * node.level + (node.module or ""))
        return names


def read(path: Path) -> Source:
    """The module in ``path``.

    Raises UnreadableError where it is missing, too large, no UTF-8, or no Python; the message names the line.
    """
    try:
        size = path.lstat().st_size
        if path.is_symlink() or not path.is_file():
            raise UnreadableError(f"{path.name} is no file")
        if size > LARGEST:
            raise UnreadableError(
                f"{path.name} has {size / 2**20:.1f} MB; a module of this course has at most 1 MB"
            )
        content = path.read_bytes()
    except OSError:
        raise UnreadableError(f"{path.name} is missing: hand in a file of exactly this name") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError(
            f"{path.name} is not UTF-8 (byte {error.start}): save it in your editor with the encoding UTF-8"
        ) from None
    return parse(path.name, text)


def parse(name: str, text: str) -> Source:
    """The syntax tree of a module's text. Raises UnreadableError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except SyntaxError as error:
        raise UnreadableError(f"{name} is no Python: line {error.lineno}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError):
        raise UnreadableError(
            f"{name} is no Python that can be read: it nests too deeply, or holds a zero byte"
        ) from None
    return Source(name, text, tree)
