"""The house itself: import floors, exported names, quick start, no POSIX-only modules."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mindl

SOURCE = Path(mindl.__file__).parent

FLOORS = [
    {"core"},
    {"kernels"},
    {"calculus"},
    {"images", "models", "nets"},
    {"solvers", "data", "diagnosis"},
    {"neural"},
    {"store"},
    {"learning"},
    {"gallery", "testing", "plot", "slider", "parameters", "guide"},
    {"report"},
    {"restore", "recipes"},
    {"app"},
]
"""From the ground up; rooms of one floor do not import each other."""

OPEN_TO_ALL = {"verify", "__init__", "__main__"}


def floor_of(room: str) -> int:
    return next(i for i, rooms in enumerate(FLOORS) if room in rooms)


def room_of(path: Path) -> str:
    first = path.relative_to(SOURCE).parts[0]
    return first.removesuffix(".py")


def imports(path: Path, *, module_level_only: bool = False) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if module_level_only else ast.walk(tree)
    found = []
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return found


MODULES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_run_downwards(path: Path) -> None:
    room = room_of(path)
    if room in OPEN_TO_ALL:
        return
    for name in imports(path):
        if not name.startswith("mindl."):
            continue
        other = name.split(".")[1]
        if (
            other == room
            or other in OPEN_TO_ALL
            or ((SOURCE / f"{other}.py").exists() is False and not (SOURCE / other).is_dir())
        ):
            continue
        assert floor_of(other) < floor_of(room), f"{path.name} on the floor of {room} imports {name}"


def test_the_lab_stands_beside_the_library() -> None:
    """mindl never imports the lab; the lab imports public names only; what runs students' work imports neither."""
    assert not [path for path in MODULES if any(name.split(".")[0] == "mindl_lab" for name in imports(path))]
    for path in sorted((SOURCE.parent / "mindl_lab").rglob("*.py")):
        names = [name for name in imports(path) if name.split(".")[0] == "mindl"]
        private = [name for name in names if name != "mindl" and name.split(".")[1] not in mindl.__all__]
        assert not private, path
        if path.name in ("caller.py", "guard.py"):
            assert not [name for name in imports(path) if name.startswith("mindl")], path


def test_every_room_has_a_floor() -> None:
    rooms = {room_of(path) for path in MODULES} - OPEN_TO_ALL
    assert rooms == set().union(*FLOORS)


def test_only_io_touches_image_files() -> None:
    readers = {"PIL", "tifffile", "imagecodecs"}
    guilty = [p.relative_to(SOURCE).as_posix() for p in MODULES if readers & {n.split(".")[0] for n in imports(p)}]
    assert guilty == ["images/io.py"]


def test_no_plotting_below_plot() -> None:
    heavy = {"matplotlib", "rich", "typer", "tensorboard"}
    for path in MODULES:
        if room_of(path) not in ("plot", "report", "app"):
            assert not heavy & {n.split(".")[0] for n in imports(path)}, path


def test_the_verifier_stands_alone() -> None:
    allowed = {"__future__", "hashlib", "json", "sys", "typing", "numpy"}
    assert {name.split(".")[0] for name in imports(SOURCE / "verify.py")} <= allowed
    lines = (SOURCE / "verify.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 200


def test_exported_names() -> None:
    """The public face. Changing this list is a decision, not an accident."""
    assert mindl.__all__ == [
        "Candidate",
        "Certificate",
        "Energy",
        "Solution",
        "Stop",
        "answer",
        "calculus",
        "certify",
        "data",
        "denoise",
        "diagnose",
        "diagnosis",
        "errors",
        "evolve",
        "fit",
        "gallery",
        "images",
        "inpaint",
        "learning",
        "load",
        "minimise",
        "models",
        "nets",
        "neural",
        "parameters",
        "recipes",
        "report",
        "save",
        "show",
        "solve_linear",
        "solvers",
        "steady_state",
        "store",
        "testing",
    ]
    for name in mindl.__all__:
        assert getattr(mindl, name) is not None
    assert set(mindl.__all__) <= set(dir(mindl))
    with pytest.raises(AttributeError, match="no attribute 'frobnicate'"):
        mindl.frobnicate  # noqa: B018


@pytest.mark.parametrize(
    "package",
    ["calculus", "diagnosis", "images", "learning", "models", "nets", "neural", "recipes", "report", "solvers"],
)
def test_exports_of_packages_exist_and_are_sorted(package: str) -> None:
    module = getattr(mindl, package)
    assert list(module.__all__) == sorted(module.__all__, key=lambda n: (not n.isupper(), not n[0].isupper(), n))
    for name in module.__all__:
        assert getattr(module, name).__doc__


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_import_and_verify_need_no_torch() -> None:
    code = "import sys; sys.modules['torch'] = None\nimport mindl, mindl.verify, mindl.app.cli\nprint('ok')"
    assert run(code).stdout.strip() == "ok"


def test_modules_import_without_posix_only_modules() -> None:
    names = [
        "mindl." + ".".join(p.relative_to(SOURCE).with_suffix("").parts)
        for p in MODULES
        if p.name not in ("__init__.py", "__main__.py")
    ]
    code = (
        "import sys, importlib\n"
        "import torch, typer, rich.console, rich.table, PIL.Image, tifffile, imagecodecs, jaxtyping\n"
        "import matplotlib.figure\n"
        "for name in ('fcntl', 'pwd', 'grp', 'resource', 'termios'): sys.modules[name] = None\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "print('ok')"
    )
    result = run(code)
    assert result.stdout.strip() == "ok", result.stderr


def test_version_is_one_number() -> None:
    from importlib.metadata import version

    assert version("mindl") == mindl.__version__
