"""Which columns of a table hold the pixels of an image, and which its label."""

import re
from collections import Counter
from collections.abc import Sequence
from math import isqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

__all__ = ["Columns", "named_columns", "unnamed_columns"]

LABELS = frozenset(["label", "labels", "class", "classes", "target", "targets", "y", "digit", "digits", "category"])
IDS = frozenset(["index", "idx", "id", "ids", "rowid", "imageid", "no", "nr", "number"])
"""Names of columns that only number the rows, as letters; so has a column without a name."""

LARGEST_LABEL = 99  # of a table without header: a column with a larger number in it is taken for pixels
COUNTED = 12  # rows: with as many, a column that counts them does not hold labels

_NUMBERED = re.compile(r"(.*?)(\d{1,400})\D*")
_ROW_AND_COLUMN = re.compile(r"(\D*)(\d{1,400})(\D+)(\d{1,400})\D*")


class Columns(NamedTuple):
    """Where the pixels of an image stand, row by row, and its label, if it has one."""

    pixels: list[int]
    label: int | None


def named_columns(names: Sequence[str], where: str) -> Columns:
    """Tell the columns of a table with a header by their names.

    The label is called label, class, target, y, … in any case. The names of pixels end in numbers that count from any
    number on (pixel0, pixel_1, 0), or hold row and column (1x1, r0c0). Ids of rows are left out.

    Raises:
        DataError: columns are missing, double, or of unknown names.
    """
    plain = [re.sub(r"[\W_]", "", name).lower() for name in names]
    labels = [i for i, name in enumerate(plain) if name in LABELS]
    if len(labels) > 1:
        both = " and ".join(repr(names[i]) for i in labels[:2])
        raise DataError(f"{where}: the columns {both} both look like labels; remove one")
    left_out = {i for i, name in enumerate(plain) if not name or name in IDS or re.fullmatch(r"unnamed\d*", name)}
    rest = [i for i in range(len(names)) if i not in left_out and i not in labels]
    twice = next((name for name, count in Counter(names[i] for i in rest).items() if count > 1), None)
    if twice is not None:
        raise DataError(f"{where}: two columns have the same name, {twice[:20]!r}; rename one")
    pixels = _pixels({i: names[i] for i in rest}, where)
    first, last = names[pixels[0]], names[pixels[-1]]
    count_themselves = not labels and not first.lower().startswith("p") and _is_square(len(pixels) - 1)
    if not _is_square(len(pixels)) and not count_themselves:
        raise DataError(
            f"{where}: {len(pixels):,} columns of pixels, {first} to {last}, are not a square image; one of 28×28 has "
            "784; is a column missing?"
        )
    return Columns(pixels, labels[0] if labels else None)


def unnamed_columns(rows: NDArray[np.number], where: str) -> Columns:
    """Tell the columns of a table without a header by their number and by what stands in ``rows`` (n, columns).

    A square number of columns is an image, one more an image with its label, the first or the last, and one more again
    has a column before them that counts the rows.

    Raises:
        DataError: another number of columns.
    """
    width = rows.shape[1]
    counts = len(rows) >= COUNTED and bool((np.diff(rows[:, 0].astype(np.float64)) == 1).all())
    for ids in (1, 0) if counts else (0, 1):
        pixels = width - ids
        if _is_square(pixels):
            return Columns(list(range(ids, width)), None)
        if _is_square(pixels - 1):
            first, last = rows[:, ids], rows[:, -1]
            if not _may_be_labels(first) and _may_be_labels(last):
                return Columns(list(range(ids, width - 1)), width - 1)
            return Columns(list(range(ids + 1, width)), ids)
    raise DataError(
        f"{where}: no header, and {width:,} numbers in a row; expected a square number of pixels such as 784 (28×28), "
        "or one more with the label first or last"
    )


def _is_square(count: int) -> bool:
    return count > 0 and isqrt(count) ** 2 == count


def _may_be_labels(numbers: NDArray[np.number]) -> bool:
    """Whether a column could hold classes; a corner of images is always, or nearly always, ground."""
    return bool((numbers <= LARGEST_LABEL).all() and (numbers % 1 == 0).all() and len(np.unique(numbers)) > 1)


def _pixels(names: dict[int, str], where: str) -> list[int]:
    """Return the columns of pixels in their order, given the names of all that are neither label nor id."""
    numbered = {i: match for i, name in names.items() if (match := _NUMBERED.fullmatch(name))}
    if not numbered:
        seen = ", ".join(repr(name[:20]) for name in list(names.values())[:4]) or "none"
        raise DataError(
            f"{where}: no columns of pixels in its first line (there are: {seen}); expected label, pixel0, pixel1, … "
            "or no header at all, as in Kaggle's train.csv or test.csv"
        )
    ((prefix, count),) = Counter(match[1] for match in numbered.values()).most_common(1)
    places = {i: (0, int(match[2])) for i, match in numbered.items() if match[1] == prefix}
    grid = {i: match for i, name in names.items() if (match := _ROW_AND_COLUMN.fullmatch(name))}
    if len(grid) > count:
        places = {i: (int(match[2]), int(match[4])) for i, match in grid.items()}
    order = sorted(places, key=places.__getitem__)
    first = names[order[0]]
    if strange := next((name for i, name in names.items() if i not in places), None):
        raise DataError(
            f"{where}: the column {strange[:20]!r} is neither label nor one of the pixels {first}, …; remove it, or "
            "call it label if it holds the classes"
        )
    if missing := _missing(sorted(places.values())):
        numbers = iter(missing if len(grid) > count else missing[1:])
        name = re.sub(r"\d+", lambda _: str(next(numbers)), first[len(prefix) :] if len(grid) <= count else first)
        name = name if len(grid) > count else prefix + name
        raise DataError(f"{where}: the column {name} is missing; an image needs all pixels from {first} on")
    return order


def _missing(places: list[tuple[int, int]]) -> tuple[int, int] | None:
    """Return the first (row, column) that is left out, or None."""
    rows, columns = ({place[axis] for place in places} for axis in (0, 1))
    # One after another, since a name may hold any number: the first that is left out comes soon.
    every = ((i, j) for i in range(min(rows), max(rows) + 1) for j in range(min(columns), max(columns) + 1))
    there = set(places)
    return next((place for place in every if place not in there), None)
