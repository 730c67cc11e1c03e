"""Tables of images in text, one image a row and perhaps its label: Kaggle's ``train.csv``, and what others write.

Reading 42,000 rows takes about a second, so what was read is kept in the cache under a hash of the file's content: a
changed file is a different file, wherever it lies and whatever its date says.
"""

import hashlib
import io
import re
from math import isqrt
from os import PathLike
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..files import advice, as_path, read_regular
from .arrays import to_bytes
from .cache import Table, remembered
from .columns import Columns, named_columns, unnamed_columns
from .dataset import MAX_PIXEL_BYTES
from .delimited import WITHIN, TableText, line_at, read_text

__all__ = ["read_csv"]

VERSION = b"4"  # goes into the hash: a reader that understands files differently must not find what this one kept
MOST_WORDS = 256  # different labels that are words
MISSING = frozenset([b"", b"nan", b"null", b"n/a", b"<na>"])  # what a table has for a missing label, in lower case
BLOCK = 2**22  # bytes of text turned into numbers at a time

_NUMBER = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,3})?\s*", re.IGNORECASE | re.ASCII)


def read_csv(path: str | PathLike[str]) -> Table:
    """Return the images and labels of a CSV file.

    What may stand between cells, how the file may be packed and encoded: see `read_text`. How columns are told apart:
    see `named_columns` and `unnamed_columns`. Pixels are whole numbers from 0 to 255, or from 0 to a lower maximum
    that all images share, or fractions from 0 to 1; see `to_bytes`. Labels are whole numbers, or words.

    Raises:
        DataError: the file is missing, empty or too large, a column is missing, or a cell is not such a number (its
            line and column are named).
    """
    path = as_path(path)
    try:
        content = read_regular(path, MAX_PIXEL_BYTES)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); {advice(error, 'give a CSV file')}") from error
    key = hashlib.blake2b(VERSION + content, digest_size=16).hexdigest()
    return remembered(key, lambda: _parse(path, content))


def _parse(path: Path, content: bytes) -> Table:
    text = read_text(path, content)
    named = named_columns(text.names, str(path)) if text.names is not None else None
    first = line_at(text.body, 0)
    if not first.strip():
        raise DataError(f"{path}: no rows after the header; give a file with one image per row")
    width = first.count(b",") + 1 if text.names is None else len(text.names)
    text, names = _with_numbers_for_words(path, text, first, named)
    rows = _plain_rows(text.body, width)
    if rows is None:
        rows = _any_rows(text.body, width, named)
    if rows is None or not len(rows):
        _complain(path, text, width, named)
    columns = _columns(path, rows, named)
    labels = None if columns.label is None else rows[:, columns.label].copy()
    pixels, side = _taken(rows, columns.pixels), isqrt(len(columns.pixels))
    if _invalid(pixels) or (labels is not None and _invalid(labels, fractions=False)):
        _complain(path, text, width, columns, fractions=not _invalid(pixels, whole=False))
    (images,), maximum = to_bytes({str(path): pixels.reshape(-1, side, side)})
    return Table(images, None if labels is None else labels.astype(np.uint8), maximum, text.first_line, names)


def _with_numbers_for_words(
    path: Path, text: TableText, first: bytes, named: Columns | None
) -> tuple[TableText, tuple[str, ...]]:
    """Return the table with an index in the place of each label, and the words that they are, sorted.

    Where some are numbers, the table stays as it is, so that what is wrong is found in its place.
    """
    candidates = [0, -1] if named is None else [] if named.label is None else [named.label]
    cells = first.split(b",")
    column = next((at for at in candidates if at < len(cells) and not _is_number(cells[at])), None)
    if column is None:
        return text, ()
    lines = text.body.split(b"\n")
    rows = (i for i, line in enumerate(lines) if line.count(b",") == len(cells) - 1)
    places = {i: _place(lines[i], column % len(cells), len(cells)) for i in rows}
    labels = {i: lines[i][place].strip() for i, place in places.items()}
    words = sorted(set(labels.values()))
    missing = [word for word in words if word.lower() in MISSING]
    if missing == words or any(map(_is_number, words)):
        return text, ()
    if missing:
        line, label = next((i, label) for i, label in labels.items() if label in missing)
        told = f"{path}: line {text.first_line + line}: the label is missing ({_shown(label)})"
        raise DataError(f"{told}; give it one, or remove the row")
    if len(words) > MOST_WORDS:
        raise DataError(f"{path}: {len(words):,} different labels such as {_shown(words[0])}; at most {MOST_WORDS}")
    index = {word: b"%d" % at for at, word in enumerate(words)}
    for i, place in places.items():
        lines[i] = lines[i][: place.start] + index[labels[i]] + lines[i][place.stop :]
    body = b"\n".join(lines)
    separator = text.separator.encode()
    return text._replace(body=body), tuple(word.replace(WITHIN, separator).decode("utf-8", "replace") for word in words)


