"""Labelled images, and the parts into which they are split."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..notebook import card, pictures, sample

__all__ = ["MAX_PIXEL_BYTES", "MAX_SIDE", "Dataset", "Examples", "Images", "Indices", "hold_out"]

MAX_PIXEL_BYTES = 2**31  # 2 GiB: what one file of images may hold
MAX_SIDE = 4096  # pixels, the longest side of a training image

Images = NDArray[np.uint8]
Indices = NDArray[np.int64]


class Examples:
    """Images with their labels.

    Examples that were taken from others share the memory of their images, which may be a file that is mapped into it:
    a part of them costs sixteen bytes an image, for its row and its label.

    Args:
        images: ``(n, h, w)`` uint8, one gray value from 0 to 255 a pixel.
        labels: ``(n,)`` int64, each the index of a class.
        rows: ``(n,)`` integers, which of ``images`` these are where they are not all of them, in order.
        files: the path of each of ``images`` in its data set's folder, where each is a file.

    Raises:
        DataError: the arrays have other shapes or dtypes, or not the same length.
    """

    def __init__(
        self, images: Images, labels: Indices, *, rows: NDArray[np.integer] | None = None, files: Sequence[str] = ()
    ) -> None:
        if images.ndim != 3 or images.dtype != np.uint8:
            raise DataError(f"images must be an (n, h, w) array of uint8, not {images.dtype} of shape {images.shape}")
        if not all(1 <= side <= MAX_SIDE for side in images.shape[1:]):
            raise DataError(f"images of {_by(images.shape[1:])} pixels: each side must be from 1 to {MAX_SIDE:,}")
        if labels.ndim != 1 or labels.dtype != np.int64:
            raise DataError(f"labels must be an (n,) array of int64, not {labels.dtype} of shape {labels.shape}")
        count = len(images if rows is None else rows)
        if count != len(labels):
            raise DataError(f"{count:,} images but {len(labels):,} labels: each image needs one label")
        self.labels, self._stored, self._rows, self._files = labels, images, rows, files

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Examples({len(self):,} images of {_by(self.image_shape)} pixels)"

    @property
    def image_shape(self) -> tuple[int, int]:
        """The height and width of an image, in pixels."""
        _, height, width = self._stored.shape
        return height, width

    @cached_property
    def images(self) -> Images:
        """All images ``(n, h, w)``. Of examples taken from others this makes a copy, which stays."""
        return self._stored if self._rows is None else self._stored[self._rows]

    def images_at(self, indices: NDArray[np.integer], out: Images | None = None) -> Images:
        """Return a copy of the images at ``indices`` (m,), which are not negative, as (m, h, w).

        Args:
            indices: any of 0 … n − 1, in any order.
            out: where to put them, so that nothing is allocated.
        """
        stored, rows = self.located(indices)
        if out is None:
            out = np.empty((len(rows), *self.image_shape), np.uint8)
        return np.take(stored, rows, axis=0, out=out, mode="clip")  # "clip" lets NumPy write straight to out

    def located(self, indices: NDArray[np.integer]) -> tuple[Images, NDArray[np.integer]]:
        """Return the memory that holds the images, and at which rows of it those at ``indices`` (m,) are."""
        rows = indices if self._rows is None else self._rows[indices].astype(np.int64, copy=False)
        return self._stored, rows

    def file_at(self, index: int) -> str:
        """Return the path of an image's file in its data set's folder, or "" where it has no file of its own."""
        _, [row] = self.located(np.array([index]))
        return self._files[row] if self._files else ""

    def take(self, indices: NDArray[np.integer]) -> "Examples":
        """Return the examples at ``indices`` (m,), which are not negative, in that order."""
        kind = _index_type(len(self._stored))
        rows: NDArray[np.integer] = indices.astype(kind) if self._rows is None else self._rows[indices]
        return Examples(self._stored, self.labels[indices], rows=rows, files=self._files)

    def spread(self, most: int) -> "Examples":
        """Return at most ``most`` of these examples, evenly spread over them."""
        return self if len(self) <= most else self.take(np.arange(0, len(self), -(-len(self) // most)))

    def joined(self, others: "Examples") -> "Examples":
        """Return these examples and then ``others``; images are copied only where the two share no memory."""
        labels = np.concatenate([self.labels, others.labels])
        if self._stored is not others._stored:
            return Examples(np.concatenate([self.images, others.images]), labels)
        places = [np.arange(len(part)) if part._rows is None else part._rows for part in (self, others)]
        return Examples(self._stored, labels, rows=np.concatenate(places), files=self._files)

    def relabelled(self, labels: Indices) -> "Examples":
        """Return the same images with other labels ``(n,)``."""
        return Examples(self._stored, labels, rows=self._rows, files=self._files)

    def blocks(self, size: int = 4096) -> Iterator["Examples"]:
        """Yield the examples a few thousand at a time, so that work on them needs no second copy of them all."""
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            if self._rows is None:
                yield Examples(self._stored[part], self.labels[part])
            else:
                yield Examples(self._stored, self.labels[part], rows=self._rows[part])


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set: training and test images.

    Attributes:
        name: a short name for run folders, such as ``digits`` or the stem of a CSV file's name.
        source: what ``load_dataset`` takes to give the same data again (a path is absolute), or "" for arrays.
        train: everything that may be trained or validated on.
        test: never used to choose anything.
        classes: the names of the classes; a label is an index into them.
        official_test: whether the source itself separates the test images. If not, a fifth was held out, so that no run
            ever trains on them: stratified and with a fixed seed, or of a folder of pictures by their content.
        unlabelled: ``(m, h, w)`` uint8, images that came without labels (Kaggle's test.csv).
        maximum: how far pixels go in the source: 255, or 16 or less where they are counts, or 1. The images here always
            go to 255.
    """

    name: str
    source: str
    train: Examples
    test: Examples
    classes: tuple[str, ...]
    official_test: bool
    unlabelled: Images
    maximum: int = 255

    def __post_init__(self) -> None:
        shapes = {self.train.image_shape, self.test.image_shape, self.unlabelled.shape[1:]}
        if len(shapes) > 1:
            sizes = " and ".join(_by(shape) for shape in sorted(shapes))
            raise DataError(f"{self.source or self.name}: images of {sizes} pixels; all must have the same size")

    def __repr__(self) -> str:
        height, width = self.image_shape
        return f"Dataset({self.name!r}: {len(self.train):,} + {len(self.test):,} images of {height}×{width} pixels)"

    def _repr_html_(self) -> str:
        shown = self.train.take(sample(self.train.labels)) if len(self.train) else self.train
        facts = {
            "training images": f"{len(self.train):,}",
            "test images": f"{len(self.test):,}",
            "pixels": _by(self.image_shape),
            "classes": f"{len(self.classes):,}",
        }
        names = [self.classes[label] for label in shown.labels]
        return card(f"Data set {self.name}", facts, pictures(shown.images, names))

    @property
    def image_shape(self) -> tuple[int, int]:
        """The height and width of an image, in pixels."""
        return self.train.image_shape

    @cached_property
    def fingerprint(self) -> str:
        """A BLAKE2b sum, in hex, of the images, labels and classes: another sum is other data."""
        digest = hashlib.blake2b(repr(self.classes).encode(), digest_size=16)
        for part in (self.train, self.test):
            digest.update(repr((len(part), *part.image_shape)).encode())
            for block in part.blocks():
                digest.update(np.ascontiguousarray(block.images).data)
            digest.update(part.labels.astype("<i8").data)
        return digest.hexdigest()

    def split(self, validation: float, seed: int) -> tuple[Examples, Examples]:
        """Split the training images into training and validation images.

        The split is stratified, to within one image per class. Both parts keep the order of the source.

        Args:
            validation: the size of the second part: a fraction of the images if less than 1, else a number of images.
            seed: the same seed gives the same split.

        Raises:
            DataError: the fraction or number is out of range.
        """
        count = len(self.train)
        share = validation if validation < 1 else validation / max(count, 1)
        if validation == 1 or not 0 <= share < 1:
            raise DataError(
                f"validation = {validation:g}: give a fraction less than 1, or fewer images than the {count:,} "
                "training images"
            )
        kept, held = hold_out(self.train.labels, share, seed)
        return self.train.take(kept), self.train.take(held)

    def with_classes(self, classes: tuple[str, ...]) -> "Dataset":
        """Return the data set with more classes, or the same in another order.

        Raises:
            DataError: a class of the data set is not among them.
        """
        if classes == self.classes:
            return self
        if strange := [name for name in self.classes if name not in classes]:
            raise DataError(
                f"{self.source or self.name}: has a class {strange[0]!r}, which is not one of {', '.join(classes)}"
            )
        index = np.array([classes.index(name) for name in self.classes])
        train, test = (part.relabelled(index[part.labels]) for part in (self.train, self.test))
        return replace(self, classes=classes, train=train, test=test)

    def whole(self) -> "Dataset":
        """Return the data set with its test images among the training images, unless they are the source's own."""
        if self.official_test or not len(self.test):
            return self
        return replace(self, train=self.train.joined(self.test), test=self.test.take(np.arange(0)))

    def require_trainable(self) -> None:
        """Check that there is something to learn.

        Raises:
            DataError: there are no labels, or all training images are of one class.
        """
        where = self.source or self.name
        if not len(self.train):
            raise DataError(f"{where}: no labels to train on; give labelled images such as train.csv")
        present = np.unique(self.train.labels)
        if len(present) < 2:
            name = self.classes[present[0]]
            raise DataError(
                f"{where}: all training images have the class {name!r}; training needs at least two classes"
            )


def hold_out(labels: Indices, share: float, seed: int) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Return the sorted indices of the examples to keep and of those to hold out.

    The examples are shuffled and sorted by class; of this sequence, evenly spaced ones are held out. So each class and
    the whole are split in proportion, to within one example. At least one image of each class is kept.
    """
    # Of millions of examples each array counts, so the sums go into one.
    order = np.arange(len(labels), dtype=_index_type(len(labels)))
    np.random.default_rng(seed).shuffle(order)
    order = order[np.argsort(labels[order], kind="stable")]
    count = np.arange(len(labels) + 1, dtype=np.float64)
    count *= share
    count += 0.5
    held = np.diff(np.floor(count, out=count)) > 0
    del count
    by_class = labels[order]
    changes = np.flatnonzero(by_class[1:] != by_class[:-1]) + 1
    for start, end in pairwise([0, *changes, len(labels)]):
        held[start : start + 1] &= not held[start:end].all()
    return np.sort(order[~held]), np.sort(order[held])


def _index_type(count: int) -> type[np.int32 | np.int64]:
    """Return what holds the indices of so many examples in the least memory."""
    return np.int32 if count < 2**31 else np.int64


def _by(shape: tuple[int, ...]) -> str:
    return "×".join(str(side) for side in shape)
