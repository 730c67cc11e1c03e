"""An explanation as plain data for a page that shows one stage at a time: pictures in place of too many numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..nn.types import Array
from .explanation import PARTS, Explanation, Stage, facts, heading, loudest, result
from .mathml import mathml

__all__ = ["as_answer"]

LARGEST = 48  # rows and columns of a matrix that are sent: those with the largest norm
LOUDEST = 8  # units of the first layer that are sent as images
DIGITS = 5  # of a number that is looked at, not calculated with


def as_answer(explanation: Explanation) -> dict[str, Any]:
    """Return what a page shows of an explanation, ready for JSON: its heading, result and notes, and each stage.

    Where every number is shown, ``parameters`` are there too.
    """
    parameters = {name: array.tolist() for name, array in explanation.parameters.items()}
    return {
        "heading": heading(explanation),
        "result": result(explanation),
        "notes": list(explanation.notes),
        "parts": PARTS,
        "image": explanation.image.tolist(),
        "label": explanation.label,
        "classes": list(explanation.classes),
        "rate": explanation.learning_rate,
        "stages": [_stage(explanation, stage) for stage in explanation.stages if explanation.shows(stage)],
        **({"parameters": parameters} if explanation.worked else {}),
    }


def _stage(explanation: Explanation, stage: Stage) -> dict[str, Any]:
    return {
        **vars(stage),
        "mathml": mathml(stage.equation),
        "facts": [] if stage.per_class or stage.sums else [*facts(explanation, stage), *stage.example],
        "shape": stage.array.shape,
        **_shown(explanation, stage),
    }


def _shown(explanation: Explanation, stage: Stage) -> dict[str, Any]:
    """Return the numbers of a stage, or as many as can be looked at, and what kind of picture shows them."""
    array = stage.array
    if not array.ndim:
        return {"kind": "number", "array": float(array)}
    if array.ndim == 1 or len(array) == 1:
        if stage.name == "X" and not explanation.worked:
            return {"kind": "image", "array": explanation.image.tolist()}
        return {"kind": "row", "array": array.ravel().tolist() if explanation.worked else _rounded(array.ravel())}
    if array.ndim == 4:  # feature maps (1, h, w, c), or filters (kh, kw, c, filters) by their first channel
        images = array[0].transpose(2, 0, 1) if len(array) == 1 else array[:, :, 0].transpose(2, 0, 1)
        chosen = np.sort(np.argsort(-np.abs(images).max(axis=(1, 2)), kind="stable")[:LOUDEST])
        shown = images.tolist() if explanation.worked else _rounded(images[chosen])
        return {"kind": "units", "array": shown, "units": chosen.tolist()}
    if explanation.worked:
        return {"kind": "matrix", "array": array.tolist()}
    if stage.name in ("dW1", "W1 after") and len(array) == explanation.image.size:
        units = loudest(explanation, LOUDEST)
        images = array[:, units].T.reshape(-1, *explanation.image.shape)
        return {"kind": "units", "array": _rounded(images), "units": units.tolist()}
    rows, columns = (_largest(np.linalg.norm(array, axis=axis)) for axis in (1, 0))
    return {"kind": "matrix", "array": _rounded(array[np.ix_(rows, columns)])}


def _largest(norms: Array) -> NDArray[np.intp]:
    """Return the places of the largest numbers, at most `LARGEST` of them, in the order in which they stand."""
    return np.sort(np.argsort(-norms, kind="stable")[:LARGEST])


def _rounded(array: Array) -> Any:
    """Return an array as nested lists of numbers that are short to send."""
    return np.array([float(f"{value:.{DIGITS}g}") for value in array.ravel()]).reshape(array.shape).tolist()
