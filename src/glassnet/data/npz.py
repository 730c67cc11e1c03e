"""Keras's ``mnist.npz``: a zip archive of four NumPy arrays, ``x_train``, ``y_train``, ``x_test`` and ``y_test``."""

import zipfile
from math import prod
from pathlib import Path
from typing import Any

from numpy.lib import format as npy
from numpy.typing import NDArray

from ..errors import DataError
from .dataset import MAX_PIXEL_BYTES

__all__ = ["read_npz"]


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an npz file by name.

    What each array says of its size is checked before anything is unpacked, and nothing is ever unpickled.

    Raises:
        DataError: no archive of arrays, ``x_train`` or ``y_train`` missing, or an array that is too large, damaged, or
            made of Python objects.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {Path(info.filename).stem: info for info in archive.infolist() if info.filename.endswith(".npy")}
            if not {"x_train", "y_train"} <= set(members):
                raise DataError(
                    f"{path}: no x_train and y_train in it (it has {', '.join(sorted(members)) or 'no arrays'})"
                )
            wanted = ("x_train", "y_train", "x_test", "y_test")
            return {name: _read(archive, members[name], path) for name in wanted if name in members}
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path}: not a readable npz file: {getattr(error, 'strerror', None) or error}") from error


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> NDArray[Any]:
    where = f"{path}: {info.filename}"
    if info.file_size > 8 * MAX_PIXEL_BYTES:  # pixels may be float64
        raise DataError(f"{where}: {info.file_size:,} bytes are more than the {8 * MAX_PIXEL_BYTES:,} allowed")
    try:
        with archive.open(info) as file:
            version = npy.read_magic(file)
            read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = read_header(file)
            if dtype.hasobject:
                raise DataError(f"{where}: Python objects, which only pickle could read; save plain numbers instead")
            if prod(shape) * dtype.itemsize != info.file_size - file.tell():
                raise DataError(
                    f"{where}: its header promises {prod(shape) * dtype.itemsize:,} bytes of data, which it has not"
                )
        with archive.open(info) as file:
            return npy.read_array(file, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{where}: not a readable array ({' '.join(str(error).split())})") from error
