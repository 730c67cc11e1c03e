"""One step on all training images: the gradient of their mean loss, block by block."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data import Examples, Preprocessing
from ..nn import Network, Pass, SoftmaxCrossEntropy, SomeColumns
from .ranks import ALONE as ONE_RANK
from .ranks import Ranks

__all__ = ["BLOCK", "WholeBatch"]

BLOCK = 2048  # images, at most: few enough for the caches, enough for threads not to wait for each other
PARTS = 16  # of the blocks


class _Block(NamedTuple):
    """Images with something in the same places."""

    number: int
    pixels: NDArray[np.uint8]  # (n, len(inked)), those that are not zero in every image of the block
    inked: NDArray[np.int64]  # which ones they are, among all pixels of an image
    labels: NDArray[np.int64]  # (n,)


class WholeBatch:
    """The gradient over all training images, the same as if they went through the network at once.

    Sixty thousand images as one matrix would be read from memory again for each product and each activation. A block of
    2,048 stays in the processor's caches from its first product to its last. The mean over all is a sum over blocks:

        L = Σ over blocks of (Σ ℓ / n)        ∂L/∂θ = Σ over blocks of ∂(Σ ℓ / n)/∂θ        n = all images

    A pixel that is zero in each image of a block adds nothing to any product, so it is left out (`SomeColumns`). In
    what order images are summed does not matter either, so images that are blank in the same places are put together.
    On MNIST that leaves out two fifths of all pixels.

    Threads take sixteenths of the blocks as they find time, and what comes of each sixteenth is added up in order, so a
    run repeats bit for bit with any number of threads.

    Args:
        network: whose ``gradients`` to fill.
        loss: what to make small.
        examples: the training images.
        preprocessing: how pixels become inputs.
        seed: of the dropout masks.
        ranks: the processes that share out the images; the gradient is that of this rank's.
    """

    def __init__(
        self,
        network: Network,
        loss: SoftmaxCrossEntropy,
        examples: Examples,
        preprocessing: Preprocessing,
        seed: int = 0,
        ranks: Ranks = ONE_RANK,
    ) -> None:
        self.network, self.loss, self.preprocessing = network, loss, preprocessing
        self.weight = loss.weight(examples.labels)
        blocks = list(_blocks(examples, network.at_a_time(BLOCK), ranks))
        self.parts = [blocks[i::PARTS] for i in range(min(PARTS, len(blocks)))]
        self.sums = np.zeros((len(self.parts), network.gradients.size), network.dtype)  # of each part
        # Of each thread: what a block leaves behind, its gradients, and the numbers that its pixels become.
        largest, threads = max((block.pixels.size for block in blocks), default=0), network.engine.threads
        self._gradients = np.empty((threads, network.gradients.size), network.dtype)
        self._passes = [Pass(network, training=True, seed=seed, gradients=own) for own in self._gradients]
        self._pixels = np.empty((threads, largest), network.dtype)

    def gradient(self, step: int) -> tuple[float, int]:
        """Fill the network's ``gradients``; return the mean loss and how many were recognised."""
        results = [(0.0, 0)] * len(self.parts)

        def work(member: int, part: int) -> None:
            results[part] = self._go_through(member, part, step)

        self.network.engine.share_out(work, len(self.parts))
        np.sum(self.sums, axis=0, out=self.network.gradients)
        return sum(loss for loss, _ in results), sum(correct for _, correct in results)

    def _go_through(self, member: int, part: int, step: int) -> tuple[float, int]:
        """Sum the gradients, the loss and the number recognised over the blocks of a part."""
        p, sums, form = self._passes[member], self.sums[part], self.preprocessing
        sums[...], total, correct = 0, 0.0, 0
        for block, pixels, inked, labels in self.parts[part]:
            p.batch.step, p.batch.block = step, block
            P = self._pixels[member, : pixels.size].reshape(pixels.shape)
            np.copyto(P, pixels)
            X = SomeColumns(P, inked, form.height * form.width, form.scale, form.shift)
            found = self.loss(self.network.forward(X, p), labels, total=self.weight)
            self.network.backward(found.gradient, p)
            sums += self._gradients[member]
            total += found.value
            correct += int(np.count_nonzero(found.right))
        return total, correct


def _blocks(examples: Examples, size: int, ranks: Ranks = ONE_RANK) -> Iterator[_Block]:
    """Cut this rank's images into blocks, those of like extent together: sorted by first inked column, then width."""
    # Some images at a time: what is kept are the blocks, and another copy of all images would stay beside them.
    columns = np.concatenate([block.images.any(axis=1) for block in examples.blocks()])  # (n, w)
    left = columns.argmax(axis=1)
    right = columns.shape[1] - columns[:, ::-1].argmax(axis=1)
    order = np.lexsort((right - left, left))
    order = order[ranks.share(len(order))]
    for number, start in enumerate(range(0, len(order), size)):
        chosen = order[start : start + size]
        pixels = examples.images_at(chosen).reshape(len(chosen), -1)
        inked = np.flatnonzero(pixels.any(axis=0))
        yield _Block(number, np.take(pixels, inked, axis=1), inked, examples.labels[chosen])
