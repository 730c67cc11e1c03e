"""Batches of training images: bytes until the moment they are needed, in an order that depends on seed and epoch."""

import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Examples, Preprocessing
from ..data.dataset import Images
from ..nn.types import Array

__all__ = ["Batches"]


class Batches:
    """The training images, cut into batches anew for each epoch.

    The order of an epoch is a function of (seed, epoch), so a run that is resumed in the middle of one finds its place
    again without any state. Only indices are shuffled; the last batch of an epoch has what is left.

    Args:
        examples: images (n, h, w) and labels (n,).
        preprocessing: how images become inputs.
        size: images in a batch.
        seed: of the order; None keeps the order that the images have.
        dtype: of the inputs.
    """

    def __init__(
        self, examples: Examples, preprocessing: Preprocessing, size: int, seed: int | None, dtype: np.dtype[Any]
    ) -> None:
        self.examples = examples
        self.pixels = examples.images.reshape(len(examples), -1)  # (n, h·w) uint8
        self.labels = examples.labels
        self.preprocessing, self.size, self.seed, self.dtype = preprocessing, size, seed, dtype

    def __len__(self) -> int:
        """How many batches an epoch has."""
        return math.ceil(len(self.labels) / self.size)

    def order(self, epoch: int) -> NDArray[np.int64] | None:
        """Return the order (n,) in which the images come in ``epoch``, counted from 0; None is the order they have."""
        return None if self.seed is None else np.random.default_rng((self.seed, epoch)).permutation(len(self.labels))

    def batch(self, order: NDArray[np.int64] | None, i: int) -> tuple[Array, NDArray[np.int64]]:
        """Return inputs (size, h·w) and labels (size,) of batch ``i``; the inputs are overwritten by the next call."""
        part = slice(i * self.size, (i + 1) * self.size)
        if order is None:
            pixels, labels = self.pixels[part], self.labels[part]
        else:
            chosen = order[part]
            pixels, labels = self._gathered[: len(chosen)], self.labels[chosen]
            np.take(self.pixels, chosen, axis=0, out=pixels, mode="clip")  # "clip" lets NumPy write straight to out
        return self.preprocessing.apply(pixels, out=self._inputs[: len(labels)]), labels

    # One batch each, the same memory at every step.

    @cached_property
    def _gathered(self) -> Images:
        return np.empty((self.size, self.pixels.shape[1]), np.uint8)

    @cached_property
    def _inputs(self) -> Array:
        return np.empty((self.size, self.pixels.shape[1]), self.dtype)
