"""The cache of downloaded and parsed data, which can be deleted at any time."""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_dir

from ..errors import FileError
from ..tensor_files import open_tensors, write_tensors
from .dataset import Images

__all__ = ["Table", "cache_folder", "is_remembered", "remembered"]

KIND = "table"


class Table(NamedTuple):
    """A table of images.

    Attributes:
        images: (n, h, w), from 0 to 255.
        labels: (n,), or None if they have no labels.
        maximum: how far the pixels of the table go, see `glassnet.data.arrays.to_bytes`.
        first_line: the number of the line of its file that has the first image.
        names: of the classes whose indices the labels are, where the table has words for them; else none.
    """

    images: Images
    labels: NDArray[np.uint8] | None
    maximum: int = 255
    first_line: int = 1
    names: tuple[str, ...] = ()


def cache_folder() -> Path:
    """Return ``$GLASSNET_CACHE``, or else the operating system's folder for caches."""
    if chosen := os.environ.get("GLASSNET_CACHE"):
        return Path(chosen).expanduser()
    return Path(user_cache_dir("glassnet"))


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
        numbers = {"maximum": str(table.maximum), "first_line": str(table.first_line)}
        write_tensors(kept, tensors, {"kind": KIND, "names": json.dumps(table.names), **numbers})
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
        try:
            names = tuple(map(str, json.loads(file.metadata.get("names", "[]"))))
            maximum, first_line = (
                int(file.metadata.get(*known)) for known in (("maximum", "255"), ("first_line", "1"))
            )
        except (ValueError, TypeError, RecursionError) as error:
            raise FileError(f"{kept}: damaged; delete it") from error
        return Table(images, labels, maximum, first_line, names)
