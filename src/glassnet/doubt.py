"""How little an image is like those that a network has learned: a measure on top of the softmax.

A softmax is sure of many an image of something else. What it was computed from says more: what goes into the dense
layers, and the energy of the logits (Liu, Wang, Owens and Li, Energy-based Out-of-distribution Detection, 2020). A
logistic regression of these tells images of classes from strangers.
"""

import json
import math
from dataclasses import dataclass

import numpy as np

from .nn import Conv2D, Dense, Network, Pass
from .nn.types import Array

__all__ = ["THRESHOLD", "Doubt", "evidence", "telling_layers"]

THRESHOLD = 0.5  # more doubt than this: the image is not like the classes; one in a hundred of true digits has more

WIDEST = 2048  # numbers of a layer: more would fill the model's file


@dataclass(frozen=True)
class Doubt:
    """The measure.

        d = 1 / (1 + exp(φ w + b))          φ (n, m) evidence   w (m,)

    Attributes:
        weights: w.
        bias: b, which makes d = 0.5 the threshold.
    """

    weights: Array
    bias: float

    def __call__(self, network: Network, p: Pass, Z: Array) -> Array:
        """Return the doubt (n,) of images whose logits Z (n, k) ``p`` has been through the network for last."""
        scores = evidence(network, p, Z) @ self.weights + np.float32(self.bias)
        return np.asarray(1 / (1 + np.exp(np.clip(scores, -50, 50))))

    def to_json(self) -> str:
        """Return it as text for a model file."""
        return json.dumps({"weights": [float(f"{w:.6g}") for w in self.weights], "bias": self.bias})

    @classmethod
    def from_json(cls, text: str, network: Network) -> "Doubt":
        """Read what `to_json` wrote, which nobody has to trust.

        Raises:
            ValueError: it is not that, or does not fit the network.
        """
        values = json.loads(text)
        if not isinstance(values, dict) or set(values) != {"weights", "bias"} or type(values["bias"]) is not float:
            raise ValueError("doubt: must have weights and a bias")
        weights = np.asarray(values["weights"])
        if weights.shape != (size := _size(network),) or weights.dtype != np.float64:
            raise ValueError(f"doubt: must have {size} weights")
        if not np.isfinite(weights).all() or not math.isfinite(values["bias"]):
            raise ValueError("doubt: weights and bias must be finite")
        return cls(weights.astype(np.float32), values["bias"])


def evidence(network: Network, p: Pass, Z: Array) -> Array:
    """Return the inputs of `telling_layers`, the energy of the logits and their largest (n, m)."""
    largest = Z.max(axis=1, keepdims=True)
    energy = largest + np.log(np.exp(Z - largest).sum(axis=1, keepdims=True))
    return np.concatenate([*(p.layers[number].X for number in telling_layers(network)), energy, largest], axis=1)


def telling_layers(network: Network) -> list[int]:
    """Return the numbers of the dense layers whose inputs are evidence: not the image itself, and not too wide."""
    weighted = [number for number, layer in enumerate(network.layers) if isinstance(layer, Dense | Conv2D)]
    dense = [number for number in weighted[1:] if isinstance(network.layers[number], Dense)]
    return [number for number in dense if len(network.named_parameters[f"{number}.W"]) <= WIDEST]


def _size(network: Network) -> int:
    p = Pass(network)
    Z = network.forward(np.zeros((1, *network.input_shape), network.dtype), p)
    return int(evidence(network, p, Z).shape[1])
