"""How `make docs` builds the tutorial: cells are run, formulas are typeset, and nothing is fetched by the reader."""

import logging
import os
from importlib.util import find_spec
from pathlib import Path

import glassnet

project = "glassnet"
author = "The glassnet developers"
version = release = glassnet.__version__

extensions = ["myst_nb"]
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
