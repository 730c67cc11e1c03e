"""IDX, the format of the original MNIST files: a magic number, the sizes of the dimensions, then bytes.

    0x00 0x00 type rank | size of each dimension, 4 bytes big-endian | the numbers

Type 8 means unsigned bytes, the only one that images and labels of this kind have.
"""

import gzip
import struct
import zlib
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .dataset import MAX_PIXEL_BYTES

__all__ = ["FILES", "find_idx", "read_idx"]

FILES = {
    "train images": "train-images-idx3-ubyte",
    "train labels": "train-labels-idx1-ubyte",
    "test images": "t10k-images-idx3-ubyte",
    "test labels": "t10k-labels-idx1-ubyte",
}
"""What the four files are called, but for ``.gz``; some copies have a dot in place of the hyphen before ``idx``."""

CHUNK = 2**20  # bytes read at a time


def find_idx(folder: Path, part: str) -> Path | None:
    """Return the file of a part, one of the keys of `FILES`, under any of its usual names, or None."""
    name = FILES[part]
    for candidate in (name, name.replace("-idx", ".idx")):
        for ending in ("", ".gz"):
            if (folder / f"{candidate}{ending}").is_file():
                return folder / f"{candidate}{ending}"
    return None


def read_idx(path: Path, rank: int) -> NDArray[np.uint8]:
    """Return the array of an IDX file, gzip'd or plain, of ``rank`` dimensions.

    No more is read than the header promises, and the header may not promise more than `MAX_PIXEL_BYTES`.

    Raises:
        DataError: the file is missing, empty, truncated, too long, too large, or something else.
    """
    try:
        with path.open("rb") as raw:
            gzipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if gzipped:
                with gzip.open(raw) as unpacked:
                    return _read(unpacked, path, rank)  # type: ignore[arg-type]
            return _read(raw, path, rank)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read: {reason}; is it whole?") from error


def _read(file: BinaryIO, path: Path, rank: int) -> NDArray[np.uint8]:
    header = file.read(4 + 4 * rank)
    if not header:
        raise DataError(f"{path}: the file is empty")
    if len(header) < 4 or header[:3] != b"\x00\x00\x08" or header[3] != rank:
        raise DataError(f"{path}: not an IDX file of unsigned bytes with {rank} dimensions (its magic number is wrong)")
    if len(header) < 4 + 4 * rank:
        raise DataError(f"{path}: cut short in its header")
    shape = struct.unpack(f">{rank}I", header[4:])
    expected = prod(shape)
    if expected > MAX_PIXEL_BYTES:
        raise DataError(f"{path}: its header promises {expected:,} bytes, more than the {MAX_PIXEL_BYTES:,} allowed")
    content = bytearray()
    while len(content) <= expected and (chunk := file.read(min(CHUNK, expected + 1 - len(content)))):
        content += chunk
    if len(content) != expected:
        found = f"only {len(content):,}" if len(content) < expected else "more"
        raise DataError(f"{path}: its header promises {expected:,} bytes of data, and there are {found}")
    return np.frombuffer(content, np.uint8).reshape(shape)
