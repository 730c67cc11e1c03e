"""The cache of downloaded and parsed data, which can be deleted at any time."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import FileError
from ..files import open_tensors, write_tensors
from .dataset import Images

__all__ = ["Table", "cache_folder", "is_remembered", "remembered"]

KIND = "table"


class Table(NamedTuple):
    """Images (n, h, w) and their labels (n,), or None if they have no labels."""

    images: Images
    labels: NDArray[np.uint8] | None


def cache_folder() -> Path:
    """Return ``$GLASSNET_CACHE``, or else the operating system's folder for caches."""
    if chosen := os.environ.get("GLASSNET_CACHE"):
        return Path(chosen)
    import pooch

    return Path(pooch.os_cache("glassnet"))


def remembered(key: str, make: Callable[[], Table]) -> Table:
    """Return the table cached under ``key``, or else make it and cache it.

    A damaged entry is made again; if it cannot be written, the next load is as slow as this one.
    """
    kept = _path(key)
    with suppress(FileError):
        return _recall(kept)
    table = make()
    tensors: dict[str, NDArray[Any]] = {"images": table.images}
    if table.labels is not None:
        tensors["labels"] = table.labels
    with suppress(FileError):
        write_tensors(kept, tensors, {"kind": KIND})
    return table


def is_remembered(key: str) -> bool:
    """Whether there is a table kept under ``key``."""
    return _path(key).is_file()


def _path(key: str) -> Path:
    return cache_folder() / "tables" / f"{key}.safetensors"


def _recall(kept: Path) -> Table:
    with open_tensors(kept, KIND) as file:
        shapes = {name: file.shapes[name] for name in ("images", "labels") if name in file.shapes}
        tensors = file.read_all({name: (shape, np.uint8) for name, shape in shapes.items()})
        images, labels = tensors.get("images"), tensors.get("labels")
        if images is None or images.ndim != 3 or (labels is not None and labels.shape != images.shape[:1]):
            raise FileError(f"{kept}: damaged; delete it")
        return Table(images, labels)
