"""The steps of a run: the gradient of the loss on some of the images, and a move of the parameters against it.

Which images a step takes is one setting, the batch size, and there are three ways to take it:

    a number    the batch goes forward and back through the network at once
    all         the whole set goes through in blocks (`whole_batch`)
    1           with plain SGD the products of many steps are prepared together (`one_by_one`)
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..nn import (
    L2,
    LossAndGradient,
    Network,
    Optimizer,
    Pass,
    SoftmaxCrossEntropy,
    WeightAverage,
    clip_gradient_norm,
    fast_gradient,
)
from ..nn.types import Array
from .batches import Batches, Source
from .config import Config
from .one_by_one import STEPS, OneByOne, can_go_one_by_one
from .whole_batch import WholeBatch

__all__ = ["Steps", "Taken"]


class Taken(NamedTuple):
    """What came of a step."""

    loss: float  # the mean loss of its examples as they are, before it; may be infinite or NaN
    correct: float  # the weight of the examples that were recognised
    weight: float  # of all its examples: their number, where each counts alike


class Steps:
    """All that moves the parameters.

    Args:
        config: batch size, L2, longest gradient.
        network, loss, optimizer: what moves, against what, and how.
        average: what follows the network, if anything does.
        batches: the training examples; all work is shared out among their ranks.
    """

    def __init__(
        self,
        config: Config,
        network: Network,
        loss: SoftmaxCrossEntropy,
        optimizer: Optimizer,
        average: WeightAverage | None,
        batches: Source,
    ) -> None:
        self.config, self.network, self.loss, self.optimizer = config, network, loss, optimizer
        self.average, self.batches, self.regularizer = average, batches, L2(config.l2)
        self.ranks = batches.ranks
        self.passed = Pass(network, training=True, seed=config.seed)
        if self.ranks.size > 1:
            self.passed.batch.add_up = self.ranks.sum
        self.whole_batch: WholeBatch | None = None
        self.one_by_one: OneByOne | None = None
        if isinstance(batches, Batches) and config.batch_size == "all":
            whole_batch = (network, loss, batches.examples, batches.preprocessing, config.seed, self.ranks)
            self.whole_batch = WholeBatch(*whole_batch)
        if isinstance(batches, Batches) and config.batch_size == 1 and can_go_one_by_one(config, network.layers):
            whole = (batches.examples, batches.preprocessing, STEPS, batches.seed, batches.input_shape, batches.dtype)
            self.one_by_one = OneByOne(network, loss, Batches(*whole, shuffle=batches.shuffle), config.seed)

    @property
    def complete(self) -> bool:
        """Whether the network has all steps that were taken, so that going on from its numbers is the same run."""
        return self.one_by_one is None or self.one_by_one.between_blocks

    def catch_up(self) -> None:
        """Bring the network up to date for somebody who looks at it; the steps that follow stay what they are."""
        if self.one_by_one:
            self.one_by_one.catch_up()

    def take(self, epoch: int, i: int, rate: float) -> Taken:
        """Take one step.

        Args:
            epoch: counted from 0.
            i: counted from the epoch's first step.
            rate: η.
        """
        if self.one_by_one and (one := self.one_by_one.take(epoch, i, rate)):
            return Taken(*one, 1)
        with self.ranks.step():
            taken = self._gradient(epoch, i)
            # A loss that is not finite ends the run before the step; planted mistakes are not held back, nor were they.
            if math.isfinite(taken.loss) or self.config.mistakes:
                self._move(rate)
        return taken

    def _move(self, rate: float) -> None:
        """Move the parameters against the gradient; several ranks each move their own share."""
        if self.config.l2:
            self.regularizer.add_gradient(self.network)
        if self.config.clip_norm:
            clip_gradient_norm(self.network.gradients, self.config.clip_norm, self.network.engine)
        parameters = self.network.parameters
        self.optimizer.step(rate, self.ranks.share(parameters.size))
        self.ranks.gather(parameters)
        if self.average and self.ranks.rank == 0:
            self.average.update()

    def _gradient(self, epoch: int, i: int) -> Taken:
        """Fill the network's gradients, and return what its examples gave before the step."""
        step = epoch * len(self.batches) + i
        if self.whole_batch:
            loss, right = self.whole_batch.gradient(step)
            return Taken(*self.ranks.sum_gradient(self.network.gradients, loss, right), len(self.batches.labels))
        X, labels, weights = self.batches.batch(epoch, i)
        size, p, rows = len(labels), self.passed, self.ranks.share(len(labels))
        p.batch.step, p.batch.rows, p.batch.count = step, rows, size
        y = labels[rows]
        found = self._loss_of(X, y, weights, size)
        if weights is None:
            loss, correct, weight = found.value, float(np.count_nonzero(found.right)), float(size)
        else:
            weight = float(weights.sum())
            loss, correct = found.value * size / weight, float(weights[found.right].sum())
        if self.config.adversarial:
            # Both ways through the network count for the running averages of batch normalisation; whether they do, or
            # only the first, made no difference to accuracy.
            fast_gradient(X, self.network.input_gradient(found.gradient, p), self.config.adversarial)
            found = self._loss_of(X, y, weights, size)
            if not math.isfinite(found.value):
                loss = found.value  # which ends the run
        self.network.backward(found.gradient, p)
        return Taken(*self.ranks.sum_gradient(self.network.gradients, loss, correct), weight)

    def _loss_of(
        self, X: Array, y: NDArray[np.int64], weights: NDArray[np.float64] | None, size: int
    ) -> LossAndGradient:
        """Send this rank's share of a batch of ``size`` through the network; return its part of the batch's loss."""
        Z = self.network.forward(X, self.passed)
        if weights is None:
            # Over Σ w of a batch, the class of one image alone would count the same whatever its weight.
            total = size if self.ranks.size > 1 or self.loss.class_weights is not None else None
            return self.loss(Z, y, total=total)
        # The gradient is that of Σ w ℓ / n: over Σ w, one example alone would count the same whatever its weight.
        return self.loss(Z, y, weights, total=size)
