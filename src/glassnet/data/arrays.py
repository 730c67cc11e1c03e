"""Arrays in memory, checked and converted to bytes."""

import warnings
from collections.abc import Mapping, Sequence
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from .dataset import Images, Indices

__all__ = ["as_images", "as_labels", "as_pixels", "class_names", "to_bytes"]

MAX_CLASSES = 10_000
LARGEST_COUNT = 16  # whole numbers of which none is larger are counts, or 0 and 1, and not gray values up to 255
SMALLEST_ROW = 64  # pixels: (n, 64, 1) is rows of pixels, and (n, 4, 1) images of four rows
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


def as_pixels(images: ArrayLike, shape: tuple[int, int], name: str = "images", maximum: int = 255) -> Images:
    """Return images in any of the forms of `as_images`, or one image (h, w), as uint8 (n, h, w) of the given shape.

    Args:
        images: gray values from 0 to 255, from 0 to ``maximum``, or fractions from 0 to 1.
        shape: (h, w).
        name: what errors call the images.
        maximum: the largest value of what the model was trained on, see `to_bytes`.

    Raises:
        DataError: another shape, or pixels that are not gray values.

    Warns:
        UserWarning: no value is above 16, as in counts from 0 to 16 or in black and white, and the model was trained on
            others. They are taken as they are, nearly black.
    """
    array = _without_channel(_array(images, name))
    if array.shape in (shape, (*shape, 1)):
        array = array.reshape(1, *shape)
    if array.ndim not in (2, 3) or array.shape[1:] not in (shape, (shape[0] * shape[1],)):
        raise DataError(
            f"{name} of shape {array.shape}, expected (n, {shape[0]}, {shape[1]}); "
            "`glassnet predict` converts images of any size"
        )
    array = array.reshape(len(array), *shape)
    if array.dtype == np.uint8 and array.size and array.item(array.argmax()) > LARGEST_COUNT:
        return array  # as nearly always: one image is answered in microseconds, so this is direct
    found = _maximum(array, name) or 255
    if _has_own_scale(array):
        return _stretched(array, found, name)
    if found <= maximum < 255:
        found = maximum
    elif found <= LARGEST_COUNT:
        warnings.warn(
            f"{name}: no pixel is above {found}, taken as gray values from 0 to 255 and so nearly black; if {found} "
            f"means full ink, divide by {found} to give fractions from 0 to 1",
            stacklevel=2,
        )
        found = 255
    return _stretched(array, found, name)


def as_images(images: ArrayLike, name: str = "images") -> NDArray[Any]:
    """Return images (n, h, w), (n, h, w, 1) or (n, 1, h, w), or rows of pixels of square images (n, h·h), as (n, h, w).

    Raises:
        DataError: another shape, or no images.
    """
    array = _without_channel(_array(images, name))
    if not array.size:
        raise DataError(f"{name}: an array of shape {array.shape} holds no pixels; give at least one image")
    if array.ndim == 2:
        side = isqrt(array.shape[1])
        if side * side != array.shape[1]:
            raise DataError(f"{name}: rows of {array.shape[1]} pixels are not square images; give an array (n, h, w)")
        array = array.reshape(-1, side, side)
    if array.ndim == 4 and array.shape[-1] in (3, 4):
        raise DataError(f"{name}: an array of shape {array.shape} is in colour; give gray values, images.mean(axis=-1)")
    if array.ndim != 3:
        raise DataError(f"{name}: an array of shape {array.shape}, expected (n, h, w) or (n, pixels), gray")
    return array


def to_bytes(parts: Mapping[str, NDArray[Any]]) -> tuple[list[Images], int]:
    """Return the gray values of a data set from 0 to 255, and from where to where its own go.

    That is told from the largest value of all. Fractions from 0 to 1 and booleans go to 1. Whole numbers of which none
    is above 16 go to the largest that occurs: to 1 in images of black and white, to 16 in scikit-learn's digits. All
    others go to 255.

    Args:
        parts: all images of the data set by what errors call them, such as training and test images.

    Raises:
        DataError: pixels that are not gray values, or parts that go up to 16 and others beyond.
    """
    maxima = {name: _maximum(array, name) for name, array in parts.items()}
    counted = {name: maxima[name] for name, array in parts.items() if not _has_own_scale(array) and maxima[name]}
    common = max(counted.values(), default=1 if any(maxima.values()) else 255)
    for name, maximum in counted.items():
        if maximum <= LARGEST_COUNT < common:
            raise DataError(
                f"{name}: pixels from 0 to {maximum}, but others of this data set go to 255; bring all to one scale, "
                "such as fractions from 0 to 1"
            )
    own = {name: maximum or 255 for name, maximum in maxima.items()} | dict.fromkeys(counted, common)
    return [_stretched(array, own[name], name) for name, array in parts.items()], common


