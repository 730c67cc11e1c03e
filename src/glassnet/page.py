"""What the pages that are files have in common: one style, figures inside the file, nothing from outside."""

import base64
import io
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure

from .files import write_atomically

__all__ = ["png", "render", "write_html"]


def render(template: str, **parts: object) -> bytes:
    """Return an HTML page as the content of a file: a template of this package, filled with ``parts``.

    Their text is escaped, unless it is ``Markup``.
    """
    text = _TEMPLATES.get_template(template).render(parts)
    return text.encode(errors="replace")  # for a file whose name is not UTF-8


def write_html(path: Path, template: str, **parts: object) -> Path:
    """Write an HTML page, filled as by `render`, and return its path.

    Raises:
        FileError: it cannot be written.
    """
    write_atomically(path, render(template, **parts))
    return path


def png(figure: Figure) -> bytes:
    """Return a figure as the content of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight", pad_inches=0.15)
    return buffer.getvalue()


def _data_url(content: bytes) -> str:
    """Return the content of a PNG file as an address that holds it all."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters["data_url"] = _data_url
