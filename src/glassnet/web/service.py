"""What programs ask: whether the server lives, which model it has, and what is in their pictures."""

import json
from functools import partial

import numpy as np
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .. import __version__
from ..answers import answers
from ..data import Preprocessing, as_images, frame_images, frame_picture, read_picture
from ..data.dataset import Images
from ..errors import DataError
from .openapi import description
from .recognition import Recognition
from .shelf import Shelf
from .site import Site

__all__ = ["routes"]

PICTURE = "the picture"  # what an answer and an error call a picture that was sent
SMALL = 2**14  # bytes of JSON, a few images: handing them to another thread would take longer than reading them
MOST_FRAMED = 64  # images of another shape in a request: each takes milliseconds to be brought into the model's form


def routes(site: Site, preparing: CapacityLimiter) -> list[Route]:
    """Return the routes of the service of a site; ``preparing`` limits how many pictures are decoded at a time."""
    service = _Service(site, preparing)
    return [
        Route("/api/health", service.health),
        Route("/api/model", service.describe),
        Route("/api/predict", service.predict, methods=["POST"]),
        Route("/openapi.json", service.openapi),
    ]


class _Service:
    def __init__(self, site: Site, preparing: CapacityLimiter) -> None:
        self._shelf = Shelf(site)  # of its own, since only one thread at a time may compute with a model
        self._recognition = Recognition()
        self._preparing = preparing

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
        model = self._shelf.model(None)
        if "json" not in kind and body.lstrip()[:1] != b"{":
            read = partial(_from_picture, body, model.preprocessing)
            images, names = await run_sync(read, limiter=self._preparing)
        else:
            given, names = _from_json(body) if len(body) < SMALL else await run_sync(_from_json, body)
            if given.shape[1:] != model.image_shape:
                frame = partial(_framed, given, model.preprocessing, names)
                given = await run_sync(frame, limiter=self._preparing)
            images = given
        probabilities = await self._recognition.probabilities(model, images)
        return JSONResponse(answers(probabilities, model.classes, names))

    async def openapi(self, _request: Request) -> Response:
        return JSONResponse(description())


def _from_picture(body: bytes, form: Preprocessing) -> tuple[Images, list[str]]:
    """Return the image (1, h, w) of a PNG or JPEG body in the model's form, and what it is called."""
    if not body:
        raise DataError('the body is empty; send a PNG or JPEG picture, or JSON: {"pixels": [[0, 255, …], …]}')
    return frame_picture(read_picture(body, PICTURE), form, PICTURE)[None], [PICTURE]


def _framed(images: Images, form: Preprocessing, names: list[str]) -> Images:
    """Return images of another shape in the model's form."""
    if len(images) > MOST_FRAMED:
        raise DataError(
            f"images: {len(images):,} of another shape than the model's {form.height}×{form.width}; "
            f"send {MOST_FRAMED} at most, or in that shape"
        )
    return frame_images(images, form, names)


def _from_json(body: bytes) -> tuple[Images, list[str]]:
    """Return the images (n, H, W) of a JSON body, and what they are called."""
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
    return images, [f"image {number}" for number in range(1, len(images) + 1)]


def _array(given: object, name: str, dimensions: str) -> Images:
    """Return nested lists as images (n, h, w)."""
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise DataError(f"{name}: rows or images of different lengths; give {dimensions}") from error
    if array.ndim != 3:
        raise DataError(f"{name}: {max(array.ndim - (name == 'pixels'), 0)} dimensions; give {dimensions}")
    return as_images(array, name)