def _place(line: bytes, column: int, width: int) -> slice:
    """Return where a cell stands in a line, without an object for each of the others."""
    if 2 * column < width:
        start = len(line) - len(line.split(b",", column)[-1])
    else:
        start = len(line.rsplit(b",", width - column)[0]) + 1
    end = line.find(b",", start)
    return slice(start, len(line) if end < 0 else end)


def _is_number(cell: bytes) -> bool:
    return bool(_NUMBER.fullmatch(cell.decode("ascii", "replace")))


def _shown(word: bytes) -> str:
    return repr(word[:20].decode("utf-8", "replace"))


def _columns(path: Path, rows: NDArray[Any], named: Columns | None) -> Columns:
    """Return the columns, which without names, or with such as only count, the rows themselves tell."""
    if named is None:
        return unnamed_columns(rows, str(path))
    if isqrt(len(named.pixels)) ** 2 == len(named.pixels):
        return named
    among = unnamed_columns(rows[:, named.pixels], str(path))
    label = None if among.label is None else named.pixels[among.label]
    return Columns([named.pixels[i] for i in among.pixels], label)


def _taken(rows: NDArray[Any], columns: list[int]) -> NDArray[Any]:
    """Return some columns; they mostly lie side by side, which is quicker to copy."""
    in_order = columns == list(range(columns[0], columns[0] + len(columns)))
    return np.ascontiguousarray(rows[:, columns[0] :][:, : len(columns)] if in_order else rows[:, columns])


def _invalid(numbers: NDArray[Any], *, whole: bool = True, fractions: bool = True) -> bool:
    """Whether there is anything but whole numbers from 0 to 255 (if ``whole``) or fractions from 0 to 1."""
    if numbers.dtype == np.uint8 and whole:
        return False
    low, high = numbers.min(), numbers.max()
    if not (low >= 0 and high <= (255 if whole else 1)):  # also true of NaN
        return True
    return not (fractions and high <= 1) and not np.array_equal(numbers, np.rint(numbers))


def _plain_rows(body: bytes, columns: int) -> NDArray[np.uint8] | None:
    """Return the numbers of rows that hold nothing but digits, commas and line ends, or None where they do not.

    Four times as quick as ``numpy.loadtxt``, which the other forms take.
    """
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


def _any_rows(body: bytes, columns: int, named: Columns | None) -> NDArray[Any] | None:
    """Return numbers of any form, bytes where all can be, or None where something is not a number or a row too long.

    What stands in columns that are left out, such as names of files, is 0 here.
    """
    needed = sorted({*named.pixels, *([] if named.label is None else [named.label])}) if named else range(columns)
    blocks: list[NDArray[Any]] = []
    start = 0
    while start < len(body):
        stop = (body.rfind(b"\n", start, start + BLOCK) + 1) or (body.find(b"\n", start) + 1)
        lines, start = body[start:stop], stop
        if not lines.strip():
            continue
        try:
            text = io.StringIO(lines.decode("ascii"))
            found = np.loadtxt(text, np.float64, delimiter=",", comments=None, ndmin=2, usecols=needed)
        except ValueError:
            return None
        if lines.count(b",") != len(found) * (columns - 1):
            return None
        block = np.zeros((len(found), columns))
        block[:, needed] = found
        with np.errstate(invalid="ignore"):
            small = block.astype(np.uint8)
        blocks.append(small if np.array_equal(small, block) else block.astype(np.float32))
    return np.concatenate(blocks) if blocks else None


def _complain(path: Path, text: TableText, width: int, columns: Columns | None, *, fractions: bool = False) -> NoReturn:
    """Read row by row, slowly, to find what is wrong, and raise the DataError that names it."""
    label, pixels = (None, list(range(width))) if columns is None else (columns.label, columns.pixels)
    fits = dict.fromkeys(pixels, _is_fraction if fractions else _is_gray) | {label: _is_gray}  # and no others
    for line, row in enumerate(text.body.decode("utf-8", errors="replace").split("\n"), text.first_line):
        cells = row.split(",")
        if not row.strip():
            continue
        if len(cells) != width:
            of = "the header" if text.names else "the first row"
            raise DataError(f"{path}: line {line} has {len(cells)} cells, but {of} has {width}")
        for column, cell in enumerate(cells):
            number = float(cell) if _NUMBER.fullmatch(cell) else None
            if column in fits and (number is None or not fits[column](number)):
                name = text.names[column] if text.names else column + 1
                wanted = "a whole number from 0 to 255" + ", nor are all pixels fractions from 0 to 1" * (
                    column != label
                )
                raise DataError(f"{path}: line {line}, column {name}: {cell[:20]!r} is not {wanted}")
    raise DataError(f"{path}: not a table of gray values from 0 to 255; give one like Kaggle's train.csv")


def _is_gray(number: float) -> bool:
    return 0 <= number <= 255 and number == int(number)


def _is_fraction(number: float) -> bool:
    return 0 <= number <= 1
