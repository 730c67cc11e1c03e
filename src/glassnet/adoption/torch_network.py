"""A PyTorch ``Sequential``. PyTorch is not imported here: whoever has such a network has done that."""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import ConfigError
from ..nn import (
    GELU,
    AveragePool2D,
    Dropout,
    Flatten,
    GlobalAveragePool2D,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Sigmoid,
    SpatialDropout2D,
    Tanh,
)
from .reading import Numbers, Reading

__all__ = ["is_torch", "read_torch"]

NAME = "PyTorch network"


def is_torch(source: object) -> bool:
    """Whether an object is a PyTorch module."""
    torch: Any = sys.modules.get("torch")
    return torch is not None and isinstance(source, torch.nn.Module)


def read_torch(source: Any, image_shape: tuple[int, int]) -> Reading:
    """Read a ``torch.nn.Sequential``, whose parts may be others.

    Raises:
        ConfigError: another module, a layer that is not here, or numbers of another type than float32 and float64.
    """
    if type(source).__name__ != "Sequential":
        raise ConfigError(
            f"{NAME}: a {type(source).__name__} has a forward of its own, which cannot be read; give a Sequential, "
            "or export it to ONNX and adopt that file"
        )
    reading = Reading(NAME, lambda X: _run(source, X, image_shape))
    reading.channels_first = True
    for name, layer in _flat(source, ""):
        _add(reading, f"layer {name} ({type(layer).__name__})", layer)
    return reading


def _flat(sequential: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield the layers of nested Sequentials with their names."""
    for name, layer in sequential.named_children():
        if type(layer).__name__ == "Sequential":
            yield from _flat(layer, f"{prefix}{name}.")
        else:
            yield prefix + name, layer


def _add(reading: Reading, name: str, layer: Any) -> None:
    kind = type(layer).__name__ if type(layer).__module__.startswith("torch.nn.") else ""
    if kind == "Linear":
        reading.add_dense(_array(name, layer.weight).T, _optional(name, layer.bias))
    elif kind in ("BatchNorm1d", "BatchNorm2d"):
        if layer.running_mean is None:
            raise reading.unknown(name, "has no running averages")
        gamma, beta = _optional(name, layer.weight), _optional(name, layer.bias)
        mean, variance = _array(name, layer.running_mean), _array(name, layer.running_var)
        reading.add_batch_norm(layer.eps, gamma, beta, mean, variance)
    elif kind in ("ReLU", "Sigmoid", "Tanh"):
        reading.add({"ReLU": ReLU, "Sigmoid": Sigmoid, "Tanh": Tanh}[kind]())
    elif kind == "LeakyReLU":
        reading.add(LeakyReLU(layer.negative_slope))
    elif kind == "GELU" and layer.approximate == "tanh":
        reading.add(GELU())
    elif kind == "GELU":
        raise reading.unknown(name, "is exact; glassnet has GELU(approximate='tanh')")
    elif kind in ("Dropout", "Dropout2d"):
        if layer.p < 1:
            reading.add((Dropout if kind == "Dropout" else SpatialDropout2D)(layer.p))
    elif kind in ("Softmax", "LogSoftmax"):
        if layer.dim != -1:
            _require(name, layer, dim=1)
        reading.end("softmax" if kind == "Softmax" else "log-softmax")
    elif kind == "Flatten":
        _require(name, layer, start_dim=1, end_dim=-1)
        reading.add(Flatten())
    elif (
        kind != "Identity"
        and not (kind == "Unflatten" and not reading.parts)
        and not _add_of_images(reading, name, layer)
    ):
        raise reading.unknown(name)


def _add_of_images(reading: Reading, name: str, layer: Any) -> bool:
    """Add a layer that takes images; return whether there is one of its kind."""
    kind = type(layer).__name__
    if kind == "AdaptiveAvgPool2d":
        _require(name, layer, output_size=1)
        reading.add(GlobalAveragePool2D())
    elif kind == "Conv2d":
        _require(name, layer, groups=1, dilation=1, padding_mode="zeros")
        W = _array(name, layer.weight).transpose(2, 3, 1, 0)
        padding = layer.padding if isinstance(layer.padding, str) else _both(name, layer, "padding")
        reading.add_convolution(W, _optional(name, layer.bias), _both(name, layer, "stride"), padding)
    elif kind in ("MaxPool2d", "AvgPool2d"):
        _require(name, layer, padding=0, dilation=1, ceil_mode=False)
        pool = MaxPool2D if kind == "MaxPool2d" else AveragePool2D
        reading.add(pool(_both(name, layer, "kernel_size"), _both(name, layer, "stride")))
    else:
        return False
    return True


def _require(name: str, layer: Any, **settings: Any) -> None:
    """Raise ConfigError where a layer has another setting than the only one that is here, for one axis or for both."""
    for setting, only in settings.items():
        found = getattr(layer, setting, only)
        if found not in (only, (only, only)):
            raise _setting_error(name, setting, found, f"{setting}={only!r}")


def _both(name: str, layer: Any, setting: str) -> int:
    """Return a setting that has to be the same for both axes."""
    found = getattr(layer, setting)
    down, across = found if isinstance(found, tuple) else (found, found)
    if down != across:
        raise _setting_error(name, setting, found, "the same number for both axes")
    return int(down)


def _setting_error(name: str, setting: str, found: object, known: str) -> ConfigError:
    return ConfigError(f"{NAME}: {name} has {setting}={found!r}; glassnet has only {known}")


def _array(name: str, tensor: Any) -> Numbers:
    """Return a copy of a tensor in memory."""
    if str(tensor.dtype) not in ("torch.float32", "torch.float64"):
        raise ConfigError(f"{NAME}: {name} has numbers of type {tensor.dtype}; convert it with .float() first")
    return np.array(tensor.detach().cpu().numpy())


def _optional(name: str, tensor: Any) -> Numbers | None:
    return None if tensor is None else _array(name, tensor)


def _run(source: Any, X: Numbers, image_shape: tuple[int, int]) -> Numbers:
    """Return the outputs of a network for inputs (n, d), as it predicts."""
    torch: Any = sys.modules["torch"]
    _, first = next(_flat(source, ""))
    rows = type(first).__name__ in ("Linear", "BatchNorm1d", "Unflatten")
    example = next(source.parameters())
    given = torch.from_numpy(np.ascontiguousarray(X if rows else X.reshape(len(X), 1, *image_shape)))
    training = {module: module.training for module in source.modules()}
    source.eval()
    try:
        with torch.no_grad():
            answer: Numbers = source(given.to(example.device, example.dtype)).cpu().numpy()
    finally:
        for module, was in training.items():
            module.training = was
    return answer
