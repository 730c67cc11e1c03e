"""One image through one training step, for the page: of a trained network, or of one with 23 parameters."""

from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from numpy.typing import NDArray
from pydantic import Field

from ..data.dataset import Images
from ..explain import Explanation, Stage, explain, explain_tiny, mathml, training_notes
from ..explain.explanation import PARTS, facts, heading, loudest, result
from ..model import Model
from ..nn.types import Array
from .choice import Of, choose, framed, name_of
from .dependencies import Preparing, TheStore
from .questions import Question
from .store import Store

__all__ = ["router"]

LARGEST = 48  # rows and columns of a matrix that are sent: those with the largest norm
LOUDEST = 8  # units of the first layer that are sent as images
DIGITS = 5  # of a number that is looked at, not calculated with
HIGHEST = 1_000_000  # rate: a whole number may have thousands of digits in JSON


class TinyStep(Question):
    """What a client may set of the tiny network's step; the rest is as `explain_tiny` has it."""

    parameters: dict[str, Any] | None = None
    image: list[list[int]] | None = None
    label: int | None = None
    rate: Annotated[float | None, Field(ge=0, le=HIGHEST, serialization_alias="learning_rate")] = None


router = APIRouter()


@router.get("/api/explain")
def of_model(
    store: TheStore, run: str | None = None, image: int = 0, of: Of = "test", rate: float = 0.1
) -> dict[str, Any]:
    """Explain a step of a run's network, or of the site's own, on an image that it has not learned from."""
    model = store.model(run)
    chosen = choose(store, model, run, of, image)
    return _of_pixels(store, run, model, chosen.pixels, chosen.label, rate) | {"images": chosen.images}


@router.post("/api/explain")
async def of_drawing(
    request: Request, store: TheStore, preparing: Preparing, run: str | None = None, label: int | None = None,
    rate: float = 0.1,
) -> dict[str, Any]:  # fmt: skip
    """Explain a step on a drawing, whose class is ``label``, or else what the network takes it for."""
    picture = await request.body()

    def work_out() -> dict[str, Any]:
        model = store.model(run)
        pixels = framed(model, picture)
        true = int(model.predict(pixels)[0]) if label is None else label
        return _of_pixels(store, run, model, pixels, true, rate)

    return await run_sync(work_out, limiter=preparing)


def _of_pixels(store: Store, run: str | None, model: Model, pixels: Images, label: int, rate: float) -> dict[str, Any]:
    explanation = explain(model, pixels, label, rate)
    if run is not None:
        notes = training_notes(store.run(run).config)
        explanation = replace(explanation, notes=(*explanation.notes, *notes))
    return _answer(explanation) | {"model": name_of(store, run)}


@router.post("/api/explain/tiny")
def of_tiny(asked: TinyStep) -> dict[str, Any]:
    """Explain a step of the tiny network."""
    explanation = explain_tiny(**asked.model_dump(exclude_none=True, by_alias=True))
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
        return {"kind": "units", "array": _rounded(images[chosen]), "units": chosen.tolist()}
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
