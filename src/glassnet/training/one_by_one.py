"""One example at a time: a step of plain gradient descent on each image, without moving all weights each time.

A step on a single image changes the first layer by a matrix of rank one, x ⊗ dz, and nearly all of its time would go
into writing that matrix down and taking it off the weights. But the next image only asks what the weights make of it:

    after t steps    W_t = W₀ − η Σ_{i<t} x_i ⊗ dz_i        b_t = b₀ − η Σ_{i<t} dz_i
    so               x_t W_t + b_t = x_t W₀ + b₀ − η Σ_{i<t} (x_t · x_i + 1) dz_i

So for a block of images the products X W₀ and X Xᵀ are computed at once, each step corrects its own row by the steps
before it in the block, and at the block's end W₀ ← W₀ − η Xᵀ dZ and b₀ ← b₀ − η Σ dz. The steps, their order and their
results are the same, to rounding; the layers above are small and are moved at each step.

Within a block W and b are thus behind. Whoever looks at the network has them brought up to date first; the block goes
on as it was planned, and its end is computed from W₀ and b₀ all the same, so that to look changes nothing.
"""

import math
from collections.abc import Sequence

import numpy as np

from ..errors import TrainingError
from ..nn import SGD, Dense, Layer, LossAndGradient, Network, Pass, SoftmaxCrossEntropy
from ..nn.chain import chain_of
from ..nn.types import Array
from .batches import Batches
from .config import Config

__all__ = ["STEPS", "OneByOne", "can_go_one_by_one"]

STEPS = 128  # of a block; with more, the corrections take the time that the products save


def can_go_one_by_one(config: Config, layers: Sequence[Layer]) -> bool:
    """Return whether a step moves the first layer by x ⊗ dz and nothing else, and nobody averages the steps.

    Nor may images be distorted: that is drawn batch by batch, and the batches here are others than those of single
    images.
    """
    more = config.l2 or config.clip_norm or config.ema or config.augmentation or config.adversarial
    return config.optimizer == "sgd" and config.precision != "bfloat16" and not more and type(layers[0]) is Dense


