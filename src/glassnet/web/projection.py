"""A map of the last hidden layer: test images as the network sees them, and a drawing among them."""

import json
from base64 import b64encode
from typing import Any, Literal, NamedTuple, TypeAlias

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from ..data import Examples
from ..data.dataset import Images
from ..explain import Projection, project
from ..explain.units import unit_layers
from ..model import Model
from .choice import Step, framed, name_of
from .dependencies import Preparing, TheKept, TheStore
from .kept import Kept
from .network import encoded, version
from .store import Store

__all__ = ["router"]

MOST = 1_000  # images on a map
MOST_NUMBERS = 20_000_000  # activations that it is made from: 160 MB
Method: TypeAlias = Literal["pca", "umap"]

router = APIRouter()


@router.get("/api/map")
async def map_of(
    store: TheStore, kept: TheKept, run: str | None = None, step: Step = None, method: Method = "pca",
    pixels: bool = True,
) -> Response:  # fmt: skip
    """Return a map of up to 1,000 test images: their places, classes and predictions, and if asked for their pixels."""
    model = await run_in_threadpool(store.model, run, step)
    found = await _projected(store, kept, model, run, method)
    return Response(found.with_pixels if pixels else found.content, media_type="application/json")


@router.post("/api/map")
async def place(
    request: Request, store: TheStore, kept: TheKept, preparing: Preparing, run: str | None = None,
    step: Step = None, method: Method = "pca",
) -> dict[str, Any]:  # fmt: skip
    """Return where a drawing lies on the map, and what it is taken for."""
    picture = await request.body()

    def prepare() -> tuple[Model, Images]:
        model = store.model(run, step)
        return model, framed(model, picture)

    model, pixels = await run_sync(prepare, limiter=preparing)
    found = await _projected(store, kept, model, run, method)
    places = await run_sync(found.projection.place, pixels, limiter=preparing)
    return {
        "version": version(model),
        "place": places[0].tolist(),
        "prediction": int(model.predict(pixels)[0]),
        "image": pixels.tolist(),
    }


class _Map(NamedTuple):
    """A map of test images, as JSON without their pixels and with them."""

    projection: Projection
    content: bytes
    with_pixels: bytes


async def _projected(store: Store, kept: Kept, model: Model, run: str | None, method: str) -> _Map:
    def work_out() -> _Map:
        every = store.test_images(model, name_of(store, run))
        most = min(MOST, MOST_NUMBERS // unit_layers(model)[-2].size)  # fewer of a very wide layer
        examples = every.spread(max(most, 1))
        found = project(model, examples, method)
        answer = _answer(examples, found) | {"model": name_of(store, run)}
        pixels = b64encode(examples.images.tobytes()).decode()
        return _Map(found, _as_json(answer), _as_json(answer | {"pixels": pixels}))

    answer: _Map = await kept.answer(f"map by {method}", (run, version(model)), work_out)
    return answer


def _answer(examples: Examples, found: Projection) -> dict[str, Any]:
    model = found.model
    height, width = model.image_shape
    return {
        "version": version(model),
        "method": found.method,
        "explained": None if found.explained is None else found.explained.tolist(),
        "classes": model.classes,
        "coordinates": encoded(found.coordinates),
        "labels": examples.labels.tolist(),
        "predictions": model.predict(examples.images).tolist(),
        "height": height,
        "width": width,
    }


def _as_json(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer, allow_nan=False).encode()
