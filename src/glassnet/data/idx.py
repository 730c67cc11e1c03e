"""IDX, the format of the original MNIST files: a magic number, the sizes of the dimensions, then bytes.

    0x00 0x00 type rank | size of each dimension, 4 bytes big-endian | the numbers

Type 8 means unsigned bytes, which images and most labels are, and type 12 whole numbers of four bytes, big-endian.
"""

import gzip
import os
import re
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
from ..files import open_regular
from .reading import MAX_FILE_BYTES, Readable, read_exactly

__all__ = ["FILES", "find_idx", "read_idx", "upright"]

FILES = {
    "train images": "train-images-idx3-ubyte",
    "train labels": "train-labels-idx1-ubyte",
    "test images": "t10k-images-idx3-ubyte",
    "test labels": "t10k-labels-idx1-ubyte",
}
"""What MNIST's four files are called, but for ``.gz``."""

SAMPLE = 2_000  # images that tell whether they are upright
_NAME = re.compile(
    r"(?:(?P<set>.+)[-_.])?(?P<part>train|t10k|test)[-_.](?P<kind>images?|labels?)(?:[-_.]?(?:idx[13]|ubyte))+"
    r"(?:[-_.]gz)?",
    re.IGNORECASE,
)
WITHIN = (".", "raw", "MNIST/raw")  # where in a folder torchvision leaves its files


def find_idx(folder: Path, beside: Path | None = None) -> dict[str, Path]:
    """Return the IDX files of a data set in a folder by their part, as `FILES` has them; empty where there are none.

    They may be called as MNIST's are, with dots or underscores in place of hyphens, ``test`` for ``t10k``, plain or
    gzip'd, and have a name before that, such as ``emnist-letters-``. They may lie where torchvision leaves them.

    Args:
        folder: the folder.
        beside: a file of the data set to find, where a folder has several.

    Raises:
        DataError: the files of several data sets.
    """
    for place in WITHIN:
        if (folder / place).is_dir() and (sets := _sets(folder / place)):
            if beside is not None and (match := _NAME.fullmatch(beside.name)):
                return sets[match["set"] or ""]
            if len(sets) > 1:
                names = ", ".join(sorted(sets)[:6])
                raise DataError(
                    f"{folder / place}: IDX files of several data sets ({names}); give the path of one file"
                )
            return next(iter(sets.values()))
    return {}


def _sets(folder: Path) -> dict[str, dict[str, Path]]:
    """Return the IDX files of a folder by the name of their data set and their part; plain ones before gzip'd."""
    sets: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.iterdir(), key=lambda path: (path.suffix.lower() == ".gz", path.name)):
        if (match := _NAME.fullmatch(path.name)) and path.is_file():
            part = "train" if match["part"].lower() == "train" else "test"
            kind = "images" if match["kind"].lower().startswith("image") else "labels"
            sets.setdefault(match["set"] or "", {}).setdefault(f"{part} {kind}", path)
    return sets


def upright(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return images (n, h, w) of EMNIST upright: its files have them with rows and columns exchanged.

    Digits and letters are drawn higher than wide, so these are exchanged where most are wider than high.
    """
    ink = images[:SAMPLE] > 127
    heights, widths = (np.any(ink, axis=axis).sum(axis=1).mean() for axis in (2, 1))
    return np.ascontiguousarray(images.transpose(0, 2, 1)) if widths > heights else images


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
            if not gzipped:
                raw.seek(0)
                return _read(raw, where, rank, kind)
            raw.seek(-4, os.SEEK_END)
            size: int = struct.unpack("<I", raw.read(4))[0]
            raw.seek(0)
            return _read(gzip.GzipFile(fileobj=raw), where, rank, kind, size)
    except (OSError, EOFError, KeyError, zlib.error, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{where}: cannot be read: {reason}; is it complete?") from error


@contextmanager
def _opened(path: Path, member: str) -> Iterator[IO[bytes]]:
    with open_regular(path, MAX_FILE_BYTES) as raw:
        if not member:
            yield raw
            return
        with zipfile.ZipFile(raw) as archive, archive.open(member) as packed:
            yield packed


def _read(file: Readable, where: str, rank: int, kind: str, unpacked: int | None = None) -> NDArray[Any]:
    """Return the array of a file; ``unpacked``: what a gzip'd file says at its end that it unpacks to, modulo 2³²."""
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
    announced = prod(shape) * size
    expected = len(header) + announced
    if unpacked is not None and expected % 2**32 != unpacked:  # refused before any of it is unpacked
        found = "more" if unpacked > expected % 2**32 else "fewer"
        raise DataError(
            f"{where}: the header announces {announced:,} bytes of data, but there are {found}; is the file complete?"
        )
    return np.frombuffer(read_exactly(file, announced, where), f">{kind}").reshape(shape)
