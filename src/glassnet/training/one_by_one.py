"""One example at a time: a step of plain gradient descent on each image, without moving all weights each time.

A step on a single image changes the first layer by a matrix of rank one, x ⊗ dz, and nearly all of its time would go
into writing that matrix down and taking it off the weights. But the next image only asks what the weights make of it:

    after t steps    W_t = W₀ − η Σ_{i<t} x_i ⊗ dz_i        b_t = b₀ − η Σ_{i<t} dz_i
    so               x_t W_t + b_t = x_t W₀ + b₀ − η Σ_{i<t} (x_t · x_i + 1) dz_i

So for a block of images the products X W₀ and X Xᵀ are computed at once, each step corrects its own row by the steps
before it in the block, and at the block's end W₀ ← W₀ − η Xᵀ dZ and b₀ ← b₀ − η Σ dz. The steps, their order and their
results are the same, to rounding; the layers above are small and are moved at each step.
"""

import math

import numpy as np

from ..errors import TrainingError
from ..nn import SGD, Dense, Network, Schedule, SoftmaxCrossEntropy
from .batches import Batches
from .config import Config

__all__ = ["STEPS", "OneByOne", "can_go_one_by_one"]

STEPS = 128  # of a block; with more, the corrections take the time that the products save


def can_go_one_by_one(config: Config, network: Network) -> bool:
    """Return whether a step moves the first layer by x ⊗ dz and nothing else, and nobody averages the steps.

    Nor may images be distorted: that is drawn batch by batch, and the batches here are others than those of single
    images.
    """
    plain = config.optimizer == "sgd" and not (config.l2 or config.clip_norm or config.ema or config.augmentation)
    return plain and type(network.layers[0]) is Dense


class OneByOne:
    """Steps of one example each, a block of them in a call.

    Args:
        network: with a `Dense` as its first layer.
        loss: of one example.
        examples: the training images, `STEPS` at a time.
    """

    def __init__(self, network: Network, loss: SoftmaxCrossEntropy, examples: Batches) -> None:
        self.loss, self.examples = loss, examples
        first, *self.others = network.layers
        assert isinstance(first, Dense)
        self.first, W, b = first, first.W, first.b
        above = slice(W.size + b.size, None)
        self.rest = SGD(network.parameters[above], network.gradients[above])
        self._moves = np.empty((STEPS, b.size), W.dtype)  # η dz of each step of the block

    def steps(self, epoch: int, i: int, rate: Schedule) -> tuple[list[float], int]:
        """Take a step on each example of a block.

        Args:
            epoch: counted from 0.
            i: which block of it.
            rate: η of the block's steps, counted from 0.

        Returns:
            The loss of each example before its step, and how many were recognised. The steps end before one whose loss
            is not finite or cannot be computed.
        """
        X, y = self.examples.batch(epoch, i)
        first, moves = self.first, self._moves[: len(X)]
        Z = X @ first.W + first.b  # (n, units), with the weights as they are before the block
        likeness = X @ X.T + 1  # (n, n)
        losses: list[float] = []
        correct = 0
        for t, label in enumerate(y.tolist()):
            z = Z[t] - likeness[t, :t] @ moves[:t]
            Y = z[None]
            for layer in self.others:
                Y = layer.forward(Y, training=True)
            try:
                loss = self.loss.forward(Y, y[t : t + 1])
            except TrainingError:
                break
            if not math.isfinite(loss):
                break
            losses.append(loss)
            correct += int(Y.argmax()) == label
            dY = self.loss.backward()
            for layer in reversed(self.others):
                dY = layer.backward(dY)
            eta = rate(t)
            self.rest.step(eta)
            np.multiply(dY[0], eta, out=moves[t])
        if losses:
            taken = len(losses)
            first.W -= X[:taken].T @ moves[:taken]
            first.b -= moves[:taken].sum(axis=0)
            first.X = X[taken - 1 : taken]
            first.parameter_gradients(dY)  # the last step's, for those who look
        return losses, correct
