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
    "factor",
    "forward",
    "input_gradient",
    "logits_gradient",
    "loss",
    "number",
    "parameter_gradient",
    "plus",
    "products",
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
    for place, y in np.ndenumerate(Y[0]):
        if isinstance(layer, Dense):
            (j,) = place
            yield f"z{subscript(j + 1)} = {products(X[0], layer.W[:, j])}{plus(layer.b[j])} = {number(y)}"
        elif isinstance(layer, ReLU):
            yield f"a{_index(place)} = max({number(X[0][place])}, 0) = {number(y)}"


def softmax(Z: Array, P: Array) -> Iterator[str]:
    """Each power of e, then each divided by their sum."""
    powers = [number(power) for power in np.exp(Z[0])]
    for z, power in zip(Z[0], powers, strict=True):
        yield f"e^{factor(z)} = {power}"
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
        product = f"{number(p.X[0, i])}·{factor(dY[0, j])}"
        yield f"dw{subscript(i + 1)}{subscript(j + 1)} = {product} = {number(dw)}"


def input_gradient(layer: Layer, x: str, dY: Array, dX: Array, p: LayerPass) -> Iterator[str]:
    """What a Dense layer or a ReLU hands down to x; nothing for other layers."""
    for place, dx in np.ndenumerate(dX[0]):
        if isinstance(layer, Dense):
            (i,) = place
            yield f"da{subscript(i + 1)} = {products(dY[0], layer.W[i])} = {number(dx)}"
        elif isinstance(layer, ReLU):
            open_ = int(p.A[0][place] > 0)
            yield f"d{x[0].lower()}{_index(place)} = {number(dY[0][place])}·{open_} = {number(dx)}"


def update(symbol: str, before: Array, eta: float, gradient: Array, after: Array) -> Iterator[str]:
    """Each parameter of an array, moved."""
    for index in np.ndindex(before.shape):
        name = symbol[0].lower() + _index(index)
        step = f"{number(before[index])} − {number(eta)}·{factor(gradient[index])}"
        yield f"{name} = {step} = {number(after[index])}"


def _index(place: tuple[int, ...]) -> str:
    """Return where a number stands in its array, counted from 1, in subscript digits."""
    return "".join(subscript(i + 1) for i in place)


def products(x: Array, w: Array) -> str:
    """The sum of x·w, with a first factor that may stand without brackets."""
    (first, *others) = zip(x, w, strict=True)
    return " + ".join([f"{number(first[0])}·{factor(first[1])}", *(f"{factor(a)}·{factor(b)}" for a, b in others)])


def plus(value: Any) -> str:
    """Return a number that is added, with its sign before it."""
    return f" − {number(-value)}" if value < 0 else f" + {number(value)}"


def factor(value: Any) -> str:
    """Return a number that may stand after another, in brackets where it is negative."""
    return f"({number(value)})" if number(value).startswith("−") else number(value)
