"""The right equations, and the same ones with known mistakes in them, each number with a bound on its rounding error.

Somebody else's correct numbers differ from ours by rounding, and by how much depends on their precision, on the widths
and on the size of what is added up. So each array here travels with a bound, carried along by the rules of running
error analysis (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.3). The bound also opens where
no answer is the only right one: the derivative of ReLU where Z is zero, or so near that rounding decides its sign.

Rows are examples, as everywhere in glassnet.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import numpy as np

from ...nn import ACTIVATIONS
from ...nn.types import Array

__all__ = [
    "SOFTMAXES",
    "Bounded",
    "ForwardPass",
    "Layer",
    "LayerGradient",
    "Softmax",
    "affine",
    "backward",
    "forward",
    "layer_gradient",
]


class Layer(NamedTuple):
    """The parameters of one affine map: W (d_in, d_out) and b (d_out,), or their gradients."""

    W: Array
    b: Array


class Bounded(NamedTuple):
    """Numbers, and for each how far rounding may have moved it: |right − value| ≤ error."""

    value: Array
    error: Array

    def transposed(self) -> "Bounded":
        """Return the transpose."""
        return Bounded(self.value.T, self.error.T)

    def matmul(self, other: "Bounded", unit: float) -> "Bounded":
        """Return the matrix product; ``unit`` is the spacing of floating-point numbers at 1."""
        a, b = np.abs(self.value), np.abs(other.value)
        rounding = unit * (8 + sqrt(a.shape[1]))  # a sum of n numbers in any order: about √n roundings that add up
        error = a @ (other.error + rounding * b)
        if self.error.any():  # the images are exact, and their product is the largest
            error += self.error @ b
        return Bounded(self.value @ other.value, error)

    def times(self, other: "Bounded", unit: float) -> "Bounded":
        """Return the product number by number."""
        a, b = np.abs(self.value), np.abs(other.value)
        return Bounded(self.value * other.value, self.error * (b + other.error) + a * other.error + unit * a * b)


class ForwardPass(NamedTuple):
    """The pre-activations Z₁ … Z_L, the last being the logits, and the inputs A₀ = X … A₍L₋₁₎ of each layer."""

    A: list[Bounded]
    Z: list[Bounded]


def _activate(name: str, Z: Array) -> tuple[Array, Array]:
    """Return f(Z) and f′(Z)."""
    activation = ACTIVATIONS[name]()
    A = type(activation).rule(Z, *activation.settings())
    return A, type(activation).gradient(np.ones_like(Z), Z, A, *activation.settings())


def _slope(name: str, Z: Bounded) -> Bounded:
    """Return f′(Z), with an open bound where the slope jumps within the error of Z."""
    slope = _activate(name, Z.value)[1]
    if name in ("relu", "leaky_relu"):
        return Bounded(slope, (np.abs(Z.value) <= Z.error).astype(float))
    return Bounded(slope, 1.2 * Z.error + 1e-15)  # |f″| ≤ 1.2 for every other activation of glassnet


def affine(A: Bounded, layer: Layer, unit: float) -> Bounded:
    """Return A W + b."""
    W, b = layer
    product = A.matmul(Bounded(W, np.zeros_like(W)), unit)
    value = product.value + b
    return Bounded(value, product.error + unit * (np.abs(value) + np.abs(b)))


def forward(layers: Sequence[Layer], X: Array, activation: str, unit: float) -> ForwardPass:
    """Go up through the layers: Z = A W + b, A = f(Z).

    Args:
        layers: float64.
        X: (n, d), float64.
        activation: of the hidden layers, one of `glassnet.nn.ACTIVATIONS`.
        unit: the spacing at 1 of the numbers that the other side computes in.
    """
    A = [Bounded(X, np.zeros_like(X))]
    Z: list[Bounded] = []
    for layer in layers:
        if Z:
            value, _ = _activate(activation, Z[-1].value)
            A.append(Bounded(value, 1.2 * Z[-1].error + 4 * unit * np.maximum(np.abs(value), 1e-3)))
        Z.append(affine(A[-1], layer, unit))
    return ForwardPass(A, Z)


@dataclass(frozen=True)
class Softmax:
    """A way in which people write softmax: what it takes off before exp, and over which axis it divides.

    Attributes:
        mistakes: the catalogue's names for what is wrong with it.
        maximum: the axis whose maximum is taken off; all of them, or none.
        axis: the axis of the sum: 1 for the classes, 0 for the examples.
    """

    mistakes: frozenset[str]
    maximum: int | str
    axis: int

    def __call__(self, logits: Bounded, unit: float) -> Bounded:
        """Return the probabilities; like NumPy, in the precision of the logits, with NaN where exp overflows."""
        Z, E = logits
        tiny = float(np.finfo(Z.dtype).tiny)
        with np.errstate(all="ignore"):
            if self.maximum != "none":
                Z = Z - Z.max(axis=None if self.maximum == "all" else int(self.maximum), keepdims=True)
            P = np.exp(Z)
            P = P / P.sum(axis=self.axis, keepdims=True)
            # Moving each logit by at most ε changes a probability by a factor of at most e^2ε; its value stays below 1.
            widest = 2 * (E + unit * np.abs(Z)).max(axis=self.axis, keepdims=True)
            error = np.minimum(1, P * np.expm1(np.minimum(widest, 1)) + np.where(widest >= 1, 1, 0))
        rounding = unit * (8 + sqrt(Z.shape[self.axis]))
        return Bounded(P, error + rounding * P + tiny)


_AXIS, _NONE, _ALL = "softmax-wrong-axis", "softmax-without-maximum", "softmax-global-maximum"

SOFTMAXES = (
    Softmax(frozenset(), 1, 1),
    Softmax(frozenset({_NONE}), "none", 1),
    Softmax(frozenset({_ALL}), "all", 1),
    Softmax(frozenset({_AXIS}), 0, 0),
    Softmax(frozenset({_AXIS}), 1, 0),
    Softmax(frozenset({_AXIS, _NONE}), "none", 0),
    Softmax(frozenset({_AXIS, _ALL}), "all", 0),
)
"""The right one first, then the known wrong ones, those with fewer mistakes first."""


class LayerGradient(NamedTuple):
    """The gradients of one layer's parameters: dW (d_in, d_out) and db (1, d_out)."""

    W: Bounded
    b: Bounded


