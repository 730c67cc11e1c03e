"""A PyTorch ``Sequential``. PyTorch is not imported here: whoever has such a network has done that."""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import ConfigError
from ..nn import GELU, Dropout, LeakyReLU, ReLU, Sigmoid, Tanh
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
    elif kind == "BatchNorm1d":
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
    elif kind == "Dropout":
        if layer.p < 1:
            reading.add(Dropout(layer.p))
    elif kind in ("Softmax", "LogSoftmax") and layer.dim in (1, -1):
        reading.end("softmax" if kind == "Softmax" else "log-softmax")
    elif not (kind == "Identity" or (kind == "Flatten" and (layer.start_dim, layer.end_dim) == (1, -1))):
        raise reading.unknown(name)


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
    flattens = type(first).__name__ == "Flatten"
    example = next(source.parameters())
    given = torch.from_numpy(np.ascontiguousarray(X.reshape(len(X), 1, *image_shape) if flattens else X))
    training = {module: module.training for module in source.modules()}
    source.eval()
    try:
        with torch.no_grad():
            answer: Numbers = source(given.to(example.device, example.dtype)).cpu().numpy()
    finally:
        for module, was in training.items():
            module.training = was
    return answer