class OneByOne:
    """Steps of one example each, prepared a block at a time.

    Args:
        network: with a `Dense` as its first layer.
        loss: of one example.
        examples: the training images, `STEPS` at a time.
        seed: of the dropout masks.
    """

    def __init__(self, network: Network, loss: SoftmaxCrossEntropy, examples: Batches, seed: int) -> None:
        self.loss, self.examples, self.passed = loss, examples, Pass(network, training=True, seed=seed)
        first, *others = network.layers
        self.first_pass, *passes = self.passed.layers
        self.others = list(zip(others, passes, strict=True))
        assert isinstance(first, Dense)
        self.first, W, b = first, first.W, first.b
        self._lower = network.parameters[: W.size + b.size]  # W and b
        above = slice(W.size + b.size, None)
        self.rest = SGD(network.parameters[above], network.gradients[above], engine=network.engine)
        chain = chain_of(network.layers)
        given = network.parameters[above], network.gradients[above]
        # With labels that were checked for as many classes as there are outputs, compiled code writes nowhere else.
        fits = chain is not None and chain.units[-1] == loss.classes
        self._chain = network.engine.chain_steps(chain, *given) if chain and fits else None
        self._moves = np.empty((STEPS, b.size), W.dtype)  # η dz of each step of the block
        self._taken = self._size = 0  # steps of the block, and how many it has
        self._caught_up = 0  # steps of the block that are in W and b
        self._before: Array | None = None  # W₀ and b₀, where W and b are no longer these
        self._seen: Array | None = None  # W and b as they were last looked at

    @property
    def between_blocks(self) -> bool:
        """Whether all steps are in W and b."""
        return self._taken == self._size

    def take(self, epoch: int, i: int, rate: float) -> tuple[float, int] | None:
        """Take step ``i`` of an epoch.

        Args:
            epoch: counted from 0.
            i: counted from the epoch's first step; the one after the last, but for the first step of all.
            rate: η.

        Returns:
            The loss of the example before its step, and whether it was recognised (0 or 1); or None, with W and b up
            to date and no step taken, where the loss is not finite or cannot be computed.
        """
        if self._seen is not None and not np.array_equal(self._seen, self._lower):
            self._size = self._taken  # whoever looked has changed W or b, and what was prepared holds no longer
        self._seen = None
        if self._taken == self._size:
            self._prepare(epoch, i)
        take = self._take_layer_by_layer if self._chain is None else self._take_at_once
        found = take(self._taken, epoch * len(self.examples.labels) + i, rate)
        if found is None:
            self._end_block()
            return None
        self._taken += 1
        if self._taken == self._size:
            self._end_block()
        return found

    def _take_layer_by_layer(self, t: int, number: int, rate: float) -> tuple[float, int] | None:
        """Take the step with example ``t`` of the block, as `take` says."""
        z = self._Z[t] - self._likeness[t, :t].dot(self._moves[:t])
        self.passed.batch.step, Y = number, z[None]
        for layer, p in self.others:
            Y = layer.forward(Y, p)
        found = self._find_loss(Y, t)
        if found is None:
            return None
        loss, dY, right = found
        for layer, p in reversed(self.others):
            dY = layer.backward(dY, p)
        self.rest.step(rate)
        np.multiply(dY[0], rate, out=self._moves[t])
        self._dY = dY
        return loss, int(right[0])

    def _take_at_once(self, t: int, number: int, rate: float) -> tuple[float, int] | None:
        """Take the step with example ``t`` of the block in compiled code, as `take` says."""
        chain, prepared, loss = self._chain, (self._Z, self._likeness, self._moves, t), self.loss
        assert chain is not None
        self._dY = chain.delta
        if type(loss) is SoftmaxCrossEntropy:
            y = int(self._labels[t])
            weight = 1.0 if loss.class_weights is None else float(loss.class_weights[y])
            value, right = chain.step(*prepared, y, loss.label_smoothing, weight, rate)
            return (value, int(right)) if math.isfinite(value) else None
        found = self._find_loss(chain.forward(*prepared), t)  # of a planted mistake
        if found is None:
            return None
        chain.backward(found.gradient, self._moves, t, rate)
        return found.value, int(found.right[0])

    def _find_loss(self, logits: Array, t: int) -> LossAndGradient | None:
        """Return the loss of example ``t``, or None where it is not finite or cannot be computed."""
        try:
            # Its total is 1: where classes have weights, these are to count.
            found = self.loss(logits, self._labels[t : t + 1], total=1)
        except TrainingError:
            return None
        return found if math.isfinite(found.value) else None

    def catch_up(self) -> None:
        """Bring W and b, and their gradients, up to date for somebody who looks in the middle of a block."""
        if self.between_blocks:
            return
        if self._before is None:
            self._before = self._lower.copy()
        self._move()
        self._seen = self._lower.copy()

    def _prepare(self, epoch: int, i: int) -> None:
        """Compute what the rest of a block needs of W and b as they are now."""
        X, labels, _ = self.examples.batch(epoch, i // STEPS)
        self._X, self._labels = X[i % STEPS :], labels[i % STEPS :]
        self.loss.check(np.empty((len(self._labels), self.loss.classes), X.dtype), self._labels)
        self._Z = self._X @ self.first.W + self.first.b  # (n, units)
        self._likeness = self._X @ self._X.T + 1  # (n, n)
        self._taken, self._size, self._caught_up, self._before = 0, len(self._X), 0, None

    def _end_block(self) -> None:
        """Move W and b by all steps of the block at once, from where they were before it."""
        if self._before is not None:
            self._lower[...] = self._before
            self._caught_up, self._before = 0, None
        self._size = self._taken
        self._move()

    def _move(self) -> None:
        """Move W and b by the steps of the block that were taken and are not yet in them."""
        due = slice(self._caught_up, self._taken)
        if self._taken > self._caught_up:
            self.first.W -= self._X[due].T @ self._moves[due]
            self.first.b -= self._moves[due].sum(axis=0)
            self.first_pass.X = self._X[self._taken - 1 : self._taken]
            self.first.parameter_gradients(self._dY, self.first_pass)  # the last step's, for those who look
        self._caught_up = self._taken
