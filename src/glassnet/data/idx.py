"""IDX, the format of the original MNIST files: a magic number, the sizes of the dimensions, then bytes.

    0x00 0x00 type rank | size of each dimension, 4 bytes big-endian | the numbers

Type 8 means unsigned bytes, which images and most labels are, and type 12 whole numbers of four bytes, big-endian.
"""

import gzip
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .reading import Readable, read_exactly

__all__ = ["FILES", "find_idx", "read_idx"]

FILES = {
    "train images": "train-images-idx3-ubyte",
    "train labels": "train-labels-idx1-ubyte",
    "test images": "t10k-images-idx3-ubyte",
    "test labels": "t10k-labels-idx1-ubyte",
}
"""What the four files are called, but for ``.gz``; some copies have a dot in place of the hyphen before ``idx``."""


def find_idx(folder: Path, part: str) -> Path | None:
    """Return the file of a part, one of the keys of `FILES`, under any of its usual names, or None."""
    name = FILES[part]
    for candidate in (name, name.replace("-idx", ".idx")):
        for ending in ("", ".gz"):
            if (folder / f"{candidate}{ending}").is_file():
                return folder / f"{candidate}{ending}"
    return None


def read_idx(path: Path, rank: int, *, member: str = "", kind: str = "B") -> NDArray[Any]:
    """Return the array of an IDX file, gzip'd or plain, of ``rank`` dimensions.

    Only as much is read as the header announces, at most 2 GiB.

    Args:
        path: the file.
        rank: of the array.
        member: the name of the IDX file, where ``path`` is a zip archive that has it.
        kind: ``"B"`` for bytes, ``"i"`` for whole numbers of four bytes.

    Raises:
        DataError: the file is missing, empty, truncated, too long, too large, or something else.
    """
    where = f"{path}: {member}" if member else str(path)
    try:
        with _opened(path, member) as raw:
            gzipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            return _read(gzip.GzipFile(fileobj=raw) if gzipped else raw, where, rank, kind)
    except (OSError, EOFError, KeyError, zlib.error, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{where}: cannot be read: {reason}; is it complete?") from error


@contextmanager
def _opened(path: Path, member: str) -> Iterator[IO[bytes]]:
    if not member:
        with path.open("rb") as raw:
            yield raw
        return
    with zipfile.ZipFile(path) as archive, archive.open(member) as raw:
        yield raw


def _read(file: Readable, where: str, rank: int, kind: str) -> NDArray[Any]:
    header = file.read(4 + 4 * rank)
    code, size, what = {"B": (8, 1, "unsigned bytes"), "i": (12, 4, "four bytes")}[kind]
    if not header:
        raise DataError(f"{where}: the file is empty; download it again")
    if len(header) < 4 or header[:3] != bytes([0, 0, code]) or header[3] != rank:
        content = "images" if rank == 3 else "labels"
        raise DataError(f"{where}: not an IDX file of {content} in {what} (its magic number is wrong)")
    if len(header) < 4 + 4 * rank:
        raise DataError(f"{where}: the header is truncated; download it again")
    shape = struct.unpack(f">{rank}I", header[4:])
    if not all(shape):
        raise DataError(f"{where}: the header gives the shape {'×'.join(map(str, shape))}, which is empty")
    return np.frombuffer(read_exactly(file, prod(shape) * size, where), f">{kind}").reshape(shape)
