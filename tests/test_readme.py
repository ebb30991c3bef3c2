"""The examples of the README and of the documentation run, and its figures are true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_python_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), names)
    if page.name == "README.md":
        assert names["filled"].outcome.certified and names["solution"].outcome.value.startswith("stationary")


def test_commands_of_the_readme_exist() -> None:
    from mindl.app.cli import app

    verbs = {command.callback.__name__ for command in app.registered_commands}
    verbs |= {group.name for group in app.registered_groups}
    for block in blocks(ROOT / "README.md", "sh"):
        for line in block.splitlines():
            words = line.split("#")[0].split()
            if words and words[0] == "mindl":
                assert words[1] in verbs
            elif words and words[0].startswith("scripts/"):
                assert (ROOT / words[0]).exists()


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_choosing_page_is_what_the_code_says() -> None:
    """After a change: python -m mindl.guide > docs/choosing.md."""
    from mindl.guide import choosing_page

    assert (ROOT / "docs/choosing.md").read_text(encoding="utf-8") == choosing_page()


def test_the_readme_counts_the_verifiers_lines() -> None:
    lines = len((ROOT / "src/mindl/verify.py").read_text(encoding="utf-8").splitlines())
    assert f"[{lines} lines]" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_public_function_has_an_example_or_a_reason() -> None:
    import mindl as md

    for name in (
        "minimise",
        "solve_linear",
        "certify",
        "answer",
        "fit",
        "save",
        "load",
        "denoise",
        "inpaint",
        "show",
    ):
        assert ">>>" in getattr(md, name).__doc__
    for module in (md.models, md.images, md.solvers, md.neural, md.learning, md.recipes):
        for name in module.__all__:
            thing = getattr(module, name)
            if callable(thing) and name.islower() and thing.__module__.startswith("mindl"):
                assert len(thing.__doc__.split()) >= 4, name
