"""What the pages have in common: one style, figures inside the file, nothing from outside."""

import base64
import io
from html import escape
from importlib import resources
from string import Template

from matplotlib.figure import Figure

__all__ = ["fill_page", "image", "png", "table_row"]


def fill_page(template: str, **parts: str) -> str:
    """Return an HTML page: a template of this package with the pages' style and ``parts``, which are HTML already."""
    here = resources.files(__package__)
    style = here.joinpath("page.css").read_text(encoding="utf-8")
    return Template(here.joinpath(template).read_text(encoding="utf-8")).substitute(style=style, **parts)


def png(figure: Figure) -> bytes:
    """Return a figure as the content of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight", pad_inches=0.15)
    return buffer.getvalue()


def image(content: bytes, words: str) -> str:
    """Return an ``img`` that holds a PNG file, with the words for those who do not see it."""
    return f'<img alt="{escape(words)}" src="data:image/png;base64,{base64.b64encode(content).decode()}">'


def table_row(name: str, *cells: str) -> str:
    """Return a row of a table; name and cells are text."""
    return f'<tr><th scope="row">{escape(name)}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
