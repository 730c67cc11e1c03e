"""The functions between the affine maps. Without them any number of layers would be one affine map.

Each acts on every number by itself, so that with A = f(Z) the chain rule is a product number by number:

    dZ = dA ⊙ f′(Z)

The rules themselves, and the source of each derivative, are in `formulas`.
"""

from dataclasses import dataclass
from typing import ClassVar

from . import formulas
from .elementwise import Formula
from .layers import Layer
from .passes import LayerPass
from .types import Array

__all__ = ["ACTIVATIONS", "GELU", "Activation", "LeakyReLU", "ReLU", "Sigmoid", "Tanh"]


@dataclass(eq=False)
class Activation(Layer):
    """A layer that applies one rule to each number.

    Attributes:
        rule: f, called with z and the layer's settings.
        gradient: dz, called with da, z, a and the layer's settings.
    """

    rule: ClassVar[Formula]
    gradient: ClassVar[Formula]

    def settings(self) -> tuple[float, ...]:
        """Return what the rules take besides."""
        return ()

    def forward(self, Z: Array, p: LayerPass) -> Array:
        p.Z, p.A = Z, p.array("A", *Z.shape)
        return p.engine.apply(type(self).rule, (Z,), self.settings(), out=p.A)

    def input_gradient(self, dA: Array, p: LayerPass) -> Array:
        p.engine.update(type(self).gradient, (dA,), (p.Z, p.A), self.settings())
        return dA


@dataclass(eq=False)
class ReLU(Activation):
    """Rectified linear unit: what is negative becomes zero.

    A = max(Z, 0)        f′ = 1 where A > 0, else 0
    """

    rule, gradient = formulas.relu, formulas.relu_gradient


@dataclass(eq=False)
class LeakyReLU(Activation):
    """ReLU that lets a little through where it would be shut, so that no unit is stuck at zero (Maas et al., 2013).

        A = Z where Z > 0, else s Z        f′ = 1 where Z > 0, else s

    Args:
        slope: s, between 0 and 1.
    """

    slope: float = 0.01

    rule, gradient = formulas.leaky_relu, formulas.leaky_relu_gradient

    def __post_init__(self) -> None:
        if not 0 <= self.slope < 1:
            raise ValueError(f"the slope of a leaky ReLU is at least 0 and less than 1, not {self.slope}")

    def settings(self) -> tuple[float, ...]:
        return (self.slope,)


@dataclass(eq=False)
class GELU(Activation):
    """Gaussian error linear unit: Z times the probability that a standard normal number is below it.

    By its usual approximation (Hendrycks & Gimpel, 2016), with c = √(2/π):

        A = ½ Z (1 + t)                 t = tanh(u)        u = c (Z + 0.044715 Z³)
        f′ = ½ (1 + t) + ½ Z (1 − t²) u′                   u′ = c (1 + 3 · 0.044715 Z²)
    """

    rule, gradient = formulas.gelu, formulas.gelu_gradient


@dataclass(eq=False)
class Sigmoid(Activation):
    """Logistic function: squeezes every number into (0, 1).

    A = 1 / (1 + e⁻ᶻ) = ½ (1 + tanh(Z/2))        f′ = A (1 − A)
    """

    rule, gradient = formulas.sigmoid, formulas.sigmoid_gradient


@dataclass(eq=False)
class Tanh(Activation):
    """Hyperbolic tangent: squeezes every number into (−1, 1), odd around zero.

    A = tanh(Z)        f′ = 1 − A²
    """

    rule, gradient = formulas.tanh, formulas.tanh_gradient


ACTIVATIONS: dict[str, type[Activation]] = {
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "gelu": GELU,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
}
"""The activations by the names that configurations use."""
