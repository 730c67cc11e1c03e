"""One step on all training images: the gradient of their mean loss, block by block."""

from collections.abc import Iterator
from copy import copy
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data import Examples, Preprocessing
from ..nn import Dense, Dropout, Network, SoftmaxCrossEntropy
from ..nn.products import sum_of_rows
from ..nn.team import ALONE, Team
from ..nn.types import Array
from .ranks import ALONE as ONE_RANK
from .ranks import Ranks

__all__ = ["BLOCK", "WholeBatch"]

BLOCK = 2048  # images: few enough for the caches, enough for threads not to wait for each other
PARTS = 16  # of the blocks


class _Block(NamedTuple):
    """Images with something in the same places."""

    pixels: NDArray[np.uint8]  # (n, len(inked)), those that are not zero in every image of the block
    inked: NDArray[np.int64]  # which ones they are, among all pixels of an image
    labels: NDArray[np.int64]  # (n,)


class WholeBatch:
    """The gradient over all training images, the same as if they went through the network at once.

    Sixty thousand images as one matrix would be read from memory again for each product and each activation. A block of
    2,048 stays in the processor's caches from its first product to its last. The mean over all is a sum over blocks:

        L = Σ over blocks of (Σ ℓ / n)        ∂L/∂θ = Σ over blocks of ∂(Σ ℓ / n)/∂θ        n = all images

    Two things make the first layer, which is most of the work, quicker and leave the result what it is:

    - A pixel that is zero in each image of a block adds nothing to any product, so it is left out. In what order images
      are summed does not matter either, so images that are blank in the same places are put together. On MNIST that
      leaves out two fifths of all pixels.
    - The inputs are X = s·P + t for pixels P. Instead of each pixel of each image the weights are scaled, once a step:

        X W + b = P (s W) + (b + t Σ W)        Xᵀ dZ = s (Pᵀ dZ + t/s Σₙ dZ)

    Threads take sixteenths of the blocks as they find time, and what comes of each sixteenth is added up in order, so a
    run repeats bit for bit with any number of threads. Dropout draws its masks from one generator, so there a single
    thread goes through all blocks.

    Args:
        network: whose ``gradients`` to fill; its first layer is `Dense`.
        loss: what to make small.
        examples: the training images.
        preprocessing: s and t.
        team: the threads.
        ranks: the processes that share out the images; the gradient is that of this rank's.
    """

    def __init__(
        self,
        network: Network,
        loss: SoftmaxCrossEntropy,
        examples: Examples,
        preprocessing: Preprocessing,
        team: Team,
        ranks: Ranks = ONE_RANK,
    ) -> None:
        self.team = ALONE if any(isinstance(layer, Dropout) for layer in network.layers) else team
        self.network, self.weight = network, loss.weight(examples.labels)
        self.scale, self.shift = preprocessing.scale, preprocessing.shift
        blocks = list(_blocks(examples, ranks))
        self.parts = [blocks[i::PARTS] for i in range(min(PARTS, len(blocks)))]
        self.sums = np.zeros((len(self.parts), network.gradients.size), network.dtype)
        largest = max((block.pixels.size for block in blocks), default=0)
        self.workers = [_Worker(network, loss, largest) for _ in range(self.team.size)]

    def gradient(self, count: bool) -> tuple[float, int]:
        """Fill the network's ``gradients``; return the mean loss and, where asked for, how many were recognised."""
        for worker in self.workers:
            self._bring_up_to_date(worker.replica)
        shift, results = self.shift / self.scale, [(0.0, 0)] * len(self.parts)

        def work(member: int, part: int) -> None:
            blocks, gradients = self.parts[part], self.sums[part]
            results[part] = self.workers[member].go_through(blocks, gradients, shift, self.weight, count)

        self.team.share_out(work, len(self.parts))
        np.sum(self.sums, axis=0, out=self.network.gradients)
        self.network.named_gradients["0.W"] *= self.scale
        return sum(loss for loss, _ in results), sum(correct for _, correct in results)

    def _bring_up_to_date(self, replica: Network) -> None:
        """Give a replica the network's parameters, those of the first layer made for pixels."""
        replica.parameters[...] = self.network.parameters
        named = replica.named_parameters
        named["0.b"] += self.shift * named["0.W"].sum(axis=0)
        named["0.W"] *= self.scale


class _Worker:
    """What a thread computes with: a replica of the network, whose first layer takes pixels, and memory for a block."""

    def __init__(self, network: Network, loss: SoftmaxCrossEntropy, pixels: int) -> None:
        self.replica, self.loss = network.replica(), copy(loss)
        self._pixels = np.empty(pixels, network.dtype)
        self._sum = np.empty(network.named_parameters["0.b"].shape, network.dtype)
        self._W, self._dW = np.empty((2, *network.named_parameters["0.W"].shape), network.dtype)

    def go_through(
        self, blocks: list[_Block], gradients: Array, shift: float, weight: float, count: bool
    ) -> tuple[float, int]:
        """Sum gradients, loss and, where asked for, the number recognised.

        Inputs are (pixels + ``shift``) times a scale that is left out here; all images weigh ``weight`` in the loss.
        """
        W = self.replica.named_parameters["0.W"]
        dW, rest = gradients[: W.size].reshape(W.shape), slice(W.size, None)
        first, *others = self.replica.layers
        assert isinstance(first, Dense)
        gradients[...] = 0
        sums, total, correct = np.zeros_like(self._sum), 0.0, 0
        for pixels, inked, labels in blocks:
            first.W = np.take(W, inked, axis=0, out=self._W[: len(inked)], mode="clip")
            first.dW = self._dW[: len(inked)]
            Y = self._pixels[: pixels.size].reshape(pixels.shape)
            np.copyto(Y, pixels)
            for layer in self.replica.layers:
                Y = layer.forward(Y, training=True)
            total += self.loss.forward(Y, labels, total=weight)
            if count:  # to look for the largest of ten numbers takes longer than to multiply by a hundred
                correct += int(np.count_nonzero(Y.argmax(axis=1) == labels))
            dY = self.loss.backward()
            for layer in reversed(others):
                dY = layer.backward(dY)
            first.parameter_gradients(dY)
            dW[inked] += first.dW
            sums += sum_of_rows(dY, self._sum)
            gradients[rest] += self.replica.gradients[rest]
        dW += shift * sums  # for a shift of 0 too, since 0 · NaN is NaN
        return total, correct


def _blocks(examples: Examples, ranks: Ranks = ONE_RANK) -> Iterator[_Block]:
    """Cut this rank's images into blocks, those of like extent together: sorted by first inked column, then width."""
    # Some images at a time: what is kept are the blocks, and another copy of all images would stay beside them.
    columns = np.concatenate([block.images.any(axis=1) for block in examples.blocks()])  # (n, w)
    left = columns.argmax(axis=1)
    right = columns.shape[1] - columns[:, ::-1].argmax(axis=1)
    order = np.lexsort((right - left, left))
    order = order[ranks.share(len(order))]
    for start in range(0, len(order), BLOCK):
        chosen = order[start : start + BLOCK]
        pixels = examples.images_at(chosen).reshape(len(chosen), -1)
        inked = np.flatnonzero(pixels.any(axis=0))
        yield _Block(np.take(pixels, inked, axis=1), inked, examples.labels[chosen])
