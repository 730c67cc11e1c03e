"""How `make docs` builds the tutorial: cells are run, formulas are typeset, and nothing is fetched by the reader."""

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
nb_execution_timeout = 60  # seconds for one cell
nb_output_stderr = "error"
nb_merge_streams = True
nb_code_prompt_show = "Show the answer"
nb_code_prompt_hide = "Hide the answer"

html_theme = "furo"
html_title = f"glassnet {version}"
html_copy_source = False
html_css_files = ["tutorial.css"]

# MathJax in one file that draws glyphs as SVG: no fonts, no CDN. The package's name has hyphens, so it is found, not imported.
_mathjax = Path(find_spec("sphinx-mathjax-offline").submodule_search_locations[0], "static", "mathjax", "tex-svg.js")
html_static_path = ["_static", str(_mathjax)]
mathjax_path = _mathjax.name