def as_labels(
    labels: ArrayLike, classes: tuple[str, ...], name: str = "labels", unit: str = "index", first: int = 0
) -> Indices:
    """Return labels as indices into ``classes`` (n,). Integers are indices already, strings are names.

    They may also be one-hot (n, k), or stand in a column (n, 1).

    Args:
        labels: one for each image.
        classes: the names of the classes.
        name: what an error calls the labels.
        unit: what an error calls the position of a label.
        first: the number of the first position.

    Raises:
        DataError: a label outside the classes.
    """
    array = _from_one_hot(_array(labels, name), len(classes), name)
    if array.dtype.kind in "OSU":
        index = {class_name: i for i, class_name in enumerate(classes)}
        texts: list[Any] = [
            label.decode("utf-8", "replace") if isinstance(label, bytes) else str(label) for label in array
        ]
        found = np.array([index.get(text, -1) for text in texts], np.int64)
    elif array.dtype.kind in "iufb":
        texts = array.tolist()
        with np.errstate(invalid="ignore"):
            found = array.astype(np.int64)
        found = np.where((found == array) & (found < len(classes)), found, -1)
    else:
        raise DataError(f"{name}: labels of type {array.dtype}, expected whole numbers or names of classes")
    outside = np.flatnonzero(found < 0)
    if len(outside):
        row = int(outside[0])
        label = str(texts[row])[:20]
        is_word = array.dtype.kind in "OSU" and not label.isdecimal()
        cure = (
            "leave out --classes, or from Python give the names of the classes (classes=[…])"
            if is_word
            else "give the number of classes (--classes, or load_dataset(…, classes=…))"
        )
        raise DataError(
            f"{name}: the label {label!r} at {unit} {row + first} is not one of the {len(classes)} classes "
            f"{classes[0]} to {classes[-1]}; correct it, or {cure}"
        )
    return found


def _from_one_hot(array: NDArray[Any], classes: int, name: str) -> NDArray[Any]:
    """Return one label for each image (n,)."""
    if array.ndim == 2 and array.shape[1] == 1:
        return array[:, 0]
    if array.ndim == 1:
        return array
    if array.ndim != 2 or array.shape[1] != classes:
        raise DataError(
            f"{name}: an array of shape {array.shape}, expected one label for each image (n,), "
            f"or one-hot (n, {classes})"
        )
    if array.dtype.kind not in "iufb" or not ((array == 0) | (array == 1)).all() or (array.sum(axis=1) != 1).any():
        raise DataError(f"{name}: rows that are not one-hot, with a single 1 and 0 elsewhere; give one label each")
    found: NDArray[np.int64] = array.argmax(axis=1)
    return found


def _array(values: ArrayLike, name: str) -> NDArray[Any]:
    try:
        return np.asarray(values)
    except ValueError as error:
        raise DataError(
            f"{name}: not an array: its parts have different lengths; give them all the same shape"
        ) from error
    except (TypeError, RuntimeError) as error:  # a tensor on a GPU, or one with a gradient
        raise DataError(f"{name}: not an array ({error}); give a NumPy array") from error


def _without_channel(array: NDArray[Any]) -> NDArray[Any]:
    """Return images without the axis of their only channel, which Keras has last and PyTorch second."""
    if array.ndim == 4 and array.shape[-1] == 1:
        return array[..., 0]
    if array.ndim == 3 and array.shape[2] == 1 and isqrt(array.shape[1]) ** 2 == array.shape[1] >= SMALLEST_ROW:
        return array[:, :, 0]
    return array[:, 0] if array.ndim == 4 and array.shape[1] == 1 else array


def _has_own_scale(array: NDArray[Any]) -> bool:
    """Whether the type says how far the values go: fractions and booleans, to 1."""
    return array.dtype == bool or (array.dtype.kind == "f" and array.size > 0 and bool(array.max() <= 1))


def _maximum(array: NDArray[Any], name: str) -> int:
    """Return how far the values go, see `to_bytes`; 0 where none is above 0."""
    if array.dtype == bool:
        return int(array.any())
    if array.dtype.kind not in "uif":
        raise DataError(
            f"{name}: pixels of type {array.dtype}, expected numbers from 0 to 255, or fractions from 0 to 1"
        )
    if array.dtype == np.uint8:
        return _maximum_of_bytes(array)
    low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
    if not (low >= 0 and high <= 255):  # also true of NaN
        cure = f"; divide them by {high:g}" if low >= 0 and high < np.inf else ""
        cure = "; add 1 and divide them by 2" if -1 <= low < 0 and high <= 1 else cure
        raise DataError(f"{name}: pixels from {low:g} to {high:g}, expected 0 to 255, or fractions from 0 to 1{cure}")
    if array.dtype.kind == "f" and high <= 1:
        return int(high > 0)
    return int(high) if high <= LARGEST_COUNT and high == int(high) else 255


def _maximum_of_bytes(array: NDArray[np.uint8]) -> int:
    """Return what `_maximum` does, from as few images as tell it: there may be millions, mapped from a file."""
    high = 0
    for start in range(0, len(array), BLOCK):
        block = array[start : start + BLOCK]
        high = max(high, int(block.item(block.argmax())))  # a microsecond sooner than max, which shows for one image
        if high > LARGEST_COUNT:
            return 255
    return high


def _stretched(array: NDArray[Any], maximum: int, name: str) -> Images:
    """Return values from 0 to ``maximum`` as bytes, a few thousand images at a time."""
    if array.dtype == np.uint8 and maximum == 255:
        return np.asarray(array, np.uint8)
    fractions = _has_own_scale(array)
    pixels = np.empty(array.shape, np.uint8)
    for start in range(0, len(array), BLOCK):
        source, target = array[start : start + BLOCK], pixels[start : start + BLOCK]
        if not fractions and not np.array_equal(source, np.rint(source)):
            raise DataError(f"{name}: fractions above 1; give whole numbers from 0 to 255, or fractions from 0 to 1")
        target[...] = source if maximum == 255 and not fractions else np.rint(source * (255.0 / maximum))
    return pixels
