"""How `make docs` builds the tutorial: cells are run, formulas are typeset, and nothing is fetched by the reader."""

import logging
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import glassnet

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "glassnet"
author = "The glassnet developers"
version = release = glassnet.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_static"]
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 3

# Each page is a notebook in plain text. A cell that raises or warns fails the build.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300  # seconds for one cell
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # on a busy machine two make small products ten times slower
nb_output_stderr = "error"
nb_merge_streams = True
nb_code_prompt_show = "Show the answer"
nb_code_prompt_hide = "Hide the answer"

# The reference is made from the docstrings. A word between backticks is a link where it names something public.
autodoc_default_options = {"members": True, "member-order": "bysource", "show-inheritance": True}
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
python_maximum_signature_line_length = 100
default_role = "py:obj"
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
SECTIONS = ("Args", "Attributes", "Raises", "Returns", "Yields")

logging.getLogger("traitlets").setLevel(logging.WARNING)  # else a line for each page

html_theme = "furo"
html_title = f"glassnet {version}"
html_copy_source = False
html_show_copyright = False
html_css_files = ["tutorial.css"]

# MathJax in one file that draws glyphs as SVG: no fonts, no CDN. The package's name has hyphens: no import can name it.
_mathjax = Path(find_spec("sphinx-mathjax-offline").submodule_search_locations[0], "static", "mathjax", "tex-svg.js")
html_static_path = ["_static", str(_mathjax)]
mathjax_path = _mathjax.name


def _literal_blocks(app: object, what: str, name: str, item: object, options: object, lines: list[str]) -> None:
    """Show what stands indented between the paragraphs of a docstring, equations and code, as it stands there."""
    shown, section, block = [], False, False
    for line in lines:
        if line and not line.startswith(" "):
            section, block = line.removesuffix(":") in SECTIONS, False
        elif line and not section and not block and (not shown or not shown[-1]):
            shown += ["::", ""]
            block = True
        shown.append(line)
    lines[:] = shown


def setup(app: "Sphinx") -> None:
    app.connect("autodoc-process-docstring", _literal_blocks, priority=100)  # before napoleon, at 500, takes Args apart
