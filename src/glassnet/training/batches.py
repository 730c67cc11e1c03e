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
from .ranks import ALONE as ONE_RANK
from .ranks import Ranks

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
        ranks: the processes that share out each batch.
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
        ranks: Ranks = ONE_RANK,
    ) -> None:
        self.examples = examples
        self.labels = examples.labels
        self.preprocessing, self.size, self.seed, self.dtype = preprocessing, size, seed, dtype
        self.shuffle, self.augmentation, self.team, self.ranks = shuffle, augmentation, team, ranks
        self._epoch, self._order = -1, np.empty(0, np.int64)  # the order in use, and whose it is

    def __len__(self) -> int:
        """How many batches an epoch has."""
        return math.ceil(len(self.labels) / self.size)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return the order (n,) in which the images come in ``epoch``, counted from 0."""
        if not self.shuffle:
            return np.arange(len(self.labels))
        return np.random.default_rng((self.seed, epoch)).permutation(len(self.labels))

    def batch(self, epoch: int, i: int) -> tuple[Array, NDArray[np.int64]]:
        """Return inputs (n, h·w) of this rank's share of a batch and the labels (size,) of the whole batch.

        The inputs are overwritten by the next call.

        Args:
            epoch: counted from 0.
            i: the batch, counted from the epoch's first.
        """
        part = slice(i * self.size, (i + 1) * self.size)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self.order(epoch)
        chosen = self._order[part]
        share = self.ranks.share(len(chosen))
        if self.augmentation:  # which distorts an image by its place in the whole batch
            images = self.examples.images_at(chosen, out=self._gathered[: len(chosen)])
            rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(epoch, i)))
            distorted, ground = self._distorted[: len(chosen)], self.preprocessing.ground
            images = self.augmentation.distort(images, rng, distorted, ground, self.team, share)[share]
        else:
            mine = chosen[share]
            images = self.examples.images_at(mine, out=self._gathered[: len(mine)])
        return self.preprocessing.apply(images, out=self._inputs[: len(images)]), self.labels[chosen]

    # One batch each, the same memory at every step.

    @cached_property
    def _gathered(self) -> Images:
        return np.empty((self.size, *self.examples.image_shape), np.uint8)

    @cached_property
    def _distorted(self) -> Images:
        return np.empty_like(self._gathered)

    @cached_property
    def _inputs(self) -> Array:
        return np.empty((self.size, math.prod(self.examples.image_shape)), self.dtype)
