"""The units of a network, layer by layer, and what each of them is connected with.

A layer of units is one that takes sums or a pool, together with what follows it number by number: a normalisation, an
activation. A unit's index counts from 0 through the layer's flattened output, so it is the same before and after a
`Flatten`, and is also an index into the inputs of the next layer. In a convolution a unit is a filter at a place.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..model import Model
from ..nn import (
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool2D,
    Layer,
    MaxPool2D,
    Network,
    Reshape,
    Window,
)
from ..nn.types import Array, Shape

__all__ = ["Connections", "UnitLayer", "connections", "unit_layers"]

Kind: TypeAlias = Literal["input", "dense", "convolution", "max pool", "average pool"]
Indices: TypeAlias = NDArray[np.int64]
HEADS: dict[type[Layer], Kind] = {
    Dense: "dense",
    Conv2D: "convolution",
    MaxPool2D: "max pool",
    AveragePool2D: "average pool",
    GlobalAveragePool2D: "average pool",
}
NOTHING_CHANGES = Dropout, Flatten, Reshape  # when predicting


@dataclass(frozen=True)
class UnitLayer:
    """One layer of units.

    Attributes:
        name: ``input``, ``hidden layer 1``, ``pool 1``, …, ``output``.
        kind: what its units do with the layer below.
        shape: of its units: ``(d,)``, or ``(h, w, filters)``.
        below: of the units that it is given.
        steps: the indices of the network's layers whose results are shown, the first the sum or the pool itself. The
            input has only those that come before the first sum.
        end: one more than the index of the network's last layer that belongs to it.
    """

    name: str
    kind: Kind
    shape: Shape
    below: Shape
    steps: tuple[int, ...]
    end: int

    @property
    def size(self) -> int:
        """How many units it has."""
        return prod(self.shape)

    def feature(self, unit: int) -> int:
        """Return the row of `TopImages` for a unit: in feature maps that of its filter, otherwise its own."""
        return unit if len(self.shape) == 1 or self.kind == "input" else unit % self.shape[-1]

    def place(self, unit: int) -> str:
        """Return where a unit is, in words that count from 1."""
        if len(self.shape) == 1:
            return f"unit {unit + 1}"
        row, column, filter_ = (int(part) + 1 for part in np.unravel_index(unit, self.shape))
        where = f"row {row}, column {column}"
        return where if self.kind == "input" else f"filter {filter_}, {where}"


@dataclass(frozen=True, eq=False)
class Connections:
    """What a unit is connected with, whatever the image.

    Attributes:
        inputs: ``(m,)`` which units of the layer below it looks at; what a window sees of the padding is left out.
        weights: ``(m,)`` by which they are multiplied: of a mean 1/m. None for the largest of them, and for the input.
        bias: what is added to the sum, 0 where there is none.
        outputs: ``(k,)`` which units of the layer above look at it.
        output_weights: ``(k,)`` by which they multiply it; None where they take the largest number, and for the output.
        normalisation: ``mean``, ``deviation`` (√(v + ε)), ``gamma`` and ``beta`` of the unit's `BatchNorm`, by the
            index of that layer in the network.
    """

    inputs: Indices
    weights: Array | None
    bias: float
    outputs: Indices
    output_weights: Array | None
    normalisation: dict[int, dict[str, float]]


def unit_layers(model: Model) -> tuple[UnitLayer, ...]:
    """Return the layers of units of a model's network, of an ensemble its first one's, the input first."""
    network = model.network
    starts = [i for i, layer in enumerate(network.layers) if _head(layer)]
    shapes = [*_shapes(network)]
    hidden = pools = 0
    found: list[UnitLayer] = []
    for start, end in pairwise([-1, *starts, len(network.layers)]):
        head = network.layers[start] if start >= 0 else None
        kind: Kind = _head(head) or "input"
        steps = [i for i in range(max(start, 0), end) if not isinstance(network.layers[i], NOTHING_CHANGES)]
        shape: Shape = (*model.image_shape, 1) if kind == "input" else shapes[start + 1]
        if kind == "input":
            name = "input"
        elif end == len(network.layers):
            name = "output"
        elif kind in ("dense", "convolution"):
            hidden += 1
            name = f"hidden layer {hidden}"
        else:
            pools += 1
            name = f"pool {pools}"
        found.append(UnitLayer(name, kind, shape, shapes[max(start, 0)], tuple(steps), end))
    return tuple(found)


def connections(network: Network, layers: Sequence[UnitLayer], layer: int, unit: int) -> Connections:
    """Return what unit ``unit`` of ``layers[layer]`` is connected with.

    Raises:
        DataError: no such layer or unit.
    """
    check_unit(layers, layer, unit)
    own = layers[layer]
    inputs, weights, bias = _incoming(network, own, unit)
    above = layers[layer + 1] if layer + 1 < len(layers) else None
    outputs, output_weights = _outgoing(network, above, unit) if above else (np.empty(0, np.int64), None)
    norms = {i: _normalisation(norm, unit) for i in own.steps if isinstance(norm := network.layers[i], BatchNorm)}
    return Connections(inputs, weights, bias, outputs, output_weights, norms)


def check_unit(layers: Sequence[UnitLayer], layer: int, unit: int) -> None:
    """Raise DataError where there is no such layer or unit."""
    if not 0 <= layer < len(layers):
        raise DataError(f"layer {layer}: there are layers 0 (the input) to {len(layers) - 1} (the output)")
    if not 0 <= unit < layers[layer].size:
        raise DataError(f"unit {unit}: {layers[layer].name} has units 0 to {layers[layer].size - 1:,}")


def _head(layer: Layer | None) -> Kind | None:
    """Return what a layer's units do, None where it only changes number by number."""
    return next((kind for head, kind in HEADS.items() if isinstance(layer, head)), None)


