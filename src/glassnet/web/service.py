"""What programs ask: whether the server is up, which model it has, and what is in their pictures."""

import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json, to_json
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from .. import __version__
from ..answers import answers, how_many
from ..data import Preprocessing, as_images, frame_images, frame_picture, read_picture, to_bytes
from ..data.dataset import Images
from ..errors import DataError
from .batcher import Batcher
from .dependencies import Preparing, TheStore
from .schemas import BODY, PICTURE_BODY, Description, Health, Numbers, Prediction, errors
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
        trained_on=Path(model.trained_on).name,
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
            413: "The body is larger than the server takes, by default 16 MiB.",
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
    model, pictures = store.model(None), list[Images]()
    if kind.startswith("multipart/form-data"):
        files = await _files(request)
        pictures, images = await run_sync(_from_files, files, model.preprocessing, limiter=preparing)
        names = [name for name, _ in files]
    elif "json" not in kind and body.lstrip()[:1] != b"{":
        pictures, images = await run_sync(_from_picture, body, model.preprocessing, limiter=preparing)
        names = [PICTURE]
    else:
        images, names = _from_json(body) if len(body) < SMALL else await run_in_threadpool(_from_json, body)
        if images.shape[1:] != model.image_shape:
            images = await run_sync(_framed, images, model.preprocessing, names, limiter=preparing)
    batcher: Batcher = request.app.state.batcher
    probabilities, doubts = await batcher.recognise(model, images)
    counts = None
    if pictures and doubts is not None:
        counts = [
            await run_sync(how_many, model, gray, float(doubt), limiter=preparing)
            for gray, doubt in zip(pictures, doubts, strict=True)
        ]
    return Response(
        to_json(answers(probabilities, doubts, model.classes, names, counts)), media_type="application/json"
    )


@router.post(
    "/api/read",
    operation_id="read",
    summary="Read all digits of a picture.",
    responses=errors({400: "Not a picture, a damaged one, a blank one, or no such grid."}),
    openapi_extra={"requestBody": PICTURE_BODY},
)
async def read(
    request: Request,
    store: TheStore,
    preparing: Preparing,
    rows: Annotated[int, Query(ge=1, le=100)] | None = None,
    columns: Annotated[int, Query(ge=1, le=100)] | None = None,
) -> Numbers:
    """Read lines of numbers, or the cells of a grid with as many rows and columns; digits come with their places."""
    if (rows is None) != (columns is None):
        raise DataError("a grid has rows and columns; give both, such as ?rows=9&columns=9, or neither")
    body = await request.body()
    if not body:
        raise DataError("the body is empty; send a picture")
    grid = None if rows is None or columns is None else (rows, columns)
    reading = await run_sync(lambda: store.model(None).read(body, grid), limiter=preparing)
    return Numbers.model_validate(reading.to_dict())


async def _files(request: Request) -> list[tuple[str, bytes]]:
    """Return the name and the content of each file of a form, as `curl --form picture=@seven.jpg` sends it."""
    async with request.form(max_files=MOST_FRAMED) as form:
        files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
        found = [((file.filename or PICTURE)[:80], await file.read()) for file in files]
    if not found:
        raise DataError("the form has no file; send a picture in a field, as curl --form picture=@PICTURE does")
    return found


def _from_files(files: list[tuple[str, bytes]], form: Preprocessing) -> tuple[list[Images], Images]:
    """Return the gray values (H, W) of each picture of a form, and their images (n, h, w) in the model's form."""
    pictures = [read_picture(content, name) for name, content in files]
    images = [frame_picture(gray, form, name) for gray, (name, _) in zip(pictures, files, strict=True)]
    return pictures, np.stack(images)


def _from_picture(body: bytes, form: Preprocessing) -> tuple[list[Images], Images]:
    """Return the gray values (H, W) of a body that is a picture, and the image (1, h, w) in the model's form."""
    if not body:
        raise DataError('the body is empty; send a picture, or JSON: {"pixels": [[0, 255, …], …]}')
    try:
        gray = read_picture(body, PICTURE)
    except DataError as error:
        raise DataError(_what_else(body) or str(error)) from error
    return [gray], frame_picture(gray, form, PICTURE)[None]


def _what_else(body: bytes) -> str | None:
    """Say what a body is that is not a picture, if it is one of the things that programs send for one by mistake."""
    head = body[:4096].strip()
    if head.startswith(b"data:"):
        return "the body is a data URL; send the bytes of the picture themselves"
    if head.startswith(b"--") and b"form-data" in head:
        return "the body is a form, but its content-type is not; send content-type: multipart/form-data; boundary=…"
    if re.fullmatch(rb"[\w.-]{1,40}=.*", head, re.DOTALL):
        return "the body is a form of text; send the picture itself, as curl --data-binary @PICTURE does"
    if len(head) > 40 and re.fullmatch(rb"[A-Za-z0-9+/=\s]+", head):
        return "the body is text, perhaps base64; send the bytes of the picture themselves"
    return None


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
    (images,), _ = to_bytes({name: as_images(array, name)})
    return images
