"""Files of pictures in one folder per class."""

import hashlib
import re
from collections.abc import Collection
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .dataset import MAX_PIXEL_BYTES, Examples, Images, Indices
from .framing import frame_picture
from .in_memory import TEST_SHARE
from .pictures import SUFFIXES, picture_bytes, read_picture
from .preprocess import Preprocessing

__all__ = [
    "PARTS",
    "ClassFolders",
    "class_folders",
    "held_out",
    "is_picture",
    "left_out",
    "natural",
    "parts_of",
    "read_class_pictures",
]

PARTS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
"""What people call the folders of each part of a data set, in any case."""
_OF_SYSTEMS = ("thumbs.db", "desktop.ini")  # what Windows leaves in folders of pictures

ClassFolders: TypeAlias = dict[Path, list[Path]]
"""The pictures in each of some folders, one for each class."""

READY_SIDE = 64  # pixels: pictures of one size up to this are taken to have been prepared already

MNIST_FORM = Preprocessing(height=28, width=28, scale=1 / 255, shift=0.0, box=20, dark_on_light=False)


def parts_of(folder: Path) -> dict[str, ClassFolders]:
    """Return the class folders of the parts of a data set that are there, by the names in `PARTS`.

    Raises:
        DataError: two folders of one part.
    """
    found: dict[str, ClassFolders] = {}
    for sub in sorted(folder.iterdir()):
        part = next((part for part, names in PARTS.items() if sub.name.lower() in names), None)
        if part and sub.is_dir() and (pictures := class_folders(sub)):
            if part in found:
                other = next(iter(found[part])).parent
                raise DataError(f"{folder}: {other.name} and {sub.name} are both {part} images; join them")
            found[part] = pictures
    return found


def class_folders(folder: Path) -> ClassFolders:
    """Return the folders in ``folder`` that hold pictures, and the pictures of each, by name, 2 before 10."""
    found = {
        sub: sorted(filter(is_picture, sub.iterdir()), key=natural)
        for sub in folder.iterdir()
        if sub.is_dir() and not sub.name.startswith(".")
    }
    return {sub: found[sub] for sub in sorted(found, key=natural) if found[sub]}


def natural(path: Path) -> list[tuple[bool, int, str]]:
    """Return what paths are sorted by: the numbers in names as numbers, and before texts."""
    parts = [part for part in re.split(r"([0-9]+)", path.name) if part]
    return [(not part.isdecimal(), int(part) if part.isascii() and part.isdecimal() else 0, part) for part in parts]


def read_class_pictures(
    root: Path, paths: list[Path], classes: tuple[str, ...]
) -> tuple[Examples, NDArray[np.float64]]:
    """Return the pictures of class folders below ``root`` as examples, and their places (n,), which `held_out` takes.

    Pictures of the same size up to 64×64 are used unchanged. Others, such as photographs, are converted to MNIST's form
    of 28×28 pixels, as by `glassnet predict`. Each file is read once.

    Raises:
        DataError: a file that is gone or not a picture, or a photograph without a recognisable digit (its path is
            named), or too many of them.
    """
    images: list[Images] = []
    places: list[float] = []
    is_ready = True  # until a picture shows that they were not prepared already
    for path in paths:
        content = picture_bytes(path, str(path))
        image = read_picture(content, str(path))
        if is_ready and (max(image.shape) > READY_SIDE or (images and image.shape != images[0].shape)):
            is_ready = False
            images = [frame_picture(earlier, MNIST_FORM, str(its)) for earlier, its in zip(images, paths, strict=False)]
        images.append(image if is_ready else frame_picture(image, MNIST_FORM, str(path)))
        if len(images) * images[0].size > MAX_PIXEL_BYTES:
            raise DataError(f"{path.parent.parent}: more than {MAX_PIXEL_BYTES:,} pixels of pictures")
        places.append(_place(content))
    labels = np.array([classes.index(path.parent.name) for path in paths], np.int64)
    files = [path.relative_to(root).as_posix() for path in paths]
    return Examples(np.stack(images), labels, files=files), np.array(places)


def held_out(places: NDArray[np.float64], labels: Indices) -> NDArray[np.bool_]:
    """Return which pictures become test images where a folder has none, (n,).

    They are a fifth, chosen by the content of each file: pictures that are added, deleted or moved to another class
    leave the others where they were, so that no later run is tested on what an earlier one has learned. A handful is
    the exception: of each class the picture with the greatest place is kept for training, wherever that is, and where
    no other is in the lowest fifth, the lowest is held out.

    Args:
        places: (n,), from `read_class_pictures`; the same for files of the same content.
        labels: (n,), the class of each.
    """
    greatest = np.zeros(labels.max() + 1)
    np.maximum.at(greatest, labels, places)
    may_go = places < greatest[labels]
    return np.asarray(may_go & (places <= max(TEST_SHARE, places[may_go].min(initial=1.0))), np.bool_)


def _place(content: bytes) -> float:
    """Return a number from 0 to 1 that depends on the file's content alone."""
    return int.from_bytes(hashlib.blake2b(content, digest_size=6).digest(), "big") / 2**48


def left_out(parts: Collection[ClassFolders]) -> str:
    """Say what lies beside the class folders and pictures of a data set's parts, or nothing where that is nothing."""
    files, empty = [], []
    roots = [next(iter(used)).parent for used in parts]
    for root, used in zip(roots, parts, strict=True):
        files += [path for path in _visible(root) if not path.is_dir()]
        files += [path for folder in used for path in _visible(folder) if not is_picture(path)]
        empty += [path for path in _visible(root) if path.is_dir() and path not in used]
    words = [
        f"{len(paths):,} {one if len(paths) == 1 else several} ({_names(paths)})"
        for paths, one, several in (
            (files, "other file", "other files"),
            (empty, "folder without pictures", "folders without pictures"),
        )
        if paths
    ]
    return f"{roots[0]}: left out {' and '.join(words)}" if words else ""


def _visible(folder: Path) -> list[Path]:
    """Return what is in a folder, by name, without what systems hide or leave there."""
    return sorted(p for p in folder.iterdir() if not p.name.startswith(".") and p.name.lower() not in _OF_SYSTEMS)


def _names(paths: list[Path], shown: int = 3) -> str:
    return ", ".join(f"{path.parent.name}/{path.name}" for path in paths[:shown]) + ", …" * (len(paths) > shown)


def is_picture(path: Path) -> bool:
    """Return whether a file is called as a picture is, and not hidden."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
