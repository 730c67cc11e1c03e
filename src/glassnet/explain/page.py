"""An explanation as one HTML page that needs nothing else.

Bars and tables are HTML and SVG, equations are MathML, and a picture has the pixels of the image that it stands for.
"""

import base64
import io
from collections.abc import Iterator
from html import escape
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex

from ..files import write_atomically
from ..nn.types import Array
from ..page import fill_page
from .explanation import PARTS, ROUNDING, Explanation, Stage, facts, heading, loudest, norm, result, short
from .mathml import mathml
from .sums import number

__all__ = ["write_page"]

DIVERGING = "RdBu_r"  # as in the report: red is more, blue is less
LOUDEST = 6  # units of the first layer that are shown as pictures
WEIGHTS = "The units that fire most: their weights as images, and below each what it passes on."
MANY = 20  # classes: with more, there is no row for each


def write_page(explanation: Explanation, title: str, folder: Path) -> Path:
    """Write ``explain.html`` into ``folder``, which is made where it is missing, and return its path.

    Args:
        explanation: from `glassnet.explain.explain`.
        title: what was explained, such as ``Test image 7 of runs/mine``.
        folder: where to write.

    Raises:
        FileError: it cannot be written.
    """
    notes = [heading(explanation), *explanation.notes, *([ROUNDING] if explanation.worked else [])]
    name = explanation.classes[explanation.label]
    page = fill_page(
        "explain/explain.html",
        title=escape(title),
        verdict=escape(result(explanation)).replace(" %", "&nbsp;%"),
        notes="\n".join(f"<p>{escape(note)}</p>" for note in notes),
        image=_picture(explanation.image / 255, "gray_r", f"The image: “{name}”."),
        colours=", ".join(to_hex(colour) for colour in colormaps[DIVERGING](np.linspace(0, 1, 9))),
        contents="\n".join(_contents(explanation)),
    )
    path = folder / "explain.html"
    write_atomically(path, page.encode())
    return path


def _contents(explanation: Explanation) -> Iterator[str]:
    if explanation.worked:
        yield '<h2 class="part">Given</h2>'
        yield f"<section><div><h3>Weights and biases</h3></div>{_given(explanation)}</section>"
    meanings = set[str]()
    for part, words in PARTS.items():
        yield f'<h2 class="part">{escape(words)}</h2>'
        if part == "update" and not explanation.worked:
            yield _moves(explanation)
            continue
        for stage in explanation.stages:
            if stage.part == part and explanation.shows(stage):
                yield _section(explanation, stage, "" if stage.meaning in meanings else stage.meaning)
                meanings.add(stage.meaning)


def _section(explanation: Explanation, stage: Stage, meaning: str) -> str:
    return (
        f'<section id="{_id(stage)}">\n'
        f"<div><h3>{escape(stage.title[0].upper() + stage.title[1:])}</h3><p>{escape(meaning)}</p></div>\n"
        f'<div><div class="equation">{mathml(stage.equation)}</div><p class="shapes">{escape(stage.shapes)}</p>\n'
        f"{_sums(stage) if stage.sums else _evidence(explanation, stage)}</div>\n</section>"
    )


def _sums(stage: Stage) -> str:
    return '<ul class="sums">\n' + "\n".join(f"<li>{escape(line)}</li>" for line in stage.sums) + "\n</ul>"


def _evidence(explanation: Explanation, stage: Stage) -> str:
    """The pictures and bars that show a stage's numbers, and the facts in words."""
    array = stage.array
    if not array.ndim:
        return f'<p class="number">{short(float(array))}</p>'
    if stage.per_class and array.size <= MANY:
        if stage.name == "P after":
            return _compared(explanation, explanation["P"].array[0], array[0])
        return _scores(explanation, array.ravel())
    said = "\n".join(
        f'<p class="fact">{escape(line).replace(" at ", "&nbsp;at&nbsp;")}</p>' for line in facts(explanation, stage)
    )
    match stage.name:
        case "A1":
            return said + _bars(array[0]) + _units(explanation, explanation.parameters["W1"], array[0], WEIGHTS)
        case "dW1":
            words = "The units that fire most: their gradients are the input as an image, times the dZ₁ below each."
            return said + _units(explanation, array, explanation["dZ1"].array[0], words)
    return said + (_bars(array[0]) if array.ndim == 2 and len(array) == 1 else "")


def _scores(explanation: Explanation, values: Array) -> str:
    """A row a class with a bar to the right or, where there are negative values, to either side."""
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    span = (high - low) or 1.0
    rows = []
    for value in values.tolist():
        start, width = (min(value, 0.0) - low) / span, abs(value) / span
        side = "less" if value < 0 else "more" if low < 0 else ""
        rows.append(
            (f'<i class="{side}" style="margin-left:{100 * start:.2f}%;width:{100 * width:.2f}%"></i>', f"{value:.3f}")
        )
    return _rows(explanation, rows)


