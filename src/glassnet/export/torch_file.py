"""A model's numbers as PyTorch's ``state_dict``, by the names that a ``Sequential`` of the same layers gives them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from safetensors.numpy import save

from ..errors import ConfigError
from ..model import Model
from ..nn import GELU, BatchNorm, Dense, Dropout, Flatten, Layer, LeakyReLU, ReLU, Sigmoid, Tanh

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
    tensors: dict[str, np.ndarray[Any, Any]] = {}
    lines = []
    inputs = model.network.input_shape[0]
    for i, layer in enumerate(model.network.layers):
        lines.append(_call(layer, inputs))
        tensors |= {f"{i}.{name}": np.array(array, order="C") for name, array in _tensors(layer).items()}
        [inputs] = layer.output_shape((inputs,))
    form = model.preprocessing
    metadata = {
        "architecture": f"torch.nn.Sequential({', '.join(lines)})",
        "scale": repr(form.scale),
        "shift": repr(form.shift),
    }
    return save(tensors, metadata=metadata)


def _call(layer: Layer, inputs: int) -> str:
    """Return the PyTorch expression that makes the same layer."""
    calls: dict[type[Layer], Callable[[Any], str]] = {
        Dense: lambda dense: f"Linear({inputs}, {dense.units})",
        # PyTorch's momentum is the part that is replaced, not the part that stays.
        BatchNorm: lambda norm: (
            f"BatchNorm1d({inputs}, eps={norm.epsilon!r}, momentum={round(1 - norm.momentum, 12)!r})"
        ),
        Dropout: lambda dropout: f"Dropout({dropout.rate!r})",
        Flatten: lambda _: "Flatten()",
        ReLU: lambda _: "ReLU()",
        LeakyReLU: lambda leaky: f"LeakyReLU({leaky.slope!r})",
        GELU: lambda _: "GELU(approximate='tanh')",
        Sigmoid: lambda _: "Sigmoid()",
        Tanh: lambda _: "Tanh()",
    }
    if type(layer) not in calls:
        raise ConfigError(f"{type(layer).__name__}: not supported by the export to PyTorch; use another layer")
    return f"torch.nn.{calls[type(layer)](layer)}"


def _tensors(layer: Layer) -> dict[str, np.ndarray[Any, Any]]:
    if isinstance(layer, Dense):
        return {"weight": layer.W.T, "bias": layer.b}
    if isinstance(layer, BatchNorm):
        return {
            "weight": layer.gamma,
            "bias": layer.beta,
            "running_mean": layer.running_mean,
            "running_var": layer.running_variance,
            "num_batches_tracked": np.array(0, np.int64),
        }
    return {}
