"""Keras's ``mnist.npz``, a zip archive of arrays ``x_train``, ``y_train``, ``x_test`` and ``y_test``, and its like."""

import re
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from itertools import dropwhile
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ..errors import DataError
from ..files import open_regular
from .reading import MAX_FILE_BYTES, read_exactly

__all__ = ["read_npz"]

WORDS = {
    **dict.fromkeys(("x", "images", "image", "imgs", "img", "data", "features", "pixels"), "images"),
    **dict.fromkeys(("y", "labels", "label", "targets", "target"), "labels"),
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing", "te", "t10k"), "test"),
}
"""What the words in names of arrays mean."""

# What zipfile, zlib and NumPy raise on damaged files, found by damaging many.
_DAMAGE = (
    OSError,
    EOFError,
    LookupError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_npz(path: Path) -> dict[str, tuple[str, NDArray[Any]]]:
    """Return the arrays of an npz file, each with its name, by part and kind.

    Keys are ``train images``, ``train labels``, and the same of ``validation`` and ``test`` where there are any. Arrays
    are told apart by their names: ``x_train``, ``X_train``, ``train_images``, ``images`` and ``labels``, ``x`` and
    ``y``. Those that `numpy.savez` named itself, ``arr_0``, ``arr_1``, …, are told apart by their dimensions, images
    and labels in pairs. The size of each is checked before it is unpacked, and nothing is ever unpickled.

    Raises:
        DataError: not an archive of arrays, training images or labels missing, or an array that is too large, damaged,
            or made of Python objects.
    """
    try:
        with open_regular(path, MAX_FILE_BYTES) as file, zipfile.ZipFile(file) as archive:
            members = {name.removesuffix(".npy"): name for name in archive.namelist() if name.endswith(".npy")}
            names = _by_kind(members) or _by_order({name: _shape(archive, member) for name, member in members.items()})
            parts = dict.fromkeys(["train", *(kind.partition(" ")[0] for kind in names)])
            _require(names, (f"{part} {kind}" for part in parts for kind in ("images", "labels")), members, path)
            return {kind: (name, _member(archive, members[name], f"{path}: {name}")) for kind, name in names.items()}
    except DataError:
        raise
    except _DAMAGE as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise DataError(f"{path}: not a readable npz file ({reason}); is it complete?") from error


def _by_kind(names: Iterable[str]) -> dict[str, str]:
    """Return the names of arrays by part and kind, as far as the words in them tell it."""
    found: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=^[xy])(?=train|test|val)", "_", name).lower()
        words = list(dropwhile(lambda word: word not in WORDS, re.split(r"[\W_]+", plain)))  # a name may come first
        kinds = [kind for word in words if (kind := WORDS.get(word)) in ("images", "labels")]
        parts = [part for word in words if (part := WORDS.get(word)) in ("train", "validation", "test")]
        if len(kinds) == 1 and len(parts) <= 1 and len(kinds) + len(parts) == len(words):
            found.setdefault(f"{parts[0] if parts else 'train'} {kinds[0]}", name)
    return found


def _by_order(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """Return the names of numbered arrays: images go with the first labels of the same length."""
    numbered = sorted((name for name in shapes if re.fullmatch(r"arr_\d+", name)), key=lambda name: int(name[4:]))
    labels = [name for name in numbered if len(shapes[name]) == 1 or shapes[name][1:] == (1,)]
    found: dict[str, str] = {}
    for part in ("train", "test"):
        images = next((name for name in numbered if name not in labels and name not in found.values()), None)
        if images is None:
            break
        found[f"{part} images"] = images
        free = (name for name in labels if name not in found.values() and shapes[name][:1] == shapes[images][:1])
        if name := next(free, None):
            found[f"{part} labels"] = name
    return found


def _require(names: Mapping[str, str], wanted: Iterable[str], members: Iterable[str], path: Path) -> None:
    if missing := next((kind for kind in wanted if kind not in names), None):
        there = ", ".join(sorted(members)[:8]) or "none"
        raise DataError(
            f"{path}: no array of {missing} (there are: {there}); name the arrays x_train, y_train, x_test and y_test"
        )


def _shape(archive: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    with archive.open(name) as file:
        return _header(file)[0]


def _member(archive: zipfile.ZipFile, name: str, where: str) -> NDArray[Any]:
    info = archive.getinfo(name)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(
            f"{where}: compressed in a way that NumPy does not support; save it with numpy.savez_compressed"
        )
    with archive.open(info) as file:
        shape, fortran_order, dtype = _header(file)
        if dtype.hasobject:
            raise DataError(f"{where}: contains Python objects, which would need pickle; save plain numbers instead")
        promised = prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0:
            raise DataError(f"{where}: invalid shape {shape} in the header; download it again")
        content = read_exactly(file, promised, where)
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran_order else "C")


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    read = npy.read_array_header_1_0 if npy.read_magic(file) == (1, 0) else npy.read_array_header_2_0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that Python 2 wrote the header is no matter
        return read(file)
