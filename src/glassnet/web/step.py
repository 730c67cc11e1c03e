"""One image through one training step, for the page: of a trained network, or of one with 23 parameters."""

from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter
from numpy.typing import NDArray
from pydantic import Field

from ..errors import DataError
from ..explain import Explanation, Stage, explain, explain_tiny, explain_tiny_convolution, mathml, training_notes
from ..explain.explanation import PARTS, facts, heading, loudest, result
from ..nn.types import Array
from .dependencies import TheStore
from .questions import Question

__all__ = ["router"]

LARGEST = 48  # rows and columns of a matrix that are sent: those with the largest norm
LOUDEST = 8  # units of the first layer that are sent as images
DIGITS = 5  # of a number that is looked at, not calculated with
HIGHEST = 1_000_000  # rate: a whole number may have thousands of digits in JSON


class TinyStep(Question):
    """What a client may set of a tiny network's step; the rest is as the function that explains it has it."""

    parameters: dict[str, Any] | None = None
    image: list[list[int]] | None = None
    label: int | None = None
    rate: Annotated[float | None, Field(ge=0, le=HIGHEST, serialization_alias="learning_rate")] = None


router = APIRouter()


@router.get("/api/explain")
def of_model(store: TheStore, run: str | None = None, image: int = 0, rate: float = 0.1) -> dict[str, Any]:
    """Explain a step of a run's network, or of the site's own, on one of its test images."""
    model = store.model(run)
    name = run or ("the bundled model" if store.site.model is None else store.site.model.name)
    examples = store.test_images(model, name)
    if not 0 <= image < len(examples):
        raise DataError(f"image {image}: there are {len(examples):,} test images, 0 to {len(examples) - 1}")
    pixels = examples.images_at(np.array([image]))[0]
    explanation = explain(model, pixels, int(examples.labels[image]), rate)
    if run is not None:
        notes = training_notes(store.run(run).config)
        explanation = replace(explanation, notes=(*explanation.notes, *notes))
    return _answer(explanation) | {"model": name, "images": len(examples)}


@router.post("/api/explain/tiny")
def of_tiny(asked: TinyStep) -> dict[str, Any]:
    """Explain a step of the tiny network."""
    return _with_parameters(explain_tiny(**asked.model_dump(exclude_none=True, by_alias=True)))


@router.post("/api/explain/tiny-convolution")
def of_tiny_convolution(asked: TinyStep) -> dict[str, Any]:
    """Explain a step of the tiny convolution."""
    return _with_parameters(explain_tiny_convolution(**asked.model_dump(exclude_none=True, by_alias=True)))


def _with_parameters(explanation: Explanation) -> dict[str, Any]:
    parameters = {name: array.tolist() for name, array in explanation.parameters.items()}
    return _answer(explanation) | {"parameters": parameters}


def _answer(explanation: Explanation) -> dict[str, Any]:
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
