"""What objects show of themselves in a notebook: a title, facts, small pictures and curves, as HTML without scripts.

Pictures are part of the HTML, so that a saved notebook keeps them. All text is escaped.
"""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["card", "curves", "pictures", "sample", "signed", "table"]

SHOWN = 10  # pictures, or rows of a table that may be long
SIDE = 48  # pixels, of a picture as it is shown
WIDTH, HEIGHT = 560, 190  # of the curves
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 22, 26  # around them, for what is written there
COLOURS = ("#0072b2", "#d55e00")
BLUE, ORANGE = (0, 114, 178), (213, 94, 0)  # the same, of numbers above and below 0


def card(title: str, facts: Mapping[str, object], *parts: str) -> str:
    """Return a title, facts in two columns, and ``parts`` that are HTML already."""
    rows = "".join(
        f'<tr><td style="text-align:left;padding:1px 14px 1px 0;opacity:.7">{escape(str(name))}</td>'
        f'<td style="text-align:left;padding:1px 0">{escape(str(value))}</td></tr>'
        for name, value in facts.items()
    )
    body = f'<table style="margin:4px 0;border-collapse:collapse">{rows}</table>' if rows else ""
    return f'<div style="max-width:640px"><strong>{escape(title)}</strong>{body}{"".join(parts)}</div>'


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table."""
    cell = '<{0} style="text-align:left;padding:1px 14px 1px 0;vertical-align:top">{1}</{0}>'
    lines = [[cell.format("th", escape(name)) for name in header]]
    lines += [[cell.format("td", escape(str(value))) for value in row] for row in rows]
    return "<table>" + "".join(f"<tr>{''.join(line)}</tr>" for line in lines) + "</table>"


def pictures(images: Iterable[NDArray[np.uint8]], captions: Iterable[str]) -> str:
    """Return images (h, w), or (h, w, 3) in colour, side by side, each above its caption."""
    shown = []
    for image, caption in zip(images, captions, strict=True):
        shown.append(
            f'<div style="display:inline-block;margin:4px 6px 0 0;text-align:center;font-size:11px;width:{SIDE}px;'
            f'overflow:hidden;vertical-align:top"><img alt="{escape(caption)}" width="{SIDE}" height="{SIDE}" '
            f'style="image-rendering:pixelated;object-fit:contain;margin:0" src="{_url(image)}">'
            f"<br>{escape(caption)}</div>"
        )
    return f"<div>{''.join(shown)}</div>"


def sample(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the index of the first example of each class, of the first ten classes that there are."""
    _, first = np.unique(labels, return_index=True)
    return np.asarray(first[:SHOWN], np.int64)


def signed(weights: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Return weights (h, w) as a picture (h, w, 3): blue where they are positive, orange where negative, white at 0."""
    share = (weights / max(float(np.abs(weights).max()), 1e-30))[..., None]
    full = np.where(share > 0, BLUE, ORANGE)
    return np.asarray(255 + np.abs(share) * (full - 255.0)).astype(np.uint8)


def curves(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the training and validation losses of a history as a picture; nothing where it has no losses."""
    lines = {
        name: [(row["epoch"], row[key]) for row in rows if row.get(key) is not None]
        for name, key in (("training loss", "loss"), ("validation loss", "validation_loss"))
    }
    points = [point for line in lines.values() for point in line]
    if not points:
        return ""
    drawing = _drawing({name: line for name, line in lines.items() if line}, np.array(points, np.float64))
    url = f"data:image/svg+xml;base64,{base64.b64encode(drawing.encode()).decode()}"
    alt = "; ".join(f"{name} {line[-1][1]:.4f}" for name, line in lines.items() if line)
    return f'<img alt="{alt}" width="{WIDTH}" style="max-width:100%;margin:4px 0" src="{url}">'


def _drawing(lines: Mapping[str, Sequence[tuple[float, float]]], points: NDArray[np.float64]) -> str:
    """Return an SVG of lines by name, and of axes that hold all points (n, 2)."""
    (x_least, _), (x_most, y_most) = points.min(axis=0), points.max(axis=0)
    y_most = y_most or 1.0  # the losses may all be 0

    def place(x: float, y: float) -> tuple[float, float]:
        right = (x - x_least) / max(x_most - x_least, 1)
        return LEFT + right * (WIDTH - LEFT - RIGHT), TOP + (1 - y / y_most) * (HEIGHT - TOP - BOTTOM)

    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>']
    for share in (0.0, 0.5, 1.0):
        x, y = place(x_least, share * y_most)
        parts.append(f'<path d="M{x:.1f} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(_text(x - 6, y + 4, f"{share * y_most:.3g}", "end"))
    parts.append(_text(LEFT, HEIGHT - 8, f"epoch {x_least:g}"))
    if x_most > x_least:
        parts.append(_text(WIDTH - RIGHT, HEIGHT - 8, f"{x_most:g}", "end"))
    for number, ((name, line), colour) in enumerate(zip(lines.items(), COLOURS, strict=False)):
        path = " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        x, y = place(*line[-1])
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
        parts.append(_text(LEFT + 130 * number, 14, name, colour=colour))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12">{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, words: str, anchor: str = "start", colour: str = "#555") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'


def _url(image: NDArray[np.uint8]) -> str:
    """Return an image as an address that holds it all."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
