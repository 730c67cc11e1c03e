"""A model as one HTML page that opens by a double click: draw and be recognised, without a server and a network.

The page calculates in the browser what glassnet does: the preparation of a picture, the network, the evidence. Its
modules are in ``page/``, and import what they can from those of the page that ``glassnet serve`` shows.
"""

import base64
import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from .. import __version__
from ..errors import ConfigError
from ..evaluation import Evaluation
from ..explain import as_answer, explain_tiny
from ..explain.explanation import result
from ..model import Model
from ..page import render
from .bundle import bundle
from .html_network import describe
from .html_record import Record

__all__ = ["html_page"]

PAGE = Path(__file__).parent / "page"
STATIC = Path(__file__).parent.parent / "web" / "static"
STYLES = STATIC / "style.css", STATIC / "views/draw/style.css", STATIC / "views/step/style.css", PAGE / "style.css"
FONTS = STATIC / "fonts"
LEAST_SIDE = 3  # pixels: images that are less high or wide are rows of a table
MANY = 30  # classes: with more, a confusion matrix is too large to be looked at
FEW = 5  # mistakes of a cell that are the full colour where no cell has more
RIGHT = 0.4  # of the full colour: what is correct stays behind the mistakes


def html_page(
    model: Model,
    record: Record | None = None,
    links: Mapping[str, str] | None = None,
    past: Mapping[int, Model] | None = None,
) -> bytes:
    """Return a page that holds a model, as the content of an HTML file that needs nothing else.

    Args:
        model: what it holds, all members of an ensemble included, in float32.
        record: what the page tells of its training, such as `record_of` returns.
        links: addresses of other pages by their names, for a page that is part of a site.
        past: the model at steps of its training, for a slider through them.

    Raises:
        ConfigError: not a model of pictures, a layer that the page does not have, or no parameters.
    """
    if not isinstance(model, Model):
        raise ConfigError(f"a {type(model).__name__} cannot be exported to a page; give a Model, which takes pictures")
    height, width = model.image_shape
    if min(height, width) < LEAST_SIDE:
        raise ConfigError(
            f"this model takes rows of {height * width} numbers, not pictures, so there is nothing to draw for it; "
            "export it with --onnx or --numpy"
        )
    if not model.size:
        raise ConfigError("a network without parameters has learned nothing; there is nothing to export")
    record = record or Record()
    tiny = explain_tiny()
    data = {
        "name": record.name,
        "about": _about(model, record),
        "model": describe(model, past or {}),
        "curves": record.curves,
        "tiny": as_answer(tiny),
    }
    script = bundle(PAGE / "page.js")
    return render(
        "export/page/page.html",
        version=__version__,
        record=record,
        links=links or {},
        matrix=[*_matrix(record.evaluation)] if record.evaluation else [],
        tiny=result(tiny).replace(" %", "\u00a0%"),
        style=Markup("\n".join([_math_font(), *(path.read_text("utf-8") for path in STYLES)])),
        script=Markup(script),
        digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        # Nothing in it ends the element that it stands in.
        data=Markup(json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")),
    )


def _math_font() -> str:
    """Return the style that brings the font of equations, with the font in it."""
    font = base64.b64encode((FONTS / "STIXTwoMath.woff2").read_bytes()).decode()
    style = (FONTS / "math.css").read_text("utf-8")
    return style.replace("url(STIXTwoMath.woff2)", f"url(data:font/woff2;base64,{font})")


def _about(model: Model, record: Record) -> str:
    kind = "A network" if len(model.networks) == 1 else f"{len(model.networks)} networks, whose mean answers,"
    trained = f", trained on {Path(model.trained_on).name}" if model.trained_on else ""
    text = f"{kind} of {model.size:,} parameters for {len(model.classes)} classes{trained}."
    if evaluation := record.evaluation:
        share = f"{100 * evaluation.accuracy:.2f}\u00a0%"
        text += f" Of {len(evaluation.labels):,} test images it classifies {share} correctly."
    return text


def _matrix(evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    """Yield the rows of a confusion matrix: the name of the true class, and of each cell what it shows."""
    if len(evaluation.classes) > MANY:
        return
    table = evaluation.confusion
    most = math.log1p(max(FEW, int((table - np.diag(np.diag(table))).max())))
    for i, (name, row) in enumerate(zip(evaluation.classes, table.tolist(), strict=True)):
        yield {
            "name": name,
            "cells": [
                {
                    "count": count,
                    "kind": ("right" if i == j else "wrong") if count else "none",
                    # As in Watch, mistakes have a scale of their own and a logarithmic one: 1 is told from 5.
                    "share": RIGHT if i == j else round(0.1 + 0.9 * math.log1p(count) / most, 3),
                }
                for j, count in enumerate(row)
            ],
        }
