"""How `make docs` builds the pages: cells are run, docstrings become the reference, the reader fetches nothing."""

import logging
import os
import re
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel
from sphinx.ext.napoleon import Config as Style
from sphinx.ext.napoleon import GoogleDocstring

import glassnet

sys.path.insert(0, str(Path(__file__).parent))
from colab import connect

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "glassnet"
author = "The glassnet developers"
version = release = glassnet.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc"]
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
autodoc_default_options = {
    "members": True,
    "member-order": "bysource",
    "show-inheritance": True,
    "no-value": True,
    "exclude-members": "model_config",
}
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
python_maximum_signature_line_length = 100
default_role = "py:obj"
ARRAY = re.compile(r"~?numpy\.ndarray\[tuple\[~?typing\.Any, \.\.\.\], ~?numpy\.dtype\[([\w.~]+(?:\[[^\]]*\])?)\]\]")
STYLE = Style(napoleon_use_rtype=False, napoleon_custom_sections=[("Attributes", "params_style")])
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


def _docstring(app: object, what: str, name: str, item: object, options: object, lines: list[str]) -> None:
    """Bring a docstring into the form that Sphinx reads.

    What stands indented between its paragraphs, equations and code, is shown as it stands. Settings have a description
    each. A constant has no docstring but its type's.
    """
    if what == "data":
        lines[:] = [_value(item)]
        return
    shown: list[str] = []
    section = block = False
    for line in lines:
        if line and not line.startswith(" "):
            section, block = line.removesuffix(":") in SECTIONS, False
        elif line and not section and not block and not (shown and shown[-1]):
            shown += ["::", ""]
            block = True
        shown.append(line)
    if isinstance(item, type) and issubclass(item, BaseModel):
        described = {field: info for field, info in item.model_fields.items() if field in item.__annotations__}
        shown += ["", "Attributes:"] * any(info.description for info in described.values())
        for field, info in described.items():
            shown += [f"    {field}: {info.description} By default ``{info.default!r}``."] * bool(info.description)
    lines[:] = GoogleDocstring(shown, STYLE).lines()


def _value(item: object) -> str:
    if isinstance(item, Mapping | tuple):
        return f"By name: {', '.join(f'``{name}``' for name in item)}."
    return f"``{item!r}``" if isinstance(item, int | str) else ""


def _signature(
    app: object, what: str, name: str, item: object, options: object, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """Leave out what only says how arrays and settings are checked."""
    if isinstance(item, type) and issubclass(item, BaseModel):
        return "(**settings)", None
    if getattr(item, "_is_protocol", False):
        return "", None
    signature = re.sub(r"= <.*?>", "= ...", signature or "")
    return ARRAY.sub(_array, signature) or None, ARRAY.sub(_array, returned or "") or None


def _array(match: re.Match[str]) -> str:
    return "Array" if "floating" in match[1] else f"NDArray[{match[1]}]"


def setup(app: "Sphinx") -> None:
    app.connect("autodoc-process-docstring", _docstring)
    app.connect("autodoc-process-signature", _signature)
    connect(app)
