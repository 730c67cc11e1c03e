"""A model's numbers as PyTorch's ``state_dict``, by the names that a ``Sequential`` of the same layers gives them.

PyTorch has the channels of images first, (c, h, w), and so its rows of them are in another order than glassnet's: the
weights that take such rows are reordered.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

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
    SpatialDropout2D,
    Tanh,
)
from ..nn.types import Shape

__all__ = ["torch_state_dict"]


def torch_state_dict(model: Model) -> bytes:
    """Return a safetensors file with a model's ``state_dict``, as ``safetensors.torch.load_file`` reads it.

    Its metadata say, as ``architecture``, the ``torch.nn.Sequential`` that takes it, whose outputs are logits, and, as
    ``scale`` and ``shift``, how pixels become its inputs (n, h·w): pixel · scale + shift.

    Raises:
        ConfigError: an ensemble, which is several networks, or a layer that PyTorch does not have.
    """
    if len(model.networks) > 1:
        raise ConfigError(f"an ensemble of {len(model.networks)} networks: a state_dict is of one network")
    sequential = _Sequential(model.network.input_shape)
    for layer in model.network.layers:
        if type(layer) not in MODULES:
            raise ConfigError(f"{type(layer).__name__}: not supported by the export to PyTorch; use another layer")
        MODULES[type(layer)](sequential, layer)
        sequential.shape = layer.output_shape(sequential.shape)
    form = model.preprocessing
    metadata = {
        "architecture": f"torch.nn.Sequential({', '.join(sequential.calls)})",
        "scale": repr(form.scale),
        "shift": repr(form.shift),
    }
    return save(sequential.tensors, metadata=metadata)


class _Sequential:
    """Modules as they are added.

    Attributes:
        calls: the expressions that make them.
        tensors: their numbers by name.
        shape: of an example that the next layer gets, channels last.
        places: in PyTorch's row, where the numbers of glassnet's row are; None where both are the same.
    """

    def __init__(self, input_shape: Shape) -> None:
        self.calls: list[str] = []
        self.tensors: dict[str, NDArray[Any]] = {}
        self.shape = input_shape
        self.places: NDArray[np.int64] | None = None

    def add(self, call: str, **tensors: NDArray[Any]) -> None:
        """Add a module with its numbers."""
        for name, array in tensors.items():
            self.tensors[f"{len(self.calls)}.{name}"] = np.array(array, order="C")
        self.calls.append(f"torch.nn.{call}")

    def reordered(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return an array whose first axis is that of glassnet's row in the order of PyTorch's."""
        return array if self.places is None else array[self.places]


def _dense(sequential: _Sequential, layer: Any) -> None:
    weight = sequential.reordered(layer.W).T
    sequential.add(f"Linear({len(layer.W)}, {layer.units})", weight=weight, bias=layer.b)
    sequential.places = None


def _convolution(sequential: _Sequential, layer: Any) -> None:
    window, channels = layer.window(*sequential.shape[:2]), sequential.shape[2]
    padding = (window.top, window.left)
    if padding != (window.bottom, window.right):  # PyTorch's own padding is the same on both sides
        sequential.add(f"ZeroPad2d(({window.left}, {window.right}, {window.top}, {window.bottom}))")
        padding = (0, 0)
    size = (window.height, window.width)
    call = f"Conv2d({channels}, {layer.filters}, {size}, stride={window.stride}, padding={padding})"
    sequential.add(call, weight=layer.W.transpose(3, 2, 0, 1), bias=layer.b)


def _reshape(sequential: _Sequential, layer: Any) -> None:
    height, width, channels = layer.shape if len(layer.shape) == 3 else (0, 0, 0)
    if channels != 1 or sequential.places is not None:
        raise ConfigError("Reshape: the export to PyTorch supports it only from rows to images of one channel")
    sequential.add(f"Unflatten(1, (1, {height}, {width}))")


def _flatten(sequential: _Sequential, _layer: Any) -> None:
    if len(sequential.shape) == 3:
        sequential.places = np.arange(np.prod(sequential.shape)).reshape(sequential.shape).transpose(2, 0, 1).ravel()
    sequential.add("Flatten()")


def _batch_norm(sequential: _Sequential, layer: Any) -> None:
    # PyTorch's momentum is the part that is replaced, not the part that stays.
    settings = f"{len(layer.gamma)}, eps={layer.epsilon!r}, momentum={round(1 - layer.momentum, 12)!r}"
    sequential.add(
        f"BatchNorm{2 if len(sequential.shape) == 3 else 1}d({settings})",
        weight=sequential.reordered(layer.gamma),
        bias=sequential.reordered(layer.beta),
        running_mean=sequential.reordered(layer.running_mean),
        running_var=sequential.reordered(layer.running_variance),
        num_batches_tracked=np.array(0, np.int64),
    )


def _global_pool(sequential: _Sequential, _layer: Any) -> None:
    sequential.add("AdaptiveAvgPool2d(1)")
    sequential.add("Flatten()")


def _plain(call: Callable[[Any], str]) -> Callable[[_Sequential, Any], None]:
    """Return what adds a module without numbers."""
    return lambda sequential, layer: sequential.add(call(layer))


MODULES: dict[type[Layer], Callable[[_Sequential, Any], None]] = {
    Dense: _dense,
    Conv2D: _convolution,
    MaxPool2D: _plain(lambda pool: f"MaxPool2d({pool.size}, {pool.stride or pool.size})"),
    AveragePool2D: _plain(lambda pool: f"AvgPool2d({pool.size}, {pool.stride or pool.size})"),
    GlobalAveragePool2D: _global_pool,
    Reshape: _reshape,
    Flatten: _flatten,
    BatchNorm: _batch_norm,
    Dropout: _plain(lambda dropout: f"Dropout({dropout.rate!r})"),
    SpatialDropout2D: _plain(lambda dropout: f"Dropout2d({dropout.rate!r})"),
    ReLU: _plain(lambda _: "ReLU()"),
    LeakyReLU: _plain(lambda leaky: f"LeakyReLU({leaky.slope!r})"),
    GELU: _plain(lambda _: "GELU(approximate='tanh')"),
    Sigmoid: _plain(lambda _: "Sigmoid()"),
    Tanh: _plain(lambda _: "Tanh()"),
}
