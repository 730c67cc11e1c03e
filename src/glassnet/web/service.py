"""What programs ask: whether the server is up, which model it has, and what is in their pictures."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal

import numpy as np
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
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
from .store import Store

__all__ = ["router"]

PICTURE = "the picture"  # what an answer and an error call a picture that was sent
SMALL = 2**14  # bytes of JSON, a few images: handing them to another thread would take longer than reading them
MOST_FRAMED = 64  # images of another shape in a request: each takes milliseconds to be brought into the model's form


class Health(BaseModel):
    """That the server is up."""

    status: Literal["ok"]
    version: str = Field(description="Of glassnet.")


class Description(BaseModel):
    """The model that answers."""

    classes: list[str] = Field(description="The name of each class.")
    image_shape: tuple[int, int] = Field(description="Height and width of the images that the network sees, in pixels.")
    parameters: int = Field(description="The number of trained parameters.")
    members: int = Field(description="The number of networks: more than one is an ensemble.")
    layers: list[dict[str, Any]] = Field(description="The layers of each network with their settings, input first.")
    trained_on: str = Field(description="The data set; empty where it was arrays in memory.")


class Prediction(BaseModel):
    """What `glassnet predict --json` says of an image."""

    model_config = ConfigDict(extra="forbid")

    label: str = Field(description="The most probable class.")
    probabilities: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        description="The probability of each class by its name; they add up to 1, but for rounding."
    )
    input: str = Field(description="Which image it was.")


class Error(BaseModel):
    """What was wrong, and what to do."""

    model_config = ConfigDict(extra="forbid")

    error: str = Field(description="One line.")


Row = Annotated[list[Annotated[float, Field(ge=0, le=255)]], Field(min_length=1)]
Image = Annotated[
    list[Row],
    Field(
        min_length=1,
        description="The rows of an image from top to bottom, all of the same length, each of gray values: whole "
        "numbers from 0 to 255, or, where none of a request is above 1 and one is a fraction, from 0 to 1. An image of "
        "the model's own height and width is taken as it is; any other is prepared as a picture file is.",
    ),
]


class OneImage(BaseModel):
    """One image."""

    model_config = ConfigDict(extra="forbid")
    pixels: Image


class SeveralImages(BaseModel):
    """Several images of the same height and width."""

    model_config = ConfigDict(extra="forbid")
    images: Annotated[list[Image], Field(min_length=1)]


# Two strokes of a 1 in five rows: small enough to read, and something to recognise.
EXAMPLE = [[0, 0, 255, 0, 0], [0, 200, 255, 0, 0], [0, 0, 255, 0, 0], [0, 0, 255, 0, 0], [0, 0, 255, 0, 0]]
FILE = {"schema": {"type": "string", "format": "binary"}}
BODY = {
    "required": True,
    "content": {
        "image/png": FILE,
        "image/jpeg": FILE,
        "application/json": {
            "schema": {"oneOf": [kind.model_json_schema() for kind in (OneImage, SeveralImages)]},
            "example": {"pixels": EXAMPLE},
        },
    },
}


def errors(**described: str) -> dict[int | str, dict[str, Any]]:
    """Return how OpenAPI describes answers that say what was wrong, given as ``s400="…"``."""
    return {int(status[1:]): {"model": Error, "description": words} for status, words in described.items()}


class Direct(APIRoute):
    """A path whose function takes the request and returns the response, and which is only described here.

    What FastAPI otherwise does for a request, which for this path is nothing, takes a fifth of its time.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return handler


router = APIRouter(responses=errors(s421="The request's Host is not one of this server's names."))

direct = APIRouter(responses=router.responses, route_class=Direct)


@router.get("/api/health", operation_id="health", summary="Say that the server is up.")
async def health() -> Health:
    """Answer while the server is up, and with which version."""
    return Health(status="ok", version=__version__)


@router.get(
    "/api/model",
    operation_id="model",
    summary="Describe the model.",
    responses=errors(s400="The model cannot be read, or there is none yet."),
)
def describe(store: TheStore) -> Description:
    """Describe the model that `/api/predict` asks."""
    model = store.model(None)
    return Description(
        classes=list(model.classes),
        image_shape=model.image_shape,
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
        s400="Not a picture, a damaged one, no digit in it, or invalid pixels.",
        s403="Sent by another site's page.",
        s408="The body did not arrive in time.",
        s413=f"The body is larger than {LARGEST_BODY:,} bytes.",
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