def _compared(explanation: Explanation, before: Array, after: Array) -> str:
    """A row a class with its probability before the step and after it."""
    rows = [
        (
            f'<i class="before" style="width:{100 * p:.2f}%"></i><i style="width:{100 * q:.2f}%"></i>',
            f"{100 * p:.2f} → {100 * q:.2f} %",
        )
        for p, q in zip(before.tolist(), after.tolist(), strict=True)
    ]
    return f'<p class="legend"><i class="before"></i>before the step <i></i>after it</p>{_rows(explanation, rows)}'


def _rows(explanation: Explanation, rows: list[tuple[str, str]]) -> str:
    lines = []
    for i, (bars, figure) in enumerate(rows):
        true = ' class="true"' if i == explanation.label else ""
        name = f'<th scope="row">{escape(explanation.classes[i])}</th>'
        lines.append(f'<tr{true}>{name}<td class="track">{bars}</td><td>{figure.replace("-", "−")}</td></tr>')
    return '<table class="bars">\n<tbody>\n' + "\n".join(lines) + "\n</tbody>\n</table>"


def _bars(values: Array) -> str:
    """A bar a unit, in the order of the units, upwards where it is positive."""
    top, bottom = max(float(values.max()), 0.0), min(float(values.min()), 0.0)
    scale = 100 / ((top - bottom) or 1.0)
    paths = {"more": "", "less": ""}
    for i, value in enumerate(values.tolist()):
        if value:
            paths["more" if value > 0 else "less"] += f"M{i + 0.1:g} {top * scale:.2f}h.8v{-value * scale:.2f}h-.8z"
    drawn = "".join(f'<path class="{side}" d="{path}"></path>' for side, path in paths.items() if path)
    axis = f'<path class="axis" d="M0 {top * scale:.2f}H{values.size}"></path>'
    return (
        f'<svg viewBox="0 0 {values.size} 100" preserveAspectRatio="none" role="img" '
        f'aria-label="a bar for each of {values.size} numbers">{drawn}{axis}</svg>'
        f'<p class="legend">numbers 0 to {values.size - 1}, from {short(bottom)} to {short(top)}</p>'
    )


def _units(explanation: Explanation, matrix: Array, figures: Array, words: str) -> str:
    """Columns of a matrix (pixels, units) as images, for the units of the first layer that fire most.

    ``figures`` (units,) has the number below each.
    """
    units = loudest(explanation, LOUDEST)
    columns = matrix[:, units]
    limit = float(np.percentile(np.abs(columns), 99.5)) or 1.0  # one extreme weight must not make the rest pale
    pictures = "\n".join(
        _picture(
            (column.reshape(explanation.image.shape) / limit + 1) / 2,
            DIVERGING,
            f"unit {unit}\n{short(float(figures[unit]))}",
        )
        for unit, column in zip(units.tolist(), columns.T, strict=True)
    )
    return (
        f'<p class="legend">{words}</p>'
        f'<div class="units">\n{pictures}\n</div>\n'
        f'<div class="scale"><span>{short(-limit)}</span><i></i><span>+{short(limit)}</span></div>'
    )


def _moves(explanation: Explanation) -> str:
    rows, gradients = [], []
    for stage in explanation.stages:
        if stage.part == "update":
            before = explanation.parameters[stage.name.removesuffix(" after")]
            figures = f"<td>{short(norm(before))}</td><td>{short(norm(stage.array - before))}</td>"
            rows.append(f'<tr id="{_id(stage)}"><th scope="row">{mathml(stage.equation)}</th>{figures}</tr>')
            gradients.append(stage.meaning)
    head = '<tr><th scope="col">step</th><th scope="col">norm before</th><th scope="col">norm of the step</th></tr>'
    return (
        f"<section>\n<div><h3>Every parameter</h3><p>{escape(gradients[0])}</p></div>\n"
        f'<div class="table"><table class="numbers"><thead>{head}</thead>\n<tbody>\n' + "\n".join(rows) + "\n"
        "</tbody></table></div>\n</section>"
    )


def _given(explanation: Explanation) -> str:
    tables = []
    for name, array in explanation.parameters.items():
        cells = ("".join(f"<td>{number(value)}</td>" for value in row) for row in np.atleast_2d(array))
        rows = "".join(f"<tr>{row}</tr>" for row in cells)
        symbol = explanation[f"{name} after"].equation.partition(" ")[0]
        tables.append(f"<table><caption>{mathml(symbol)}</caption><tbody>{rows}</tbody></table>")
    return f'<div class="given">{"".join(tables)}</div>'


def _picture(values: Array, colours: str, caption: str) -> str:
    """An image (h, w) of numbers from 0 to 1 in the colours of a colour map."""
    from PIL import Image

    pixels = (255 * colormaps[colours](values)[..., :3]).round().astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    source = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    words = f"<figcaption>{escape(caption)}</figcaption>" * bool(caption)
    return f'<figure class="image"><img alt="{escape(caption) or "image"}" src="{source}">{words}</figure>'


def _id(stage: Stage) -> str:
    return stage.name.replace(" ", "-")
