"""Data sets of arrays: images and labels that somebody has in memory, or that were read from files of arrays."""

from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError
from .arrays import as_images, as_labels, to_bytes
from .columns import named_columns
from .dataset import Dataset, Examples, Images, hold_out

__all__ = ["Part", "from_arrays", "from_frame", "from_parts", "make_dataset"]

TEST_SHARE, TEST_SEED = 0.2, 0  # held out where a source has no test images: a property of the data, not of a run


class Part(NamedTuple):
    """Images and labels as they were found, and what errors call them."""

    images: Any
    labels: Any
    images_name: str = "images"
    labels_name: str = "labels"


def from_parts(name: str, source: str, train: Part, test: Part | None, names: tuple[str, ...]) -> Dataset:
    """Training images, and test images if there are any, brought to one scale together."""
    parts = [train] if test is None else [train, test]
    pixels, maximum = to_bytes({part.images_name: as_images(part.images, part.images_name) for part in parts})
    found = []
    for part, images in zip(parts, pixels, strict=True):
        labels = as_labels(part.labels, names, part.labels_name)
        if len(labels) != len(images):
            raise DataError(
                f"{part.images_name}: {len(images):,} images, but {len(labels):,} labels in {part.labels_name}"
            )
        found.append(Examples(images, labels))
    return make_dataset(name, source, found[0], found[1] if test else None, names, maximum=maximum)


def from_arrays(given: tuple[Any, ...], names: tuple[str, ...]) -> Dataset:
    """Two or four arrays, or two pairs, as Keras's load_data gives them."""
    if len(given) == 2 and all(isinstance(part, tuple) and len(part) == 2 for part in given):
        given = (*given[0], *given[1])
    if len(given) not in (2, 4):
        raise DataError(f"{len(given)} arrays; give (images, labels) or (images, labels, test_images, test_labels)")
    test = Part(*given[2:], "test images", "test labels") if len(given) == 4 else None
    return from_parts("arrays", "", Part(*given[:2]), test, names)


def from_frame(frame: Any, names: tuple[str, ...]) -> Dataset:
    """A pandas DataFrame like Kaggle's train.csv."""
    columns = named_columns([str(column) for column in frame.columns], "the DataFrame")
    if columns.label is None:
        raise DataError("the DataFrame has no column called label; give (images, labels)")
    images, labels = frame.iloc[:, columns.pixels].to_numpy(), frame.iloc[:, columns.label].to_numpy()
    return from_parts("arrays", "", Part(images, labels), None, names)


def make_dataset(
    name: str,
    source: str,
    train: Examples,
    test: Examples | None,
    names: tuple[str, ...],
    other: Images | None = None,
    *,
    maximum: int = 255,
) -> Dataset:
    """Return a data set; where its source has no test images, a fifth of its images becomes them."""
    official = test is not None
    if test is None:
        kept, held = hold_out(train.labels, TEST_SHARE, TEST_SEED)
        train, test = train.take(kept), train.take(held)
    unlabelled = np.empty((0, *train.image_shape), np.uint8) if other is None else other
    return Dataset(name, source, train, test, names, official, unlabelled, maximum)
