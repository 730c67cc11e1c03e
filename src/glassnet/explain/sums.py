"""The arithmetic of a small network, written out number by number for a pocket calculator.

Array are rounded to four decimals where they are shown; the network goes on with the unrounded ones.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Preprocessing
from ..nn import Dense, Layer, LayerPass, ReLU
from ..nn.types import Array
from .wording import subscript

__all__ = [
    "forward",
    "input_gradient",
    "logits_gradient",
    "loss",
    "number",
    "parameter_gradient",
    "scaling",
    "softmax",
    "update",
]


def number(value: Any) -> str:
    """Return a number to four decimals, without zeros at its end and with a true minus sign."""
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text.replace("-", "−")


def scaling(form: Preprocessing, pixels: NDArray[np.uint8], X: Array) -> Iterator[str]:
    """The inputs from the pixels, where those are only divided by 255."""
    if form.shift or form.scale == 1:
        return
    for j, (pixel, x) in enumerate(zip(pixels.ravel(), X.ravel(), strict=True), 1):
        yield f"x{subscript(j)} = {pixel} / 255 = {number(x)}"


def forward(layer: Layer, X: Array, Y: Array) -> Iterator[str]:
    """What a Dense layer or a ReLU does; nothing for other layers."""
    for j, y in enumerate(Y[0], 1):
        if isinstance(layer, Dense):
            yield f"z{subscript(j)} = {_products(X[0], layer.W[:, j - 1])}{_plus(layer.b[j - 1])} = {number(y)}"
        elif isinstance(layer, ReLU):
            yield f"a{subscript(j)} = max({number(X[0, j - 1])}, 0) = {number(y)}"


def softmax(Z: Array, P: Array) -> Iterator[str]:
    """Each power of e, then each divided by their sum."""
    powers = [number(power) for power in np.exp(Z[0])]
    for z, power in zip(Z[0], powers, strict=True):
        yield f"e^{_factor(z)} = {power}"
    for j, (power, p) in enumerate(zip(powers, P[0], strict=True), 1):
        yield f"p{subscript(j)} = {power} / ({' + '.join(powers)}) = {number(p)}"


def loss(P: Array, label: int, value: float) -> Iterator[str]:
    """The logarithm of the true class's probability."""
    yield f"L = −ln {number(P[0, label])} = {number(value)}"


def logits_gradient(P: Array, label: int, dZ: Array) -> Iterator[str]:
    """The probabilities minus the target."""
    for j, (p, dz) in enumerate(zip(P[0], dZ[0], strict=True)):
        yield f"dz{subscript(j + 1)} = {number(p)} − {int(j == label)} = {number(dz)}"


def parameter_gradient(layer: Layer, name: str, dY: Array, p: LayerPass) -> Iterator[str]:
    """The gradient of a Dense layer's weights or biases; nothing for other layers."""
    if not isinstance(layer, Dense):
        return
    if name == "b":
        for j, dz in enumerate(dY[0], 1):
            yield f"db{subscript(j)} = dz{subscript(j)} = {number(dz)}"
        return
    for (i, j), dw in np.ndenumerate(p.dW):
        product = f"{number(p.X[0, i])}·{_factor(dY[0, j])}"
        yield f"dw{subscript(i + 1)}{subscript(j + 1)} = {product} = {number(dw)}"


def input_gradient(layer: Layer, dY: Array, dX: Array, p: LayerPass) -> Iterator[str]:
    """What a Dense layer or a ReLU hands down; nothing for other layers."""
    for i, dx in enumerate(dX[0], 1):
        if isinstance(layer, Dense):
            yield f"da{subscript(i)} = {_products(dY[0], layer.W[i - 1])} = {number(dx)}"
        elif isinstance(layer, ReLU):
            open_ = int(p.A[0, i - 1] > 0)
            yield f"dz{subscript(i)} = {number(dY[0, i - 1])}·{open_} = {number(dx)}"


def update(symbol: str, before: Array, eta: float, gradient: Array, after: Array) -> Iterator[str]:
    """Each parameter of an array, moved."""
    for index in np.ndindex(before.shape):
        name = symbol[0].lower() + "".join(subscript(i + 1) for i in index)
        step = f"{number(before[index])} − {number(eta)}·{_factor(gradient[index])}"
        yield f"{name} = {step} = {number(after[index])}"


def _products(x: Array, w: Array) -> str:
    """The sum of x·w, with a first factor that may stand without brackets."""
    (first, *others) = zip(x, w, strict=True)
    return " + ".join([f"{number(first[0])}·{_factor(first[1])}", *(f"{_factor(a)}·{_factor(b)}" for a, b in others)])


def _plus(value: Any) -> str:
    return f" − {number(-value)}" if value < 0 else f" + {number(value)}"


def _factor(value: Any) -> str:
    return f"({number(value)})" if number(value).startswith("−") else number(value)
