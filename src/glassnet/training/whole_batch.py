"""One step on all training images: the gradient of their mean loss, block by block."""

from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import replace

import numpy as np

from ..data import Examples, Preprocessing
from ..nn import Dense, Dropout, Network, SoftmaxCrossEntropy
from ..nn.types import Array
from .batches import Batches

__all__ = ["BLOCK", "WholeBatch"]

BLOCK = 1024  # images: few enough for the caches, enough for threads not to wait for each other


class WholeBatch:
    """The gradient over all training images, the same as if they went through the network at once.

    Sixty thousand images as one matrix would be read from memory again for each product and each activation. A block of
    1,024 stays in the processor's caches from its first product to its last. The mean over all is a sum over blocks:

        L = Σ over blocks of (Σ ℓ / n)        ∂L/∂θ = Σ over blocks of ∂(Σ ℓ / n)/∂θ        n = all images

    The inputs are X = s·P + t for pixels P. To scale ten or a hundred weights for each pixel is less work than to scale
    the pixel in each image, so the first layer is given P itself, with other weights:

        X W + b = P (s W) + (b + t Σ W)        Xᵀ dZ = s Pᵀ dZ + t Σₙ dZ

    The blocks are dealt out to threads, to each always the same ones, so that a run repeats bit for bit. Dropout draws
    its masks from one generator, so there a single thread goes through all blocks.

    Args:
        network: whose ``gradients`` to fill.
        loss: what to make small.
        examples: the training images.
        preprocessing: s and t.
        threads: how many.
    """

    def __init__(
        self,
        network: Network,
        loss: SoftmaxCrossEntropy,
        examples: Examples,
        preprocessing: Preprocessing,
        threads: int,
    ) -> None:
        if any(isinstance(layer, Dropout) for layer in network.layers):
            threads = 1
        self.network, self.preprocessing, self.weight = network, preprocessing, loss.weight(examples.labels)
        as_stored = replace(preprocessing, scale=1.0, shift=0.0)
        self.workers = [
            (network.replica(), copy(loss), Batches(examples, as_stored, BLOCK, None, network.dtype))
            for _ in range(threads)
        ]

    def gradient(self) -> tuple[float, int]:
        """Fill the network's ``gradients``; return the mean loss and how many images were recognised."""
        with ThreadPoolExecutor(len(self.workers)) as threads:
            parts = list(threads.map(self._part, range(len(self.workers))))
        np.sum([gradients for gradients, _, _ in parts], axis=0, out=self.network.gradients)
        first = _first(self.network)
        first.dW *= self.preprocessing.scale
        first.dW += self.preprocessing.shift * first.db
        return sum(loss for _, loss, _ in parts), sum(correct for _, _, correct in parts)

    def _part(self, worker: int) -> tuple[Array, float, int]:
        """Return gradients (of the weights for pixels), loss and number recognised, summed over a worker's blocks."""
        network, criterion, blocks = self.workers[worker]
        self._take_parameters(network)
        gradients, loss, correct = np.zeros_like(network.gradients), 0.0, 0
        with np.errstate(all="ignore"):  # which a thread does not inherit
            for i in range(worker, len(blocks), len(self.workers)):
                P, y = blocks.batch(None, i)
                Z = network.forward(P, training=True)
                loss += criterion.forward(Z, y, total=self.weight)
                correct += int(np.count_nonzero(Z.argmax(axis=1) == y))
                network.backward(criterion.backward())
                gradients += network.gradients
        return gradients, loss, correct

    def _take_parameters(self, replica: Network) -> None:
        """Copy the network's parameters, those of the first layer made for pixels."""
        replica.parameters[...] = self.network.parameters
        first = _first(replica)
        first.b += self.preprocessing.shift * first.W.sum(axis=0)
        first.W *= self.preprocessing.scale


def _first(network: Network) -> Dense:
    first = network.layers[0]
    assert isinstance(first, Dense)
    return first
