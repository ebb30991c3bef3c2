"""The documentation is complete and shows public names only. Only the slow test at the end needs Sphinx."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from types import ModuleType

import pytest

import mindl as md

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GALLERY = sorted(path for path in (DOCS / "gallery").glob("*.md") if path.name != "index.md")
EXECUTED = [*GALLERY, DOCS / "quickstart.md", DOCS / "derivations.md", DOCS / "science.md"]

EXTRA_MODELS = {"inpainting": {"shepard"}, "denoising": {"perona-malik-diffusion", "weickert-diffusion"}}
"""What the gallery shows beside the tables: formulas, and ``nonlinear_diffusion`` by its penaliser."""

EXTRA_METHODS = {"inverse-distances", "unet"}
"""How an answer is found, beside ``mindl.solvers.SOLVERS`` and ``SCHEMES``."""

SECTIONS = [
    "The problem",
    "The model",
    "What to expect",
    "The method",
    "In code",
    "How good is the answer?",
    "A closer look",
    "What to try",
    "Sources",
]

MODULES = {"matplotlib", "torch"}
"""What a page may import beside mindl."""


def kebab(name: str) -> str:
    return name.removesuffix("_inpainting").replace("_", "-")


FILTERS = {kebab(name) for name in md.models.FLOWS} - {"nonlinear-diffusion"}
MODELS = {
    "denoising": {kebab(name) for name in md.models.DENOISING} | FILTERS | EXTRA_MODELS["denoising"],
    "inpainting": {kebab(name) for name in (*md.models.INPAINTING, *md.models.UNPROVED_INPAINTING)}
    | EXTRA_MODELS["inpainting"],
}
METHODS = {*md.solvers.SOLVERS, *md.solvers.SCHEMES, *EXTRA_METHODS}


def parts(page: Path) -> tuple[str, str, str] | None:
    """Problem, model and method of a page's name."""
    problem, _, rest = page.stem.partition("-")
    for model in MODELS.get(problem, ()):
        if rest.startswith(f"{model}-") and rest[len(model) + 1 :] in METHODS:
            return problem, model, rest[len(model) + 1 :]
    return None


