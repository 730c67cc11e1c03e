"""Kaggle's ``train.csv`` and ``test.csv``: a header, then an image a row, its label in the column ``label`` if any.

Reading 42,000 rows takes about a second, so what was read is kept in the cache under a hash of the file's content: a
changed file is a different file, wherever it lies and whatever its date says.
"""

import csv
import hashlib
import io
from contextlib import suppress
from math import isqrt
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, FileError
from ..files import open_tensors, write_tensors
from .cache import cache_folder
from .dataset import MAX_PIXEL_BYTES, Images

__all__ = ["Table", "read_csv"]

VERSION = "1"


class Table(NamedTuple):
    """Images (n, h, w) and their labels (n,), or None where the file has no column of them."""

    images: Images
    labels: NDArray[np.uint8] | None


def read_csv(path: Path) -> Table:
    """Return the images and labels of a CSV file.

    Columns are found by their names: ``label``, and ``pixel0``, ``pixel1``, …, as many as a square image has.

    Raises:
        DataError: the file is missing, empty or too large, a column is missing, or a cell is no whole number from 0 to
            255 (its line and column are named).
    """
    try:
        size = path.stat().st_size
        if size > 4 * MAX_PIXEL_BYTES:  # up to four characters a pixel
            raise DataError(f"{path}: {size:,} bytes are more than the {4 * MAX_PIXEL_BYTES:,} allowed")
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    key = hashlib.blake2b(content, digest_size=16).hexdigest()
    kept = cache_folder() / "csv" / f"{key}.safetensors"
    table = _from_cache(kept)
    if table is None:
        table = _parse(path, content)
        with suppress(FileError):  # a cache that cannot be written only means that the next load is as slow as this one
            tensors = {"images": table.images} | ({} if table.labels is None else {"labels": table.labels})
            write_tensors(kept, tensors, {"kind": "csv", "version": VERSION})
    return table


def _from_cache(kept: Path) -> Table | None:
    """Return what an earlier load kept, or None where there is nothing, or nothing of use."""
    try:
        with open_tensors(kept, "csv") as file:
            if file.metadata.get("version") != VERSION:
                return None
            images = file.read("images", file.shapes["images"], np.uint8)
            labels = file.read("labels", (len(images),), np.uint8) if "labels" in file.shapes else None
            return Table(images, labels)
    except (FileError, KeyError):
        return None


def _parse(path: Path, content: bytes) -> Table:
    header_line, _, body = content.partition(b"\n")
    try:
        header = next(csv.reader([header_line.decode("utf-8-sig").strip()]), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV file of text; give Kaggle's train.csv or test.csv") from error
    columns = [name.strip() for name in header]
    pixels = _pixel_columns(path, columns)
    if not body.strip():
        raise DataError(f"{path}: a header and no rows")
    try:
        rows = np.loadtxt(io.BytesIO(body), np.uint8, delimiter=",", quotechar='"', comments=None, ndmin=2)
    except (ValueError, OverflowError) as error:
        raise DataError(f"{path}: {_first_fault(content, columns) or ' '.join(str(error).split())}") from error
    if rows.shape[1] != len(columns):
        raise DataError(f"{path}: {_first_fault(content, columns) or 'rows of another length than the header'}")
    side = isqrt(len(pixels))
    in_order = pixels == list(range(pixels[0], pixels[0] + len(pixels)))
    chosen = rows[:, pixels[0] : pixels[0] + len(pixels)] if in_order else rows[:, pixels]
    labels = rows[:, columns.index("label")].copy() if "label" in columns else None
    return Table(np.ascontiguousarray(chosen).reshape(-1, side, side), labels)


def _pixel_columns(path: Path, columns: list[str]) -> list[int]:
    """Return where pixel0, pixel1, … stand."""
    place = {name: i for i, name in enumerate(columns)}
    count = sum(name.startswith("pixel") for name in columns)
    if not count:
        raise DataError(f"{path}: no columns pixel0, pixel1, … in its first line; give Kaggle's train.csv or test.csv")
    if len(place) < len(columns):
        raise DataError(f"{path}: two columns have the same name")
    missing = next((f"pixel{i}" for i in range(count) if f"pixel{i}" not in place), None)
    if missing is None and isqrt(count) ** 2 != count:
        missing = f"pixel{count}"
    if missing is not None:
        raise DataError(
            f"{path}: the column {missing} is missing; an image needs pixel0 to pixel783, or another square number"
        )
    return [place[f"pixel{i}"] for i in range(count)]


def _first_fault(content: bytes, columns: list[str]) -> str | None:
    """Find the first row or cell that is wrong: slow, and only called once something is known to be wrong."""
    text = io.StringIO(content.decode("utf-8-sig", errors="replace"), newline="")
    reader = csv.reader(text)
    try:
        next(reader)
        for row in reader:
            if not row:
                continue
            if len(row) != len(columns):
                return f"line {reader.line_num} has {len(row)} cells, and the header has {len(columns)}"
            for name, cell in zip(columns, row, strict=True):
                if not (cell.strip().isascii() and cell.strip().isdigit() and int(cell) <= 255):
                    return f"line {reader.line_num}, column {name}: {cell[:20]!r} is no whole number from 0 to 255"
    except csv.Error as error:
        return f"line {reader.line_num}: {error}"
    return None
