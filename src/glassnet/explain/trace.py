"""One image through a network, unit by unit: what each unit gives, and the exact sum of any of them.

seen = trace(model, image)
print(seen.unit(1, 16))         # hidden layer 1, unit 17: its largest terms, the rest, the bias, the activation
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..data import as_pixels
from ..errors import DataError
from ..model import Model
from ..nn import BatchNorm, Network, Pass, softmax
from ..nn.types import Array
from .sums import factor, number, plus
from .units import Connections, UnitLayer, connections, unit_layers

__all__ = ["Trace", "UnitSum", "trace"]

TERMS = 6  # of a sum that are printed
OUTPUTS = 5  # units of the next layer that are printed


@dataclass(frozen=True, eq=False)
class Trace:
    """What every unit of a network gives for one image, of an ensemble its first network's.

    Attributes:
        image: the pixels (h, w), uint8.
        layers: the layers of units, the input first and the output last.
        values: of each layer what each of its steps gives, flat: a sum or a pool, its normalisation, its activation. Of
            the input first what the network is given.
        probabilities: ``(k,)`` of the classes.
    """

    image: NDArray[np.uint8]
    layers: tuple[UnitLayer, ...]
    values: tuple[tuple[Array, ...], ...]
    probabilities: Array
    network: Network

    def activations(self, layer: int) -> Array:
        """Return what a layer hands on, flat: 0 is the input, −1 the output, whose are the logits."""
        return self.values[layer][-1]

    def unit(self, layer: int, unit: int) -> "UnitSum":
        """Return the exact sum of a unit; raise DataError where there is none of this layer and index, from 0."""
        return UnitSum(self, layer, unit, connections(self.network, self.layers, layer, unit))


@dataclass(frozen=True, eq=False)
class UnitSum:
    """How a unit comes to its activation. Printed, it is a few lines of text.

    Attributes:
        trace: of which it is one unit.
        level: the index of its layer among those of the trace, from 0, which is the input.
        unit: its index in that layer, from 0.
        connections: its weights, its bias, and the units that it is connected with.
    """

    trace: Trace
    level: int
    unit: int
    connections: Connections

    @property
    def layer(self) -> UnitLayer:
        """The unit's layer."""
        return self.trace.layers[self.level]

    @property
    def inputs(self) -> Array:
        """``(m,)`` what the units of the layer below give for this image; empty for the input."""
        below = self.trace.activations(self.level - 1) if self.level else np.empty(0, self.trace.network.dtype)
        return below[self.connections.inputs]

    @property
    def values(self) -> tuple[float, ...]:
        """What each step gives: the sum or the pool, then what follows it; the last is the activation."""
        return tuple(float(step[self.unit]) for step in self.trace.values[self.level])

    @property
    def activation(self) -> float:
        """What the unit hands on."""
        return self.values[-1]

    @property
    def terms(self) -> Array:
        """``(m,)`` weight times input, which with the bias add up to the first value; of a maximum the inputs."""
        weights = self.connections.weights
        return self.inputs if weights is None else self.inputs * weights

    def __str__(self) -> str:
        where = self.layer.place(self.unit)
        head = f"{self.layer.name}, {where}: {number(self.activation)}"
        return "\n".join([head, *self._sum(), *self._steps(), *self._outputs()])

    def _sum(self) -> Iterator[str]:
        kind, terms = self.layer.kind, self.terms
        if kind == "input":
            yield f"    the pixel is {int(self.trace.image.ravel()[self.unit])} of 255, scaled {number(self.values[0])}"
            return
        inputs, below = self.inputs, self.trace.layers[self.level - 1]
        order = np.argsort(-np.abs(terms), kind="stable")
        if kind == "max pool":
            order = order[np.argsort(-terms[order], kind="stable")]
        for i in order[:TERMS].tolist():
            words = number(terms[i])
            if self.connections.weights is not None:
                words = f"{number(inputs[i])} · {factor(self.connections.weights[i])} = {words}"
            yield f"    {words:32} {below.place(int(self.connections.inputs[i]))}"
        rest = terms[order[TERMS:]]
        if kind == "max pool":
            yield f"    the largest of {terms.size} is {number(self.values[0])}"
            return
        if rest.size:
            zeros = np.count_nonzero(rest == 0)
            yield f"    {number(rest.sum(dtype=np.float64)):32} the other {rest.size:,}, {zeros:,} of them 0"
        if kind != "average pool":
            yield f"    {number(self.connections.bias):32} bias"
        yield f"    sum {number(self.values[0])}"

    def _steps(self) -> Iterator[str]:
        """What follows the sum, number by number."""
        first = 0 if self.layer.kind == "input" else 1  # of the input all steps come after its own value
        for i, value, before in zip(self.layer.steps[first:], self.values[1:], self.values, strict=False):
            name = type(self.trace.network.layers[i]).__name__
            if isinstance(self.trace.network.layers[i], BatchNorm):
                norm = self.connections.normalisation[i]
                centred = f"({number(before)}{plus(-norm['mean'])}) / {number(norm['deviation'])}"
                yield f"    {name}: {centred} · {number(norm['gamma'])}{plus(norm['beta'])} = {number(value)}"
            else:
                yield f"    {name}({number(before)}) = {number(value)}"

    def _outputs(self) -> Iterator[str]:
        """Where the activation goes, or of an output its probability."""
        own = self.connections
        if not own.outputs.size:
            if self.layer is self.trace.layers[-1]:
                yield f"    probability {100 * self.trace.probabilities[self.unit]:.2f} %"
            return
        above = self.trace.layers[self.level + 1]
        if not self.activation and own.output_weights is not None:
            yield f"    hands nothing on to {above.name}"
            return
        if own.output_weights is None:
            yield from (f"    goes to {above.name}, {above.place(int(unit))}" for unit in own.outputs[:OUTPUTS])
            return
        given = self.activation * own.output_weights
        for i in np.argsort(-np.abs(given), kind="stable")[:OUTPUTS].tolist():
            words = f"{number(self.activation)} · {factor(own.output_weights[i])} = {number(given[i])}"
            yield f"    {words:32} to {above.name}, {above.place(int(own.outputs[i]))}"


def trace(model: Model, image: NDArray[np.generic]) -> Trace:
    """Take one image forward through a model's network, as when predicting, and keep what every unit gives.

    Args:
        model: any. Of an ensemble its first network is traced.
        image: (h, w) pixels, as the model takes them.

    Raises:
        DataError: an image of another shape, more than one, or weights so large that an activation is not finite.
    """
    pixels = as_pixels(image, model.image_shape, "image", maximum=model.preprocessing.maximum)
    if len(pixels) != 1:
        raise DataError(f"{len(pixels)} images, and one is traced at a time; give one")
    layers, network = unit_layers(model), model.network
    Y = model.inputs(pixels)
    results: list[Array] = []
    with np.errstate(all="ignore"):
        given = Y.ravel().copy()
        for layer, own in zip(network.layers, Pass(network).layers, strict=True):
            Y = layer.forward(Y, own)
            results.append(Y.ravel().copy())
    if not np.isfinite(results[-1]).all():
        raise DataError("the model's weights are so large that its answer is NaN; train it again")
    values = [tuple(results[i] for i in layer.steps) for layer in layers]
    values[0] = (given, *values[0])
    return Trace(pixels[0], layers, tuple(values), softmax(Y)[0], network)