def _shapes(network: Network) -> Iterator[Shape]:
    """Yield the shape of an example before the first layer, and after each."""
    shape = network.input_shape
    yield shape
    for layer in network.layers:
        shape = layer.output_shape(shape)
        yield shape


def _incoming(network: Network, own: UnitLayer, unit: int) -> tuple[Indices, Array | None, float]:
    """Return the inputs of a unit, their weights and the bias."""
    if own.kind == "input":
        return np.empty(0, np.int64), None, 0.0
    head = network.layers[own.steps[0]]
    if isinstance(head, Dense):
        return np.arange(len(head.W)), head.W[:, unit], float(head.b[unit])
    h, w, channels = own.below
    if isinstance(head, GlobalAveragePool2D):
        inputs = np.arange(h * w) * channels + unit
        return inputs, np.full(h * w, 1 / (h * w), network.dtype), 0.0
    window = _window(head, own.below)
    row, column, filter_ = np.unravel_index(unit, own.shape)
    y = int(row) * window.stride - window.top + np.arange(window.height)
    x = int(column) * window.stride - window.left + np.arange(window.width)
    down, across = np.flatnonzero((y >= 0) & (y < h)), np.flatnonzero((x >= 0) & (x < w))
    places = y[down][:, None] * w + x[across]  # (rows, columns) of the image below
    if isinstance(head, Conv2D):
        inputs = places[..., None] * channels + np.arange(channels)
        return inputs.ravel(), head.W[np.ix_(down, across)][..., filter_].ravel(), float(head.b[filter_])
    inputs = places.ravel() * channels + int(filter_)
    if isinstance(head, MaxPool2D):
        return inputs, None, 0.0
    return inputs, np.full(inputs.size, 1 / inputs.size, network.dtype), 0.0


def _outgoing(network: Network, above: UnitLayer, unit: int) -> tuple[Indices, Array | None]:
    """Return the units of the layer above that look at a unit, and their weights for it."""
    head = network.layers[above.steps[0]]
    if isinstance(head, Dense):
        return np.arange(head.units), head.W[unit]
    row, column, channel = (int(part) for part in np.unravel_index(unit, above.below))
    if isinstance(head, GlobalAveragePool2D):
        return np.array([channel]), np.full(1, 1 / prod(above.below[:2]), network.dtype)
    window = _window(head, above.below)
    oh, ow, filters = (*window.places(*above.below[:2]), above.shape[-1])
    u = (
        row + window.top - np.arange(oh) * window.stride
    )  # the row of the window under which the unit lies, place by place
    v = column + window.left - np.arange(ow) * window.stride
    down, across = np.flatnonzero((u >= 0) & (u < window.height)), np.flatnonzero((v >= 0) & (v < window.width))
    places = down[:, None] * ow + across
    if isinstance(head, Conv2D):
        outputs = places[..., None] * filters + np.arange(filters)
        return outputs.ravel(), head.W[np.ix_(u[down], v[across])][..., channel, :].ravel()
    outputs = places.ravel() * filters + channel
    if isinstance(head, MaxPool2D):
        return outputs, None
    return outputs, np.full(outputs.size, 1 / (window.height * window.width), network.dtype)


def _window(head: Any, below: Shape) -> Window:
    """Return the window of a convolution or a pool over images of a shape."""
    window: Window = head.window(*below[:2]) if isinstance(head, Conv2D) else head.window()
    return window


def _normalisation(norm: BatchNorm, unit: int) -> dict[str, float]:
    """Return the numbers of a unit's normalisation: of a row its own, of a place of an image those of the channel."""
    channel = unit % len(norm.gamma)
    deviation = np.sqrt(norm.running_variance[channel] + norm.epsilon)
    parts = {"mean": norm.running_mean, "gamma": norm.gamma, "beta": norm.beta}
    return {name: float(array[channel]) for name, array in parts.items()} | {"deviation": float(deviation)}
