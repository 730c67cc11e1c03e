"""Files of pictures in one folder per class."""

import hashlib
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .dataset import MAX_PIXEL_BYTES, Examples, Images
from .framing import frame_picture
from .in_memory import TEST_SHARE
from .pictures import SUFFIXES, read_picture
from .preprocess import Preprocessing

__all__ = [
    "PARTS",
    "class_folders",
    "count_pictures",
    "held_out",
    "is_picture",
    "left_out",
    "natural",
    "parts_of",
    "read_class_folders",
]

PARTS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
"""What people call the folders of each part of a data set, in any case."""
_OF_SYSTEMS = ("thumbs.db", "desktop.ini")  # what Windows leaves in folders of pictures

READY_SIDE = 64  # pixels: pictures of one size up to this are taken to have been prepared already

MNIST_FORM = Preprocessing(height=28, width=28, scale=1 / 255, shift=0.0, box=20, dark_on_light=False)


def parts_of(folder: Path) -> dict[str, Path]:
    """Return the folders of the parts of a data set that are there, by the names in `PARTS`.

    Raises:
        DataError: two folders of one part.
    """
    found: dict[str, Path] = {}
    for sub in sorted(folder.iterdir()):
        part = next((part for part, names in PARTS.items() if sub.name.lower() in names), None)
        if part and sub.is_dir() and class_folders(sub):
            if part in found:
                raise DataError(f"{folder}: {found[part].name} and {sub.name} are both {part} images; join them")
            found[part] = sub
    return found


def class_folders(folder: Path) -> list[Path]:
    """Return the folders in ``folder`` that hold pictures, by name, 2 before 10."""
    found = [
        sub
        for sub in folder.iterdir()
        if sub.is_dir() and not sub.name.startswith(".") and any(map(is_picture, sub.iterdir()))
    ]
    return sorted(found, key=natural)


def natural(path: Path) -> list[tuple[bool, int, str]]:
    """Return what paths are sorted by: the numbers in names as numbers, and before texts."""
    parts = [part for part in re.split(r"([0-9]+)", path.name) if part]
    return [(not part.isdecimal(), int(part) if part.isascii() and part.isdecimal() else 0, part) for part in parts]


def read_class_folders(folders: list[Path], classes: tuple[str, ...]) -> Examples:
    """Return the pictures of class folders as examples, in the order of the folders and of the files' names.

    Pictures of the same size up to 64×64 are used unchanged. Others, such as photographs, are converted to MNIST's form
    of 28×28 pixels, as by `glassnet predict`.

    Raises:
        DataError: a file that is not a picture, or a photograph without a recognisable digit (its path is named).
    """
    paths = [path for folder in folders for path in _pictures(folder)]
    labels = [classes.index(path.parent.name) for path in paths]
    images = _ready_images(paths) or [frame_picture(read_picture(path), MNIST_FORM, str(path)) for path in paths]
    return Examples(np.stack(images), np.array(labels, np.int64))


def held_out(folders: list[Path]) -> NDArray[np.bool_]:
    """Return which pictures become test images where a folder has none, (n,), in the order of `read_class_folders`.

    They are a fifth, chosen by the content of each file: pictures that are added, deleted or moved to another class
    leave the others where they were, so that no later run is tested on what an earlier one has learned. The first
    picture of a class is kept for training; of a few pictures, of which the rule would choose none, one is held out.
    """
    places = np.array([
        _place(path) if i else 1.0 for folder in folders for i, path in enumerate(_pictures(folder))
    ])  # fmt: skip
    return np.asarray((places <= max(TEST_SHARE, places.min())) & (places < 1), np.bool_)


def _place(path: Path) -> float:
    """Return a number from 0 to 1 that a file's content has always, and another content another."""
    return int.from_bytes(hashlib.blake2b(path.read_bytes(), digest_size=6).digest(), "big") / 2**48


def _ready_images(paths: list[Path]) -> list[Images] | None:
    """Return the pictures as they are if all are small and of one size, else None."""
    images: list[Images] = []
    for path in paths:
        image = read_picture(path)
        if max(image.shape) > READY_SIDE or (images and image.shape != images[0].shape):
            return None
        images.append(image)
        if len(images) * image.size > MAX_PIXEL_BYTES:
            raise DataError(f"{path.parent.parent}: more than {MAX_PIXEL_BYTES:,} pixels of pictures")
    return images


def left_out(roots: list[Path]) -> str:
    """Say what class folders in ``roots`` do not make examples of, or nothing where that is nothing."""
    files, empty = [], []
    for root in roots:
        used = class_folders(root)
        files += [path for path in _visible(root) if not path.is_dir()]
        files += [path for folder in used for path in _visible(folder) if not is_picture(path)]
        empty += [path for path in _visible(root) if path.is_dir() and path not in used]
    parts = [
        f"{len(paths):,} {one if len(paths) == 1 else several} ({_names(paths)})"
        for paths, one, several in (
            (files, "other file", "other files"),
            (empty, "folder without pictures", "folders without pictures"),
        )
        if paths
    ]
    return f"{roots[0]}: left out {' and '.join(parts)}" if parts else ""


def _visible(folder: Path) -> list[Path]:
    """Return what is in a folder, by name, without what systems hide or leave there."""
    return sorted(p for p in folder.iterdir() if not p.name.startswith(".") and p.name.lower() not in _OF_SYSTEMS)


def _names(paths: list[Path], shown: int = 3) -> str:
    return ", ".join(f"{path.parent.name}/{path.name}" for path in paths[:shown]) + ", …" * (len(paths) > shown)


def count_pictures(folders: list[Path]) -> int:
    """Return how many examples `read_class_folders` makes of these folders."""
    return sum(len(_pictures(folder)) for folder in folders)


def _pictures(folder: Path) -> list[Path]:
    return sorted(filter(is_picture, folder.iterdir()), key=natural)


def is_picture(path: Path) -> bool:
    """Return whether a file is called as a picture is, and not hidden."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
