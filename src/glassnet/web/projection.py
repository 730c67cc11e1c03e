"""A map of the last hidden layer: test images as the network sees them, and a drawing among them."""

from base64 import b64encode
from typing import Any, Literal, TypeAlias

import numpy as np
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request

from ..data import Examples
from ..explain import Projection, project
from ..explain.units import unit_layers
from ..model import Model
from .choice import framed, name_of
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
def map_of(store: TheStore, kept: TheKept, run: str | None = None, method: Method = "pca") -> dict[str, Any]:
    """Return a map of up to 1,000 test images: their places, classes, predictions and pixels."""
    model = store.model(run)
    examples, found = _projected(store, kept, model, run, method)
    height, width = model.image_shape
    return {
        "version": version(model),
        "model": name_of(store, run),
        "method": method,
        "explained": None if found.explained is None else found.explained.tolist(),
        "classes": model.classes,
        "coordinates": encoded(found.coordinates),
        "labels": examples.labels.tolist(),
        "predictions": model.predict(examples.images).tolist(),
        "height": height,
        "width": width,
        "pixels": b64encode(examples.images.tobytes()).decode(),
    }


@router.post("/api/map")
async def place(
    request: Request, store: TheStore, kept: TheKept, preparing: Preparing, run: str | None = None,
    method: Method = "pca",
) -> dict[str, Any]:  # fmt: skip
    """Return where a drawing lies on the map, and what it is taken for."""
    picture = await request.body()

    def work_out() -> dict[str, Any]:
        model = store.model(run)
        pixels = framed(model, picture)
        _, found = _projected(store, kept, model, run, method)
        return {
            "version": version(model),
            "place": found.place(pixels)[0].tolist(),
            "prediction": int(model.predict(pixels)[0]),
            "image": pixels.tolist(),
        }

    return await run_sync(work_out, limiter=preparing)


def _projected(store: Store, kept: Kept, model: Model, run: str | None, method: str) -> tuple[Examples, Projection]:
    def work_out() -> tuple[Examples, Projection]:
        every = store.test_images(model, name_of(store, run))
        most = min(MOST, MOST_NUMBERS // unit_layers(model)[-2].size)  # fewer of a very wide layer
        examples = every.take(np.arange(0, len(every), -(-len(every) // max(most, 1))))
        return examples, project(model, examples, method)

    found: tuple[Examples, Projection] = kept.answer(("map", run, method, version(model)), work_out)
    return found
