"""Drawings that people keep, each with its label: a folder of pictures that ``glassnet train`` takes as data."""

import io
import os
import re
import time
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Annotated

import numpy as np
from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, HTTPException
from fastapi.responses import FileResponse, Response
from pydantic import Base64Bytes, ConfigDict
from starlette.concurrency import run_in_threadpool

from ..data import frame_picture, read_picture
from ..data.dataset import Images
from ..data.folder import MNIST_FORM
from ..data.framing import reduced
from ..errors import DataError, FileError, nearest
from ..files import write_atomically
from .choice import NAME
from .dependencies import Preparing, TheStore
from .drawing_files import find, is_kept, kept_file, listed_name, pictures_by_class
from .questions import Question
from .record import file_version
from .store import Store

__all__ = [
    "MAX_BYTES",
    "MAX_DRAWINGS",
    "delete_drawings",
    "keep_drawing",
    "list_drawings",
    "relabel_drawing",
    "router",
]

MAX_DRAWINGS = 10_000
MAX_BYTES = 100_000  # of one drawing as it is kept
THUMBNAIL = 128  # pixels: the longer side of somebody's own picture as the page shows it
KEEPING = Lock()  # one drawing is counted and written, moved or deleted at a time
FOLDER_NAME = re.compile(r"\w[\w .-]{0,39}")


class Kept(Question):
    """A picture in base64, and the class that it shows."""

    model_config = ConfigDict(strict=False)

    image: Base64Bytes
    label: str


class Label(Question):
    """The class that a drawing shows."""

    label: str


