"""The documentation: plain Sphinx, pages executed by MyST-NB, readable without a network."""

import hashlib
import importlib.metadata
import importlib.util
import logging
import os
import re
import shutil
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent

project = "mindl"
author = "the mindl developers"
project_copyright = author
version = release = importlib.metadata.version("mindl")
language = "en-GB"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]

# Pages. Those whose head says `file_format: mystnb` are executed; the others are only read.
myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True
logging.getLogger("traitlets").setLevel(logging.WARNING)  # not a line for every page

# The kernels inherit these: figures alike, and nobody's own IPython profile (nor the warning at each start).
_profile = HERE / "_build" / "ipython" / "profile_default"
_profile.mkdir(parents=True, exist_ok=True)
(_profile / "ipython_kernel_config.py").write_text("c = get_config()\nc.IPKernelApp.log_level = 'ERROR'\n")
os.environ["IPYTHONDIR"] = str(_profile.parent)
os.environ["MATPLOTLIBRC"] = str(HERE / "matplotlibrc")


def _fingerprint() -> str:
    """What the results of executed pages depend on, besides the pages: the package and the pinned versions."""
    package = ROOT / "src" / "mindl"
    files = [path for path in sorted(package.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    files += [ROOT / "constraints.txt", HERE / "matplotlibrc"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


# Results are kept from build to build, and begin anew when the package changes.
_results = HERE / "_build" / "executed" / _fingerprint()
nb_execution_cache_path = str(_results)
for _stale in set(_results.parent.glob("*")) - {_results}:
    shutil.rmtree(_stale, ignore_errors=True)

# The reference, from the docstrings.
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # shapes and ranges are in the text; array types would drown the signatures
autodoc_preserve_defaults = True
add_module_names = False
napoleon_numpy_docstring = False
napoleon_attr_annotations = False
napoleon_use_ivar = True
napoleon_use_rtype = False
python_maximum_signature_line_length = 90

# The look: system fonts, and mathematics drawn as SVG by one file, so that nothing else is ever loaded.
html_theme = "furo"
html_title = "mindl"
html_show_sourcelink = False
html_copy_source = False
_mathjax = Path(str(importlib.util.find_spec("sphinx-mathjax-offline").origin)).parent / "static" / "mathjax"
html_static_path = ["_static", str(_mathjax / "tex-svg-full.js")]
html_css_files = ["mindl.css"]
mathjax_path = "tex-svg-full.js"
mathjax3_config = {"options": {"enableMenu": False}}  # its speech engine would be fetched from a server

_SPARED = re.compile(
    r"""``.+?``|:math:`.+?`|`[^`]+`            # literals, formulas, links
    |^\.\.\ math::.*?(?=\n\S|\Z)            # displayed formulas
    |^[ ]*>>>[ ].*?(?=\n[ ]*\n|\Z)            # examples""",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)


def _bars_are_magnitudes(app, what, name, obj, options, lines) -> None:
    """Docstrings write |u| in running text; reStructuredText would take it for a substitution."""
    text, result, end = "\n".join(lines), "", 0
    for match in _SPARED.finditer(text):
        result += _escaped(text[end : match.start()]) + match.group()
        end = match.end()
    lines[:] = (result + _escaped(text[end:])).split("\n")


def _escaped(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", text)


def setup(app) -> None:
    """Docstrings are prepared before napoleon (priority 500) reads them."""
    app.connect("autodoc-process-docstring", _bars_are_magnitudes, priority=400)
