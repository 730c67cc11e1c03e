"""How good a network is on examples that it does not learn from."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..data import Examples
from ..model import Model
from ..nn import Network, Pass, SoftmaxCrossEntropy
from ..nn.types import Array
from .batches import Table

__all__ = ["Validation", "outputs", "validate", "validate_table"]

Validation: TypeAlias = tuple[float | None, float | None]
"""Mean loss and accuracy, or None twice where there are no examples."""

BLOCK = 512  # rows at a time, at most: their activations stay in the processor's cache


def validate(model: Model, examples: Examples) -> Validation:
    """Return a model's loss and accuracy on images."""
    if not len(examples):
        return None, None
    return _score(np.concatenate([model.logits(block.images) for block in examples.blocks()]), examples.labels)


def validate_table(network: Network, table: Table | None) -> Validation:
    """Return a network's loss and accuracy on a table, weighted as its examples are."""
    return (None, None) if table is None else _score(outputs(network, table.X), table.y, table.w)


def outputs(network: Network, X: Array) -> Array:
    """Return the logits (n, k) of X (n, d), a block of rows at a time."""
    Z, p = np.empty((len(X), *network.output_shape), network.dtype), Pass(network)
    size = network.at_a_time(BLOCK)
    for start in range(0, len(X), size):
        Z[start : start + size] = network.forward(X[start : start + size], p)
    return Z


def _score(Z: Array, y: NDArray[np.int64], w: NDArray[np.float64] | None = None) -> tuple[float, float]:
    found = SoftmaxCrossEntropy(Z.shape[1])(Z, y, w)
    return found.value, float(np.average(found.right, weights=w))
