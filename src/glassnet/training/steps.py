"""The steps of a run: the gradient of the loss on some of the images, and a move of the parameters against it.

Which images a step takes is one setting, the batch size, and there are three ways to take it:

    a number    the batch goes forward and back through the network at once
    all         the whole set goes through in blocks (`whole_batch`)
    1           with plain SGD many steps are taken in one go (`one_by_one`)
"""

import math
from typing import NamedTuple

import numpy as np

from ..nn import (
    L2,
    BatchNorm,
    Dropout,
    Network,
    Optimizer,
    Schedule,
    SoftmaxCrossEntropy,
    WeightAverage,
    clip_gradient_norm,
)
from .batches import Batches
from .config import Config
from .one_by_one import STEPS, OneByOne, can_go_one_by_one
from .whole_batch import WholeBatch

__all__ = ["Steps", "Taken"]


class Taken(NamedTuple):
    """What came of some steps."""

    losses: list[float]  # the mean loss of each step's images, before it; the last may be infinite or NaN
    correct: int  # images recognised
    size: int  # images in a step


class Steps:
    """All that moves the parameters.

    Args:
        config: batch size, L2, longest gradient.
        network, loss, optimizer: what moves, against what, and how.
        average: what follows the network, if anything does.
        batches: the training images; all work is shared out among their team and ranks.
    """

    def __init__(
        self,
        config: Config,
        network: Network,
        loss: SoftmaxCrossEntropy,
        optimizer: Optimizer,
        average: WeightAverage | None,
        batches: Batches,
    ) -> None:
        self.config, self.network, self.loss, self.optimizer = config, network, loss, optimizer
        self.average, self.batches, self.regularizer, self.team = average, batches, L2(config.l2), batches.team
        self.ranks = batches.ranks
        self._dropouts: list[Dropout] = []
        if self.ranks.size > 1:
            self._dropouts = [layer for layer in network.layers if isinstance(layer, Dropout)]
            for layer in network.layers:
                if isinstance(layer, BatchNorm):
                    layer.add_up = self.ranks.sum
        self.whole_batch: WholeBatch | None = None
        if config.batch_size == "all":
            whole_batch = (network, loss, batches.examples, batches.preprocessing, self.team, self.ranks)
            self.whole_batch = WholeBatch(*whole_batch)
        self.one_by_one: OneByOne | None = None
        if config.batch_size == 1 and can_go_one_by_one(config, network):
            whole = (batches.examples, batches.preprocessing, STEPS, batches.seed, batches.dtype)
            blocks = Batches(*whole, shuffle=batches.shuffle)
            self.one_by_one = OneByOne(network, loss, blocks)
        # The blocks of a whole batch are shared out among threads of ours, each of which computes its own products.
        self.blas_threads = 1 if self.whole_batch else self.team.size

    def take(self, epoch: int, i: int, rate: Schedule, count: bool) -> Taken:
        """Take step ``i`` of an epoch, and perhaps some that follow it.

        Args:
            epoch: counted from 0.
            i: counted from the epoch's first step.
            rate: η of step ``i`` and of those that follow it, counted from 0.
            count: whether somebody will look at how many were recognised; a whole batch leaves it where not.
        """
        if self.one_by_one and i % STEPS == 0:
            losses, correct = self.one_by_one.steps(epoch, i // STEPS, rate)
            if losses:
                return Taken(losses, correct, 1)
        with self.ranks.step(epoch, i, rate(0)):
            loss, correct, size = self._gradient(epoch, i, count)
            # A loss that is no number ends the run before the step; planted mistakes are not held back, nor were they.
            if math.isfinite(loss) or self.config.mistakes:
                self._move(rate(0))
        return Taken([loss], correct, size)

    def _move(self, rate: float) -> None:
        """Move the parameters against the gradient; several ranks each move their own share."""
        if self.config.l2:
            self.regularizer.add_gradient(self.network)
        if self.config.clip_norm:
            clip_gradient_norm(self.network.gradients, self.config.clip_norm)
        parameters = self.network.parameters
        self.optimizer.step(rate, self.team, self.ranks.share(parameters.size))
        self.ranks.gather(parameters)
        if self.average and self.ranks.rank == 0:
            self.average.update()

    def _gradient(self, epoch: int, i: int, count: bool) -> tuple[float, int, int]:
        """Fill the network's gradients; return the mean loss, how many were recognised, and of how many images."""
        if self.whole_batch:
            size = len(self.batches.labels)
            loss, correct = self.whole_batch.gradient(count)
        else:
            X, labels = self.batches.batch(epoch, i)
            size, share = len(labels), self.ranks.share(len(labels))
            for layer in self._dropouts:
                layer.part = share, size
            y = labels[share]
            Z = self.network.forward(X, training=True)
            total = self.loss.weight(labels) if self.ranks.size > 1 else None
            loss = self.loss.forward(Z, y, total=total)
            correct = int(np.count_nonzero(Z.argmax(axis=1) == y))
            self.network.backward(self.loss.backward())
        return *self.ranks.sum_gradient(self.network.gradients, loss, correct), size
