"""One image through one training step, for the page: of a trained network, or of one with 23 parameters."""

from dataclasses import replace
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from pydantic import Field

from ..data.dataset import Images
from ..explain import as_answer, explain, explain_tiny, explain_tiny_convolution, training_notes
from ..model import Model
from .choice import Of, Step, choose, framed, name_of
from .dependencies import Preparing, TheStore
from .questions import Question
from .store import Store

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
def of_model(
    store: TheStore, run: str | None = None, step: Step = None, image: int = 0, of: Of = "test", rate: float = 0.1
) -> dict[str, Any]:
    """Explain a step of a run's network, or of the site's own, on an image that it has not learned from."""
    model = store.model(run, step)
    chosen = choose(store, model, run, of, image)
    return _of_pixels(store, run, model, chosen.pixels, chosen.label, rate) | {"images": chosen.images}


@router.post("/api/explain")
async def of_drawing(
    request: Request, store: TheStore, preparing: Preparing, run: str | None = None, step: Step = None,
    label: int | None = None, rate: float = 0.1,
) -> dict[str, Any]:  # fmt: skip
    """Explain a step on a drawing, whose class is ``label``, or else what the network takes it for."""
    picture = await request.body()

    def work_out() -> dict[str, Any]:
        model = store.model(run, step)
        pixels = framed(model, picture)
        true = int(model.predict(pixels)[0]) if label is None else label
        return _of_pixels(store, run, model, pixels, true, rate)

    return await run_sync(work_out, limiter=preparing)


def _of_pixels(store: Store, run: str | None, model: Model, pixels: Images, label: int, rate: float) -> dict[str, Any]:
    explanation = explain(model, pixels, label, rate)
    if run is not None:
        notes = training_notes(store.run(run).config)
        explanation = replace(explanation, notes=(*explanation.notes, *notes))
    return as_answer(explanation) | {"model": name_of(store, run)}


@router.post("/api/explain/tiny")
def of_tiny(asked: TinyStep) -> dict[str, Any]:
    """Explain a step of the tiny network."""
    return as_answer(explain_tiny(**asked.model_dump(exclude_none=True, by_alias=True)))


@router.post("/api/explain/tiny-convolution")
def of_tiny_convolution(asked: TinyStep) -> dict[str, Any]:
    """Explain a step of the tiny convolution."""
    return as_answer(explain_tiny_convolution(**asked.model_dump(exclude_none=True, by_alias=True)))