def layer_gradient(A: Bounded, dZ: Bounded, unit: float) -> LayerGradient:
    """Return dW = Aᵀ dZ and db = Σₙ dZ, for a layer with inputs A."""
    ones = np.ones((1, len(dZ.value)))
    return LayerGradient(A.transposed().matmul(dZ, unit), Bounded(ones, 0 * ones).matmul(dZ, unit))


def backward(
    layers: Sequence[Layer], passed: ForwardPass, dZ: Bounded, activation: str, unit: float, masks: Sequence[str]
) -> Iterator[tuple[int, LayerGradient]]:
    """Come back down by the chain rule, and yield each layer's number and gradient, the last layer first.

        dW = Aᵀ dZ        db = Σₙ dZ        dA = dZ Wᵀ        dZ = dA ⊙ f′(M)

    M is Z where nothing is wrong.

    Args:
        layers: W and b of each.
        passed: what `forward` returned.
        dZ: the gradient of the logits (n, k).
        activation: whose slope f′ is.
        unit: as in `forward`.
        masks: what M is in each hidden layer: ``own`` for its Z, else a key of `checks_gradients.MASKS`.
    """
    for i in reversed(range(len(layers))):
        yield i, layer_gradient(passed.A[i], dZ, unit)
        if i > 0:
            W = layers[i].W
            dA = dZ.matmul(Bounded(W.T, np.zeros_like(W.T)), unit)
            dZ = _through(masks[i - 1], i - 1, dA, dZ, passed, activation, unit)


def _through(
    mask: str, i: int, dA: Bounded, above: Bounded, passed: ForwardPass, activation: str, unit: float
) -> Bounded:
    """Multiply the gradient that arrives at hidden layer ``i`` by the activation's slope at the array named."""
    if mask == "nothing":
        return dA
    M = {
        "own": passed.Z[i],
        "arriving": dA,
        "above": passed.Z[i + 1],
        "above-gradient": above,
        "below": passed.Z[i - 1] if i > 0 else passed.A[0],
    }[mask]
    return dA.times(_slope(activation, M), unit)
