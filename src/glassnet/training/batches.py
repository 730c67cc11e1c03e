"""Batches of training images: bytes until the moment they are needed; order and distortion depend on the seed alone."""

import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Augmentation, Examples, Preprocessing
from ..data.dataset import Images
from ..nn.team import ALONE, Team
from ..nn.types import Array

__all__ = ["Batches"]


class Batches:
    """The training images, cut into batches anew for each epoch.

    The order of an epoch is a function of (seed, epoch), and how the images of a batch are distorted one of (seed,
    epoch, batch), so a run that is resumed in the middle of an epoch finds its place again without any state. Only
    indices are shuffled; the last batch of an epoch has what is left.

    Args:
        examples: images (n, h, w) and labels (n,).
        preprocessing: how images become inputs.
        size: images in a batch.
        seed: of the order and the distortions.
        dtype: of the inputs.
        shuffle: whether each epoch has an order of its own, or all the one that the images have.
        augmentation: how the images are distorted before they become inputs; None leaves them as they are.
        team: the threads that distort them.
    """

    def __init__(
        self,
        examples: Examples,
        preprocessing: Preprocessing,
        size: int,
        seed: int,
        dtype: np.dtype[Any],
        *,
        shuffle: bool = True,
        augmentation: Augmentation | None = None,
        team: Team = ALONE,
    ) -> None:
        self.examples = examples
        self.pixels = examples.images.reshape(len(examples), -1)  # (n, h·w) uint8
        self.labels = examples.labels
        self.preprocessing, self.size, self.seed, self.dtype = preprocessing, size, seed, dtype
        self.shuffle, self.augmentation, self.team = shuffle, augmentation, team
        self._epoch, self._order = -1, np.empty(0, np.int64)  # the order in use, and whose it is

    def __len__(self) -> int:
        """How many batches an epoch has."""
        return math.ceil(len(self.labels) / self.size)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return the order (n,) in which the images come in ``epoch``, counted from 0, where they are shuffled."""
        return np.random.default_rng((self.seed, epoch)).permutation(len(self.labels))

    def batch(self, epoch: int, i: int) -> tuple[Array, NDArray[np.int64]]:
        """Return inputs (size, h·w) and labels (size,) of batch ``i`` of an epoch, both counted from 0.

        The inputs are overwritten by the next call.
        """
        part = slice(i * self.size, (i + 1) * self.size)
        if not self.shuffle:
            pixels, labels = self.pixels[part], self.labels[part]
        else:
            if epoch != self._epoch:
                self._epoch, self._order = epoch, self.order(epoch)
            chosen = self._order[part]
            pixels, labels = self._gathered[: len(chosen)], self.labels[chosen]
            np.take(self.pixels, chosen, axis=0, out=pixels, mode="clip")  # "clip" lets NumPy write straight to out
        if self.augmentation:
            pixels = self._distort(self.augmentation, pixels, epoch, i)
        return self.preprocessing.apply(pixels, out=self._inputs[: len(labels)]), labels

    def _distort(self, augmentation: Augmentation, pixels: Images, epoch: int, i: int) -> Images:
        """Return the images of a batch as this epoch shows them, (size, h, w)."""
        images, distorted = (rows.reshape(-1, *self.examples.images.shape[1:]) for rows in (pixels, self._distorted))
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(epoch, i)))
        return augmentation.distort(images, rng, distorted[: len(images)], self.preprocessing.ground, self.team)

    # One batch each, the same memory at every step.

    @cached_property
    def _gathered(self) -> Images:
        return np.empty((self.size, self.pixels.shape[1]), np.uint8)

    @cached_property
    def _distorted(self) -> Images:
        return np.empty_like(self._gathered)

    @cached_property
    def _inputs(self) -> Array:
        return np.empty((self.size, self.pixels.shape[1]), self.dtype)
