"""A model as data for the page that calculates with it in a browser, see ``page/model.js``."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from ..errors import ConfigError
from ..model import Model
from ..nn import (
    GELU,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool2D,
    Layer,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Reshape,
    Sigmoid,
    Tanh,
    Window,
)
from ..nn.types import Array, Shape

__all__ = ["describe"]


def _nothing(_layer: Any, _shape: Shape) -> dict[str, Any]:
    return {}


def _pool(layer: Any, _shape: Shape) -> dict[str, Any]:
    return {"window": layer.window()._asdict()}


# What the page needs to know of a layer besides its parameters, given the shape of one of its inputs.
SETTINGS: dict[type[Layer], Callable[[Any, Shape], dict[str, Any]]] = {
    Dense: _nothing,
    Conv2D: lambda layer, shape: {"window": layer.window(*shape[:2])._asdict()},
    MaxPool2D: _pool,
    AveragePool2D: _pool,
    GlobalAveragePool2D: lambda _layer, shape: {"window": Window(*shape[:2])._asdict()},
    BatchNorm: lambda layer, _shape: {"epsilon": layer.epsilon},
    LeakyReLU: lambda layer, _shape: {"slope": layer.slope},
    **dict.fromkeys((Reshape, Flatten, Dropout, ReLU, GELU, Sigmoid, Tanh), _nothing),
}


def describe(model: Model) -> dict[str, Any]:
    """Return a model in plain Python types.

    Returns:
        ``classes``, ``form`` (the preprocessing), ``members`` (how many networks), ``layers`` (each with its name as
        ``layer``, ``input`` and ``output`` shapes, the lengths of its ``parameters`` and its settings), ``doubt``, and
        ``weights``: the numbers of all networks, layer by layer, in base64, one entry for each moment of training that
        the page has. ``type`` is float16 where that holds all numbers exactly, else float32.

    Raises:
        ConfigError: a layer that the page does not have.
    """
    layers = [*_layers(model)]
    names = [list(layer["parameters"]) for layer in layers]
    numbers = np.concatenate(
        [
            getattr(layer, name).ravel()
            for network in model.networks
            for layer, own in zip(network.layers, names, strict=True)
            for name in own
        ]
    )
    return {
        "classes": list(model.classes),
        "form": asdict(model.preprocessing),
        "members": len(model.networks),
        "layers": layers,
        "doubt": None
        if model.doubts is None
        else {"weights": [float(f"{w:.9g}") for w in model.doubts.weights], "bias": model.doubts.bias},
        "weights": [_packed(numbers)],
    }


def _layers(model: Model) -> Iterator[dict[str, Any]]:
    shape = model.network.input_shape
    for layer in model.network.layers:
        if type(layer) not in SETTINGS:
            raise ConfigError(f"{type(layer).__name__}: not supported by the export to a page; use another layer")
        own = layer.parameter_shapes(shape) | layer.statistic_shapes(shape)
        output = layer.output_shape(shape)
        yield {
            "layer": type(layer).__name__,
            "input": list(shape),
            "output": list(output),
            "parameters": {name: int(np.prod(size)) for name, size in own.items()},
            **SETTINGS[type(layer)](layer, shape),
        }
        shape = output


def _packed(numbers: Array) -> dict[str, str]:
    """Return numbers as base64 of little-endian floats, the shorter ones where they lose nothing."""
    full = numbers.astype("<f4")
    with np.errstate(over="ignore"):
        half = full.astype("<f2")
    is_exact = np.array_equal(half.astype("<f4"), full)
    packed = base64.b64encode((half if is_exact else full).tobytes()).decode()
    return {"type": "float16" if is_exact else "float32", "numbers": packed}
