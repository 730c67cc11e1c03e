"""Kaggle's ``train.csv`` and ``test.csv``: a header, then one image per row, and perhaps a column ``label``.

Reading 42,000 rows takes about a second, so what was read is kept in the cache under a hash of the file's content: a
changed file is a different file, wherever it lies and whatever its date says.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterator
from math import isqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..files import read_regular
from .cache import Table, remembered
from .dataset import MAX_PIXEL_BYTES

__all__ = ["read_csv"]

VERSION = b"1"  # goes into the hash: a reader that understands files differently must not find what this one kept
BLOCK = 2**22  # bytes of text turned into numbers at a time

_NUMBER = r"\s*[0-9]{1,9}\s*"
_NUMBERS = re.compile(f"{_NUMBER}(,{_NUMBER})*")


def read_csv(path: Path) -> Table:
    """Return the images and labels of a CSV file.

    Columns are found by their names: ``label``, and ``pixel0``, ``pixel1``, …, as many as a square image has.

    Raises:
        DataError: the file is missing, empty or too large, a column is missing, or a cell is not a whole number from 0
            to 255 (its line and column are named).
    """
    try:
        content = read_regular(path, MAX_PIXEL_BYTES)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    key = hashlib.blake2b(VERSION + content, digest_size=16).hexdigest()
    return remembered(key, lambda: _parse(path, content))


def _parse(path: Path, content: bytes) -> Table:
    if not content.strip():
        raise DataError(f"{path}: the file is empty; give Kaggle's train.csv or test.csv")
    columns = _columns(path, content)
    pixels = _pixel_columns(path, columns)
    body = content[content.find(b"\n") + 1 :] if b"\n" in content else b""
    rows = _plain_rows(body, len(columns))
    if rows is None:
        rows = np.frombuffer(b"".join(_any_rows(path, content, columns)), np.uint8).reshape(-1, len(columns))
    if not len(rows):
        raise DataError(f"{path}: no rows after the header; give a file with one image per row")
    side = isqrt(len(pixels))
    in_order = pixels == list(range(pixels[0], pixels[0] + len(pixels)))
    images = np.ascontiguousarray(rows[:, pixels[0] :][:, : len(pixels)] if in_order else rows[:, pixels])
    return Table(images.reshape(-1, side, side), rows[:, columns.index("label")].copy() if "label" in columns else None)


def _columns(path: Path, content: bytes) -> list[str]:
    line = content[:BLOCK].partition(b"\n")[0]
    try:
        columns = next(csv.reader([line.decode("utf-8-sig").rstrip("\r")]), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV file of text; give Kaggle's train.csv or test.csv") from error
    return [name.strip() for name in columns]


def _pixel_columns(path: Path, columns: list[str]) -> list[int]:
    """Return where pixel0, pixel1, … stand."""
    place = {name: i for i, name in enumerate(columns)}
    count = sum(name.startswith("pixel") for name in columns)
    if not count:
        raise DataError(f"{path}: no columns pixel0, pixel1, … in its first line; give Kaggle's train.csv or test.csv")
    if len(place) < len(columns):
        raise DataError(f"{path}: two columns have the same name; rename one")
    missing = next((f"pixel{i}" for i in range(count) if f"pixel{i}" not in place), None)
    if missing is None and isqrt(count) ** 2 != count:
        missing = f"pixel{count}"
    if missing is not None:
        raise DataError(
            f"{path}: the column {missing} is missing; an image needs pixel0 to pixel783, or another square number"
        )
    if strange := next((name for name in columns if name != "label" and not name.startswith("pixel")), None):
        raise DataError(f"{path}: the column {strange[:20]!r} is neither label nor pixel0, pixel1, …; remove it")
    return [place[f"pixel{i}"] for i in range(count)]


def _plain_rows(body: bytes, columns: int) -> NDArray[np.uint8] | None:
    """Return the numbers of rows that hold nothing but digits, commas and line ends, or None where they do not.

    A third quicker than ``numpy.loadtxt``, whose older versions also take 256 for 0 and 1.5 for 1.
    """
    body = body.replace(b"\r\n", b"\n")
    body = body if body.endswith(b"\n") or not body else body + b"\n"
    blocks = [np.empty((0, columns), np.uint8)]
    start = 0
    while start < len(body):
        stop = (body.rfind(b"\n", start, start + BLOCK) + 1) or (body.find(b"\n", start) + 1)
        block = _numbers(np.frombuffer(body, np.uint8, stop - start, start), columns)
        if block is None:
            return None
        blocks.append(block)
        start = stop
    return np.concatenate(blocks)


def _numbers(text: NDArray[np.uint8], columns: int) -> NDArray[np.uint8] | None:
    """Return the numbers in whole lines of text, or None where anything but plain numbers up to 255 is there."""
    ends = np.flatnonzero(text < ord("0"))
    if len(ends) % columns or (text > ord("9")).any():
        return None
    separators = text[ends].reshape(-1, columns)
    if (separators[:, :-1] != ord(",")).any() or (separators[:, -1] != ord("\n")).any():
        return None
    lengths = np.diff(ends, prepend=-1) - 1
    if lengths.min() < 1 or lengths.max() > 3:
        return None
    numbers = text[ends - 1] - np.uint8(ord("0"))
    for power, least in ((10, 2), (100, 3)):  # four pixels in five are a lone 0: only the others have more digits
        longer = np.flatnonzero(lengths >= least)
        larger = numbers[longer] + (text[ends[longer] - least] - np.uint8(ord("0"))) * np.uint16(power)
        if larger.max(initial=0) > 255:
            return None
        numbers[longer] = larger
    return numbers.reshape(-1, columns)


def _any_rows(path: Path, content: bytes, columns: list[str]) -> Iterator[bytes]:
    """Yield each row's numbers as bytes, slowly, quoted cells, blanks and empty lines too; and find what is wrong."""
    reader = csv.reader(io.StringIO(content.decode("utf-8-sig", errors="replace"), newline=""))
    try:
        next(reader)
        for row in reader:
            if not row:
                continue
            where = f"{path}: line {reader.line_num}"
            if len(row) != len(columns):
                raise DataError(f"{where} has {len(row)} cells, but the header has {len(columns)}")
            line = ",".join(row)
            numbers = list(map(int, row)) if line.count(",") < len(row) and _NUMBERS.fullmatch(line) else [256]
            if max(numbers) > 255:
                name, cell = next(cell for cell in zip(columns, row, strict=True) if not _is_pixel(cell[1]))
                raise DataError(f"{where}, column {name}: {cell[:20]!r} is not a whole number from 0 to 255")
            yield bytes(numbers)
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: {error}; is it a CSV file of text?") from error


def _is_pixel(cell: str) -> bool:
    return re.fullmatch(_NUMBER, cell) is not None and int(cell) <= 255
