"""A model as data for the page that calculates with it in a browser, see ``page/model.js``."""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from math import prod
from typing import Any

import numpy as np

from ..doubt import telling_layers
from ..errors import ConfigError
from ..model import Model
from ..nn import (
    GELU,
    AveragePool2D,
    BatchNorm,
    Bias,
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
    SpatialDropout2D,
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
    **dict.fromkeys((Bias, Reshape, Flatten, Dropout, SpatialDropout2D, ReLU, GELU, Sigmoid, Tanh), _nothing),
}


def describe(model: Model, past: Mapping[int, Model]) -> dict[str, Any]:
    """Return a model in plain Python types.

    Args:
        model: as it is when it has learned.
        past: what it was at steps of its training.

    Returns:
        ``classes``, ``form`` (the preprocessing), ``members`` (how many networks), ``layers`` (each with its name as
        ``layer``, ``input`` and ``output`` shapes, the lengths of its ``parameters`` and ``statistics`` and its
        settings), ``doubt``, and ``weights``: for each step, and at last for the model itself, the ``parameters`` and
        ``statistics`` of all networks, layer by layer, in base64.

    Raises:
        ConfigError: a layer that the page does not have.
    """
    return {
        "classes": list(model.classes),
        "form": asdict(model.preprocessing),
        "members": len(model.networks),
        "layers": [*_layers(model)],
        "doubt": _doubt(model),
        "weights": [_weights(step, each) for step, each in [*sorted(past.items()), (None, model)]],
    }


def _doubt(model: Model) -> dict[str, Any] | None:
    if model.doubts is None:
        return None
    weights = [float(f"{w:.9g}") for w in model.doubts.weights]
    return {"layers": telling_layers(model.network), "weights": weights, "bias": model.doubts.bias}


def _layers(model: Model) -> Iterator[dict[str, Any]]:
    shape = model.network.input_shape
    for layer in model.network.layers:
        if type(layer) not in SETTINGS:
            raise ConfigError(f"{type(layer).__name__}: not supported by the export to a page; use another layer")
        output = layer.output_shape(shape)
        yield {
            "layer": type(layer).__name__,
            "input": list(shape),
            "output": list(output),
            "parameters": {name: prod(size) for name, size in layer.parameter_shapes(shape).items()},
            "statistics": {name: prod(size) for name, size in layer.statistic_shapes(shape).items()},
            **SETTINGS[type(layer)](layer, shape),
        }
        shape = output


def _weights(step: int | None, model: Model) -> dict[str, Any]:
    return {
        "step": step,
        "parameters": _packed([network.parameters for network in model.networks]),
        "statistics": _packed([network.statistics for network in model.networks]),
    }


def _packed(vectors: Sequence[Array]) -> dict[str, str]:
    """Return numbers as base64 of little-endian floats: float16 where that holds them exactly, else float32."""
    full = np.concatenate(vectors).astype("<f4")
    with np.errstate(over="ignore"):
        half = full.astype("<f2")
    is_exact = np.array_equal(half.astype("<f4"), full)
    packed = base64.b64encode((half if is_exact else full).tobytes()).decode()
    return {"type": "float16" if is_exact else "float32", "numbers": packed}
