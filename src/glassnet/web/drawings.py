"""Drawings that people keep, each with its label: a folder of pictures that ``glassnet train`` takes as data."""

import io
import re
import time
from pathlib import Path
from threading import Lock

from anyio.to_thread import run_sync
from fastapi import APIRouter, HTTPException
from pydantic import Base64Bytes, ConfigDict

from ..data import frame_picture, read_picture
from ..data.folder import MNIST_FORM
from ..errors import DataError, nearest
from ..files import write_atomically
from .dependencies import Preparing, TheStore
from .questions import Question
from .store import Store

__all__ = ["MAX_BYTES", "MAX_DRAWINGS", "count_drawings", "keep_drawing", "router"]

MAX_DRAWINGS = 10_000
MAX_BYTES = 100_000  # of one drawing as it is kept
NAME = "the drawing"  # what errors call it
KEEPING = Lock()  # one drawing is counted and written at a time
FOLDER_NAME = re.compile(r"\w[\w .-]{0,39}")


class Kept(Question):
    """A picture in base64, and the class that it shows."""

    model_config = ConfigDict(strict=False)

    image: Base64Bytes
    label: str


def count_drawings(folder: Path) -> dict[str, int]:
    """Return how many kept drawings there are of each class that there is any of."""
    if not folder.is_dir():
        return {}
    found = {sub.name: len(list(sub.glob("[!.]*.png"))) for sub in sorted(folder.iterdir()) if sub.is_dir()}
    return {label: count for label, count in found.items() if count}


def keep_drawing(picture: bytes, label: str, folder: Path) -> tuple[str, int]:
    """Keep a drawing, as gray values and with nothing else that its file held.

    Args:
        picture: the content of a picture file.
        label: the class that it shows.
        folder: where drawings are kept, a folder for each class; it is made when the first is kept.

    Returns:
        Its name, made of the time and its number, and how many of its class are kept now.

    Raises:
        DataError: not a picture, no digit in it, or a label that cannot be a folder's name.
        FileError: the disk is full or the folder cannot be written to.
        HTTPException: 413, a drawing that is too large; 409, there are 10,000 already.
    """
    from PIL import Image

    if not FOLDER_NAME.fullmatch(label):
        raise DataError(f"{label[:40]!r} cannot be a folder's name, nor the label of a drawing; rename the class")
    gray = read_picture(picture, NAME)
    frame_picture(gray, MNIST_FORM, NAME)  # one that shows nothing would spoil the whole folder as data
    file = io.BytesIO()
    Image.fromarray(gray).save(file, "PNG")
    content = file.getvalue()
    if len(content) > MAX_BYTES:
        raise HTTPException(413, f"{NAME} takes {len(content):,} bytes, and at most {MAX_BYTES:,} are kept")
    with KEEPING:
        counts = count_drawings(folder)
        number = sum(counts.values()) + 1
        if number > MAX_DRAWINGS:
            raise HTTPException(409, f"{MAX_DRAWINGS:,} drawings are kept already; move some out of {folder}")
        now = time.strftime("%Y%m%d-%H%M%S")
        while any(folder.glob(f"*/{now}-{number:05}.png")):  # where another of this second was deleted
            number += 1
        path = folder / label / f"{now}-{number:05}.png"
        write_atomically(path, content)
    return path.stem, counts.get(label, 0) + 1


router = APIRouter()


@router.get("/api/drawings")
def count(store: TheStore) -> dict[str, int]:
    """Count the kept drawings by class."""
    return count_drawings(store.site.drawings)


@router.post("/api/drawings", status_code=201)
async def keep(kept: Kept, store: TheStore, preparing: Preparing, run: str | None = None) -> dict[str, str | int]:
    """Keep a drawing whose label is a class of the site's model, or of the run's that is named."""
    return await run_sync(_keep, kept, store, run, limiter=preparing)


def _keep(kept: Kept, store: Store, run: str | None) -> dict[str, str | int]:
    classes = store.model(run).classes
    if kept.label not in classes:
        raise DataError(f"{kept.label[:40]!r} is not a class of this model{nearest(kept.label, classes)}")
    name, count = keep_drawing(kept.image, kept.label, store.site.drawings)
    return {"name": name, "count": count}
