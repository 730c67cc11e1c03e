"""Keras's ``mnist.npz``: a zip archive of four NumPy arrays, ``x_train``, ``y_train``, ``x_test`` and ``y_test``."""

import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Mapping
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

ARRAYS = ("x_train", "y_train", "x_test", "y_test")

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


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an npz file by name.

    The size of each array is checked before it is unpacked, and nothing is ever unpickled.

    Raises:
        DataError: not an archive of arrays, ``x_train`` or ``y_train`` missing, or an array that is too large, damaged,
            or made of Python objects.
    """
    try:
        with open_regular(path, MAX_FILE_BYTES) as file, zipfile.ZipFile(file) as archive:
            members = {name.removesuffix(".npy"): name for name in archive.namelist() if name.endswith(".npy")}
            wanted = ARRAYS if set(members) & set(ARRAYS[2:]) else ARRAYS[:2]
            _require(wanted, members, path)
            return {name: _member(archive, members[name], f"{path}: {name}") for name in wanted}
    except DataError:
        raise
    except _DAMAGE as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise DataError(f"{path}: not a readable npz file ({reason}); is it complete?") from error


def _require(wanted: Iterable[str], members: Mapping[str, str], path: Path) -> None:
    if missing := [name for name in wanted if name not in members]:
        there = ", ".join(sorted(members)[:8]) or "none"
        raise DataError(f"{path}: no array {missing[0]} (there are: {there}); name the arrays {', '.join(ARRAYS)}")


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
