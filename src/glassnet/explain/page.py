"""An explanation as one HTML page that needs nothing else.

Bars and tables are HTML and SVG, equations are MathML, and a picture has the pixels of the image that it stands for.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib import colormaps
from matplotlib.colors import Colormap, to_hex

from ..nn.types import Array
from ..page import write_html
from ..plots import SIGNED
from .explanation import PARTS, ROUNDING, Explanation, Stage, as_matrix, facts, heading, loudest, norm, result, short
from .mathml import mathml
from .sums import number

__all__ = ["write_page"]

LOUDEST = 6  # units of the first layer that are shown as pictures
WEIGHTS = "The most active units: their weights as images, and below each its activation."
GRADIENTS = "The most active units: their gradients are the input as an image, times the dZ₁ below each."
MAPS = 16  # feature maps that are shown
FEATURE_MAPS = "The maps of the filters with the largest numbers: one pixel for each place."
KERNELS = "Filters as images of their first channel."
MANY = 20  # classes: with more, there is no row for each

Parts = dict[str, Any]
"""What the template shows of something."""


def write_page(explanation: Explanation, title: str, folder: Path) -> Path:
    """Write ``explain.html`` into ``folder``, which is made where it is missing, and return its path.

    Args:
        explanation: from `glassnet.explain.explain`.
        title: what was explained, such as ``Test image 7 of runs/mine``.
        folder: where to write.

    Raises:
        FileError: it cannot be written.
    """
    name = explanation.classes[explanation.label]
    return write_html(
        folder / "explain.html",
        "explain/explain.html",
        title=title,
        verdict=result(explanation).replace(" %", "\u00a0%"),
        notes=[heading(explanation), *explanation.notes, *([ROUNDING] if explanation.worked else [])],
        image=_picture(explanation.image / 255, colormaps["gray_r"], f"The image: “{name}”."),
        colours=[to_hex(colour) for colour in SIGNED(np.linspace(0, 1, 9))],
        given=[*_given(explanation)] if explanation.worked else [],
        parts=[*_parts(explanation)],
    )


def _parts(explanation: Explanation) -> Iterator[Parts]:
    """Yield the parts of the page; what is said of several stages alike is said at the first."""
    meanings = set[str]()
    for part, words in PARTS.items():
        if part == "update" and not explanation.worked:
            yield {"words": words, **_moves(explanation)}
            continue
        stages = []
        for stage in explanation.stages:
            if stage.part == part and explanation.shows(stage):
                stages.append(_section(explanation, stage, "" if stage.meaning in meanings else stage.meaning))
                meanings.add(stage.meaning)
        yield {"words": words, "moves": None, "stages": stages}


def _section(explanation: Explanation, stage: Stage, meaning: str) -> Parts:
    shown: Parts = dict.fromkeys(("sums", "number", "compared", "classes", "bars", "units"))
    return {
        **shown,
        "id": _id(stage),
        "title": stage.title[0].upper() + stage.title[1:],
        "meaning": meaning,
        "equation": _math(stage.equation),
        "shapes": stage.shapes,
        "facts": [],
        **({"sums": stage.sums} if stage.sums else _evidence(explanation, stage)),
    }


def _evidence(explanation: Explanation, stage: Stage) -> Parts:
    """Return the pictures and bars that show a stage's numbers, and the facts in words."""
    array = stage.array
    if not array.ndim:
        return {"number": short(float(array))}
    if stage.per_class and array.size <= MANY:
        if stage.name == "P after":
            return {"compared": True, "classes": _compared(explanation, explanation["P"].array[0], array[0])}
        return {"classes": _scores(explanation, array.ravel())}
    told = [line.replace(" at ", "\u00a0at\u00a0") for line in facts(explanation, stage)]
    said: Parts = {"facts": [*told, *stage.example]}
    if array.ndim == 4:
        return said | {"units": _maps(array) if len(array) == 1 else _kernels(explanation, array)}
    match stage.name:
        case "A1" | "dW1" if len(explanation.parameters["W1"]) != explanation.image.size:
            pass  # what comes before the first weights has made another picture of the image
        case "A1":
            weights = explanation.parameters["W1"]
            return said | {"bars": _bars(array[0]), "units": _units(explanation, weights, array[0], WEIGHTS)}
        case "dW1":
            return said | {"units": _units(explanation, array, explanation["dZ1"].array[0], GRADIENTS)}
    return said | ({"bars": _bars(array[0])} if array.ndim == 2 and len(array) == 1 else {})


def _scores(explanation: Explanation, values: Array) -> list[Parts]:
    """Return a row for each class with a bar to the right or, where there are negative values, to either side."""
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    span = (high - low) or 1.0
    rows = []
    for i, value in enumerate(values.tolist()):
        kind = "less" if value < 0 else "more" if low < 0 else ""
        bar = _bar(100 * abs(value) / span, kind, 100 * (min(value, 0.0) - low) / span)
        rows.append(_row(explanation, i, [bar], f"{value:.3f}"))
    return rows


