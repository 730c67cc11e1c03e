"""Batches of training images: bytes until the moment they are needed, in an order that depends on seed and epoch."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Examples, Preprocessing
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
        seed: of the order.
        dtype: of the inputs.
    """

    def __init__(
        self, examples: Examples, preprocessing: Preprocessing, size: int, seed: int, dtype: np.dtype[Any]
    ) -> None:
        self.pixels = examples.images.reshape(len(examples), -1)  # (n, h·w) uint8
        self.labels = examples.labels
        self.preprocessing, self.size, self.seed = preprocessing, size, seed
        self._gathered = np.empty((size, self.pixels.shape[1]), np.uint8)  # one batch, the same memory at every step
        self._inputs = np.empty(self._gathered.shape, dtype)

    def __len__(self) -> int:
        """How many batches an epoch has."""
        return math.ceil(len(self.labels) / self.size)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return the order (n,) in which the images come in ``epoch``, counted from 0."""
        return np.random.default_rng((self.seed, epoch)).permutation(len(self.labels))

    def batch(self, order: NDArray[np.int64], i: int) -> tuple[Array, NDArray[np.int64]]:
        """Return inputs (size, h·w) and labels (size,) of batch ``i``; the inputs are overwritten by the next call."""
        chosen = order[i * self.size : (i + 1) * self.size]
        gathered = self._gathered[: len(chosen)]
        np.take(self.pixels, chosen, axis=0, out=gathered, mode="clip")  # "clip" lets NumPy write straight to out
        return self.preprocessing.apply(gathered, out=self._inputs[: len(chosen)]), self.labels[chosen]