def list_drawings(folder: Path) -> dict[str, list[str]]:
    """Return the names of the pictures of each class that there are any of, of the kept ones the oldest first.

    The name of a drawing that was kept here has no suffix; people's own pictures have theirs. Folders that are links
    are left out: the pictures there lie elsewhere.
    """
    found = pictures_by_class(folder)
    return {label: sorted(map(listed_name, found[label])) for label in found if not (folder / label).is_symlink()}


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
        FileError: the disk is full, or the folder cannot be written to or is a link.
        HTTPException: 413, a drawing that is too large; 409, there are 10,000 already.
    """
    if not FOLDER_NAME.fullmatch(label):
        raise _no_label(label)
    gray = read_picture(picture, NAME)
    frame_picture(gray, MNIST_FORM, NAME)  # one that shows nothing would spoil the whole folder as data
    content = _png(gray)
    if len(content) > MAX_BYTES:
        raise HTTPException(413, f"{NAME} takes {len(content):,} bytes, and at most {MAX_BYTES:,} are kept")
    with KEEPING:
        kept = list_drawings(folder)
        number = sum(map(len, kept.values())) + 1
        if number > MAX_DRAWINGS:
            raise HTTPException(409, f"{MAX_DRAWINGS:,} drawings are kept already; move some out of {folder}")
        now = time.strftime("%Y%m%d-%H%M%S")
        while any(folder.glob(f"*/{kept_file(now, number)}")):  # where another of this second was deleted
            number += 1
        path = _class_folder(folder, label) / kept_file(now, number)
        write_atomically(path, content)
    return path.stem, len(kept.get(label, ())) + 1


def _png(gray: Images) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(gray).save(file, "PNG")
    return file.getvalue()


def relabel_drawing(label: str, name: str, new: str, folder: Path) -> str:
    """Give a kept drawing another label; return its name there, which is another where its own is taken.

    Raises:
        DataError: a label that cannot be a folder's name.
        FileError: the folder cannot be written to, or is a link.
        HTTPException: 404, no such drawing; 409, it is somebody's own picture.
    """
    if not FOLDER_NAME.fullmatch(new):
        raise _no_label(new)
    with KEEPING:
        path = _kept(label, name, folder)
        if new == label:
            return name
        place = _class_folder(folder, new)
        try:
            place.mkdir(exist_ok=True)
            target = _free(place, path)
            path.rename(target)
        except OSError as error:
            _tidy(place)
            raise FileError(f"{path}: cannot be moved to {place} ({error.strerror})") from error
        _tidy(path.parent)
    return listed_name(target)


def delete_drawings(folder: Path, label: str | None = None, name: str | None = None) -> int:
    """Delete a kept drawing, or all of them, and nothing else that is in the folder; return how many that were.

    Raises:
        FileError: the folder cannot be written to.
        HTTPException: 404, no such drawing; 409, it is somebody's own picture.
    """
    with KEEPING:
        if label is not None and name is not None:
            paths = [_kept(label, name, folder)]
        else:
            found = pictures_by_class(folder)
            places = [label for label in found if not (folder / label).is_symlink()]
            paths = [path for label in places for path in found[label] if is_kept(path)]
        for path in paths:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise FileError(f"{path}: cannot be deleted ({error.strerror})") from error
        for place in {path.parent for path in paths}:
            _tidy(place)
    return len(paths)


def _kept(label: str, name: str, folder: Path) -> Path:
    """Return the file of a drawing that was kept here: nothing else is moved or deleted."""
    path = find(label, name, folder)
    if not is_kept(path):
        raise HTTPException(
            409, f"{path}: was not kept by this page, which leaves it as it is; move or delete it there"
        )
    return path


def _class_folder(folder: Path, label: str) -> Path:
    """Return the folder of a class, in which a drawing may be put."""
    place = folder / label
    if place.is_symlink():
        raise FileError(f"{place}: is a link to another folder, where no drawings are kept; remove or rename the link")
    return place


def _free(place: Path, drawing: Path) -> Path:
    """Return where a drawing can be put without taking the place of another."""
    target = place / drawing.name
    numbers = count(2)
    while os.path.lexists(target):
        target = place / f"{drawing.stem}-{next(numbers)}{drawing.suffix}"
    return target


def _tidy(place: Path) -> None:
    """Remove the folder of a class that no drawing is left of; data has no empty classes."""
    with suppress(OSError):  # there are other files in it
        place.rmdir()


def _no_label(label: str) -> DataError:
    return DataError(f"{label[:40]!r} cannot be a folder's name, nor the label of a drawing; rename the class")


router = APIRouter()


@router.get("/api/drawings")
def kept(store: TheStore) -> dict[str, list[str]]:
    """List the kept drawings by class."""
    return list_drawings(store.site.drawings)


@router.post("/api/drawings", status_code=201)
async def keep(kept: Kept, store: TheStore, preparing: Preparing, run: str | None = None) -> dict[str, str | int]:
    """Keep a drawing whose label is a class of the site's model, or of the run's that is named."""
    return await run_sync(_keep, kept, store, run, limiter=preparing)


@router.delete("/api/drawings")
def delete_all(store: TheStore) -> dict[str, int]:
    """Delete all kept drawings."""
    return {"deleted": delete_drawings(store.site.drawings)}


@router.get("/api/drawings/{label}/{name}")
async def picture(
    label: str, name: str, store: TheStore, preparing: Preparing, if_none_match: Annotated[str, Header()] = ""
) -> Response:
    """Send a kept drawing as it is, and of somebody's own picture a small PNG, unless the client has it already."""
    path = await run_in_threadpool(find, label, name, store.site.drawings)
    if is_kept(path):
        return FileResponse(path, media_type="image/png")
    inode, written = await run_in_threadpool(file_version, path)
    headers = {"ETag": f'"{inode:x}-{written:x}"', "Cache-Control": "private, no-cache"}  # ask each time if it is new
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    thumbnail = await run_sync(_thumbnail, path, limiter=preparing)
    return Response(thumbnail, media_type="image/png", headers=headers)


@router.put("/api/drawings/{label}/{name}")
def relabel(label: str, name: str, wanted: Label, store: TheStore, run: str | None = None) -> dict[str, str]:
    """Give a kept drawing another label, a class of the site's model, or of the run's that is named."""
    _check_label(wanted.label, store, run)
    return {"label": wanted.label, "name": relabel_drawing(label, name, wanted.label, store.site.drawings)}


@router.delete("/api/drawings/{label}/{name}")
def delete(label: str, name: str, store: TheStore) -> dict[str, int]:
    """Delete a kept drawing."""
    return {"deleted": delete_drawings(store.site.drawings, label, name)}


def _thumbnail(path: Path) -> bytes:
    return _png(np.rint(reduced(read_picture(path, f"{path.parent.name}/{path.name}"), THUMBNAIL)).astype(np.uint8))


def _keep(kept: Kept, store: Store, run: str | None) -> dict[str, str | int]:
    _check_label(kept.label, store, run)
    name, count = keep_drawing(kept.image, kept.label, store.site.drawings)
    return {"name": name, "count": count}


def _check_label(label: str, store: Store, run: str | None) -> None:
    classes = store.model(run).classes
    if label not in classes:
        raise DataError(f"{label[:40]!r} is not a class of this model{nearest(label, classes)}")