def _compared(explanation: Explanation, before: Array, after: Array) -> list[Parts]:
    """Return a row for each class with its probability before the step and after it."""
    return [
        _row(explanation, i, [_bar(100 * p, "before"), _bar(100 * q)], f"{100 * p:.2f} → {100 * q:.2f} %")
        for i, (p, q) in enumerate(zip(before.tolist(), after.tolist(), strict=True))
    ]


def _row(explanation: Explanation, i: int, bars: list[Parts], figure: str) -> Parts:
    name = explanation.classes[i]
    return {"name": name, "true": i == explanation.label, "bars": bars, "figure": figure.replace("-", "−")}


def _bar(width: float, kind: str | None = None, start: float | None = None) -> Parts:
    """Return a bar of a row: how wide it is and where it begins, in percent."""
    return {"width": width, "kind": kind, "start": start}


def _bars(values: Array) -> Parts:
    """Return a bar for each unit as paths of SVG, a unit wide each and 100 high together."""
    top, bottom = max(float(values.max()), 0.0), min(float(values.min()), 0.0)
    scale = 100 / ((top - bottom) or 1.0)
    paths = {"more": "", "less": ""}
    for i, value in enumerate(values.tolist()):
        if value:
            paths["more" if value > 0 else "less"] += f"M{i + 0.1:g} {top * scale:.2f}h.8v{-value * scale:.2f}h-.8z"
    axis = f"{top * scale:.2f}"
    return {"size": values.size, "paths": paths, "axis": axis, "bottom": short(bottom), "top": short(top)}


def _units(explanation: Explanation, matrix: Array, figures: Array, words: str) -> Parts:
    """Return columns of a matrix (pixels, units) as images, for the most active units of the first layer.

    ``figures`` (units,) has the number below each.
    """
    units = loudest(explanation, LOUDEST)
    columns = matrix[:, units]
    limit = float(np.percentile(np.abs(columns), 99.5)) or 1.0  # one extreme weight must not make the rest pale
    pictures = []
    for unit, column in zip(units.tolist(), columns.T, strict=True):
        shares = (column.reshape(explanation.image.shape) / limit + 1) / 2
        pictures.append(_picture(shares, SIGNED, f"unit {unit + 1}\n{short(float(figures[unit]))}"))
    return {"words": words, "pictures": pictures, "low": short(-limit), "high": f"+{short(limit)}"}


def _maps(array: Array) -> Parts:
    """Return feature maps (1, h, w, c) as images, of the filters that find most."""
    maps = array[0].transpose(2, 0, 1)  # (c, h, w)
    strongest = np.argsort(-np.abs(maps).max(axis=(1, 2)), kind="stable")[:MAPS]
    limit = float(np.abs(maps[strongest]).max()) or 1.0
    pictures = [_picture((maps[k] / limit + 1) / 2, SIGNED, f"filter {k + 1}") for k in strongest.tolist()]
    return {"words": FEATURE_MAPS, "pictures": pictures, "low": short(-limit), "high": f"+{short(limit)}"}


def _kernels(explanation: Explanation, array: Array) -> Parts:
    """Return filters (kh, kw, c, filters), or their gradients, as images of their first channel."""
    units = loudest(explanation, LOUDEST) if array.shape[2] == 1 else np.arange(min(array.shape[3], LOUDEST))
    chosen = array[:, :, 0, units].transpose(2, 0, 1)
    limit = float(np.abs(chosen).max()) or 1.0
    pictures = [
        _picture((one / limit + 1) / 2, SIGNED, f"filter {unit + 1}")
        for unit, one in zip(units.tolist(), chosen, strict=True)
    ]
    return {"words": KERNELS, "pictures": pictures, "low": short(-limit), "high": f"+{short(limit)}"}


def _moves(explanation: Explanation) -> Parts:
    moves, meanings = [], []
    for stage in explanation.stages:
        if stage.part == "update":
            before = explanation.parameters[stage.name.removesuffix(" after")]
            norms = {"before": short(norm(before)), "step": short(norm(stage.array - before))}
            moves.append({"id": _id(stage), "equation": _math(stage.equation), **norms})
            meanings.append(stage.meaning)
    return {"moves": moves, "meaning": meanings[0]}


def _given(explanation: Explanation) -> Iterator[Parts]:
    for name, array in explanation.parameters.items():
        symbol = explanation[f"{name} after"].equation.partition(" ")[0]
        rows = [[number(value) for value in row] for row in as_matrix(array)]
        yield {"symbol": _math(symbol), "rows": rows}


def _picture(values: Array, colours: Colormap, caption: str) -> Parts:
    """Return an image (h, w) of numbers from 0 to 1 in the colours of a colour map."""
    from PIL import Image

    pixels = (255 * colours(values)[..., :3]).round().astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return {"png": buffer.getvalue(), "caption": caption}


def _math(equation: str) -> Markup:
    return Markup(mathml(equation))


def _id(stage: Stage) -> str:
    return stage.name.replace(" ", "-")
