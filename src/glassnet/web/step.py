"""One image through one training step, for the page: of a trained network, or of one with 23 parameters."""

from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter
from pydantic import Field

from ..errors import DataError
from ..explain import as_answer, explain, explain_tiny, explain_tiny_convolution, training_notes
from .dependencies import TheStore
from .questions import Question

__all__ = ["router"]

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
    return as_answer(explanation) | {"model": name, "images": len(examples)}


@router.post("/api/explain/tiny")
def of_tiny(asked: TinyStep) -> dict[str, Any]:
    """Explain a step of the tiny network."""
    return as_answer(explain_tiny(**asked.model_dump(exclude_none=True, by_alias=True)))


@router.post("/api/explain/tiny-convolution")
def of_tiny_convolution(asked: TinyStep) -> dict[str, Any]:
    """Explain a step of the tiny convolution."""
    return as_answer(explain_tiny_convolution(**asked.model_dump(exclude_none=True, by_alias=True)))
