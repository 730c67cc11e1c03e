"""A stack of layers with all of its parameters in one vector."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from math import prod
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from .activations import ACTIVATIONS
from .convolution import AveragePool2D, Conv2D, GlobalAveragePool2D, MaxPool2D
from .engine import NUMPY, Engine
from .layers import Bias, Dense, Dropout, Flatten, Layer, Reshape, SpatialDropout2D
from .normalization import BatchNorm
from .passes import Pass
from .products import SomeColumns
from .types import Array, Shape

__all__ = ["Network", "tensor_shapes"]

MOST_NUMBERS = 4_000_000  # of a layer's output at once, where many examples go through
_OF_IMAGES = (Conv2D, MaxPool2D, AveragePool2D, GlobalAveragePool2D, SpatialDropout2D)
_KINDS = (Dense, Bias, *_OF_IMAGES, Reshape, Flatten, Dropout, BatchNorm)
_LAYERS = {layer.__name__: layer for layer in (*_KINDS, *ACTIVATIONS.values())}
_Plan: TypeAlias = dict[str, tuple[Layer, Shape]]


class Network:
    """Layers applied one after the other.

    All parameters lie in one flat vector, into which each layer holds views, and all gradients in another. An optimizer
    then updates the whole network in a handful of in-place passes, and to save, compare or average networks is to
    copy, compare or average one vector. Nothing of a batch is kept here: that lies in a `Pass`.

    Args:
        layers: from input to output.
        input_shape: the shape of one example; an int means that many numbers in a row.
        dtype: float32, or float64 for gradient checks.
        seed: of the first weights; None leaves every number at zero, for those who will fill them in.
        engine: what to compute with.

    Attributes:
        parameters: all learned numbers, flat.
        gradients: ∂L/∂parameters after `backward`, in the same order, unless the pass writes them elsewhere.
        statistics: what is measured rather than learned (running averages of `BatchNorm`), flat.
        named_parameters, named_gradients, named_statistics: views into them, called ``"0.W"``, ``"0.b"``, …

    Raises:
        ValueError: a layer that does not fit onto the one below or that stands in a network already, or another dtype.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        input_shape: int | Shape,
        *,
        dtype: DTypeLike = np.float32,
        seed: int | None = 0,
        engine: Engine = NUMPY,
    ) -> None:
        self.layers, self.engine = list(layers), engine
        self.input_shape = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.float32, np.float64):
            raise ValueError(f"a network computes in float32 or float64, not {self.dtype}")
        if len({id(layer) for layer in self.layers}) != len(self.layers) or any(_is_taken(layer) for layer in layers):
            raise ValueError("a layer holds its own parameters, so it can stand in only one network, and only once")
        parameters, statistics, self.output_shape = _plan(self.layers, self.input_shape)
        self.parameters, self.gradients = self._zeros(parameters), self._zeros(parameters)
        self.statistics = self._zeros(statistics)
        self._set_views()
        if seed is not None:
            rng = np.random.default_rng(seed)
            for layer in self.layers:
                layer.initialize(rng)

    def _zeros(self, plan: _Plan) -> Array:
        vector: Array = self.engine.zeros((sum(prod(shape) for _, shape in plan.values()),), self.dtype)
        return vector

    def _set_views(self) -> None:
        parameters, statistics, _ = _plan(self.layers, self.input_shape)
        self._shapes = {name: shape for name, (_, shape) in parameters.items()}
        self.named_parameters, self.named_gradients = self.views(self.parameters), self.views(self.gradients)
        self.named_statistics = _views(self.statistics, {name: shape for name, (_, shape) in statistics.items()})
        for name, (layer, _) in (parameters | statistics).items():
            setattr(layer, name.partition(".")[2], (self.named_parameters | self.named_statistics)[name])
        # The first layer with parameters: nothing below it needs a gradient.
        self._lowest = min((int(name.partition(".")[0]) for name in parameters), default=len(self.layers))

    def at_a_time(self, most: int) -> int:
        """Return how many examples to send through at once where there are many: fewer than ``most`` of large images.

        What a layer gives for them is then no more than some megabytes, which stay near the processor.
        """
        shape = self.input_shape
        widest = 1
        for layer in self.layers:
            shape = layer.output_shape(shape)
            widest = max(widest, prod(shape))
        return max(min(most, MOST_NUMBERS // widest), 1)

    def views(self, vector: Array) -> dict[str, Array]:
        """Return views into a vector as long as ``parameters``, of each parameter's shape, by their names."""
        return _views(vector, self._shapes)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # `copy.deepcopy` and pickle make an array by itself of each view, so they are set into the vectors again.
        self.__dict__.update(state)
        self._set_views()

    def forward(self, X: Array | SomeColumns, p: Pass | None = None) -> Array:
        """Return the outputs (n, k) for examples X ``(n, *input_shape)``.

        Args:
            X: numbers of any type; or, where the first layer is `Dense` or `Reshape`, only some of their columns.
            p: what backward will need lies there, and the outputs too, until the next batch. Without it the network
                predicts, and the outputs are the caller's own.

        Raises:
            ValueError: X has another shape.
        """
        if X.shape[1:] != self.input_shape:
            raise ValueError(f"expected examples of shape {self.input_shape}, got {X.shape[1:]}")
        p = p or Pass(self)
        Y: Array = self.engine.numbers(X, self.dtype)
        for layer, own in zip(self.layers, p.layers, strict=True):
            Y = layer.forward(Y, own)
        return Y

    def backward(self, dY: Array, p: Pass) -> None:
        """Write the gradients, given dY = ∂L/∂outputs (n, k) of the last forward of ``p``; dY may be overwritten.

        That ends a step: ``p.batch.step`` is one more.
        """
        for layer, own in zip(self.layers[: self._lowest : -1], p.layers[: self._lowest : -1], strict=True):
            dY = layer.backward(dY, own)
        if self._lowest < len(self.layers):  # nobody below needs an input gradient
            self.layers[self._lowest].parameter_gradients(dY, p.layers[self._lowest])
        p.batch.step += 1

    def input_gradient(self, dY: Array, p: Pass) -> Array:
        """Return ∂L/∂X ``(n, *input_shape)``, given dY as `backward` is; it belongs to ``p``.

        The step does not end: sent through again, the examples meet the same dropout masks. Of the parameters'
        gradients, those of batch normalisation are overwritten in training, since its input's takes them.
        """
        for layer, own in zip(reversed(self.layers), reversed(p.layers), strict=True):
            if p.batch.training and layer.needs_parameter_gradients:
                layer.parameter_gradients(dY, own)
            dY = layer.input_gradient(dY, own)
        return dY

    def weights(self) -> Iterator[tuple[Array, Array]]:
        """Yield (W, dW) for each parameter that multiplies, which are those that weight decay and L2 apply to."""
        for number, layer in enumerate(self.layers):
            for name in layer.weights:
                yield self.named_parameters[f"{number}.{name}"], self.named_gradients[f"{number}.{name}"]

    def specification(self) -> list[dict[str, Any]]:
        """Return each layer's name and settings, plain enough for JSON; `from_specification` builds the same again.

        A layer that only learns in another way than the one it derives from goes by that one's name.
        """
        return [
            {"layer": next(kind.__name__ for kind in type(layer).__mro__ if kind.__name__ in _LAYERS)}
            | {f.name: getattr(layer, f.name) for f in fields(layer) if f.init}
            for layer in self.layers
        ]

    @classmethod
    def from_specification(
        cls, specification: Sequence[Mapping[str, Any]], input_shape: int | Shape, **options: Any
    ) -> Self:
        """Build a network from what `specification` returned; ``options`` are those of `Network`.

        Raises:
            ValueError: a layer that does not exist, or settings that it does not have.
        """
        return cls(_build(specification), input_shape, **options)


def tensor_shapes(specification: Sequence[Mapping[str, Any]], input_shape: Shape) -> tuple[dict[str, Shape], Shape]:
    """Return the shape of each named parameter and statistic of a network, and that of its output, without building it.

    Raises:
        ValueError: as `Network.from_specification`.
    """
    parameters, statistics, output_shape = _plan(_build(specification), input_shape)
    return {name: shape for name, (_, shape) in (parameters | statistics).items()}, output_shape


def _build(specification: Sequence[Mapping[str, Any]]) -> list[Layer]:
    layers: list[Layer] = []
    for entry in specification:
        settings = dict(entry)
        name = settings.pop("layer", None)
        if not isinstance(name, str) or name not in _LAYERS:
            raise ValueError(f"unknown layer {name!r}; known: {', '.join(_LAYERS)}")
        try:
            layers.append(_LAYERS[name](**settings))
        except TypeError as error:
            raise ValueError(f"{name} cannot be made from {settings}: {error}") from error
    return layers


def _plan(layers: Sequence[Layer], input_shape: Shape) -> tuple[_Plan, _Plan, Shape]:
    """Walk up through the layers: which parameters and statistics they have, and the shape of what comes out."""
    shape = input_shape
    parameters: _Plan = {}
    statistics: _Plan = {}
    for i, layer in enumerate(layers):
        parameters |= {f"{i}.{name}": (layer, s) for name, s in layer.parameter_shapes(shape).items()}
        statistics |= {f"{i}.{name}": (layer, s) for name, s in layer.statistic_shapes(shape).items()}
        shape = layer.output_shape(shape)
    return parameters, statistics, shape


def _views(vector: Array, shapes: Mapping[str, Shape]) -> dict[str, Array]:
    """Return views into ``vector`` by name, one after the other."""
    views: dict[str, Array] = {}
    start = 0
    for name, shape in shapes.items():
        views[name] = vector[start : start + prod(shape)].reshape(shape)
        start += prod(shape)
    return views


def _is_taken(layer: Layer) -> bool:
    """Return whether a network has set a layer's views."""
    return any(field.name in vars(layer) for field in fields(layer) if not field.init)
