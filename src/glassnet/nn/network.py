"""A stack of layers with all of its parameters in one vector."""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import fields
from math import prod
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from .activations import ACTIVATIONS
from .layers import Dense, Dropout, Flatten, Layer
from .normalization import BatchNorm
from .types import Array, Shape

__all__ = ["Network", "tensor_shapes"]

_LAYERS = {layer.__name__: layer for layer in (Dense, Flatten, Dropout, BatchNorm, *ACTIVATIONS.values())}
_Plan: TypeAlias = dict[str, tuple[Layer, Shape]]


class Network:
    """Layers applied one after the other.

    All parameters lie in one flat vector and all gradients in another; each layer holds views into them. An optimizer
    then updates the whole network in a handful of in-place passes, and to save, compare or average networks is to
    copy, compare or average one vector.

    Args:
        layers: from input to output.
        input_shape: the shape of one example; an int means that many numbers in a row.
        dtype: float32, or float64 for gradient checks.
        seed: of the generator that draws first weights and dropout masks; None leaves every number at zero, for those
            who will fill them in.

    Attributes:
        parameters: all learned numbers, flat.
        gradients: ∂L/∂parameters after `backward`, in the same order.
        statistics: what is measured rather than learned (running averages of `BatchNorm`), flat.
        named_parameters, named_gradients, named_statistics: views into them, called ``"0.W"``, ``"0.b"``, …
        rng: the generator.

    Raises:
        ValueError: a layer that does not fit onto the one below or that stands in a network already, or another dtype.
    """

    def __init__(
        self, layers: Sequence[Layer], input_shape: int | Shape, *, dtype: DTypeLike = np.float32, seed: int | None = 0
    ) -> None:
        self.layers = list(layers)
        self.input_shape = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.float32, np.float64):
            raise ValueError(f"a network computes in float32 or float64, not {self.dtype}")
        taken = any("dtype" in vars(layer) for layer in self.layers)
        if taken or len({id(layer) for layer in self.layers}) != len(self.layers):
            raise ValueError("a layer holds its own parameters, so it can stand in only one network, and only once")
        self.rng = np.random.default_rng(seed)
        parameters, statistics, self.output_shape = _plan(self.layers, self.input_shape)
        self.parameters, self.gradients = _zeros(parameters, self.dtype), _zeros(parameters, self.dtype)
        self.statistics = _zeros(statistics, self.dtype)
        self._set_views(parameters, statistics)
        for layer in self.layers:
            layer.dtype, layer.rng = self.dtype, self.rng
            if seed is not None:
                layer.initialize(self.rng)

    def _set_views(self, parameters: _Plan, statistics: _Plan) -> None:
        self.named_parameters = _views(self.parameters, parameters, "")
        self.named_gradients = _views(self.gradients, parameters, "d")
        self.named_statistics = _views(self.statistics, statistics, "")
        # The first layer with parameters: nothing below it needs a gradient.
        self._lowest = min((int(name.partition(".")[0]) for name in parameters), default=len(self.layers))

    def __setstate__(self, state: dict[str, Any]) -> None:
        # `copy.deepcopy` and pickle make an array by itself of each view, so they are set into the vectors again.
        self.__dict__.update(state)
        parameters, statistics, _ = _plan(self.layers, self.input_shape)
        self._set_views(parameters, statistics)

    def forward(self, X: Array, training: bool = False) -> Array:
        """Return the outputs (n, k) for examples X ``(n, *input_shape)``.

        The array belongs to the network and is overwritten by the next call. ``training`` switches dropout and batch
        statistics on.

        Raises:
            ValueError: X has another shape.
        """
        if X.shape[1:] != self.input_shape:
            raise ValueError(f"expected examples of shape {self.input_shape}, got {X.shape[1:]}")
        Y = np.asarray(X, self.dtype)
        for layer in self.layers:
            Y = layer.forward(Y, training)
        return Y

    def backward(self, dY: Array) -> None:
        """Fill `gradients`, given dY = ∂L/∂outputs (n, k) of the last forward; dY may be overwritten."""
        for layer in reversed(self.layers[self._lowest + 1 :]):
            dY = layer.backward(dY)
        for layer in self.layers[self._lowest : self._lowest + 1]:
            layer.parameter_gradients(dY)  # nobody below needs an input gradient

    def replica(self) -> Self:
        """Return a copy with parameters, gradients and work arrays of its own; the generator and statistics are shared.

        Replicas can go forward and backward on different examples at the same time, each in its own thread.
        """
        twin = copy(self)
        twin.layers = [layer.replica() for layer in self.layers]
        twin.parameters, twin.gradients = self.parameters.copy(), np.zeros_like(self.gradients)
        parameters, statistics, _ = _plan(twin.layers, twin.input_shape)
        twin._set_views(parameters, statistics)
        return twin

    def weights(self) -> Iterator[tuple[Array, Array]]:
        """Yield (W, dW) for each parameter that multiplies, which are those that weight decay and L2 apply to."""
        for layer in self.layers:
            for name in layer.weights:
                yield getattr(layer, name), getattr(layer, f"d{name}")

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


def _zeros(plan: _Plan, dtype: np.dtype[Any]) -> Array:
    return np.zeros(sum(prod(shape) for _, shape in plan.values()), dtype)


def _views(vector: Array, plan: _Plan, prefix: str) -> dict[str, Array]:
    """Return views into ``vector`` by name, one after the other; each layer gets its own as attributes."""
    views: dict[str, Array] = {}
    start = 0
    for name, (layer, shape) in plan.items():
        view = views[name] = vector[start : start + prod(shape)].reshape(shape)
        setattr(layer, prefix + name.partition(".")[2], view)
        start += view.size
    return views
