"""Arrays that somebody has in memory, checked and brought to bytes."""

from collections.abc import Sequence
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from .dataset import Images, Indices

__all__ = ["as_images", "as_labels", "as_pixels", "class_names"]


def class_names(classes: int | Sequence[str]) -> tuple[str, ...]:
    """Return the names of the classes: given ones, or ``"0"`` … for a number of them."""
    names = tuple(map(str, range(classes))) if isinstance(classes, int) else tuple(map(str, classes))
    if len(names) < 2 or len(set(names)) < len(names):
        raise DataError(f"classes = {classes!r}: give at least two, each with a name of its own")
    return names


def as_pixels(images: ArrayLike, shape: tuple[int, int], name: str = "images") -> Images:
    """Return images (n, h, w), rows of pixels (n, h·w) or one image (h, w) as uint8 (n, h, w) of the given shape.

    Raises:
        DataError: another shape, or pixels that are no gray values.
    """
    array = np.asarray(images)
    if array.shape == shape:
        array = array[None]
    if array.ndim not in (2, 3) or array.shape[1:] not in (shape, (shape[0] * shape[1],)):
        raise DataError(
            f"{name} of shape {array.shape}, expected (n, {shape[0]}, {shape[1]}); "
            "`glassnet predict` brings any picture into that form"
        )
    return _as_bytes(array, name).reshape(len(array), *shape)


def as_images(images: ArrayLike, name: str = "images") -> Images:
    """Return images (n, h, w), or rows of pixels of square images (n, h·h), as uint8 (n, h, w).

    Pixels may be whole numbers from 0 to 255 of any type, or fractions from 0 to 1.

    Raises:
        DataError: another shape, or other pixels.
    """
    array = np.asarray(images)
    if array.ndim == 2:
        side = isqrt(array.shape[1])
        if side * side != array.shape[1] or not side:
            raise DataError(f"{name}: rows of {array.shape[1]} pixels are no square images; give an array (n, h, w)")
        array = array.reshape(-1, side, side)
    if array.ndim != 3:
        raise DataError(f"{name}: an array of shape {array.shape}, expected (n, h, w) or (n, pixels)")
    return _as_bytes(array, name)


def as_labels(labels: ArrayLike, classes: tuple[str, ...], name: str = "labels", first_row: int = 0) -> Indices:
    """Return labels, whole numbers or texts that name a class, as indices into ``classes`` (n,).

    Args:
        labels: one for each image.
        classes: the names; numbers count as indices.
        name: what an error calls them.
        first_row: the number of the first label's row in an error.

    Raises:
        DataError: a label outside the classes.
    """
    array = np.asarray(labels)
    if array.ndim != 1:
        raise DataError(f"{name}: an array of shape {array.shape}, expected one label for each image (n,)")
    if array.dtype.kind in "OSU":
        index = {class_name: i for i, class_name in enumerate(classes)}
        texts = [label.decode("utf-8", "replace") if isinstance(label, bytes) else str(label) for label in array]
        found = np.array([index.get(text, -1) for text in texts], np.int64)
    else:
        texts = array.tolist()
        with np.errstate(invalid="ignore"):
            found = array.astype(np.int64)
            found = np.where((found == array) & (found < len(classes)), found, -1)
    outside = np.flatnonzero(found < 0)
    if len(outside):
        row = int(outside[0])
        raise DataError(
            f"{name}: the label {texts[row]!s} at row {row + first_row} is none of the {len(classes)} classes "
            f"{classes[0]} to {classes[-1]}; mend it, or say how many there are: load_dataset(…, classes=…)"
        )
    return found


def _as_bytes(array: NDArray[Any], name: str) -> Images:
    if array.dtype == np.uint8:
        return np.asarray(array, np.uint8)
    if array.dtype.kind not in "uifb":
        raise DataError(f"{name}: pixels of type {array.dtype}, expected numbers")
    low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
    if not (low >= 0 and high <= 255):  # also true of NaN
        raise DataError(f"{name}: pixels from {low:g} to {high:g}, expected 0 to 255, or fractions from 0 to 1")
    if array.dtype.kind == "f" and high <= 1:
        array = np.rint(array * 255)
    pixels: Images = array.astype(np.uint8)
    if array.dtype.kind == "f" and not np.array_equal(pixels, array):
        raise DataError(f"{name}: fractions above 1; give whole numbers from 0 to 255, or fractions from 0 to 1")
    return pixels
