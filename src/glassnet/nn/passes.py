"""One batch on its way through a network and back: what it leaves behind at each layer, and what is known of it.

A layer keeps nothing of a batch. What its forward has to keep for its backward lies in a pass, and so do the arrays
that it computes in. So one network can be used by many threads at once, each with a pass of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .engine import Engine
from .types import Array

__all__ = ["Batch", "LayerPass", "Pass"]


@dataclass
class Batch:
    """What is known of the batch that is under way.

    Attributes:
        training: whether dropout and the statistics of the batch are switched on.
        seed: of the dropout masks, which are functions of (seed, step, block, layer).
        step: the number of the step; backward counts it up, so that the next batch has dropout masks of its own.
        block: the number of the part, where a batch goes through the network part by part.
        rows: which rows of the batch are given, where others go through the network elsewhere.
        count: the number of rows of the whole batch, then.
        add_up: adds, in place, to sums over the given rows those over the other rows, then.
    """

    training: bool = False
    seed: int = 0
    step: int = 0
    block: int = 0
    rows: slice = field(default_factory=lambda: slice(None))
    count: int | None = None
    add_up: Callable[[Array], None] | None = None


class Layered(Protocol):
    """What a pass needs of the network that it goes through."""

    layers: list[Any]
    engine: Engine
    dtype: np.dtype[Any]
    gradients: Array

    def views(self, vector: Array) -> dict[str, Array]: ...


class Pass:
    """The memory for batches that go through a network one after the other, and what is known of the one under way.

        p = Pass(network, training=True)
        Z = network.forward(X, p)
        network.backward(dZ, p)

    Args:
        network: for which it is.
        training: see `Batch`.
        seed: see `Batch`.
        gradients: where backward writes ∂L/∂parameters; by default ``network.gradients`` in training, and nowhere else,
            so that backward has no place to write to.

    Attributes:
        batch: what is known of the batch.
        layers: a `LayerPass` for each layer.
    """

    def __init__(
        self, network: Layered, *, training: bool = False, seed: int = 0, gradients: Array | None = None
    ) -> None:
        self.batch = Batch(training, seed)
        self.layers = [LayerPass(self.batch, network, number) for number in range(len(network.layers))]
        if training or gradients is not None:
            for name, view in network.views(network.gradients if gradients is None else gradients).items():
                number, _, parameter = name.partition(".")
                setattr(self.layers[int(number)], f"d{parameter}", view)


class LayerPass:
    """What a batch leaves behind at one layer: whatever attributes the layer's forward sets for its backward.

    Attributes:
        batch: what is known of the batch.
        number: of the layer, from 0.
        engine: what to compute with.
        dtype: of all arrays.
        dW, db, …: views of the gradients of the layer's parameters, where there are gradients.
    """

    def __init__(self, batch: Batch, network: Layered, number: int) -> None:
        self.batch, self.number = batch, number
        self.engine, self.dtype = network.engine, network.dtype
        self._arrays: dict[str, Array] = {}

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

        def __setattr__(self, name: str, value: Any) -> None: ...

    def array(self, name: str, *shape: int) -> Array:
        """Return an array for results, with anything in it: the same memory for each batch.

        Memory for the largest batch so far is kept; a smaller one gets its beginning.
        """
        array: Array | None = self._arrays.get(name)
        if array is not None and array.shape == shape:
            return array
        size = prod(shape)
        if array is None or array.size < size:
            array = self._arrays[name] = self.engine.empty(shape, self.dtype)
            return array
        return array.reshape(-1)[:size].reshape(shape)
