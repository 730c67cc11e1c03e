"""The functions between the affine maps. Without them any number of layers would be one affine map.

Each acts on every number by itself, so that with A = f(Z) the chain rule is a product number by number:

    dZ = dA ⊙ f′(Z)

Where f′ can be had from the output A, nothing else is kept.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from .layers import Layer
from .types import Array, Shape

__all__ = ["ACTIVATIONS", "GELU", "LeakyReLU", "ReLU", "Sigmoid", "Tanh"]


@lru_cache(maxsize=64)
def _zeros(shape: Shape, dtype: np.dtype[Any]) -> Array:
    return np.zeros(shape, dtype)


@dataclass(eq=False)
class ReLU(Layer):
    """Rectified linear unit: what is negative becomes zero.

    A = max(Z, 0)        f′ = 1 where A > 0, else 0
    """

    def forward(self, Z: Array, training: bool = False) -> Array:
        self.A = self.workspace("A", *Z.shape)
        return np.maximum(Z, _zeros(Z.shape[1:], Z.dtype), out=self.A)  # twice as quick as with the number 0

    def input_gradient(self, dA: Array) -> Array:
        dA *= self.A > 0
        return dA


@dataclass(eq=False)
class LeakyReLU(Layer):
    """ReLU that lets a little through where it would be shut, so that no unit is stuck at zero (Maas et al., 2013).

        A = Z where Z > 0, else s Z        f′ = 1 where Z > 0, else s

    Args:
        slope: s, between 0 and 1.
    """

    slope: float = 0.01

    def __post_init__(self) -> None:
        if not 0 <= self.slope < 1:
            raise ValueError(f"the slope of a leaky ReLU is at least 0 and less than 1, not {self.slope}")

    def forward(self, Z: Array, training: bool = False) -> Array:
        self.A = self.workspace("A", *Z.shape)
        np.multiply(Z, self.slope, out=self.A)
        return np.maximum(Z, self.A, out=self.A)  # s < 1: the larger of Z and s Z is the right one

    def input_gradient(self, dA: Array) -> Array:
        np.multiply(dA, self.slope, out=dA, where=self.A <= 0)
        return dA


@dataclass(eq=False)
class GELU(Layer):
    """Gaussian error linear unit: Z times the probability that a standard normal number is below it.

    By its usual approximation (Hendrycks & Gimpel, 2016), with c = √(2/π):

        A = ½ Z (1 + t)                 t = tanh(u)        u = c (Z + 0.044715 Z³)
        f′ = ½ (1 + t) + ½ Z (1 − t²) u′                   u′ = c (1 + 3 · 0.044715 Z²)
    """

    def forward(self, Z: Array, training: bool = False) -> Array:
        self.Z = Z
        t = self.t = self.workspace("t", *Z.shape)
        np.multiply(Z, Z, out=t)
        t *= 0.044715
        t += 1
        t *= Z
        t *= math.sqrt(2 / math.pi)  # u = c Z (1 + 0.044715 Z²)
        np.tanh(t, out=t)
        A = np.add(t, 1, out=self.workspace("A", *Z.shape))
        A *= Z
        A *= 0.5
        return A

    def input_gradient(self, dA: Array) -> Array:
        Z, t = self.Z, self.t
        slope = np.multiply(Z, Z, out=self.workspace("slope", *Z.shape))
        slope *= 3 * 0.044715
        slope += 1
        slope *= math.sqrt(2 / math.pi)  # u′
        slope *= Z
        factor = np.subtract(1, t, out=self.workspace("factor", *Z.shape))
        slope *= factor
        slope += 1
        slope *= np.add(t, 1, out=factor)  # 1 − t² = (1 − t)(1 + t)
        slope *= 0.5
        dA *= slope
        return dA


@dataclass(eq=False)
class Sigmoid(Layer):
    """Logistic function: squeezes every number into (0, 1).

        A = 1 / (1 + e⁻ᶻ) = ½ (1 + tanh(Z/2))        f′ = A (1 − A)

    The second form is the one computed: it overflows nowhere.
    """

    def forward(self, Z: Array, training: bool = False) -> Array:
        A = self.A = self.workspace("A", *Z.shape)
        np.multiply(Z, 0.5, out=A)
        np.tanh(A, out=A)
        A += 1
        A *= 0.5
        return A

    def input_gradient(self, dA: Array) -> Array:
        slope = np.subtract(1, self.A, out=self.workspace("slope", *dA.shape))
        slope *= self.A
        dA *= slope
        return dA


@dataclass(eq=False)
class Tanh(Layer):
    """Hyperbolic tangent: squeezes every number into (−1, 1), odd around zero.

    A = tanh(Z)        f′ = 1 − A²
    """

    def forward(self, Z: Array, training: bool = False) -> Array:
        self.A = self.workspace("A", *Z.shape)
        return np.tanh(Z, out=self.A)

    def input_gradient(self, dA: Array) -> Array:
        slope = np.multiply(self.A, self.A, out=self.workspace("slope", *dA.shape))
        np.subtract(1, slope, out=slope)
        dA *= slope
        return dA


ACTIVATIONS: dict[str, type[Layer]] = {
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "gelu": GELU,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
}
"""The activations by the names that configurations use."""
