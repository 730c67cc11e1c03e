"""Arrays in memory, checked and converted to bytes."""

from collections.abc import Sequence
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from .dataset import Images, Indices

__all__ = ["as_images", "as_labels", "as_pixels", "class_names"]

MAX_CLASSES = 10_000
BLOCK = 4096  # images converted at a time, so that there is no floating-point copy of all of them


def class_names(classes: int | Sequence[str]) -> tuple[str, ...]:
    """Return the names of the classes: those given, or ``"0"``, ``"1"``, … for a number of classes.

    Raises:
        DataError: fewer than two, more than 10,000, or the same name twice.
    """
    if isinstance(classes, str):
        raise DataError(f"classes = {classes!r}: give a number of classes, or a list of their names")
    count = len(classes) if isinstance(classes, Sequence) else int(classes)
    if not 2 <= count <= MAX_CLASSES:
        raise DataError(f"classes = {classes!r}: give from 2 to {MAX_CLASSES:,} classes")
    names = tuple(map(str, classes if isinstance(classes, Sequence) else range(count)))
    if len(set(names)) < len(names):
        raise DataError(f"classes = {classes!r}: two classes have the same name; give each its own")
    return names


def as_pixels(images: ArrayLike, shape: tuple[int, int], name: str = "images") -> Images:
    """Return images (n, h, w), rows of pixels (n, h·w) or one image (h, w) as uint8 (n, h, w) of the given shape.

    Raises:
        DataError: another shape, or pixels that are not gray values.
    """
    array = _array(images, name)
    if array.shape == shape:
        array = array[None]
    if array.ndim not in (2, 3) or array.shape[1:] not in (shape, (shape[0] * shape[1],)):
        raise DataError(
            f"{name} of shape {array.shape}, expected (n, {shape[0]}, {shape[1]}); "
            "`glassnet predict` converts images of any size"
        )
    return _as_bytes(array, name).reshape(len(array), *shape)


def as_images(images: ArrayLike, name: str = "images") -> Images:
    """Return images (n, h, w), or rows of pixels of square images (n, h·h), as uint8 (n, h, w).

    Pixels may be whole numbers from 0 to 255 of any type, or fractions from 0 to 1.

    Raises:
        DataError: another shape, no images, or other pixels.
    """
    array = _array(images, name)
    if not array.size:
        raise DataError(f"{name}: an array of shape {array.shape} holds no pixels; give at least one image")
    if array.ndim == 2:
        side = isqrt(array.shape[1])
        if side * side != array.shape[1]:
            raise DataError(f"{name}: rows of {array.shape[1]} pixels are not square images; give an array (n, h, w)")
        array = array.reshape(-1, side, side)
    if array.ndim != 3:
        raise DataError(f"{name}: an array of shape {array.shape}, expected (n, h, w) or (n, pixels), gray")
    return _as_bytes(array, name)


def as_labels(
    labels: ArrayLike, classes: tuple[str, ...], name: str = "labels", unit: str = "index", first: int = 0
) -> Indices:
    """Return labels as indices into ``classes`` (n,). Integers are indices already, strings are names.

    Args:
        labels: one for each image.
        classes: the names of the classes.
        name: what an error calls the labels.
        unit: what an error calls the position of a label.
        first: the number of the first position.

    Raises:
        DataError: a label outside the classes.
    """
    array = _array(labels, name)
    if array.ndim != 1:
        raise DataError(f"{name}: an array of shape {array.shape}, expected one label for each image (n,)")
    if array.dtype.kind in "OSU":
        index = {class_name: i for i, class_name in enumerate(classes)}
        texts: list[Any] = [
            label.decode("utf-8", "replace") if isinstance(label, bytes) else str(label) for label in array
        ]
        found = np.array([index.get(text, -1) for text in texts], np.int64)
    elif array.dtype.kind in "iuf":
        texts = array.tolist()
        with np.errstate(invalid="ignore"):
            found = array.astype(np.int64)
        found = np.where((found == array) & (found < len(classes)), found, -1)
    else:
        raise DataError(f"{name}: labels of type {array.dtype}, expected whole numbers or names of classes")
    outside = np.flatnonzero(found < 0)
    if len(outside):
        row = int(outside[0])
        raise DataError(
            f"{name}: the label {str(texts[row])[:20]!r} at {unit} {row + first} is not one of the {len(classes)} "
            f"classes {classes[0]} to {classes[-1]}; correct it, or give the number of classes "
            "(--classes, or load_dataset(…, classes=…))"
        )
    return found


def _array(values: ArrayLike, name: str) -> NDArray[Any]:
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{name}: not an array: its parts have different lengths; give them all the same shape"
        ) from error


def _as_bytes(array: NDArray[Any], name: str) -> Images:
    """Check the pixel values, then convert a few thousand images at a time."""
    if array.dtype == np.uint8:
        return np.asarray(array, np.uint8)
    if array.dtype.kind not in "uif":
        raise DataError(
            f"{name}: pixels of type {array.dtype}, expected numbers from 0 to 255, or fractions from 0 to 1"
        )
    low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
    if not (low >= 0 and high <= 255):  # also true of NaN
        raise DataError(f"{name}: pixels from {low:g} to {high:g}, expected 0 to 255, or fractions from 0 to 1")
    pixels = np.empty(array.shape, np.uint8)
    fractions = array.dtype.kind == "f" and high <= 1
    for start in range(0, len(array), BLOCK):
        source, target = array[start : start + BLOCK], pixels[start : start + BLOCK]
        target[...] = np.rint(source * 255.0) if fractions else source.astype(np.uint8)
        if not fractions and not np.array_equal(target, source):
            raise DataError(f"{name}: fractions above 1; give whole numbers from 0 to 255, or fractions from 0 to 1")
    return pixels
