"""One image through one training step, for the page: of a trained network, or of one of 23 numbers in a hand."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..data import Examples, mnist_is_here
from ..errors import ConfigError, DataError, nearest
from ..explain import Explanation, Stage, explain, explain_tiny, images_to_explain, mathml, training_notes
from ..explain.explanation import PARTS, facts, heading, loudest, result
from ..model import Model
from ..nn.types import Array
from .shelf import Shelf

__all__ = ["routes"]

LARGEST = 48  # rows and columns of a matrix that are sent: those with the largest norm
LOUDEST = 8  # units of the first layer that are sent as images
DIGITS = 5  # of a number that is looked at, not calculated with
HIGHEST = 1_000_000  # rate: a whole number may have thousands of digits in JSON
TINY: Mapping[str, tuple[Any, str]] = {
    "parameters": (dict, "an object of W1, b1, W2 and b2"),
    "image": (list, "two rows of two pixels, whole numbers from 0 to 255"),
    "label": (int, "0 for top or 1 for bottom"),
    "rate": (int | float, "a number"),
}
"""What a client may set of the tiny network's step, and how each is described to one who gets it wrong."""


def routes(shelf: Shelf) -> list[Route]:
    """Return the paths that explain a step."""
    images = _TestImages()

    async def of_model(request: Request) -> Response:
        asked = request.query_params
        image, rate = _whole(asked.get("image", "0")), _number(asked.get("rate", "0.1"))
        return JSONResponse(await run_in_threadpool(_explain_model, shelf, images, asked.get("run"), image, rate))

    async def of_tiny(request: Request) -> Response:
        try:
            asked = await request.json()
        except (ValueError, RecursionError) as error:
            raise ConfigError("the body is no JSON; send an object, such as {}") from error
        return JSONResponse(await run_in_threadpool(_explain_tiny, asked))

    return [Route("/api/explain", of_model), Route("/api/explain/tiny", of_tiny, methods=["POST"])]


class _TestImages:
    """The images that a model can be explained on; those asked for last are kept."""

    def __init__(self) -> None:
        self._kept: tuple[tuple[Any, ...], Examples] | None = None

    def of(self, model: Model, name: str) -> Examples:
        """Return them. The page downloads nothing: it says what to do instead."""
        if model.trained_on == "mnist" and not mnist_is_here():
            raise DataError(
                f"{name} learned MNIST, whose images are not on this machine, and no others have its shape; "
                "fetch them with `glassnet evaluate`, or choose a run that learned digits"
            )
        key = model.trained_on, model.fingerprint, model.classes
        kept = self._kept
        if kept is None or kept[0] != key:
            kept = self._kept = (key, images_to_explain(model, name))
        return kept[1]


def _explain_model(shelf: Shelf, images: _TestImages, run: str | None, number: int, rate: float) -> dict[str, Any]:
    model = shelf.model(run)
    own = "the model in the box" if shelf.site.model is None else shelf.site.model.name
    examples = images.of(model, run or own)
    if not 0 <= number < len(examples):
        raise DataError(f"image {number}: there are {len(examples):,} test images, 0 to {len(examples) - 1}")
    explanation = explain(model, examples.images[number], int(examples.labels[number]), rate)
    if run is not None:
        notes = training_notes(shelf.run(run).config)
        explanation = replace(explanation, notes=(*explanation.notes, *notes))
    return _answer(explanation) | {"model": run or own, "images": len(examples)}


def _explain_tiny(asked: Any) -> dict[str, Any]:
    if not isinstance(asked, dict):
        raise ConfigError("the body is no JSON object; send one, such as {}")
    for name, value in asked.items():
        if name not in TINY:
            raise ConfigError(f"no setting called {name[:80]!r}{nearest(name, TINY)}")
        kind, words = TINY[name]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ConfigError(f"{name}: give {words}, not {str(value)[:80]!r}")
    if not 0 <= asked.get("rate", 0) <= HIGHEST:
        raise ConfigError(f"rate: give a number from 0 to {HIGHEST:,}")
    explanation = explain_tiny(**{"learning_rate" if name == "rate" else name: value for name, value in asked.items()})
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
        "name": stage.name,
        "part": stage.part,
        "title": stage.title,
        "mathml": mathml(stage.equation),
        "equation": stage.equation,
        "shapes": stage.shapes,
        "meaning": stage.meaning,
        "sums": list(stage.sums),
        "facts": [] if stage.per_class or stage.sums else facts(explanation, stage),
        "per_class": stage.per_class,
        "shape": list(stage.array.shape),
    } | _shown(explanation, stage)


def _shown(explanation: Explanation, stage: Stage) -> dict[str, Any]:
    """Return the numbers of a stage, or as many as can be looked at, and what kind of picture shows them."""
    array = stage.array
    if not array.ndim:
        return {"kind": "number", "array": float(array)}
    if array.ndim == 1 or len(array) == 1:
        if stage.name == "X" and not explanation.worked:
            return {"kind": "image", "array": explanation.image.tolist()}
        return {"kind": "row", "array": array.ravel().tolist() if explanation.worked else _rounded(array.ravel())}
    if explanation.worked:
        return {"kind": "matrix", "array": array.tolist()}
    if stage.name in ("dW1", "W1 after"):
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


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise ConfigError(f"image: {text[:80]!r} is no whole number") from error


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ConfigError(f"rate: {text[:80]!r} is no number") from error
