"""What programs ask: whether the server lives, which model it has, and what is in their pictures."""

import json
from functools import partial

import anyio
import numpy as np
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .. import __version__
from ..answers import answers
from ..data import Preprocessing, as_images, frame_images, frame_picture, read_picture
from ..data.dataset import Images
from ..errors import DataError
from ..model import Model
from ..training import available_threads
from .openapi import description
from .recognition import Recognition
from .shelf import Shelf
from .site import Site

__all__ = ["routes"]

PICTURE = "the picture"  # what an answer and an error call a picture that was sent
SMALL = 2**14  # bytes of JSON, a few images: handing them to another thread would take longer than reading them


def routes(site: Site) -> list[Route]:
    """Return the routes of the service of a site."""
    service = _Service(site)
    return [
        Route("/api/health", service.health),
        Route("/api/model", service.describe),
        Route("/api/predict", service.predict, methods=["POST"]),
        Route("/openapi.json", service.openapi),
    ]


class _Service:
    def __init__(self, site: Site) -> None:
        self._shelf = Shelf(site)  # of its own, since only one thread at a time may compute with a model
        self._recognition = Recognition()
        # A picture of a few bytes may have 64 million pixels; there is memory for some of these at a time.
        self._preparing = anyio.CapacityLimiter(available_threads())

    async def health(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok", "version": __version__})

    async def describe(self, _request: Request) -> Response:
        model = await run_sync(self._shelf.model, None)
        return JSONResponse(
            {
                "classes": model.classes,
                "image_shape": model.image_shape,
                "parameters": model.size,
                "members": len(model.networks),
                "layers": model.network.specification(),
                "trained_on": model.trained_on,
            }
        )

    async def predict(self, request: Request) -> Response:
        body, kind = await request.body(), request.headers.get("content-type", "")
        is_json = "json" in kind or body.lstrip()[:1] == b"{"
        prepare = partial(self._prepare, body, is_json=is_json)
        quick = is_json and len(body) < SMALL
        model, images, names = prepare() if quick else await run_sync(prepare, limiter=self._preparing)
        probabilities = await self._recognition.probabilities(model, images)
        return JSONResponse(answers(probabilities, model.classes, names))

    async def openapi(self, _request: Request) -> Response:
        return JSONResponse(description())

    def _prepare(self, body: bytes, is_json: bool) -> tuple[Model, Images, list[str]]:
        """Return the model, the images (n, h, w) in its form, and what they are called."""
        model = self._shelf.model(None)
        if is_json:
            return model, *_from_json(body, model.preprocessing)
        if not body:
            raise DataError('the body is empty; send a PNG or JPEG picture, or JSON: {"pixels": [[0, 255, …], …]}')
        return model, frame_picture(read_picture(body, PICTURE), model.preprocessing, PICTURE)[None], [PICTURE]


def _from_json(body: bytes, form: Preprocessing) -> tuple[Images, list[str]]:
    """Return the images of a JSON body in the model's form, and what they are called."""
    try:
        question = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise DataError("the body is not JSON; was it cut short?") from error
    match question:
        case {"pixels": pixels, **others} if not others:
            name, given, dimensions = "pixels", [pixels], "[[0, 255, …], …], the rows of one image"
        case {"images": given, **others} if not others:
            name, dimensions = "images", "[[[0, 255, …], …], …], the rows of each image"
        case _:
            raise DataError('the body has neither pixels nor images alone; send {"pixels": …} or {"images": …}')
    images = _array(given, name, dimensions)
    names = [f"image {number}" for number in range(1, len(images) + 1)]
    return frame_images(images, form, names), names


def _array(given: object, name: str, dimensions: str) -> Images:
    """Return nested lists as images (n, h, w)."""
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise DataError(f"{name}: rows or images of different lengths; give {dimensions}") from error
    if array.ndim != 3:
        raise DataError(f"{name}: {max(array.ndim - (name == 'pixels'), 0)} dimensions; give {dimensions}")
    return as_images(array, name)
