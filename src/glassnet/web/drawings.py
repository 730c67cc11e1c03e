"""Drawings that people keep, each with its label: a folder of pictures that ``glassnet train`` takes as data."""

import io
import re
import time
from pathlib import Path
from threading import Lock

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from pydantic import Base64Bytes, BaseModel, ConfigDict, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..data import frame_picture, read_picture
from ..data.folder import MNIST_FORM
from ..errors import DataError, nearest
from ..files import write_atomically
from .shelf import Shelf

__all__ = ["MAX_BYTES", "MAX_DRAWINGS", "Drawings", "routes"]

MAX_DRAWINGS = 10_000
MAX_BYTES = 100_000  # of one drawing as it is kept
NAME = "the drawing"  # what errors call it
FOLDER_NAME = re.compile(r"\w[\w .-]{0,39}")


class _Kept(BaseModel):
    """What a client sends."""

    model_config = ConfigDict(extra="forbid")

    image: Base64Bytes
    label: str


class Drawings:
    """The kept drawings: PNG files in a folder for each class.

    Args:
        folder: where they are; it is made when the first is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._turn = Lock()

    def counts(self) -> dict[str, int]:
        """Return how many there are of each class that there is any of."""
        if not self.folder.is_dir():
            return {}
        found = {sub.name: len(list(sub.glob("[!.]*.png"))) for sub in sorted(self.folder.iterdir()) if sub.is_dir()}
        return {label: count for label, count in found.items() if count}

    def keep(self, picture: bytes, label: str) -> tuple[str, int]:
        """Keep a drawing, as gray values and with nothing else that its file held.

        Args:
            picture: the content of a PNG or JPEG file.
            label: the class that it shows.

        Returns:
            Its name, made of the time and its number, and how many of its class are kept now.

        Raises:
            DataError: no picture, no digit to see in it, or a label that cannot be a folder's name.
            FileError: the disk is full or the folder cannot be written to.
            HTTPException: 413, a drawing that is too large; 409, there are 10,000 already.
        """
        from PIL import Image

        if not FOLDER_NAME.fullmatch(label):
            raise DataError(f"{label[:40]!r} cannot be a folder's name, and so no label of drawings: rename the class")
        gray = read_picture(picture, NAME)
        frame_picture(gray, MNIST_FORM, NAME)  # one that shows nothing would spoil the whole folder as data
        file = io.BytesIO()
        Image.fromarray(gray).save(file, "PNG")
        content = file.getvalue()
        if len(content) > MAX_BYTES:
            raise HTTPException(413, f"{NAME} takes {len(content):,} bytes, and at most {MAX_BYTES:,} are kept")
        with self._turn:
            counts = self.counts()
            number = sum(counts.values()) + 1
            if number > MAX_DRAWINGS:
                raise HTTPException(409, f"{MAX_DRAWINGS:,} drawings are kept already; move some out of {self.folder}")
            path = self.folder / label / f"{time.strftime('%Y%m%d-%H%M%S')}-{number:05}.png"
            write_atomically(path, content)
        return path.stem, counts.get(label, 0) + 1


def routes(shelf: Shelf, preparing: CapacityLimiter) -> list[Route]:
    """Return the paths of kept drawings.

    ``GET /api/drawings`` counts them by class. ``POST`` keeps one, given ``image`` in base64 and ``label``, a class of
    the site's model, or with ``?run=NAME`` of that run's. ``preparing`` limits how many pictures are decoded at a time.
    """
    drawings = Drawings(shelf.site.drawings)

    def keep(run: str | None, body: bytes) -> dict[str, str | int]:
        try:
            kept = _Kept.model_validate_json(body)
        except ValidationError as error:
            raise DataError('a drawing is kept by {"image": its PNG in base64, "label": its class}') from error
        classes = shelf.model(run).classes
        if kept.label not in classes:
            raise DataError(f"{kept.label[:40]!r} is no class of this model{nearest(kept.label, classes)}")
        name, count = drawings.keep(kept.image, kept.label)
        return {"name": name, "count": count}

    async def answer(request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse(await run_in_threadpool(drawings.counts))
        body = await request.body()
        run = request.query_params.get("run")
        return JSONResponse(await run_sync(keep, run, body, limiter=preparing), 201)

    return [Route("/api/drawings", answer, methods=["GET", "POST"])]
