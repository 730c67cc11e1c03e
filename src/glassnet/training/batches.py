"""The training examples, a batch at a time; order and distortion depend on the seed alone.

Images are bytes until the moment they are needed. The rows of a table are numbers already.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data import Augmentation, Examples, Preprocessing
from ..data.dataset import Images
from ..nn import NUMPY, Engine
from ..nn.types import Array, Shape
from .ranks import ALONE as ONE_RANK
from .ranks import Ranks

__all__ = ["Batch", "Batches", "Source", "Table", "TableBatches"]


class Batch(NamedTuple):
    """What a step learns."""

    X: Array  # (n, d), the inputs of this rank's share
    labels: NDArray[np.int64]  # of the whole batch
    weights: NDArray[np.float64] | None  # of the whole batch; None where each example counts alike


class Source(ABC):
    """Examples, cut into batches anew for each epoch.

    The order of an epoch is a function of (seed, epoch), so a run that is resumed in the middle of an epoch finds its
    place again without any state. Only indices are shuffled; the last batch of an epoch has what is left.

    Args:
        labels: (n,).
        size: examples in a batch.
        seed: of the order.
        weights: (n,) above 0; None where each example counts alike.
        shuffle: whether each epoch has an order of its own, or all the one that the examples have.
        engine: what to compute with.
        ranks: the processes that share out each batch.
    """

    def __init__(
        self,
        labels: NDArray[np.int64],
        size: int,
        seed: int,
        *,
        weights: NDArray[np.float64] | None = None,
        shuffle: bool = True,
        engine: Engine = NUMPY,
        ranks: Ranks = ONE_RANK,
    ) -> None:
        self.labels, self.size, self.seed, self.weights = labels, size, seed, weights
        self.shuffle, self.engine, self.ranks = shuffle, engine, ranks
        self._epoch, self._order = -1, np.empty(0, np.int64)  # the order in use, and whose it is

    def __len__(self) -> int:
        """How many batches an epoch has."""
        return math.ceil(len(self.labels) / self.size)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return the order (n,) in which the examples come in ``epoch``, counted from 0."""
        if not self.shuffle:
            return np.arange(len(self.labels))
        return np.random.default_rng((self.seed, epoch)).permutation(len(self.labels))

    def batch(self, epoch: int, i: int) -> Batch:
        """Return batch ``i`` of an epoch, both counted from 0; the inputs are overwritten by the next call."""
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self.order(epoch)
        chosen = self._order[i * self.size : (i + 1) * self.size]
        weights = None if self.weights is None else self.weights[chosen]
        return Batch(self.inputs(chosen, epoch, i), self.labels[chosen], weights)

    @abstractmethod
    def inputs(self, chosen: NDArray[np.int64], epoch: int, i: int) -> Array:
        """Return the inputs of this rank's share of the ``chosen`` examples, which are batch ``i`` of an epoch."""


class Batches(Source):
    """The training images in batches.

    How the images of a batch are distorted is a function of (seed, epoch, batch).

    Args:
        examples: images (n, h, w) and labels (n,).
        preprocessing: how images become inputs.
        size: images in a batch.
        seed: of the order and the distortions.
        input_shape: of an image as the network takes it, (h·w,) or (h, w).
        dtype: of the inputs.
        augmentation: how the images are distorted before they become inputs; None leaves them as they are.
        options: those of `Source`.
    """

    def __init__(
        self,
        examples: Examples,
        preprocessing: Preprocessing,
        size: int,
        seed: int,
        input_shape: Shape,
        dtype: np.dtype[Any],
        *,
        augmentation: Augmentation | None = None,
        **options: Any,
    ) -> None:
        super().__init__(examples.labels, size, seed, **options)
        self.examples, self.preprocessing = examples, preprocessing
        self.input_shape, self.dtype, self.augmentation = input_shape, dtype, augmentation

    def inputs(self, chosen: NDArray[np.int64], epoch: int, i: int) -> Array:
        share, form = self.ranks.share(len(chosen)), self.preprocessing
        images, rows = self.examples.located(chosen[share])
        out = self._inputs[: len(rows)]
        if self.augmentation is None:
            return self.engine.inputs(images, rows, form.scale, form.shift, out)
        # An image is distorted by its place in the whole batch.
        images = self.examples.images_at(chosen, out=self._gathered[: len(chosen)])
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(epoch, i)))
        distorted = self._distorted[: len(chosen)]
        self.augmentation.distort(images, rng, distorted, form.ground, self.engine, share)
        return self.engine.inputs(distorted[share], None, form.scale, form.shift, out)

    # One batch each, the same memory at every step.

    @cached_property
    def _gathered(self) -> Images:
        return np.empty((self.size, *self.examples.image_shape), np.uint8)

    @cached_property
    def _distorted(self) -> Images:
        return np.empty_like(self._gathered)

    @cached_property
    def _inputs(self) -> Array:
        return np.empty((self.size, *self.input_shape), self.dtype)


@dataclass(frozen=True, eq=False)
class Table:
    """Examples: inputs X (n, d), labels y (n,) int64, and weights w (n,) above 0, or None where all are 1."""

    X: Array
    y: NDArray[np.int64]
    w: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: NDArray[np.integer]) -> "Table":
        """Return the examples at ``rows``."""
        return Table(self.X[rows], self.y[rows], None if self.w is None else self.w[rows])

    def relative(self) -> "Table":
        """Return the same examples with weights whose mean is 1, so that their ratios alone count."""
        w = None if self.w is None else self.w / self.w.mean()
        return Table(self.X, self.y, None if w is None or (w == 1).all() else w)


class TableBatches(Source):
    """The rows of a table in batches; in the last one of an epoch, a batch may have fewer than ``size``."""

    def __init__(self, table: Table, size: int, seed: int) -> None:
        super().__init__(table.y, size, seed, weights=table.w)
        self._X, self._inputs = table.X, np.empty((size, table.X.shape[1]), table.X.dtype)

    def inputs(self, chosen: NDArray[np.int64], epoch: int, i: int) -> Array:
        return self._X.take(chosen, axis=0, out=self._inputs[: len(chosen)], mode="clip")
