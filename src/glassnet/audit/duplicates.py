"""Images that occur in the training images and, the same or almost, in the test images."""

from collections import defaultdict
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data import Examples

__all__ = ["Pair", "identical", "near_duplicates"]

BLOCK = 2048  # test images compared at a time


class Pair(NamedTuple):
    """Two images that are alike: the indices of a training and of a test image, and the correlation of their pixels."""

    train: int
    test: int
    correlation: float


def identical(examples: Examples) -> list[list[int]]:
    """Return the groups of indices of images that are the same, pixel by pixel."""
    groups = defaultdict(list)
    for i, image in enumerate(examples.images):
        groups[image.tobytes()].append(i)
    return [group for group in groups.values() if len(group) > 1]


def near_duplicates(train: Examples, test: Examples, least: float) -> list[Pair]:
    """Return the test images that are like a training image, each with the most similar one, the most similar first.

    Args:
        train: training images.
        test: test images of the same shape.
        least: correlation of the pixels, up to 1, from which two images are alike.
    """
    known = _standardised(train)
    pairs = []
    for start in range(0, len(test), BLOCK):
        block = _standardised(test.take(np.arange(start, min(start + BLOCK, len(test)))))
        nearest, correlation = _nearest(block, known)
        pairs += [
            Pair(int(nearest[i]), start + int(i), float(correlation[i])) for i in np.flatnonzero(correlation >= least)
        ]
    return sorted(pairs, key=lambda pair: -pair.correlation)


def _nearest(block: NDArray[np.float32], known: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the row of ``known`` that is most like each row of ``block``, and how alike they are."""
    best, correlation = np.zeros(len(block), np.int64), np.full(len(block), -1, np.float32)
    for start in range(0, len(known), BLOCK):
        alike = block @ known[start : start + BLOCK].T
        place = alike.argmax(axis=1)
        value = alike[np.arange(len(block)), place]
        better = value > correlation
        best[better], correlation[better] = place[better] + start, value[better]
    return best, correlation


def _standardised(examples: Examples) -> NDArray[np.float32]:
    """Return images as rows (n, h·w) of mean 0 and length 1, whose products are correlations; blank ones are 0."""
    rows = examples.images.reshape(len(examples), -1).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    return rows