def cells(page: Path) -> list[str]:
    return re.findall(r"^```\{code-cell\}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


def toctrees(page: Path) -> list[str]:
    blocks = re.findall(r"^```\{toctree\}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    return [line for block in blocks for line in block.splitlines() if line and not line.startswith(":")]


@pytest.mark.parametrize("page", GALLERY, ids=lambda p: p.stem)
def test_pages_are_named_problem_model_method(page: Path) -> None:
    assert parts(page) is not None, f"{page.stem} is not problem-model-method, by the tables of models and solvers"


@pytest.mark.parametrize("problem", sorted(MODELS))
def test_every_model_has_a_page(problem: str) -> None:
    shown = {named[1] for page in GALLERY if (named := parts(page)) and named[0] == problem}
    assert shown == MODELS[problem]


def test_every_network_that_ships_has_a_page() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in GALLERY)
    for name in md.store.shipped():
        assert f'md.load("{name}")' in text


def test_the_index_leads_to_every_page_once() -> None:
    index = DOCS / "gallery" / "index.md"
    pages = sorted(page.stem for page in GALLERY)
    assert sorted(toctrees(index)) == pages
    links = re.findall(r"\]\(([\w-]+)\.md\)", index.read_text(encoding="utf-8"))
    assert sorted(links) == pages


def test_every_page_of_the_documentation_is_in_a_table_of_contents() -> None:
    for folder in (DOCS, DOCS / "api"):
        pages = {path.stem for path in folder.glob("*.md")} - {"index"}
        assert {name for name in toctrees(folder / "index.md") if "/" not in name} == pages
    assert {"gallery/index", "api/index"} <= set(toctrees(DOCS / "index.md"))


@pytest.mark.parametrize("page", GALLERY, ids=lambda p: p.stem)
def test_pages_of_the_gallery_have_one_form(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.M) == SECTIONS
    assert len(re.findall(r"^# ", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)) == 1
    assert text.count("$$") >= 4  # the model and the method, as equations
    assert "before_after(" in "".join(cells(page))
    assert "Read aloud: " in text
    tries = text.split("## What to try")[1].split("## Sources")[0]
    assert 2 <= len(re.findall(r"^- ", tries, re.M)) <= 4
    assert re.search(r"\b(19|20)\d\d\b", text.split("## Sources")[1]), "a source has a year"


@pytest.mark.parametrize("page", EXECUTED, ids=lambda p: p.stem)
def test_executed_pages_say_so_and_fit_the_screen(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.startswith("---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n")
    assert cells(page)
    for cell in cells(page):
        assert all(len(line) <= 92 for line in cell.splitlines()), max(cell.splitlines(), key=len)


def public(owner: object, name: str) -> bool:
    """Whether ``owner.name`` is there, and meant for users."""
    if name.startswith("_") or not hasattr(owner, name):
        return False
    if isinstance(owner, ModuleType) and hasattr(owner, "__all__"):
        return name in owner.__all__
    return not isinstance(getattr(owner, name), ModuleType)


def chain(node: ast.expr) -> list[str] | None:
    """``md.models.rof`` as a list of names, if it begins with a name."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return [node.id, *names] if isinstance(node, ast.Name) else None


@pytest.mark.parametrize("page", EXECUTED, ids=lambda p: p.stem)
def test_pages_use_public_names(page: Path) -> None:
    tree = ast.parse("\n".join(cells(page)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                assert alias.name.split(".")[0] in MODULES or (alias.name, alias.asname) == ("mindl", "md")
        elif isinstance(node, ast.ImportFrom):
            ours = node.module == "mindl.slider" and [a.name for a in node.names] == ["before_after"]
            assert ours or str(node.module).split(".")[0] in MODULES, node.module
        elif isinstance(node, ast.Attribute):
            assert not node.attr.startswith("_") or node.attr == "__name__", node.attr
            names = chain(node)
            if names and names[0] == "md":
                owner: object = md
                for name in names[1:]:
                    assert public(owner, name), f"{'.'.join(names)}: {name} is not public"
                    owner = getattr(owner, name)


def test_private_names_would_be_found() -> None:
    assert public(md.models, "rof") and public(md.parameters, "by_rule") and public(md.Stop, "met")
    assert not public(md.models, "denoising") and not public(md.models, "_saddle_point")
    assert not public(md.parameters, "math") and not public(md, "restore")


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda p: p.relative_to(DOCS).as_posix())
def test_pages_name_no_place_of_one_machine(page: Path) -> None:
    if "_build" in page.parts:
        return
    assert not re.search(r"(?<![\w.])/(work|tmp|home|root|usr)/", page.read_text(encoding="utf-8"))


def documented() -> dict[str, set[str]]:
    """The names in the reference, by module."""
    found: dict[str, set[str]] = {}
    for page in (DOCS / "api").glob("*.md"):
        module = ""
        for line in page.read_text(encoding="utf-8").splitlines():
            if match := re.match(r"\.\. currentmodule:: (\S+)", line):
                module = match[1]
            elif match := re.match(r"\.\. auto(?:class|function|data):: (\S+)", line):
                home, _, name = match[1].rpartition(".")
                found.setdefault(home or module, set()).add(name)
    return found


def test_the_reference_names_what_exists() -> None:
    for module, names in documented().items():
        for name in names:
            assert hasattr(importlib.import_module(module), name), f"{module}.{name}"


@pytest.mark.parametrize(
    "package",
    ["calculus", "data", "images", "learning", "models", "nets", "neural", "recipes", "solvers", "store"],
)
def test_the_reference_names_everything_exported(package: str) -> None:
    names = set().union(*documented().values())
    missing = set(getattr(md, package).__all__) - names
    assert not missing, f"docs/api does not name {', '.join(sorted(missing))} of mindl.{package}"


def test_the_reference_names_the_entry_functions() -> None:
    names = set().union(*documented().values())
    assert {name for name in md.__all__ if not isinstance(getattr(md, name), ModuleType)} <= names


def plain(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def test_the_bibliography_holds_every_source() -> None:
    """The first author of every ``Source:`` in a docstring, where one is named."""
    bibliography = plain((DOCS / "bibliography.md").read_text(encoding="utf-8"))
    authors = [
        author
        for path in sorted(Path(md.__file__).parent.rglob("*.py"))
        for author in re.findall(
            r"Source: (?:[A-Z]\. )?([A-Z]\w+)(?:,| and| et| \()", path.read_text(encoding="utf-8")
        )
    ]
    assert len(authors) > 30
    assert not {author for author in authors if plain(author) not in bibliography}


def crooked_lists(path: Path) -> list[str]:
    """Lines of ``Args:``, ``Attributes:`` and ``Raises:`` that would be taken for a name, or that hold two.

    A continued line is indented deeper than the name it belongs to.
    """
    found, first, entry = [], 0, None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        depth = len(line) - len(line.lstrip())
        if re.fullmatch(r" *(Args|Attributes|Raises):", line):
            first, entry = depth, 0
        elif entry is not None and line.strip():
            if depth <= first:
                entry = None
                continue
            entry = entry or depth
            alone = re.match(r" *[\w.*]+(, [\w.*]+)*:", line)
            if (depth <= entry and not alone) or re.search(r"\. [a-z]\w*: ", line):
                found.append(f"{path.name}:{number}: {line.strip()}")
    return found


def test_lists_in_docstrings_are_indented() -> None:
    found = [line for path in sorted(Path(md.__file__).parent.rglob("*.py")) for line in crooked_lists(path)]
    assert not found, "\n".join(found)


def test_crooked_lists_are_found(tmp_path: Path) -> None:
    good = "Args:\n    a: one,\n        and more.\n    b, c: two.\n\nRaises:\n    InputError: no.\n"
    shallow = good.replace("        and", "    and")
    merged = good.replace("\n    b, c:", " b:")
    for text, count in ((good, 0), (shallow, 1), (merged, 1)):
        (tmp_path / "x.py").write_text(text, encoding="utf-8")
        assert len(crooked_lists(tmp_path / "x.py")) == count, text


@pytest.mark.slow
def test_the_documentation_builds_without_warnings_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    if importlib.util.find_spec("sphinx") is None or importlib.util.find_spec("myst_nb") is None:
        pytest.skip("needs the extra 'docs'")
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "-j", "2"]
    assert " ".join(command[2:]) in (ROOT / "scripts" / "docs").read_text(encoding="utf-8")
    made = subprocess.run(
        [*command, str(DOCS), str(tmp_path / "html")],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-3000:]
    for path in (tmp_path / "html").rglob("*"):
        if path.suffix == ".html":
            loaded = re.findall(
                r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"([^\"]*)|<link\b[^>]*\bhref=\"([^\"]*)",
                path.read_text(encoding="utf-8"),
            )
            assert not [url for pair in loaded for url in pair if re.match(r"(https?:)?//", url)], path.name
        elif path.suffix == ".css":
            assert not re.search(r"url\(['\"]?(https?:)?//|@import", path.read_text(encoding="utf-8")), path.name
