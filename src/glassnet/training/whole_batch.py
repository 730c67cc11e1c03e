"""One step on all training images: the gradient of their mean loss, block by block."""

from concurrent.futures import ThreadPoolExecutor
from copy import copy

import numpy as np

from ..nn import Dropout, Network, SoftmaxCrossEntropy
from .batches import Batches

__all__ = ["BLOCK", "WholeBatch"]

BLOCK = 1024  # images: a block stays in the processor's caches between forward and backward


class WholeBatch:
    """The gradient over all training images, the same as if they went through the network at once.

    Sixty thousand images as one matrix would be read from memory again for each product and each activation. A block of
    256 is read once. The mean over all is a sum over blocks:

        L = Σ over blocks of (Σ ℓ / n)        ∂L/∂θ = Σ over blocks of ∂(Σ ℓ / n)/∂θ        n = all images

    The blocks are dealt out to threads, to each always the same ones, so that a run repeats bit for bit. Each thread
    has a replica of the network, which shares its parameters and has gradients of its own. Dropout draws its masks from
    one generator, so there a single thread goes through all blocks.

    Args:
        network: whose ``gradients`` to fill.
        loss: what to make small.
        blocks: the training images in their own order, `BLOCK` at a time; one for each thread.
    """

    def __init__(self, network: Network, loss: SoftmaxCrossEntropy, blocks: list[Batches]) -> None:
        if any(isinstance(layer, Dropout) for layer in network.layers):
            blocks = blocks[:1]
        self.network = network
        self.workers = [(network.replica(), copy(loss), share) for share in blocks]
        self.weight = loss.weight(blocks[0].labels)

    def gradient(self) -> tuple[float, int]:
        """Fill the network's ``gradients``; return the mean loss and how many images were recognised."""
        if len(self.workers) == 1:
            parts = [self._part(0)]
        else:
            with ThreadPoolExecutor(len(self.workers)) as threads:
                parts = list(threads.map(self._part, range(len(self.workers))))
        np.sum([gradients for gradients, _, _ in parts], axis=0, out=self.network.gradients)
        return sum(loss for _, loss, _ in parts), sum(correct for _, _, correct in parts)

    def _part(self, worker: int) -> tuple[np.ndarray, float, int]:
        """Return gradients, loss and number recognised, summed over every block of one worker."""
        network, criterion, blocks = self.workers[worker]
        gradients, loss, correct = np.zeros_like(network.gradients), 0.0, 0
        with np.errstate(all="ignore"):  # which a thread does not inherit
            for i in range(worker, len(blocks), len(self.workers)):
                X, y = blocks.batch(None, i)
                Z = network.forward(X, training=True)
                loss += criterion.forward(Z, y, total=self.weight)
                correct += int(np.count_nonzero(Z.argmax(axis=1) == y))
                network.backward(criterion.backward())
                gradients += network.gradients
        return gradients, loss, correct
