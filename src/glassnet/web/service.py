"""What programs ask: whether the server is up, which model it has, and what is in their pictures."""

from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json, to_json
from starlette.concurrency import run_in_threadpool

from .. import __version__
from ..answers import answers
from ..data import Preprocessing, as_images, frame_images, frame_picture, read_picture
from ..data.dataset import Images
from ..errors import DataError
from .batcher import Batcher
from .dependencies import TheStore
from .guard import LARGEST_BODY
from .schemas import BODY, Description, Health, Prediction, errors
from .store import Store

__all__ = ["router"]

PICTURE = "the picture"  # what an answer and an error call a picture that was sent
SMALL = 2**14  # bytes of JSON, a few images: handing them to another thread would take longer than reading them
MOST_FRAMED = 64  # images of another shape in a request: each takes milliseconds to be brought into the model's form


class Direct(APIRoute):
    """A path whose function takes the request and returns the response, and which is only described here.

    What FastAPI otherwise does for a request, which for this path is nothing, takes a fifth of its time.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return handler


router = APIRouter(responses=errors({421: "The request's Host is not one of this server's names."}))
direct = APIRouter(responses=router.responses, route_class=Direct)


@router.get("/api/health", operation_id="health", summary="Say that the server is up.")
async def health() -> Health:
    """Answer while the server is up, and with which version."""
    return Health(status="ok", version=__version__)


@router.get(
    "/api/model",
    operation_id="model",
    summary="Describe the model.",
    responses=errors({400: "The model cannot be read, or there is none yet."}),
)
def describe(store: TheStore) -> Description:
    """Describe the model that `/api/predict` asks."""
    model = store.model(None)
    return Description(
        classes=list(model.classes),
        image_shape=list(model.image_shape),
        parameters=model.size,
        members=len(model.networks),
        layers=model.network.specification(),
        trained_on=model.trained_on,
    )


@direct.post(
    "/api/predict",
    operation_id="predict",
    summary="Recognise images.",
    response_model=list[Prediction],
    responses=errors(
        {
            400: "Not a picture, a damaged one, no digit in it, or invalid pixels.",
            403: "Sent by another site's page.",
            408: "The body did not arrive in time.",
            413: f"The body is larger than {LARGEST_BODY:,} bytes.",
        }
    ),
    openapi_extra={"requestBody": BODY},
)
async def predict(request: Request) -> Response:
    """Return a prediction for each image, in the order in which they were sent.

    A picture may be dark on light or light on dark, of any size, off-centre, in colour: it is brought into the form of
    the images that the model was trained on.
    """
    store: Store = request.app.state.store
    preparing: CapacityLimiter = request.app.state.preparing
    body, kind = await request.body(), request.headers.get("content-type", "")
    model = store.model(None)
    if "json" not in kind and body.lstrip()[:1] != b"{":
        images, names = await run_sync(_from_picture, body, model.preprocessing, limiter=preparing)
    else:
        images, names = _from_json(body) if len(body) < SMALL else await run_in_threadpool(_from_json, body)
        if images.shape[1:] != model.image_shape:
            images = await run_sync(_framed, images, model.preprocessing, names, limiter=preparing)
    batcher: Batcher = request.app.state.batcher
    probabilities = await batcher.probabilities(model, images)
    return Response(to_json(answers(probabilities, model.classes, names)), media_type="application/json")


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
        question = from_json(body)
    except ValueError as error:
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
